"""Headless execution of the notebooks: a run of the lesson, a batch of runs, and the undo of a run."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idc_runner.batch.batch import BatchRequest, run_batch
    from idc_runner.execution import Outcome
    from idc_runner.fast.engine import open_engine
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
    "BatchRequest": "batch.batch",
    "Outcome": "execution",
    "RunRequest": "run",
    "Undo": "undo",
    "open_engine": "fast.engine",
    "open_undo": "undo",
    "run_batch": "batch.batch",
    "run_lesson": "run",
}


def put_off_import(name: str, *functions: str) -> None:
    """Let ``import`` of a module, and of its functions from it, return at once; a call imports it."""
    if name in sys.modules or importlib.util.find_spec(name) is None:
        return
    placeholder = ModuleType(
        name, "Stands in for the module of its name until one of its functions is called."
    )

    def real_attribute(attribute: str) -> Any:
        if attribute.startswith("__"):  # the import system asks for these
            raise AttributeError(attribute)
        if sys.modules.get(name) is placeholder:
            del sys.modules[name]
        return getattr(importlib.import_module(name), attribute)

    def deferred(function: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            return real_attribute(function)(*arguments, **options)

        return call

    placeholder.__getattr__ = real_attribute  # type: ignore[method-assign]
    for function in functions:
        setattr(placeholder, function, deferred(function))
    sys.modules[name] = placeholder


# httpx's command line, and a way to TLS that botocore only looks at: a tenth of a second each.
NEEDLESS_MODULES = ("httpx._main", "urllib3.contrib.pyopenssl")


@contextmanager
def without_modules(*names: str) -> Iterator[None]:
    """Let modules that libraries can do without be missing while the libraries are imported."""
    known = {name: sys.modules.get(name) for name in names}
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # None: it cannot be imported
    try:
        yield
    finally:
        for name, module in known.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


@contextmanager
def kept_for_good() -> Iterator[None]:
    """Let the garbage collector never look at what is imported or made in a block."""
    gc.disable()  # it would look for garbage again and again while everything that is made stays
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


# It takes seconds, and hardly anybody needs it: before anything here reads a notebook.
put_off_import("rfc3987_syntax", "is_valid_syntax")


def __getattr__(name: str) -> Any:
    # Each command imports what it alone needs: `idc --help` answers at once.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"idc_runner.{_HOMES[name]}"), name)
