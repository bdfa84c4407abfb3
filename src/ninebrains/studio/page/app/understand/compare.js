// Two brains, photo by photo where they differ.

import { get, query } from "../core/api.js";
import { choice } from "../core/dialogs.js";
import { attempt, fill, make } from "../core/dom.js";
import { nameOf, thumb } from "../core/project.js";
import { runOf } from "../core/shapes.js";
import { ago, count, many, percent } from "../core/words.js";

export const needsRun = false;
const MOST = 200;

/** Show two brains side by side. */
export function show(root) {
  const body = make("div");
  root.append(body);
  void attempt(async () => {
    const runs = (await get("/api/runs")).runs.map(runOf);
    if (runs.length < 2) {
      fill(
        body,
        make(
          "section.card",
          {},
          make("h2", {}, "Compare two versions"),
          make(
            "p",
            {},
            "There is only one version yet. Change labels or the trunk, and the next one can be compared with it.",
          ),
        ),
      );
      return;
    }
    fill(body, ...chooser(runs));
  });
}

const title = (run) =>
  `Version ${run.version}: ${run.accuracy ? percent(run.accuracy.value) : "not measured"}, ${many(run.num_photos, "photo")}, ${run.trunk}, ${ago(run.at)}`;

function chooser(runs) {
  const options = runs.map((run) => [run.id, title(run)]);
  const [one, oneLine] = choice("This version", options, runs[1].id, { id: "compare-a" });
  const [other, otherLine] = choice("and this one", options, runs[0].id, { id: "compare-b" });
  const result = make("div", { "aria-live": "polite" });
  const paint = async () => {
    if (one.value === other.value)
      return fill(result, make("p.soft", {}, "Choose two different versions."));
    const told = await attempt(() => get(query("/api/compare", { a: one.value, b: other.value })));
    const versions = [one, other].map(
      ({ value }) => runs.find((run) => String(run.id) === value).version,
    );
    if (told) fill(result, ...differences(told, versions));
    return undefined;
  };
  for (const select of [one, other]) select.addEventListener("change", paint);
  void paint();
  return [
    make(
      "section.card",
      {},
      make("h2", {}, "Compare two versions"),
      make("div.two", {}, oneLine, otherLine),
    ),
    result,
  ];
}

function differences(
  { verdict, ids, given, a_top: ours, b_top: theirs, a_sure: sure, b_sure: surer, ...counts },
  versions,
) {
  const [first, second] = versions.map((version) => `Version ${version}`);
  const facts = [
    [counts.both_right, "both right"],
    [counts.only_a, `only ${first.toLowerCase()} right`],
    [counts.only_b, `only ${second.toLowerCase()} right`],
    [counts.both_wrong, "both wrong"],
  ].map(([value, text]) => make("li", {}, make("b", {}, count(value)), make("span", {}, text)));
  const rows = ids.slice(0, MOST).map((id, place) =>
    make(
      "li.versus",
      {},
      make(
        "a",
        { href: `#/label/${encodeURIComponent(`ids:${id}`)}` },
        make("img", {
          src: thumb(id),
          alt: `Photo of ${nameOf(given[place])}: open it`,
          loading: "lazy",
        }),
      ),
      make(
        "dl",
        {},
        make("dt", {}, "Label"),
        make("dd", {}, nameOf(given[place])),
        ...said(first, ours[place], sure[place], given[place]),
        ...said(second, theirs[place], surer[place], given[place]),
      ),
    ),
  );
  return [
    make("section.card", {}, make("p", {}, verdict), make("ul.facts.live-facts", {}, ...facts)),
    rows.length
      ? make("ul.differences", {}, ...rows)
      : make("p.soft", {}, "They say the same of every photo."),
  ];
}

function said(who, answer, score, given) {
  const isRight = answer === given;
  const mark = given ? (isRight ? "✓ " : "✗ ") : "";
  return [
    make("dt", {}, who),
    make(
      `dd${!given ? "" : isRight ? ".is-right" : ".is-wrong"}`,
      {},
      `${mark}${nameOf(answer)} `,
      make("span.soft", {}, `${score} %`),
    ),
  ];
}
