// Changes of labels: seen at once, sent in order, taken back where the server refuses one.

import { send, Unreachable } from "./api.js";
import { announce, toast } from "./dom.js";
import { many } from "./words.js";
import {
  keepPending,
  labelAt,
  load,
  noteRevision,
  setLabels,
  suggestionAt,
  takeLabels,
  view,
} from "./photos.js";
import { follow, labelOf, nameOf, project, refresh, tell, waitFor } from "./project.js";

const queue = [];
const pending = new Map();
let isSending = false;
let retry;

/** Number of changes that the server has not confirmed yet. */
export const waiting = () => queue.length;

/** When photos got labels in this tab: [time in ms, how many], for the pace. */
export const done = [];

/**
 * Give photos a label.
 * @param ids of photos
 * @param label id, or 0 for none
 * @param options confirms: also tell of photos that have this label already: it is right
 */
export function label(ids, label, { confirms = false } = {}) {
  const changed = confirms ? ids : ids.filter((id) => labelAt(id) !== label);
  if (!changed.length) return;
  if (label) noteDone(changed.filter((id) => !labelAt(id)).length);
  apply({
    path: "/api/label",
    body: { ids: changed, label: label || null },
    ids: changed,
    after: changed.map(() => label),
  });
  announce(
    label
      ? `${many(changed.length, "photo")}: ${nameOf(label)}`
      : `${many(changed.length, "photo")}: label taken away`,
  );
}

/**
 * Those of some photos whose suggestions can be taken: what people said stays as they said it,
 * but for the queue of doubtful labels, which shows both.
 */
export const acceptable = (ids) =>
  ids.filter((id) => {
    const [mine, suggested] = [labelAt(id), suggestionAt(id)];
    return suggested && suggested !== mine && (!mine || view.name === "errors");
  });

/** Take the suggestions of photos as their labels, where `acceptable` allows it. */
export function accept(ids) {
  const taken = acceptable(ids);
  if (!taken.length) return [];
  noteDone(taken.filter((id) => !labelAt(id)).length);
  apply({
    path: "/api/label",
    accepts: true,
    body: { ids: taken },
    ids: taken,
    after: taken.map(suggestionAt),
  });
  announce(`${many(taken.length, "suggestion")} accepted`);
  return taken;
}

function noteDone(number) {
  if (number) done.push([Date.now(), number]);
}

function apply(change) {
  change.before = change.ids.map(labelAt);
  for (const id of change.ids) pending.set(id, (pending.get(id) ?? 0) + 1);
  count(change.before, change.after);
  setLabels(change.ids, change.after);
  queue.push(change);
  void drain();
}

function count(before, after) {
  before.forEach((old, place) => {
    const [left, joined] = [labelOf(old), labelOf(after[place])];
    if (left) left.count -= 1;
    if (joined) joined.count += 1;
    const step = (joined ? 1 : 0) - (left ? 1 : 0);
    project.counts.labelled += step;
    project.counts.unlabelled -= step;
  });
  tell("counts");
}

async function drain() {
  if (isSending) return;
  isSending = true;
  clearTimeout(retry);
  tell("sending");
  while (queue.length) {
    const change = queue[0];
    try {
      const told = await dispatch(change);
      noteRevision(change.ids, told.revision);
      Object.assign(project, { revision: told.revision, undo: told.undo, redo: told.redo });
      tell("undo");
    } catch (error) {
      if (error instanceof Unreachable) {
        tell("sending");
        retry = setTimeout(drain, 2000);
        break;
      }
      takeBack(change, error);
    }
    queue.shift();
    release(change.ids);
  }
  isSending = false;
  tell("sending");
}

/** Suggestions were accepted as they were shown, whatever the brain says by now. */
function dispatch(change) {
  if (!change.accepts) return send(change.path, change.body);
  return send("/api/accept", { ids: change.ids, labels: change.after });
}

function release(ids) {
  for (const id of ids) {
    const left = pending.get(id) - 1;
    if (left) pending.set(id, left);
    else pending.delete(id);
  }
}

function takeBack(change, error) {
  change.ids.forEach((id, place) => {
    const later = queue.slice(1).find((other) => other.ids.includes(id));
    if (later) later.before[later.ids.indexOf(id)] = change.before[place];
  });
  const free = change.ids.map((id, place) => [id, place]).filter(([id]) => pending.get(id) === 1);
  count(
    free.map(([, place]) => change.after[place]),
    free.map(([, place]) => change.before[place]),
  );
  setLabels(
    free.map(([id]) => id),
    free.map(([, place]) => change.before[place]),
  );
  toast(`Not saved, so taken back: ${error.message}`, { kind: "problem" });
}

/** Kept when all changes so far are with the server. */
export async function settled() {
  while (queue.length) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Undo or redo the latest step, of this tab or another. */
export async function step(kind) {
  await settled();
  const told = await send(`/api/${kind}`);
  const text = kind === "undo" ? "Undone" : "Done again";
  Object.assign(project, { revision: told.revision, undo: told.undo, redo: told.redo });
  takeLabels({ ...told.changed, revision: told.revision });
  announce(text);
  await refresh();
  if (told.structure) await load();
}

/** Begin to watch over what is not saved. */
export function begin() {
  keepPending((id) => pending.has(id));
  waitFor(() => queue.length > 0);
  follow("connection", ({ back }) => back && drain());
  follow("sending", () => {
    if (!queue.length) refresh().catch(() => {});
  });
  addEventListener("beforeunload", (event) => {
    if (queue.length) event.preventDefault();
  });
}
