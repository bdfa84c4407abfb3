// Keeps the whole page on the device. A change of any file is a new version of this script, which
// the browser then fetches whole before the old one is let go.

const VERSION = "VERSION";
const FILES = "FILES";

const PREFIX = `ninebrains ${self.registration.scope} `;
const CACHE = PREFIX + VERSION;
const EXTRAS = PREFIX + "extras " + VERSION; // fetched only where they were asked for

self.addEventListener("install", (event) => event.waitUntil(keep()));

async function keep() {
  const cache = await caches.open(CACHE);
  await Promise.all(Object.entries(FILES).map(([path, integrity]) => keepOne(cache, path, integrity)));
  await self.skipWaiting();
}

async function keepOne(cache, path, integrity) {
  // Files without a hash here carry one in their name, and hosts may unpack them on the way. Browsers
  // have those from the page's own start already: they need not travel twice.
  const options = integrity ? { integrity, cache: "no-cache" } : {};
  const name = path === "index.html" ? "./" : path; // some hosts redirect one to the other
  const response = await fetch(new Request(name, options));
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  await cache.put(name, response);
}

self.addEventListener("activate", (event) => event.waitUntil(takeOver()));

async function takeOver() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(PREFIX) && ![CACHE, EXTRAS].includes(name));
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  event.respondWith(answer(request));
});

async function answer(request) {
  const path = new URL(request.url).pathname.slice(new URL(self.registration.scope).pathname.length);
  const name = path === "index.html" ? "" : path;
  const found = await caches.match(new URL(name, self.registration.scope), { cacheName: CACHE });
  if (found) return found;
  if (!path.startsWith("runtime/")) return fetch(request);
  const extras = await caches.open(EXTRAS);
  const kept = await extras.match(request.url);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await extras.put(request.url, response.clone());
  return response;
}
