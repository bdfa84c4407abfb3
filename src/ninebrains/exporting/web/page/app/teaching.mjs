// What is right on the photo that is shown: kept, changed, taken back.

import { verdict } from "./answers.mjs";
import { toast } from "./dom.mjs";
import { forget, keep } from "./keeping.mjs";
import { toJpeg } from "./stage.mjs";

const LONGEST = 1280; // pixels of a camera's picture that is kept

/**
 * Keep a photo with the right answer of one brain, in the place of what was said before.
 * @param shot {bitmap, blob: file or null, result, taught: Map of place to {id, truth}}
 * @param place of the brain
 * @param brain as in site.json
 * @param truth list of names, or a number; null for nothing
 */
export async function teachOf(shot, place, brain, truth) {
  const answer = shot.result.answers.find((item) => item.place === place);
  const photo = shot.blob ?? (await toJpeg(shot.bitmap, LONGEST));
  const before = shot.taught.get(place);
  if (before) await forget(before.id);
  shot.taught.delete(place);
  if (truth === null) return toast("Taken back.");
  const { text, score } = verdict(brain, answer);
  const about = { brain: brain.name, version: brain.version, task: brain.task, at: Date.now() };
  const unfamiliar = answer.unfamiliar?.data[0] ?? null;
  const id = await keep({ ...about, photo, truth, answer: text, score, unfamiliar });
  shot.taught.set(place, { id, truth });
  const said = Array.isArray(truth) ? truth.join(", ") || "None of these" : truth;
  toast(`Kept on this device: ${said}`);
}
