// The area about understanding: which mistakes are made, where, and on whom.

import { get } from "../core/api.js";
import { attempt, button, empty, fill, make, showCurrent } from "../core/dom.js";
import { follow, project } from "../core/project.js";
import { detailsOf } from "../core/shapes.js";

const PARTS = {
  confusion: ["Mix-ups", () => import("./confusion.js")],
  looks: ["Where it looks", () => import("./looks.js")],
  threshold: ["Threshold", () => import("./threshold.js")],
  slices: ["Groups", () => import("./slices.js")],
  map: ["Map", () => import("./map.js")],
  compare: ["Compare", () => import("./compare.js")],
};

const read = async (module) =>
  module.needsRun === false
    ? project.run
    : detailsOf(await get(`/api/runs/${project.run.id}`), project.labels);

/** Build the area in `root`. */
export function mount(root) {
  const tabs = make("nav.tabs", { "aria-label": "Ways to look at it" });
  const place = make("div.part");
  root.replaceChildren(make("h1.unseen", {}, "Understand"), tabs, place);
  let shown = { name: "", rest: "", end: () => {} };
  let number = 0;

  const open = async (name, rest) => {
    const mine = ++number;
    fill(
      tabs,
      ...Object.entries(PARTS).map(([key, [text]]) =>
        make(
          "a",
          { href: `#/understand/${key}`, "aria-current": key === name ? "page" : null },
          text,
        ),
      ),
    );
    showCurrent(tabs);
    if (!project.run) {
      shown.end();
      shown = { name: "", end: () => {} };
      place.replaceChildren(
        empty(
          "No brain to look at yet",
          "As soon as a first brain has learned, its mistakes, its doubts and what it looks at are here.",
          make("a.like-button", { href: "#/label/unlabelled" }, "Label photos"),
        ),
      );
      return;
    }
    const module = await PARTS[name][1]();
    const run = await attempt(() => read(module));
    if (mine !== number) return;
    if (!run) {
      place.replaceChildren(
        empty(
          "This could not be shown",
          "The studio did not tell of this brain.",
          button("Try again", () => open(name, rest)),
        ),
      );
      return;
    }
    shown.end();
    const root = make("div");
    place.replaceChildren(root);
    shown = { name, rest, end: module.show(root, run, rest) ?? (() => {}) };
  };
  const go = (rest) => {
    const [wanted, ...more] = rest.split("/");
    return open(Object.hasOwn(PARTS, wanted) ? wanted : "confusion", more.join("/"));
  };
  const end = follow(
    "run",
    () => !["map", "compare"].includes(shown.name) && void go(`${shown.name}/${shown.rest ?? ""}`),
  );
  return { go: (rest) => void go(rest), end: () => (end(), shown.end()) };
}
