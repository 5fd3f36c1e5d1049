"""A drawing function as JavaScript, made by PScript, so that a page without a kernel draws the same."""

import ast
import dis
import functools
import inspect
import json
import math
import re
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

FORMATS = re.compile(r"\+?(0\d+)?,?(\.\d+f)?")  # the specs that `OWN` knows
# In place of those of PScript's library that do not do what Python does. A spec is "", ",", "+.1f" and so on.
OWN = {
    "format": r"""function (value, spec) {
        var [, sign, width, comma, digits] = /^(\+?)(0\d+)?(,?)(?:\.(\d+)f)?$/.exec(spec);
        var text = digits === undefined ? String(value) : value.toFixed(digits);
        var exact = digits === undefined ? "" : value.toFixed(+digits + 30);
        if (/[02468]\.?50{29}$/.test(exact)) text = exact.slice(0, -30).replace(/\.$/, "");
        if (comma) text = text.replace(/\d+/, number => number.replace(/\B(?=(\d{3})+$)/g, ","));
        return (sign && value >= 0 ? "+" : "") + (width ? text.padStart(width, "0") : text);
    }""",
    "round": r"""function (value) {
        var up = Math.round(value);
        return up - value === 0.5 && up % 2 ? up - 1 : up;
    }""",
}


def translate_to_javascript(draw: Callable) -> str:
    """Return a JavaScript function of an object of the values that returns what a drawing function returns.

    Args:
        draw: a function written with ``def``, or `functools.partial` of one. It and the functions that it
            calls use numbers, strings, lists, dicts with texts as keys, `math`, and constants of these kinds;
            f-strings with ``+``, ``,``, ``02`` or ``.1f``.
    Returns:
        an expression in JavaScript. It does something else than draw where a remainder is negative, where
        lists are added, repeated, compared or asked whether they are empty, and where a bool, None, -0.0 or a
        float such as 1.0 becomes text: `alexnet.figures.sliders.first_disagreement` looks for it.
    Raises:
        ValueError: draw uses something else.
    """
    whole = draw if isinstance(draw, functools.partial) else functools.partial(draw)
    if not isinstance(whole.func, FunctionType) or whole.func.__name__ == "<lambda>":
        raise ValueError(f"only a function written with def can run in the page, not {whole.func!r}")
    functions: dict[str, ast.stmt] = {}
    constants: dict[str, str] = {}
    _collect(whole.func, functions, constants)
    parameters = list(inspect.signature(whole.func).parameters)
    given = inspect.signature(whole.func).bind_partial(*whole.args, **whole.keywords).arguments
    chosen = ", ".join(name for name in parameters if name not in given)
    arguments = ", ".join(_constant(name, given[name]) if name in given else name for name in parameters)
    lines = [f"const {name} = {value};" for name, value in constants.items()]
    code = _transpiled(functions, {*constants})
    return "\n".join(
        ["(() => {", *lines, code, f"return ({{{chosen}}}) => {whole.func.__name__}({arguments});", "})()"]
    )


def _collect(function: FunctionType, functions: dict[str, ast.stmt], constants: dict[str, str]) -> None:
    """Add a function and, by name, the functions and constants that it uses."""
    if function.__code__.co_freevars:
        name = function.__code__.co_freevars[0]
        raise ValueError(f"{function.__name__} uses {name} of the function around it; give it as an argument")
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except OSError:
        raise ValueError(f"the source of {function.__name__} is not at hand: write it in a file") from None
    functions[function.__name__] = _Plain().visit(ast.parse(source).body[0])
    for name in sorted(_globals(function.__code__)):
        value = function.__globals__.get(name)
        if name in functions or name not in function.__globals__:  # then PScript must know it
            continue
        if isinstance(value, FunctionType):
            _collect(value, functions, constants)
        else:
            constants[name] = "Math" if value is math else _constant(name, value)


def _globals(code: CodeType) -> set[str]:
    """Return the names that a function, with the comprehensions in it, takes from its module."""
    own = {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
    return own.union(*(_globals(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def _constant(name: str, value) -> str:
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError):
        kind = type(value).__name__
        wanted = "finite numbers, texts, lists or dicts"
        raise ValueError(f"{name} must be {wanted} to be written in JavaScript, got {kind}") from None


class _Plain(ast.NodeTransformer):
    """Write what PScript does not read, or reads in another way, in words that it knows."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        if ast.get_docstring(node) is not None:
            del node.body[0]
        node.body[:0] = ast.parse("PSCRIPT_OVERLOAD = False").body  # no calls in place of +, * and `if`
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        return ast.Call(node.func, node.args, [key for key in node.keywords if key.arg != "strict"])

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.ListComp:
        self.generic_visit(node)
        return ast.ListComp(node.elt, node.generators)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        self.generic_visit(node)
        if len(node.values) == 1 and isinstance(node.values[0], ast.Constant):
            return node.values[0]
        return ast.Call(ast.Attribute(ast.Constant(""), "join"), [ast.List(node.values)], [])

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.Call:
        self.generic_visit(node)
        spec = node.format_spec or ast.Constant("")
        known = not isinstance(spec, ast.Constant) or FORMATS.fullmatch(str(spec.value))
        if node.conversion != -1 or not known:
            raise ValueError(f"draw cannot be written in JavaScript: {ast.unparse(node)} has no form there")
        return ast.Call(ast.Name("format"), [node.value, spec], [])


def _transpiled(functions: dict[str, ast.stmt], known: set[str]) -> str:
    """Return the functions in JavaScript, below as much of PScript's library as they use."""
    from pscript import JSError, py2js, stdlib  # not needed where a kernel draws

    source = "\n".join(ast.unparse(tree) for tree in functions.values())
    try:
        code: Any = py2js(source, inline_stdlib=False)
    except JSError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"draw cannot be written in JavaScript: {reason}") from None
    if unknown := {name.split(".")[0] for name in code.meta["vars_unknown"]} - known:
        raise ValueError(f"{min(unknown)}, which draw uses, has no form in JavaScript")
    names = code.meta["std_functions"]
    library = stdlib.get_partial_std_lib(names - OWN.keys(), code.meta["std_methods"])
    own = [f"var _pyfunc_{name} = {OWN[name]};" for name in sorted(names & OWN.keys())]
    lines = "\n".join([library, *own, code]).splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())
