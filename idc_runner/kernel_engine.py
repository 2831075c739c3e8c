"""The engine that needs nothing of the platform: a kernel of this Python for each notebook."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellTimeoutError
from papermill.engines import papermill_engines

from idc_runner.engine import NO_LIMITS, NotebookFailure, TimeLeft, TimeLimits
from idc_runner.executing import BOUNDED_ENGINE, BoundedEngine, execute_with_papermill, kernel_manager_class
from idc_runner.notebooks import LessonNotebook
from idc_runner.outputs import KERNEL_LOG, mark_unfinished


class KernelEngine:
    """Executes notebooks as papermill does by itself; see `Engine`."""

    name = "kernel"

    def __init__(self) -> None:
        self._at_work: list[set[int]] = []

    def close(self) -> None:
        """End the kernels of notebooks that other threads still execute."""
        for pids in list(self._at_work):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)  # each kernel leads a group, with what it started

    def execute(
        self,
        notebook: LessonNotebook,
        output: Path,
        parameters: Mapping[str, Any],
        environment: Mapping[str, str],
        limits: TimeLimits = NO_LIMITS,
    ) -> NotebookFailure | None:
        """Execute a notebook in a kernel of its own, saved after every cell; see `Engine.execute`."""
        left = TimeLeft(limits)
        pids: set[int] = set()
        # The folder is given to the kernel alone: papermill's `cwd` would move this whole process there.
        manager = kernel_manager_class(environment, output.parent / KERNEL_LOG, notebook.path.parent, pids)
        papermill_engines.register(BOUNDED_ENGINE, BoundedEngine)
        options: dict[str, Any] = {
            "kernel_manager_class": manager,
            "engine_name": BOUNDED_ENGINE,
            "most_printed": limits.most_printed,
        }
        if limits.is_timed:
            # A kernel that is too slow is not asked to end: it does not listen.
            options |= {"timeout_func": left.for_cell, "shutdown_kernel": "immediate"}
            logging.getLogger("papermill").setLevel(logging.CRITICAL)
        self._at_work.append(pids)
        try:
            return execute_with_papermill(notebook, output, parameters, **options)
        except CellTimeoutError:
            failure = left.failure()
            mark_unfinished(output, failure, None)
            return failure
        except TimeoutError as error:
            return NotebookFailure(type(error).__name__, str(error))
        finally:
            self._at_work.remove(pids)
