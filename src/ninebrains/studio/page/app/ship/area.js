// The area for shipping: versions with their numbers, exports with receipts, and serving.

import { get } from "../core/api.js";
import { attempt, empty, fill, make } from "../core/dom.js";
import { follow, isUnderWay } from "../core/project.js";
import { ago, megabytes, percent, range } from "../core/words.js";
import { showExport } from "./exporting.js";
import { makeServing } from "./serving.js";

/** Build the area in `root`. */
export function mount(root) {
  const versions = make("section.card", { "aria-labelledby": "versions-title" });
  const serving = makeServing(() => state.brains);
  const state = { brains: [], targets: [] };

  const read = () =>
    attempt(async () => {
      Object.assign(state, await get("/api/brains"));
      paint();
      serving.paint();
    });
  const paint = () => fill(versions, ...(state.brains.length ? table(state) : [nothing()]));
  const ends = [
    follow("run", () => void read()),
    follow("serve", () => void read()),
    follow("jobs", (job) => job?.kind === "export" && !isUnderWay(job) && void read()),
    serving.end,
  ];
  root.replaceChildren(make("h1.unseen", {}, "Ship"), versions, serving.element);
  void read();
  return { go: () => {}, end: () => ends.forEach((end) => end()) };
}

const nothing = () => empty("Nothing to ship yet", "Label at least five photos of each of two labels. The brain that learns from them can be exported and put live here.", make("a.like-button", { href: "#/label/unlabelled" }, "Label photos"));

function table({ brains, targets }) {
  const rows = brains.map((brain) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, make("b", {}, `${brain.name} ${brain.version}`), make("span.block.soft.small", {}, `${brain.trunk}, ${ago(brain.at)}`)),
      make("td.n", {}, brain.accuracy ? percent(brain.accuracy.value) : "–", make("span.block.soft.small", {}, brain.accuracy ? range(brain.accuracy) : "not measured")),
      make("td.n", {}, megabytes(brain.megabytes)),
      make("td", {}, ...exportsOf(brain)),
      make("td", {}, brain.served ? make("span.flag.calm", {}, role(brain.served)) : ""),
      make("td.n", {}, make("button.small", { type: "button", id: `export-${brain.id}`, on: { click: () => showExport(brain, targets) } }, "Export")),
    ),
  );
  const head = ["Version", "Right", "Size", "Exports", "Live", ""].map((text, place) => make(`th${[1, 2].includes(place) ? ".n" : ""}`, { scope: "col" }, text || make("span.unseen", {}, "Do")));
  return [make("h2", { id: "versions-title" }, "Versions"), make("div.scroll", {}, make("table.versions", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)))];
}

const role = ({ number, role: kind }) => `${kind ?? "loaded"} as ${number}`;

function exportsOf(brain) {
  if (!brain.exports?.length) return [make("span.soft", {}, "none")];
  return brain.exports.map((each) => {
    const text = `${each.target} ${each.precision}`;
    const mark = each.passed ? "✓" : "✗";
    const words = `${text}: ${each.verdict}`;
    return make("span.block", {}, each.receipt ? make("a", { href: each.receipt, target: "_blank", rel: "noopener", title: words }, `${mark} ${text}`) : make("span", { title: words }, `${mark} ${text}`), make("span.soft.small", {}, ` ${megabytes(each.megabytes)}`));
  });
}

