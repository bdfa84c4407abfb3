// Brains, exports and hosts, in the shapes that the area of shipping works with.

import { runOf } from "../core/shapes.js";

/** Versions with their exports. */
export function brainsOf({ name, brains, exports: all }) {
  const exportsOf = (version) =>
    all
      .filter((each) => !each.error && String(each.version) === String(version))
      .map((each) => {
        const receipt = each.receipts.at(-1);
        return {
          ...each,
          megabytes: each.bytes / 1e6,
          verdict: receipt?.verdict ?? "no receipt",
          reasons: receipt?.reasons ?? [],
          receipt: `/api/exports/${encodeURIComponent(each.folder)}/receipt`,
          zip: `/api/exports/${encodeURIComponent(each.folder)}/zip`,
        };
      });
  return {
    name,
    brains: brains.map((brain) => ({ ...runOf(brain), name, exports: exportsOf(brain.version) })),
  };
}

const VERDICTS = {
  "too few": "too few to tell",
  steady: "as in training",
  slight: "slightly others",
  drift: "not as in training",
};

function roleOf(number, route) {
  if (!route) return [null, null];
  if (route.stable === number)
    return ["stable", 100 - (route.canary ? (route.canary_percent ?? 0) : 0)];
  if (route.canary === number) return ["canary", route.canary_percent];
  if (route.shadow === number) return ["shadow", route.shadow_percent];
  return [null, null];
}

/** Everything about the host: versions with their roles, numbers and drift. */
export function serveOf(told) {
  const versions = (told.versions ?? []).map((version) => {
    const counts = (told.counts ?? []).filter((each) => each.number === version.number);
    const sum = (name) => counts.reduce((total, each) => total + (each[name] ?? 0), 0);
    const main = counts.toSorted((one, other) => other.answered - one.answered)[0];
    const voices = sum("confirmed") + sum("disputed");
    const drift = (told.drift ?? []).find((each) => each.version === version.number);
    const [role, percent] = roleOf(version.number, told.route);
    return {
      ...version,
      role,
      percent,
      answered: sum("answered"),
      p90_ms: main?.p90_ms ?? null,
      confirmed: voices ? { value: sum("confirmed") / voices, voices } : null,
      drift: drift ? { ...drift, text: VERDICTS[drift.verdict] ?? drift.verdict } : null,
    };
  });
  return {
    ...told,
    versions: versions.toSorted((one, other) => other.number - one.number),
    canGoBack: Boolean(told.route?.canary || told.route?.previous),
  };
}

/** What a look at the host adds to the charts: latency, confirmed share and drift by version. */
export function pointOf({ at, versions }, drift = []) {
  const point = { at };
  for (const number of new Set(versions.map((each) => each.number))) {
    const those = versions.filter((each) => each.number === number);
    const sum = (name) => those.reduce((total, each) => total + (each[name] ?? 0), 0);
    const timed = those.filter((each) => each.mean_ms !== null);
    const answers = timed.reduce((total, each) => total + each.answered, 0);
    const voices = sum("confirmed") + sum("disputed");
    const found = drift.find((each) => each.version === number);
    // In units of what chance alone would make of it, so that unlike measures can share a line.
    const distances = Object.values(found?.measures ?? {})
      .filter((each) => each.verdict !== "too few" && each.limit > 0)
      .map((each) => each.distance / each.limit);
    point[number] = {
      mean_ms: answers
        ? timed.reduce((total, each) => total + each.mean_ms * each.answered, 0) / answers
        : null,
      confirmed: voices ? sum("confirmed") / voices : null,
      drift: distances.length ? Math.max(...distances) : null,
    };
  }
  return point;
}
