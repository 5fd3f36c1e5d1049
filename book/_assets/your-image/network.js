/* The trained network in the page: TensorFlow.js computes what the build has written down of the package's network.

`description` is the JSON of tools/your_image.py: the steps in their order, each with its constants, and the sizes of
images. Weights come as the bytes of a safetensors file, in torch's order of axes; feature maps are held as
TensorFlow.js wants them, (1, height, width, channels). */
(() => {
  "use strict";

  /** The number that 16 bits stand for in half precision. */
  function half(bits) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = (bits & 1023) / 1024;
    if (exponent === 31) {
      return fraction ? NaN : sign * Infinity;
    }
    return sign * (exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14);
  }

  function halves(buffer) {
    const bits = new Uint16Array(buffer);
    const values = new Float32Array(bits.length);
    for (let i = 0; i < bits.length; i++) {
      values[i] = half(bits[i]);
    }
    return values;
  }

  const READERS = { F16: halves, F32: (buffer) => new Float32Array(buffer) };

  /** The tensors of a safetensors file whose type networks use: name -> {shape, values}. */
  function readTensors(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const start = 8 + view.getUint32(0, true);
    const { __metadata__, ...header } = JSON.parse(String.fromCharCode(...bytes.subarray(8, start)));
    const tensors = {};
    for (const [name, { dtype, shape, data_offsets: ends }] of Object.entries(header)) {
      const read = READERS[dtype];
      if (read) {
        tensors[name] = { shape, values: read(bytes.slice(start + ends[0], start + ends[1]).buffer) };
      }
    }
    return tensors;
  }

  /** Do something with each group of the channels of x, and put the results side by side. */
  function inGroups(x, groups, compute) {
    return groups === 1 ? compute(x, 0) : tf.concat(tf.split(x, groups, 3).map(compute), 3);
  }

  // By the `kind` of a step: what it makes of x, given the step and its parameters.
  const COMPUTE = {
    conv(x, { stride, padding: [left, right, top, bottom], groups }, { kernels, bias }) {
      const sides = [[0, 0], [top, bottom], [left, right], [0, 0]];
      const sums = inGroups(x, groups, (part, k) => tf.conv2d(part, kernels[k], stride, sides));
      return tf.add(sums, bias);
    },
    norm(x, { radius, k, alpha, beta, groups }) {
      return inGroups(x, groups, (part) => tf.localResponseNormalization(part, radius, k, alpha, beta));
    },
    spatial(x, { size, k, alpha, beta }) {
      const sides = [Math.floor(size / 2), Math.floor((size - 1) / 2)];
      const squares = tf.pad(tf.square(x), [[0, 0], sides, sides, [0, 0]]);
      const sums = tf.mul(tf.avgPool(squares, size, 1, "valid"), size ** 2);
      return tf.div(x, tf.pow(tf.add(k, tf.mul(alpha, sums)), beta));
    },
    pool(x, { size, stride, beyond }) {
      const sides = [0, beyond]; // pixels that are not there are no maxima
      return tf.maxPool(tf.pad(x, [[0, 0], sides, sides, [0, 0]], -Infinity), size, stride, "valid");
    },
    relu: (x) => tf.relu(x),
    flatten: (x) => tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [1, -1]), // channels first, as torch has them
    scale: (x, { by }) => tf.mul(x, by),
    dense: (x, step, { weight, bias }) => tf.add(tf.matMul(x, weight, false, true), bias),
  };

  /** What a step computes with: bias, and weight (units, inputs) or, for each group, kernels (R, S, C, K). */
  function parametersOf({ kind, name, groups }, tensors) {
    if (!(`${name}.weight` in tensors)) {
      return {};
    }
    const [weight, bias] = ["weight", "bias"].map((part) => {
      const { values, shape } = tensors[`${name}.${part}`];
      return tf.tensor(values, shape);
    });
    if (kind === "dense") {
      return { weight, bias };
    }
    return { kernels: tf.split(tf.transpose(weight, [2, 3, 1, 0]), groups, 3), bias };
  }

  /** Make a network that can be asked.

  Args: the build's description; bytes, a Uint8Array with the content of the safetensors file.
  Returns a function of pixels, (size, size, 3) of 0 to 255 in one Uint8Array, size being `description.imageSize`. It
  returns the logits and probabilities, in the order of `description.names`, the feature maps of the first layer
  {size, count, values}, and the milliseconds that it took. */
  async function makeNetwork(description, bytes) {
    await tf.setBackend("cpu");
    const { imageSize, inputSize, steps } = description;
    const tensors = readTensors(bytes);
    const mean = tensors[description.mean].values;
    const parameters = steps.map((step) => parametersOf(step, tensors));

    /** The centre of an image less that of the mean image. */
    function prepare(pixels) {
      const edge = Math.floor((imageSize - inputSize) / 2);
      const values = new Float32Array(inputSize ** 2 * 3);
      for (let i = 0; i < values.length; i++) {
        const channel = i % 3;
        const column = edge + (Math.floor(i / 3) % inputSize);
        const row = edge + Math.floor(i / 3 / inputSize);
        const place = row * imageSize + column;
        values[i] = pixels[place * 3 + channel] - mean[channel * imageSize ** 2 + place];
      }
      return tf.tensor(values, [1, inputSize, inputSize, 3]);
    }

    function compute(pixels) {
      let x = prepare(pixels);
      let first = null;
      steps.forEach((step, i) => {
        x = COMPUTE[step.kind](x, step, parameters[i]);
        first ??= { size: x.shape[1], count: x.shape[3], values: x.dataSync() };
      });
      return { logits: [...x.dataSync()], probabilities: [...tf.softmax(x).dataSync()], first };
    }

    return (pixels) => {
      const start = performance.now();
      const found = tf.tidy(() => compute(pixels));
      return { ...found, milliseconds: performance.now() - start };
    };
  }

  globalThis.yourImage = Object.assign(globalThis.yourImage ?? {}, { makeNetwork, readTensors });
})();
