// Small ways to make and find parts of the page. Text goes in as text: no label can become markup.

/** An element by its id. */
export const part = (id) => document.getElementById(id);

/**
 * A new element.
 * @param tag such as "li" or "button.small"
 * @param properties of the element; names with a dash are set as attributes
 * @param children elements and texts
 */
export function make(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-")) element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children);
  return element;
}

const percents = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0 });
const numbers = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 4 });

/** A probability for people; never 100 % or 0 % where it is not. */
export function percent(score) {
  const shown = score < 1 && score > 0 ? Math.min(0.99, Math.max(0.01, score)) : score;
  const mark = score > 0 && score < 0.005 ? "<" : score < 1 && score > 0.995 ? ">" : "";
  return mark + percents.format(shown);
}

/** A measured value for people. */
export const number = (value) => numbers.format(value);

/** Bytes for people. */
export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e5 ? 2 : 1)} MB`;

let said = "";

/** Tell people who listen instead of looking; the same thing is not said twice. */
export function announce(text) {
  if (text === said) return;
  said = text;
  part("spoken").textContent = text;
}

let hiding;

/** Show a line for some seconds. */
export function toast(text) {
  const line = part("toast");
  line.textContent = text;
  line.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (line.hidden = true), 5000);
}
