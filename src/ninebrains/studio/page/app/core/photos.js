// The photos of the view that is shown: ids in order, and what is known of each.

import { get, query } from "./api.js";
import { follow, tell } from "./project.js";

/** The view. `ids` never changes under the hand of who is labelling; only `load` replaces it. */
export const view = {
  name: "all",
  sort: "",
  ids: [],
  groups: null,
  isLoading: false,
  isStale: false,
  error: null,
};

const labels = new Map();
const suggestions = new Map();
const certainty = new Map();
const revisions = new Map();

/** Label of a photo, 0 for none. */
export const labelAt = (id) => labels.get(id) ?? 0;

/** Suggested label of a photo, 0 for none. */
export const suggestionAt = (id) => suggestions.get(id) ?? 0;

/** How sure the suggestion is, 0 to 100. */
export const surenessAt = (id) => certainty.get(id) ?? 0;

/** Set labels here at once. Nothing is sent. */
export function setLabels(ids, fresh) {
  ids.forEach((id, place) => labels.set(id, fresh[place]));
  tell("labelled", { ids });
}

/** Take labels as the server has them since a revision; later ones, and pending ones, stay. */
export function takeLabels({ ids, labels: fresh, revision }) {
  const taken = ids.filter((id, place) => {
    if (isPending?.(id) || revision < (revisions.get(id) ?? 0)) return false;
    revisions.set(id, revision);
    labels.set(id, fresh[place] ?? 0);
    return true;
  });
  if (taken.length) tell("labelled", { ids: taken });
}

/** Remember that the server has had own changes of photos since a revision. */
export const noteRevision = (ids, revision) => ids.forEach((id) => revisions.set(id, revision));

/** Remember what an answer with compact arrays tells of photos. */
export function remember(answer) {
  const keep = isPending ?? (() => false);
  answer.ids.forEach((id, place) => {
    if (!keep(id) && answer.revision >= (revisions.get(id) ?? 0))
      labels.set(id, answer.labels[place]);
    if (answer.suggested) suggestions.set(id, answer.suggested[place]);
    if (answer.sure) certainty.set(id, answer.sure[place]);
  });
}

let isPending;

/** Photos of which this says true have a change under way: what the server says of them is older. */
export const keepPending = (test) => (isPending = test);

/** Photos that were picked elsewhere, such as on the map: the view "chosen". */
export const picked = { ids: [] };

/** What the server tells of a view; those of chosen photos are parts of all. */
async function read(name, sort, options) {
  const [kind, ids] = [name.split(":")[0], name.slice(4)];
  if (kind !== "ids" && name !== "chosen")
    return get(query("/api/photos", { view: name, sort }), options);
  const wanted = new Set(name === "chosen" ? picked.ids : ids.split(",").map(Number));
  const all = await get(query("/api/photos", { view: "all", sort }), options);
  const places = all.ids
    .map((id, place) => (wanted.has(id) ? place : -1))
    .filter((place) => place >= 0);
  const part = Object.fromEntries(
    ["ids", "labels", "suggested", "sure"].map((key) => [
      key,
      places.map((place) => all[key][place]),
    ]),
  );
  return { ...part, revision: all.revision };
}

let loading;

/**
 * Show another view, or the same once more.
 * @param name such as "all", "label:3", "search:red"
 * @returns Promise that is kept when the photos are known
 */
export async function load(name = view.name, sort = view.sort) {
  loading?.abort();
  const mine = (loading = new AbortController());
  const isOther = name !== view.name || sort !== view.sort;
  Object.assign(view, { name, sort, isLoading: true, isStale: false });
  if (isOther) tell("view", { begins: true });
  try {
    const answer = await read(name, sort, { signal: mine.signal });
    remember(answer);
    Object.assign(view, {
      ids: answer.ids,
      groups: answer.groups ?? null,
      isLoading: false,
      error: null,
    });
  } catch (error) {
    if (error.name === "AbortError") return;
    Object.assign(view, { ids: isOther ? [] : view.ids, isLoading: false, error });
  }
  tell("view", { isOther });
}

const MOVING = new Set(["unlabelled", "review", "errors", "duplicates", "labelled"]);

/** Whether work on the photos takes them out of the view. */
export const isQueue = () => MOVING.has(view.name.split(":")[0]) || view.name.startsWith("label:");

/** New suggestions for the same photos, without another order. */
export async function renew() {
  if (view.isLoading) return;
  try {
    const answer = await read(view.name, view.sort);
    remember(answer);
    const same =
      answer.ids.length === view.ids.length &&
      answer.ids.every((id, place) => id === view.ids[place]);
    const left = new Set(view.ids);
    const onlyFewer = answer.ids.every((id) => left.has(id));
    if (!same && !isQueue())
      Object.assign(view, { ids: answer.ids, groups: answer.groups ?? null });
    view.isStale =
      !same && isQueue() && !(onlyFewer && answer.ids.length && view.name !== "review");
    tell("view", { isOther: false });
  } catch (error) {
    if (!error.status) return;
    view.error = error;
    tell("view", {});
  }
}

/** Begin to follow what other tabs and the brain do. */
export function begin() {
  follow("changed", takeLabels);
  follow("photos", () => renew());
}
