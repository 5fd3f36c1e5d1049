"""Imports go one way: a part of the package uses those on lower floors, or itself, and nothing else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import alexnet

PACKAGE = Path(alexnet.__file__).parent
FLOORS = (
    "paper lab_notes published checks seeds devices shown bars",
    "config functional",
    "recipes storage",
    "data optim",
    "transforms models",
    "distributed evaluation",
    "training experiments",
    "figures cli",
)
FLOOR = {part: floor for floor, parts in enumerate(FLOORS) for part in parts.split()}


def find_part(module: str) -> str:
    """The file or folder below alexnet/ in which a module lies; empty for alexnet itself."""
    return module.split(".")[1] if "." in module else ""


def imported(source: str, package: str) -> Iterator[str]:
    """Yield every module of alexnet that a source imports, inside functions too.

    Args:
        source: text of a module.
        package: that relative imports start from, such as "alexnet.data".
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "alexnet")
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] + "." if node.level else ""
            base = above + (node.module or "")
            if base.split(".")[0] == "alexnet":
                yield from (f"{base.rstrip('.')}.{alias.name}" for alias in node.names)


def climbing(sources: dict[str, str]) -> list[str]:
    """Name the imports that lead to the same or a higher floor. sources: text by module."""
    found = []
    for module, source in sources.items():
        for target in imported(source, module.rpartition(".")[0]):
            here, there = find_part(module), find_part(target)
            if here in FLOOR and there in FLOOR and there != here and FLOOR[there] >= FLOOR[here]:
                found.append(f"{module} imports {target}")
    return found


def sources() -> dict[str, str]:
    paths = sorted(PACKAGE.rglob("*.py"))
    names = [".".join(("alexnet", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in paths]
    texts = (path.read_text(encoding="utf-8") for path in paths)
    return dict(zip(names, texts, strict=True))


def test_every_part_has_a_floor():
    assert {find_part(name) for name in sources()} - {"__init__", "__main__"} == set(FLOOR)


def test_imports_lead_down():
    assert climbing(sources()) == []


def test_what_leads_up_or_sideways_is_found():
    upward = {
        "alexnet.data.loader": "def f():\n    from alexnet.training import plan",
        "alexnet.models.alexnet": "import alexnet.transforms.crops",
        "alexnet.storage.files": "from alexnet import data",
        "alexnet.optim.sgd": "from ..data import store",
    }
    assert [line.split(" imports ")[1] for line in climbing(upward)] == [
        "alexnet.training.plan",
        "alexnet.transforms.crops",
        "alexnet.data",
        "alexnet.data.store",
    ]
    assert (
        climbing({"alexnet.training.loop": "import torch\nfrom alexnet.data import store\nimport alexnet"})
        == []
    )
