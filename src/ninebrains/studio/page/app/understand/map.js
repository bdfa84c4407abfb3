// All photos as the brain sees them: alike ones lie together. Zoom, move, and draw around some.

import { get, send } from "../core/api.js";
import { label } from "../core/changes.js";
import { attempt, button, fill, make } from "../core/dom.js";
import * as keys from "../core/keys.js";
import { picked, remember } from "../core/photos.js";
import { follow, isUnderWay, project } from "../core/project.js";
import { mapOf } from "../core/shapes.js";
import { many } from "../core/words.js";
import { MapCanvas } from "./map-canvas.js";

export const needsRun = false;

/** Show the map; gives a function that ends it. */
export function show(root) {
  const status = make("p.soft", { role: "status" });
  const bar = make("div.chosen-bar", { hidden: true });
  const canvas = new MapCanvas((ids) => paintBar(ids));
  const mode = button(
    "Draw around photos",
    () => canvas.setMode(canvas.mode === "move" ? "lasso" : "move"),
    { "aria-pressed": "false", id: "lasso", title: "Or hold Shift" },
  );
  const tools = make(
    "div.row",
    {},
    mode,
    button("+", () => canvas.zoomBy(1.5), { className: "icon", "aria-label": "Nearer" }),
    button("−", () => canvas.zoomBy(1 / 1.5), { className: "icon", "aria-label": "Farther" }),
    button("All", () => canvas.reset(), { "aria-label": "Show all of the map" }),
    button("Choose what is seen", () => canvas.chooseSeen(), { id: "choose-seen" }),
    make("span.spring"),
    button("Draw it anew", () => attempt(start), { className: "quiet" }),
  );
  canvas.onMode = (now) => mode.setAttribute("aria-pressed", String(now === "lasso"));

  function paintBar(ids) {
    bar.hidden = !ids.length;
    const showThem = () => {
      picked.ids = ids;
      location.hash = "#/label/chosen";
    };
    fill(
      bar,
      make("b", {}, `${many(ids.length, "photo")} chosen`),
      button("Show them", showThem, { className: "small", id: "show-chosen" }),
      ...project.labels.slice(0, 9).map((each) =>
        make(
          "button.small",
          {
            type: "button",
            style: { "--class": each.color },
            on: { click: () => label(ids, each.id) },
          },
          make("span.dot"),
          each.name,
        ),
      ),
      button("Choose none", () => canvas.choose([]), { className: "small quiet" }),
    );
  }

  async function start() {
    status.textContent = "Drawing the map: some seconds for thousands of photos.";
    await send("/api/map");
  }

  async function read() {
    const told = mapOf(await get("/api/map"));
    if (told.ids.length) {
      canvas.setPoints(told.ids, told.x, told.y);
      status.textContent = `${many(told.ids.length, "photo")}. Alike ones lie together; colours are labels, rings are suggestions.`;
    } else await start();
  }

  root.append(
    make(
      "section.card",
      {},
      make("h2", {}, "Map"),
      status,
      tools,
      bar,
      make("div.map-frame", {}, canvas.element),
    ),
  );
  nameKeys(canvas);
  const ends = [
    follow("jobs", (job) => job?.kind === "map" && !isUnderWay(job) && attempt(() => onDone(job))),
    follow("labelled", () => canvas.paintSoon()),
    follow("labels", () => canvas.paintSoon()),
  ];
  const onDone = (job) => {
    if (job.state === "done") return read();
    status.textContent = job.error || "The map was not drawn.";
    return undefined;
  };
  void attempt(async () => {
    remember(await get("/api/photos?view=all"));
    await read();
  });
  return () => {
    ends.forEach((end) => end());
    canvas.end();
    keys.activate("");
  };
}

function nameKeys(canvas) {
  const here = (act) => () => (document.activeElement === canvas.element ? act() : false);
  keys.keysOf("map", [
    ["arrowleft", "Move", here(() => canvas.panBy(60, 0))],
    ["arrowright", "", here(() => canvas.panBy(-60, 0))],
    ["arrowup", "", here(() => canvas.panBy(0, 60))],
    ["arrowdown", "", here(() => canvas.panBy(0, -60))],
    ["+|=|shift++", "Nearer", () => canvas.zoomBy(1.5)],
    ["-", "Farther", () => canvas.zoomBy(1 / 1.5)],
    ["enter", "Choose what is seen", here(() => canvas.chooseSeen())],
    ["escape", "Choose none", () => canvas.choose([])],
  ]);
  keys.activate("map");
}
