"""Execute notebooks in place, so that a second run changes nothing: `python tools/execnb.py NOTEBOOK...`.

A notebook is written only when all of its cells ran, and in one step. Ids of cells stay; cells without one of
their own get an id made from their place and text.
"""

import argparse
import hashlib
import os
import sys
import time
from pathlib import Path
from queue import Empty

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

CELL_METADATA = {"tags", "mystnb"}
HIDING = {"hide-input", "remove-cell", "remove-input"}  # tags that keep a cell's code off the page
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
ENVIRONMENT = {
    "ALEXNET_FIGURES": "static",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    # Threads that wait spin for a tenth of a millisecond and then sleep. Spinning without end stalls a kernel
    # on a busy machine, sleeping at once doubles the time of small trainings on an idle one.
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "100000",
    # glibc gives large buffers back to the system after a step and must have them cleared again in the next.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else the kernel prints a remark of its debugger
    "PYTHONSTARTUP": str(Path(__file__).with_name("kernel_start.py")),  # which a kernel runs first
}


class NotebookFailed(Exception):
    """A notebook did not run to its end; the message names it and the cell."""


class Client(NotebookClient):
    """A client that asks its sockets again each second: waiting on them without end has been seen to hang."""

    async def async_start_new_kernel_client(self):
        """Start the kernel's client with channels that ask again."""
        client = await super().async_start_new_kernel_client()
        for channel in (client.shell_channel, client.iopub_channel):
            channel.get_msg = asking_again(channel.get_msg)
        return client


def asking_again(get_msg, step: float = 1.0):
    """Wrap a channel's get_msg so that it waits in steps of at most `step` seconds."""

    async def get(timeout: float | None = None):
        end = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            left = max(0.0, end - time.monotonic())
            try:
                return await get_msg(timeout=min(step, left))
            except Empty:
                if left <= step:
                    raise

    return get


def cell_metadata(cell: nbformat.NotebookNode) -> dict:
    """What a cell keeps of its metadata. Code that its tags hide on the page is hidden everywhere else too.

    JupyterLab and Notebook 7 go by source_hidden, Colab by cellView; none of them knows the tags.
    """
    kept = {key: value for key, value in cell.metadata.items() if key in CELL_METADATA}
    if cell.cell_type == "code" and HIDING & set(kept.get("tags", [])):
        kept |= {"jupyter": {"source_hidden": True}, "cellView": "form"}
    return kept


def clean(notebook: nbformat.NotebookNode) -> None:
    """Drop what differs from one run or editor to the next, and give every cell an id of its own."""
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen = set()
    for index, cell in enumerate(notebook.cells):
        cell.metadata = nbformat.from_dict(cell_metadata(cell))
        if cell.get("id") is None or cell.id in seen:
            cell.id = hashlib.sha256(f"{index} {cell.source}".encode()).hexdigest()[:8]
        seen.add(cell.id)


def make_client(notebook: nbformat.NotebookNode, folder: Path, timeout: int, **more) -> Client:
    """A client that runs a notebook in a folder; cells take so many seconds at most."""
    return Client(
        notebook,
        extra_arguments=["--log-level=ERROR"],
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        **more,
    )


def execute(path: Path, timeout: int) -> int:
    """Run all cells of a notebook in a new kernel and store what they show.

    Args:
        path: the notebook; its folder is the kernel's working directory.
        timeout: seconds that one cell may take.
    Returns:
        The number of code cells.
    Raises:
        NotebookFailed: the file is no notebook, or a cell failed; the file stays as it was.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise NotebookFailed(f"{path.name} could not be read as a notebook: {error}") from error
    clean(notebook)
    begun = []
    note = {"on_cell_start": lambda cell, cell_index: begun.append(cell_index)}
    client = make_client(notebook, path.parent, timeout, **note)
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        place = position(notebook, begun[-1]) if begun else "no cell yet"
        raise NotebookFailed(f"{path.name} failed in {place} and was left as it was:\n{error}") from error
    clean(notebook)
    nbformat.validate(notebook)
    write(path, notebook)
    return sum(cell.cell_type == "code" for cell in notebook.cells)


def position(notebook: nbformat.NotebookNode, index: int) -> str:
    """Name a cell the way a reader counts, with its id."""
    number = sum(cell.cell_type == "code" for cell in notebook.cells[: index + 1])
    return f"code cell {number} (id {notebook.cells[index].id})"


def write(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Replace a notebook's file in one step, with the same line ends on every system."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def main() -> int:
    """Execute the notebooks named on the command line, also those after one that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument(
        "--timeout", type=int, default=300, help="seconds that one cell may take (%(default)s)"
    )
    parser.add_argument(
        "--figures",
        choices=("static", "live"),
        default=ENVIRONMENT["ALEXNET_FIGURES"],
        help="interactive figures as frames, or as the widgets of a running kernel (%(default)s)",
    )
    arguments = parser.parse_args()
    os.environ.update(ENVIRONMENT | {"ALEXNET_FIGURES": arguments.figures})
    failed = 0
    for path in arguments.paths:
        start = time.monotonic()
        try:
            cells = execute(path.resolve(), arguments.timeout)
            print(f"{path.name}: {cells} code cells, {time.monotonic() - start:.1f} s", flush=True)
        except NotebookFailed as error:
            failed += 1
            print(error, file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
