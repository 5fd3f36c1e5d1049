"""Measure by how much the assertions of notebooks hold: `python -m tools.margins [NOTEBOOK...]`.

Each notebook runs several times, with other seeds, instruction sets and numbers of threads. Every comparison
in an ``assert`` notes its slack (``b - a`` of ``a < b``) and never stops the run. An assertion whose slack
varies depends on a draw or a training: the table shows its mean, standard deviation and margin, which is the
mean in standard deviations. Below three it belongs rewritten, in a record or away, unless it is "drawn":
other seeds change its slack and other settings do not, so that with its own seed it holds everywhere.
"""

import argparse
import ast
import hashlib
import inspect
import json
import math
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import nbformat
import torch
from nbclient.exceptions import DeadKernelError

from tools.execnb import ENVIRONMENT, make_client
from tools.machines import ROOT, SETTINGS, list_notebooks

LEAST = 3.0  # standard deviations
SAME = 1e-4  # of an assertion's largest slack: what sums in another order may change
SHOWN = 8.0  # wider margins are counted, not listed
STEP = 1000  # between the seeds of two trials, so that seeds 0 and 1 of a notebook meet no other trial's
ORDERS = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
# Figures move no assertion, and drawing all positions of the sliders takes as long as a training.
START = """import alexnet.figures.sliders
alexnet.figures.sliders.explore = lambda *_, **__: None
margin_seen = {}
"""
SHOW = "import json as _json\nprint(_json.dumps(margin_seen))"


def margin(key, text, orders, *values):
    """Note, inside the kernel, by how much a chain of comparisons holds; returns whether it does."""
    import operator

    import numpy

    values = [getattr(value, "detach", lambda value=value: value)() for value in values]
    held, slacks = orders != [] or bool(values[0]), []
    for order, *pair in zip(orders, values, values[1:], strict=False):
        a, b = (numpy.asarray(value, dtype=float) for value in pair)
        held = held and bool(getattr(operator, order)(a, b).all())
        slacks.append(float((b - a if order[0] == "l" else a - b).min()))
    seen = margin_seen.setdefault(key, {"text": text, "slacks": [], "held": True})  # noqa: F821
    seen["held"] = seen["held"] and held
    seen["slacks"] = [min(seen["slacks"] + slacks)] if slacks else []  # in a loop, the smallest
    return held


class Rewrite(ast.NodeTransformer):
    """Make a cell's assertions note their slack, and shift every seed that it gives."""

    def __init__(self, cell: str):
        """Take a name for the cell, which begins the keys of its assertions."""
        self.cell, self.count = cell, 0

    def visit_Assert(self, node: ast.Assert) -> ast.Expr:
        """Replace an assertion by an expression."""
        return ast.Expr(self.measured(self.visit(node.test)))

    def measured(self, test: ast.expr) -> ast.expr:
        """Measure each comparison that a test is made of, or else whether it is true."""
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            return ast.Tuple([self.measured(part) for part in test.values], ast.Load())
        if isinstance(test, ast.Call):
            argument = test.args[0] if test.args else None
            if getattr(test.func, "id", "") == "all" and isinstance(argument, ast.GeneratorExp):
                whole = ast.ListComp(self.measured(argument.elt), argument.generators)
                return ast.Call(ast.Name("all", ast.Load()), [whole], [])
            if getattr(test.func, "attr", "") == "all" and isinstance(test.func.value, ast.Compare):
                return self.measured(test.func.value)
        ordered = isinstance(test, ast.Compare) and all(type(op) in ORDERS for op in test.ops)
        orders = [ORDERS[type(op)] for op in test.ops] if ordered else []
        values = [test.left, *test.comparators] if ordered else [test]
        self.count += 1
        known = [ast.Constant(f"{self.cell} {self.count}"), ast.Constant(ast.unparse(test))]
        chain = ast.List([ast.Constant(order) for order in orders], ast.Load())
        return ast.Call(ast.Name("margin", ast.Load()), [*known, chain, *values], [])

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """Shift the argument of ``manual_seed`` and ``default_rng`` and every ``seed=``."""
        self.generic_visit(node)
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in ("manual_seed", "default_rng"):
            node.args = [self.shifted(argument) for argument in node.args]
        for keyword in node.keywords:
            if keyword.arg == "seed":
                keyword.value = self.shifted(keyword.value)
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.arguments:
        """Shift the default of a parameter ``seed``."""
        self.generic_visit(node)
        for parameter, place in zip(node.args[::-1], range(len(node.defaults) - 1, -1, -1), strict=False):
            if parameter.arg == "seed":
                node.defaults[place] = self.shifted(node.defaults[place])
        return node

    @staticmethod
    def shifted(value: ast.expr) -> ast.expr:
        """A seed plus what this trial adds to it."""
        return ast.BinOp(value, ast.Add(), ast.Name("margin_offset", ast.Load()))


def rewritten(source: str, cell: str) -> str:
    """A cell whose assertions note their slack; one that is no plain Python stays as it is."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    return ast.unparse(ast.fix_missing_locations(Rewrite(cell).visit(tree)))


def measure(path: Path, setting: str, numbers: list[int], timeout: int = 600) -> Iterator[dict]:
    """Run a notebook once for each trial, in one kernel, since starting it may take longer than the trial.

    Args:
        path: the notebook, which stays as it is.
        setting: a key of ``SETTINGS``.
        numbers: of the trials: 0 for the seeds as they stand, 1 and more for others.
        timeout: seconds that one cell may take.
    Yields:
        For each trial its seconds, the errors of its cells, and text, smallest slack and outcome of each
        assertion. The trial in which the kernel dies is the last.
    """
    notebook = nbformat.read(path, as_version=4)
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            cell.source = rewritten(cell.source, f"[{index}] {cell.get('id', '')}")
    start, end = nbformat.v4.new_code_cell(), nbformat.v4.new_code_cell(SHOW)
    notebook.cells = [start, *notebook.cells, end]
    client = make_client(notebook, path.parent, timeout, allow_errors=True)
    with client.setup_kernel(env=os.environ | ENVIRONMENT | SETTINGS[setting]):
        for number in numbers:
            start.source = f"{START}margin_offset = {number * STEP}\n{inspect.getsource(margin)}"
            begun = time.monotonic()
            try:
                for index, cell in enumerate(notebook.cells):
                    client.execute_cell(cell, index)
            except DeadKernelError as error:
                yield {"seconds": 0, "errors": [str(error)], "seen": {}}
                return
            yield {"seconds": time.monotonic() - begun} | outcome(notebook.cells)


def outcome(cells: list[nbformat.NotebookNode]) -> dict:
    """The errors of executed cells, and what the last of them shows."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    errors = [
        f"{cell.id}: {output.ename}: {output.evalue[:200]}"
        for cell in code
        for output in cell.outputs
        if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", [])
    ]
    shown = [output.text for output in code[-1].outputs if output.output_type == "stream"]
    return {"errors": errors, "seen": json.loads("".join(shown) or "{}")}


def trials(paths: list[Path], num_trials: int, store: Path) -> Iterator[dict]:
    """Yield every trial, from the store where it is there; new ones are added to it one by one."""
    store.parent.mkdir(parents=True, exist_ok=True)
    known = {}
    for line in store.read_text(encoding="utf-8").splitlines() if store.exists() else ():
        try:
            trial = json.loads(line)
        except ValueError:
            continue  # the trial was interrupted while this line was written
        known[tuple(trial["key"])] = trial
    for path in paths:
        cells = nbformat.read(path, as_version=4).cells
        sources = [cell.source for cell in cells if cell.cell_type == "code"]
        digest = hashlib.sha256("\n".join(sources).encode()).hexdigest()[:16]
        for setting in SETTINGS:
            keys = [(path.name, digest, setting, number, torch.__version__) for number in range(num_trials)]
            while missing := [key for key in keys if key not in known]:
                measured = measure(path, setting, [key[3] for key in missing])
                for key, found in zip(missing, measured, strict=False):  # fewer where the kernel died
                    known[key] = {"key": key} | found
                    with store.open("a", encoding="utf-8") as file:  # after a torn line, on one of its own
                        file.write("\n" + json.dumps(known[key]))
                    print(f"{path.name}, {setting}, trial {key[3]}: {found['seconds']:.0f} s", flush=True)
            yield from (known[key] for key in keys)


def report(found: list[dict]) -> tuple[list[str], bool]:
    """Lines of a table, the narrowest margin first, and whether everything holds with room to spare."""
    by_key, errors = defaultdict(list), defaultdict(int)
    for trial in found:
        for key, seen in trial["seen"].items():
            by_key[trial["key"][0], key, seen["text"]].append(seen | {"number": trial["key"][3]})
        for error in trial["errors"]:
            errors[trial["key"][0], error] += 1
    rows, wide = [], 0
    for (notebook, key, text), all_seen in by_key.items():
        failed = sum(not seen["held"] for seen in all_seen)
        slacks = [slack for seen in all_seen for slack in seen["slacks"] if math.isfinite(slack)]
        mean = statistics.mean(slacks) if slacks else 0.0
        deviation = statistics.stdev(slacks) if len(slacks) > 1 else 0.0
        size = mean / deviation if deviation > 1e-6 * abs(mean) else float("inf")
        drawn = is_drawn(all_seen)
        if failed or size < SHOWN:
            counted = f"{failed}/{len(all_seen)} failed" + ", drawn" * drawn
            numbers = f"{mean:10.4g} {deviation:10.4g} {size:7.1f} {min(slacks, default=0):10.4g}"
            line = f"{numbers}  {counted:20} {notebook[:2]} {key}: {text}"
            rows.append((-failed, size, failed == 0 and (size >= LEAST or drawn), line))
        else:
            wide += size < float("inf")
    rows.sort()
    lines = ["      mean  deviation  margin        min", *(row[-1] for row in rows)]
    lines.append(f"{wide} more assertions vary and hold with margins of {SHOWN:.0f} and more")
    lines += [f"{name}, {error} ({count} times)" for (name, error), count in errors.items()]
    return lines, not errors and all(good for *_, good, _ in rows)


def is_drawn(all_seen: list[dict]) -> bool:
    """Whether the slack of an assertion follows the seeds alone: all settings give the same digits."""
    by_number = defaultdict(list)
    for seen in all_seen:
        by_number[seen["number"]] += seen["slacks"]
    spreads = [max(slacks) - min(slacks) for slacks in by_number.values() if len(slacks) > 1]
    size = max((abs(slack) for slacks in by_number.values() for slack in slacks), default=0)
    return bool(spreads) and max(spreads) <= SAME * size


def main() -> int:
    """Measure, print the table; the exit status says whether all margins are wide."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help="default: all in book/")
    parser.add_argument("--trials", type=int, default=10, help="sets of seeds, at each setting (%(default)s)")
    help_store = "finished trials, so that a second call goes on (%(default)s)"
    parser.add_argument("--store", type=Path, default=ROOT / "runs" / "margins.jsonl", help=help_store)
    arguments = parser.parse_args()
    found = list(trials(list_notebooks(arguments.notebooks), arguments.trials, arguments.store))
    lines, good = report(found)
    print("", *lines, sep="\n", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
