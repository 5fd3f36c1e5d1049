/* From a file to the pixels that the network reads, as the package makes them (alexnet/data/images.py): upright, what
is transparent on white, colour profiles ignored, the shorter side scaled by Pillow's bilinear filter, the centre
cropped. A canvas would scale by a filter of the browser's choice. */
(() => {
  "use strict";

  const MAX_BYTES = 100e6; // of a file
  const MAX_PIXELS = 150e6; // four bytes each when decoded
  const STRIP = 256; // rows that are read at a time
  const BITS = 22; // of the fractions that Pillow's weights are rounded to

  /** Round halves to even, as Python does. */
  function roundHalf(x) {
    return x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);
  }

  /** Where the crop lies in one direction of the scaled image: {scaled, start}. */
  function cropOf(side, shorter, size) {
    const scaled = Math.trunc((size * side) / shorter);
    return { scaled, start: roundHalf((scaled - size) / 2) };
  }

  /** Pillow's weights for `size` pixels of a row from `start` on, where `from` pixels are scaled to `to`:
  [{first, weights}], whole numbers of which 2^BITS is 1. */
  function windows(from, to, start, size) {
    const scale = from / to;
    const support = Math.max(scale, 1);
    return Array.from({ length: size }, (_, k) => {
      const centre = (start + k + 0.5) * scale;
      const first = Math.max(Math.trunc(centre - support + 0.5), 0);
      const end = Math.min(Math.trunc(centre + support + 0.5), from);
      const values = [];
      for (let i = first; i < end; i++) {
        values.push(Math.max(1 - Math.abs((i - centre + 0.5) * (1 / support)), 0));
      }
      const sum = values.reduce((total, value) => total + value, 0);
      return { first, weights: Int32Array.from(values, (value) => Math.trunc(0.5 + (value / sum) * 2 ** BITS)) };
    });
  }

  /** One pixel of one channel: the weighted mean of every `step`-th number from `place` on, rounded. */
  function mean(values, place, step, weights) {
    let sum = 1 << (BITS - 1);
    for (let i = 0; i < weights.length; i++) {
      sum += values[place + i * step] * weights[i];
    }
    return Math.min(sum >> BITS, 255);
  }

  /** Scale the shorter side to `size` and crop the centre.

  Args: readRows(top, count), which returns rows of RGBA numbers; the image's width and height; size.
  Returns (size, size, 3) of 0 to 255, as one Uint8Array. */
  function resizeAndCrop(readRows, width, height, size) {
    const shorter = Math.min(width, height);
    const [columns, rows] = [width, height].map((side) => {
      const { scaled, start } = cropOf(side, shorter, size);
      return windows(side, scaled, start, size);
    });
    const top = rows[0].first;
    const bottom = rows[size - 1].first + rows[size - 1].weights.length;
    const narrow = new Uint8Array((bottom - top) * size * 3); // the columns are done first, as in Pillow
    for (let from = top; from < bottom; from += STRIP) {
      const count = Math.min(STRIP, bottom - from);
      const strip = readRows(from, count);
      for (let row = 0; row < count; row++) {
        for (let k = 0; k < size; k++) {
          const place = (row * width + columns[k].first) * 4;
          for (let channel = 0; channel < 3; channel++) {
            const pixel = mean(strip, place + channel, 4, columns[k].weights);
            narrow[((from - top + row) * size + k) * 3 + channel] = pixel;
          }
        }
      }
    }
    const pixels = new Uint8Array(size * size * 3);
    for (let i = 0; i < pixels.length; i++) {
      const { first, weights } = rows[Math.floor(i / 3 / size)];
      pixels[i] = mean(narrow, (first - top) * size * 3 + (i % (size * 3)), size * 3, weights);
    }
    return pixels;
  }

  /** Return a reader of an image's rows, on white. */
  function rowsOf(bitmap) {
    const canvas = document.createElement("canvas");
    canvas.width = bitmap.width;
    canvas.height = Math.min(STRIP, bitmap.height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    return (top, count) => {
      context.fillStyle = "#fff";
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(bitmap, 0, -top);
      return context.getImageData(0, 0, canvas.width, count).data;
    };
  }

  const millions = (count) => `${Math.round(count / 1e6)} million`;

  /** Read a file as an image: (size, size, 3) of 0 to 255. Throws an Error with a sentence for the reader. */
  async function readImage(file, size) {
    const name = file.name || "The image";
    if (file.size > MAX_BYTES) {
      throw new Error(`${name} has ${millions(file.size)} bytes; this page reads up to ${millions(MAX_BYTES)}.`);
    }
    let bitmap;
    try {
      bitmap = await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
    } catch {
      throw new Error(
        `${name} is no image that this browser reads; JPEG, PNG and WebP files work. ` +
          "If it is one, it may be damaged or too large.",
      );
    }
    try {
      const { width, height } = bitmap;
      if (width * height > MAX_PIXELS) {
        const most = millions(MAX_PIXELS);
        throw new Error(`${name} has ${millions(width * height)} pixels; this page reads up to ${most}.`);
      }
      return resizeAndCrop(rowsOf(bitmap), width, height, size);
    } finally {
      bitmap.close();
    }
  }

  globalThis.yourImage = Object.assign(globalThis.yourImage ?? {}, { readImage, resizeAndCrop });
})();
