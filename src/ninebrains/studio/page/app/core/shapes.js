// What the server tells, in the shapes that the page works with.

/** A measured share with its interval, or null where nothing was measured. */
export const estimateOf = ({ accuracy, low, high }) =>
  accuracy === null || accuracy === undefined ? null : { value: accuracy, low, high };

/** A run with its accuracy as an estimate. */
export const runOf = (told) => (told ? { ...told, accuracy: estimateOf(told) } : null);

const STAGES = {
  idle: "",
  "looking at labelled photos": "Looking at the photos that have labels",
  learning: "Learning",
  "looking at all photos": "Looking at all photos, so that it can suggest labels",
  "learning in full": "Learning thoroughly, and measuring how good it is",
};

/** The state of learning, with one sentence for people. */
export function learningOf(told) {
  if (!told)
    return { stage: "idle", isWorking: false, done: 0, total: 0, text: "", error: "", quick: null };
  const isWorking = told.stage !== "idle" && !told.stopped;
  return {
    ...told,
    isWorking,
    error: told.error ?? "",
    quick: told.quick ? { ...told.quick, accuracy: estimateOf(told.quick) } : null,
    text: isWorking ? `${STAGES[told.stage] ?? told.stage} …` : resting(told),
  };
}

function resting({ error, waiting_for: missing, stopped, up_to_date: isFresh }) {
  if (error) return "";
  if (missing) return missing;
  if (stopped) return "Stopped. It goes on when labels change, or when you say so.";
  return isFresh
    ? "It knows all your labels. It learns again a moment after they change."
    : "It learns a moment after labels change.";
}

/** Everything about a run; labels get the colours they have now. */
export function detailsOf(told, labels) {
  const colors = new Map(labels.map((label) => [label.id, label]));
  const columns = told.thresholds;
  const rows = (columns?.threshold ?? []).map((threshold, place) => ({
    threshold,
    precision: columns.precision[place],
    recall: columns.recall[place],
    rejected: columns.rejected[place],
  }));
  return {
    ...runOf(told),
    labels: told.labels.map((label) => ({
      ...label,
      name: colors.get(label.id)?.name ?? label.name,
      color: colors.get(label.id)?.color ?? "transparent",
    })),
    thresholds: rows,
    thresholdsOn: columns ?? { on: "", photos: 0 },
    history: told.history.map(runOf),
  };
}

/** A map with places in 0..1. */
export const mapOf = ({ ids, x, y }) => ({
  ids,
  x: x.map((at) => (at + 1) / 2),
  y: y.map((at) => (at + 1) / 2),
});
