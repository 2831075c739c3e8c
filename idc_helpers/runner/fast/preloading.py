"""What the preloaded process imports and prepares, so that no fork has to."""

from __future__ import annotations

import gc
import importlib
import os
from pathlib import Path

from idc_helpers.quick_imports import put_off_slow_imports

# Libraries for linear algebra start a thread for each core when they are imported, and a process with several
# threads cannot be forked safely.
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
MODULES = (
    "papermill",
    "pandas",
    "pandas.io.formats.style",
    "ipywidgets",
    "idc_helpers.aws.preloading",
    "idc_helpers.display",
    "idc_helpers.display.access_picture",
    "idc_helpers.display.frames",
    "idc_helpers.display.organization_picture",
    "idc_helpers.aws.profile_call",
    "idc_helpers.runner.executing",
    "idc_helpers.runner.fast.cells_in_process",
    "idc_helpers.runner.fast.notebook_fork",
    "idc_helpers.runner.fast.module_fork",
)


# What the kit's own code starts as processes: their forks find it imported.
STARTED_MODULES = ("idc_sandbox.__main__", "idc_sandbox.persona.__main__")

_REHEARSAL = ("a = 1", "print(a)", "import pandas\npandas.DataFrame({'a': [a]})")


def preload() -> None:
    """Import what notebooks use, make the kernel, and let the garbage collector forget all of it."""
    gc.disable()  # it would look for garbage again and again while everything that is made stays
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    put_off_slow_imports()
    for name in (*MODULES, *STARTED_MODULES):
        importlib.import_module(name)
    gc.freeze()  # a kernel that forgets its variables looks through everything that is not frozen
    prepare()
    gc.freeze()
    gc.enable()


def prepare() -> None:
    """Do once what each notebook would do alike."""
    from papermill.engines import papermill_engines  # noqa: PLC0415

    from idc_helpers.aws.preloading import share_service_models  # noqa: PLC0415
    from idc_helpers.runner.fast.kernel_here import make_kernel  # noqa: PLC0415
    from idc_helpers.runner.papermill_engine import ENGINE_NAME, FastEngine  # noqa: PLC0415

    share_service_models()
    papermill_engines.register(ENGINE_NAME, FastEngine)
    make_kernel()
    _rehearse()


def _rehearse() -> None:
    """Execute a small notebook: what libraries prepare at their first use is prepared then."""
    import nbformat  # noqa: PLC0415
    import papermill  # noqa: PLC0415

    from idc_helpers.runner.fast.cells_in_process import forget_notebook  # noqa: PLC0415
    from idc_helpers.runner.papermill_engine import ENGINE_NAME  # noqa: PLC0415

    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(source) for source in _REHEARSAL]
    cells[0].metadata["tags"] = ["parameters"]
    document = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec})
    document = nbformat.reads(nbformat.writes(document), as_version=4)
    papermill.execute_notebook(
        document, None, {"a": 2}, engine_name=ENGINE_NAME, kernel_name="python3", progress_bar=False
    )
    forget_notebook()


def number_of_threads() -> int:
    """Return how many threads this process has, those of libraries included."""
    return len(list(Path("/proc/self/task").iterdir()))
