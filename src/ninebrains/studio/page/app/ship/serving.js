// Serving: start a host or connect to one, and decide which version answers.

import { get, send } from "../core/api.js";
import { command } from "../core/command.js";
import { choice, field, question } from "../core/dialogs.js";
import { attempt, button, fill, make } from "../core/dom.js";
import { follow } from "../core/project.js";
import { count, percent, plain } from "../core/words.js";
import { charts } from "./live.js";

const LOOK_MS = 2500;

/** The part about serving, which keeps itself up to date while it is seen. */
export function makeServing(brains) {
  const element = make("section.card", { "aria-labelledby": "serving-title", id: "serving" });
  let told = null;
  let isEnded = false;
  let timer;

  const take = (fresh) => {
    const before = JSON.stringify(told);
    told = fresh;
    if (JSON.stringify(fresh) !== before) paint();
  };
  const act = (values) => attempt(async () => take(await send("/api/serve", values)));
  const paint = () => told && fill(element, make("h2", { id: "serving-title" }, "Live"), ...(told.state === "on" ? live(told, brains(), act) : off(told, act)));
  const read = async () => {
    clearTimeout(timer);
    if (isEnded) return;
    if (!document.hidden) {
      try {
        take(await get("/api/serve"));
      } catch (error) {
        if (!told) fill(element, make("h2", { id: "serving-title" }, "Live"), make("p.problem", {}, error.message));
      }
    }
    timer = setTimeout(read, LOOK_MS);
  };
  const end = follow("serve", () => void read());
  void read();
  return {
    element,
    paint,
    end: () => {
      isEnded = true;
      clearTimeout(timer);
      end();
    },
  };
}

function off({ state, error, command: twin }, act) {
  const isStarting = state === "starting";
  return [
    error ? make("p.problem", { role: "alert" }, error) : null,
    make("p.soft", {}, isStarting ? "The host is starting …" : "A host answers photos that other programs send. Start one on this machine, or connect to one that runs already."),
    isStarting ? make("progress", { "aria-label": "Starting" }) : null,
    make("div.row", {}, button("Start a host here", () => act({ do: "start" }), { className: "main", id: "serve-start", disabled: isStarting }), button("Connect to a host", () => connect(act), { id: "serve-connect", disabled: isStarting })),
    twin ? command(twin) : null,
  ];
}

async function connect(act) {
  const [url, urlLine] = field("Address", "", { type: "url", placeholder: "https://host:8000", id: "host-url" });
  const [key, keyLine] = field("Admin key", "", { type: "password", autocomplete: "off", id: "host-key" });
  const yes = await question("Connect to a host", [urlLine, keyLine], "Connect", { check: () => (url.value.trim() ? "" : "Which address?") });
  if (yes) await act({ do: "connect", url: url.value.trim(), key: key.value });
}

function live(told, brains, act) {
  const { url, own, versions, can_roll_back: canGoBack, error } = told;
  return [
    error ? make("p.problem", { role: "alert" }, error) : null,
    make("div.row", {}, make("span.flag.calm", {}, "on"), make("p", {}, "Answers at ", make("a", { href: url, target: "_blank", rel: "noopener" }, url), ` as “${told.name}”.`), make("span.spring"), button(own ? "Stop the host" : "Disconnect", () => stop(own, act), { className: "small", id: "serve-stop" })),
    publish(brains, versions, act),
    versions.length ? table(versions, act) : make("p.soft", {}, "No version is there yet. Put one live."),
    make("div.row", {}, canGoBack ? button("Roll back", () => act({ do: "roll_back" }), { id: "roll-back" }) : null),
    charts(told),
    told.command ? command(told.command) : null,
  ];
}

async function stop(own, act) {
  const yes = own ? await question("Stop the host?", [make("p", {}, "Programs that ask it get no answers then. Its versions stay, and come back when it is started again.")], "Stop it", { danger: true }) : true;
  if (yes) await act({ do: own ? "stop" : "disconnect" });
}

function publish(brains, versions, act) {
  const there = new Set(versions.map((version) => version.brain));
  const left = brains.filter((brain) => !there.has(brain.id));
  if (!left.length) return null;
  const [select, line] = choice("Next version", left.map((brain) => [brain.id, `${brain.name} ${brain.version}${brain.accuracy ? `, ${percent(brain.accuracy.value)} right` : ""}`]), left[0].id, { id: "publish-brain" });
  return make("div.row.bottom", {}, line, button("Put it live", () => act({ do: "publish", brain: left.find((brain) => String(brain.id) === select.value).id }), { className: "main", id: "publish" }));
}

function table(versions, act) {
  const head = ["Version", "Is", "Share", "Answers", "9 of 10 take", "Confirmed", "Photos", ""];
  const rows = versions.map((version) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, `${version.number}`),
      make("td", {}, version.role ? make(`span.flag.calm${version.role === "canary" ? ".second" : ""}`, {}, ROLES[version.role] ?? version.role) : make("span.soft", {}, version.state)),
      make("td.n", {}, version.percent === null || version.percent === undefined ? "" : `${plain(version.percent)} %`),
      make("td.n", {}, count(version.requests ?? 0)),
      make("td.n", {}, version.p90_ms ? `${plain(version.p90_ms)} ms` : "–"),
      make("td.n", {}, version.confirmed ? percent(version.confirmed.value) : "–"),
      make("td", {}, version.drift ?? "–"),
      make("td", {}, ...actions(version, act)),
    ),
  );
  return make("div.scroll", {}, make("table.versions", {}, make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text || make("span.unseen", {}, "Do"))))), make("tbody", {}, ...rows)));
}

const ROLES = { stable: "stable", canary: "on trial", shadow: "shadow" };

function actions(version, act) {
  if (version.role === "stable" || !["ready", "live", "serving"].includes(version.state)) return [];
  return [
    button(version.role === "canary" ? "Change the share" : "Try on a share", () => split(version, act), { className: "small", id: `split-${version.number}` }),
    button("Promote", () => act({ do: "promote", number: version.number }), { className: "small", id: `promote-${version.number}` }),
  ];
}

async function split(version, act) {
  const said = make("output", {}, "");
  const slider = make("input", { type: "range", min: 0, max: 100, step: 1, value: version.percent ?? 10, id: "split-percent", on: { input: () => (said.textContent = `${slider.value} % of users`) } });
  said.textContent = `${slider.value} % of users`;
  const yes = await question(`Try version ${version.number}`, [make("p.soft", {}, "Each user always gets the same version. Raise the share step by step, and promote when its numbers hold."), make("label.field", {}, make("span", {}, "Share"), slider, said)], "Set the share");
  if (yes) await act({ do: "split", number: version.number, percent: Number(slider.value) });
}
