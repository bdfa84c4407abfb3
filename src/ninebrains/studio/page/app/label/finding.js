// Finding a label by typing a part of its name, or making one: for more labels than number keys.

import { label } from "../core/changes.js";
import { field, question } from "../core/dialogs.js";
import { fill, make } from "../core/dom.js";
import { project } from "../core/project.js";
import { count } from "../core/words.js";
import { create } from "./labels.js";
import { subjects } from "./selection.js";

const MOST = 7;

/**
 * Labels that a text may mean, the likeliest first: of that name, beginning with it, a word in
 * them beginning with it, holding it anywhere.
 */
export function found(text, labels) {
  const wanted = text.trim().toLowerCase();
  const rank = (name) => {
    const at = name.toLowerCase().indexOf(wanted);
    if (at < 0) return 9;
    if (!at) return name.length === wanted.length ? 0 : 1;
    return /[\p{L}\p{N}]/u.test(name[at - 1]) ? 3 : 2;
  };
  return labels
    .map((each) => [rank(each.name), each])
    .filter(([place]) => place < 9)
    .sort(([one], [other]) => one - other)
    .map(([, each]) => each);
}

/** What can be chosen for a text: known labels, and at last a new one where none is called so. */
function offered(text) {
  const known = found(text, project.labels);
  const name = text.trim();
  const isKnown = known.some((each) => each.name.toLowerCase() === name.toLowerCase());
  return [
    ...known.slice(0, MOST).map((each) => ({ ...each, text: each.name })),
    ...(name && !isKnown ? [{ id: 0, text: `New label “${name}”`, color: "transparent" }] : []),
  ];
}

/** Ask which label photos get, and give it; says whether that was done. */
export async function choose() {
  const ids = subjects();
  if (!ids.length) return false;
  const [input, line] = field("Label, known or new", "", {
    role: "combobox",
    id: "find-label",
    "aria-controls": "found-labels",
    "aria-expanded": "true",
    "aria-autocomplete": "list",
  });
  const list = make("ul.found", { role: "listbox", id: "found-labels", "aria-label": "Labels" });
  let [options, at] = [[], -1];
  const paint = () => {
    options = offered(input.value);
    at = Math.max(input.value.trim() ? 0 : -1, Math.min(at, options.length - 1));
    fill(list, ...options.map((each, place) => row(each, place, place === at)));
    if (options[at]) input.setAttribute("aria-activedescendant", `found-${at}`);
    else input.removeAttribute("aria-activedescendant");
  };
  const row = (each, place, isNow) =>
    make(
      "li",
      {
        role: "option",
        id: `found-${place}`,
        "aria-selected": String(isNow),
        style: { "--class": each.color },
        on: { click: () => ((at = place), paint(), input.form.requestSubmit()) },
      },
      make("span.dot"),
      make("span", {}, each.text),
    );
  input.addEventListener("input", () => ((at = -1), paint()));
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    at += step;
    paint();
  });
  paint();
  const give = async () => label(ids, options[at].id || (await create(input.value.trim())));
  return question(
    ids.length === 1
      ? "What does this photo show?"
      : `What do these ${count(ids.length)} photos show?`,
    [line, list],
    "Give this label",
    { check: () => (options[at] ? "" : "Type a name."), act: give },
  );
}
