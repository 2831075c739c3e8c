"""papermill's engine ``identity-center-fast``: the cells run in papermill's own process."""

from __future__ import annotations

import json
from typing import Any

from papermill.engines import Engine, NotebookExecutionManager
from papermill.exceptions import PapermillException

ENGINE_NAME = "identity-center-fast"


def look_ahead(nb: Any) -> None:
    """Look through a notebook as its first save will: what was looked at once is remembered."""
    import nbformat  # noqa: PLC0415 -- papermill imports all engines, also for those who use none of them

    from idc_runner.outputs import notebook_text  # noqa: PLC0415

    NotebookExecutionManager(nb, progress_bar=False).notebook_start()  # without a path it writes nothing
    notebook_text(json.loads(nbformat.writes(nb)))


class PapermillFastEngine(Engine):
    """Executes notebooks without a kernel process; the notebooks of one process share modules and folder."""

    @classmethod
    def execute_notebook(cls, nb: Any, *arguments: Any, forked_run: Any = None, **options: Any) -> Any:
        """Execute a notebook that papermill has read; one of a process of its own waits until it may."""
        if forked_run is not None:
            look_ahead(nb)
            forked_run.wait()
        return super().execute_notebook(nb, *arguments, forked_run=forked_run, **options)

    @classmethod
    def execute_managed_notebook(  # noqa: PLR0917 -- papermill's interface
        cls,
        nb_man: Any,
        kernel_name: str,  # noqa: ARG003
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        execution_timeout: float | None = None,
        forked_run: Any = None,
        most_printed: int | None = None,
        **_options: Any,
    ) -> None:
        """Execute the cells of papermill's record of a notebook."""
        if execution_timeout:
            raise PapermillException(
                f"the engine {ENGINE_NAME!r} cannot end a cell of papermill's own process: leave the "
                "execution timeout out, use the default engine, or use `idc batch`, which has time limits."
            )
        # papermill imports all engines that are installed, also for those who use none of them.
        from idc_runner.fast.kernel import execute_cells  # noqa: PLC0415

        options = {"log_output": log_output, "stdout_file": stdout_file, "stderr_file": stderr_file}
        if most_printed is not None:
            options["most_printed"] = most_printed
        execute_cells(nb_man, forked_run, options)
