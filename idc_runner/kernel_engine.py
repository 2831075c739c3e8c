"""The engine that needs nothing of the platform: papermill in a kernel of this Python for each notebook."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import papermill
import zmq
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillException, PapermillExecutionError
from papermill.log import logger
from traitlets import default

from idc_aws.files import open_private
from idc_aws.scrubbing import clean
from idc_runner.engine import MOST_PRINTED, NotebookFailure, NotebookOrder, TimeLeft, cut_note
from idc_runner.outputs import KERNEL_LOG, mark_unfinished, scrubbed_path

KERNEL_NAME = "python3"


class OwnKernelManager(AsyncKernelManager):
    """Starts ipykernel with the Python that runs this, and with an environment and a log of the run's own."""

    environment: ClassVar[Mapping[str, str]] = {}
    log_file: ClassVar[Path | None] = None
    folder: ClassVar[Path | None] = None
    pids: ClassVar[set[int]] = set()

    @property
    def kernel_spec(self) -> KernelSpec:
        """The one specification: this Python; one called ``python3`` may be any Python of the machine."""
        argv = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        metadata = {"supported_encryption": ["curve"]}
        return KernelSpec(argv=argv, display_name="Python 3", language="python", metadata=metadata)

    @default("transport_encryption")
    def _default_transport_encryption(self) -> str:  # others of this machine share its loopback
        return "auto" if zmq.has("curve") else "disabled"

    async def _async_pre_start_kernel(self, **options: Any) -> tuple[list[str], dict[str, Any]]:
        options["env"] = {**os.environ, **self.environment}
        return await super()._async_pre_start_kernel(**options)

    async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
        path = self.log_file or Path(os.devnull)
        if self.folder is not None:
            options["cwd"] = str(self.folder)
        with open_private(path, "a") as log:
            await super()._async_launch_kernel(kernel_cmd, **{**options, "stdout": log, "stderr": log})
        self.pids.add(self.provisioner.pid)  # type: ignore[union-attr]


def kernel_manager_class(
    environment: Mapping[str, str],
    log_file: Path | None = None,
    folder: Path | None = None,
    pids: set[int] | None = None,
) -> type[OwnKernelManager]:
    """Return a class of kernel managers whose kernels see these variables and write this log, or none."""
    attributes = {
        "environment": dict(environment),
        "log_file": log_file,
        "folder": folder,
        "pids": set() if pids is None else pids,
    }
    return type("RunKernelManager", (OwnKernelManager,), attributes)


def execute_with_papermill(order: NotebookOrder, **options: Any) -> NotebookFailure | None:
    """Let papermill execute a notebook; every save, its first one too, is scrubbed and whole."""
    logging.getLogger("papermill").setLevel(logging.ERROR)  # unknown parameters were refused before
    try:
        papermill.execute_notebook(
            _literal(str(order.notebook.path)),
            _literal(scrubbed_path(order.output)),
            parameters=dict(order.parameters),
            kernel_name=KERNEL_NAME,
            progress_bar=False,
            most_printed=order.limits.most_printed,
            **options,
        )
    except PapermillExecutionError as error:
        return _cell_failure(error, order.output)
    except DeadKernelError:
        failure = NotebookFailure(
            "DeadKernelError",
            "the kernel ended by itself; a machine that is short of memory does that. Run again.",
        )
        mark_unfinished(order.output, failure, None)
        return failure
    except TimeoutError:
        raise
    except (PapermillException, RuntimeError, OSError) as error:
        return NotebookFailure(type(error).__name__, clean(str(error)))
    return None


def _literal(path: str) -> str:
    # papermill fills parameters into the braces of a path.
    return path.replace("{", "{{").replace("}", "}}")


def _cell_failure(error: PapermillExecutionError, output: Path) -> NotebookFailure:
    """Return the failure as the saved notebook has it: without what other cells announce."""
    cell = int(error.exec_count) if error.exec_count else None
    message, source = clean(error.evalue), clean(error.source)
    with suppress(OSError, ValueError):
        saved = json.loads(output.read_text("utf-8"))["cells"]
        for one in saved:
            said = [part["evalue"] for part in one.get("outputs", ()) if part["output_type"] == "error"]
            if said and one["execution_count"] == cell:
                message, source = said[0], "".join(one["source"])
    return NotebookFailure(error.ename, message.strip(), cell, source)


BOUNDED_ENGINE = "identity-center-kernel"


class BoundedClient(PapermillNotebookClient):
    """Executes the cells of a papermill notebook and keeps the beginning of each stream of a cell."""

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


class KernelEngine:
    """Executes notebooks as papermill does by itself; see `Engine`."""

    def __init__(self) -> None:
        self._at_work: list[set[int]] = []

    def close(self) -> None:
        """End the kernels of notebooks that other threads still execute."""
        for pids in list(self._at_work):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)  # each kernel leads a group, with what it started

    def begin(self, order: NotebookOrder) -> None:
        """Do nothing: papermill starts a kernel when it executes a notebook."""

    def execute(self, order: NotebookOrder) -> NotebookFailure | None:
        """Execute a notebook in a kernel of its own, saved after every cell; see `Engine.execute`."""
        limits, left = order.limits, TimeLeft(order.limits)
        pids: set[int] = set()
        # The folder is given to the kernel alone: papermill's `cwd` would move this whole process there.
        manager = kernel_manager_class(
            order.environment, order.output.parent / KERNEL_LOG, order.notebook.path.parent, pids
        )
        papermill_engines.register(BOUNDED_ENGINE, BoundedEngine)
        options: dict[str, Any] = {"kernel_manager_class": manager, "engine_name": BOUNDED_ENGINE}
        if limits.cell_s is not None or limits.notebook_s is not None:
            # A kernel that is too slow is not asked to end: it does not listen.
            options |= {"timeout_func": left.for_cell, "shutdown_kernel": "immediate"}
            logging.getLogger("papermill").setLevel(logging.CRITICAL)
        self._at_work.append(pids)
        try:
            return execute_with_papermill(order, **options)
        except CellTimeoutError:
            failure = left.failure()
            mark_unfinished(order.output, failure, None)
            return failure
        except TimeoutError as error:
            return NotebookFailure(type(error).__name__, str(error))
        finally:
            self._at_work.remove(pids)
