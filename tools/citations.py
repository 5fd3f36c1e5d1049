"""Citations as plain links, which every reader of a notebook understands, made of book/references.bib.

`python -m tools.citations nair2010` prints both forms of one: for a sentence, and for a bracket.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pybtex.database import BibliographyData, Entry, parse_file
from pybtex.richtext import Text

BIBLIOGRAPHY = Path(__file__).resolve().parents[1] / "book" / "references.bib"
LINK = re.compile(r"(?<!!)\[([^\]\[]*)\]\((https?://[^)\s]*)\)")
ENDS_IN_YEAR = re.compile(r"\b(?:1[89]|20)\d\d[a-z]?\)?$")


def address(entry: Entry) -> str:
    """Where a work can be read: its DOI, its number at arXiv or an address of its own.

    Raises:
        ValueError: the entry has none of them.
    """
    fields = entry.fields
    if "doi" in fields:
        return f"https://doi.org/{fields['doi']}"
    if "eprint" in fields:
        return f"https://arxiv.org/abs/{fields['eprint']}"
    if "url" in fields:
        return fields["url"]
    raise ValueError(f"{entry.key} has neither doi nor eprint nor url: add one to {BIBLIOGRAPHY.name}")


def names(entry: Entry) -> str:
    """The authors as a citation has them: one, two, or the first "et al."."""
    last = [str(Text.from_latex(" ".join(p.prelast_names + p.last_names))) for p in entry.persons["author"]]
    return f"{last[0]} et al." if len(last) > 2 else " and ".join(last)


def in_sentence(entry: Entry) -> str:
    """The link that is a part of a sentence: "Nair and Hinton (2010)"."""
    return f"[{names(entry)} ({entry.fields['year']})]({address(entry)})"


def in_brackets(*entries: Entry) -> str:
    """The links that stand in brackets behind a statement: "(Glorot and Bengio, 2010; He et al., 2015)"."""
    links = [f"[{names(entry)}, {entry.fields['year']}]({address(entry)})" for entry in entries]
    return f"({'; '.join(links)})"


def problems(text: str, bibliography: BibliographyData) -> Iterator[str]:
    """Citations in a piece of Markdown, links that end in a year, which disagree with the bibliography."""
    right = {}
    for entry in bibliography.entries.values():
        right[address(entry)] = {in_sentence(entry), in_brackets(entry)[1:-1]}
    for words, target in LINK.findall(text):
        words = " ".join(words.split())
        if not ENDS_IN_YEAR.search(words) or f"[{words}]({target})" in right.get(target, ()):
            continue
        wanted = (
            " or ".join(sorted(right.get(target, ()))) or f"an entry with this address in {BIBLIOGRAPHY.name}"
        )
        yield f"[{words}]({target}) should be {wanted}"


def main() -> int:
    """Print the citations of the keys on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("keys", nargs="+", metavar="KEY", help="the name of an entry in book/references.bib")
    arguments = parser.parse_args()
    entries = parse_file(BIBLIOGRAPHY).entries
    missing = [key for key in arguments.keys if key not in entries]
    if missing:
        print(f"{BIBLIOGRAPHY.name} has no entry {', '.join(missing)}: add it there first", file=sys.stderr)
        return 1
    for key in arguments.keys:
        print(in_sentence(entries[key]), in_brackets(entries[key]), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
