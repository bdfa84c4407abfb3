// Photos from the webcam: hold the button or the space bar, and several a second are taken.

import { grab, open } from "../core/camera.js";
import { button, make, part } from "../core/dom.js";
import { choice } from "../core/dialogs.js";
import { project } from "../core/project.js";
import { many } from "../core/words.js";

const EVERY_MS = 250;
const MOST = 300;

/**
 * A dialog with the camera.
 * @param add called with the photos taken and the label they were given (0 for none)
 */
export async function burst(add) {
  const video = make("video.live", {
    muted: true,
    playsInline: true,
    "aria-label": "Live picture of the camera",
  });
  const problem = make("p.problem", { role: "alert", hidden: true });
  const tally = make("p", { role: "status" }, "Hold the button to take photos.");
  const strip = make("div.strip.film");
  const [label, labelLine] = choice(
    "They show",
    [[0, "(no label yet)"], ...project.labels.map((each) => [each.id, each.name])],
    0,
  );
  const photos = [];
  let timer;

  const take = async () => {
    if (photos.length >= MOST) return release();
    const blob = await grab(video);
    if (!blob) return undefined;
    const name = `webcam-${new Date().toISOString().replaceAll(/[:.]/g, "-")}-${photos.length}.jpg`;
    photos.push({ file: new File([blob], name, { type: "image/jpeg" }), path: name });
    tally.textContent = many(photos.length, "photo");
    const picture = make("img", { src: URL.createObjectURL(blob), alt: "" });
    strip.prepend(picture);
    if (strip.children.length > 12)
      (URL.revokeObjectURL(strip.lastChild.src), strip.lastChild.remove());
    use.disabled = false;
    return undefined;
  };
  const press = () => {
    if (timer || shoot.disabled) return;
    void take();
    timer = setInterval(take, EVERY_MS);
  };
  const release = () => (clearInterval(timer), (timer = undefined));

  const shoot = button("Hold to take photos", () => {}, {
    className: "main",
    disabled: true,
    on: {
      pointerdown: (event) => {
        // Held wherever the pointer goes, until it is let go.
        shoot.setPointerCapture(event.pointerId);
        press();
      },
      pointerup: release,
      pointercancel: release,
      lostpointercapture: release,
      contextmenu: (event) => event.preventDefault(),
      keydown: (event) =>
        [" ", "Enter"].includes(event.key) && !event.repeat && (event.preventDefault(), press()),
      keyup: release,
    },
  });
  const use = button("Add them", () => (dialog.close(), add(photos, Number(label.value))), {
    disabled: true,
  });
  const dialog = make(
    "dialog.wide",
    { "aria-labelledby": "webcam-title" },
    make("h2", { id: "webcam-title" }, "From the webcam"),
    problem,
    video,
    tally,
    strip,
    labelLine,
    make(
      "div.row.end",
      {},
      button("Cancel", () => dialog.close()),
      use,
      shoot,
    ),
  );
  part("dialogs").append(dialog);
  dialog.showModal();
  let stop = () => {};
  dialog.addEventListener("close", () => {
    release();
    stop();
    for (const picture of strip.children) URL.revokeObjectURL(picture.src);
    dialog.remove();
  });
  try {
    stop = await open(video);
    if (!dialog.isConnected) stop();
    shoot.disabled = false;
    shoot.focus();
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
}
