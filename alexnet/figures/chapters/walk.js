// Bring a walk through a network to life: buttons and sliders choose a photograph, a layer, a map and a unit of it.
function (id, radios) {
  "use strict";
  var SIDE = 230, PATCH = 84;  // CSS pixels of the enlarged map, and of a patch at most
  // What a unit sees of an image: [top, left, height, width], as `window` in alexnet/evaluation/responses.py.
  function seen(field, row, column, height, width) {
    var edges = [[row, height], [column, width]].map(function (pair) {
      var first = field[2] + pair[0] * field[1];
      var near = Math.max(first, 0), far = Math.min(first + field[0], pair[1]);
      return [near, Math.max(far - near, 0)];
    });
    return [edges[0][0], edges[1][0], edges[0][1], edges[1][1]];
  }
  function prepare(root) {
    if (root.dataset.ready) return;
    root.dataset.ready = "1";
    var part = function (name) { return root.querySelector('[data-part="' + name + '"]'); };
    var spec = JSON.parse(part("spec").textContent), at = spec.start;
    var inputs = {map: part("map"), row: part("row"), column: part("column")}, groups = {};
    var tops = spec.layers.map(function (layer) { return atob(layer.tops); });

    function style(node, values) { Object.assign(node.style, values); }
    function percent(share) { return 100 * share + "%"; }
    function choose(change) {
      Object.assign(at, change);
      var layer = spec.layers[at.layer];
      at.map = Math.min(at.map, layer.maps - 1);
      at.row = Math.min(at.row, layer.size - 1);
      at.column = Math.min(at.column, layer.size - 1);
      show(layer);
    }
    function show(layer) {
      var photograph = spec.photographs[at.photograph], step = layer.size + layer.gap;
      var size = [step * layer.columns, step * Math.ceil(layer.maps / layer.columns)];
      var corner = [at.map % layer.columns, Math.floor(at.map / layer.columns)];
      part("photograph").src = photograph.image;
      part("photograph").alt = photograph.shows;
      part("answer").textContent = photograph.answer;
      var window = seen(layer.field, at.row, at.column, spec.input, spec.input);
      style(part("field"), {top: percent(window[0] / spec.input), left: percent(window[1] / spec.input),
        height: percent(window[2] / spec.input), width: percent(window[3] / spec.input)});
      part("mosaic").src = photograph.mosaics[at.layer];
      part("mosaic").alt = "All " + layer.maps + " feature maps of " + layer.name + ", white where they are strong.";
      style(part("chosen"), {top: percent(corner[1] * step / size[1]), left: percent(corner[0] * step / size[0]),
        width: percent(layer.size / size[0]), height: percent(layer.size / size[1])});
      var scale = SIDE / layer.size;
      style(part("enlarged"), {backgroundImage: "url(" + photograph.mosaics[at.layer] + ")",
        backgroundSize: size[0] * scale + "px " + size[1] * scale + "px",
        backgroundPosition: -corner[0] * step * scale + "px " + -corner[1] * step * scale + "px"});
      style(part("unit"), {top: at.row * scale + "px", left: at.column * scale + "px",
        width: scale + "px", height: scale + "px"});
      ["photograph", "layer"].forEach(function (kind) { groups[kind].choose(at[kind]); });
      ["map", "row", "column"].forEach(function (name) {
        inputs[name].max = (name === "map" ? layer.maps : layer.size) - 1;
        inputs[name].disabled = +inputs[name].max === 0;
        inputs[name].value = at[name];
        inputs[name].setAttribute("aria-valuetext", String(at[name]));
        inputs[name].parentNode.lastElementChild.textContent = at[name];
      });
      patches(layer);
      part("said").textContent = words(layer, window);
    }
    function patches(layer) {
      root.querySelectorAll("[data-top]").forEach(function (node, k) {
        var where = 3 * (at.map * spec.top + k), code = tops[at.layer];
        var image = spec.searched[code.charCodeAt(where)];
        node.hidden = !image;
        if (!image) return;
        var window = layer.whole ? image.centre : seen(
          layer.field, code.charCodeAt(where + 1), code.charCodeAt(where + 2), image.height, image.width);
        var scale = PATCH / Math.max(window[2], window[3]);
        style(node, {backgroundImage: "url(" + image.image + ")",
          backgroundSize: image.width * scale + "px " + image.height * scale + "px",
          backgroundPosition: -window[1] * scale + "px " + -window[0] * scale + "px",
          height: window[2] * scale + "px", width: window[3] * scale + "px"});
        node.setAttribute("aria-label", image.shows);
      });
      part("none").hidden = read_code(layer) < spec.searched.length;
    }
    function read_code(layer) { return tops[spec.layers.indexOf(layer)].charCodeAt(3 * at.map * spec.top); }
    function words(layer, window) {
      var name = layer.names ? " (" + layer.names[at.map] + ")" : "";
      if (layer.whole) return layer.name + ", unit " + at.map + name + ": its receptive field is the whole image.";
      var tower = at.map < layer.maps / 2 ? "a" : "b";
      return layer.name + ", feature map " + at.map + " (tower " + tower + "), the unit in row " + at.row + " and column " +
        at.column + ": its receptive field covers " + window[2] + " × " + window[3] + " of the image's " +
        spec.input + " × " + spec.input + " pixels.";
    }
    function speak() { part("spoken").textContent = part("said").textContent; }
    function pick(node, event, columns, rows, change) {
      var box = node.getBoundingClientRect();
      var column = Math.floor((event.clientX - box.left) / box.width * columns);
      var row = Math.floor((event.clientY - box.top) / box.height * rows);
      if (column >= 0 && row >= 0 && column < columns && row < rows) choose(change(row, column));
    }
    ["photograph", "layer"].forEach(function (kind) {
      groups[kind] = radios(root.querySelector('[data-control="' + kind + '"]'), function () {
        var change = {};
        change[kind] = groups[kind].place();
        // The unit that stays chosen is the one at about the same place of the image.
        if (kind === "layer") {
          var share = spec.layers[change.layer].size / spec.layers[at.layer].size;
          change.row = Math.floor((at.row + 0.5) * share);
          change.column = Math.floor((at.column + 0.5) * share);
        }
        choose(change);
        speak();
      });
    });
    var steps = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1};
    Object.keys(inputs).forEach(function (name) {
      function move() {
        var change = {};
        change[name] = +inputs[name].value;
        choose(change);
      }
      inputs[name].addEventListener("input", move);
      inputs[name].addEventListener("change", speak);
      // JupyterLab cancels what arrow keys do in an output, so the step is made here.
      inputs[name].addEventListener("keydown", function (event) {
        if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        event.stopPropagation();
        inputs[name].value = +inputs[name].value + steps[event.key];
        move();
        speak();
      });
    });
    part("mosaic").addEventListener("click", function (event) {
      var layer = spec.layers[at.layer];
      pick(part("mosaic"), event, layer.columns, Math.ceil(layer.maps / layer.columns), function (row, column) {
        return {map: row * layer.columns + column};
      });
      speak();
    });
    ["pointerdown", "pointermove"].forEach(function (kind) {
      part("enlarged").addEventListener(kind, function (event) {
        var size = spec.layers[at.layer].size;
        pick(part("enlarged"), event, size, size, function (row, column) { return {row: row, column: column}; });
      });
    });
    part("hint").hidden = true;
    choose({});
  }
  document.querySelectorAll('[data-walk="' + id + '"]').forEach(prepare);
}
