// The contract: how a photo becomes a network's input. A twin of `ninebrains.images`, for browsers.
// The export's receipt says how closely the two agree.

import { resize } from "./resize.mjs";
import { uprightBitmap } from "./upright.mjs";

const MOST_BYTES = 64 * 1024 * 1024;
const MOST_PIXELS = 100_000_000;
const STRIP_PIXELS = 1 << 20; // browsers limit the area of a canvas, phones to 16 million pixels

/** What went wrong with a photo, in words for the person who chose it. */
export class PhotoError extends Error {}

/**
 * A file to an upright image, decoded by the browser: orientation applied, colours as stored.
 * @param blob of a JPEG, PNG, WebP, GIF, BMP, AVIF, and whatever else this browser reads
 * @returns {bitmap, isJpeg}; close the bitmap when done
 */
export async function decode(blob) {
  if (blob.size === 0) throw new PhotoError("The file is empty. Copy it again from its source.");
  if (blob.size > MOST_BYTES) {
    throw new PhotoError(`The file has ${Math.round(blob.size / 1e6)} MB; 67 MB is the most.`);
  }
  const head = new Uint8Array(await blob.slice(0, 3).arrayBuffer());
  let bitmap;
  try {
    bitmap = await uprightBitmap(blob, {
      premultiplyAlpha: "none",
      colorSpaceConversion: "none",
    });
  } catch {
    throw new PhotoError(
      "This browser cannot read the file as a photo. Try a JPEG, PNG or WebP.",
    );
  }
  if (bitmap.width * bitmap.height > MOST_PIXELS) {
    bitmap.close();
    throw new PhotoError("The photo has more than 100 million pixels. Make it smaller.");
  }
  return { bitmap, isJpeg: head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff };
}

/** By how much a JPEG is reduced while it is decoded: 8, 4, 2 or 1, leaving twice what is needed. */
function jpegReduction(width, height, contract) {
  const room = Math.min(width / (2 * contract.width), height / (2 * contract.height));
  return [8, 4, 2].find((factor) => factor <= room) ?? 1;
}

/**
 * The pixels of a bitmap as RGB on white, each `factor` x `factor` of them averaged into one.
 * (That is what decoding a JPEG at a fraction of its size comes to.)
 */
function readPixels(bitmap, factor) {
  const { width, height } = bitmap;
  const outWidth = Math.ceil(width / factor);
  const outHeight = Math.ceil(height / factor);
  const data = new Uint8Array(outWidth * outHeight * 3);
  const rows = Math.min(Math.max(1, Math.floor(STRIP_PIXELS / (width * 8))) * 8, outHeight * factor);
  const canvas = new OffscreenCanvas(width, Math.min(rows, height));
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  if (!context) throw new PhotoError("The browser has no memory left for this photo. Make it smaller.");
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, count);
    context.drawImage(bitmap, 0, top, width, count, 0, 0, width, count);
    const strip = context.getImageData(0, 0, width, count);
    const into = data.subarray((top / factor) * outWidth * 3);
    if (factor === 1) withoutAlpha(strip.data, into);
    else average(strip, factor, outWidth, into);
  }
  return { data, width: outWidth, height: outHeight };
}

function withoutAlpha(rgba, into) {
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    into[to++] = rgba[from];
    into[to++] = rgba[from + 1];
    into[to++] = rgba[from + 2];
  }
}

function average(strip, factor, outWidth, into) {
  const { data, width, height } = strip;
  const sums = new Uint32Array(outWidth * 3);
  for (let top = 0, to = 0; top < height; top += factor) {
    const bottom = Math.min(top + factor, height);
    sums.fill(0);
    for (let row = top; row < bottom; row++) {
      let from = row * width * 4;
      for (let column = 0; column < width; column++, from += 4) {
        const place = Math.floor(column / factor) * 3;
        sums[place] += data[from];
        sums[place + 1] += data[from + 1];
        sums[place + 2] += data[from + 2];
      }
    }
    for (let column = 0; column < outWidth; column++) {
      const area = (bottom - top) * Math.min(factor, width - column * factor);
      for (let color = 0; color < 3; color++) {
        into[to++] = Math.floor((sums[column * 3 + color] + (area >> 1)) / area);
      }
    }
  }
}

/** Where in a photo of width x height the network looks: [left, top, right, bottom]. */
export function seenBox(contract, width, height) {
  if (contract.fit === "stretch") return [0, 0, width, height];
  const across = width / contract.width;
  const down = height / contract.height;
  const scale = contract.fit === "crop" ? Math.min(across, down) : Math.max(across, down);
  const seenWidth = contract.width * scale;
  const seenHeight = contract.height * scale;
  const left = (width - seenWidth) / 2;
  const top = (height - seenHeight) / 2;
  return [left, top, left + seenWidth, top + seenHeight];
}

/** Half to even, as Python rounds. */
function roundEven(value) {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}

/**
 * Pixels of any size to the contract's.
 * @param image {data: Uint8Array of RGB, width, height}
 * @returns Uint8Array [height, width, 3] of the contract
 */
export function fitPixels(image, contract) {
  const { width, height } = contract;
  if (contract.fit !== "pad") {
    const [left, top, right, bottom] = seenBox(contract, image.width, image.height);
    const box = [
      Math.max(left, 0),
      Math.max(top, 0),
      Math.min(right, image.width),
      Math.min(bottom, image.height),
    ];
    return resize(image, width, height, box).data;
  }
  const scale = Math.min(width / image.width, height / image.height);
  const innerWidth = Math.max(1, roundEven(image.width * scale));
  const innerHeight = Math.max(1, roundEven(image.height * scale));
  const inner = resize(image, innerWidth, innerHeight).data;
  const left = Math.floor((width - innerWidth) / 2);
  const top = Math.floor((height - innerHeight) / 2);
  const out = new Uint8Array(width * height * 3);
  for (let place = 0; place < out.length; place++) out[place] = contract.pad_color[place % 3];
  for (let row = 0; row < innerHeight; row++) {
    const from = row * innerWidth * 3;
    out.set(inner.subarray(from, from + innerWidth * 3), ((top + row) * width + left) * 3);
  }
  return out;
}

/** A bitmap to the network's input, Uint8Array [height, width, 3]. */
export function prepare(bitmap, isJpeg, contract) {
  const factor = isJpeg ? jpegReduction(bitmap.width, bitmap.height, contract) : 1;
  return fitPixels(readPixels(bitmap, factor), contract);
}

/** Whether a canvas gives back what was drawn: some browsers blur it to hide who is there. */
export function isCanvasHonest() {
  const canvas = new OffscreenCanvas(16, 16);
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  const drawn = context.createImageData(16, 16);
  for (let place = 0; place < drawn.data.length; place++) {
    drawn.data[place] = place % 4 === 3 ? 255 : (place * 37) % 256;
  }
  context.putImageData(drawn, 0, 0);
  const back = context.getImageData(0, 0, 16, 16).data;
  return drawn.data.every((value, place) => value === back[place]);
}
