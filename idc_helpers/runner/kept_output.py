"""How much is kept of what a cell prints: a job that prints for ever fills no disk and holds up no other."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from papermill.log import logger

from idc_helpers.runner.engines import MOST_PRINTED, cut_note

BOUNDED_ENGINE = "identity-center-kernel"


class BoundedClient(PapermillNotebookClient):
    """Executes the cells of a papermill notebook and keeps the beginning of each stream of a cell.

    Parameters
    ----------
    nb_man
        papermill's record of the execution.
    most_printed
        Characters that are kept of each stream of a cell.
    """

    def __init__(self, nb_man: Any, *, most_printed: int = MOST_PRINTED, **options: Any) -> None:
        super().__init__(nb_man, **options)
        self._most_printed = most_printed
        self._printed_by: int | None = None
        self._counts: dict[str, int] = {}
        self._notes: dict[str, NotebookNode] = {}

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take a kernel's message, of a stream no more than is kept."""
        if cell_index != self._printed_by or msg["msg_type"] == "clear_output":
            self._printed_by, self._counts, self._notes = cell_index, {}, {}
        if msg["msg_type"] != "stream":
            return super().process_message(msg, cell, cell_index)
        content = msg["content"]
        name, text = content["name"], content["text"]
        before = self._counts.get(name, 0)
        self._counts[name] = before + len(text)
        if self._counts[name] <= self._most_printed:
            return super().process_message(msg, cell, cell_index)
        kept = text[: max(0, self._most_printed - before)]
        if kept:
            super().process_message({**msg, "content": {**content, "text": kept}}, cell, cell_index)
        if name not in self._notes:
            self._notes[name] = NotebookNode(output_type="stream", name=name, text="")
            cell.outputs.append(self._notes[name])
        self._notes[name].text = cut_note(name, self._counts[name] - self._most_printed, self._most_printed)
        return None


class BoundedEngine(NBClientEngine):
    """papermill's own way to execute a notebook, with `BoundedClient`."""

    @classmethod
    def execute_managed_notebook(  # noqa: PLR0917 -- papermill's interface
        cls,
        nb_man: Any,
        kernel_name: str,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        **options: Any,
    ) -> None:
        """Execute the cells of papermill's record of a notebook in a kernel."""
        options.pop("input_path", None)
        BoundedClient(
            nb_man,
            timeout=execution_timeout,
            startup_timeout=start_timeout,
            kernel_name=kernel_name,
            log=logger,
            log_output=log_output,
            stdout_file=stdout_file,
            stderr_file=stderr_file,
            **options,
        ).execute()
