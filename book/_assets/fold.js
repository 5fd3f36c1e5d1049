/* Folded cells that follow each other with nothing between them, such as the parts of one figure, get one bar: it
opens and closes all of them. Without this script each has its own. */
(function () {
  "use strict";
  const folded = (cell) => cell?.matches(".cell.tag_hide-input") && cell.querySelector("details.hide");
  document.querySelectorAll(".bd-article .cell.tag_hide-input").forEach((cell) => {
    const first = folded(cell), next = folded(cell.nextElementSibling);
    if (!first || !next || cell.querySelector(".cell_output")) return;
    cell.nextElementSibling.classList.add("fold-follows");
    first.addEventListener("toggle", () => {
      next.open = first.open;
    });
  });
})();
