// Bring a training playground to life. play makes a network, trains it and draws it, as in playground.py.
function (id, play, radios) {
  "use strict";
  var PAUSE = 50;  // milliseconds from one drawing to the next
  function prepare(root) {
    if (root.dataset.ready) return;
    root.dataset.ready = "1";
    var part = function (name) { return root.querySelector('[data-part="' + name + '"]'); };
    var spec = JSON.parse(part("spec").textContent), running = false, state, timer;
    var all = function (kind) { return Array.prototype.slice.call(root.querySelectorAll("[data-" + kind + "]")); };
    var inputs = all("setting"), acts = all("act"), groups = {};
    Object.keys(spec.choices).forEach(function (kind) {
      groups[kind] = radios(root.querySelector('[data-control="' + kind + '"]'), again);
    });

    function settings() {
      var result = {};
      Object.keys(spec.choices).forEach(function (kind) { result[kind] = spec.choices[kind][groups[kind].place()]; });
      inputs.forEach(function (input) {
        result[input.dataset.setting] = spec.ranges[input.dataset.setting][+input.value];
      });
      return result;
    }
    function ask(action, steps) { return play({action: action, state: state, settings: settings(), steps: steps}); }
    function show() { part("view").innerHTML = ask("draw"); }
    function speak() { part("spoken").textContent = part("view").querySelector("[data-said]").textContent; }
    function begin() {
      var before = state ? state.curve : [];
      state = ask("fresh");
      state.before = before;
    }
    function over() { return state.diverged || state.step >= spec.last; }
    function run(wanted) {
      clearTimeout(timer);  // of a loop that is paused: it must not go on beside the next one
      running = wanted && !over();
      acts[0].textContent = running ? "pause" : "start";
    }
    function go() {
      if (!running || !root.isConnected) return;
      ask("advance", spec.steps);
      show();
      if (over()) { run(false); speak(); } else timer = setTimeout(go, PAUSE);
    }
    var act = {
      "start": function () {
        if (over()) begin();
        run(!running);
        if (running) go(); else speak();
      },
      "one step": function () { run(false); ask("advance", 1); show(); speak(); },
      "reset": function () { run(false); begin(); show(); speak(); }
    };
    acts.forEach(function (button) {
      button.disabled = false;
      button.addEventListener("click", act[button.dataset.act]);
    });
    // Of these a running training knows nothing; it begins again.
    function again() { begin(); show(); if (!running) speak(); }
    var steps = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1};
    inputs.forEach(function (input) {
      function move() {
        var label = String(spec.ranges[input.dataset.setting][+input.value]);
        input.setAttribute("aria-valuetext", label);
        input.parentNode.lastElementChild.textContent = label;
        if (input.dataset.setting === "std") again();
      }
      input.addEventListener("input", move);
      // JupyterLab cancels what arrow keys do in an output, so the step is made here.
      input.addEventListener("keydown", function (event) {
        if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        event.stopPropagation();
        input.value = +input.value + steps[event.key];
        move();
      });
      input.disabled = false;
    });
    part("hint").hidden = true;
    begin();
    while (state.step < spec.warm) ask("advance", spec.steps);  // as what is drawn already
    show();
  }
  document.querySelectorAll('[data-play="' + id + '"]').forEach(prepare);
}
