// The engine in a worker: one message in, one message out.

import { PhotoError, isCanvasHonest } from "./contract.mjs";
import { openEngine } from "./engine.mjs";
import { SiteError } from "./files.mjs";

let engine;

const tasks = {
  async open({ base, build }) {
    const tell = (here, total) => self.postMessage({ progress: [here, total] });
    engine = await openEngine(base, build, tell);
    return { threads: engine.threads, isCanvasHonest: isCanvasHonest() };
  },
  file: ({ blob, brains }) => engine.answerFile(blob, brains),
  async frame({ bitmap, brains }) {
    try {
      return await engine.answer(bitmap, false, brains);
    } finally {
      bitmap.close();
    }
  },
};

self.addEventListener("message", async ({ data: { id, task, ...inputs } }) => {
  try {
    self.postMessage({ id, result: await tasks[task](inputs) });
  } catch (error) {
    const isOurs = error instanceof PhotoError || error instanceof SiteError;
    self.postMessage({ id, error: error?.message || String(error), isOurs });
  }
});
