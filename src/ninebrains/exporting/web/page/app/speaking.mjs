// Answers for people who listen to the page.

import { verdict } from "./answers.mjs";
import { announce, percent } from "./dom.mjs";

const QUIET_MS = 2500; // between two things that are said while the camera runs

let spokenAt = 0;

/** Say the answers of all chosen brains; with a running camera only now and then, and shorter. */
export function speak(site, answers, isLive) {
  const now = performance.now();
  if (isLive && now - spokenAt < QUIET_MS) return;
  const lines = answers.map((answer) => {
    const brain = site.brains[answer.place];
    const { text, score, isStrange } = verdict(brain, answer);
    const sure = brain.task === "classify" && !isStrange && !isLive ? `, ${percent(score)}` : "";
    return `${brain.name}: ${text}${sure}`;
  });
  announce(lines.join(". "));
  spokenAt = now;
}
