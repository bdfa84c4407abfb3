// Charts as SVG, small and plain; each says in words what it shows, for those who do not see it.

import { draw, make } from "./dom.js";
import { count, percent } from "./words.js";

const EDGE = { left: 54, right: 14, top: 12, bottom: 30 };

/** Pixels across that a chart can have: text keeps its size, so the drawing has to give way. */
const across = (most) => Math.min(most, Math.max(240, document.documentElement.clientWidth - 62));

/** A drawing that is never shown larger than it is, or its text would be larger too. */
function sheet(kind, width, height, label, ...content) {
  const chart = draw(
    `svg.chart${kind}`,
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    ...content,
  );
  chart.style.setProperty("max-width", `${width}px`);
  return chart;
}

/** About `most` round numbers from low to high. */
export function ticks(low, high, most = 5) {
  if (!(high > low)) return [low];
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const all = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step)
    all.push(Number(value.toPrecision(12)));
  return all;
}

const path = (points) =>
  points.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/**
 * Lines over a common x, each perhaps with an interval around it.
 * @param chart label: what it shows, in words; lines: [{points: [{x, y, low, high}], kind, name}];
 *   x and y: {low, high, format, title}; isStepped: whether x is logarithmic
 */
export function lineChart({
  label,
  lines,
  x = {},
  y = {},
  width: most = 560,
  height = 230,
  isLog = false,
}) {
  const width = across(most);
  const all = lines.flatMap((line) => line.points);
  const scale = isLog ? Math.log : (value) => value;
  const [left, right] = [
    x.low ?? Math.min(...all.map((each) => each.x)),
    x.high ?? Math.max(...all.map((each) => each.x)),
  ];
  const lowest = y.low ?? Math.min(...all.map((each) => each.low ?? each.y));
  const highest = y.high ?? Math.max(...all.map((each) => each.high ?? each.y));
  const span = highest > lowest ? highest - lowest : Math.abs(highest) || 1;
  const at = {
    x: (value) =>
      EDGE.left +
      ((scale(value) - scale(left)) / (scale(right) - scale(left) || 1)) *
        (width - EDGE.left - EDGE.right),
    y: (value) =>
      height - EDGE.bottom - ((value - lowest) / span) * (height - EDGE.top - EDGE.bottom),
  };
  const format = { x: x.format ?? count, y: y.format ?? ((value) => percent(value)) };
  const marks = ticks(lowest, lowest + span).flatMap((value) => [
    draw("line.grid-line", {
      x1: EDGE.left,
      x2: width - EDGE.right,
      y1: at.y(value),
      y2: at.y(value),
    }),
    draw("text", { x: EDGE.left - 8, y: at.y(value) + 4, "text-anchor": "end" }, format.y(value)),
  ]);
  const names = spread(
    x.ticks ?? (isLog ? [...new Set(all.map((each) => each.x))] : ticks(left, right)),
    at.x,
    format.x,
  ).map((value) => {
    const isEdge = at.x(value) > width - 24;
    const place = isEdge
      ? { x: width - 1, "text-anchor": "end" }
      : { x: at.x(value), "text-anchor": "middle" };
    return draw("text", { ...place, y: height - 9 }, format.x(value));
  });
  const drawn = lines.map((line) => lineOf(line, at));
  return sheet("", width, height, label, marks, names, drawn);
}

/** Those of some values whose names do not overlap and are not those of the one before. */
function spread(values, at, format) {
  const kept = [];
  for (const value of [...values].sort((one, other) => one - other)) {
    const last = kept.at(-1);
    const isFree =
      last === undefined || (at(value) - at(last) > 52 && format(value) !== format(last));
    if (isFree) kept.push(value);
  }
  return kept;
}

function lineOf({ points, kind = "" }, at) {
  if (!points.length) return null;
  const known = points.filter((each) => each.y !== null && each.y !== undefined);
  const banded = known.filter((each) => each.low !== undefined && each.low !== null);
  const band =
    banded.length > 1 &&
    draw("path.band", {
      d: `${path([...banded.map((each) => [at.x(each.x), at.y(each.high)]), ...banded.toReversed().map((each) => [at.x(each.x), at.y(each.low)])])}Z`,
    });
  const line = draw(`path.line${kind ? `.${kind}` : ""}`, {
    d: path(known.map((each) => [at.x(each.x), at.y(each.y)])),
  });
  const dots =
    known.length <= 40 && kind !== "ahead"
      ? known.map((each) =>
          draw(
            "circle.dot-mark",
            { cx: at.x(each.x), cy: at.y(each.y), r: 3.2 },
            each.title && draw("title", {}, each.title),
          ),
        )
      : null;
  return draw("g", { class: kind }, band, line, dots);
}

/** A share with its interval on a line from 0 to 100 %. */
export function intervalBar({ value, low, high }) {
  const width = across(400);
  const at = (share) => 8 + share * (width - 16);
  const words = `${percent(value)}, likely between ${percent(low)} and ${percent(high)}`;
  return sheet(
    ".interval",
    width,
    44,
    words,
    draw("rect.trough", { x: 8, y: 8, width: width - 16, height: 12, rx: 6 }),
    draw("rect.band", {
      x: at(low),
      y: 8,
      width: Math.max(2, at(high) - at(low)),
      height: 12,
      rx: 6,
    }),
    draw("circle.dot-mark", { cx: at(value), cy: 14, r: 7 }),
    [0, 0.5, 1].map((share) =>
      draw(
        "text",
        {
          x: at(share),
          y: 40,
          "text-anchor": share === 0 ? "start" : share === 1 ? "end" : "middle",
        },
        `${share * 100} %`,
      ),
    ),
  );
}

/** Scores against the share that was right: the closer to the diagonal, the better. */
export function calibrationChart(bins) {
  const side = across(320);
  const at = (share) => 40 + share * (side - 54);
  const up = (share) => side - 34 - share * (side - 48);
  const most = Math.max(1, ...bins.map((bin) => bin.count));
  const words = bins
    .filter((bin) => bin.count)
    .map((bin) => `score ${percent(bin.confidence)}, right ${percent(bin.accuracy)}`);
  return sheet(
    ".square",
    side,
    side,
    `Calibration: ${words.join("; ")}`,
    [0, 0.5, 1].flatMap((share) => [
      draw("line.grid-line", { x1: at(0), x2: at(1), y1: up(share), y2: up(share) }),
      draw("text", { x: 34, y: up(share) + 4, "text-anchor": "end" }, `${share * 100}`),
      draw("text", { x: at(share), y: side - 14, "text-anchor": "middle" }, `${share * 100}`),
    ]),
    draw("line.ideal", { x1: at(0), y1: up(0), x2: at(1), y2: up(1) }),
    bins
      .filter((bin) => bin.count)
      .map((bin) =>
        draw(
          "circle.dot-mark.see-through",
          { cx: at(bin.confidence), cy: up(bin.accuracy), r: 4 + 9 * Math.sqrt(bin.count / most) },
          draw(
            "title",
            {},
            `${count(bin.count)} photos: score ${percent(bin.confidence)}, right ${percent(bin.accuracy)}`,
          ),
        ),
      ),
  );
}

/** A chart with its title, and what it shows as a table behind a click. */
export function figure(title, chart, { note = "", head = [], rows = [] } = {}) {
  const table = rows.length
    ? make(
        "details",
        {},
        make("summary", {}, "As a table"),
        make(
          "div.scroll",
          {},
          make(
            "table",
            {},
            make(
              "thead",
              {},
              make("tr", {}, ...head.map((cell) => make("th", { scope: "col" }, cell))),
            ),
            make(
              "tbody",
              {},
              ...rows.map((cells) =>
                make("tr", {}, ...cells.map((cell) => make("td", {}, String(cell)))),
              ),
            ),
          ),
        ),
      )
    : null;
  return make(
    "figure.card.figure",
    {},
    make("figcaption", {}, make("h3", {}, title), note && make("p.soft.small", {}, note)),
    chart,
    table,
  );
}
