// Small ways to make and find parts of the page. Text goes in as text: no name can become markup.

/** An element by its id. */
export const part = (id) => document.getElementById(id);

/**
 * A new element.
 * @param tag such as "li" or "button.small"
 * @param properties of the element; names with a dash, and `role`, are set as attributes; `on`
 *   holds listeners, `style` custom properties and styles
 * @param children elements and texts; null, undefined and false are left out
 */
export function make(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.classList.add(...classes);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key === "on")
      for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (key === "style")
      for (const [rule, set] of Object.entries(value)) element.style.setProperty(rule, set);
    else if (key.includes("-") || key === "role" || key === "for" || key === "list")
      element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** A new SVG element; all properties are attributes. */
export function draw(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElementNS(SVG, name);
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** Put other children into an element; one that has the focus keeps it where it comes back by id. */
export function fill(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  element.replaceChildren(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  if (focused) part(focused)?.focus({ preventScroll: true });
}

/** A button. */
export const button = (text, act, properties = {}) =>
  make("button", { type: "button", ...properties, on: { click: act, ...properties.on } }, text);

/** A line with a title, what it means and something to press: for places without content. */
export const empty = (title, text, ...actions) =>
  make(
    "div.empty",
    {},
    make("h2", {}, title),
    make("p", {}, text),
    make("div.row", {}, ...actions),
  );

let said = "";

/** Tell people who listen instead of looking; the same thing is not said twice. */
export function announce(text) {
  if (text === said) return;
  said = text;
  part("spoken").textContent = text;
}

/**
 * Show a line for some seconds.
 * @param text one sentence
 * @param options kind "problem" stays until it is closed or another area is opened; action
 *   {text, act} adds a button; seconds that it stays
 */
export function toast(text, { kind = "note", action = null, seconds = 6 } = {}) {
  const list = part("toasts");
  const close = () => line.remove();
  const line = make(
    `div.toast.${kind}`,
    {},
    make("span", {}, text),
    action && button(action.text, () => (close(), action.act())),
    button("×", close, { "aria-label": "Close this message" }),
  );
  for (const other of [...list.children]) if (other.firstChild.textContent === text) other.remove();
  list.append(line);
  while (list.children.length > 4) list.firstChild.remove();
  if (kind !== "problem") setTimeout(close, seconds * 1000);
}

/** Close the lines about problems: whoever opens another area has read them. */
export function endProblems() {
  for (const line of [...part("toasts").children])
    if (line.classList.contains("problem")) line.remove();
}

/** Do something that may fail, and show what happened if it does. */
export async function attempt(act) {
  try {
    return await act();
  } catch (error) {
    toast(error.message || String(error), { kind: "problem" });
    return undefined;
  }
}

/** Call once a while after the last call; `cancel` takes back what has not happened yet. */
export function seldom(act, milliseconds) {
  let timer;
  const call = () => {
    clearTimeout(timer);
    timer = setTimeout(act, milliseconds);
  };
  call.cancel = () => clearTimeout(timer);
  return call;
}

/** Scroll a strip of links sideways, or what it is in, so that the current one is seen. */
export function showCurrent(links) {
  const current = links.querySelector("[aria-current=page]");
  const isWide = (each) => each && each.scrollWidth > each.clientWidth;
  const strip = [links, links.parentElement].find(isWide);
  if (!current || !strip) return;
  const [inner, outer] = [current.getBoundingClientRect(), strip.getBoundingClientRect()];
  strip.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
}
