// The answers: a card for each brain, changed in place, so that nothing jumps while a camera runs.

import { make, number, percent } from "./dom.mjs";

const NUM_BARS = 5;
const SURE = 0.5; // from here on a label of several is said to be there
const LIMIT = 1; // of `unfamiliar`

/** What a brain says, for people: {text, score, isStrange}. */
export function verdict(brain, answer) {
  if (brain.task === "regress") {
    return { text: number(answer.values.data[0]), score: 1, isStrange: isStrange(answer) };
  }
  const scores = answer.scores.data;
  const order = ranked(scores);
  const top = order[0];
  if (isStrange(answer)) return { text: "None of these", score: scores[top], isStrange: true };
  if (brain.task === "classify") {
    return { text: brain.labels[top].name, score: scores[top], isStrange: false };
  }
  const present = order.filter((label) => scores[label] >= SURE);
  const text = present.map((label) => brain.labels[label].name).join(" and ") || "None of these";
  return { text, score: scores[top], isStrange: false };
}

const isStrange = (answer) => answer.unfamiliar !== undefined && answer.unfamiliar.data[0] > LIMIT;

const ranked = (scores) => [...scores.keys()].sort((a, b) => scores[b] - scores[a] || a - b);

/** The label with the highest score. */
export const topLabel = (answer) => (answer.scores ? ranked(answer.scores.data)[0] : 0);

/** One brain's card. */
export class Card {
  /**
   * @param place of the brain in site.brains
   * @param brain as in site.json
   * @param act {look(place, label), teach(place, truth)}; `truth` is a list of names, or a number
   */
  constructor(place, brain, act) {
    Object.assign(this, { place, brain, act, truth: null });
    this.verdict = make(brain.task === "regress" ? "p.value" : "p.verdict");
    this.note = make("p.small");
    this.rows = brain.task === "regress" ? [] : this.makeRows();
    this.element = make(
      "article.card",
      { "aria-label": brain.name },
      make("h2.brain", {}, brain.task === "regress" ? `${brain.name}: ${brain.labels[0].name}` : brain.name),
      this.verdict,
      this.note,
      make("ol.bars", { "aria-label": `Labels of ${brain.name}` }, ...this.rows.map((row) => row.item)),
      this.makeTeaching(),
    );
  }

  makeRows() {
    return Array.from({ length: Math.min(NUM_BARS, this.brain.labels.length) }, () => {
      const row = { label: 0 };
      row.name = make("span.name");
      row.score = make("span.score");
      row.fill = make("span.fill");
      row.fill.style.display = "block";
      const track = make("span.track", { "aria-hidden": "true" }, row.fill);
      row.bar = make("button.bar", { type: "button" }, row.name, row.score, track);
      row.tick = make("button.tick", { type: "button" }, "✓");
      row.item = make("li", {}, row.bar, row.tick);
      // With a running camera the label may change between the finger's coming and going.
      const aim = () => (row.aimed = row.label);
      const aimed = () => row.aimed ?? row.label;
      row.item.addEventListener("pointerdown", aim);
      row.bar.addEventListener("click", () => this.act.look(this.place, aimed()));
      row.tick.addEventListener("click", () => this.teachLabel(this.brain.labels[aimed()].name));
      row.item.addEventListener("click", () => (row.aimed = undefined));
      return row;
    });
  }

  makeTeaching() {
    const { brain } = this;
    this.keep = make("button", { type: "button" }, "Keep");
    if (brain.task === "regress") {
      this.field = make("input", { type: "number", step: "any", "inputmode": "decimal" });
      this.keep.addEventListener("click", () => {
        if (this.field.value !== "") this.act.teach(this.place, Number(this.field.value));
        else this.field.focus();
      });
    } else {
      const options = brain.labels.map((label, index) => make("option", { value: index }, label.name));
      const first = make("option", { value: "" }, "Choose…");
      this.field = make("select", {}, first, ...options, make("option", { value: "none" }, "None of these"));
      this.keep.addEventListener("click", () => this.teachChosen());
    }
    const question = brain.task === "regress" ? "The right value" : "Something else is right";
    this.field.setAttribute("aria-label", question);
    return make(
      "details.teach",
      {},
      make("summary", {}, question),
      make("div.teach-row", {}, this.field, this.keep),
    );
  }

  teachChosen() {
    const { value } = this.field;
    if (value === "") return this.field.focus();
    if (value === "none") return this.act.teach(this.place, []);
    this.teachLabel(this.brain.labels[Number(value)].name, true);
  }

  /** One label is the truth; of a brain with several at once, one more or one less. */
  teachLabel(name, onlyAdd = false) {
    const known = Array.isArray(this.truth) ? this.truth : [];
    if (this.brain.task !== "multilabel") {
      const isSame = known.includes(name) && !onlyAdd;
      return this.act.teach(this.place, isSame ? null : [name]);
    }
    const others = known.filter((other) => other !== name);
    const isLess = others.length < known.length && !onlyAdd;
    const truth = isLess ? others : [...others, name];
    this.act.teach(this.place, truth.length || !isLess ? truth : null);
  }

  /**
   * Show an answer.
   * @param answer of this brain
   * @param seen {label of the heat map or null, truth that was taught of this photo or null}
   */
  update(answer, seen) {
    this.truth = seen.truth;
    const said = verdict(this.brain, answer);
    setText(this.verdict, said.text);
    setText(this.note, this.noteOn(answer, said));
    this.element.classList.toggle("strange", said.isStrange);
    const scores = answer.scores?.data;
    const order = scores ? ranked(scores) : [];
    for (const [place, row] of this.rows.entries()) this.updateRow(row, order[place], scores, seen, place);
  }

  noteOn(answer, said) {
    const { brain } = this;
    const limit = answer.unfamiliar?.data[0];
    if (said.isStrange) return `Unlike the photos it learnt from (${limit.toFixed(1)} times the limit).`;
    if (brain.task === "regress") {
      return brain.residual_90 === null ? "" : `9 in 10 are within ± ${number(brain.residual_90)}.`;
    }
    return brain.task === "multilabel" ? "Each label stands for itself." : `${percent(said.score)} sure`;
  }

  updateRow(row, label, scores, seen, place) {
    row.label = label;
    const { name } = this.brain.labels[label];
    const isThere = this.brain.task === "multilabel" ? scores[label] >= SURE : place === 0;
    row.item.classList.toggle("first", isThere);
    setText(row.name, name);
    row.name.title = name;
    setText(row.score, percent(scores[label]));
    row.fill.style.transform = `scaleX(${scores[label].toFixed(4)})`;
    setAttribute(row.bar, "aria-pressed", String(seen.label === label));
    row.bar.disabled = !this.brain.has_heatmap;
    const isTrue = Array.isArray(seen.truth) && seen.truth.includes(name);
    setAttribute(row.tick, "aria-pressed", String(isTrue));
    setAttribute(row.tick, "aria-label", `${name} is right`);
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
