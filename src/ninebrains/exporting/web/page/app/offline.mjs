// Offline use: the service worker (sw.js), and what to say about it.

import { tell } from "./about.mjs";
import { toast } from "./dom.mjs";

/** Start keeping the page on this device; says in "About" how that went. */
export async function keepOffline(base) {
  if (!navigator.serviceWorker) {
    tell("Offline", "Not here: browsers keep pages from https only.");
    return;
  }
  const isFirst = !navigator.serviceWorker.controller;
  if (!isFirst) {
    navigator.serviceWorker.addEventListener("controllerchange", () =>
      toast("A newer version is here. Load the page again to use it."),
    );
  }
  tell("Offline", "Being kept…");
  try {
    const registration = await navigator.serviceWorker.register(new URL("sw.js", base), {
      scope: base.pathname,
    });
    const worker = registration.installing;
    if (worker) await settled(worker);
    await navigator.serviceWorker.ready;
    tell("Offline", "Works without a network.");
    document.documentElement.dataset.offline = "ready";
  } catch (error) {
    tell("Offline", `Not kept: ${error?.message ?? error}`);
  }
}

function settled(worker) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") {
        reject(new Error("a file could not be fetched, or the host changed one on the way."));
      }
    };
    worker.addEventListener("statechange", look);
    look();
  });
}
