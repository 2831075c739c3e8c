"""The folder of a run: a name that sorts by time, a link to the latest, and where undo finds the target."""

from __future__ import annotations

import datetime
import json
import os
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from idc_helpers.errors import NotFoundError, RunFailedError
from idc_helpers.suggestions import did_you_mean

LATEST = "latest"


@dataclass(frozen=True)
class RunRecord:
    """Where a run went, kept as ``run.json`` so that undo goes to the same place.

    Attributes
    ----------
    target, mode, region
        As the notebooks got them.
    profile
        The AWS profile's name, or None.
    scenario_file
        The scenario's absolute path.
    sandbox_state
        The state folder of the sandbox that the run used; empty: the standing one, or none.
    sandbox_state_id
        Which state was in it; empty on AWS.
    """

    target: str
    mode: str
    region: str
    profile: str | None
    scenario_file: str
    sandbox_state: str = ""
    sandbox_state_id: str = ""


def create_run_folder(runs: Path, *, now: datetime.datetime | None = None) -> Path:
    """Create and return a new run's folder, readable by its owner only, and point ``latest`` at it.

    Parameters
    ----------
    runs
        The folder that holds the runs; made when missing.
    now
        The time that names the run, UTC.

    Raises
    ------
    RunFailedError
        When the folder cannot be written.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    try:
        runs.mkdir(parents=True, exist_ok=True)
        folder = _create_unique(runs.absolute(), now.strftime("%Y%m%d-%H%M%S"))
        (folder / "notebooks").mkdir()
    except OSError as error:
        raise RunFailedError(
            f"the run's folder cannot be made in {str(runs)!r}: {error.strerror or error}",
            remedy="Choose a folder that you may write with --out DIR, or make room.",
        ) from error
    _link_latest(runs.absolute(), folder.name)
    return folder


def _create_unique(runs: Path, name: str) -> Path:
    for attempt in range(1, 1000):
        folder = runs / (name if attempt == 1 else f"{name}-{attempt}")
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder
    raise FileExistsError(f"a thousand runs are called {name}")


def _link_latest(runs: Path, name: str) -> None:
    temporary = runs / f".{LATEST}-{os.getpid()}"
    # A file system without links (or a folder called "latest") costs the convenience, not the run.
    with suppress(OSError):
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(name)
        temporary.replace(runs / LATEST)
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


def find_run_folder(run_id: str, runs: Path) -> Path:
    """Return the folder of a run.

    Parameters
    ----------
    run_id
        A run's id, ``latest``, or a folder.
    runs
        The folder that holds the runs.

    Raises
    ------
    NotFoundError
        When there is no such run.
    """
    for folder in (runs / run_id, Path(run_id)):
        if (
            run_id
            and folder.is_dir()
            and ((folder / "receipts.jsonl").exists() or (folder / "run.json").exists())
        ):
            return folder.resolve()
    names = sorted((path.name for path in runs.glob("*") if path.is_dir()), reverse=True)
    known = f"Newest runs: {', '.join(names[:5])}." if names else f"There is no run in {str(runs)!r} yet."
    raise NotFoundError(
        f"no run is called {run_id!r}. {did_you_mean(run_id, names)}".rstrip(),
        remedy=f"{known} A run in another folder is named by its path.",
    )


def write_record(folder: Path, record: RunRecord) -> None:
    """Write ``run.json``."""
    text = json.dumps(asdict(record), indent=2, ensure_ascii=False) + "\n"
    (folder / "run.json").write_text(text, "utf-8")


def read_record(folder: Path) -> RunRecord | None:
    """Return what ``run.json`` says, or None where there is none: a person ran a notebook in JupyterLab."""
    path = folder / "run.json"
    if not path.exists():
        return None
    try:
        return _record(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise RunFailedError(
            f"{str(path)!r} cannot be understood: {error}",
            remedy="Delete the file: undo then goes by the receipts alone.",
        ) from error


def _record(values: Any) -> RunRecord:
    """Return the record; what a newer version of the kit has added is passed over."""
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")
    known = {field.name: values[field.name] for field in fields(RunRecord) if field.name in values}
    missing = [
        field.name for field in fields(RunRecord) if field.default is MISSING and field.name not in known
    ]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    for name, value in known.items():
        if not isinstance(value, str) and not (name == "profile" and value is None):
            raise ValueError(f"{name} is {value!r:.60}, not a text")
    return RunRecord(**known)
