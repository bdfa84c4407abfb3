// The area where people label: views and queues on top, labels at the side, photos in the middle.

import { send } from "../core/api.js";
import { accept, acceptable, label, step } from "../core/changes.js";
import { question } from "../core/dialogs.js";
import { attempt, button, fill, make, seldom, toast } from "../core/dom.js";
import * as keys from "../core/keys.js";
import { labelAt, load, view } from "../core/photos.js";
import { follow, project, refresh } from "../core/project.js";
import { many } from "../core/words.js";
import * as adding from "./adding.js";
import { makeGrid } from "./grid.js";
import { makeGuide } from "./guide.js";
import { nameKeys } from "./keys.js";
import { makeLabels, splitOff } from "./labels.js";
import { nothing } from "./nothing.js";
import { makePace } from "./pace.js";
import { clear, moveTo, selection, settle, subjects } from "./selection.js";
import { makeSingle, toggleHeat } from "./single.js";
import { describe, makeViews } from "./views.js";

const MOST_UNASKED = 20;

/** Build the area in `root`. */
export function mount(root) {
  const area = new LabelArea(root);
  return { go: (rest) => area.go(rest), end: () => area.end() };
}

class LabelArea {
  constructor(root) {
    this.single = null;
    this.grid = makeGrid({ open: () => this.openSingle() });
    this.labels = makeLabels(
      (id) => this.give(id),
      () => this.toPhotos(),
    );
    this.pace = makePace();
    this.guide = makeGuide();
    this.views = makeViews();
    this.place = make("div.place");
    this.bar = make("div.chosen-bar", { role: "status" });
    this.line = make("p.view-line.soft");
    const size = make("input", {
      type: "range",
      min: 90,
      max: 320,
      value: localStorage.getItem("size") ?? 150,
      id: "size",
      "aria-label": "Size of the photos",
      on: { input: () => this.resize(Number(size.value)) },
    });
    this.grid.wished = Number(size.value);
    const aside = make(
      "aside.side",
      { "aria-label": "Labels" },
      button("Add photos", adding.ask, { className: "main wide", id: "add-photos" }),
      this.pace.element,
      make("h2", {}, "Labels"),
      this.labels.element,
    );
    const tools = make(
      "div.tools",
      {},
      this.views.element,
      make("span.spring"),
      this.views.search,
      size,
    );
    root.replaceChildren(
      make("h1.unseen", {}, "Label"),
      make(
        "div.label-area",
        {},
        aside,
        make("div.photos", {}, this.guide.element, tools, this.line, this.bar, this.place),
      ),
    );
    this.ends = [
      follow("view", (told) => this.onView(told)),
      follow("selection", () => this.paintBar()),
      follow("labelled", () => this.paintBar()),
      follow("labels", () => this.paintBar()),
      follow("project", () => this.show()),
      this.labels.end,
      this.pace.end,
      this.guide.end,
      this.views.end,
      () => this.grid.end(),
    ];
    this.toggleHeat = () => this.single && toggleHeat(this.single);
    document.addEventListener("toggle-heat", this.toggleHeat);
    nameKeys(this);
    keys.activate("label");
  }

  go(rest) {
    const wanted = decodeURIComponent(rest || "") || (view.name === "" ? "all" : view.name);
    this.closeSingle();
    void load(wanted, view.sort);
  }

  end() {
    this.closeSingle();
    document.removeEventListener("toggle-heat", this.toggleHeat);
    this.ends.forEach((end) => end());
    this.renewSoon.cancel();
    keys.activate("");
  }

  resize(side) {
    localStorage.setItem("size", side);
    this.grid.size(side);
  }

  onView({ begins, isOther } = {}) {
    if (begins) return this.place.setAttribute("aria-busy", "true");
    this.place.removeAttribute("aria-busy");
    settle({ isOther });
    this.show();
    if (isOther) this.grid.restart();
    else this.grid.layout();
    return undefined;
  }

  /** The grid, one photo, or a word on why there is nothing. */
  show() {
    fill(
      this.line,
      describe(view),
      view.isStale && button("Show the new order", () => load(), { className: "quiet small" }),
    );
    this.line.hidden = !this.line.textContent;
    const content = this.single?.element ?? (view.ids.length ? this.grid.element : nothing(view));
    if (view.isLoading && !view.ids.length) return;
    if (this.place.firstChild !== content) this.place.replaceChildren(content);
    this.paintBar();
  }

  paintBar() {
    const number = selection.chosen.size;
    const key = `${number} ${number && acceptable(subjects()).length}`;
    if (key === this.barKey) return;
    this.barKey = key;
    this.bar.hidden = !number;
    if (!number) return;
    const suggested = Number(key.split(" ")[1]);
    fill(
      this.bar,
      make("b", {}, `${many(number, "photo")} chosen`),
      suggested > 0 &&
        button(`Accept ${many(suggested, "suggestion")}`, () => this.accept(), {
          className: "small",
        }),
      button("New label for these", () => splitOff(subjects()), { className: "small" }),
      button("Take the label away", () => this.give(0), { className: "small" }),
      button("Take out of the project", () => this.remove(), { className: "small" }),
      button("Choose none", clear, { className: "small quiet" }),
    );
  }

  /** Have keys go to the photos; says whether there are any. */
  toPhotos() {
    if (this.single || !this.grid.element.isConnected) return false;
    this.grid.reveal();
    this.grid.element.focus({ preventScroll: true });
    return true;
  }

  openSingle() {
    if (this.single || !view.ids.length) return false;
    this.single = makeSingle({
      give: (id) => this.give(id, { stay: true }),
      close: () => this.closeSingle(),
    });
    keys.activate("single");
    this.show();
    return true;
  }

  closeSingle() {
    if (!this.single) return false;
    this.single.end();
    this.single = null;
    keys.activate("label");
    this.show();
    this.grid.layout();
    this.grid.reveal();
    this.grid.element.focus({ preventScroll: true });
    return true;
  }

  /** Give the chosen photos a label, then go on to the next one. */
  give(id, { stay = false } = {}) {
    const ids = subjects();
    if (!ids.length) return;
    const confirms = id && view.name === "errors" && ids.every((each) => labelAt(each) === id);
    label(ids, id, { confirms });
    if (!stay || isGoingOn()) this.next(ids);
  }

  accept() {
    const ids = subjects();
    const taken = accept(ids);
    // A photo that has its label is passed over; several, or one without a suggestion, stay.
    const passes = ids.length === 1 && labelAt(ids[0]) && !selection.chosen.size;
    if (!taken.length && !passes) return false;
    this.next(taken.length ? taken : ids);
    return true;
  }

  keep() {
    if (view.name !== "errors") return false;
    const ids = subjects();
    for (const id of ids) label([id], labelAt(id), { confirms: true });
    this.next(ids);
    return true;
  }

  /** After one photo the cursor goes to the next; after several the choice ends. */
  next(ids) {
    if (selection.chosen.size) return clear();
    if (ids.length === 1) moveTo(placeAfter(selection.cursor));
    if (!this.single) this.grid.reveal();
    if (isDone()) this.renewSoon();
    return undefined;
  }

  renewSoon = seldom(async () => {
    if (!isDone()) return;
    await load();
    moveTo(0);
    this.grid.reveal();
  }, 400);

  async remove() {
    const ids = subjects();
    if (!ids.length || (ids.length > MOST_UNASKED && !(await isMeant(ids.length)))) return;
    await attempt(async () => {
      await send("/api/photos/remove", { ids });
      clear();
      await refresh();
      await load();
      const { undo } = project;
      toast(`${many(ids.length, "photo")} taken out.`, {
        seconds: 15,
        action: { text: "Undo", act: () => attempt(() => takeBack(undo)) },
      });
    });
  }

  move(step, extend) {
    moveTo(selection.cursor + step, { extend });
    if (!this.single) this.grid.reveal();
  }
}

const isMeant = (number) =>
  question(
    `Take ${many(number, "photo")} out of the project?`,
    [make("p", {}, "Their labels go with them. Undo brings both back, also later.")],
    `Take out ${many(number, "photo")}`,
    { danger: true },
  );

/** Undo a removal, as long as it is the latest step. */
function takeBack(text) {
  if (project.undo === text) return step("undo");
  throw new Error("Other steps came after that. Undo (key U) goes back through them, one by one.");
}

const isGoingOn = () => ["unlabelled", "review"].includes(view.name);

/** Where the cursor goes after a photo: in a queue to the next one that has no label. */
function placeAfter(place) {
  const isOpen = (id) => !labelAt(id);
  if (!isGoingOn()) return place + 1;
  const later = view.ids.findIndex((id, other) => other > place && isOpen(id));
  const any = later < 0 ? view.ids.findIndex(isOpen) : later;
  return any < 0 ? place : any;
}

/** Whether every photo of a queue has been dealt with. */
const isDone = () => isGoingOn() && view.ids.length > 0 && view.ids.every((id) => labelAt(id));
