// Let the reader edit numbers; return compute as a function that is given what stands in the table, too.
function (id, compute) {
  "use strict";
  var active;  // adds the numbers of the figure in which something was done last: that one is drawn next
  var steps = {ArrowUp: 1, ArrowDown: -1};
  function prepare(root) {
    if (root.dataset.table) return;
    root.dataset.table = "1";
    var part = function (name) { return root.querySelector('[data-part="' + name + '"]'); };
    var table = JSON.parse(part("spec").textContent).table, grid = part("table"), refused = part("refused");
    var rows, start;  // the numbers that count, and the choice whose numbers they were at first

    function cells() { return Array.prototype.slice.call(grid.children); }
    function place(cell) {
      var k = cells().indexOf(cell);
      return {row: Math.floor(k / rows[0].length), column: k % rows[0].length};
    }
    function number(cell) { var at = place(cell); return rows[at.row][at.column]; }
    function takes(text) {
      var value = Number(text);
      return /\S/.test(text) && value % 1 === 0 && value >= table.low && value <= table.high;
    }
    function rule(cell) {
      var at = place(cell);
      return "Only whole numbers from " + table.low + " to " + table.high + ": row " + at.row + ", column " +
        at.column + " stays " + number(cell) + ".";
    }
    function edit(cell) {
      var at = place(cell), wrong = !takes(cell.value);
      // Empty is a field too while one types, as is a sign alone.
      refused.textContent = wrong && cell.value ? rule(cell) : "";
      cell.setAttribute("aria-invalid", String(wrong));
      if (wrong) return;
      rows[at.row][at.column] = Number(cell.value) + 0;  // no -0
      root.querySelector("[data-points]").dispatchEvent(new Event("input", {bubbles: true}));
    }
    // What was not taken gives way to the number that counts.
    function leave(cell) {
      refused.textContent = takes(cell.value) ? "" : rule(cell);
      write(cell);
    }
    function write(cell) {
      cell.value = number(cell);
      cell.setAttribute("aria-invalid", "false");
    }
    function fill(text) {
      start = text;
      rows = table.starts[text].map(function (row) { return row.slice(); });
      var wanted = rows.length * rows[0].length;
      while (grid.children.length > wanted) grid.removeChild(grid.children[wanted]);
      while (grid.children.length < wanted) grid.appendChild(grid.children[0].cloneNode());
      grid.style.gridTemplateColumns = "repeat(" + rows[0].length + ",max-content)";
      cells().forEach(function (cell) {
        var at = place(cell);
        cell.setAttribute("aria-label", "row " + at.row + ", column " + at.column);
        cell.disabled = false;
        write(cell);
      });
      refused.textContent = "";
    }
    function add(values) {
      if (values[table.choice] !== start) fill(values[table.choice]);
      values[table.name] = rows;
      return values;
    }
    ["input", "change", "click", "keydown"].forEach(function (kind) {
      root.addEventListener(kind, function () { active = add; }, true);
    });
    root.addEventListener("click", function (event) {
      if (event.target.closest('[role="radio"]')) start = null;  // chosen again: its numbers again
    }, true);
    grid.addEventListener("input", function (event) { edit(event.target); });
    grid.addEventListener("focusout", function (event) { leave(event.target); });
    // JupyterLab cancels what arrow keys do in an output, so the step is made here.
    grid.addEventListener("keydown", function (event) {
      if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      var cell = event.target, next = number(cell) + steps[event.key];
      cell.value = Math.max(table.low, Math.min(next, table.high));
      edit(cell);
    });
    fill(table.first);
  }
  document.querySelectorAll('[data-explore="' + id + '"]').forEach(prepare);
  return function (values) { return compute(active(values)); };
}
