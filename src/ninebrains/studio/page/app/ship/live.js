// What a host does, as charts that move: latency, confirmed share and drift of each version.

import { figure, lineChart } from "../core/charts.js";
import { make } from "../core/dom.js";
import { percent, plain } from "../core/words.js";

const KINDS = ["", "second", "third"];
const kinds = new Map();

/** The colour of each version that is shown: it stays while others come and go. */
function colour(numbers) {
  for (const number of kinds.keys()) if (!numbers.includes(number)) kinds.delete(number);
  for (const number of numbers.toReversed()) {
    const taken = [...kinds.values()];
    if (!kinds.has(number))
      kinds.set(
        number,
        KINDS.find((kind) => !taken.includes(kind)),
      );
  }
}
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

/**
 * The charts of the newest versions, or a word on why there are none yet.
 * @param points of `pointOf`
 * @param nameOf gives what a version is called, by its number on the host
 */
export function charts(points, nameOf) {
  const numbers = [...new Set(points.flatMap((point) => Object.keys(point)))]
    .filter((key) => key !== "at")
    .sort((one, other) => other - one)
    .slice(0, 3);
  colour(numbers);
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
    ...numbers.map((number) =>
      make(`li${kinds.get(number) ? `.${kinds.get(number)}` : ""}`, {}, nameOf(Number(number))),
    ),
  );
  return make("div", {}, legend, make("div.small-charts", {}, ...drawn));
}

function chart([key, title, note, format, y], points, numbers) {
  const lines = numbers
    .map((number) => ({
      kind: kinds.get(number),
      points: points
        .map((point) => ({ x: point.at, y: point[number]?.[key] ?? null }))
        .filter((each) => each.y !== null),
    }))
    .filter((line) => line.points.length > 1);
  if (!lines.length) return null;
  const last = lines.map((line) => format(line.points.at(-1).y)).join(", ");
  const moments = lines.flatMap((line) => line.points.map(({ x }) => x));
  const [first, end] = [Math.min(...moments), Math.max(...moments)];
  const time = (at) =>
    new Date(at * 1000).toLocaleTimeString("en", {
      hour: "2-digit",
      minute: "2-digit",
      ...(end - first < 600 ? { second: "2-digit" } : {}),
      hourCycle: "h23",
    });
  return figure(
    title,
    lineChart({
      label: `${title}, now ${last}`,
      lines,
      x: { format: time, ticks: [first, (first + end) / 2, end].slice(0, end > first ? 3 : 1) },
      y: { low: 0, format, ...y },
      width: 360,
      height: 180,
    }),
    { note },
  );
}
