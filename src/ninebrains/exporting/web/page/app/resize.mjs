// One antialiased resize, as Pillow does it: a triangle filter that grows with the reduction, along
// rows and along columns, in fixed point, with 8 bits between the two.
// Source of the method: Pillow's Resample.c (https://github.com/python-pillow/Pillow).

const PRECISION = 22; // bits behind the point of a weight

/** The weights of one direction: for each output place, where its input begins and how much of each. */
function weightsFor(inSize, low, high, outSize) {
  const span = Math.fround(high - low);
  const scale = span / outSize;
  const reach = Math.max(scale, 1);
  const length = Math.ceil(reach) * 2 + 1;
  const starts = new Int32Array(outSize);
  const counts = new Int32Array(outSize);
  const weights = new Int32Array(outSize * length);
  for (let place = 0; place < outSize; place++) {
    const center = low + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - reach + 0.5));
    const last = Math.min(inSize, Math.trunc(center + reach + 0.5));
    const raw = new Float64Array(last - first);
    let sum = 0;
    for (let tap = 0; tap < raw.length; tap++) {
      const distance = Math.abs((tap + first - center + 0.5) * (1 / reach));
      raw[tap] = distance < 1 ? 1 - distance : 0;
      sum += raw[tap];
    }
    for (let tap = 0; tap < raw.length; tap++) {
      const share = sum === 0 ? raw[tap] : raw[tap] / sum;
      weights[place * length + tap] = Math.trunc(0.5 + share * (1 << PRECISION));
    }
    starts[place] = first;
    counts[place] = raw.length;
  }
  return { starts, counts, weights, length };
}

function toByte(sum) {
  const value = sum >> PRECISION;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** All rows of `image` resized to `width`, or only those of `rows` ([first, last)). */
function alongRows(image, plan, width, [top, bottom]) {
  const { starts, counts, weights, length } = plan;
  const out = new Uint8Array((bottom - top) * width * 3);
  const { data } = image;
  let to = 0;
  for (let row = top; row < bottom; row++) {
    const rowStart = row * image.width * 3;
    for (let place = 0; place < width; place++) {
      let red = 1 << (PRECISION - 1);
      let green = red;
      let blue = red;
      let from = rowStart + starts[place] * 3;
      const offset = place * length;
      for (let tap = 0; tap < counts[place]; tap++, from += 3) {
        const weight = weights[offset + tap];
        red += data[from] * weight;
        green += data[from + 1] * weight;
        blue += data[from + 2] * weight;
      }
      out[to++] = toByte(red);
      out[to++] = toByte(green);
      out[to++] = toByte(blue);
    }
  }
  return { data: out, width, height: bottom - top };
}

/** All columns of `image`, whose first row is row `top` of the photo, resized to `height`. */
function alongColumns(image, plan, height, top) {
  const { starts, counts, weights, length } = plan;
  const rowLength = image.width * 3;
  const out = new Uint8Array(height * rowLength);
  const sums = new Int32Array(rowLength);
  for (let place = 0; place < height; place++) {
    sums.fill(1 << (PRECISION - 1));
    let from = (starts[place] - top) * rowLength;
    for (let tap = 0; tap < counts[place]; tap++) {
      const weight = weights[place * length + tap];
      for (let column = 0; column < rowLength; column++) sums[column] += image.data[from++] * weight;
    }
    const to = place * rowLength;
    for (let column = 0; column < rowLength; column++) out[to + column] = toByte(sums[column]);
  }
  return { data: out, width: image.width, height };
}

/**
 * A part of an image at another size.
 * @param image {data: Uint8Array of RGB, width, height}
 * @param box [left, top, right, bottom] in pixels of the image, with fractions
 * @returns the same kind of object, width x height
 */
export function resize(image, width, height, box = [0, 0, image.width, image.height]) {
  const [left, top, right, bottom] = box.map(Math.fround); // Pillow's box is in single precision
  const isWide = image.width === width && left === 0 && right === width;
  const isHigh = image.height === height && top === 0 && bottom === height;
  const across = weightsFor(image.width, left, right, width);
  const down = weightsFor(image.height, top, bottom, height);
  const whole = [0, height];
  if (isWide) return isHigh ? image : alongColumns(image, down, height, 0);
  if (isHigh) return alongRows(image, across, width, whole);
  if (isColumnsFirst(image, width, height)) {
    return alongRows(alongColumns(image, down, height, 0), across, width, whole);
  }
  const used = [down.starts[0], down.starts[height - 1] + down.counts[height - 1]];
  return alongColumns(alongRows(image, across, width, used), down, height, used[0]);
}

/** Since version 13, Pillow begins with the columns where they lose most. It is a matter of 1/255. */
function isColumnsFirst(image, width, height) {
  return height < image.height && image.height - height > 2 * (image.width - width);
}
