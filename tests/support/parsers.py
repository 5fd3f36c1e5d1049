"""The parsers of all commands, by the words that lead to them."""

import argparse
from collections.abc import Iterator

from alexnet.cli.main import build_parser


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser and all parsers of commands below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


def all_parsers() -> dict[str, argparse.ArgumentParser]:
    """Every parser, by its name such as "alexnet data get"."""
    return {parser.prog: parser for parser in parsers(build_parser(with_experiments=True))}
