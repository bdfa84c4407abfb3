// The camera: opened when asked for, closed as soon as it is not needed.

const REASONS = {
  NotAllowedError: "The camera is not allowed. Allow it for this page in the browser's settings.",
  NotFoundError: "There is no camera here.",
  NotReadableError: "The camera is used by another program. Close that one first.",
};

/**
 * Show the camera's picture in a video element.
 * @returns Promise of a function that lets go of the camera
 */
export async function open(video) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error(
      "Browsers give cameras only to this machine's own pages and to pages with https.",
    );
  }
  let stream;
  const stop = () => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  };
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 1280 }, height: { ideal: 720 } },
      audio: false,
    });
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    stop();
    throw new Error(
      REASONS[error?.name] ?? `The camera does not start (${error?.message ?? error}).`,
    );
  }
  return stop;
}

/** What the camera shows now, as a JPEG with sides of at most `most` pixels. */
export function grab(video, most = 1024) {
  const scale = Math.min(1, most / Math.max(video.videoWidth, video.videoHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
}
