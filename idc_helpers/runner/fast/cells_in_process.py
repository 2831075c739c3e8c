"""The cells of one notebook, executed by a kernel in this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from papermill.log import logger

from idc_helpers.runner.fast.cell_client import CellClient
from idc_helpers.runner.fast.forked_run import ForkedRun
from idc_helpers.runner.fast.kernel_here import KernelHere, make_kernel, take_environment


def execute_cells(nb_man: Any, forked_run: ForkedRun | None, options: dict[str, Any]) -> None:
    """Execute the cells of papermill's record of a notebook until one fails.

    Parameters
    ----------
    nb_man
        papermill's record.
    forked_run
        The process that was forked for it; None: this process goes on afterwards, so it is left as it was.
    options
        More arguments for nbclient.
    """
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
        CellClient(nb_man, _fresh_kernel(), log=logger, **options).execute()


def _kernel() -> KernelHere:
    kernel = KernelHere.instance() if KernelHere.initialized() else make_kernel()
    take_environment(kernel)
    return kernel


def _fresh_kernel() -> KernelHere:
    """Return the kernel of this process with no variable of a notebook before."""
    forget_notebook()
    return _kernel()


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
