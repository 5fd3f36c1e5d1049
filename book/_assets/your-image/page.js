/* The page on which the reader's own image is classified. What computes is loaded when the first image is given;
nothing is sent anywhere. `yourImage.last` holds the numbers of the image that is shown. */
(() => {
  "use strict";

  const TOP = 5; // classes shown
  const COLUMNS = 12; // of the mosaic of feature maps
  const root = document.querySelector("[data-your-image]");
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  let network = null; // a promise of {description, ask}
  let isLoaded = false;
  let turn = 0; // counts images: only of the last one anything is said

  function loadScript(source) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = source;
      script.addEventListener("load", resolve);
      script.addEventListener("error", () => reject(new Error(`${source} did not load`)));
      document.head.append(script);
    });
  }

  function bytesOf(base64) {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) {
      bytes[i] = text.charCodeAt(i);
    }
    return bytes;
  }

  /** Wait until the page has shown what was said. */
  const painted = () => new Promise((resolve) => setTimeout(resolve, 50));

  function say(text, { problem = false, busy = false } = {}) {
    part("said").textContent = text;
    root.classList.toggle("your-image-problem", problem);
    part("progress").hidden = !busy;
  }

  async function loadNetwork() {
    const sources = root.dataset.scripts.split(" ");
    for (const [i, source] of sources.entries()) {
      part("progress").value = i / sources.length;
      await loadScript(source);
    }
    part("progress").value = 1;
    await painted();
    const { description, bytes } = yourImage.network;
    const ask = await yourImage.makeNetwork(description, bytesOf(bytes));
    isLoaded = true;
    return { description, ask };
  }

  function getNetwork() {
    network ??= loadNetwork().catch((error) => {
      network = null; // another image tries again
      const instead = `On the command line, ${root.dataset.command} does the same.`;
      throw new Error(`The network cannot run in this browser: ${error.message}. ${instead}`);
    });
    return network;
  }

  /** Classify what `read` promises, a file; say nothing more as soon as another image is given. */
  async function classify(read) {
    const mine = ++turn;
    const tell = (text, how) => mine === turn && say(text, how);
    part("result").hidden = true;
    tell("Reading the image …", { busy: true });
    try {
      const file = await read();
      const pixels = await yourImage.readImage(file, Number(root.dataset.imageSize));
      if (!isLoaded) {
        tell(`Loading the network, ${root.dataset.megabytes} MB …`, { busy: true });
      }
      const { description, ask } = await getNetwork();
      tell("The network computes …", { busy: true });
      await painted();
      if (mine === turn) {
        show(file.name, pixels, description, ask(pixels));
      }
    } catch (error) {
      tell(error.message, { problem: true });
    }
  }

  const percent = (share) => `${(100 * share).toFixed(1)}%`;

  function show(name, pixels, description, found) {
    yourImage.last = { name, pixels, ...found };
    drawCrop(name, pixels, description);
    const best = description.names
      .map((label, i) => ({ label, share: found.probabilities[i] }))
      .sort((a, b) => b.share - a.share)
      .slice(0, TOP);
    part("bars").replaceChildren(...best.map(barOf));
    drawMaps(found.first);
    part("result").hidden = false;
    const [{ label, share }] = best;
    say(`${name}: ${label}, ${percent(share)}. The network took ${Math.round(found.milliseconds)} ms in this browser.`);
  }

  function barOf({ label, share }) {
    const row = document.createElement("tr");
    const heading = document.createElement("th");
    heading.scope = "row";
    heading.textContent = label;
    const cell = document.createElement("td");
    const bar = document.createElement("span");
    bar.className = "your-image-bar";
    bar.style.width = `${100 * share}%`;
    const number = document.createElement("td");
    number.textContent = percent(share);
    cell.append(bar);
    row.append(heading, cell, number);
    return row;
  }

  /** Paint a canvas: colour(column, row) gives red, green and blue of each pixel. */
  function paint(canvas, width, height, colour) {
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      image.data.set([...colour(i % width, Math.floor(i / width)), 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  }

  function drawCrop(name, pixels, { imageSize, inputSize }) {
    const edge = Math.floor((imageSize - inputSize) / 2);
    paint(part("crop"), inputSize, inputSize, (column, row) => {
      const place = 3 * ((edge + row) * imageSize + edge + column);
      return pixels.subarray(place, place + 3);
    });
    part("crop").setAttribute("aria-label", `The centre of ${name}, ${inputSize} × ${inputSize} pixels`);
  }

  /** Draw the feature maps of the first layer: black is zero, grey levels follow the root, as in chapter 8. */
  function drawMaps({ size, count, values }) {
    const step = size + 1;
    const largest = values.reduce((most, value) => Math.max(most, value), 1e-12);
    paint(part("maps"), COLUMNS * step - 1, Math.ceil(count / COLUMNS) * step - 1, (column, row) => {
      const map = Math.floor(row / step) * COLUMNS + Math.floor(column / step);
      const [x, y] = [column % step, row % step];
      if (x === size || y === size || map >= count) {
        return [128, 128, 128];
      }
      const value = values[(y * size + x) * count + map];
      const grey = Math.round(255 * Math.sqrt(Math.max(value, 0) / largest));
      return [grey, grey, grey];
    });
  }

  /** An example, from the script that holds it. */
  async function example(button) {
    const name = button.dataset.example;
    if (!yourImage.examples?.[name]) {
      await loadScript(button.dataset.script);
    }
    return new File([bytesOf(yourImage.examples[name])], name, { type: "image/png" });
  }

  function take(event, files) {
    if (files?.length) {
      event.preventDefault();
      classify(async () => files[0]);
    }
  }

  function listen() {
    const file = part("file");
    file.addEventListener("change", (event) => {
      take(event, [...file.files]);
      file.value = ""; // so that the same file can be chosen again
    });
    root.addEventListener("dragover", (event) => {
      event.preventDefault();
      root.classList.add("your-image-over");
    });
    root.addEventListener("dragleave", () => root.classList.remove("your-image-over"));
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      root.classList.remove("your-image-over");
      const { files } = event.dataTransfer;
      if (files.length) {
        take(event, files);
      } else {
        say("Only files can be dropped here: save the image first, then drop the file.", { problem: true });
      }
    });
    document.addEventListener("paste", (event) => take(event, event.clipboardData?.files));
    for (const button of root.querySelectorAll("[data-example]")) {
      button.addEventListener("click", () => classify(() => example(button)));
    }
    part("tool").hidden = false;
    root.classList.add("your-image-ready");
  }

  if (root) {
    listen();
  }
})();
