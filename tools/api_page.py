"""Write the appendix that documents the package, book/package.md and its parts, from the docstrings.

    python3 -m tools.api_page      renew the pages

Nothing is imported: the sources are read with ``ast``, so that the pages are the same on every Python and
need no torch.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tools.docstrings import Links, label_of, markdown, summary

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
WIDTH = 84  # characters of a signature that is left on one line


def below(package: str, names: str) -> tuple[str, ...]:
    """Modules of a package, by their names in one string."""
    return tuple(f"{package}.{name}" for name in names.split())


PARTS = {  # name of the page: title, modules without "alexnet."; in the order in which a reader meets them
    "networks": (
        "The paper and its networks",
        (
            "paper",
            "config",
            "recipes",
            *below("models", "architecture summary alexnet stages layers torchvision"),
        ),
    ),
    "functional": (
        "The mathematics",
        below("functional", "geometry conv activations pooling lrn dropout"),
    ),
    "devices": (
        "Several devices",
        (
            *below("distributed", "two_devices towers collectives parallel"),
            "models.traffic",
            "training.clusters",
        ),
    ),
    "learning": ("The update rule and its rates", below("optim", "sgd schedule step")),
    "pictures": (
        "Pictures",
        (
            *below("transforms", "training colour crops ten_crop resampling"),
            *below("data", "store obtain imageset generated statistics first_pass loader workers"),
            "figures.photographs",
        ),
    ),
    "training": ("Training", ("training", "storage.checkpoints", "seeds", "devices")),
    "results": (
        "Results",
        (
            *below("evaluation", "errors features prediction classifier pretrained ensemble neighbours"),
            "storage.records",
        ),
    ),
    "chapters": (
        "For the chapters",
        ("figures", "figures.sliders", "models.cifar", "experiments.probes", "lab_notes"),
    ),
}
LEFT_OUT = (  # modules, and all below them, that serve commands or other modules
    "__init__",
    "__main__",
    "bars",
    "checks",
    "cli",
    "data",
    "distributed",
    "evaluation",
    "experiments",
    "figures",
    "functional",
    "models",
    "optim",
    "shown",
    "storage",
    "training",
    "transforms",
)
NOTE = "% Written by tools/api_page.py from the docstrings; edit these, then run `python3 -m tools.api_page`."
HEAD = """\
# The package

The public functions and classes of `alexnet` in a line each; a name leads to its full description, in the
words of its docstring. The commands explain themselves: `alexnet --help`. Modules that only serve the
commands, the drawing of single figures or other modules are left out.

Sections in parentheses, as in "(paper 3.3)", are those of the paper. Letters in shapes are explained in
[the notation](notation.md), terms in [the glossary](glossary.md)."""


class Item(NamedTuple):
    """A public function, class, method or property.

    Attributes:
        module: where it is looked up, such as "alexnet.transforms.crops".
        name: with its class before a dot where it is a method.
        signature: lines of Python.
        doc: its docstring, cleaned; of a class with that of ``__init__`` below.
        methods: of a class, the public ones that have a docstring.
    """

    module: str
    name: str
    signature: list[str]
    doc: str
    methods: tuple["Item", ...] = ()

    @property
    def label(self) -> str:
        """The anchor of its section."""
        is_class = any(line.startswith("class ") for line in self.signature)
        return label_of(self.module, self.name) + "-class" * is_class  # labels do not tell Gather from gather


class Module(NamedTuple):
    """A module of the page: its docstring, its constants as lines of Python, its functions and classes."""

    name: str
    doc: str
    constants: list[str]
    items: list[Item]


def source_of(name: str, package: Path) -> Path:
    """The file of a module or package, given without "alexnet."."""
    path = package.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def read_module(name: str, package: Path) -> Module:
    """Read what is public in a module, or what a package offers in ``__all__``.

    Args:
        name: without "alexnet.".
        package: the folder of ``alexnet``.
    Raises:
        FileNotFoundError: there is no such module.
    """
    path = source_of(name, package)
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    items = offered(tree, name, package) if path.name == "__init__.py" else []
    items += [item(node, f"alexnet.{name}", text) for node in tree.body if is_public(node)]
    return Module(f"alexnet.{name}", ast.get_docstring(tree) or "", constants(tree, text), items)


def offered(tree: ast.Module, name: str, package: Path) -> list[Item]:
    """The functions and classes that a package's ``__init__`` imports and names in ``__all__``."""
    found = []
    public = next((ast.literal_eval(n.value) for n in tree.body if targets(n) == ["__all__"]), [])
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("alexnet."):
            wanted = {alias.name for alias in node.names} & set(public)
            text = source_of(node.module.removeprefix("alexnet."), package).read_text(encoding="utf-8")
            found += [
                item(n, f"alexnet.{name}", text)
                for n in ast.parse(text).body
                if is_public(n) and n.name in wanted
            ]
    return found


def is_public(node: ast.AST) -> bool:
    """Whether a node defines a function or class whose name has no leading underscore."""
    return isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")


def targets(node: ast.AST) -> list[str]:
    """The plain names to which a statement assigns."""
    nodes = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in nodes if isinstance(target, ast.Name)]


def constants(tree: ast.Module, text: str) -> list[str]:
    """The public constants as they stand in the file; of one over several lines, the first."""
    lines, found = text.splitlines(), []
    for node in tree.body:
        if any(name.startswith("_") for name in targets(node)) or not targets(node):
            continue
        several = " ..." * (node.end_lineno > node.lineno)
        found.append(lines[node.lineno - 1].split("  #")[0] + several)
    return found


def item(node: ast.FunctionDef | ast.ClassDef, module: str, text: str, owner: str = "") -> Item:
    """Describe a function, class or method of a module with the given text."""
    doc = ast.get_docstring(node) or ""
    if isinstance(node, ast.FunctionDef):
        return Item(module, owner + node.name, function_signature(node, text), doc)
    functions = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
    first = functions.get("__init__")
    if first and ast.get_docstring(first):
        doc += "\n\n" + ast.get_docstring(first)
    methods = [
        item(n, module, text, f"{node.name}.")
        for n in functions.values()
        if is_public(n) and ast.get_docstring(n)
    ]
    return Item(module, node.name, class_signature(node, first, text), doc, tuple(methods))


def class_signature(node: ast.ClassDef, first: ast.FunctionDef | None, text: str) -> list[str]:
    """The head of a class with its fields or its ``__init__``."""
    bases = ", ".join(piece(base, text) for base in node.bases)
    lines = [f"@{piece(decorator, text)}" for decorator in node.decorator_list]
    lines.append(f"class {node.name}({bases}):" if bases else f"class {node.name}:")
    fields = [n for n in node.body if isinstance(n, ast.AnnAssign) and not targets(n)[0].startswith("_")]
    if any(line.startswith("@dataclass") for line in lines) or bases == "NamedTuple":
        lines += [f"    {piece(field, text)}" for field in fields]
    elif first:
        lines += [f"    {line}" for line in function_signature(first, text)]
    return lines


def function_signature(node: ast.FunctionDef, text: str) -> list[str]:
    """The head of a function on one line, or with a line for each parameter where that is too long."""
    marks = [f"@{piece(mark, text)}" for mark in node.decorator_list if isinstance(mark, ast.Name)]
    returns = f" -> {piece(node.returns, text)}" if node.returns else ""
    all_parameters = list(parameters(node.args, text))
    line = f"def {node.name}({', '.join(all_parameters)}){returns}"
    if len(line) <= WIDTH:
        return [*marks, line]
    return [*marks, f"def {node.name}(", *(f"    {each}," for each in all_parameters), f"){returns}"]


def parameters(arguments: ast.arguments, text: str) -> Iterator[str]:
    """Yield the parameters of a function as they are written, with their types and defaults."""
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + arguments.defaults
    for number, (name, default) in enumerate(zip(plain, defaults, strict=True), start=1):
        yield parameter(name, default, text)
        if number == len(arguments.posonlyargs):
            yield "/"
    if arguments.vararg:
        yield f"*{piece(arguments.vararg, text)}"
    elif arguments.kwonlyargs:
        yield "*"
    for name, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield parameter(name, default, text)
    if arguments.kwarg:
        yield f"**{piece(arguments.kwarg, text)}"


def parameter(name: ast.arg, default: ast.expr | None, text: str) -> str:
    """One parameter."""
    equals = " = " if name.annotation else "="
    return piece(name, text) + (f"{equals}{piece(default, text)}" if default else "")


def piece(node: ast.AST, text: str) -> str:
    """The source of a node on one line."""
    lines = lines_of(text)[node.lineno - 1 : node.end_lineno]
    lines[-1] = lines[-1][: node.end_col_offset]
    lines[0] = lines[0][node.col_offset :]
    return " ".join(b" ".join(lines).decode().split())


@cache
def lines_of(text: str) -> list[bytes]:
    """The lines of a source; ``ast.get_source_segment`` would split it anew for each node, in seconds."""
    return text.encode().split(b"\n")


def pages(package: Path) -> dict[str, str]:
    """Write the pages.

    Args:
        package: the folder of ``alexnet``.
    Returns:
        The text of each file, the list of everything first.
    """
    parts = {part: [read_module(name, package) for name in names] for part, (_, names) in PARTS.items()}
    modules = [module for part in parts.values() for module in part]
    links = Links({f"{m.name}.{i.name}": i.label for m in modules for i in m.items})
    links.update({module.name: label_of(module.name) for module in modules})
    texts = {"package.md": [NOTE, HEAD]}
    for part, members in parts.items():
        title, file = PARTS[part][0], f"package-{part}.md"
        texts["package.md"] += [f"## [{title}]({file})", *(b for m in members for b in contents(m, links))]
        texts[file] = [NOTE, f"# {title}", *(block for m in members for block in section(m, links))]
    return {file: "\n\n".join(blocks) + "\n" for file, blocks in texts.items()}


def contents(module: Module, links: Links) -> Iterator[str]:
    """Yield what the list of everything has of a module."""
    yield f"**[`{module.name}`](#{links[module.name]})**: {links.within(module.name, summary(module.doc))}"
    lines = [f"* [`{i.name}`](#{i.label}): {links.within(module.name, summary(i.doc))}" for i in module.items]
    if lines:
        yield "\n".join(lines)


def section(module: Module, links: Links) -> Iterator[str]:
    """Yield the blocks of a module's section."""
    yield f"({links[module.name]})=\n## `{module.name}`"
    yield from markdown(module.doc, module.name, links)
    if module.constants:
        yield fence(module.constants)
    for entry in module.items:
        yield f"({entry.label})=\n### `{entry.name}`"
        yield fence(entry.signature)
        yield from markdown(entry.doc, module.name, links)
        for method in entry.methods:
            yield f"#### `{method.name}`"
            yield fence(method.signature)
            yield from markdown(method.doc, module.name, links)


def fence(lines: list[str]) -> str:
    """A block of Python."""
    return "\n".join(["```python", *lines, "```"])


if __name__ == "__main__":
    for file, text in pages(ROOT / "alexnet").items():
        (BOOK / file).write_text(text, encoding="utf-8", newline="\n")
        print(f"book/{file}: {len(text.encode()):,} bytes")
