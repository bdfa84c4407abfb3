// Questions that need an answer before anything goes on.

import { button, make, part } from "./dom.js";

/**
 * Ask in a dialog of the browser's own kind.
 * @param title of the dialog
 * @param content elements of its body
 * @param answer text of the button that says yes
 * @param options danger: whether that takes something away; check: gives what is wrong, if
 *   anything; act: done when it is pressed, and where it fails the dialog stays and says why
 * @returns Promise of whether it was pressed, and done
 */
export function question(
  title,
  content,
  answer,
  { danger = false, check = () => "", act = () => {} } = {},
) {
  return new Promise((resolve) => {
    let said = false;
    const problem = make("p.problem", { role: "alert", hidden: true });
    const yes = make(`button.main${danger ? ".danger" : ""}`, { type: "submit" }, answer);
    const tell = (wrong) => {
      problem.textContent = wrong;
      problem.hidden = !wrong;
      if (wrong) problem.scrollIntoView({ block: "nearest" });
    };
    const submit = async (event) => {
      event.preventDefault();
      tell(check());
      if (!problem.hidden || yes.disabled) return;
      yes.disabled = true;
      try {
        await act();
        said = true;
        dialog.close();
      } catch (error) {
        tell(error.message || String(error));
      }
      yes.disabled = false;
    };
    const form = make(
      "form",
      { on: { submit } },
      make("h2", { id: "question-title" }, title),
      ...content,
      problem,
      make(
        "div.row.end",
        {},
        button("Cancel", () => dialog.close()),
        yes,
      ),
    );
    const dialog = make("dialog", { "aria-labelledby": "question-title" }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(said);
    });
    part("dialogs").append(dialog);
    dialog.showModal();
  });
}

/** A text field with its name above it. */
export function field(name, value = "", properties = {}) {
  const input = make("input", { type: "text", value, autocomplete: "off", ...properties });
  return [input, make("label.field", {}, make("span", {}, name), input)];
}

/** A choice of several, with its name above it. */
export function choice(name, options, value, properties = {}) {
  const select = make(
    "select",
    properties,
    ...options.map(([key, text]) =>
      make("option", { value: key, selected: String(key) === String(value) }, text),
    ),
  );
  return [select, make("label.field", {}, make("span", {}, name), select)];
}

/** A tick box with its text. */
export function tick(text, checked, properties = {}) {
  const input = make("input", { type: "checkbox", checked, ...properties });
  return [input, make("label.tick", {}, input, make("span", {}, text))];
}
