"""Headless execution of the notebooks: a run of the lesson, a batch of runs, and the undo of a run."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from idc_runner.lazy_imports import put_off_slow_imports

if TYPE_CHECKING:
    from idc_runner.batch.batch import BatchRequest, run_batch
    from idc_runner.engine_choice import open_engine
    from idc_runner.execution import Outcome
    from idc_runner.run import RunRequest, run_lesson
    from idc_runner.undo import Undo, open_undo

__all__ = [
    "BatchRequest",
    "Outcome",
    "RunRequest",
    "Undo",
    "open_engine",
    "open_undo",
    "run_batch",
    "run_lesson",
]
_HOMES = {
    "execution": ("Outcome",),
    "run": ("RunRequest", "run_lesson"),
    "batch.batch": ("BatchRequest", "run_batch"),
    "engine_choice": ("open_engine",),
    "undo": ("Undo", "open_undo"),
}

put_off_slow_imports()  # before anything here reads a notebook


def __getattr__(name: str) -> Any:
    # Each command imports what it alone needs: `idc --help` answers at once.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"idc_runner.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
