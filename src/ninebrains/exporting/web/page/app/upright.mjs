// Photos from files, upright. Browsers turn JPEG, PNG and AVIF photos themselves; with WebP some do
// and some do not, so what says how a WebP photo lies is read here and taken out of their sight.
// Sources: the WebP container specification (RFC 9649), EXIF 2.32 (tag 0x0112).

const EXIF_FLAG = 0x08;
const XMP_FLAG = 0x04;
const ORIENTATION = 0x0112;
const BYTES_OF_TYPE = { 1: 1, 3: 2, 4: 4 }; // BYTE, SHORT, LONG
const IN_XMP = /tiff:Orientation(?:="|>)([0-9])/;

/** A file to an upright bitmap; `options` as for createImageBitmap. */
export async function uprightBitmap(blob, options = {}) {
  const head = new Uint8Array(await blob.slice(0, 16).arrayBuffer());
  if (nameAt(head, 0) !== "RIFF" || nameAt(head, 8) !== "WEBP") {
    return createImageBitmap(blob, { ...options, imageOrientation: "from-image" });
  }
  const data = new Uint8Array(await blob.arrayBuffer());
  const orientation = takeOrientation(data);
  const bitmap = await createImageBitmap(new Blob([data], { type: "image/webp" }), options);
  return orientation === 1 ? bitmap : turn(bitmap, orientation, options);
}

/** How the rows of a WebP file lie, 1 to 8; decoders see nothing of it in `data` any more. */
function takeOrientation(data) {
  const view = new DataView(data.buffer);
  let flags = 0;
  let exif = 0;
  let xmp = 0;
  for (let place = 12; place + 8 <= data.length; ) {
    const name = nameAt(data, place);
    const size = view.getUint32(place + 4, true);
    const body = data.subarray(place + 8, place + 8 + size);
    if (name === "VP8X" && body.length) {
      flags = body[0];
      body[0] &= ~(EXIF_FLAG | XMP_FLAG);
    } else if (name === "EXIF") {
      if (flags & EXIF_FLAG) exif ||= inExif(body);
      data.set([0x65, 0x78, 0x69, 0x66], place); // "exif", which is no chunk that anyone knows
    } else if (name === "XMP " && flags & XMP_FLAG) {
      xmp ||= Number(IN_XMP.exec(new TextDecoder("latin1").decode(body))?.[1] ?? 0);
    }
    place += 8 + size + (size % 2);
  }
  const found = exif || xmp;
  return found >= 1 && found <= 8 ? found : 1;
}

function nameAt(data, place) {
  return String.fromCharCode(...data.subarray(place, place + 4));
}

/** The orientation in EXIF data; 0 where there is none. */
function inExif(body) {
  const { buffer, byteOffset, byteLength } = nameAt(body, 0) === "Exif" ? body.subarray(6) : body;
  const view = new DataView(buffer, byteOffset, byteLength);
  if (view.byteLength < 8) return 0;
  const isLittle = view.getUint16(0) === 0x4949;
  const first = view.getUint32(4, isLittle);
  if (first + 2 > view.byteLength) return 0;
  const count = view.getUint16(first, isLittle);
  for (let entry = first + 2; entry < first + 2 + 12 * count; entry += 12) {
    if (entry + 12 > view.byteLength) return 0;
    if (view.getUint16(entry, isLittle) !== ORIENTATION) continue;
    const bytes = BYTES_OF_TYPE[view.getUint16(entry + 2, isLittle)];
    if (!bytes || view.getUint32(entry + 4, isLittle) !== 1) return 0;
    return { 1: view.getUint8(entry + 8), 2: view.getUint16(entry + 8, isLittle) }[bytes]
      ?? view.getUint32(entry + 8, isLittle);
  }
  return 0;
}

/** A bitmap whose rows lie as EXIF says, turned upright; the bitmap is used up. */
function turn(bitmap, orientation, options) {
  const { width, height } = bitmap;
  const isOnSide = orientation >= 5;
  const canvas = new OffscreenCanvas(isOnSide ? height : width, isOnSide ? width : height);
  const context = canvas.getContext("2d");
  const ways = {
    2: [-1, 0, 0, 1, width, 0],
    3: [-1, 0, 0, -1, width, height],
    4: [1, 0, 0, -1, 0, height],
    5: [0, 1, 1, 0, 0, 0],
    6: [0, 1, -1, 0, height, 0],
    7: [0, -1, -1, 0, height, width],
    8: [0, -1, 1, 0, 0, width],
  };
  context.imageSmoothingEnabled = false;
  context.setTransform(...ways[orientation]);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return createImageBitmap(canvas, options);
}
