// The list of labels: give one, show one, make, rename, colour, merge, split, order and remove.

import { send } from "../core/api.js";
import { choice, field, question } from "../core/dialogs.js";
import { attempt, fill, make } from "../core/dom.js";
import { load, view } from "../core/photos.js";
import { follow, labelOf, project, refresh } from "../core/project.js";
import { count, many } from "../core/words.js";

/** Colours that can be told apart, also by people who see few of them, in this order. */
export const COLORS = [
  "#0b7a84",
  "#e0803a",
  "#6a5acd",
  "#2f9e44",
  "#c2415b",
  "#1c7ed6",
  "#b8860b",
  "#9c36b5",
  "#5c940d",
  "#d6336c",
  "#495057",
  "#0ca678",
  "#a0522d",
  "#4263eb",
  "#868e96",
  "#e8590c",
];

/**
 * The list as an element that keeps itself up to date.
 * @param give called with the id of a label that was pressed
 * @param toPhotos called to have the keys go to the photos; says whether there are any
 */
export function makeLabels(give, toPhotos) {
  const list = make("ol.labels", { "aria-label": "Labels" });
  const input = make("input", {
    type: "text",
    id: "new-label",
    placeholder: "New label",
    autocomplete: "off",
    "aria-label": "Name of a new label",
    on: { keydown: (event) => event.key === "Escape" && toPhotos() },
  });
  const form = make(
    "form.new-label",
    { on: { submit: (event) => (event.preventDefault(), addFrom(input, toPhotos)) } },
    input,
    make("button", { type: "submit" }, "Add"),
  );
  const hint = make("p.soft.small");
  const table = make(
    "a.soft.small",
    { href: "/api/labels.csv", download: "labels.csv", id: "labels-table" },
    "Download as a table",
  );
  const paint = () => {
    const most = Math.max(1, ...project.labels.map((each) => each.count));
    fill(list, ...project.labels.map((each, place) => row(each, place, most, give)));
    hint.textContent = project.labels.length
      ? ""
      : "A label says what a photo shows, such as “cat” or “dog”. Make at least two.";
    hint.hidden = !hint.textContent;
    table.hidden = !project.labels.some((each) => each.count);
  };
  const ends = ["labels", "counts", "view"].map((topic) => follow(topic, paint));
  paint();
  const element = make("div", {}, hint, list, form, table);
  return { element, end: () => ends.forEach((end) => end()) };
}

function row(each, place, most, give) {
  const isShown = view.name === `label:${each.id}`;
  return make(
    "li.label",
    { style: { "--class": each.color, "--share": String(each.count / most) } },
    make(
      "button.give",
      {
        type: "button",
        id: `give-${each.id}`,
        title: `Give the label ${each.name}${place < 9 ? ` (${place + 1})` : ""}`,
        on: { click: () => give(each.id) },
      },
      make("kbd", { "aria-hidden": "true" }, place < 9 ? String(place + 1) : ""),
      make("span.dot"),
      make("span.name", {}, each.name),
    ),
    make(
      "a.count",
      {
        href: isShown ? "#/label/all" : `#/label/label:${each.id}`,
        id: `show-${each.id}`,
        "aria-label": `${many(each.count, "photo")} of ${each.name}: show ${isShown ? "all photos again" : "them"}`,
        "aria-current": isShown ? "true" : null,
      },
      count(each.count),
    ),
    make(
      "button.quiet.more",
      {
        type: "button",
        id: `edit-${each.id}`,
        "aria-label": `Change ${each.name}`,
        on: { click: () => edit(each.id) },
      },
      "⋯",
    ),
  );
}

/** Make the label that was typed. With two of them number keys are next: they go to the photos. */
async function addFrom(input, toPhotos) {
  const name = input.value.trim();
  const isMade = name && (await attempt(() => create(name)));
  if (isMade) input.value = "";
  const goesOn = (isMade || !name) && project.labels.length > 1;
  if (!goesOn || !toPhotos()) input.focus();
  else if (isMade) typeOn(input);
}

/** Who types another name after all types it where the last one was. */
function typeOn(input) {
  const end = new AbortController();
  const onKey = (event) => {
    end.abort();
    const isLetter = /^\p{L}$/u.test(event.key);
    if (!isLetter || event.ctrlKey || event.metaKey || event.altKey || !input.isConnected) return;
    event.stopPropagation();
    input.focus();
  };
  const options = { capture: true, signal: end.signal };
  document.addEventListener("keydown", onKey, options);
  document.addEventListener("pointerdown", () => end.abort(), options);
}

/** A new label, or the one of that name; gives its id. */
export async function create(name) {
  const known = project.labels.find((each) => each.name.toLowerCase() === name.toLowerCase());
  if (known) return known.id;
  const told = await send("/api/labels", { name });
  await refresh();
  return told.id;
}

/** Give photos a new label of their own. */
export async function splitOff(ids) {
  const [input, line] = field("Name of the new label", "", { required: true });
  await question(
    "New label for these photos",
    [make("p", {}, `${many(ids.length, "photo")} will have it in place of theirs.`), line],
    "Make the label",
    {
      check: () => (input.value.trim() ? "" : "It needs a name."),
      act: () => change("/api/labels/split", { ids, name: input.value.trim() }),
    },
  );
}

async function change(path, values, method = "POST") {
  await send(path, values, method);
  await refresh();
  await load();
}

/** Everything that can be changed about a label. */
async function edit(id) {
  const each = labelOf(id);
  const place = project.labels.indexOf(each);
  const [name, nameLine] = field("Name", each.name, { required: true });
  const [color, colors] = swatches(each.color);
  const places = project.labels.map((_, number) => [
    number,
    `${number + 1}${number < 9 ? ` (key ${number + 1})` : ""}`,
  ]);
  const [position, positionLine] = choice("Place in the list", places, place);
  const others = project.labels
    .filter((other) => other !== each)
    .map((other) => [other.id, other.name]);
  const [merge, mergeLine] = choice(
    "What else",
    [
      ["", "Keep this label"],
      ...others.map(([other, text]) => [other, `Merge into ${text}`]),
      ["remove", "Remove it: its photos have none then"],
    ],
    "",
  );
  const key = make(
    "p.soft.small",
    {},
    "Programs know it as ",
    make("code", {}, each.key),
    ", whatever its name is.",
  );
  const act = () => {
    if (merge.value === "remove") return change(`/api/labels/${id}`, {}, "DELETE");
    if (merge.value) return change("/api/labels/merge", { from: id, into: Number(merge.value) });
    const wanted = { name: name.value.trim(), color: color(), position: Number(position.value) };
    return save(each, wanted, place);
  };
  await question(`Label ${each.name}`, [nameLine, colors, positionLine, mergeLine, key], "Save", {
    check: () => (name.value.trim() ? "" : "It needs a name."),
    act,
  });
}

async function save(each, wanted, place) {
  const values = {};
  if (wanted.name !== each.name) values.name = wanted.name;
  if (wanted.color !== each.color) values.color = wanted.color;
  if (wanted.position !== place) values.position = wanted.position;
  if (!Object.keys(values).length) return;
  await send(`/api/labels/${each.id}`, values, "PATCH");
  await refresh();
}

function swatches(chosen) {
  let value = chosen;
  const all = COLORS.includes(chosen) ? COLORS : [chosen, ...COLORS];
  const inputs = all.map((color, number) =>
    make(
      "label.swatch",
      { style: { "--class": color } },
      make("input", {
        type: "radio",
        name: "color",
        value: color,
        checked: color === chosen,
        "aria-label": `Colour ${number + 1}`,
        on: { change: () => (value = color) },
      }),
    ),
  );
  return [() => value, make("fieldset.swatches", {}, make("legend", {}, "Colour"), ...inputs)];
}
