// The canvas of the map: points, thumbnails where there is room for them, and the lasso.

import { make } from "../core/dom.js";
import { labelAt, suggestionAt } from "../core/photos.js";
import { labelOf, thumb } from "../core/project.js";

const MOST_THUMBNAILS = 160;
const FARTHEST = 0.8;
const NEAREST = 60;

/** Whether a point is inside a closed line of points (even-odd rule). */
export function isInside(x, y, line) {
  let inside = false;
  for (let here = 0, before = line.length - 1; here < line.length; before = here++) {
    const [[x1, y1], [x2, y2]] = [line[here], line[before]];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  }
  return inside;
}

/** A map that can be looked at. */
export class MapCanvas {
  constructor(onChoice) {
    this.element = make("canvas.map", {
      tabIndex: 0,
      id: "map",
      role: "application",
      "aria-label":
        "Map of the photos. Arrow keys move, plus and minus zoom, Enter chooses what is seen.",
    });
    Object.assign(this, {
      onChoice,
      onMode: () => {},
      mode: "move",
      ids: [],
      x: [],
      y: [],
      chosen: new Set(),
      zoom: 1,
      left: 0,
      top: 0,
      line: null,
      pictures: new Map(),
    });
    this.pen = this.element.getContext("2d");
    this.resizing = new ResizeObserver(() => this.#fit());
    this.resizing.observe(this.element);
    this.element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.element.addEventListener("pointerdown", (event) => this.#press(event));
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.onDark = () => this.paintSoon();
    this.dark.addEventListener("change", this.onDark);
  }

  /** Put photos on it; x and y in 0..1. */
  setPoints(ids, x, y) {
    Object.assign(this, { ids, x, y });
    this.element.dataset.points = ids.length;
    this.choose([...this.chosen].filter((id) => ids.includes(id)));
  }

  /** "move" or "lasso": what dragging does. */
  setMode(mode) {
    this.mode = mode;
    this.element.classList.toggle("lasso", mode === "lasso");
    this.onMode(mode);
  }

  choose(ids) {
    this.chosen = new Set(ids);
    this.onChoice(ids);
    this.paintSoon();
  }

  chooseSeen() {
    const { width, height } = this.size;
    this.choose(
      this.ids.filter((_, place) => {
        const [x, y] = this.#at(place);
        return x >= 0 && y >= 0 && x <= width && y <= height;
      }),
    );
  }

  reset() {
    Object.assign(this, { zoom: 1, left: 0, top: 0 });
    this.paintSoon();
  }

  panBy(x, y) {
    this.left += x;
    this.top += y;
    this.paintSoon();
  }

  zoomBy(factor, x = this.size.width / 2, y = this.size.height / 2) {
    const zoom = Math.max(FARTHEST, Math.min(NEAREST, this.zoom * factor));
    const real = zoom / this.zoom;
    this.left = x - (x - this.left) * real;
    this.top = y - (y - this.top) * real;
    this.zoom = zoom;
    this.paintSoon();
  }

  end() {
    this.resizing.disconnect();
    this.dark.removeEventListener("change", this.onDark);
    cancelAnimationFrame(this.frame);
  }

  paintSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.#paint();
    });
  }

  get size() {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  #fit() {
    const { width, height } = this.size;
    const scale = devicePixelRatio || 1;
    this.element.width = Math.round(width * scale);
    this.element.height = Math.round(height * scale);
    this.pen.setTransform(scale, 0, 0, scale, 0, 0);
    this.#paint();
  }

  #at(place) {
    const { width, height } = this.size;
    const side = Math.min(width, height) - 48;
    return [
      this.left + this.zoom * ((width - side) / 2 + this.x[place] * side),
      this.top + this.zoom * ((height - side) / 2 + this.y[place] * side),
    ];
  }

  #paint() {
    const { pen } = this;
    const { width, height } = this.size;
    const style = getComputedStyle(this.element);
    const [ink, soft, accent] = ["--ink", "--edge", "--accent"].map((name) =>
      style.getPropertyValue(name),
    );
    pen.clearRect(0, 0, width, height);
    const seen = [];
    for (let place = 0; place < this.ids.length; place++) {
      const [x, y] = this.#at(place);
      if (x > -40 && y > -40 && x < width + 40 && y < height + 40) seen.push([place, x, y]);
    }
    const shows = seen.length <= MOST_THUMBNAILS;
    const side = shows ? Math.min(72, 26 + 4 * this.zoom) : 0;
    for (const [place, x, y] of seen) this.#point(this.ids[place], x, y, side, { soft, accent });
    if (this.line) this.#drawLine(ink);
  }

  #point(id, x, y, side, { soft, accent }) {
    const { pen } = this;
    const [label, suggested] = [labelOf(labelAt(id)), labelOf(suggestionAt(id))];
    const color = label?.color ?? suggested?.color ?? soft;
    const picture = side ? this.#picture(id) : null;
    pen.lineWidth = 2;
    if (picture) {
      pen.drawImage(picture, x - side / 2, y - side / 2, side, side);
      pen.strokeStyle = this.chosen.has(id) ? accent : color;
      pen.lineWidth = this.chosen.has(id) ? 5 : 2.5;
      pen.strokeRect(x - side / 2, y - side / 2, side, side);
      return;
    }
    pen.beginPath();
    pen.arc(x, y, 4, 0, 2 * Math.PI);
    pen.fillStyle = pen.strokeStyle = color;
    if (label) pen.fill();
    else pen.stroke();
    if (!this.chosen.has(id)) return;
    pen.beginPath();
    pen.arc(x, y, 8, 0, 2 * Math.PI);
    pen.strokeStyle = accent;
    pen.stroke();
  }

  #picture(id) {
    const known = this.pictures.get(id);
    if (known) return known.complete && known.naturalWidth ? known : null;
    const picture = new Image();
    picture.addEventListener("load", () => this.paintSoon());
    picture.src = thumb(id);
    this.pictures.set(id, picture);
    return null;
  }

  #drawLine(ink) {
    const { pen } = this;
    pen.beginPath();
    this.line.forEach(([x, y], place) => (place ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.closePath();
    pen.strokeStyle = ink;
    pen.lineWidth = 1.5;
    pen.setLineDash([5, 4]);
    pen.stroke();
    pen.setLineDash([]);
  }

  #wheel(event) {
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
  }

  #press(event) {
    if (event.button !== 0) return;
    this.element.focus({ preventScroll: true });
    this.element.setPointerCapture(event.pointerId);
    const draws = this.mode === "lasso" || event.shiftKey;
    let [x, y] = [event.offsetX, event.offsetY];
    if (draws) this.line = [[x, y]];
    const move = (moved) => {
      if (draws) this.line.push([moved.offsetX, moved.offsetY]);
      else this.panBy(moved.offsetX - x, moved.offsetY - y);
      [x, y] = [moved.offsetX, moved.offsetY];
      this.paintSoon();
    };
    const stop = () => {
      this.element.removeEventListener("pointermove", move);
      if (draws) {
        const line = this.line;
        this.line = null;
        this.choose(this.ids.filter((_, place) => isInside(...this.#at(place), line)));
      }
    };
    this.element.addEventListener("pointermove", move);
    this.element.addEventListener("pointerup", stop, { once: true });
    this.element.addEventListener("pointercancel", stop, { once: true });
  }
}
