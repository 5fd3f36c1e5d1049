// Say aloud what a figure computes; let pointer and arrow keys move two of its sliders, on the grids drawn.
function (id) {
  "use strict";
  function prepare(root) {
    if (root.dataset.points) return;
    root.dataset.points = "1";
    var view = root.querySelector('[data-part="view"]'), result = root.querySelector('[data-part="result"]');
    var inputs = Array.prototype.slice.call(root.querySelectorAll("[data-points]"));  // row and column
    function grids() { return Array.prototype.slice.call(view.querySelectorAll("[data-grid]")); }
    function size(grid) { return grid.dataset.grid.split(" ").map(Number); }  // rows and columns
    function place() { return inputs.map(function (input) { return +input.value; }); }
    function choose(wanted) {
      var ends = size(grids()[0]), before = place();
      inputs.forEach(function (input, axis) {
        input.value = Math.max(0, Math.min(wanted[axis], ends[axis] - 1));
        input.max = ends[axis] - 1;
      });
      // The drawing and the labels follow as when the slider itself is moved.
      if (before.join() !== place().join()) inputs[0].dispatchEvent(new Event("input", {bubbles: true}));
    }
    // What was said when another control moved named a place that may be gone: it is said again.
    function fit() {
      if (!inputs.length) return;
      var before = place().join();
      choose(place());
      if (before !== place().join()) inputs[0].dispatchEvent(new Event("change", {bubbles: true}));
    }
    function speak() { result.textContent = view.querySelector("[data-said]").textContent; }
    function point(event) {
      grids().forEach(function (grid) {
        var box = grid.getBoundingClientRect(), ends = size(grid);
        var row = Math.floor((event.clientY - box.top) / box.height * ends[0]);
        var column = Math.floor((event.clientX - box.left) / box.width * ends[1]);
        if (row >= 0 && column >= 0 && row < ends[0] && column < ends[1]) choose([row, column]);
      });
    }
    // Another control may have changed how many positions there are. What the keys do is known when they are up.
    ["input", "change", "keyup", "click"].forEach(function (kind) {
      root.addEventListener(kind, function () {
        fit();
        if (kind !== "input") speak();
      });
    });
    if (!inputs.length) return;
    view.addEventListener("pointerdown", point);
    view.addEventListener("pointermove", point);
    var turns = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};
    view.addEventListener("keydown", function (event) {
      if (!(event.key in turns) || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      choose(place().map(function (at, axis) { return at + turns[event.key][axis]; }));
    });
    fit();
  }
  document.querySelectorAll('[data-explore="' + id + '"]').forEach(prepare);
}
