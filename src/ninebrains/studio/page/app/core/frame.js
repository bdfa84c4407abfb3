// What stands around every area: the headline, undo and redo, what is under way, and whether the
// studio answers.

import { remove } from "./api.js";
import { step, waiting } from "./changes.js";
import { attempt, button, fill, make, part } from "./dom.js";
import { connection } from "./events.js";
import * as keys from "./keys.js";
import { follow, isUnderWay, project } from "./project.js";
import { count, many, percent } from "./words.js";
import { upload } from "../label/adding.js";

/** Show which area is open. */
export function markArea(name) {
  for (const link of part("areas").children) {
    if (link.getAttribute("href") === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function paintPill() {
  const { run, learning } = project;
  const works = learning.isWorking;
  const newest = learning.quick ?? run;
  const pill = part("pill");
  pill.hidden = !newest && !works;
  pill.classList.toggle("works", works);
  const text = newest?.accuracy
    ? `${percent(newest.accuracy.value)} right`
    : newest
      ? "not measured"
      : "learning";
  fill(
    pill,
    make("b", {}, text),
    works && make("span.pulse", { title: learning.text }),
    works && make("span.unseen", {}, ", learning"),
  );
}

function paintSteps() {
  for (const kind of ["undo", "redo"]) {
    const each = part(kind);
    each.disabled = !project[kind];
    each.title = project[kind] ? `${kind === "undo" ? "Undo" : "Redo"}: ${project[kind]}` : "";
  }
}

function paintConnection() {
  const line = part("offline");
  line.hidden = connection.state === "on";
  const left = waiting();
  line.textContent =
    connection.state === "out"
      ? "This page is no longer logged in. Open the address that the studio printed when it started."
      : `The studio does not answer. It is asked again every second${left ? `; ${many(left, "change")} will be sent then` : ""}.`;
}

const TITLES = {
  import: "Adding photos",
  folder: "Adding a folder",
  export: "Exporting",
  map: "Drawing the map",
  serve: "Starting the host",
};

function paintJobs() {
  const now = project.jobs.filter(isUnderWay);
  const rows = now.map((job) =>
    row(TITLES[job.kind] ?? job.title, job.stage, job.done, job.total, () =>
      attempt(() => remove(`/api/jobs/${job.id}`)),
    ),
  );
  if (upload.now) {
    const { sent, total, cancel } = upload.now;
    rows.unshift(row("Sending photos", `${count(sent)} of ${count(total)}`, sent, total, cancel));
  }
  const list = part("jobs");
  list.hidden = !rows.length;
  fill(list, ...rows);
}

function row(title, text, done, total, cancel) {
  const bar = make("progress", { "aria-label": title });
  if (total) Object.assign(bar, { max: total, value: done });
  return make(
    "div.job",
    {},
    make("b", {}, title),
    bar,
    make("span.soft.small", {}, text ?? ""),
    button("Stop", cancel, { className: "small quiet", "aria-label": `Stop: ${title}` }),
  );
}

/** Begin to keep it all up to date. */
export function begin() {
  for (const topic of ["learning", "run", "project"]) follow(topic, paintPill);
  for (const topic of ["undo", "project"]) follow(topic, paintSteps);
  for (const topic of ["connection", "sending"]) follow(topic, paintConnection);
  for (const topic of ["jobs", "upload", "project"]) follow(topic, paintJobs);
  follow("project", () => {
    part("project-name").textContent = project.name;
    document.title = `${project.name} · Ninebrains studio`;
  });
  part("undo").addEventListener("click", () => attempt(() => step("undo")));
  part("redo").addEventListener("click", () => attempt(() => step("redo")));
  part("open-help").addEventListener("click", keys.help);
  for (const close of document.querySelectorAll("[data-close]")) {
    close.addEventListener("click", () => close.closest("dialog").close());
  }
  const go = (name) => () => (location.hash = `#/${name}`);
  keys.keysOf("everywhere", [
    ["?|shift+?", "Show these keys", () => keys.help()],
    ["/", "Search", () => search()],
    ["alt+1", "Label", go("label")],
    ["alt+2", "Learn", go("learn")],
    ["alt+3", "Understand", go("understand")],
    ["alt+4", "Try", go("try")],
    ["alt+5", "Ship", go("ship")],
  ]);
}

function search() {
  const found = part("search");
  if (found) return (found.select(), found.focus());
  location.hash = "#/label";
  setTimeout(() => part("search")?.focus(), 100);
  return undefined;
}
