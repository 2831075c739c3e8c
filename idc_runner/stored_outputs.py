"""The outputs that notebooks keep, made and compared: ``python -m idc_runner.stored_outputs make|check``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from idc_aws.errors import KitError, RunFailedError
from idc_aws.files import write_whole
from idc_aws.project import INTERACTIVE_VARIABLE, RUN_FOLDER_VARIABLE, STATE_VARIABLE, project_folder
from idc_aws.sandbox import sandbox_of_its_own
from idc_aws.scrubbing import scrub_values
from idc_runner.kernel_engine import KERNEL_NAME, kernel_manager_class
from idc_runner.notebooks import LessonNotebook, find_notebooks

_KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": KERNEL_NAME}
_LANGUAGE = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}
_KEPT_CELL_METADATA = ("tags", "jupyter", "editable", "deletable", "slideshow")


def make_stored_outputs(notebooks: Sequence[LessonNotebook]) -> None:
    """Execute notebooks in order and store their outputs in place: all of them, or, when one fails, none."""
    with _fresh_environment() as environment:
        executed = [_execute(notebook, environment) for notebook in notebooks]
    for notebook, document in zip(notebooks, executed, strict=True):
        write_whole(notebook.path, nbformat.writes(without_volatile_metadata(document)).rstrip("\n") + "\n")


def check_stored_outputs(notebooks: Sequence[LessonNotebook], sanitize_file: Path) -> int:
    """Execute notebooks in order, compare with the stored outputs, and return 0 when all are the same."""
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "no:xdist"]
    command += ["--nbval-sanitize-with", str(sanitize_file), *(str(notebook.path) for notebook in notebooks)]
    with _fresh_environment() as environment:
        return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


@contextmanager
def _fresh_environment() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="idc-notebooks-") as folder:
        state, run_folder = Path(folder) / "sandbox", Path(folder) / "run"
        run_folder.mkdir()
        with sandbox_of_its_own(state):
            yield {
                STATE_VARIABLE: str(state),
                RUN_FOLDER_VARIABLE: str(run_folder),
                INTERACTIVE_VARIABLE: "headless",
            }


def _execute(notebook: LessonNotebook, environment: dict[str, str]) -> Any:
    print(f"{notebook.name} …", flush=True)
    document: Any = nbformat.read(notebook.path, as_version=4)
    client = NotebookClient(
        document,
        kernel_manager_class=kernel_manager_class(environment),
        kernel_name=KERNEL_NAME,
        record_timing=False,
        resources={"metadata": {"path": str(notebook.path.parent)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise RunFailedError(
            f"the notebook {notebook.name!r} failed, so no outputs are stored: {error.ename}: {error.evalue}",
            remedy="Fix the cell and run `make notebooks` again.",
        ) from error
    return document


def without_volatile_metadata(document: Any) -> Any:
    """Return a notebook without what differs between machines or runs, and without secrets in its outputs."""
    document = nbformat.from_dict(document)
    document.metadata = nbformat.from_dict({"kernelspec": _KERNELSPEC, "language_info": _LANGUAGE})
    for cell in document.cells:
        kept = {name: value for name, value in cell.metadata.items() if name in _KEPT_CELL_METADATA}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type == "code":
            cell.outputs = nbformat.from_dict(scrub_values(cell.outputs))
    return document


def main(arguments: Sequence[str]) -> int:
    """Make or check the stored outputs of the kit's notebooks and return the exit status."""
    if list(arguments) not in (["make"], ["check"]):
        print("usage: python -m idc_runner.stored_outputs make|check", file=sys.stderr)
        return 2
    try:
        project = project_folder()
        notebooks = find_notebooks(project / "notebooks")
        if arguments[0] == "check":
            return check_stored_outputs(notebooks, project / "tests" / "notebooks" / "sanitize.cfg")
        make_stored_outputs(notebooks)
    except KitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
