// Galleries label by label: what was recognised, what was not, and where the brain looked.

import { get } from "../core/api.js";
import { attempt, fill, make } from "../core/dom.js";
import { choice, tick } from "../core/dialogs.js";
import { heat, nameOf, whole } from "../core/project.js";
import { count } from "../core/words.js";

const MOST = 24;

/** Show the galleries of one label. */
export function show(root, run, rest) {
  const first = run.labels.find((label) => String(label.id) === rest) ?? run.labels[0];
  const [select, line] = choice(
    "Label",
    run.labels.map((label) => [label.id, label.name]),
    first.id,
    { id: "looks-label" },
  );
  const [showsHeat, heatLine] = tick("Show where it looks", true, { id: "looks-heat" });
  const body = make("div.galleries");
  let number = 0;

  const paint = async () => {
    const mine = ++number;
    const label = Number(select.value);
    const found = await attempt(() => read(label));
    if (mine !== number || !found) return;
    const { wrong, right } = found;
    fill(
      body,
      gallery(
        `Taken for something else (${count(wrong.ids.length)})`,
        wrong,
        label,
        run.id,
        "All of its photos kept for checking were recognised.",
      ),
      gallery(`Recognised (${count(right.ids.length)})`, right, label, run.id, "None yet."),
    );
  };
  select.addEventListener("change", () => (location.hash = `#/understand/looks/${select.value}`));
  showsHeat.addEventListener("change", () =>
    body.classList.toggle("plain-photos", !showsHeat.checked),
  );
  root.append(
    make(
      "section.card",
      {},
      make("h2", {}, "Where it looks"),
      make(
        "p.soft",
        {},
        "Each photo twice: what speaks for what the brain said, and what for the label that people gave. Warm is much, clear is nothing.",
      ),
      make("div.row", {}, line, heatLine),
    ),
    body,
  );
  void paint();
}

async function read(label) {
  const all = await get("/api/photos?view=test");
  const places = all.ids
    .map((_, place) => place)
    .filter((place) => all.labels[place] === label && all.suggested[place]);
  const those = (isRight) => {
    const chosen = places.filter((place) => (all.suggested[place] === label) === isRight);
    return Object.fromEntries(
      ["ids", "suggested", "sure"].map((name) => [name, chosen.map((place) => all[name][place])]),
    );
  };
  return { wrong: those(false), right: those(true) };
}

function gallery(title, found, label, run, none) {
  const shots = found.ids
    .slice(0, MOST)
    .map((id, place) => pair(id, label, found.suggested[place], found.sure[place], run));
  const more =
    found.ids.length > MOST
      ? make("p.soft.small", {}, `The first ${MOST} of ${count(found.ids.length)}.`)
      : null;
  return make(
    "section.card",
    {},
    make("h3", {}, title),
    shots.length ? make("ul.pairs", {}, ...shots) : make("p.soft", {}, none),
    more,
  );
}

function pair(id, given, answered, sure, run) {
  const shown = answered && answered !== given ? [answered, given] : [given];
  const pictures = shown.map((label) =>
    make(
      "span.shot",
      {},
      make("img", { src: whole(id), alt: "", loading: "lazy", decoding: "async" }),
      make("img.heat", { src: heat(id, label, run), alt: "", loading: "lazy", decoding: "async" }),
      make("span.tag", {}, nameOf(label)),
    ),
  );
  const words = answered === given ? `${sure} % sure` : `Said ${nameOf(answered)}, ${sure} % sure`;
  return make(
    "li",
    {},
    make(
      "a.pair",
      { href: `#/label/${encodeURIComponent(`ids:${id}`)}` },
      make("span.unseen", {}, `Open photo ${id}: `),
      ...pictures,
    ),
    make("p.small.soft", {}, words),
  );
}
