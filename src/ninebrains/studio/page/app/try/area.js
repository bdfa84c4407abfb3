// The area for trying: a photo or the live camera, and what several brains say at once.

import { get, put, query } from "../core/api.js";
import { grab, open } from "../core/camera.js";
import { command, inside, quoted } from "../core/command.js";
import { attempt, button, fill, make } from "../core/dom.js";
import { labelOf } from "../core/project.js";
import { runOf } from "../core/shapes.js";
import { many, percent, plain } from "../core/words.js";

const MOST_SIDE = 640;

/** Build the area in `root`; `take` is given photos that are dropped or pasted. */
export function mount(root) {
  const area = new TryArea(root);
  return { go: () => {}, take: (items) => area.show(items[0]?.file), end: () => area.stop() };
}

class TryArea {
  constructor(root) {
    this.chosen = new Set();
    this.brains = [];
    this.photo = null;
    this.camera = null;
    this.input = make("input", {
      type: "file",
      accept: "image/*",
      hidden: true,
      tabIndex: -1,
      id: "try-file",
      "aria-label": "Photo",
      on: { change: () => (this.show(this.input.files[0]), (this.input.value = "")) },
    });
    this.heat = make("input", {
      type: "checkbox",
      id: "try-heat",
      checked: true,
      on: { change: () => this.ask() },
    });
    this.list = make("fieldset.brains");
    this.frame = make("div.try-frame");
    this.answers = make("div.answers", { "aria-live": "polite" });
    this.live = button("Webcam", () => this.toggleCamera(), {
      "aria-pressed": "false",
      id: "try-webcam",
    });
    const controls = make(
      "div.row",
      {},
      button("Choose a photo", () => this.input.click(), { className: "main", id: "try-choose" }),
      this.live,
      this.input,
      make("label.tick", {}, this.heat, "Where it looks"),
    );
    root.replaceChildren(
      make("h1.unseen", {}, "Try"),
      make(
        "div.try",
        {},
        make("section", { "aria-label": "Photo" }, this.frame, controls),
        make("section", { "aria-label": "Answers" }, this.list, this.answers),
      ),
    );
    this.paintEmpty();
    void attempt(() => this.readBrains());
  }

  async readBrains() {
    const brains = (await get("/api/runs")).runs.map(runOf);
    this.brains = brains;
    if (brains[0]) this.chosen.add(brains[0].id);
    const ticks = brains.slice(0, 12).map((brain) =>
      make(
        "label.tick",
        {},
        make("input", {
          type: "checkbox",
          id: `try-${brain.id}`,
          checked: this.chosen.has(brain.id),
          on: { change: (event) => this.choose(brain.id, event.target.checked) },
        }),
        make(
          "span",
          {},
          `Version ${brain.version}`,
          make(
            "span.soft.small",
            {},
            ` ${brain.accuracy ? percent(brain.accuracy.value) : ""} ${brain.trunk}`,
          ),
        ),
      ),
    );
    fill(this.list, make("legend", {}, "Versions, all on one mind"), ...ticks);
    this.list.hidden = !brains.length;
    if (!brains.length)
      fill(
        this.answers,
        make(
          "p.soft",
          {},
          "There is no brain yet. Label at least five photos of each of two labels, and one learns.",
        ),
      );
    return this.ask();
  }

  choose(id, on) {
    if (on) this.chosen.add(id);
    else this.chosen.delete(id);
    void this.ask();
  }

  paintEmpty() {
    fill(
      this.frame,
      make(
        "div.empty",
        {},
        make("h2", {}, "Show it something"),
        make("p", {}, "Drop a photo here, paste one, choose one, or turn on the webcam."),
      ),
    );
  }

  /** Try a photo. */
  show(file) {
    if (!file) return;
    this.stopCamera();
    URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(file);
    this.photo = file;
    const picture = make("img", { src: this.url, alt: `Your photo ${file.name ?? ""}` });
    fill(this.frame, make("div.shot", {}, picture));
    void this.ask();
  }

  async ask() {
    if (this.camera || !this.photo) return;
    await attempt(() => this.answer(this.photo));
  }

  async answer(photo) {
    if (!this.chosen.size) {
      fill(this.answers, make("p.soft", {}, "Choose at least one version."));
      return;
    }
    const wanted = { brains: [...this.chosen].join(","), heat: this.heat.checked ? 1 : "" };
    const told = await put(query("/api/try", wanted), photo, {
      headers: { "Content-Type": photo.type || "application/octet-stream" },
    });
    const [{ brains, error, timings }] = told.photos;
    if (error) {
      this.overlay(null);
      fill(this.answers, make("p.problem", {}, error));
      return;
    }
    const files = brains
      .map(({ run }) => this.brains.find((brain) => brain.id === run))
      .map((brain) => quoted(inside(`brains/${brain?.file}`)));
    fill(
      this.answers,
      ...brains.map((answer) => card(answer, this.versionOf(answer.run))),
      speed(brains.length, timings),
      command(`ninebrains run --brains ${files.join(" ")} --source PHOTO`),
    );
    this.overlay(brains.find((answer) => answer.heat)?.heat);
  }

  versionOf(run) {
    return this.brains.find((brain) => brain.id === run)?.version ?? "?";
  }

  overlay(heat) {
    const shot = this.frame.querySelector(".shot");
    if (!shot) return;
    shot.querySelector(".heat")?.remove();
    if (heat) shot.append(make("img.heat", { src: heat, alt: "Where the first brain looks" }));
  }

  async toggleCamera() {
    if (this.camera) return this.stopCamera();
    const video = make("video", {
      muted: true,
      playsInline: true,
      "aria-label": "Live picture of the camera",
    });
    await attempt(async () => {
      const stop = await open(video);
      this.photo = null;
      this.camera = { stop, video };
      this.live.setAttribute("aria-pressed", "true");
      fill(this.frame, make("div.shot", {}, video));
      void this.watch();
    });
    return undefined;
  }

  /** One frame after the other, each when the answer to the last one is there. */
  async watch() {
    const { camera } = this;
    try {
      while (this.camera === camera && camera) {
        const frame = await grab(camera.video, MOST_SIDE);
        if (frame) await this.answer(frame);
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
    } catch (error) {
      this.stopCamera();
      await attempt(() => Promise.reject(error));
    }
  }

  stopCamera() {
    if (!this.camera) return;
    this.camera.stop();
    this.camera = null;
    this.live.setAttribute("aria-pressed", "false");
    this.paintEmpty();
  }

  stop() {
    this.stopCamera();
    URL.revokeObjectURL(this.url);
  }
}

function speed(number, timings) {
  const total =
    timings?.total_ms ??
    Object.values(timings ?? {}).reduce((sum, each) => sum + (Number(each) || 0), 0);
  return make(
    "p.soft.small",
    {},
    `${many(number, "version")} on one mind${total ? `: ${plain(total)} ms` : ""}.`,
  );
}

/** How far a photo is from those that were learnt from, where 1 is as far as they go. */
const farness = (unfamiliar) =>
  unfamiliar > 2 ? "Very unlike" : unfamiliar > 1.25 ? "Clearly unlike" : "A little too unlike";

function card({ trunk, top, unfamiliar, is_familiar: isFamiliar }, version) {
  const none = isFamiliar === false;
  const bars = top
    .slice(0, 5)
    .map(({ label: id, name: label, score }) =>
      make(
        "li",
        { style: { "--share": String(score), "--class": labelOf(id)?.color ?? "var(--dot)" } },
        make("span.bar", {}, label),
        make("span.score", {}, percent(score)),
      ),
    );
  return make(
    `section.card.answer${none ? ".none" : ""}`,
    {},
    make("p.soft.small", {}, `Version ${version}, ${trunk}`),
    make("h2", {}, none ? "None of these" : (top[0]?.name ?? "–")),
    none
      ? make(
          "p.small",
          {},
          `${unfamiliar ? farness(unfamiliar) : "Unlike"} the photos it learned from. Its best guess would be:`,
        )
      : null,
    make("ol.bars", {}, ...bars),
  );
}
