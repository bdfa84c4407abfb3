// How far the labelling is, and how long the rest will take at this pace.

import { done } from "../core/changes.js";
import { fill, make } from "../core/dom.js";
import { follow, project } from "../core/project.js";
import { count, duration } from "../core/words.js";

const PAUSE_MS = 60_000;
const LEAST_PHOTOS = 8;

/** Seconds a photo took lately, pauses left out; null where too little was labelled. */
export function secondsAPhoto(steps = done) {
  const latest = steps.slice(-60);
  let [photos, time] = [0, 0];
  for (let place = 1; place < latest.length; place++) {
    const between = latest[place][0] - latest[place - 1][0];
    if (between > PAUSE_MS) continue;
    time += between;
    photos += latest[place][1];
  }
  return photos >= LEAST_PHOTOS ? time / 1000 / photos : null;
}

/** A bar and a sentence that keep themselves up to date. */
export function makePace() {
  const bar = make("progress", { max: 1, value: 0, "aria-label": "Photos with a label" });
  const text = make("p.small.soft");
  const paint = () => {
    const { photos, labelled } = project.counts;
    bar.value = photos ? labelled / photos : 0;
    const pace = secondsAPhoto();
    const left = photos - labelled;
    const time = left && pace ? ` About ${duration(left * pace)} left at your pace.` : "";
    fill(
      text,
      photos && !left
        ? `All ${count(photos)} photos have a label.`
        : `${count(labelled)} of ${count(photos)} have a label.${time}`,
    );
  };
  const ends = ["counts", "project"].map((topic) => follow(topic, paint));
  paint();
  return { element: make("div.pace", {}, bar, text), end: () => ends.forEach((end) => end()) };
}
