// What the same thing is called on the command line.

import { announce, button, make } from "./dom.js";
import { project } from "./project.js";

/** A path or name as a shell wants it. */
export const quoted = (text) =>
  /^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** A path inside the project's folder. */
export const inside = (path) => `${(project.folder ?? project.name).replace(/\/$/, "")}/${path}`;

/** A line that shows a command, to copy, after a word on what it is. */
export function command(text, what = "As a command") {
  const copy = button(
    "Copy",
    async () => {
      try {
        await navigator.clipboard.writeText(text);
        announce("Copied");
        copy.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        copy.textContent = "Selected: press Ctrl+C";
      }
      setTimeout(() => (copy.textContent = "Copy"), 2500);
    },
    { className: "quiet small" },
  );
  const code = make("code", {}, text);
  return make("p.command", {}, make("span.soft", {}, what), code, copy);
}
