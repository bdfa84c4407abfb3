// Serving: start a host or connect to one, and decide which version answers.

import { get, send } from "../core/api.js";
import { command } from "../core/command.js";
import { choice, field, question } from "../core/dialogs.js";
import { attempt, button, fill, make } from "../core/dom.js";
import { follow } from "../core/project.js";
import { percent } from "../core/words.js";
import { charts } from "./live.js";
import { pointOf, serveOf } from "./shapes.js";
import { nameOf, table } from "./versions.js";

const MOST_POINTS = 900;

/** The part about serving, which keeps itself up to date while it is seen. */
export function makeServing(brains, onVersions) {
  const element = make("section.card", { "aria-labelledby": "serving-title", id: "serving" });
  const drawn = make("div");
  let told = null;
  let points = [];

  const take = (fresh, { isWhole = true } = {}) => {
    const before = JSON.stringify({ ...told, series: null });
    const added = fresh.series.map((point) => pointOf(point, fresh.drift));
    points = (
      isWhole && points.length <= 1
        ? added
        : [...points, ...added.filter((point) => point.at > (points.at(-1)?.at ?? 0))]
    ).slice(-MOST_POINTS);
    if (fresh.state === "off") points = [];
    told = serveOf(fresh);
    if (JSON.stringify({ ...told, series: null }) !== before)
      onVersions(told.state === "off" ? [] : told.versions);
    return paint();
  };
  /** Have the host do something; a `strict` caller is told itself what went wrong. */
  const act = async (values, { strict = false } = {}) => {
    const ask = async () => take(await send("/api/serve", values));
    element.setAttribute("aria-busy", "true");
    try {
      await (strict ? ask() : attempt(ask));
    } finally {
      element.removeAttribute("aria-busy");
    }
  };
  const parts = ["top", "publish", "table", "foot"].map((name) => [name, make("div")]);
  const seen = new Map();
  const paint = () => {
    if (!told) return;
    const content = told.state === "off" ? { top: off } : { top, publish, table, foot };
    const keys = {
      top: [told.state, told.url, told.is_own, told.error],
      publish: [
        brains().map((brain) => brain.id),
        told.versions.map((version) => version.own_version),
      ],
      table: told.versions,
      foot: [told.canGoBack, told.is_own, told.route, told.versions.map(({ role }) => role)],
    };
    for (const [name, place] of parts) {
      // What did not change stays as it is, also under the hand of who is choosing something.
      const key = JSON.stringify([told.state, keys[name]]);
      if (seen.get(name) === key) continue;
      seen.set(name, key);
      fill(place, ...[content[name]?.(told, act, brains())].flat());
    }
    fill(drawn, told.state !== "off" && charts(points, (number) => nameOf(number, told.versions)));
  };
  fill(
    element,
    make("h2", { id: "serving-title" }, "Live"),
    ...parts.slice(0, 3).map(([, place]) => place),
    drawn,
    parts[3][1],
  );
  const end = follow("serve", (fresh) => take(fresh, { isWhole: false }));
  void attempt(async () => take(await get("/api/serve")));
  return { element, paint, end };
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function off({ command: twin }, act) {
  const start = button(
    "Start a host here",
    async () => {
      start.disabled = true;
      start.textContent = "Starting …";
      await act({ action: "start" });
      start.disabled = false;
      start.textContent = "Start a host here";
    },
    { className: "main", id: "serve-start" },
  );
  return [
    make(
      "p.soft",
      {},
      "A host answers photos that other programs send. Start one on this machine, or connect to one that runs already.",
    ),
    make(
      "div.row",
      {},
      start,
      button("Connect to a host", () => connect(act), { id: "serve-connect" }),
    ),
    command(twin),
  ];
}

async function connect(act) {
  const [url, urlLine] = field("Address", "", {
    type: "url",
    placeholder: "https://host:8000",
    id: "host-url",
  });
  const [key, keyLine] = field("Admin key", "", {
    type: "password",
    autocomplete: "off",
    id: "host-key",
  });
  await question("Connect to a host", [urlLine, keyLine], "Connect", {
    check: () => (url.value.trim() ? "" : "Which address?"),
    act: () => act({ action: "connect", url: url.value.trim(), key: key.value }, { strict: true }),
  });
}

function top({ url, is_own: own, error, name }, act) {
  return [
    error ? make("p.problem", { role: "alert" }, error) : null,
    make(
      "div.row",
      {},
      make("span.flag.calm", {}, error ? "in trouble" : "on"),
      make(
        "p",
        {},
        "Answers at ",
        make("a", { href: url, target: "_blank", rel: "noopener" }, url),
        ` as “${name}”.`,
      ),
      make("span.spring"),
      button(own ? "Stop the host" : "Disconnect", () => stop(own, act), {
        className: "small",
        id: "serve-stop",
      }),
    ),
  ];
}

function foot(told, act) {
  const { canGoBack, is_own: own, command: twin, url, name, versions } = told;
  return [
    canGoBack && button("Roll back", () => rollBack(told, act), { id: "roll-back" }),
    versions.some((version) => version.role === "stable") &&
      command(`curl -T PHOTO.jpg "${url}/infer?brains=${name}"`, "Ask it"),
    own && command(twin),
  ];
}

async function rollBack({ route, versions }, act) {
  const name = (number) => nameOf(number, versions);
  const text = route.canary
    ? `The trial of ${name(route.canary)} ends: ${name(route.stable)} answers everybody again.`
    : `${capital(name(route.previous))} answers everybody again, in place of ${name(route.stable)}.`;
  const yes = await question("Roll back?", [make("p", {}, text)], "Roll back");
  if (yes) await act({ action: "rollback" });
}

async function stop(own, act) {
  const yes = own
    ? await question(
        "Stop the host?",
        [
          make(
            "p",
            {},
            "Programs that ask it get no answers then. Its versions stay, and come back when it is started again.",
          ),
        ],
        "Stop it",
        { danger: true },
      )
    : true;
  if (yes) await act({ action: own ? "stop" : "disconnect" });
}

function publish({ versions }, act, brains) {
  const there = new Set(versions.map((version) => String(version.own_version)));
  const left = brains.filter((brain) => brain.has_brain && !there.has(String(brain.version)));
  if (!left.length) return null;
  const [select, line] = choice(
    "Next version",
    left.map((brain) => [
      brain.id,
      `version ${brain.version}${brain.accuracy ? `, ${percent(brain.accuracy.value)} right` : ""}`,
    ]),
    left[0].id,
    { id: "publish-brain" },
  );
  const [role, roleLine] = choice(
    "It",
    versions.length
      ? [
          ["canary", "is tried on a tenth of the users"],
          ["shadow", "runs along unseen"],
          ["stable", "answers everybody"],
        ]
      : [["stable", "answers everybody"]],
    versions.length ? "canary" : "stable",
    { id: "publish-role" },
  );
  const put = () =>
    act({
      action: "upload",
      run: Number(select.value),
      role: role.value,
      percent: role.value === "shadow" ? 100 : 10,
    });
  return make(
    "div.row.bottom",
    {},
    line,
    roleLine,
    button("Put it live", put, { className: "main", id: "publish" }),
  );
}
