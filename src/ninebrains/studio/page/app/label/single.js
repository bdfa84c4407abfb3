// One photo, large: what it is, what the brain says of it, and where the brain looks.

import { get } from "../core/api.js";
import { attempt, button, fill, make } from "../core/dom.js";
import { labelAt, view } from "../core/photos.js";
import { follow, heat, labelOf, nameOf, project, thumb, whole } from "../core/project.js";
import { count, percent, plain } from "../core/words.js";
import { moveTo, selection } from "./selection.js";

const state = { showsHeat: false };

/** The view of one photo; it follows the cursor. */
export function makeSingle({ give, close }) {
  const stage = make("div.stage");
  const side = make("div.about");
  const title = make("h2.unseen", { id: "single-title" });
  const place = make("p.soft.small");
  const bar = make(
    "div.row",
    {},
    button("← All photos", close, { id: "single-close" }),
    button("‹", () => moveTo(selection.cursor - 1), { "aria-label": "Photo before" }),
    button("›", () => moveTo(selection.cursor + 1), { "aria-label": "Next photo" }),
    make("span.spring"),
    place,
  );
  const element = make(
    "section.single",
    { "aria-labelledby": "single-title" },
    title,
    bar,
    make("div.single-body", {}, stage, side),
  );
  let shown = null;
  let facts = null;

  async function show() {
    const id = view.ids[selection.cursor];
    if (id === undefined) return close();
    place.textContent = `${count(selection.cursor + 1)} of ${count(view.ids.length)}`;
    if (id !== shown) {
      shown = id;
      facts = null;
      paint();
    }
    const fresh = await attempt(() => get(`/api/photos/${id}`));
    if (fresh && shown === id) {
      facts = fresh;
      paint();
    }
    return undefined;
  }

  function paint() {
    title.textContent = facts ? `Photo ${facts.name}` : "Photo";
    fill(stage, ...pictures(shown, facts));
    fill(side, ...about(shown, facts, give, show));
  }

  const ends = [
    follow("selection", () => view.ids[selection.cursor] !== shown && show()),
    follow("labelled", ({ ids }) => ids.includes(shown) && paint()),
    follow("labels", () => paint()),
    follow("run", () => show()),
  ];
  void show();
  return { element, repaint: paint, end: () => ends.forEach((end) => end()) };
}

/** Heat maps or none, for this photo and the next ones. */
export function toggleHeat(single) {
  state.showsHeat = !state.showsHeat;
  single.repaint();
}

/** The labels whose heat maps are worth a look: the answer, and the given one or the second. */
function looked(id, facts) {
  const [first, second] = (facts?.suggestions ?? []).map(({ label }) => label);
  const given = labelAt(id);
  return [first, given && given !== first ? given : second].filter((label) => labelOf(label));
}

function pictures(id, facts) {
  const large = () =>
    make("img", {
      src: whole(id),
      alt: facts ? `Photo ${facts.name}` : "Photo",
      decoding: "async",
    });
  if (!state.showsHeat || !project.run) {
    return [make("div.shot", { style: { "background-image": `url("${thumb(id)}")` } }, large())];
  }
  const pairs = looked(id, facts).map((label) =>
    make(
      "figure.looks",
      {},
      make(
        "div.shot",
        {},
        large(),
        make("img.heat", {
          src: heat(id, label, project.run.id),
          alt: `Where the brain sees ${nameOf(label)}`,
        }),
      ),
      make("figcaption", {}, `What speaks for ${nameOf(label)}`),
    ),
  );
  return pairs.length ? pairs : [make("div.shot", {}, large())];
}

function about(id, facts, give, again) {
  const label = labelOf(labelAt(id));
  const parts = [
    make(
      "p.verdict",
      { style: { "--class": label?.color ?? "transparent" } },
      make("span.dot"),
      make("b", {}, label ? label.name : "No label yet"),
      label && button("Take away", () => give(0), { className: "quiet small", title: "0" }),
    ),
  ];
  if (!facts) return parts;
  if (facts.trouble) parts.push(make("p.problem", {}, facts.trouble));
  if (facts.suspect && labelOf(facts.suspect)) {
    parts.push(
      make(
        "p.notice",
        {},
        `This looks more like ${nameOf(facts.suspect)}. `,
        button(`It is ${nameOf(facts.suspect)}`, () => give(facts.suspect), { className: "small" }),
      ),
    );
  }
  parts.push(...says(facts, give, again));
  if (facts.duplicates?.length) parts.push(duplicates(facts.duplicates));
  parts.push(details(facts));
  return parts;
}

function says(facts, give) {
  if (!facts.suggestions?.length)
    return [make("p.soft", {}, "No brain has looked at this photo yet.")];
  const bars = facts.suggestions.slice(0, 5).map(({ label, score }) =>
    make(
      "li",
      { style: { "--share": String(score), "--class": labelOf(label)?.color ?? "var(--soft)" } },
      button(nameOf(label), () => give(label), {
        className: "bar",
        title: `Give the label ${nameOf(label)}`,
      }),
      make("span.score", {}, percent(score)),
    ),
  );
  const far =
    facts.unfamiliar > 1
      ? make("p.notice", {}, "Unlike the photos it learned from: it would say “none of these”.")
      : null;
  const heatButton = project.run
    ? button("Where it looks", () => document.dispatchEvent(new Event("toggle-heat")), {
        "aria-pressed": String(state.showsHeat),
        title: "H",
        id: "heat-toggle",
      })
    : null;
  return [
    make(
      "h3",
      {},
      facts.part === "test" && facts.label
        ? "The brain says, never having seen it"
        : "The brain says",
    ),
    make("ol.bars", {}, ...bars),
    far,
    heatButton,
  ];
}

function duplicates(ids) {
  const links = ids
    .slice(0, 8)
    .map((id) =>
      make(
        "a",
        { href: "#/label/duplicates" },
        make("img", { src: thumb(id), alt: "A photo that is nearly the same" }),
      ),
    );
  return make(
    "div",
    {},
    make(
      "h3",
      {},
      ids.length === 1 ? "Nearly the same photo" : `${count(ids.length)} nearly the same photos`,
    ),
    make("div.strip", {}, ...links),
  );
}

function details(facts) {
  const rows = [
    ["Name", facts.name],
    ["From", facts.source],
    [
      "Size",
      `${count(facts.width)} × ${count(facts.height)} pixels, ${plain(facts.bytes / 1000)} kB`,
    ],
    ["Used for", facts.part === "test" ? "checking: the brain never learns from it" : "learning"],
    ...Object.entries(facts.columns ?? {}),
  ];
  return make(
    "details",
    {},
    make("summary", {}, "About the file"),
    make(
      "dl",
      {},
      ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]),
    ),
  );
}
