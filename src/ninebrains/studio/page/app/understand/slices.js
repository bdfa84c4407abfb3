// Groups of photos: whom the brain serves worse.

import { get, query } from "../core/api.js";
import { intervalBar } from "../core/charts.js";
import { command, inside, quoted } from "../core/command.js";
import { choice } from "../core/dialogs.js";
import { attempt, button, fill, make } from "../core/dom.js";
import { project } from "../core/project.js";
import { estimateOf } from "../core/shapes.js";
import { count, percent, range } from "../core/words.js";
import { add } from "../label/adding.js";
import { chosen } from "../label/dropping.js";

/** Show the groups by one column. */
export function show(root) {
  const read = () =>
    attempt(async () => {
      const { columns } = await get("/api/slices");
      root.replaceChildren();
      build(
        root,
        columns.map((column) => column.name),
        read,
      );
    });
  void read();
}

/** Where columns come from, and a way to add one; `read` is called when there may be more. */
function fromTable(read) {
  const input = make("input", {
    type: "file",
    accept: ".csv,.tsv",
    hidden: true,
    tabIndex: -1,
    id: "table-file",
    "aria-label": "Table",
    on: {
      change: async () => {
        const items = chosen(input);
        input.value = "";
        if (items.length) await add(items);
        await read();
      },
    },
  });
  return make(
    "div.row.from-table",
    {},
    make(
      "p.soft.small",
      {},
      "Columns come from a CSV table: a first line such as ",
      make("code", {}, "path,camera"),
      ", then a line for each photo with its name as it is called here.",
    ),
    button("Add a table", () => input.click(), { className: "small", id: "add-table" }),
    input,
  );
}

function build(root, columns, read) {
  if (!columns.length) {
    root.append(
      make(
        "section.card",
        {},
        make("h2", {}, "Groups"),
        make(
          "p",
          {},
          "Once photos come in folders, or a table says more of them (camera, place, season), their groups are compared here.",
        ),
        fromTable(read),
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
      fromTable(read),
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
