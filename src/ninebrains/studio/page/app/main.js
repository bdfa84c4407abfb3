// The studio's page: which area is shown, and what is the same in all of them.

import * as changes from "./core/changes.js";
import { attempt, empty, endProblems, button, part } from "./core/dom.js";
import * as events from "./core/events.js";
import * as frame from "./core/frame.js";
import * as keys from "./core/keys.js";
import * as photos from "./core/photos.js";
import { refresh } from "./core/project.js";
import * as adding from "./label/adding.js";
import { begin as takeDrops } from "./label/dropping.js";

const AREAS = {
  label: () => import("./label/area.js"),
  learn: () => import("./learn/area.js"),
  understand: () => import("./understand/area.js"),
  try: () => import("./try/area.js"),
  ship: () => import("./ship/area.js"),
};

let shown = { name: "", end: () => {}, go: () => {} };
let number = 0;

async function route() {
  const [, wanted, ...rest] = location.hash.split("/");
  const name = Object.hasOwn(AREAS, wanted) ? wanted : "label";
  const mine = ++number;
  frame.markArea(name);
  if (name !== shown.name) {
    const { mount } = await AREAS[name]();
    if (mine !== number) return;
    shown.end();
    if (shown.name) endProblems();
    const root = part("main");
    root.dataset.area = name;
    root.replaceChildren();
    shown = { name, ...mount(root) };
    scrollTo(0, 0);
  }
  shown.go(rest.join("/"));
}

/** Dropped photos are added, or tried where the area of trying is open. */
function take(items) {
  if (shown.name === "try" && shown.take) shown.take(items);
  else void adding.add(items);
}

async function begin() {
  keys.begin();
  changes.begin();
  photos.begin();
  adding.begin();
  takeDrops(take);
  frame.begin();
  try {
    await refresh();
  } catch (error) {
    part("main").replaceChildren(
      empty(
        "The studio could not be opened",
        error.message,
        button("Try again", () => location.reload()),
      ),
    );
    return;
  }
  events.listen();
  addEventListener("hashchange", () => void attempt(route));
  await attempt(route);
}

void begin();
