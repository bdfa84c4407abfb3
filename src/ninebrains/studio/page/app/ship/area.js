// The area for shipping: versions with their numbers, exports with receipts, and serving.

import { get } from "../core/api.js";
import { attempt, button, empty, fill, make } from "../core/dom.js";
import { follow, isUnderWay } from "../core/project.js";
import { ago, count, megabytes, percent, range } from "../core/words.js";
import { showExport } from "./exporting.js";
import { makeServing } from "./serving.js";
import { brainsOf } from "./shapes.js";

/** Build the area in `root`. */
export function mount(root) {
  const state = { name: "", brains: [], versions: [] };
  const place = make(
    "section.card",
    { "aria-labelledby": "versions-title" },
    make("h2", { id: "versions-title" }, "Versions"),
  );
  const serving = makeServing(
    () => state.brains,
    (versions) => {
      state.versions = versions;
      paint();
    },
  );
  const read = () =>
    attempt(async () => {
      Object.assign(state, brainsOf(await get("/api/brains")));
      paint();
      serving.paint();
    });
  const paint = () => fill(place, ...(state.brains.length ? table(state) : [nothing()]));
  const ends = [
    follow("run", () => void read()),
    follow("jobs", (job) => job?.kind === "export" && !isUnderWay(job) && void read()),
    serving.end,
  ];
  root.replaceChildren(make("h1.unseen", {}, "Ship"), place, serving.element);
  void read();
  return { go: () => {}, end: () => ends.forEach((end) => end()) };
}

const nothing = () =>
  empty(
    "Nothing to ship yet",
    "Label at least five photos of each of two labels. The brain that learns from them can be exported and put live here.",
    make("a.like-button", { href: "#/label/unlabelled" }, "Label photos"),
  );

function table({ brains, versions }) {
  const rows = brains
    .filter((brain) => brain.has_brain || brain.exports.length)
    .map((brain) =>
      make(
        "tr",
        {},
        make(
          "th",
          { scope: "row" },
          make("b", {}, `Version ${brain.version}`),
          make("span.block.soft.small", {}, `${brain.trunk}, ${ago(brain.at)}`),
        ),
        make(
          "td.n",
          {},
          brain.accuracy ? percent(brain.accuracy.value) : "–",
          make(
            "span.block.soft.small",
            {},
            brain.accuracy ? range(brain.accuracy) : "not measured",
          ),
        ),
        make("td.n", {}, count(brain.num_photos)),
        make("td", {}, ...exportsOf(brain)),
        make("td", {}, liveAs(brain, versions)),
        make(
          "td",
          {},
          brain.has_brain &&
            make(
              "div.row.tight",
              {},
              button("Export", (event) => showExport(brain, event.target), {
                className: "small",
                id: `export-${brain.id}`,
                "aria-label": `Export version ${brain.version}`,
              }),
              make(
                "a.like-button.small",
                {
                  href: `/api/brains/${brain.id}/file`,
                  download: brain.file,
                  "aria-label": `Download version ${brain.version}`,
                },
                "Download",
              ),
            ),
        ),
      ),
    );
  const head = ["Version", "Right", "Photos", "Exports", "Live", ""].map((text, place) =>
    make(
      `th${[1, 2].includes(place) ? ".n" : ""}`,
      { scope: "col" },
      text || make("span.unseen", {}, "Do"),
    ),
  );
  return [
    make("h2", { id: "versions-title" }, "Versions"),
    make(
      "div.scroll",
      { tabIndex: 0, role: "region", "aria-label": "Table of versions" },
      make(
        "table.versions",
        {},
        make("thead", {}, make("tr", {}, ...head)),
        make("tbody", {}, ...rows),
      ),
    ),
    make(
      "p.soft.small",
      {},
      "Export writes a version for another program or device and proves that it answers the same there. Download is the .brain file, for the ninebrains command.",
    ),
  ];
}

const ROLES = { stable: "answers", canary: "on trial", shadow: "runs along" };

function liveAs(brain, versions) {
  const live = versions.find((version) => String(version.own_version) === String(brain.version));
  return live ? make("span.flag.calm", {}, ROLES[live.role] ?? "loaded") : "";
}

function exportsOf({ exports: all }) {
  if (!all.length) return [make("span.soft", {}, "none")];
  return all.map((each) => {
    const text = `${each.target} ${each.precision}`;
    const words = `${text}: ${each.verdict}. ${each.reasons.join(" ")}`;
    return make(
      "span.block",
      {},
      make(
        "a",
        {
          href: each.receipt,
          target: "_blank",
          rel: "noopener",
          title: words,
          "aria-label": `Receipt of ${words}`,
        },
        `${text}, receipt: ${each.verdict}`,
      ),
      make("span.soft.small", {}, ` ${megabytes(each.megabytes)} `),
      make(
        "a.small",
        { href: each.zip, download: `${each.folder}.zip`, "aria-label": `Download ${text}` },
        "zip",
      ),
    );
  });
}
