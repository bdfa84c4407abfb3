// Views and queues: which photos are shown, with how many there are, and the search.

import { fill, make, seldom, showCurrent } from "../core/dom.js";
import { view } from "../core/photos.js";
import { follow, nameOf, project } from "../core/project.js";
import { count, many } from "../core/words.js";

/** Links to the views, and a search field; they keep themselves up to date. */
export function makeViews() {
  const element = make("nav.views", { "aria-label": "Which photos" });
  const search = make("input.search", {
    type: "search",
    id: "search",
    placeholder: "Search",
    "aria-label": "Search names, labels and columns",
    "aria-keyshortcuts": "/",
  });
  let place = "";
  const go = seldom(() => {
    if (location.hash !== place) return;
    const text = search.value.trim();
    location.hash = text ? `#/label/${encodeURIComponent(`search:${text}`)}` : "#/label/all";
  }, 180);
  search.addEventListener("input", () => {
    place = location.hash;
    go();
  });
  search.addEventListener("keydown", (event) => event.key === "Escape" && search.blur());
  const paint = () => {
    const { counts, queues } = project;
    const links = [
      ["all", "All", counts.photos],
      ["unlabelled", "No label", counts.unlabelled],
      ["review", "To review", queues.review],
      ["errors", "Doubtful", queues.errors],
      ["duplicates", "Duplicates", queues.duplicates],
      queues.strangers ? ["strangers", "Strange", queues.strangers] : null,
      counts.troubled ? ["trouble", "Unreadable", counts.troubled] : null,
    ];
    fill(
      element,
      ...links.filter(Boolean).map(([name, text, number]) =>
        make(
          "a",
          {
            href: `#/label/${name}`,
            id: `view-${name}`,
            "aria-current": view.name === name ? "page" : null,
          },
          text,
          make("span.tally", {}, number === undefined || number === null ? "" : count(number)),
        ),
      ),
    );
    showCurrent(element);
    if (!view.name.startsWith("search:") && document.activeElement !== search) search.value = "";
  };
  const ends = ["project", "counts", "view"].map((topic) => follow(topic, paint));
  paint();
  return { element, search, end: () => (go.cancel(), ends.forEach((end) => end())) };
}

/** What a view shows, where its name does not say it. */
export function describe({ name, ids, isLoading }) {
  if (isLoading && !ids.length) return "Looking for photos …";
  const [kind, ...rest] = name.split(":");
  const argument = rest.join(":");
  const number = many(ids.length, "photo");
  const pair = argument.split(",").map((id) => nameOf(Number(id)));
  const lines = {
    review: ids.length
      ? "Least sure first. Enter accepts the suggestion, a number gives another label."
      : "",
    errors: ids.length
      ? "Asked without having seen them, the brain says otherwise. Enter takes its word, K keeps the label."
      : "",
    duplicates: ids.length
      ? "Photos that are nearly the same stand together. Delete takes spare ones out."
      : "",
    strangers: "Photos unlike all those it learned from.",
    label: `${number} with the label ${nameOf(Number(argument))}.`,
    suggested: `${number} that the brain takes for ${nameOf(Number(argument))}.`,
    confused:
      pair[0] === pair[1]
        ? `${number} of ${pair[0]}, rightly recognised.`
        : `${number} of ${pair[0]} that the brain took for ${pair[1]}.`,
    wrong: `${number} of ${nameOf(Number(argument))} that the brain took for something else.`,
    slice: `${number} with ${argument.replace("=", ": ")}.`,
    search: `${number} with “${argument}”.`,
    ids: `${number}.`,
    chosen: `${number}, chosen on the map.`,
    test: "Kept for checking: no brain has learned from them.",
    trouble: "These files cannot be read. Open one to see why.",
  };
  return lines[kind] ?? "";
}
