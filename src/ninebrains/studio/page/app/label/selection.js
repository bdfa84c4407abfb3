// Which photos of the view are chosen, and at which one the cursor stands.

import { tell } from "../core/project.js";
import { view } from "../core/photos.js";

/** `cursor` and `anchor` are places in the view, `chosen` holds ids. */
export const selection = { cursor: 0, anchor: 0, chosen: new Set() };

/** Ids that an action is about: the chosen ones, or else the one at the cursor. */
export function subjects() {
  if (selection.chosen.size) return view.ids.filter((id) => selection.chosen.has(id));
  const id = view.ids[selection.cursor];
  return id === undefined ? [] : [id];
}

/** Move the cursor; choosing from the anchor on with `extend`. */
export function moveTo(place, { extend = false, keep = false } = {}) {
  if (!view.ids.length) return;
  selection.cursor = Math.max(0, Math.min(view.ids.length - 1, place));
  if (extend) chooseRange(selection.anchor, selection.cursor);
  else {
    selection.anchor = selection.cursor;
    if (!keep) selection.chosen.clear();
  }
  tell("selection");
}

function chooseRange(from, to) {
  selection.chosen.clear();
  for (let place = Math.min(from, to); place <= Math.max(from, to); place++)
    selection.chosen.add(view.ids[place]);
}

/** Choose a photo, or no longer. */
export function toggle(place) {
  const id = view.ids[place];
  if (!selection.chosen.size && selection.cursor !== place)
    selection.chosen.add(view.ids[selection.cursor]);
  if (!selection.chosen.delete(id)) selection.chosen.add(id);
  selection.cursor = selection.anchor = place;
  tell("selection");
}

/** Choose exactly these ids. */
export function choose(ids) {
  selection.chosen = new Set(ids);
  tell("selection");
}

/** Choose nothing. */
export function clear() {
  selection.chosen.clear();
  tell("selection");
}

/** Keep what is still in the view, and the cursor inside it. */
export function settle({ isOther = false } = {}) {
  if (isOther) {
    selection.chosen.clear();
    selection.cursor = selection.anchor = 0;
  } else if (selection.chosen.size) {
    const there = new Set(view.ids);
    for (const id of selection.chosen) if (!there.has(id)) selection.chosen.delete(id);
  }
  selection.cursor = Math.max(0, Math.min(view.ids.length - 1, selection.cursor));
  selection.anchor = Math.min(selection.anchor, selection.cursor);
  tell("selection");
}
