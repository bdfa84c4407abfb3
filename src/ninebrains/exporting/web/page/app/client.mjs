// The page's side of the worker: questions in, promises out.

import { SiteError } from "./files.mjs";

// The smallest module with an instruction on 128-bit vectors, which the runtime is made of.
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
]);

/** Say in words what this browser lacks; "" where it has everything. */
export function whatIsMissing() {
  const needs = {
    "WebAssembly with SIMD": typeof WebAssembly === "object" && WebAssembly.validate(SIMD),
    Workers: typeof Worker === "function",
    DecompressionStream: typeof DecompressionStream === "function",
    OffscreenCanvas: typeof OffscreenCanvas === "function",
  };
  const missing = Object.keys(needs).filter((name) => !needs[name]);
  if (!missing.length) return "";
  return `This browser lacks ${missing.join(", ")}. Use a newer one: Chrome or Edge 91, Firefox 114 or Safari 16.4.`;
}

/** Start a worker and open every network in it. */
export async function openClient(base, build, onProgress = () => {}) {
  const client = new Client(new URL("./worker.mjs", import.meta.url), onProgress);
  try {
    Object.assign(client, await client.ask("open", { base: base.href, build }));
  } catch (error) {
    client.close();
    throw error;
  }
  client.build = build;
  return client;
}

class Client {
  constructor(url, onProgress) {
    this.waiting = new Map();
    this.count = 0;
    this.worker = new Worker(url, { type: "module" });
    this.worker.addEventListener("message", ({ data }) => {
      if (data.progress) return onProgress(...data.progress);
      const { resolve, reject } = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if (!("error" in data)) return resolve(data.result);
      reject(data.isOurs ? new SiteError(data.error) : new Error(data.error));
    });
    this.worker.addEventListener("error", (event) => {
      event.preventDefault();
      const error = new SiteError(
        `The network could not be started (${event.message || "a file is missing"}). Load the page again.`,
      );
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    });
  }

  ask(task, inputs, transfer = []) {
    return new Promise((resolve, reject) => {
      const id = ++this.count;
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, task, ...inputs }, transfer);
    });
  }

  answerFile(blob, brains) {
    return this.ask("file", { blob, brains });
  }

  /** The bitmap is used up. */
  answerFrame(bitmap, brains) {
    return this.ask("frame", { bitmap, brains }, [bitmap]);
  }

  close() {
    this.worker.terminate();
    for (const { reject } of this.waiting.values()) reject(new SiteError("stopped"));
    this.waiting.clear();
  }
}
