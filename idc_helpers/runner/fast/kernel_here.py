"""An IPython kernel without sockets and threads: ipykernel's own, whose messages are handed over at once."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

from ipykernel.eventloops import enable_gui
from ipykernel.ipkernel import IPythonKernel
from IPython.core.error import UsageError
from IPython.core.shellapp import InteractiveShellApp
from jupyter_client.session import Session
from traitlets.config import Config

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
        """Nothing queues: whoever asks for cells stops at the first that fails."""

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
    with _no_debugger():
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


@contextmanager
def _no_debugger() -> Iterator[None]:
    # Nobody debugs a headless run through its front end; importing the debugger takes longer than the kernel.
    known = sys.modules.get("debugpy")
    sys.modules["debugpy"] = None  # type: ignore[assignment]  # to the import system: it cannot be imported
    try:
        yield
    finally:
        del sys.modules["debugpy"]
        if known is not None:
            sys.modules["debugpy"] = known


def take_environment(kernel: KernelHere) -> None:
    """Set variables and the path of modules as a kernel does; done again when they were replaced."""
    kernel.shell.init_environment()
    # A kernel's application puts the working folder behind the standard library.
    InteractiveShellApp.init_path(SimpleNamespace(ignore_cwd=False))  # type: ignore[arg-type]
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
