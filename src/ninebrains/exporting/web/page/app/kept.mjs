// The list of what is kept on this device: look, delete, download as a data set.

import { writeDataset } from "./dataset.mjs";
import { make, part, toast } from "./dom.mjs";
import { allKept, forget, forgetAll } from "./keeping.mjs";

let addresses = [];

/** Make the button and the dialog work. */
export function setUpKept() {
  part("open-kept").addEventListener("click", async () => {
    await refresh();
    part("kept").showModal();
  });
  part("kept").addEventListener("close", letGo);
  return count();
}

/** Show how many there are. */
export async function count() {
  const kept = await allKept();
  part("kept-count").textContent = String(kept.length);
  part("open-kept").hidden = false;
}

function letGo() {
  for (const address of addresses) URL.revokeObjectURL(address);
  addresses = [];
}

async function refresh() {
  letGo();
  const kept = await allKept();
  await count();
  part("kept-empty").hidden = kept.length > 0;
  part("kept-actions").hidden = kept.length === 0;
  part("kept-hint").hidden = kept.length === 0;
  part("kept-actions").replaceChildren(...downloads(kept), deleteAll(kept.length));
  part("kept-list").replaceChildren(...kept.reverse().map(itemFor));
}

/** What a person said, as a line. */
function truthOf(item) {
  if (!Array.isArray(item.truth)) return String(item.truth);
  return item.truth.join(", ") || "None of these";
}

function itemFor(item) {
  const address = URL.createObjectURL(item.photo);
  addresses.push(address);
  const truth = truthOf(item);
  const remove = make("button", { type: "button", "aria-label": `Delete ${truth}` }, "Delete");
  remove.addEventListener("click", async () => {
    await forget(item.id);
    await refresh();
    part("kept").querySelector("[data-close]").focus();
  });
  return make(
    "li",
    {},
    make("img", { src: address, alt: `Photo kept as ${truth}`, loading: "lazy" }),
    make("p", {}, make("strong", {}, truth)),
    make("p.small", {}, `${item.brain} said ${item.answer}`),
    remove,
  );
}

/** A button for each brain that something was said to. */
function downloads(kept) {
  return [...new Set(kept.map((item) => item.brain))].map((name) => {
    const items = kept.filter((item) => item.brain === name);
    const button = make("button.main", { type: "button" }, `Download ${name} (${items.length})`);
    button.addEventListener("click", () => download(name, items));
    return button;
  });
}

async function download(name, items) {
  try {
    const blob = await writeDataset(items[0].task, items);
    const link = make("a", { href: URL.createObjectURL(blob), download: `${name}-photos.zip` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (error) {
    toast(error.message);
  }
}

function deleteAll(count) {
  const button = make("button", { type: "button" }, "Delete all");
  button.addEventListener("click", async () => {
    if (!button.dataset.sure) {
      button.dataset.sure = "yes";
      button.textContent = `Really delete ${count}?`;
      return;
    }
    await forgetAll();
    await refresh();
  });
  return button;
}
