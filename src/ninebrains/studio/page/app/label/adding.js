// Bringing photos in: from files, folders, zips, a folder in place, the webcam, and feedback.

import { get, put, query, send } from "../core/api.js";
import { command, quoted } from "../core/command.js";
import { field, question, tick } from "../core/dialogs.js";
import { attempt, button, make, part, toast } from "../core/dom.js";
import { isUnderWay, project, refresh, tell } from "../core/project.js";
import { count, many, megabytes } from "../core/words.js";
import { chosen, photosOf, tablesOf } from "./dropping.js";
import { burst } from "./webcam.js";

const BATCH_FILES = 60;
const BATCH_BYTES = 24e6;
const SOON_MS = 1500;

/** What is being sent from this tab: null or {sent, total, cancel}. */
export const upload = { now: null };

/** Ask where photos come from. */
export function ask() {
  part("adding").showModal();
}

/**
 * Send files; asks first whether folder names are labels, where there are folders. Tables go last,
 * when the photos that they tell of are here.
 */
export async function add(items, options = {}) {
  const photos = photosOf(items);
  const tables = tablesOf(items);
  const left = items.length - photos.length - tables.length;
  if (!photos.length && !tables.length) {
    toast(
      items.length
        ? "None of these files is a photo (JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC), a zip of photos, or a CSV table about photos."
        : "There was nothing to add.",
      { kind: "problem" },
    );
    return;
  }
  if (upload.now) {
    toast("Photos are still being sent; add these when that is done.", { kind: "problem" });
    return;
  }
  const labels = options.asks === false ? null : await asksFolders(photos);
  if (labels === undefined) return;
  const wishes = { labels, label: options.label, source: options.source ?? "upload" };
  const report = await attempt(() => sendAll(photos, tables, wishes));
  if (report) tellReport(report, left, items);
}

const folderOf = (path) => path.split("/").slice(0, -1).at(-1);

/** "folders", null for no labels, undefined for "do not add". */
async function asksFolders(photos) {
  const names = new Set(photos.map(({ path }) => folderOf(path)).filter(Boolean));
  if (names.size < 2) return null;
  const few = [...names].slice(0, 8).join(", ") + (names.size > 8 ? ", …" : "");
  const [input, line] = tick("Take the folders' names as labels", true, {
    id: "folders-are-labels",
  });
  const yes = await question(
    "Add these photos",
    [
      make("p", {}, `${many(photos.length, "photo")} in ${many(names.size, "folder")}: ${few}`),
      line,
    ],
    `Add ${many(photos.length, "photo")}`,
  );
  return yes ? (input.checked ? "folders" : null) : undefined;
}

const isZip = (file) => /\.zip$/i.test(file.name);

function* batches(photos) {
  let [batch, bytes] = [[], 0];
  for (const photo of photos) {
    const isFull = batch.length >= BATCH_FILES || bytes + photo.file.size > BATCH_BYTES;
    if (batch.length && (isFull || isZip(photo.file) || isZip(batch[0].file))) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(photo);
    bytes += photo.file.size;
  }
  if (batch.length) yield batch;
}

/** Zips go as they are, in requests of their own; photos several at a time. */
async function sendOne(batch, { labels, label, source }, signal = null) {
  const wishes = { folders: labels ? 1 : "", label, source };
  const [{ file }] = batch;
  if (isZip(file)) {
    const options = { headers: { "Content-Type": "application/zip" }, signal };
    return put(query("/api/import", { ...wishes, name: file.name }), file, options);
  }
  const form = new FormData();
  for (const each of batch) form.append("files", each.file, each.path);
  return put(query("/api/import", wishes), form, { signal });
}

/** Send tables one by one; one that fits no photos is refused like a photo that cannot be read. */
async function sendTables(tables) {
  const reports = [];
  for (const table of tables) {
    try {
      const { job } = await sendOne([table], {});
      reports.push(await waitFor([job]));
    } catch (error) {
      reports.push({ num_refused: 1, refused: [{ name: table.path, reason: error.message }] });
    }
  }
  return reports;
}

async function sendAll(photos, tables, options) {
  const controller = new AbortController();
  upload.now = { sent: 0, total: photos.length, cancel: () => controller.abort() };
  tell("upload");
  const jobs = [];
  const reports = [];
  try {
    for (const batch of batches(photos)) {
      const { job } = await sendOne(batch, options, controller.signal);
      jobs.push(job);
      upload.now.sent += batch.length;
      tell("upload");
    }
    upload.now = null;
    tell("upload");
    reports.push(await waitFor(jobs));
    reports.push(...(await sendTables(tables)));
  } catch (error) {
    if (error.name !== "AbortError") throw error;
    toast(`Stopped: ${count(upload.now.sent)} of ${count(photos.length)} were sent.`);
    reports.push(await waitFor(jobs));
  } finally {
    upload.now = null;
    tell("upload");
  }
  return summed(reports);
}

const note = (job) => (project.jobs = [...project.jobs.filter((each) => each.id !== job.id), job]);

/** Kept when import jobs are done; gives their reports as one. */
async function waitFor(ids) {
  const reports = [];
  for (const id of ids) {
    for (;;) {
      const job = project.jobs.find((each) => each.id === id);
      if (job && !isUnderWay(job)) {
        if (job.state === "failed") throw new Error(job.error);
        reports.push(job.result ?? {});
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 120));
      if (!job) note(await get(`/api/jobs/${id}`));
    }
  }
  await refresh();
  return summed(reports);
}

/** Several reports as one. */
function summed(reports) {
  const sum = (name) => reports.reduce((total, report) => total + (report[name] ?? 0), 0);
  return {
    added: sum("added"),
    known: sum("known"),
    num_refused: sum("num_refused"),
    described: sum("described"),
    undescribed: sum("undescribed"),
    refused: reports.flatMap((report) => report.refused ?? []),
  };
}

function tellReport(report, left, items = []) {
  const parts = [];
  const saysTables = report.described || report.undescribed;
  if (report.added || !(saysTables || (items.length && items.every(isOfTable))))
    parts.push(`${many(report.added, "photo")} added`);
  if (report.known) parts.push(`${count(report.known)} were here already`);
  if (saysTables) parts.push(`the table's columns are now with ${many(report.described, "photo")}`);
  if (report.undescribed)
    parts.push(`${many(report.undescribed, "line")} of it name no photo that is here`);
  if (left) parts.push(`${many(left, "other file")} left out`);
  if (report.num_refused) parts.push(`${count(report.num_refused)} refused`);
  // The name tells apart what came of several files, one after the other.
  const said = `${parts.join(", ")}.`;
  const text = items.length === 1 ? `${items[0].file.name}: ${said}` : capital(said);
  if (!report.num_refused) toast(text);
  else {
    toast(text, {
      kind: "problem",
      action: { text: "Why?", act: () => showRefused(report) },
    });
  }
}

const isOfTable = (item) => tablesOf([item]).length > 0;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function showRefused(report) {
  const rows = report.refused
    .slice(0, 200)
    .map(({ name, reason }) => make("li", {}, make("b", {}, name), make("span", {}, ` ${reason}`)));
  return question("Not added", [make("ul.plain.tall", {}, ...rows)], "All right");
}

async function fromFolder() {
  const [path, pathLine] = field("Path of the folder on the studio's machine", "", {
    id: "folder-path",
    placeholder: "/home/me/photos",
  });
  const [labels, labelsLine] = tick("Take the folders' names in it as labels", false);
  await question(
    "A folder in place",
    [
      make(
        "p",
        {},
        "The photos stay where they are and are not copied. Leave them there as long as you use this project.",
      ),
      pathLine,
      labelsLine,
    ],
    "Add the folder",
    {
      check: () => (path.value.trim() ? "" : "Which folder?"),
      act: () => follows("/api/import/folder", { path: path.value.trim(), labels: labels.checked }),
    },
  );
}

/** Begin an import; what fails soon fails in the dialog, what takes longer goes on without it. */
async function follows(place, values) {
  const { job } = await send(place, values);
  const report = waitFor([job]);
  report.catch(() => {});
  const isSoon = await Promise.race([
    report.then(() => true),
    new Promise((resolve) => setTimeout(resolve, SOON_MS)),
  ]);
  if (isSoon) tellReport(await report, 0);
  else void attempt(async () => tellReport(await report, 0));
}

async function fromFeedback() {
  const [path, line] = field("Folder that “feedback export” wrote", "", {
    placeholder: "corrections",
  });
  await question(
    "What people said of a served brain",
    [line, command(`ninebrains feedback export corrections --repository ${quoted("models")}`)],
    "Add the corrections",
    {
      check: () => (path.value.trim() ? "" : "Which folder?"),
      act: () => follows("/api/import/feedback", { path: path.value.trim() }),
    },
  );
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
  wire("pick-webcam", () =>
    burst((files, label) =>
      add(files, { label: label || undefined, source: "webcam", asks: false }),
    ),
  );
}

/** Size of files for people. */
export const sizeOf = (items) =>
  megabytes(items.reduce((total, { file }) => total + file.size, 0) / 1e6);

/** The three ways that most begin with, as buttons. */
export const firstWays = () => [
  button("Choose photos", () => part("pick-files-input").click(), { className: "main" }),
  button("Choose a folder", () => part("pick-folder-input").click()),
  button("More ways", ask),
];
