"""nbclient without a kernel process: it asks the kernel of this process.

What a message becomes in a notebook (display updates, cleared outputs, widget state) stays nbclient's code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from nbclient.client import timestamp
from nbclient.exceptions import CellExecutionComplete, DeadKernelError
from nbformat import NotebookNode

from idc_helpers.runner.fast.captured_streams import Capture
from idc_helpers.runner.fast.kernel_here import KernelHere, Message
from idc_helpers.runner.kept_output import BoundedClient


class CellClient(BoundedClient):
    """Executes the cells of a papermill notebook by the kernel of this process.

    Parameters
    ----------
    nb_man
        papermill's record of the execution.
    kernel
        Executes the cells.
    capture_files
        Where descriptors 1 and 2 are led while a cell runs; None: files of its own.
    on_cell
        Called with ``"started"`` or ``"ended"`` and the cell's index.
    """

    def __init__(
        self,
        nb_man: Any,
        kernel: KernelHere,
        *,
        capture_files: tuple[int, int] | None = None,
        on_cell: Callable[[str, int], None] = lambda _event, _index: None,
        **options: Any,
    ) -> None:
        super().__init__(nb_man, **options)
        self.kernel = kernel
        self.loop = asyncio.new_event_loop()
        self.capture = Capture(self._printed, capture_files, self._most_printed)
        self._on_cell = on_cell
        self._current: tuple[NotebookNode, int] | None = None
        self._to_kernel: list[Message] = []
        # What nbclient's output widgets tell their kernel waits until the cell has ended, as on a socket.
        self.kc = SimpleNamespace(
            session=kernel.session, shell_channel=SimpleNamespace(send=self._to_kernel.append)
        )

    def execute(self, **_options: Any) -> NotebookNode:
        """Execute all cells in order until one fails."""
        self.reset_execution_trackers()
        self.kernel.session.receive = self._received
        asyncio.set_event_loop(self.loop)
        try:
            self.papermill_execute_cells()
        finally:
            self.kernel.session.receive = lambda _message: None
            self.loop.close()
            self.capture.close()
            asyncio.set_event_loop(None)
        self.nb.metadata["language_info"] = dict(self.kernel.language_info)
        self.set_widgets_metadata()
        return self.nb

    def execute_cell(self, cell: NotebookNode, cell_index: int, **_options: Any) -> NotebookNode:
        """Execute a code cell and put its outputs into it.

        Raises
        ------
        CellExecutionError
            When the cell fails.
        DeadKernelError
            When a cell before it asked the kernel to end.
        """
        if cell.cell_type != "code" or not cell.source.strip():
            return cell
        if self.skip_cells_with_tag in cell.metadata.get("tags", []):
            return cell
        if self.kernel.ended:
            raise DeadKernelError("Kernel died")
        cell["metadata"]["execution"], cell.outputs = {}, []
        self.clear_before_next_output = False
        self._current = (cell, cell_index)
        self._on_cell("started", cell_index)
        with self.capture.cell():
            reply = self._ask(cell)
        self._on_cell("ended", cell_index)
        self.code_cells_executed += 1
        self.loop.run_until_complete(self._check_raise_for_error(cell, cell_index, reply))
        return cell

    def _ask(self, cell: NotebookNode) -> Message:
        session = self.kernel.session
        content = {"code": cell.source, "silent": False, "store_history": True, "allow_stdin": False}
        request = session.msg("execute_request", {**content, "user_expressions": {}, "stop_on_error": True})
        self._tell_state("busy", request)
        reply = self.kernel.execute(request, self.loop)
        cell["metadata"]["execution"]["shell.execute_reply"] = timestamp(reply)
        self._tell_state("idle", request)
        while self._to_kernel:
            message = self._to_kernel.pop(0)
            getattr(self.kernel.comm_manager, message["msg_type"])(None, [], message)
        return reply

    def _tell_state(self, state: str, request: Message) -> None:
        self._received(self.kernel.session.msg("status", {"execution_state": state}, request))

    def _printed(self, name: str, text: str) -> None:
        parent = self.kernel.get_parent()
        self._received(self.kernel.session.msg("stream", {"name": name, "text": text}, parent))

    def _received(self, message: Message) -> None:
        if self._current is None:
            return
        cell, index = self._current
        try:
            self.process_message(message, cell, index)
        except CellExecutionComplete:
            return

    def output(self, outs: list[NotebookNode], msg: Message, display_id: str | None, cell_index: int) -> Any:
        """Add an output; text goes on where text of the same stream was the last."""
        hooked = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        last = outs[-1] if outs and not hooked and not self.clear_before_next_output else None
        text = msg["content"] if msg["msg_type"] == "stream" else None
        if text and last and last.output_type == "stream" and last.name == text["name"]:
            last.text += text["text"]
            return last
        return super().output(outs, msg, display_id, cell_index)
