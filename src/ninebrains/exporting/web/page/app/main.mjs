// The page: what is chosen, what is shown, what was said.

import { setUpAbout, tell } from "./about.mjs";
import { Card, topLabel } from "./answers.mjs";
import * as camera from "./camera.mjs";
import { openClient, whatIsMissing } from "./client.mjs";
import { announce, make, megabytes, part } from "./dom.mjs";
import { setUpDropping } from "./dropping.mjs";
import { fetchSite } from "./files.mjs";
import { chosenBuild, tryGraphics, useWasmFromNow } from "./graphics.mjs";
import { count, setUpKept } from "./kept.mjs";
import { keepOffline } from "./offline.mjs";
import { speak } from "./speaking.mjs";
import { drawHeat, drawPhoto, followSize, show } from "./stage.mjs";
import { teachOf } from "./teaching.mjs";
import { uprightBitmap } from "./upright.mjs";

const base = new URL("..", import.meta.url);
const MOST_AT_FIRST = 4; // brains that are chosen before anyone has chosen
const WAIT_MS = 60; // between two frames

let site;
let client;
let cards = [];
let chosen = [];
let shot = null; // {bitmap, blob: file or null, result, taught: Map of place to {id, truth}}
let heat = { isOn: false, place: 0, label: null }; // label null: the top one
let turn = 0; // of photos: answers to an older one are dropped

async function start() {
  const missing = whatIsMissing();
  if (missing) return fail(missing);
  try {
    site = await fetchSite(base);
    document.title = `${site.title} · Ninebrains`;
    part("title").textContent = site.title;
    setUpAbout(site);
    client = await open(chosenBuild(site));
  } catch (error) {
    return fail(error.message);
  }
  setUpBrains();
  setUpControls();
  followSize();
  show("empty");
  tell("Runs on", `${client.build === "webgpu" ? "WebGPU" : "WebAssembly"}, ${client.threads === 1 ? "one thread" : `${client.threads} threads`}`);
  if (!client.isCanvasHonest) {
    complain("This browser changes photos a little to protect your privacy; answers may be wrong. Allow this page to read canvases, or use another browser.");
  }
  setUpKept().catch((error) => tell("Keeping", error.message));
  document.documentElement.dataset.ready = "yes";
  await keepOffline(base);
}

async function open(build) {
  const progress = (here, total) => {
    part("progress").value = here / total;
    part("progress-text").textContent = `${megabytes(here)} of ${megabytes(total)}. Once; from then on it works offline.`;
  };
  try {
    return await openClient(base, build, progress);
  } catch (error) {
    if (build === "wasm") throw error;
    useWasmFromNow(site);
    return openClient(base, "wasm", progress);
  }
}

function fail(text) {
  part("frame").dataset.state = "failed";
  part("loading-text").textContent = "This does not work here";
  part("progress").hidden = true;
  part("progress-text").textContent = text;
  announce(text);
}

function complain(text) {
  part("problem").textContent = text;
  part("problem").hidden = !text;
}

// Brains

function setUpBrains() {
  chosen = site.brains.map((_, place) => place).slice(0, MOST_AT_FIRST);
  const act = { look, teach };
  cards = site.brains.map((brain, place) => new Card(place, brain, act));
  if (site.brains.length < 2) return;
  part("brains").hidden = false;
  part("brain-list").replaceChildren(
    ...site.brains.map((brain, place) => {
      const box = make("input", { type: "checkbox", checked: chosen.includes(place) });
      box.addEventListener("change", () => choose(place, box.checked));
      return make("label", {}, box, brain.name);
    }),
  );
}

function choose(place, isChosen) {
  const others = chosen.filter((other) => other !== place);
  chosen = (isChosen ? [...others, place] : others).sort((a, b) => a - b);
  if (!chosen.includes(heat.place)) heat = { ...heat, place: chosen[0] ?? 0, label: null };
  if (!camera.isOn()) again();
}

// Photos

function setUpControls() {
  for (const id of ["camera", "choose"]) part(id).disabled = false;
  part("choose").addEventListener("click", () => part("file").click());
  part("frame").addEventListener("click", () => {
    if (part("frame").dataset.state === "empty") part("file").click();
  });
  part("file").addEventListener("change", ({ target }) => {
    if (target.files[0]) openFile(target.files[0]);
    target.value = "";
  });
  part("camera").addEventListener("click", () => openCamera(camera.start));
  part("flip").addEventListener("click", () => openCamera(camera.flip));
  part("stop").addEventListener("click", closeCamera);
  part("hold").addEventListener("click", hold);
  part("show-heat").addEventListener("click", () => setHeat({ isOn: !heat.isOn }));
  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  setUpDropping(openFile);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && camera.isOn()) hold();
  });
}

async function openFile(blob) {
  endCamera();
  const mine = ++turn;
  complain("");
  try {
    const result = await client.answerFile(blob, chosen);
    const bitmap = await uprightBitmap(blob);
    if (mine !== turn) return bitmap.close();
    setShot({ bitmap, blob, result, taught: new Map() });
    drawPhoto(bitmap);
    part("photo").setAttribute("aria-label", blob.name ? `The photo ${blob.name}` : "The photo");
    render();
    await considerGraphics();
  } catch (error) {
    if (mine !== turn) return;
    clear(); // or the answer to the photo before would seem to be about this one
    complain(error.message);
  }
}

/** Answer the same photo again, with other brains. */
async function again() {
  if (!shot) return;
  const mine = ++turn;
  const { blob, bitmap } = shot;
  const result = blob
    ? await client.answerFile(blob, chosen)
    : await client.answerFrame(await createImageBitmap(bitmap), chosen);
  if (mine !== turn) return;
  shot.result = result;
  render();
}

function setShot(next) {
  shot?.bitmap.close();
  shot = next;
}

// Camera

async function openCamera(begin) {
  const mine = ++turn;
  complain("");
  try {
    const { hasOther } = await begin();
    if (mine !== turn) return;
    setCameraButtons(true);
    part("flip").hidden = !hasOther;
    show("camera");
    part("hold").focus();
    await follow(mine);
  } catch (error) {
    closeCamera();
    complain(error.message);
    part("camera").focus();
  }
}

function setCameraButtons(isOn) {
  for (const id of ["camera", "choose"]) part(id).hidden = isOn;
  for (const id of ["hold", "stop"]) part(id).hidden = !isOn;
  if (!isOn) part("flip").hidden = true;
}

async function follow(mine) {
  while (mine === turn && camera.isOn()) {
    const bitmap = await camera.grab();
    const result = await client.answerFrame(await createImageBitmap(bitmap), chosen);
    if (mine !== turn) return bitmap.close();
    setShot({ bitmap, blob: null, result, taught: new Map() });
    render();
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  }
}

/** Stop the camera and keep its last frame as a photo. */
function hold() {
  endCamera();
  if (!shot) return show("empty");
  drawPhoto(shot.bitmap);
  part("photo").setAttribute("aria-label", "The camera's last picture");
  render();
  part("camera").focus();
}

function closeCamera() {
  endCamera();
  clear();
  part("camera").focus();
}

/** Show no photo and no answer. */
function clear() {
  setShot(null);
  part("answers").replaceChildren();
  for (const id of ["timing", "teach-hint", "show-heat", "caption"]) part(id).hidden = true;
  show("empty");
}

function endCamera() {
  turn++;
  camera.stop();
  setCameraButtons(false);
}

// Answers

function render() {
  const { result, taught } = shot;
  const shown = result.answers.map((answer) => cards[answer.place]);
  const present = [...part("answers").children];
  if (shown.length !== present.length || shown.some((card, i) => card.element !== present[i])) {
    part("answers").replaceChildren(...shown.map((card) => card.element));
  }
  if (!result.answers.length) part("answers").replaceChildren(make("p.small", {}, "Choose a brain."));
  for (const answer of result.answers) {
    const isLooking = heat.isOn && heat.place === answer.place;
    const label = isLooking ? (heat.label ?? topLabel(answer)) : null;
    cards[answer.place].update(answer, { label, truth: taught.get(answer.place)?.truth ?? null });
  }
  const { decode, prepare, run } = result.ms;
  part("timing").textContent = `${(decode + prepare + run).toFixed(0)} ms on this device`;
  part("timing").title = `photo ${(decode + prepare).toFixed(1)} ms, network ${run.toFixed(1)} ms`;
  part("timing").hidden = false;
  part("teach-hint").hidden = part("kept-count").textContent !== "0" || !result.answers.length;
  renderHeat();
  speak(site, result.answers, camera.isOn());
}

function renderHeat() {
  const answer = shot?.result.answers.find((item) => item.place === heat.place && item.heatmap);
  const anyMap = shot?.result.answers.some((item) => item.heatmap);
  part("show-heat").hidden = !anyMap;
  part("show-heat").setAttribute("aria-pressed", String(heat.isOn));
  const isShown = Boolean(heat.isOn && answer);
  part("caption").hidden = !isShown;
  if (!isShown) return drawHeat(null);
  const brain = site.brains[heat.place];
  const label = heat.label ?? topLabel(answer);
  drawHeat(answer.heatmap, label, brain.contract, shot.result.size);
  part("caption").textContent = `Where ${brain.name} sees: ${brain.labels[label].name}`;
}

function setHeat(change) {
  heat = { ...heat, ...change };
  if (!chosen.includes(heat.place)) heat.place = chosen[0] ?? 0;
  if (shot) render();
}

/** Show where a label is seen; once more for nothing. */
function look(place, label) {
  const isSame = heat.isOn && heat.place === place && heat.label === label;
  setHeat(isSame ? { isOn: false, label: null } : { isOn: true, place, label });
}

/** Keep the photo with the right answer; with null, take that back. */
async function teach(place, truth) {
  if (camera.isOn()) hold();
  const mine = shot;
  try {
    await teachOf(mine, place, site.brains[place], truth);
    await count();
  } catch (error) {
    complain(error.message);
  }
  if (shot === mine) render();
}

/** Where the processor is slow and there is a graphics processor: see which one is better. */
async function considerGraphics() {
  if (client.build !== "wasm" || !shot) return;
  const better = await tryGraphics(base, site, client, shot.bitmap, chosen);
  if (better === client) return;
  client = better;
  tell("Runs on", "WebGPU");
}

start();
