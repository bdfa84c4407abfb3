// What people said, as a data set that `ninebrains train` takes.
//
//   labels.csv, photos/…        every photo with its label, labels or value, as the brain has them:
//                               `ninebrains train labels.csv --task classify` (multilabel, regress)
//   photos/<label>/<name>.jpg   where each photo has one label, which some folders cannot be named
//                               after: `ninebrains train photos/`, if all can
//   none_of_these/…             photos that show none of the labels
//   feedback.csv                everything that was said, with what the brain had answered

import { zip } from "./zip.mjs";

/**
 * @param task of the brain
 * @param kept [{photo: Blob, truth, answer, score, unfamiliar, at}]; `truth` is a list of names, or
 *   a number
 * @returns Promise of a Blob
 */
export async function writeDataset(task, kept) {
  const isPlain = task === "classify";
  const folders = new Map();
  const files = [];
  const labels = [["path", "label"]];
  const said = [["file", "truth", "answered", "score", "unfamiliar", "brain", "version", "at"]];
  for (const [place, item] of kept.entries()) {
    const date = new Date(item.at);
    const file = `${date.toISOString().replace(/[-:]|\.\d+/g, "")}-${place + 1}.${endingOf(item.photo)}`;
    const isNone = Array.isArray(item.truth) && !item.truth.length;
    const folder = isPlain && !isNone ? `photos/${folderOf(item.truth[0], folders)}` : "photos";
    const path = `${isNone ? "none_of_these" : folder}/${file}`;
    const names = Array.isArray(item.truth) ? item.truth : [String(item.truth)];
    // Semicolons stand between labels where there may be several, so none can be inside of one.
    const truth = names.map((name) => (isPlain ? name : name.replaceAll(";", ","))).join(";");
    files.push({ path, data: new Uint8Array(await item.photo.arrayBuffer()), date });
    if (!isNone) labels.push([path, truth]);
    const { answer, score, unfamiliar } = item;
    const texts = [truth, answer].map(plain);
    said.push([path, ...texts, score, unfamiliar ?? "", item.brain, item.version, date.toISOString()]);
  }
  const date = new Date();
  files.push({ path: "labels.csv", data: csv(labels), date });
  files.push({ path: "feedback.csv", data: csv(said), date });
  return zip(files);
}

function endingOf(photo) {
  return { "image/png": "png", "image/webp": "webp", "image/gif": "gif" }[photo.type] ?? "jpg";
}

/** A folder that can be made everywhere, and is the label's name where that can be. */
function folderOf(label, folders) {
  if (!folders.has(label)) {
    const plain = label.replace(/[/\\:*?"<>|\p{Cc}\p{Cf}]/gu, "_").replace(/^[ .]+|[ .]+$/g, "");
    const taken = new Set([...folders.values()].map((name) => name.toLowerCase()));
    let name = plain || "label";
    for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${plain || "label"} (${number})`;
    folders.set(label, name);
  }
  return folders.get(label);
}

/** A cell that no spreadsheet takes for a formula. */
const plain = (text) => (/^[=+@-]/.test(text) && !Number.isFinite(Number(text)) ? `'${text}` : text);

function csv(rows) {
  const text = rows.map((row) => row.map(cell).join(",")).join("\n");
  return new TextEncoder().encode(`${text}\n`);
}

function cell(value) {
  const text = String(value);
  return /[",;\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
