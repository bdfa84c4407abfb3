// Files and folders that are dropped or pasted on the page.

import { part } from "../core/dom.js";

const PHOTO = /\.(jpe?g|png|webp|gif|bmp|tiff?|heic|heif|avif|zip)$/i;

/** A file with the path that it had inside what was dropped or chosen. */
const placed = (file, path) => ({ file, path: path || file.webkitRelativePath || file.name });

/** Tables among files: they say more about photos that are here. */
export const tablesOf = (items) =>
  items.filter(({ file }) => /\.(csv|tsv)$/i.test(file.name) && !file.name.startsWith("."));

/** Photos and zips among files; others are left out, and hidden files of the system unmentioned. */
export const photosOf = (items) =>
  items.filter(
    ({ file, path }) =>
      !path.split("/").some((name) => name.startsWith(".")) &&
      (PHOTO.test(file.name) || file.type.startsWith("image/")),
  );

/** All files in what was dropped, folders with everything below them. */
export async function read(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => placed(file));
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return found;
}

async function walk(entry, above, found) {
  const path = above ? `${above}/${entry.name}` : entry.name;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push(placed(file, path));
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const each of some) await walk(each, path, found);
  }
}

/** Files of a file field. */
export const chosen = (input) => [...input.files].map((file) => placed(file));

/**
 * Take what is dropped or pasted anywhere on the page.
 * @param act called with files as `read` gives them
 */
export function begin(act) {
  const cover = part("drop");
  let depth = 0;
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth += 1;
    cover.hidden = false;
  });
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (!depth) cover.hidden = true;
  });
  addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  addEventListener("drop", async (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    cover.hidden = true;
    act(await read(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    if (event.target.matches("input, textarea")) return;
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) act(files.map((file) => placed(file)));
  });
}
