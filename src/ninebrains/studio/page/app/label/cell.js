// One photo in the grid: its picture, and its label or what is suggested.

import { make } from "../core/dom.js";
import { labelAt, suggestionAt, surenessAt, view } from "../core/photos.js";
import { labelOf } from "../core/project.js";

/** An empty cell: its element, and the parts of it that change. */
export function makeCell() {
  const picture = make("img", { alt: "", decoding: "async", draggable: false });
  picture.addEventListener(
    "error",
    () => picture.getAttribute("src") && picture.classList.add("lost"),
  );
  const dot = make("span.dot");
  const name = make("span.name");
  const toward = make("span.toward");
  const sure = make("span.sure");
  const caption = make("span.caption", {}, dot, name, toward, sure);
  const picked = make("span.picked", { "aria-hidden": "true" });
  const element = make(
    "div.cell",
    { role: "option" },
    make("span.shot", {}, picture),
    picked,
    caption,
  );
  return { element, picture, dot, name, toward, sure };
}

/** Label or suggestion of a photo, in its cell. */
export function paint(cell) {
  const label = labelOf(labelAt(cell.id));
  const suggested = labelOf(suggestionAt(cell.id));
  const isOther = suggested && label && suggested !== label && view.name === "errors";
  const shown = isOther ? suggested : (label ?? suggested);
  cell.element.classList.toggle("labelled", Boolean(label));
  cell.element.classList.toggle("suggested", Boolean(shown) && shown !== label);
  cell.element.style.setProperty("--class", shown?.color ?? "transparent");
  cell.name.textContent = label?.name ?? (suggested ? `${suggested.name}?` : "");
  cell.toward.textContent = isOther ? `→ ${suggested.name}?` : "";
  const sureness = shown && shown !== label ? `${surenessAt(cell.id)} %` : "";
  cell.sure.textContent = isOther ? "" : sureness;
  const what = [cell.name.textContent || "no label", cell.toward.textContent, sureness]
    .filter(Boolean)
    .join(" ");
  cell.element.title = isOther ? what : "";
  cell.element.setAttribute("aria-label", `Photo ${cell.place + 1}: ${what}`);
}
