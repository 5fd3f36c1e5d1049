"""For Sphinx, which makes the pages of the package from its docstrings: a name leads to its entry.

``alexnet.models.AlexNet`` is documented where it is defined, as ``alexnet.models.alexnet.AlexNet``; Sphinx by
itself links the second name alone. What Python adds to docstrings and signatures is left out.
"""

from functools import cache
from pkgutil import resolve_name
from types import ModuleType


def setup(app) -> dict:
    """Register what this module adds, as Sphinx asks of an extension."""
    app.connect("missing-reference", link)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-docstring", drop)
    app.connect("autodoc-process-signature", plain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def link(app, env, node, contents):
    """Return the link from a name of ``alexnet`` that has no entry to the entry of the same object, if any.

    Args:
        app: the application of Sphinx.
        env: what it has read.
        node: the reference.
        contents: the node that shows the name.
    """
    if node.get("refdomain") != "py":
        return None
    domain, name = env.get_domain("py"), node["reftarget"]
    names = [name, f"{node.get('py:module')}.{name}", *[f"alexnet.{name}"] * ("." in name)]
    for thing in map(meant, names):
        if thing is not None and id(thing) in entries(domain):
            entry = entries(domain)[id(thing)]
            return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", entry, node, contents)
    return None


@cache
def entries(domain) -> dict[int, str]:
    """The names of all entries by the identities of their objects; asked for when all pages are read."""
    found = {name: meant(name) for name in domain.objects}
    return {
        id(thing): name for name, thing in found.items() if callable(thing) or isinstance(thing, ModuleType)
    }


@cache
def meant(name: str):
    """The object that a full name means; None where there is none in ``alexnet``."""
    try:
        return resolve_name(name) if name.split(".")[0] == "alexnet" else None
    except (ImportError, AttributeError, ValueError):
        return None


def skip(app, what, name, member, default, options) -> bool | None:
    """Leave out the fields of a named tuple, which its docstring describes under Attributes."""
    return True if type(member).__name__ == "_tuplegetter" else None


def drop(app, what, name, thing, options, lines: list[str]) -> None:
    """Remove what Python, not the author, says of a named tuple."""
    lines[:] = [line for line in lines if not line.startswith("Create new instance of ")]


def plain(app, what, name, thing, options, signature: str | None, returns: str | None):
    """Write ``...`` for a default that a dataclass makes anew, which Sphinx could not read otherwise."""
    return (signature and signature.replace("<factory>", "..."), returns)
