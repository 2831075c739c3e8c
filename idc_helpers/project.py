"""Where the kit's own folder is: the one with ``notebooks/`` and ``parameters/``."""

from __future__ import annotations

from pathlib import Path

from idc_helpers.errors import RunFailedError

DEFAULT_SCENARIO = Path("parameters") / "sandbox.yaml"


def project_folder() -> Path:
    """Return the kit's folder: the nearest one upwards from here that holds ``notebooks`` and ``parameters``.

    Raises
    ------
    RunFailedError
        When there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / DEFAULT_SCENARIO).is_file():
            return folder
    raise RunFailedError(
        f"no folder with notebooks/ and {DEFAULT_SCENARIO} was found from {str(here)!r} upwards",
        remedy="Run from inside the kit's folder.",
    )
