// Bringing photos in: from files, folders, zips, a folder in place, the webcam, and feedback.

import { put, query, send } from "../core/api.mjs";
import { command, quoted } from "../core/command.mjs";
import { field, question, tick } from "../core/dialogs.mjs";
import { attempt, button, make, part, toast } from "../core/dom.mjs";
import { project, refresh, tell } from "../core/project.mjs";
import { count, many, megabytes } from "../core/words.mjs";
import { chosen, photosOf } from "./dropping.mjs";
import { burst } from "./webcam.mjs";

const BATCH_FILES = 60;
const BATCH_BYTES = 24e6;

/** What is being sent from this tab: null or {sent, total, cancel}. */
export const upload = { now: null };

/** Ask where photos come from. */
export function ask() {
  part("adding").showModal();
}

/** Send files; asks first whether folder names are labels, where there are folders. */
export async function add(items, options = {}) {
  const photos = photosOf(items);
  const left = items.length - photos.length;
  if (!photos.length) {
    toast(items.length ? "None of these files is a photo or a zip of photos: JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC." : "There was nothing to add.", { kind: "problem" });
    return;
  }
  if (upload.now) {
    toast("Photos are still being sent; add these when that is done.", { kind: "problem" });
    return;
  }
  const labels = options.label ? null : await asksFolders(photos);
  if (labels === undefined) return;
  const report = await attempt(() => sendAll(photos, { labels, label: options.label }));
  if (report) tellReport(report, left);
}

const folderOf = (path) => path.split("/").slice(0, -1).at(-1);

/** "folders", null for no labels, undefined for "do not add". */
async function asksFolders(photos) {
  const names = new Set(photos.map(({ path }) => folderOf(path)).filter(Boolean));
  if (names.size < 2) return null;
  const few = [...names].slice(0, 8).join(", ") + (names.size > 8 ? ", …" : "");
  const [input, line] = tick("Take the folders' names as labels", true, { id: "folders-are-labels" });
  const yes = await question("Add these photos", [make("p", {}, `${many(photos.length, "photo")} in ${many(names.size, "folder")}: ${few}`), line], `Add ${many(photos.length, "photo")}`);
  return yes ? (input.checked ? "folders" : null) : undefined;
}

function* batches(photos) {
  let [batch, bytes] = [[], 0];
  for (const photo of photos) {
    if (batch.length && (batch.length >= BATCH_FILES || bytes + photo.file.size > BATCH_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(photo);
    bytes += photo.file.size;
  }
  if (batch.length) yield batch;
}

async function sendAll(photos, { labels, label }) {
  const controller = new AbortController();
  upload.now = { sent: 0, total: photos.length, cancel: () => controller.abort() };
  tell("upload");
  const jobs = [];
  try {
    for (const batch of batches(photos)) {
      const form = new FormData();
      for (const { file, path } of batch) form.append("files", file, path);
      const { job } = await put(query("/api/import", { labels, label }), form, { signal: controller.signal });
      jobs.push(job.id);
      upload.now.sent += batch.length;
      tell("upload");
    }
  } catch (error) {
    if (error.name !== "AbortError") throw error;
    toast(`Stopped: ${count(upload.now.sent)} of ${count(photos.length)} were sent.`);
  } finally {
    upload.now = null;
    tell("upload");
  }
  return waitFor(jobs);
}

/** Kept when import jobs are done; gives their reports as one. */
async function waitFor(ids) {
  const reports = [];
  for (const id of ids) {
    for (;;) {
      const job = project.jobs.find((each) => each.id === id);
      if (job && job.state !== "working") {
        if (job.state === "failed") throw new Error(job.text);
        reports.push(job.report ?? {});
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 120));
      if (!job) await refresh();
    }
  }
  const sum = (name) => reports.reduce((total, report) => total + (report[name] ?? 0), 0);
  return { added: sum("added"), known: sum("known"), num_refused: sum("num_refused"), refused: reports.flatMap((report) => report.refused ?? []) };
}

function tellReport(report, left) {
  const parts = [`${many(report.added, "photo")} added`];
  if (report.known) parts.push(`${count(report.known)} were here already`);
  if (left) parts.push(`${many(left, "other file")} left out`);
  if (!report.num_refused) toast(`${parts.join(", ")}.`);
  else {
    toast(`${parts.join(", ")}, ${count(report.num_refused)} refused.`, {
      kind: "problem",
      action: { text: "Why?", act: () => showRefused(report) },
    });
  }
}

function showRefused(report) {
  const rows = report.refused.slice(0, 200).map(({ name, reason }) => make("li", {}, make("b", {}, name), make("span", {}, ` ${reason}`)));
  return question("Not added", [make("ul.plain.tall", {}, ...rows)], "All right");
}

async function fromFolder() {
  const [path, pathLine] = field("Path of the folder on the studio's machine", "", { id: "folder-path", placeholder: "/home/me/photos" });
  const [labels, labelsLine] = tick("Take the folders' names in it as labels", false);
  const yes = await question("A folder in place", [make("p", {}, "The photos stay where they are and are not copied. Leave them there as long as you use this project."), pathLine, labelsLine], "Add the folder", {
    check: () => (path.value.trim() ? "" : "Which folder?"),
  });
  if (!yes) return;
  await attempt(async () => {
    const { job } = await send("/api/import/folder", { path: path.value.trim(), labels: labels.checked ? "folders" : null });
    tellReport(await waitFor([job.id]), 0);
  });
}

async function fromFeedback() {
  const [path, line] = field("Folder that “feedback export” wrote", "", { placeholder: "corrections" });
  const yes = await question("What people said of a served brain", [line, command(`ninebrains feedback export corrections --repository ${quoted("models")}`)], "Add the corrections", {
    check: () => (path.value.trim() ? "" : "Which folder?"),
  });
  if (!yes) return;
  await attempt(async () => {
    const { job } = await send("/api/import/feedback", { path: path.value.trim() });
    tellReport(await waitFor([job.id]), 0);
  });
}

/** Make the dialog of ways to add work. */
export function begin() {
  const dialog = part("adding");
  const wire = (id, act) => part(id).addEventListener("click", () => (dialog.close(), act()));
  for (const id of ["pick-files", "pick-folder"]) {
    const input = part(`${id}-input`);
    wire(id, () => input.click());
    input.addEventListener("change", () => {
      const items = chosen(input);
      input.value = "";
      if (items.length) void add(items);
    });
  }
  wire("pick-place", fromFolder);
  wire("pick-feedback", fromFeedback);
  wire("pick-webcam", () => burst((files, label) => add(files, { label })));
}

/** Size of files for people. */
export const sizeOf = (items) => megabytes(items.reduce((total, { file }) => total + file.size, 0) / 1e6);

/** The three ways that most begin with, as buttons. */
export const firstWays = () => [
  button("Choose photos", () => part("pick-files-input").click(), { className: "main" }),
  button("Choose a folder", () => part("pick-folder-input").click()),
  button("More ways", ask),
];
