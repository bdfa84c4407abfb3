// Which trunk brains stand on, and what that costs.

import { get, send } from "../core/api.js";
import { command } from "../core/command.js";
import { attempt, fill, make } from "../core/dom.js";
import { follow, project, refresh } from "../core/project.js";
import { megabytes, plain } from "../core/words.js";

/** The choice of trunks, which keeps itself up to date. */
export function makeTrunks() {
  const list = make("div.trunks", { role: "radiogroup", "aria-labelledby": "trunks-title" });
  const more = make("details.trunks");
  let trunks = [];
  const paint = () => {
    const [here, elsewhere] = [
      trunks.filter((trunk) => trunk.kept),
      trunks.filter((trunk) => !trunk.kept),
    ];
    fill(list, ...here.map(row));
    fill(
      more,
      elsewhere.length > 0 && make("summary", {}, "Stronger trunks, to be fetched"),
      ...elsewhere.map(fetched),
    );
  };
  const ends = [follow("project", paint)];
  void attempt(async () => {
    ({ trunks } = await get("/api/trunks"));
    paint();
  });
  const element = make(
    "section.card",
    { id: "trunks", "aria-labelledby": "trunks-title" },
    make("h2", { id: "trunks-title" }, "Trunk"),
    make(
      "p.soft",
      {},
      "The trunk sees, the brain on it decides. A larger one sees more, and takes longer for every photo.",
    ),
    list,
    more,
    make("p.soft.small", {}, "Any ONNX image classifier can be a trunk."),
    command("ninebrains trunk add FILE.onnx --name NAME"),
  );
  return { element, end: () => ends.forEach((end) => end()) };
}

function row(trunk) {
  const isOurs = project.settings.trunk === trunk.name;
  const cost = [
    `${trunk.side} × ${trunk.side} pixels`,
    megabytes(trunk.megabytes),
    `${plain(trunk.ms)} ms a photo here`,
  ];
  const choose = () =>
    attempt(async () => {
      await send("/api/learn", { trunk: trunk.name });
      await refresh();
    });
  return make(
    "label.trunk",
    {},
    make("input", {
      type: "radio",
      name: "trunk",
      value: trunk.name,
      id: `trunk-${trunk.name}`,
      checked: isOurs,
      on: { change: choose },
    }),
    make("span", {}, make("b", {}, trunk.name), make("span.soft", {}, cost.join(" · "))),
  );
}

/** One that is not on this machine: it is fetched on the command line, by who wants it. */
const fetched = (trunk) =>
  make(
    "div.trunk",
    {},
    make(
      "span",
      {},
      make("b", {}, trunk.name),
      make("span.soft", {}, megabytes(trunk.megabytes)),
      command(trunk.command),
    ),
  );
