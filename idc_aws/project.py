"""Where the kit's own files are, found from the kit; and where a person works, found from where they are."""

from __future__ import annotations

import os
from pathlib import Path

from idc_aws.errors import RunFailedError

DEFAULT_SCENARIO = Path("parameters") / "sandbox.yaml"
# In a working copy: says what was laid out, so that what a person changed is told from what they left.
MANIFEST = ".identity-center-kit.json"
# The environment variables of a run's processes, in one place.
PACING_FOLDER_VARIABLE = "IDC_PACING_FOLDER"
PACING_MACHINES_VARIABLE = "IDC_PACING_MACHINES"
MASKING_VARIABLE = "IDC_MASKING_FILE"
RUN_FOLDER_VARIABLE = "IDC_RUN_FOLDER"
INTERACTIVE_VARIABLE = "IDC_INTERACTIVE"
STATE_VARIABLE = "IDC_SANDBOX_STATE"
PAGES_VARIABLE = "IDC_SANDBOX_PAGES_PATH"
VERSIONS_VARIABLE = "IDC_COMMAND_LINE_VERSIONS"
FORKS_VARIABLE = "IDC_COMMAND_FORKS"
_PACKAGE = Path(__file__).resolve().parent
_LAB = "lab"
_HOME = "identity-center"


def project_folder() -> Path:
    """Return the folder of the kit's own ``notebooks``, ``parameters`` and ``docs``, wherever one stands."""
    for folder in (_PACKAGE.parent, _PACKAGE / "data" / "kit"):
        if holds_a_kit(folder):
            return folder
    raise RunFailedError(
        f"the kit's notebooks are missing beside {str(_PACKAGE)!r}",
        remedy="Install the kit again.",
    )


def work_folder() -> Path:
    """Return the folder in which a person works: its scenarios come first, and its ``runs`` get all runs."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if holds_a_kit(folder) or (folder / MANIFEST).is_file():
            return folder
    kit = project_folder()
    return kit if is_repository(kit) else Path.home() / _HOME


def lab_folder() -> Path:
    """Return the folder that JupyterLab opens: never a repository, because Lab saves into the notebooks."""
    work = work_folder()
    return work / _LAB if is_repository(work) else work


def runs_folder() -> Path:
    """Return the folder that holds the runs; it need not exist. The one of a lab is the repository's."""
    return (work_folder() / "runs").resolve()


def find_scenario(path: str | Path | None = None, *others: Path) -> Path:
    """Return the absolute path of a scenario file that need not exist; None or empty: the default one."""
    places = list(others) or [work_folder(), project_folder()]
    if path:
        path = Path(path).expanduser()
        # `papermill --cwd` runs a notebook in another folder than the shell's.
        places = [Path.cwd(), *places[:-1], Path(os.environ.get("PWD") or Path.cwd()), places[-1]]
    found = [place / (path or DEFAULT_SCENARIO) for place in places]
    return next((each for each in found if each.is_file()), found[0]).absolute()


def is_repository(folder: Path) -> bool:
    """Return whether a folder holds the kit's code too."""
    return (folder / "idc_aws" / "project.py").is_file()


def holds_a_kit(folder: Path) -> bool:
    """Return whether a folder has notebooks and the default scenario: a repository, or a copy."""
    return (folder / "notebooks").is_dir() and (folder / DEFAULT_SCENARIO).is_file()
