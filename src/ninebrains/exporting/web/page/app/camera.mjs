// The camera: opened when asked for, closed as soon as it is not needed.

import { part } from "./dom.mjs";

const REASONS = {
  NotAllowedError: "The camera is not allowed. Allow it for this page in the browser's settings, or choose a photo.",
  NotFoundError: "There is no camera here. Choose a photo instead.",
  NotReadableError: "The camera is used by another program. Close that one, or choose a photo.",
  OverconstrainedError: "This camera cannot be used. Choose a photo instead.",
};

let stream;
let facing = "environment";

/** Whether pages may ask for a camera here: only those from https or from this machine. */
export const canAsk = () => Boolean(navigator.mediaDevices?.getUserMedia);

/**
 * Show the camera's picture in the page.
 * @returns Promise of {hasOther: whether there is another camera}
 */
export async function start() {
  stop();
  if (!canAsk()) {
    throw new Error(
      "Browsers give cameras to pages with https only. Open this page with https, or choose a photo.",
    );
  }
  const video = part("video");
  try {
    const wanted = { facingMode: facing, width: { ideal: 1280 }, height: { ideal: 720 } };
    stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    stop();
    throw new Error(REASONS[error?.name] ?? `The camera does not start (${error?.message ?? error}).`);
  }
  const settings = stream.getVideoTracks()[0].getSettings();
  video.classList.toggle("mirrored", settings.facingMode === "user");
  const devices = await navigator.mediaDevices.enumerateDevices();
  return { hasOther: devices.filter((device) => device.kind === "videoinput").length > 1 };
}

/** The front camera instead of the back one, or the other way round. */
export function flip() {
  facing = facing === "environment" ? "user" : "environment";
  return start();
}

/** Let go of the camera. */
export function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
  part("video").srcObject = null;
}

/** Whether the camera is on. */
export const isOn = () => Boolean(stream?.active);

/** What the camera shows now, as a bitmap. */
export const grab = () => createImageBitmap(part("video"));
