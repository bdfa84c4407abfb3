// The keys of labelling, in the grid and with one photo.

import { step } from "../core/changes.js";
import { attempt } from "../core/dom.js";
import { keysOf } from "../core/keys.js";
import { view } from "../core/photos.js";
import { project } from "../core/project.js";
import { choose as chooseLabel } from "./finding.js";
import { choose, clear, subjects } from "./selection.js";

/** Name the keys of the area of labelling. */
export function nameKeys(area) {
  const digits = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  const give = (_, name) => {
    const each = project.labels[Number(name) - 1];
    if (each) area.give(each.id);
  };
  const go = (step) => (_, name) =>
    area.move(typeof step === "function" ? step() : step, name.startsWith("shift"));
  const common = [
    [digits.join("|"), "Give the label with this number", give],
    [
      "l",
      "Give a label by its name, or make one",
      async () => void ((await chooseLabel()) && area.next(subjects())),
    ],
    ["enter", "Accept the suggestion", () => area.accept()],
    ["0|backspace", "Take the label away", () => area.give(0)],
    ["k", "Keep a doubtful label as it is", () => area.keep()],
    ["u|ctrl+z", "Undo", () => void attempt(() => step("undo"))],
    ["shift+u|ctrl+y|ctrl+shift+z", "Redo", () => void attempt(() => step("redo"))],
    ["delete", "Take photos out of the project", () => void area.remove()],
  ];
  keysOf("label", [
    ...common,
    ["arrowleft|shift+arrowleft", "Photo before", go(-1)],
    ["arrowright|shift+arrowright", "Next photo", go(1)],
    ["arrowup|shift+arrowup", "Row above (with Shift: choose)", go(() => -area.grid.steps.row)],
    ["arrowdown|shift+arrowdown", "Row below (with Shift: choose)", go(() => area.grid.steps.row)],
    ["pageup|shift+pageup", "", go(() => -area.grid.steps.page)],
    ["pagedown|shift+pagedown", "", go(() => area.grid.steps.page)],
    ["home|shift+home", "First photo", go(-Infinity)],
    ["end|shift+end", "Last photo", go(Infinity)],
    ["ctrl+a", "Choose all", () => choose(view.ids)],
    ["space", "Show one photo large", () => area.openSingle()],
    ["escape", "Choose none", () => clear()],
  ]);
  keysOf("single", [
    ...common.map(([key, , act]) => [key, "", act]),
    ["arrowleft|arrowup", "Photo before", go(-1)],
    ["arrowright|arrowdown", "Next photo", go(1)],
    ["h", "Where the brain looks", () => area.toggleHeat()],
    ["space|escape", "Back to all photos", () => area.closeSingle()],
  ]);
}
