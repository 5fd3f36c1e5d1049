"""Make the links of a fork lead to the fork; standard library only."""

import re
from pathlib import Path

FILES = [
    "_config.yml",
    "pyproject.toml",
    "CITATION.cff",
    "README.md",
    "CONTRIBUTING.md",
    "tools/bootstrap.py",
]
ADDRESS = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?")


def repository(root: Path) -> str:
    """The address of the repository, as _config.yml has it."""
    found = re.search(
        r"^repository:\n\s+url: (\S+)$", (root / "_config.yml").read_text(encoding="utf-8"), re.M
    )
    if not found:
        raise ValueError("_config.yml has no repository url")
    return found.group(1)


def owner_and_name(url: str) -> tuple[str, str]:
    """Take an address of GitHub apart.

    Raises:
        ValueError: the address is not https://github.com/OWNER/NAME.
    """
    found = ADDRESS.fullmatch(url)
    if not found:
        raise ValueError(f"the address must be https://github.com/OWNER/NAME, got {url!r}")
    return found.group(1), found.group(2)


def adopt(root: Path, url: str) -> list[str]:
    """Replace the repository's address everywhere it stands; bytes around it stay as they are.

    Args:
        root: folder of the clone.
        url: address of the fork, https://github.com/OWNER/NAME.
    Returns:
        The files that changed, relative to root.
    Raises:
        ValueError: one of the two addresses is not one of GitHub.
    """
    (old_owner, old_name), (owner, name) = owner_and_name(repository(root)), owner_and_name(url)
    swaps = {
        f"{old_owner}/{old_name}": f"{owner}/{name}",
        f"{old_owner}.github.io/{old_name}": f"{owner}.github.io/{name}",
    }
    changed = []
    for path in [root / file for file in FILES] + sorted((root / "book").glob("*.ipynb")):
        old = path.read_bytes()
        new = old
        for before, after in swaps.items():
            new = re.sub(rb"(?<![\w.-])" + re.escape(before.encode()) + rb"(?![\w-])", after.encode(), new)
        if new != old:
            path.write_bytes(new)
            changed.append(path.relative_to(root).as_posix())
    return changed
