// What is taken for what: every cell leads to its photos.

import { make } from "../core/dom.js";
import { count, many, percent } from "../core/words.js";

const FEW_NAMES = 9;

/** Show the mix-ups of a run. */
export function show(root, run) {
  const { confusion, labels: quality } = run.metrics;
  if (!confusion?.length) {
    root.append(
      make(
        "section.card",
        {},
        make(
          "p",
          {},
          run.metrics.verdict ?? "Too few photos were held out to say what is mixed up.",
        ),
      ),
    );
    return;
  }
  root.append(
    make(
      "section.card",
      {},
      make("h2", {}, "What it takes for what"),
      make(
        "p.soft",
        {},
        `On the ${many(run.num_test, "photo")} kept for checking. Rows are the labels that people gave, columns what the brain said. Every number leads to its photos.`,
      ),
      make(
        "div.scroll",
        { tabIndex: 0, role: "region", "aria-label": "Table of mix-ups" },
        matrix(confusion, run.labels),
      ),
    ),
    worst(confusion, run.labels),
    perLabel(quality, run.labels),
  );
}

function matrix(confusion, labels) {
  const isLong = labels.length > FEW_NAMES || labels.some((label) => label.name.length > 12);
  const head = labels.map((label) =>
    make(
      "th",
      { scope: "col", title: label.name },
      isLong ? make("span", {}, label.name) : label.name,
    ),
  );
  const rows = confusion.map((row, given) => {
    const sum = row.reduce((total, number) => total + number, 0);
    return make(
      "tr",
      {},
      make("th", { scope: "row", title: labels[given].name }, labels[given].name),
      ...row.map((number, answered) => cell(number, sum, labels[given], labels[answered])),
    );
  });
  return make(
    `table.matrix${isLong ? ".long" : ""}`,
    {},
    make("caption.unseen", {}, "Rows are labels that people gave, columns what the brain said"),
    make("thead", {}, make("tr", {}, make("td"), ...head)),
    make("tbody", {}, ...rows),
  );
}

function cell(number, sum, given, answered) {
  if (!number) return make("td", {}, "·");
  const isRight = given === answered;
  const share = number / Math.max(1, sum);
  const heat = isRight ? 0.1 + 0.85 * share : 0.18 + 0.82 * Math.min(1, share * 2);
  const isStrong = heat > (isRight ? 0.62 : 0.4);
  const words = isRight
    ? `${many(number, "photo")} of ${given.name}, recognised`
    : `${many(number, "photo")} of ${given.name} taken for ${answered.name}`;
  return make(
    `td.${isRight ? "right" : "wrong"}${isStrong ? ".strong" : ""}`,
    { style: { "--heat": heat.toFixed(2) } },
    make(
      "a",
      {
        href: `#/label/${encodeURIComponent(`confused:${given.id},${answered.id}`)}`,
        title: words,
        "aria-label": words,
      },
      count(number),
    ),
  );
}

function worst(confusion, labels) {
  const pairs = confusion
    .flatMap((row, given) =>
      row.map((number, answered) => ({
        number,
        given: labels[given],
        answered: labels[answered],
        differs: given !== answered,
      })),
    )
    .filter((pair) => pair.differs && pair.number)
    .sort((one, other) => other.number - one.number)
    .slice(0, 5);
  if (!pairs.length)
    return make(
      "section.card",
      {},
      make("h2", {}, "No mix-ups"),
      make(
        "p",
        {},
        "Every photo kept for checking was recognised. With few photos that proves little: see the interval under Learn.",
      ),
    );
  const items = pairs.map(({ number, given, answered }) =>
    make(
      "li",
      {},
      make("span", {}, `${given.name}, taken for ${answered.name}`),
      make(
        "a",
        { href: `#/label/${encodeURIComponent(`confused:${given.id},${answered.id}`)}` },
        many(number, "photo"),
      ),
    ),
  );
  return make("section.card", {}, make("h2", {}, "Most often"), make("ul.advice", {}, ...items));
}

function perLabel(quality, labels) {
  if (!quality?.length) return null;
  const rows = quality.map((each, place) => {
    const label = labels[place];
    return make(
      "tr",
      { style: { "--class": label.color } },
      make(
        "th",
        { scope: "row" },
        make("span.row", {}, make("span.dot"), make("span", {}, label.name)),
      ),
      make("td.n", {}, count(each.support)),
      make("td.n", {}, percent(each.recall)),
      make("td.n", {}, percent(each.precision)),
      make("td", {}, make("a", { href: `#/understand/looks/${label.id}` }, "Look")),
    );
  });
  return make(
    "section.card",
    {},
    make("h2", {}, "Label by label"),
    make(
      "div.scroll",
      {},
      make(
        "table",
        {},
        make(
          "thead",
          {},
          make(
            "tr",
            {},
            ...["Label", "Checked on", "Found", "Right when said"].map((text, place) =>
              make(`th${place ? ".n" : ""}`, { scope: "col" }, text),
            ),
            make("th", { scope: "col" }, make("span.unseen", {}, "Photos")),
          ),
        ),
        make("tbody", {}, ...rows),
      ),
    ),
  );
}
