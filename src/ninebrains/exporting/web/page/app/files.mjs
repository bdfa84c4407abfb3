// The export's own files: fetched, counted, unpacked.

/** What went wrong with the export's files or this browser, in words. */
export class SiteError extends Error {}

const GZIP = [0x1f, 0x8b];

/** The description of everything in this export, written when it was made. */
export async function fetchSite(base) {
  const response = await get(new URL("site.json", base));
  return response.json();
}

async function get(url) {
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new SiteError(`Cannot reach ${url.pathname}. Are you online? Load the page again.`);
  }
  if (!response.ok) {
    throw new SiteError(
      `The host answers ${response.status} for ${url.pathname}. Upload the whole export again.`,
    );
  }
  return response;
}

/**
 * The bytes of a packed file of the export.
 * @param file {path, bytes, unpacked_bytes} as in site.json
 * @param onBytes called with the number of packed bytes that just arrived
 */
export async function fetchUnpacked(base, file, onBytes = () => {}) {
  const response = await get(new URL(file.path, base));
  const packed = await readAll(response, onBytes);
  // A host may have unpacked it on the way (Content-Encoding: gzip).
  const isPacked = packed[0] === GZIP[0] && packed[1] === GZIP[1];
  const data = isPacked ? await unpack(packed) : packed;
  if (data.length !== file.unpacked_bytes) {
    throw new SiteError(
      `${file.path} has ${data.length} bytes instead of ${file.unpacked_bytes}. ` +
        "Upload the whole export again.",
    );
  }
  return data;
}

async function readAll(response, onBytes) {
  const chunks = [];
  let length = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    length += value.length;
    onBytes(value.length);
  }
  const whole = new Uint8Array(length);
  let place = 0;
  for (const chunk of chunks) {
    whole.set(chunk, place);
    place += chunk.length;
  }
  return whole;
}

async function unpack(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new SiteError("A file of this export is damaged. Upload the whole export again.");
  }
}
