"""Opening the engine that executes notebooks: the fast one where the platform has it, or real kernels."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from idc_aws.errors import InvalidValueError
from idc_aws.identifiers import did_you_mean
from idc_runner.engine import Engine

ENGINE_NAMES = ("fast", "kernel")


@contextmanager
def open_engine(name: str | None = None) -> Iterator[Engine]:
    """Open an engine for the length of a block; what it started is ended with the block.

    Parameters
    ----------
    name
        One of `ENGINE_NAMES`. ``"fast"``: a preloaded process forks for each notebook. ``"kernel"``: a kernel
        for each. None: the fast one where the platform has it.

    Raises
    ------
    InvalidValueError
        When no engine has that name, or not on this platform.
    """
    if name is not None and name not in ENGINE_NAMES:
        raise InvalidValueError(
            f"no engine is called {name!r}. {did_you_mean(name, ENGINE_NAMES)}".rstrip(),
            remedy=f"One of: {', '.join(ENGINE_NAMES)}.",
        )
    from idc_runner.fast.engine import fast_engine, fork_is_safe  # noqa: PLC0415 -- only where it is used

    if name == "fast" and not fork_is_safe():
        raise InvalidValueError(
            f"the engine 'fast' needs Linux, and this is {sys.platform!r}",
            remedy="Leave --engine out: real kernels are used then.",
        )
    if name == "kernel" or not fork_is_safe():
        from idc_runner.kernel_engine import KernelEngine  # noqa: PLC0415 -- papermill takes a while

        kernels = KernelEngine()
        try:
            yield kernels
        finally:
            kernels.close()
        return
    with fast_engine() as engine:
        yield engine
