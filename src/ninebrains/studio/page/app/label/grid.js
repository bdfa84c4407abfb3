// The grid of photos: only what is seen is in the document, however many there are.

import { make } from "../core/dom.js";
import { view } from "../core/photos.js";
import { follow, thumb } from "../core/project.js";
import { makeCell, paint } from "./cell.js";
import { choose, moveTo, selection, toggle } from "./selection.js";

const GAP = 8;
const ROWS_BEYOND = 2;
const CAPTION = 26;

/** The grid: `element` to put somewhere, and ways to move it. */
export function makeGrid({ open }) {
  const spacer = make("div.spacer", { role: "presentation" });
  const element = make(
    "div.grid",
    {
      tabIndex: 0,
      role: "listbox",
      id: "grid",
      "aria-multiselectable": "true",
      "aria-label": "Photos",
    },
    spacer,
  );
  const grid = new Grid(element, spacer, open);
  return grid;
}

class Grid {
  constructor(element, spacer, open) {
    Object.assign(this, {
      element,
      spacer,
      open,
      cells: new Map(),
      spare: [],
      columns: 1,
      side: 150,
      wished: 150,
      scrolled: 0,
      tall: 0,
    });
    const onScroll = () => {
      this.scrolled = element.scrollTop;
      this.#soon();
    };
    element.addEventListener("scroll", onScroll, { passive: true });
    element.addEventListener("pointerdown", (event) => this.#press(event));
    element.addEventListener("click", (event) => this.#placeOf(event) !== null && this.reveal());
    element.addEventListener("dblclick", (event) => this.#placeOf(event) !== null && this.open());
    this.resizing = new ResizeObserver(() => this.layout());
    this.resizing.observe(element);
    this.ends = [
      follow("labelled", ({ ids }) => this.#repaint(new Set(ids))),
      follow("labels", () => this.#repaint(null)),
      follow("selection", () => this.#select()),
    ];
  }

  /** Wish for photos of a size in pixels; columns are made to fit. */
  size(side) {
    this.wished = side;
    this.layout();
  }

  /** Work out columns and rows anew, after the view or the space changed. */
  layout() {
    const width = this.element.clientWidth - 2 * GAP;
    if (width <= 0) return;
    const first = Math.floor(this.scrolled / this.height) * this.columns;
    const before = `${this.columns} ${this.height}`;
    const follows = this.#isSeen(selection.cursor);
    this.columns = Math.max(2, Math.floor((width + GAP) / (this.wished + GAP)));
    this.side = Math.floor((width + GAP) / this.columns) - GAP;
    const rows = Math.ceil(view.ids.length / this.columns);
    this.spacer.style.height = `${rows * this.height + GAP}px`;
    const isSame = before === `${this.columns} ${this.height}`;
    const top = isSame ? this.scrolled : Math.floor(first / this.columns) * this.height;
    if (this.element.scrollTop !== top) this.element.scrollTop = top;
    for (const place of [...this.cells.keys()]) this.#drop(place);
    if (follows) this.reveal();
    else this.#paint();
  }

  /** Whether all of a photo was seen, as far as there was room, when it was painted last. */
  #isSeen(place) {
    const top = Math.floor(place / this.columns) * this.height - this.scrolled;
    if (this.height > this.tall) return top < this.tall && top + this.height > 0;
    return top >= 0 && top + this.height <= this.tall;
  }

  get height() {
    return this.side + CAPTION + GAP;
  }

  /** From the beginning: another view. */
  restart() {
    this.element.scrollTop = this.scrolled = 0;
    this.layout();
  }

  /** Number of photos in a row, and of whole rows that are seen. */
  get steps() {
    return {
      row: this.columns,
      page: this.columns * Math.max(1, Math.floor(this.element.clientHeight / this.height)),
    };
  }

  /** Scroll so that the cursor is seen. */
  reveal() {
    const top = Math.floor(selection.cursor / this.columns) * this.height;
    const { scrollTop, clientHeight } = this.element;
    const bottom = top + this.height + GAP - clientHeight;
    if (bottom > scrollTop) this.element.scrollTop = bottom;
    else if (top < scrollTop) this.element.scrollTop = Math.max(top, bottom);
    this.#paint();
  }

  /** Take it away for good. */
  end() {
    this.resizing.disconnect();
    this.ends.forEach((end) => end());
  }

  #soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.#paint();
    });
  }

  #paint() {
    const { scrollTop, clientHeight } = this.element;
    if (clientHeight) Object.assign(this, { scrolled: scrollTop, tall: clientHeight });
    const first = Math.max(0, Math.floor(scrollTop / this.height) - ROWS_BEYOND) * this.columns;
    const last = Math.min(
      view.ids.length,
      (Math.ceil((scrollTop + clientHeight) / this.height) + ROWS_BEYOND) * this.columns,
    );
    for (const place of [...this.cells.keys()])
      if (place < first || place >= last) this.#drop(place);
    for (let place = first; place < last; place++) if (!this.cells.has(place)) this.#show(place);
    this.#select();
  }

  #drop(place) {
    const cell = this.cells.get(place);
    this.cells.delete(place);
    cell.picture.removeAttribute("src");
    cell.element.remove();
    if (this.spare.length < 60) this.spare.push(cell);
  }

  #show(place) {
    const cell = this.spare.pop() ?? makeCell();
    const { style } = cell.element;
    style.transform = `translate(${GAP + (place % this.columns) * (this.side + GAP)}px, ${GAP + Math.floor(place / this.columns) * this.height}px)`;
    style.width = `${this.side}px`;
    style.height = `${this.side + CAPTION}px`;
    cell.id = view.ids[place];
    cell.place = place;
    cell.element.id = `photo-${cell.id}`;
    cell.element.dataset.place = place;
    cell.element.setAttribute("aria-posinset", place + 1);
    cell.element.setAttribute("aria-setsize", view.ids.length);
    cell.element.classList.toggle("starts", isStart(place));
    cell.picture.classList.remove("lost");
    cell.picture.src = thumb(cell.id);
    paint(cell);
    this.cells.set(place, cell);
    this.spacer.append(cell.element);
  }

  #repaint(ids) {
    for (const cell of this.cells.values()) if (!ids || ids.has(cell.id)) paint(cell);
  }

  #select() {
    const several = selection.chosen.size > 0;
    this.element.classList.toggle("several", several);
    for (const [place, cell] of this.cells) {
      const isCursor = place === selection.cursor;
      cell.element.classList.toggle("cursor", isCursor);
      cell.element.setAttribute(
        "aria-selected",
        String(several ? selection.chosen.has(cell.id) : isCursor),
      );
    }
    const at = this.cells.get(selection.cursor);
    if (at) this.element.setAttribute("aria-activedescendant", at.element.id);
    else this.element.removeAttribute("aria-activedescendant");
  }

  #placeOf(event) {
    const cell = event.target.closest("[data-place]");
    return cell ? Number(cell.dataset.place) : null;
  }

  #press(event) {
    if (event.button !== 0) return;
    const place = this.#placeOf(event);
    if (place !== null) {
      if (event.target.closest(".picked") || event.ctrlKey || event.metaKey) toggle(place);
      else moveTo(place, { extend: event.shiftKey });
    }
    if (event.pointerType !== "touch" && !event.shiftKey && !event.ctrlKey && !event.metaKey)
      this.#drag(event);
  }

  /** Draw a frame with the mouse: what it touches is chosen. */
  #drag(event) {
    const { element, spacer } = this;
    if (event.offsetX > element.clientWidth && event.target === element) return;
    const at = (moved) => {
      const box = spacer.getBoundingClientRect();
      return [moved.clientX - box.left, moved.clientY - box.top];
    };
    const [startX, startY] = at(event);
    let frame = null;
    const move = (moved) => {
      const [x, y] = at(moved);
      if (!frame && Math.hypot(x - startX, y - startY) < 8) return;
      frame ??= spacer.appendChild(make("div.frame", { role: "presentation" }));
      const [left, top] = [Math.min(x, startX), Math.min(y, startY)];
      const [right, bottom] = [Math.max(x, startX), Math.max(y, startY)];
      Object.assign(frame.style, {
        left: `${left}px`,
        top: `${top}px`,
        width: `${right - left}px`,
        height: `${bottom - top}px`,
      });
      choose(this.#within(left, top, right, bottom));
      const edge = element.getBoundingClientRect();
      if (moved.clientY > edge.bottom - 24) element.scrollTop += 24;
      else if (moved.clientY < edge.top + 24) element.scrollTop -= 24;
    };
    const stop = () => {
      frame?.remove();
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", stop);
      removeEventListener("pointercancel", stop);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", stop);
    addEventListener("pointercancel", stop);
  }

  #within(left, top, right, bottom) {
    const step = this.side + GAP;
    const columns = [
      Math.max(0, Math.floor((left - GAP) / step)),
      Math.min(this.columns - 1, Math.floor((right - GAP) / step)),
    ];
    const rows = [
      Math.max(0, Math.floor((top - GAP) / this.height)),
      Math.floor((bottom - GAP) / this.height),
    ];
    const ids = [];
    for (let row = rows[0]; row <= rows[1]; row++)
      for (let column = columns[0]; column <= columns[1]; column++) {
        const id = view.ids[row * this.columns + column];
        if (id !== undefined) ids.push(id);
      }
    return ids;
  }
}

const isStart = (place) =>
  Boolean(view.groups && place && view.groups[place] !== view.groups[place - 1]);
