// Bring the sliders of a figure to life. compute makes HTML of the values; it is null where frames are stored.
function (id, compute) {
  "use strict";
  function prepare(root) {
    if (root.dataset.ready) return;
    root.dataset.ready = "1";
    var part = function (name) { return root.querySelector('[data-part="' + name + '"]'); };
    var spec = JSON.parse(part("spec").textContent);
    var inputs = Array.prototype.slice.call(root.querySelectorAll("input"));
    var view = part("view"), image = spec.widths && view.querySelector("img"), caption = part("caption");
    // The start frame is on the page already and is not stored twice.
    if (image) spec.frames[spec.start] = image.src;
    else if (!compute) spec.frames[spec.start] = view.innerHTML;

    function label(k) { return spec.sliders[k].labels[+inputs[k].value]; }
    function index() {
      return inputs.reduce(function (sum, input, k) { return sum * spec.sliders[k].labels.length + +input.value; }, 0);
    }
    function text(kind) {
      if (!compute) return spec[kind][index()];
      return spec[kind].replace(/\{(\w+)\}/g, function (field, name) {
        return label(spec.sliders.findIndex(function (slider) { return slider.name === name; }));
      });
    }
    function values() {
      var result = {};
      spec.sliders.forEach(function (slider, k) { result[slider.name] = slider.values[+inputs[k].value]; });
      return result;
    }
    function show() {
      inputs.forEach(function (input, k) {
        input.setAttribute("aria-valuetext", label(k));
        input.parentNode.lastElementChild.textContent = label(k);
      });
      if (image) {
        image.src = spec.frames[index()];
        image.width = spec.widths[index()];
        image.alt = text("alt");
      } else {
        view.innerHTML = compute ? compute(values()) : spec.frames[index()];
        view.setAttribute("aria-label", text("alt"));
      }
      if (caption) caption.textContent = text("caption");
    }
    // Spoken when a slider comes to rest, not at each step of a drag.
    function speak() { part("spoken").textContent = text("alt"); }
    var steps = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1};
    inputs.forEach(function (input) {
      input.addEventListener("input", show);
      input.addEventListener("change", speak);
      // JupyterLab cancels what arrow keys do in an output, so the step is made here.
      input.addEventListener("keydown", function (event) {
        if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        event.stopPropagation();
        input.value = +input.value + steps[event.key];
        show();
        speak();
      });
      input.disabled = false;
    });
    part("hint").hidden = true;
  }
  document.querySelectorAll('[data-explore="' + id + '"]').forEach(prepare);
}
