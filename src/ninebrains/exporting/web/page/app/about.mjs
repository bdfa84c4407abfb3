// What there is to know of this export and of how it runs here.

import { make, megabytes, part } from "./dom.mjs";

const facts = new Map();

/** Make the button work. */
export function setUpAbout(site) {
  part("open-about").addEventListener("click", () => part("about").showModal());
  tell("First download", `${megabytes(site.first_download_bytes)}, kept on this device`);
  tell("Runtime", site.runtime);
  const texts = { classify: "says one label", multilabel: "says several labels", regress: "measures" };
  part("about-brains").replaceChildren(
    ...site.brains.map((brain) =>
      make(
        "div",
        {},
        make("h3", {}, `${brain.name}, version ${brain.version}`),
        make("p.small", {}, `${capital(texts[brain.task])}: ${listed(brain.labels)}. Runs on ${site.trunks[brain.trunk].name}.`),
        make("p.small", {}, brain.verdict ?? ""),
      ),
    ),
  );
  if (site.has_third_party) {
    const link = make("a", { href: "licences/onnxruntime-third-party.txt" }, "what it is made of");
    part("third-party").replaceChildren(", ", link);
  }
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

function listed(labels) {
  const names = labels.slice(0, 12).map((label) => label.name);
  const rest = labels.length - names.length;
  return names.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** Set one line of the facts; the text may be an element. */
export function tell(name, text) {
  if (!facts.has(name)) {
    facts.set(name, make("dd"));
    part("about-facts").append(make("dt", {}, name), facts.get(name));
  }
  facts.get(name).replaceChildren(text);
}
