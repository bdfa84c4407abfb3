// From which score on an answer is used: what that costs and brings, and whether scores are true.

import { calibrationChart, figure, lineChart } from "../core/charts.js";
import { fill, make } from "../core/dom.js";
import { count, percent } from "../core/words.js";

/** Show the threshold slider and the calibration of a run. */
export function show(root, run) {
  const rows = run.thresholds ?? [];
  const bins = run.metrics.calibration?.bins ?? [];
  if (!rows.length) {
    root.append(
      make(
        "section.card",
        {},
        make("p", {}, run.metrics.verdict ?? "Too few photos were held out for this."),
      ),
    );
    return;
  }
  const start = Math.max(
    0,
    rows.findIndex((row) => row.threshold >= 0.5),
  );
  const slider = make("input", {
    type: "range",
    min: 0,
    max: rows.length - 1,
    value: start,
    id: "threshold",
    "aria-describedby": "threshold-said",
  });
  const facts = make("ul.facts.live-facts", { id: "threshold-said" });
  const chart = make("div");
  const paint = () => {
    const row = rows[Number(slider.value)];
    slider.setAttribute("aria-valuetext", percent(row.threshold));
    fill(facts, ...told(row, run.thresholdsOn.photos));
    fill(chart, draw(rows, row));
  };
  slider.addEventListener("input", paint);
  paint();
  root.classList.add("two");
  root.append(
    make(
      "section.card",
      { "aria-labelledby": "threshold-title" },
      make("h2", { id: "threshold-title" }, "How sure must it be?"),
      make(
        "p.soft",
        {},
        `Answers with a lower score, and photos unlike all it has seen, are held back for a person. Measured on the ${count(run.thresholdsOn.photos)} photos ${run.thresholdsOn.on === "held out" ? "kept for checking" : "it learned from, by fits without them"}.`,
      ),
      make("label.field", {}, make("span", {}, "Least score"), slider),
      make("div", { role: "status" }, facts),
      chart,
      make(
        "ul.legend",
        {},
        make("li", {}, "right of those answered"),
        make("li.second", {}, "answered rightly of all"),
        make("li.third", {}, "held back"),
      ),
    ),
    bins.length
      ? figure("Can its scores be believed?", calibrationChart(bins), {
          note: calibrationWords(run.metrics.calibration),
          head: ["Scores", "Photos", "Mean score", "Right"],
          rows: bins
            .filter((bin) => bin.count)
            .map((bin) => [
              `${percent(bin.low)} to ${percent(bin.high)}`,
              count(bin.count),
              percent(bin.confidence),
              percent(bin.accuracy),
            ]),
        })
      : "",
  );
}

function told(row, num) {
  return [
    [percent(row.threshold), "least score"],
    [row.precision === null ? "–" : percent(row.precision), "right of those answered (precision)"],
    [percent(row.recall), "of all photos answered rightly (recall)"],
    [percent(row.rejected), `held back, ${count(row.rejected * num)} of ${count(num)}`],
  ].map(([value, text]) => make("li", {}, make("b", {}, value), make("span", {}, text)));
}

function draw(rows, now) {
  const line = (name) =>
    rows.filter((row) => row[name] !== null).map((row) => ({ x: row.threshold, y: row[name] }));
  const marker = {
    points: [
      { x: now.threshold, y: 0 },
      { x: now.threshold, y: 1 },
    ],
    kind: "marker",
  };
  return lineChart({
    label: `At a least score of ${percent(now.threshold)}: ${percent(now.precision)} of those answered are right, ${percent(now.rejected)} are held back`,
    lines: [
      { points: line("precision") },
      { points: line("recall"), kind: "second" },
      { points: line("rejected"), kind: "third" },
      marker,
    ],
    x: { low: 0, high: 1, format: (value) => percent(value) },
    y: { low: 0, high: 1 },
  });
}

function calibrationWords({ ece_after: error }) {
  return `On the dashed line a score of 80 % is right 8 times in 10. Here scores are off by ${percent(error, 1)} on average; larger dots are more photos.`;
}
