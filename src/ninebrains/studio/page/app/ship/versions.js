// The versions that a host has: what each is, how it does, and what can be done with it.

import { question } from "../core/dialogs.js";
import { button, make } from "../core/dom.js";
import { count, percent, plain } from "../core/words.js";

/** What a version of the host is called: as on the rest of the page, if it came from here. */
export function nameOf(number, versions) {
  const own = versions.find((version) => version.number === number)?.own_version;
  return own ? `version ${own}` : `number ${number} of the host`;
}

/** The versions as a table; `act` is called with what is wanted of the host. */
export function table({ versions }, act) {
  if (!versions.length) return make("p.soft", {}, "No version is there yet. Put one live.");
  const head = ["Version", "Is", "Share", "Answers", "9 of 10 take", "Confirmed", "Photos are", ""];
  const rows = versions.map((version) =>
    make(
      "tr",
      {},
      make(
        "th",
        { scope: "row" },
        make("span.name", {}, nameOf(version.number, versions)),
        version.own_version &&
          String(version.own_version) !== String(version.number) &&
          make("span.block.soft.small", {}, `number ${version.number} of the host`),
      ),
      make(
        "td",
        {},
        version.role
          ? make(
              `span.flag.calm${version.role === "canary" ? ".second" : ""}`,
              {},
              ROLES[version.role] ?? version.role,
            )
          : make("span.soft", { title: version.reason ?? "" }, version.state),
      ),
      make(
        "td.n",
        {},
        version.percent === null || version.percent === undefined
          ? ""
          : `${plain(version.percent)} %`,
      ),
      make("td.n", {}, count(version.answered)),
      make("td.n", {}, version.p90_ms ? `${plain(version.p90_ms)} ms` : "–"),
      make("td.n", {}, version.confirmed ? percent(version.confirmed.value) : "–"),
      make("td", {}, version.drift?.text ?? "–"),
      make("td", {}, make("div.row", {}, ...actions(version, versions, act))),
    ),
  );
  return make(
    "div.scroll",
    {},
    make(
      "table.versions",
      {},
      make(
        "thead",
        {},
        make(
          "tr",
          {},
          ...head.map((text, place) =>
            make(
              `th${place > 1 && place < 6 ? ".n" : ""}`,
              { scope: "col" },
              text || make("span.unseen", {}, "Do"),
            ),
          ),
        ),
      ),
      make("tbody", {}, ...rows),
    ),
  );
}

const ROLES = { stable: "stable", canary: "on trial", shadow: "running along" };

function actions(version, versions, act) {
  if (version.role === "stable" || version.state !== "ready") return [];
  return [
    button(
      version.role === "canary" ? "Change the share" : "Try on a share",
      () => split(version, versions, act),
      { className: "small", id: `split-${version.number}` },
    ),
    button("Promote", () => promote(version, versions, act), {
      className: "small",
      id: `promote-${version.number}`,
    }),
  ];
}

async function promote({ number }, versions, act) {
  const stable = versions.find((version) => version.role === "stable");
  const before = stable ? `, in place of ${nameOf(stable.number, versions)}` : "";
  const yes = await question(
    `Promote ${nameOf(number, versions)}?`,
    [make("p", {}, `It answers everybody from now on${before}. “Roll back” undoes that.`)],
    "Promote",
  );
  if (yes) await act({ action: "promote", number });
}

async function split(version, versions, act) {
  const said = make("output", {}, "");
  const slider = make("input", {
    type: "range",
    min: 0,
    max: 100,
    step: 1,
    value: version.percent ?? 10,
    id: "split-percent",
    on: { input: () => (said.textContent = `${slider.value} % of users`) },
  });
  said.textContent = `${slider.value} % of users`;
  await question(
    `Try ${nameOf(version.number, versions)}`,
    [
      make(
        "p.soft",
        {},
        "Each user always gets the same version. Raise the share step by step, and promote when its numbers hold.",
      ),
      make("label.field", {}, make("span", {}, "Share"), slider, said),
    ],
    "Set the share",
    {
      act: () =>
        act(
          {
            action: "split",
            number: version.number,
            role: "canary",
            percent: Number(slider.value),
          },
          { strict: true },
        ),
    },
  );
}
