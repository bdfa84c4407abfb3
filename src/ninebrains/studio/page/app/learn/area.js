// The area about learning: how good the brain is, how far that can be trusted, and what would help.

import { get, send } from "../core/api.js";
import { figure, intervalBar, lineChart } from "../core/charts.js";
import { command, inside, quoted } from "../core/command.js";
import { attempt, button, empty, fill, make } from "../core/dom.js";
import { follow, project } from "../core/project.js";
import { detailsOf } from "../core/shapes.js";
import { ago, count, many, percent, plain, range, spaced } from "../core/words.js";
import { makeTrunks } from "./trunks.js";

/** Build the area in `root`. */
export function mount(root) {
  const status = make("section.learning", { "aria-label": "Learning", id: "learning" });
  const body = make("div.learn-body");
  const trunks = makeTrunks();
  let details = null;

  const paintStatus = () => fill(status, ...learning());
  const paint = () => {
    const { quick } = project.learning;
    fill(body, ...(project.run || quick ? result(project.run, details, quick) : [nothing()]));
  };
  const read = async () => {
    paint();
    const { run } = project;
    if (!run || details?.id === run.id) return;
    const fresh = await attempt(async () => {
      const [told, { runs }] = await Promise.all([get(`/api/runs/${run.id}`), get("/api/runs")]);
      return detailsOf({ ...told, history: runs }, project.labels);
    });
    if (fresh && fresh.id === project.run?.id) {
      details = fresh;
      paint();
    }
  };
  const ends = [
    follow("learning", () => (paintStatus(), paint())),
    follow("run", () => void read()),
    follow("project", () => (paintStatus(), void read())),
    trunks.end,
  ];
  root.replaceChildren(make("h1.unseen", {}, "Learn"), status, body, trunks.element);
  paintStatus();
  void read();
  return { go: () => {}, end: () => ends.forEach((end) => end()) };
}

function learning() {
  const { text, done, total, error, isWorking: works } = project.learning;
  const now = button("Learn now", () => attempt(() => send("/api/learn", { now: true })), {
    className: "small",
    id: "learn-now",
  });
  const stop = button("Stop", () => attempt(() => send("/api/learn", { cancel: true })), {
    className: "small",
    id: "learn-stop",
  });
  const bar = make("progress", { "aria-label": "Learning" });
  if (total) Object.assign(bar, { max: total, value: done });
  const line = make(
    "div.row",
    {},
    make(
      "p",
      { role: "status" },
      works && total ? `${text} ${count(done)} of ${count(total)}` : text,
    ),
    make("span.spring"),
    works ? stop : now,
  );
  return [line, works && bar, error && make("p.problem", { role: "alert" }, error)];
}

function nothing() {
  return empty(
    "No brain yet",
    "Label at least five photos of each of two labels. A second later there is a first brain, and its numbers are here.",
    make("a.like-button", { href: "#/label/unlabelled" }, "Label photos"),
  );
}

function result(run, details, quick) {
  const metrics = details?.metrics;
  if (!run) return [headline(quick, null, true)];
  return [
    headline(quick ?? run, quick ? null : metrics, Boolean(quick)),
    details && advice(details.advice ?? []),
    make(
      "div.two",
      {},
      details && moved(details.history ?? []),
      metrics?.learning_curve && curve(metrics.learning_curve),
    ),
    train(run),
  ];
}

/** The number; a quick one is of the hurried fit that comes before the thorough one. */
function headline(run, metrics, isQuick) {
  const { accuracy } = run;
  const number = accuracy
    ? [
        make("p.number", { id: "headline" }, percent(accuracy.value)),
        make("p.soft", {}, "of photos it had never seen are recognised rightly"),
      ]
    : [
        make("p.number", { id: "headline" }, "–"),
        make("p.soft", {}, "too few photos were held out to say how good it is"),
      ];
  const facts = [
    [count(run.num_photos), `photos, ${count(run.num_test)} of them kept for checking`],
    run.num_labels && [count(run.num_labels), "labels"],
    metrics?.balanced_accuracy && [
      percent(metrics.balanced_accuracy),
      "if every label counts the same",
    ],
    run.trunk && [run.trunk, "trunk"],
    run.seconds && [
      `${plain(run.seconds)} s`,
      isQuick ? "to learn, in a hurry: the thorough number follows" : `to learn, ${ago(run.at)}`,
    ],
  ].filter(Boolean);
  return make(
    "section.card.headline",
    { "aria-label": "How good it is" },
    make("div", {}, ...number),
    make(
      "div.said",
      {},
      accuracy && intervalBar(accuracy),
      make("p", {}, spaced(run.verdict ?? metrics?.verdict)),
    ),
    make(
      "ul.facts",
      {},
      ...facts.map(([value, text]) => make("li", {}, make("b", {}, value), make("span", {}, text))),
    ),
  );
}

function advice(all) {
  // Advice is as old as its brain: labels that were checked since are no longer in doubt.
  const lines = all.filter(({ kind }) => kind !== "errors" || project.queues.errors !== 0);
  if (!lines.length) return null;
  const items = lines.map(({ text, view, kind }) =>
    make(
      "li",
      {},
      make("span", {}, spaced(text)),
      view && make("a", { href: `#/label/${encodeURIComponent(view)}` }, "Look at them"),
      kind === "trunk" &&
        make(
          "a",
          {
            href: "#trunks",
            on: {
              click: (event) => (
                event.preventDefault(),
                document.getElementById("trunks").scrollIntoView()
              ),
            },
          },
          "See trunks",
        ),
    ),
  );
  return make(
    "section.card",
    { "aria-label": "Advice" },
    make("h2", {}, "What would help"),
    make("ul.advice", {}, ...items),
  );
}

function moved(history) {
  const known = history.filter((each) => each.accuracy).sort((one, other) => one.at - other.at);
  if (known.length < 2) return null;
  const points = known.map(({ accuracy, version, num_photos, at }) => ({
    x: version,
    y: accuracy.value,
    low: accuracy.low,
    high: accuracy.high,
    title: `${percent(accuracy.value)} with ${many(num_photos, "photo")}, ${ago(at)}`,
  }));
  const low = Math.max(0, Math.floor(Math.min(...points.map((each) => each.low)) * 10) / 10);
  const chart = lineChart({
    label: `How the share of right answers moved over ${many(points.length, "version")}: from ${percent(points[0].y)} to ${percent(points.at(-1).y)}`,
    lines: [{ points }],
    x: { ticks: points.map((point) => point.x) },
    y: { low, high: 1 },
  });
  const rows = known.map((each) => [
    each.version,
    percent(each.accuracy.value, 1),
    range(each.accuracy),
    count(each.num_photos),
    ago(each.at),
  ]);
  return figure("How it moved", chart, {
    note: "Version after version, with the interval that the truth likely lies in. New labels change the photos it is checked on too: a small step down need not be a worse brain.",
    head: ["Version", "Right", "Likely", "Photos", "When"],
    rows,
  });
}

function curve({ points, forecast, verdict }) {
  // Where only one fit was made there is no spread to draw, which is not the same as a sure thing.
  const spreadOf = ({ photos, value, spread }) =>
    spread
      ? {
          x: photos,
          y: value,
          low: Math.max(0, value - spread),
          high: Math.min(1, value + spread),
        }
      : { x: photos, y: value };
  const seen = points.map(spreadOf);
  if (seen.length < 2)
    return verdict
      ? make(
          "figure.card.figure",
          {},
          make(
            "figcaption",
            {},
            make("h3", {}, "What more photos would bring"),
            make("p", {}, spaced(verdict)),
          ),
        )
      : null;
  const ahead = forecast.length ? [seen.at(-1), ...forecast.map(spreadOf)] : [];
  const low = Math.max(
    0,
    Math.floor(Math.min(...seen.map((each) => each.low ?? each.y)) * 10) / 10,
  );
  const chart = lineChart({
    label: `Learning curve. ${spaced(verdict)}`,
    lines: [{ points: seen }, { points: ahead, kind: "ahead" }],
    y: { low, high: 1 },
    isLog: true,
  });
  return figure("What more photos would bring", chart, {
    note: `${spaced(verdict)} Told by the photos it learns from, each asked without having seen it, so it need not be the large number above.`,
    head: ["Photos", "Right"],
    rows: [
      ...points.map((each) => [count(each.photos), percent(each.value, 1)]),
      ...forecast.map((each) => [`${count(each.photos)} (forecast)`, percent(each.value, 1)]),
    ],
  });
}

function train(run) {
  return command(`ninebrains report ${quoted(inside(`brains/${run.file}`))}`);
}
