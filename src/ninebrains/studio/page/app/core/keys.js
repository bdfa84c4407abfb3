// The keyboard: one table of keys for each area, and the help that shows it.

import { make, part } from "./dom.js";

const tables = new Map();
let active = "";

/**
 * Name the keys of an area.
 * @param area its name
 * @param rows [keys, what they do, act]; keys such as "ctrl+z" or "a|b"; "" in place of act where
 *   the row is for the help alone
 */
export const keysOf = (area, rows) =>
  tables.set(
    area,
    rows.map(([keys, text, act]) => ({ keys, text, act })),
  );

/** Which area's keys count now. Those of "everywhere" always do. */
export const activate = (area) => (active = area);

const WRITING =
  "input:not([type=checkbox],[type=radio],[type=range],[type=color]), textarea, select, [contenteditable=true]";

function nameOfKey(event) {
  const key = event.key === " " ? "space" : event.key.toLowerCase();
  const names = [];
  if (event.ctrlKey || event.metaKey) names.push("ctrl");
  if (event.altKey) names.push("alt");
  if (event.shiftKey && (key.length > 1 || /[a-z]/.test(key))) names.push("shift");
  return [...names, key].join("+");
}

function find(name) {
  for (const area of [active, "everywhere"]) {
    const row = tables.get(area)?.find(({ keys, act }) => act && keys.split("|").includes(name));
    if (row) return row;
  }
  return undefined;
}

/** Whether an element uses a key itself. */
function takes(element, name) {
  if (element.matches?.(WRITING)) return name !== "escape";
  const presses = name === "enter" || name === "space";
  if (presses && element.matches?.("button, a[href], summary, input, label")) return true;
  return (
    /^(arrow|home|end|page)/.test(name) && element.matches?.("input, [role=tab], [role=slider]")
  );
}

function onKey(event) {
  const name = nameOfKey(event);
  if (document.querySelector("dialog[open]") || takes(event.target, name)) return;
  const row = find(name);
  if (!row) return;
  if (row.act(event, name) !== false) event.preventDefault();
}

/** Begin to listen. */
export function begin() {
  document.addEventListener("keydown", onKey);
}

const SHOWN = {
  arrowleft: "←",
  arrowright: "→",
  arrowup: "↑",
  arrowdown: "↓",
  ctrl: "Ctrl",
  shift: "Shift",
  enter: "Enter",
  space: "Space",
  escape: "Esc",
  delete: "Delete",
  backspace: "Backspace",
  home: "Home",
  end: "End",
  alt: "Alt",
  pageup: "Page up",
  pagedown: "Page down",
};

function keyCaps(keys) {
  if (keys.startsWith("1|2|3")) return [make("kbd", {}, "1"), " to ", make("kbd", {}, "9")];
  const names = keys.split("|");
  const told = names.filter((name) => !name.startsWith("shift+") || !names.includes(name.slice(6)));
  return told.map((name, place) => {
    const caps = name.split(/\+(?=.)/).map((cap) => make("kbd", {}, SHOWN[cap] ?? cap));
    return make("span", {}, place ? " or " : "", ...caps);
  });
}

/** Show all keys. */
export function help() {
  const titles = { everywhere: "Everywhere", label: "Label", single: "One photo", map: "Map" };
  const sections = [...tables].map(([area, rows]) =>
    make(
      "section",
      {},
      make("h3", {}, titles[area] ?? area),
      make(
        "dl.keys",
        {},
        rows
          .filter((row) => row.text)
          .flatMap((row) => [make("dt", {}, ...keyCaps(row.keys)), make("dd", {}, row.text)]),
      ),
    ),
  );
  const touch = make(
    "section.touch",
    {},
    make("h3", {}, "With a finger"),
    make(
      "p",
      {},
      "Tap a photo, then a label. Tap the circle in its corner to choose several. Tap twice to see one large.",
    ),
  );
  if (matchMedia("(any-pointer: coarse)").matches) sections.unshift(touch);
  part("help-keys").replaceChildren(...sections);
  part("help").showModal();
}
