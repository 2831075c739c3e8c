"""A notebook's cells run by ipykernel's kernel in this process; what messages become there is nbclient's."""

from __future__ import annotations

import asyncio
import codecs
import io
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType, SimpleNamespace
from typing import Any

from ipykernel.eventloops import enable_gui
from ipykernel.ipkernel import IPythonKernel
from IPython.core.error import UsageError
from IPython.core.shellapp import InteractiveShellApp
from jupyter_client.session import Session
from nbclient.client import timestamp
from nbclient.exceptions import CellExecutionComplete, DeadKernelError
from nbformat import NotebookNode
from papermill.log import logger
from traitlets.config import Config

from idc_runner import without_modules
from idc_runner.engine import MOST_PRINTED
from idc_runner.fast.messages import Lines
from idc_runner.kernel_engine import BoundedClient

# An IPython kernel without sockets and threads: ipykernel's own, whose messages are handed over at once.

Message = dict[str, Any]
_PUBLISHED, _REPLIES = "published", "replies"


class HandedOver(Session):
    """Hands what a kernel sends to a function of this process, as it would look behind a socket."""

    receive: Callable[[Message], None] = staticmethod(lambda _message: None)
    last_reply: Message | None = None

    def send(  # type: ignore[override]
        self, stream: Any, msg_or_type: Any, content: Any = None, parent: Any = None, **more: Any
    ) -> Any:
        """Hand a message over, after the same way through JSON that it takes to a front end."""
        if isinstance(msg_or_type, dict):
            message = msg_or_type
        else:
            message = self.msg(msg_or_type, content, parent, metadata=more.get("metadata"))
        message["content"] = self.unpack(self.pack(message["content"]))
        message["buffers"] = more.get("buffers") or message.get("buffers") or []
        if stream == _REPLIES:
            self.last_reply = message
        elif stream == _PUBLISHED:
            self.receive(message)
        return message


class KernelHere(IPythonKernel):
    """Executes cells in this process and this thread, exactly as a kernel does in its own."""

    session: HandedOver
    shell: Any
    io_loop: Any
    ended = False

    def _abort_queues(self, subshell_id: str | None = None) -> None:
        """Nothing queues: the one who asks for cells stops at the first that fails."""

    def execute(self, message: Message, loop: Any) -> Message:
        """Execute the cell of an ``execute_request`` and return the reply; its outputs are handed over."""
        loop.run_until_complete(self._execute(message))
        assert self.session.last_reply is not None
        return self.session.last_reply

    async def _execute(self, message: Message) -> None:
        self.set_parent([], message, "shell")
        await self.execute_request(_REPLIES, [], message)


def make_kernel() -> KernelHere:
    """Make the one kernel of this process, with an empty namespace; starts no thread and opens no file."""
    config = Config()
    # No history file and, with that, no thread that saves it.
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    session, log = HandedOver(key=b""), logging.getLogger("idc_helpers.kernel")
    # Nobody debugs a headless run through its front end; importing the debugger takes longer than the kernel.
    with without_modules("debugpy"):
        kernel = KernelHere.instance(config=config, session=session, log=log, iopub_socket=_PUBLISHED)
    kernel._execute_sleep = 0
    kernel.shell.enable_gui = partial(_enable_gui, kernel)
    # `exit()` in a cell ends a kernel a little later: here no cell comes after it.
    kernel.io_loop = SimpleNamespace(call_later=lambda *_: setattr(kernel, "ended", True), stop=None)
    # Cells that await are not to look for the thread that reads a kernel's socket.
    kernel.shell_channel_thread = SimpleNamespace(parent_thread=None)
    return kernel


def _enable_gui(kernel: KernelHere, gui: str | None = None) -> None:
    # The shell's own way asks for the application of a kernel process.
    try:
        enable_gui(gui, kernel)
    except ValueError as error:
        raise UsageError(str(error)) from error
    kernel.shell.active_eventloop = gui


def take_environment(kernel: KernelHere) -> None:
    """Set variables and the path of modules as a kernel does; done again when they were replaced."""
    kernel.shell.init_environment()
    # A kernel's application puts the working folder behind the standard library.
    InteractiveShellApp.init_path(SimpleNamespace(ignore_cwd=False))  # type: ignore[arg-type]
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")


_NAMES = ("stdout", "stderr")
_CHUNK = 1 << 20
_LONGEST_CHARACTER = 4  # bytes in UTF-8


class CapturedStream(io.TextIOWrapper):
    """A cell's ``sys.stdout`` or ``sys.stderr``: writes go to the file at once; `flush` reports them."""

    def __init__(self, stream_name: str, on_flush: Callable[[], None]) -> None:
        descriptor = _NAMES.index(stream_name) + 1
        raw = io.FileIO(descriptor, "wb", closefd=False)
        super().__init__(io.BufferedWriter(raw), "utf-8", "backslashreplace", write_through=True)
        self._stream_name = stream_name
        self._on_flush = on_flush
        self._since_flush = 0

    @property
    def name(self) -> str:
        """The stream's name, as in a kernel."""
        return self._stream_name

    def write(self, text: str) -> int:
        """Write text to the descriptor, past all buffers."""
        written = super().write(text)
        self.buffer.flush()
        self._since_flush += written
        if self._since_flush >= _CHUNK:
            self.flush()
        return written

    def flush(self) -> None:
        """Tell of what was written so far."""
        super().flush()
        self._since_flush = 0
        self._on_flush()

    def close(self) -> None:
        """Stay open: a cell that closes it must not silence the cells after it."""


class Capture:
    """Leads descriptors 1 and 2 into files while a cell runs, and hands over what has come."""

    def __init__(
        self,
        on_text: Callable[[str, str], None],
        files: tuple[int, int] | None = None,
        most_printed: int = MOST_PRINTED,
    ) -> None:
        self._most_bytes = _LONGEST_CHARACTER * most_printed
        self._own = files is None
        self._files = files or tuple(os.memfd_create(f"idc-{name}") for name in _NAMES)
        self._on_text = on_text
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._offsets = [0, 0]
        self._decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _ in _NAMES]
        self._streams = [CapturedStream(name, self.hand_over) for name in _NAMES]

    def close(self) -> None:
        """Close the files, where they are its own."""
        if self._own:
            for file in self._files:
                os.close(file)

    @contextmanager
    def cell(self) -> Iterator[None]:
        """Capture for the length of a block; what was there before comes back after it."""
        self._empty()
        python_streams = sys.stdout, sys.stderr
        for stream in python_streams:
            stream.flush()
        kept = [os.dup(1), os.dup(2)]
        for number, file in enumerate(self._files, start=1):
            os.dup2(file, number)
        sys.stdout, sys.stderr = self._streams
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            self.hand_over(final=True)
            sys.stdout, sys.stderr = python_streams
            for number, before in enumerate(kept, start=1):
                os.dup2(before, number)
                os.close(before)

    def _empty(self) -> None:
        # What a cell printed is in the notebook; a file that only grows would be the run's memory twice.
        for index, file in enumerate(self._files):
            if os.fstat(file).st_size == self._offsets[index]:
                os.ftruncate(file, 0)
                os.lseek(file, 0, os.SEEK_SET)
                self._offsets[index] = 0

    def hand_over(self, final: bool = False) -> None:
        """Hand over what has come since the last time."""
        if os.getpid() != self._owner:
            return  # a process that a cell forked writes to the same files; this one reads them
        with self._lock:
            for index, name in enumerate(_NAMES):
                while data := self._read(index):
                    if text := self._decoders[index].decode(data):
                        self._on_text(name, text)
                if final and (text := self._decoders[index].decode(b"", final=True)):
                    self._on_text(name, text)
            if max(self._offsets) > self._most_bytes:
                self._empty()

    def _read(self, index: int) -> bytes:
        file, offset = self._files[index], self._offsets[index]
        data = os.pread(file, min(_CHUNK, max(0, os.fstat(file).st_size - offset)), offset)
        self._offsets[index] += len(data)
        return data


class CellClient(BoundedClient):
    """Executes the cells of a papermill notebook by the kernel of this process."""

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
        """Execute a code cell and put its outputs into it."""
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


SAVE_PERIOD_S = 1.0
ENDED_STATUS = 128 + signal.SIGTERM


class ForkedRun:
    """The execution of one notebook in a process of its own."""

    def __init__(self, answers: Lines, capture_files: tuple[int, int], journal: int) -> None:
        self.capture_files = capture_files
        self._answers = answers
        self._journal = journal
        self._saved_at = time.monotonic()
        self._ended_cells = 0
        self._nb_man: Any = None
        self._index = -1

    def wait(self) -> None:
        """Wait until the notebook may run; where nobody is left to say so, end."""
        if self._answers.receive() is None:
            os._exit(ENDED_STATUS)
        self._saved_at = time.monotonic()

    def cell(self, event: str, index: int) -> None:
        """Tell that a code cell started or ended."""
        self._index = index
        self._answers.send({"cell": event, "index": index, "source": self._nb_man.nb.cells[index].source})

    @contextmanager
    def saving(self, nb_man: Any, capture: Capture) -> Iterator[None]:
        """Save sparingly for the length of a block, and at once when this process is asked to end."""
        self._nb_man, whole_save = nb_man, nb_man.save

        def save(**_options: Any) -> None:
            if time.monotonic() - self._saved_at < SAVE_PERIOD_S:
                self._write_journal()
                return
            whole_save()
            self._saved_at = time.monotonic()
            self._clear_journal()

        def end(_number: int, _frame: FrameType | None) -> None:
            capture.hand_over()
            self._mark_ended()
            whole_save()
            self._clear_journal()
            os._exit(ENDED_STATUS)

        nb_man.save = save
        before = signal.signal(signal.SIGTERM, end)
        try:
            yield
        finally:
            nb_man.save = whole_save
            signal.signal(signal.SIGTERM, before)

    def _mark_ended(self) -> None:
        if self._index >= 0:
            cell = self._nb_man.nb.cells[self._index]
            self._nb_man.cell_exception(cell, cell_index=self._index)
            self._nb_man.nb.metadata.papermill["end_time"] = self._nb_man.now().isoformat()

    def _write_journal(self) -> None:
        cells = self._nb_man.nb.cells
        while self._ended_cells < len(cells):
            cell = cells[self._ended_cells]
            if cell.metadata.papermill["status"] not in ("completed", "failed"):
                return
            line = json.dumps({"index": self._ended_cells, "cell": cell}) + "\n"
            os.write(self._journal, line.encode())
            self._ended_cells += 1

    def _clear_journal(self) -> None:
        os.ftruncate(self._journal, 0)
        os.lseek(self._journal, 0, os.SEEK_SET)


def execute_cells(nb_man: Any, forked_run: ForkedRun | None, options: dict[str, Any]) -> None:
    """Execute the cells of papermill's record of a notebook until one fails."""
    if forked_run is not None:
        client = CellClient(
            nb_man,
            _kernel(),
            capture_files=forked_run.capture_files,
            on_cell=forked_run.cell,
            log=logger,
            **options,
        )
        with forked_run.saving(nb_man, client.capture):
            client.execute()
        return
    with _this_process_as_it_was():
        forget_notebook()
        CellClient(nb_man, _kernel(), log=logger, **options).execute()


def _kernel() -> KernelHere:
    kernel = KernelHere.instance() if KernelHere.initialized() else make_kernel()
    take_environment(kernel)
    return kernel


def forget_notebook() -> None:
    """Let the kernel of this process, if there is one, be as new."""
    if KernelHere.initialized():
        kernel = KernelHere.instance()
        kernel.shell.reset(new_session=True)
        kernel.ended = False


@contextmanager
def _this_process_as_it_was() -> Iterator[None]:
    main, variables, path = sys.modules["__main__"], dict(os.environ), list(sys.path)
    try:
        yield
    finally:
        sys.modules["__main__"], sys.path[:] = main, path
        os.environ.clear()
        os.environ.update(variables)
