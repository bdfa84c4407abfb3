// Which trunk brains stand on, and what that costs.

import { send } from "../core/api.js";
import { command } from "../core/command.js";
import { attempt, fill, make } from "../core/dom.js";
import { follow, project, refresh } from "../core/project.js";
import { megabytes, plain } from "../core/words.js";

/** The choice of trunks, which keeps itself up to date. */
export function makeTrunks() {
  const list = make("div.trunks", { role: "radiogroup", "aria-labelledby": "trunks-title" });
  const paint = () => fill(list, ...project.trunks.map(row));
  const ends = [follow("project", paint)];
  paint();
  const element = make(
    "section.card",
    { id: "trunks", "aria-labelledby": "trunks-title" },
    make("h2", { id: "trunks-title" }, "Trunk"),
    make("p.soft", {}, "The trunk sees, the brain on it decides. A larger one sees more, and takes longer for every photo."),
    list,
    make("p.soft.small", {}, "More trunks are added on the command line."),
    command("ninebrains trunk add FILE.onnx --name NAME"),
  );
  return { element, end: () => ends.forEach((end) => end()) };
}

function row(trunk) {
  const isOurs = project.settings.trunk === trunk.name;
  const cost = [
    trunk.side && `${trunk.side} × ${trunk.side} pixels`,
    trunk.megabytes && megabytes(trunk.megabytes),
    trunk.ms_per_photo && `${plain(trunk.ms_per_photo)} ms a photo here`,
  ].filter(Boolean);
  const choose = () =>
    attempt(async () => {
      await send("/api/learn", { trunk: trunk.name });
      await refresh();
    });
  return make(
    "label.trunk",
    {},
    make("input", { type: "radio", name: "trunk", value: trunk.name, id: `trunk-${trunk.name}`, checked: isOurs, on: { change: choose } }),
    make("span", {}, make("b", {}, trunk.title ?? trunk.name), make("span.soft", {}, cost.join(" · ")), trunk.note && make("span.small", {}, trunk.note)),
  );
}
