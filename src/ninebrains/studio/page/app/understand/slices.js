// Groups of photos: whom the brain serves worse.

import { get, query } from "../core/api.js";
import { intervalBar } from "../core/charts.js";
import { command, inside, quoted } from "../core/command.js";
import { choice } from "../core/dialogs.js";
import { attempt, fill, make } from "../core/dom.js";
import { project } from "../core/project.js";
import { estimateOf } from "../core/shapes.js";
import { count, percent, range } from "../core/words.js";

/** Show the groups by one column. */
export function show(root) {
  void attempt(async () => {
    const { columns } = await get("/api/slices");
    build(
      root,
      columns.map((column) => column.name),
    );
  });
}

function build(root, columns) {
  if (!columns.length) {
    root.append(
      make(
        "section.card",
        {},
        make("h2", {}, "Groups"),
        make(
          "p",
          {},
          "Add folders of photos, or a CSV table beside them with a column such as camera, place or season: then their groups are compared here.",
        ),
      ),
    );
    return;
  }
  const [select, line] = choice(
    "Groups by",
    columns.map((name) => [name, name]),
    columns[0],
    { id: "slice-by" },
  );
  const body = make("div");
  const paint = async () => {
    const told = await attempt(() => get(query("/api/slices", { by: select.value })));
    if (told?.by === select.value) fill(body, ...table(told));
  };
  select.addEventListener("change", paint);
  root.append(
    make(
      "section.card",
      {},
      make("h2", {}, "Whom it serves worse"),
      make(
        "p.soft",
        {},
        "The same brain, measured on each group alone: photos it learned from by fits that had not seen them. A group is flagged where chance does not explain the difference.",
      ),
      line,
      body,
      project.run
        ? command(`ninebrains evaluate ${quoted(inside(`brains/${project.run.file}`))} FOLDER`)
        : null,
    ),
  );
  void paint();
}

function table({ by, groups }) {
  const flagged = groups.filter((group) => group.flagged).map((group) => group.value || "(empty)");
  const verdict = flagged.length
    ? `Served worse than chance explains: ${flagged.join(", ")}.`
    : "No group is served worse than chance explains.";
  const rows = groups.map((group) =>
    make(
      `tr${group.flagged ? ".flagged" : ""}`,
      {},
      make(
        "th",
        { scope: "row" },
        make(
          "a",
          { href: `#/label/${encodeURIComponent(`slice:${by}=${group.value}`)}` },
          group.value || "(empty)",
        ),
        group.flagged ? make("span.flag", {}, "worse") : null,
      ),
      make("td.n", {}, count(group.photos)),
      make("td.n", {}, percent(group.accuracy)),
      make("td.n", {}, range(group)),
      make("td.bar-cell", {}, intervalBar(estimateOf(group))),
    ),
  );
  return [
    make("p", {}, verdict),
    make(
      "div.scroll",
      {},
      make(
        "table.groups",
        {},
        make(
          "thead",
          {},
          make(
            "tr",
            {},
            ...["Group", "Photos", "Right", "Likely", ""].map((text, place) =>
              make(
                `th${place ? ".n" : ""}`,
                { scope: "col" },
                text || make("span.unseen", {}, "Drawn"),
              ),
            ),
          ),
        ),
        make("tbody", {}, ...rows),
      ),
    ),
  ];
}
