"""``alexnet claims``: what the paper claims, and what is known of it."""

import argparse
import textwrap

WIDTH = 100


def add(commands) -> None:
    """Add ``alexnet claims`` to the commands."""
    parser = commands.add_parser(
        "claims",
        help="list the paper's claims with the verdict on each",
        description="List the claims of the paper, what it prints and what is known of each, or show one of "
        "them with what the verdict rests on, what it lacks and the command that measures it again.",
    )
    parser.add_argument("id", metavar="ID", nargs="?", help="the claim; `alexnet claims` lists them")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run ``alexnet claims``."""
    from alexnet.experiments.claims import claim_by_id
    from alexnet.experiments.evidence import finding, ledger

    if arguments.id:
        claim = claim_by_id(arguments.id)
        print(details(claim, finding(claim.id)))
    else:
        print("\n".join(line for known in ledger() for line in brief(*known)))
        print("\n`alexnet claims ID` shows what a verdict rests on and what it lacks.")
    return 0


def brief(claim, found) -> list[str]:
    """Two lines of the list: the claim with its verdict, and the figures."""
    figures = f"paper: {claim.figure}" + (f"; here: {found.ours}" if found.ours else "")
    shown = textwrap.shorten(figures, WIDTH - 4, placeholder=" ...")
    return [f"{claim.id:19} {found.verdict}", f"    {shown}"]


def details(claim, found) -> str:
    """All that is known of a claim, for a terminal."""
    parts = {
        "claim": f"{claim.text} (section {claim.section})",
        "paper": claim.figure,
        "here": found.ours,
        "verdict": found.verdict,
        "rests on": found.basis,
        "lacks": found.lacking,
        "again": found.command,
        "chapter": f"book/{claim.chapter}.ipynb",
    }
    lines = [f"{name:9} {text}" for name, text in parts.items() if text]
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent=" " * 10) for line in lines)
