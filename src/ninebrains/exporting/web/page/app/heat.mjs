// A heat map as a layer over a photo: from nothing over yellow to dark red, as in
// `ninebrains.explaining`.

import { seenBox } from "./contract.mjs";

// Strength, red, green, blue, opacity; straight lines between.
const STOPS = [
  [0.0, 255, 244, 130, 0.0],
  [0.2, 255, 244, 130, 0.0],
  [0.4, 255, 222, 80, 0.6],
  [0.6, 252, 155, 40, 0.9],
  [0.8, 228, 80, 32, 1.0],
  [1.0, 158, 12, 44, 1.0],
];
const OPACITY = 0.62;
const FADED = 0.06; // along edges of what was seen that lie inside the photo
const LARGEST_SIDE = 256;

/**
 * @param heatmap {data, dims: [1, labels, h, w]}
 * @param label its place
 * @param contract of the brain
 * @param size [width, height] of the photo
 * @returns ImageData with the photo's proportions
 */
export function heatLayer(heatmap, label, contract, size) {
  const scale = Math.min(1, LARGEST_SIDE / Math.max(...size));
  const [width, height] = size.map((side) => Math.max(1, Math.round(side * scale)));
  const [, , rows, columns] = heatmap.dims;
  const map = heatmap.data.subarray(label * rows * columns, (label + 1) * rows * columns);
  const strongest = map.reduce((most, value) => Math.max(most, value), 0) || 1;
  const evidence = map.map((value) => Math.max(value, 0) / strongest);
  const box = seenBox(contract, width, height);
  const across = placesAlong(columns, box[0], box[2], width);
  const down = placesAlong(rows, box[1], box[3], height);
  const layer = new ImageData(width, height);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 4) {
      let strength = 0;
      for (const [row, byRow] of down[y].taps) {
        for (const [column, byColumn] of across[x].taps) {
          strength += evidence[row * columns + column] * byRow * byColumn;
        }
      }
      paint(layer.data, to, strength, down[y].opacity * across[x].opacity);
    }
  }
  return layer;
}

/** For each pixel along one side: cells of the map with their weights, and how clear it is. */
function placesAlong(cells, low, high, length) {
  const fade = Math.max(FADED * (high - low), 1);
  return Array.from({ length }, (_, place) => {
    const middle = place + 0.5;
    let opacity = 1;
    if (low > 0.5) opacity *= clamp((middle - low) / fade);
    if (high < length - 0.5) opacity *= clamp((high - middle) / fade);
    const center = ((middle - low) / (high - low)) * cells - 0.5;
    const first = Math.floor(center) - 1;
    const taps = [];
    for (let tap = first; tap < first + 4; tap++) {
      const cell = Math.min(cells - 1, Math.max(0, tap));
      taps.push([cell, cubic(Math.abs(center - tap))]);
    }
    return { taps, opacity };
  });
}

const clamp = (value) => Math.min(1, Math.max(0, value));

function cubic(x) {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

function paint(data, to, strength, opacity) {
  const level = clamp(strength);
  const after = STOPS.findIndex((stop) => stop[0] >= level) || 1;
  const [low, high] = [STOPS[after - 1], STOPS[after]];
  const share = (level - low[0]) / (high[0] - low[0]);
  for (let channel = 0; channel < 3; channel++) {
    data[to + channel] = low[channel + 1] + share * (high[channel + 1] - low[channel + 1]);
  }
  data[to + 3] = (low[4] + share * (high[4] - low[4])) * 255 * OPACITY * opacity;
}
