// The engine: photos in, the answers of all chosen brains out. Each trunk runs once a photo.
// Lives in a worker (worker.mjs), so that the page stays quick.

import { decode, prepare } from "./contract.mjs";
import { fetchSite, fetchUnpacked } from "./files.mjs";

const MOST_THREADS = 4;

/**
 * Open the runtime and every network of the export.
 * @param base URL of the export's folder
 * @param build "wasm" or "webgpu"
 * @param onProgress called with (bytes that are here, bytes of all)
 */
export async function openEngine(base, build, onProgress = () => {}) {
  const site = await fetchSite(base);
  const runtime = site.runtimes[build];
  const files = [runtime.wasm, ...site.trunks.map((trunk) => trunk.file), ...site.brains.map((b) => b.head)];
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  let here = 0;
  const onBytes = (count) => onProgress((here += count), total);
  const [ort, wasm, ...networks] = await Promise.all([
    import(new URL(runtime.module, base).href),
    ...files.map((file) => fetchUnpacked(base, file, onBytes)),
  ]);
  ort.env.wasm.wasmBinary = wasm.buffer;
  ort.env.wasm.numThreads = self.crossOriginIsolated
    ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS)
    : 1;
  ort.env.logLevel = "error";
  const sessions = [];
  for (const network of networks) {
    // Heads are too small to be worth the way to a graphics processor.
    const provider = build === "webgpu" && sessions.length < site.trunks.length ? "webgpu" : "wasm";
    sessions.push(await ort.InferenceSession.create(network, { executionProviders: [provider] }));
  }
  return new Engine(ort, site, sessions);
}

class Engine {
  constructor(ort, site, sessions) {
    this.ort = ort;
    this.site = site;
    this.trunks = sessions.slice(0, site.trunks.length);
    this.heads = sessions.slice(site.trunks.length);
  }

  get threads() {
    return this.ort.env.wasm.numThreads;
  }

  /** Answer a file; `brains` are places in site.brains. */
  async answerFile(blob, brains) {
    const start = performance.now();
    const { bitmap, isJpeg } = await decode(blob);
    try {
      return await this.answer(bitmap, isJpeg, brains, start);
    } finally {
      bitmap.close();
    }
  }

  /** Answer a bitmap, such as a frame of a camera. */
  async answer(bitmap, isJpeg, brains, start = performance.now()) {
    const seen = new Map(); // pixels by contract, features by trunk and contract
    const answers = [];
    let prepareMs = 0;
    const chosen = brains.map((place) => ({ place, brain: this.site.brains[place] }));
    for (const { brain } of chosen) {
      if (seen.has(brain.contract_key)) continue;
      const before = performance.now();
      seen.set(brain.contract_key, prepare(bitmap, isJpeg, brain.contract));
      prepareMs += performance.now() - before;
    }
    const decodeMs = performance.now() - start - prepareMs;
    const running = performance.now();
    for (const { place, brain } of chosen) {
      const key = `${brain.trunk} ${brain.contract_key}`;
      if (!seen.has(key)) {
        seen.set(key, await this.runTrunk(brain, seen.get(brain.contract_key)));
      }
      answers.push(await this.runHead(place, brain, seen.get(key)));
    }
    return {
      answers,
      size: [bitmap.width, bitmap.height],
      ms: { decode: decodeMs, prepare: prepareMs, run: performance.now() - running },
    };
  }

  async runTrunk(brain, pixels) {
    const { height, width } = brain.contract;
    const photos = new this.ort.Tensor("uint8", pixels, [1, height, width, 3]);
    return this.trunks[brain.trunk].run({ photos });
  }

  async runHead(place, brain, seam) {
    const session = this.heads[place];
    const feeds = Object.fromEntries(session.inputNames.map((name) => [name, seam[name]]));
    const found = await session.run(feeds);
    const outputs = { features: seam.features, ...found };
    const values = Object.fromEntries(
      Object.entries(outputs).map(([name, tensor]) => [
        name,
        { data: Float32Array.from(tensor.data), dims: [...tensor.dims] },
      ]),
    );
    const answer = values.scores ?? values.values;
    if (!answer.data.every(Number.isFinite)) {
      throw new Error(`${brain.name} gives values that are not numbers. Export it again.`);
    }
    return { place, ...values };
  }
}
