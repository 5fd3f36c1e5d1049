"""Write a repository's own address into the files that name one; standard library only.

The address that the files come with is a placeholder, on a host that cannot exist, so that nothing is ever
installed from a repository whose owner has not said that it is theirs. Lines with the mark ``unadopted`` in a
comment stand for as long as that is so.
"""

import re
import tomllib
from pathlib import Path

PLACEHOLDER = "https://example.invalid/OWNER/alexnet"
FILES = [
    "_config.yml",
    "pyproject.toml",
    "CITATION.cff",
    "README.md",
    "CONTRIBUTING.md",
    "tools/bootstrap.py",
]
ADDRESS = re.compile(r"https://github\.com/(?!OWNER/)([\w-]+)/([\w.-]+?)(?:\.git)?/?")
UNADOPTED = re.compile(rb"^.*(?:<!--|#) unadopted\b.*\n", re.MULTILINE)  # lines that adoption removes
ADOPTED = re.compile(rb"^# adopted: ", re.MULTILINE)  # a mark that adoption takes off its line


def repository(root: Path) -> str:
    """The address of the repository, as pyproject.toml has it."""
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return pyproject["project"]["urls"]["Repository"]


def normal(url: str) -> str:
    """An address of GitHub in its plain form, https://github.com/OWNER/NAME.

    Raises:
        ValueError: the address is none.
    """
    found = ADDRESS.fullmatch(url)
    if not found:
        raise ValueError(
            f"the address must be https://github.com/OWNER/NAME with your own owner and name, got {url!r}"
        )
    return "https://github.com/" + "/".join(found.groups())


def adopt(root: Path, url: str) -> list[str]:
    """Replace the repository's address everywhere it stands; bytes around it stay as they are.

    Args:
        root: folder of the clone.
        url: address of the repository, https://github.com/OWNER/NAME.
    Returns:
        The files that changed, relative to root.
    Raises:
        ValueError: url is no address of GitHub.
    """
    old, new = repository(root), normal(url)
    swaps = {old: new}
    if old != PLACEHOLDER:  # links to Colab and to the pages name owner and repository without the host
        (old_owner, old_name), (owner, name) = old.split("/")[-2:], new.split("/")[-2:]
        swaps = {
            f"{old_owner}/{old_name}": f"{owner}/{name}",
            f"{old_owner}.github.io/{old_name}": f"{owner}.github.io/{name}",
        }
    changed = []
    for path in [root / file for file in FILES] + sorted((root / "book").glob("*.ipynb")):
        before = path.read_bytes()
        after = ADOPTED.sub(b"", UNADOPTED.sub(b"", before))
        for mention, own in swaps.items():
            after = re.sub(rb"(?<![\w.-])" + re.escape(mention.encode()) + rb"(?![\w-])", own.encode(), after)
        if after != before:
            path.write_bytes(after)
            changed.append(path.relative_to(root).as_posix())
    return changed
