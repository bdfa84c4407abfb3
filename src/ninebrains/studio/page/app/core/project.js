// What is known of the project in this tab: numbers, labels, the latest run, what is going on.

import { get } from "./api.js";
import { learningOf, runOf } from "./shapes.js";

/** As /api/project gives it. */
export const project = {
  name: "",
  folder: "",
  key: "",
  revision: 0,
  counts: { photos: 0, labelled: 0, unlabelled: 0, test: 0, troubled: 0 },
  labels: [],
  queues: {},
  settings: {},
  trunks: [],
  columns: [],
  jobs: [],
  run: null,
  learning: learningOf(null),
  undo: null,
  redo: null,
};

const topics = new EventTarget();

/**
 * Be told when something changed.
 * @param topic "project", "labels", "photos", "run", "learning", "jobs", "view", "connection", "serve"
 * @returns a function that ends it
 */
export function follow(topic, act) {
  const listener = (event) => act(event.detail);
  topics.addEventListener(topic, listener);
  return () => topics.removeEventListener(topic, listener);
}

/** Tell everybody who follows a topic. */
export const tell = (topic, detail) => topics.dispatchEvent(new CustomEvent(topic, { detail }));

let asked = 0;

/** Ask again for everything that /api/project tells. */
export async function refresh() {
  const mine = ++asked;
  const fresh = await get("/api/project");
  if (mine !== asked || isBusy()) return project;
  const before = project.run?.id;
  Object.assign(project, fresh, { run: runOf(fresh.run), learning: learningOf(fresh.learning) });
  tell("project");
  tell("labels");
  tell("learning");
  tell("jobs");
  if (project.run?.id !== before) tell("run");
  return project;
}

let isBusy = () => false;

/** Whether a job is not over yet. */
export const isUnderWay = (job) => job.state === "waiting" || job.state === "running";

/** While this says true, own changes are under way and the server's counts are older than ours. */
export const waitFor = (busy) => (isBusy = busy);

/** A label by its id; undefined for 0 and for what is gone. */
export const labelOf = (id) => project.labels.find((label) => label.id === id);

/** Name of a label; "no label" for 0. */
export const nameOf = (id) => labelOf(id)?.name ?? (id ? "a label that is gone" : "no label");

/** Small picture of a photo. */
export const thumb = (id) => `/thumb/${id}?p=${encodeURIComponent(project.key ?? project.name)}`;

/** The photo itself. */
export const whole = (id) => `/photo/${id}?p=${encodeURIComponent(project.key ?? project.name)}`;

/** Where a label shows in a photo, for the brain of a run. */
export const heat = (id, label, run) =>
  `/heat/${id}?label=${label}&run=${run}&p=${encodeURIComponent(project.key ?? project.name)}`;
