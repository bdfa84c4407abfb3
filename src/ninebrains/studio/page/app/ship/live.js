// What a host does, as charts that move: latency, confirmed share and drift of each version.

import { figure, lineChart } from "../core/charts.js";
import { make } from "../core/dom.js";
import { percent, plain } from "../core/words.js";

const KINDS = ["", "second", "third"];
const WHAT = [
  ["mean_ms", "Latency", "What an answer takes, on average.", (value) => `${plain(value)} ms`, {}],
  [
    "confirmed",
    "Confirmed",
    "Share of feedback that confirms the answer.",
    (value) => percent(value),
    { high: 1 },
  ],
  [
    "drift",
    "Drift",
    "Distance from training: above 1 it is more than chance makes.",
    (value) => value.toFixed(1),
    {},
  ],
];

/** The charts of the newest versions, or a word on why there are none yet. */
export function charts(points) {
  const numbers = [...new Set(points.flatMap((point) => Object.keys(point)))]
    .filter((key) => key !== "at")
    .sort((one, other) => other - one)
    .slice(0, 3);
  const drawn = WHAT.map((what) => chart(what, points, numbers)).filter(Boolean);
  if (!drawn.length)
    return make(
      "p.soft",
      {},
      "Charts of latency, feedback and drift begin when photos are answered.",
    );
  const legend = make(
    "ul.legend",
    {},
    ...numbers.map((number, place) =>
      make(`li${KINDS[place] ? `.${KINDS[place]}` : ""}`, {}, `version ${number}`),
    ),
  );
  return make("div", {}, legend, make("div.small-charts", {}, ...drawn));
}

function chart([key, title, note, format, y], points, numbers) {
  const lines = numbers
    .map((number, place) => ({
      kind: KINDS[place],
      points: points
        .map((point) => ({ x: point.at, y: point[number]?.[key] ?? null }))
        .filter((each) => each.y !== null),
    }))
    .filter((line) => line.points.length > 1);
  if (!lines.length) return null;
  const last = lines.map((line) => format(line.points.at(-1).y)).join(", ");
  const time = (at) =>
    new Date(at * 1000).toLocaleTimeString("en", {
      hour: "2-digit",
      minute: "2-digit",
      hour12: false,
    });
  return figure(
    title,
    lineChart({
      label: `${title}, now ${last}`,
      lines,
      x: { format: time },
      y: { low: 0, format, ...y },
      width: 360,
      height: 190,
    }),
    { note },
  );
}
