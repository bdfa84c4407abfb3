// What is seen: the photo or the camera's picture, with the heat map over it.

import { part } from "./dom.mjs";
import { heatLayer } from "./heat.mjs";

const LARGEST_SIDE = 1600; // of the photo as it is shown

const STATES = { loading: "loading", empty: "empty", photo: "photo", camera: "video" };

/** Show one of: loading, empty, photo, camera. */
export function show(state) {
  part("frame").dataset.state = state;
  for (const [name, id] of Object.entries(STATES)) part(id).hidden = name !== state;
  if (state !== "photo" && state !== "camera") part("heat").hidden = true;
}

/** Draw a photo, given as a bitmap. */
export function drawPhoto(bitmap) {
  const canvas = part("photo");
  const scale = Math.min(1, LARGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  show("photo");
}

/** Lay a heat map over what is shown, or take it away with null. */
export function drawHeat(heatmap, label, contract, size) {
  const canvas = part("heat");
  canvas.hidden = !heatmap;
  if (!heatmap) return;
  const layer = heatLayer(heatmap, label, contract, size);
  canvas.width = layer.width;
  canvas.height = layer.height;
  canvas.getContext("2d").putImageData(layer, 0, 0);
  place(size);
}

/** Put the heat map exactly where the picture lies inside its element. */
function place([width, height]) {
  const under = part("frame").dataset.state === "camera" ? part("video") : part("photo");
  const canvas = part("heat");
  const scale = Math.min(under.clientWidth / width, under.clientHeight / height);
  canvas.style.width = `${width * scale}px`;
  canvas.style.height = `${height * scale}px`;
  canvas.style.left = `${under.offsetLeft + (under.clientWidth - width * scale) / 2}px`;
  canvas.style.top = `${under.offsetTop + (under.clientHeight - height * scale) / 2}px`;
  canvas.classList.toggle("mirrored", under.classList.contains("mirrored"));
  canvas.shown = [width, height];
}

/** Keep the heat map in its place when the page changes its size. */
export function followSize() {
  new ResizeObserver(() => {
    const { shown, hidden } = part("heat");
    if (shown && !hidden) place(shown);
  }).observe(part("frame"));
}

/** A bitmap as a JPEG, at most `side` pixels long. */
export async function toJpeg(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, width, height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}
