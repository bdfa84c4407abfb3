// What the server tells by itself, and whether it is there at all.

import { get } from "./api.js";
import { project, refresh, tell } from "./project.js";
import { learningOf } from "./shapes.js";
import { seldom } from "./dom.js";

/** Whether the server is there: "on", "off" or "out" (logged out). */
export const connection = { state: "on" };

let source;
const reread = seldom(() => refresh().catch(() => {}), 250);

function connected(state) {
  if (connection.state === state) return;
  const wasOff = connection.state !== "on";
  connection.state = state;
  tell("connection", { back: wasOff && state === "on" });
  if (wasOff && state === "on") {
    refresh().catch(() => {});
    tell("photos");
  }
}

const listeners = {
  reset: () => {
    connected("on");
    reread();
    tell("photos");
  },
  revision: ({ revision, changed, structure, undo, redo }) => {
    project.revision = Math.max(project.revision, revision);
    if (changed) tell("changed", { ...changed, revision });
    if (undo !== undefined) Object.assign(project, { undo, redo });
    if (structure) tell("photos");
    reread();
  },
  learning: (state) => {
    project.learning = learningOf(state);
    tell("learning");
  },
  run: reread,
  answers: () => {
    reread();
    tell("photos");
  },
  job: (job) => {
    const others = project.jobs.filter((other) => other.id !== job.id);
    project.jobs = [...others, job];
    tell("jobs", job);
  },
  import: () => {
    reread();
    tell("photos");
  },
  thumbs: (state) => tell("thumbs", state),
  serve: (state) => tell("serve", state),
};

/** Listen from now on. The browser connects again by itself; where it gives up, we do. */
export function listen() {
  source?.close();
  source = new EventSource("/api/events");
  for (const [name, act] of Object.entries(listeners)) {
    source.addEventListener(name, (event) => act(JSON.parse(event.data)));
  }
  source.onopen = () => connected("on");
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(ring, 1500);
    else connected("off");
  };
}

async function ring() {
  try {
    await get("/api/project");
    listen();
  } catch (error) {
    connected(error.status === 401 || error.status === 403 ? "out" : "off");
    if (connection.state === "off") setTimeout(ring, 1500);
  }
}
