// Numbers, times and sentences for people.

const whole = new Intl.NumberFormat("en");
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** 20,000 */
export const count = (number) => whole.format(Math.round(number));

/** 1 photo, 2 photos */
export const many = (number, word, plural = `${word}s`) =>
  `${count(number)} ${number === 1 ? word : plural}`;

/** A share as a percentage; never 100 % or 0 % where it is not. */
export function percent(share, digits = 0) {
  if (share === null || share === undefined || Number.isNaN(share)) return "–";
  const value = share * 100;
  const step = 10 ** -digits;
  if (share > 0 && value < step / 2) return `<${step} %`;
  if (share < 1 && value > 100 - step / 2) return `>${tenth.format(100 - step)} %`;
  return `${value.toFixed(digits)} %`;
}

/** "89 to 95 %" */
export const range = (estimate) =>
  `${(estimate.low * 100).toFixed(0)} to ${(estimate.high * 100).toFixed(0)} %`;

/** "about 12 min" */
export function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds / 5) * 5)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${tenth.format(seconds / 3600)} h`;
}

/** "3 min ago" */
export function ago(at) {
  const seconds = Math.max(0, Date.now() / 1000 - at);
  if (seconds < 45) return "just now";
  if (seconds < 5400) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
  return new Date(at * 1000).toLocaleDateString("en", {
    day: "numeric",
    month: "short",
    year: "numeric",
  });
}

/** "12.3 MB" */
export const megabytes = (number) => `${number < 1 ? number.toFixed(2) : tenth.format(number)} MB`;

/** Percentages in the server's sentences, as they are written here: with a space. */
export const spaced = (text) => text?.replaceAll(/(\d)%/g, "$1\u00a0%") ?? "";

/** A number with one digit behind the point at most. */
export const plain = (number) =>
  number === null || number === undefined ? "–" : tenth.format(number);
