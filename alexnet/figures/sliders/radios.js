// Let the reader choose one button of a group, with the pointer or the arrow keys; changed is called after that.
function (group, changed) {
  "use strict";
  var buttons = Array.prototype.slice.call(group.querySelectorAll("button"));
  function place() {
    return buttons.findIndex(function (button) { return button.getAttribute("aria-checked") === "true"; });
  }
  function choose(wanted) {
    buttons.forEach(function (button, k) {
      button.setAttribute("aria-checked", String(k === wanted));
      button.tabIndex = k === wanted ? 0 : -1;
      button.style.background = k === wanted ? "#0072B2" : "none";
      button.style.color = k === wanted ? "#fff" : "inherit";
    });
  }
  buttons.forEach(function (button, k) {
    button.disabled = false;
    button.addEventListener("click", function () {
      choose(k);
      changed();
    });
  });
  var steps = {ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1};
  group.addEventListener("keydown", function (event) {
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    var next = (place() + steps[event.key] + buttons.length) % buttons.length;
    choose(next);
    buttons[next].focus();
    changed();
  });
  return {place: place, choose: choose};
}
