"""Run the tests as other processors would: `python -m tools.machines [NOTEBOOK...]`.

The digits of a short training depend on the instruction set and the number of threads. Environment variables
limit both, so that one machine shows what the test command would say on others. The table has a row for each
setting and a column for the unit tests, the built pages and each notebook: seconds, or FAILED.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from dev import AVX2, STAGES

ROOT = Path(__file__).resolve().parents[1]
SSE = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
}
SETTINGS = {
    "all, 2 threads": {"OMP_NUM_THREADS": "2"},
    "AVX2, 2 threads": AVX2 | {"OMP_NUM_THREADS": "2"},
    "SSE, 1 thread": SSE | {"OMP_NUM_THREADS": "1"},
    "all, 3 threads": {"OMP_NUM_THREADS": "3"},
}


def list_notebooks(paths: list[Path]) -> list[Path]:
    """The notebooks named, or all of the book."""
    return [path.resolve() for path in paths] or sorted((ROOT / "book").glob("*.ipynb"))


def check(words: list[str], setting: str) -> tuple[bool, float]:
    """Run pytest under one setting.

    Args:
        words: its arguments.
        setting: a key of ``SETTINGS``.
    Returns:
        Whether it passed, and the seconds it took; what failed is printed.
    """
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *words],
        cwd=ROOT,
        env=os.environ | SETTINGS[setting],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        print(f"\n{done.stdout}{done.stderr}", flush=True)
    return done.returncode == 0, time.monotonic() - start


def table(found: dict[tuple[str, str], tuple[bool, float]]) -> str:
    """Settings by columns: seconds of each check, or that it failed.

    Args:
        found: what ``check`` returned, by setting and column.
    """
    columns = list(dict.fromkeys(column for _, column in found))
    lines = [f"{'seconds':16}" + "".join(f"{column:>8}" for column in columns)]
    for setting in dict.fromkeys(setting for setting, _ in found):
        cells = [found[setting, column] for column in columns]
        words = [f"{seconds:.0f}" if passed else "FAILED" for passed, seconds in cells]
        lines.append(f"{setting:16}" + "".join(f"{word:>8}" for word in words))
    return "\n".join(lines)


def main() -> int:
    """Check everything under every setting, print the table, and say by the exit status how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    help_all = "default: the unit tests, the built pages, and all in book/"
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help=help_all)
    named = parser.parse_args().notebooks
    checks = {} if named else {name: STAGES[name][1:] for name in ("unit", "pages")}
    checks |= {path.name[:2]: ["--nbval", str(path)] for path in list_notebooks(named)}
    found = {}
    for setting in SETTINGS:
        for column, words in checks.items():
            passed, seconds = found[setting, column] = check(words, setting)
            print(f"{setting}: {column} {'passed' if passed else 'FAILED'} {seconds:.1f} s", flush=True)
    print(f"\n{table(found)}", flush=True)
    return 0 if all(passed for passed, _ in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
