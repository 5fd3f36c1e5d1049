// Bring the controls of a figure to life. compute makes HTML of the values; it is null where frames are stored.
function (id, compute, radios) {
  "use strict";
  function prepare(root) {
    if (root.dataset.ready) return;
    root.dataset.ready = "1";
    var part = function (name) { return root.querySelector('[data-part="' + name + '"]'); };
    var spec = JSON.parse(part("spec").textContent);
    var controls = Array.prototype.map.call(root.querySelectorAll("[data-control]"), function (node) {
      var input = node.querySelector("input");
      return input ? slider(input) : radios(node, moved);
    });
    var view = part("view"), image = spec.widths && view.querySelector("img"), caption = part("caption");
    // The start frame is on the page already and is not stored twice.
    if (image) spec.frames[spec.start] = image.src;
    else if (!compute) spec.frames[spec.start] = view.innerHTML;

    function label(k) { return spec.sliders[k].labels[controls[k].place()]; }
    function index() {
      return controls.reduce(function (sum, control, k) {
        return sum * spec.sliders[k].labels.length + control.place();
      }, 0);
    }
    function text(kind) {
      if (!compute) return spec[kind][index()];
      return spec[kind].replace(/\{(\w+)\}/g, function (field, name) {
        return label(spec.sliders.findIndex(function (slider) { return slider.name === name; }));
      });
    }
    function values() {
      var result = {};
      spec.sliders.forEach(function (slider, k) { result[slider.name] = slider.values[controls[k].place()]; });
      return result;
    }
    function show() {
      controls.forEach(function (control, k) { if (control.tell) control.tell(label(k)); });
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
    function moved() {
      show();
      speak();
    }
    function slider(input) {
      var steps = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1};
      input.addEventListener("input", show);
      input.addEventListener("change", speak);
      // JupyterLab cancels what arrow keys do in an output, so the step is made here.
      input.addEventListener("keydown", function (event) {
        if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        event.stopPropagation();
        input.value = +input.value + steps[event.key];
        moved();
      });
      input.disabled = false;
      function tell(label) {
        input.setAttribute("aria-valuetext", label);
        input.parentNode.lastElementChild.textContent = label;
      }
      return {place: function () { return +input.value; }, tell: tell};
    }
    part("hint").hidden = true;
  }
  document.querySelectorAll('[data-explore="' + id + '"]').forEach(prepare);
}
