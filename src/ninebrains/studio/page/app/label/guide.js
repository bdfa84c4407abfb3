// What to do next, for those who begin: gone as soon as the first brain has learned.

import { fill, make } from "../core/dom.js";
import { follow, project } from "../core/project.js";

const LEAST_OF_EACH = 5;

/** Whether there is a first brain, even one that was made in a hurry. */
const isLearnt = () => Boolean(project.run ?? project.learning.quick);

/** The steps to the first brain: [done, title, text]. */
function steps() {
  const { counts, labels } = project;
  const ready = labels.filter((each) => each.count >= LEAST_OF_EACH).length;
  return [
    [counts.photos > 0, "Add photos", "Drop them anywhere on this page."],
    [labels.length > 1, "Make two labels", "Such as “cat” and “dog”, at the side."],
    [ready > 1, "Label five of each", "Arrow keys move, number keys label."],
    [isLearnt(), "It learns by itself", "A moment later, and again after every change."],
  ];
}

/** A line of steps that keeps itself up to date. */
export function makeGuide() {
  const list = make("ol.guide", { "aria-label": "First steps" });
  const paint = () => {
    list.hidden = isLearnt();
    if (list.hidden) return;
    const all = steps();
    const now = all.findIndex(([isDone]) => !isDone);
    fill(
      list,
      ...all.map(([isDone, title, text], place) =>
        make(
          `li${isDone ? ".done" : ""}`,
          { "aria-current": place === now ? "step" : null },
          make("b", {}, title, isDone && make("span.unseen", {}, " (done)")),
          make("span", {}, text),
        ),
      ),
    );
  };
  const ends = ["project", "counts", "labels", "run", "learning"].map((topic) =>
    follow(topic, paint),
  );
  paint();
  return { element: list, end: () => ends.forEach((end) => end()) };
}
