// A zip file without compression (photos are compressed already), for downloads.
// Source of the format: PKWARE's APPNOTE.TXT 6.3.

const UTF8_NAMES = 0x0800;
const LARGEST = 0xffffffff; // beyond that zip64 begins
const MOST_FILES = 0xffff;

const table = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

function checksum(data) {
  let sum = 0xffffffff;
  for (const byte of data) sum = (sum >>> 8) ^ table[(sum ^ byte) & 0xff];
  return (sum ^ 0xffffffff) >>> 0;
}

/** Numbers as little-endian bytes: pairs of (bytes, value). */
function fields(...pairs) {
  const length = pairs.reduce((sum, [bytes]) => sum + bytes, 0);
  const view = new DataView(new ArrayBuffer(length));
  let place = 0;
  for (const [bytes, value] of pairs) {
    if (bytes === 2) view.setUint16(place, value, true);
    else view.setUint32(place, value, true);
    place += bytes;
  }
  return new Uint8Array(view.buffer);
}

/** Date and time as MS-DOS has them. */
function stamp(date) {
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
  const year = Math.max(0, date.getFullYear() - 1980);
  return [time, (year << 9) | ((date.getMonth() + 1) << 5) | date.getDate()];
}

/**
 * @param files [{path, data: Uint8Array, date: Date}], paths with "/"
 * @returns Blob
 */
export function zip(files) {
  if (files.length > MOST_FILES) throw new Error("More than 65,535 files do not fit into one zip.");
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { path, data, date } of files) {
    const name = new TextEncoder().encode(path);
    const [time, day] = stamp(date);
    const about = [[2, 20], [2, UTF8_NAMES], [2, 0], [2, time], [2, day], [4, checksum(data)]];
    about.push([4, data.length], [4, data.length], [2, name.length], [2, 0]);
    const local = fields([4, 0x04034b50], ...about);
    const rest = [[2, 0], [2, 0], [2, 0], [4, 0], [4, offset]];
    directory.push(fields([4, 0x02014b50], [2, 20], ...about, ...rest), name);
    parts.push(local, name, data);
    offset += local.length + name.length + data.length;
  }
  const size = directory.reduce((sum, item) => sum + item.length, 0);
  if (offset + size > LARGEST) throw new Error("More than 4 GB do not fit into one zip.");
  const count = files.length;
  const end = fields([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}
