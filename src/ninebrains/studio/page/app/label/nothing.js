// What stands where a view has no photos: why, and what to do next.

import { button, empty, make } from "../core/dom.js";
import { load } from "../core/photos.js";
import { project } from "../core/project.js";
import { firstWays } from "./adding.js";

/** A word for a view without photos. */
export function nothing({ name, error }) {
  if (error)
    return empty(
      "This could not be shown",
      error.message,
      button("Try again", () => load()),
    );
  if (!project.counts.photos) {
    return empty(
      "Drop your photos here",
      "Files, folders or a zip, from anywhere on your machine. They stay on it: nothing is sent to the network.",
      ...firstWays(),
    );
  }
  const all = () => (location.hash = "#/label/all");
  const words = {
    unlabelled: [
      "Every photo has a label",
      "Look at what the brain doubts next, or add more photos.",
    ],
    review: project.run
      ? [
          "Nothing to review",
          "Every photo has a label, or the brain is still looking at the new ones.",
        ]
      : [
          "No suggestions yet",
          "Label five photos or more of each of two labels. Then a first brain learns, and says here what it thinks of the others.",
        ],
    errors: [
      "No doubtful labels",
      "The brain, asked without having seen them, agrees with your labels well enough.",
    ],
    duplicates: ["No near duplicates", "No two photos here are nearly the same."],
    trouble: ["All photos can be read", "Nothing was wrong with any of them."],
  };
  const kind = name.split(":")[0];
  const [title, text] = words[kind] ?? [
    "No photos here",
    kind === "search" ? "No name, label or column holds this text." : "No photo fits this view.",
  ];
  const isOver =
    ["unlabelled", "review"].includes(kind) && project.run && !project.counts.unlabelled;
  return empty(
    title,
    isOver ? "The brain is ready: try it on other photos, or ship it." : text,
    ...(isOver
      ? [
          make("a.like-button.main", { href: "#/try" }, "Try it"),
          make("a.like-button", { href: "#/ship" }, "Ship it"),
          project.queues.errors > 0 &&
            make("a.like-button", { href: "#/label/errors" }, "Look at doubtful labels"),
        ]
      : []),
    button("Show all photos", all),
  );
}
