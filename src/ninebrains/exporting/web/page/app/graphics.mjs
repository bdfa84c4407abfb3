// The graphics processor (WebGPU), where it is there, faster, and of the same opinion.

import { tell } from "./about.mjs";
import { openClient } from "./client.mjs";

const WORTH_MS = 30; // below that for a photo there is little to win and a download to lose
const NUM_RUNS = 5;
const TOLERANCE = 0.02; // between probabilities, or of a value
const KEY = `ninebrains ${new URL("..", import.meta.url).pathname} build`;

/** Which build was the faster one here, of this export; "wasm" where that is not known. */
export function chosenBuild(site) {
  return read()?.runtime === site.runtime && navigator.gpu ? read().build : "wasm";
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null; // private windows may keep nothing
  }
}

function remember(site, build) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ runtime: site.runtime, build }));
  } catch {
    // It will be measured again.
  }
}

/** Forget the choice, after the graphics processor failed. */
export const useWasmFromNow = (site) => remember(site, "wasm");

/**
 * Measure both on a photo where that is worth it, once for each device.
 * @returns Promise of the client to use from now on
 */
export async function tryGraphics(base, site, client, bitmap, brains) {
  const isKnown = read()?.runtime === site.runtime;
  if (isKnown || !navigator.gpu || navigator.connection?.saveData) return client;
  const before = await measure(client, bitmap, brains);
  if (before.ms < WORTH_MS) return client; // not remembered: more brains may be chosen later
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  if (!adapter || adapter.info?.isFallbackAdapter) return client; // none, or the processor again
  return better(base, site, client, before, bitmap, brains);
}

/** The faster of a client on the processor, measured before, and one on the graphics processor. */
export async function better(base, site, client, before, bitmap, brains) {
  let other;
  try {
    other = await openClient(base, "webgpu");
    const after = await measure(other, bitmap, brains);
    const isBetter = after.ms < before.ms && agree(site, before.answers, after.answers);
    tell("WebGPU", `${after.ms.toFixed(0)} ms a photo, WebAssembly ${before.ms.toFixed(0)} ms`);
    remember(site, isBetter ? "webgpu" : "wasm");
    const [kept, left] = isBetter ? [other, client] : [client, other];
    left.close();
    return kept;
  } catch (error) {
    other?.close();
    remember(site, "wasm");
    tell("WebGPU", `Does not run here: ${error.message}`);
    return client;
  }
}

/** The median time of the networks on a photo, in milliseconds, and what they answer. */
export async function measure(client, bitmap, brains) {
  const runs = [];
  let answers;
  for (let run = 0; run <= NUM_RUNS; run++) {
    const result = await client.answerFrame(await createImageBitmap(bitmap), brains);
    if (run) runs.push(result.ms.run); // the first one warms up
    ({ answers } = result);
  }
  return { ms: runs.sort((a, b) => a - b)[NUM_RUNS >> 1], answers };
}

function agree(site, before, after) {
  return before.every((answer, index) => {
    const { task, residual_90: spread } = site.brains[answer.place];
    const [one, other] = [answer, after[index]].map((item) => (item.scores ?? item.values).data);
    const allowed = task === "regress" ? TOLERANCE * (spread || Math.abs(one[0]) || 1) : TOLERANCE;
    return one.every((value, place) => Math.abs(value - other[place]) <= allowed);
  });
}
