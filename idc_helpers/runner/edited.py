"""Which notebooks of a run have cells that the kit's repository does not hold: they run knowingly or not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from idc_helpers.errors import RunFailedError
from idc_helpers.project import is_repository
from idc_helpers.runner.notebooks import LessonNotebook
from idc_helpers.working_copy import digest

_PATIENCE_S = 30


def edited_notebooks(notebooks: Iterable[LessonNotebook], project: Path) -> tuple[str, ...]:
    """Return the paths of notebooks whose cells differ from the kit's, in order; outputs do not matter.

    In a clone, the kit's are those of its last commit. Without git, nothing is known of a clone's own ones.
    A notebook that the kit does not have is its author's affair.
    """
    folder = (project / "notebooks").resolve()
    unique = {notebook.path.resolve(): notebook for notebook in notebooks}
    own = [path for path in unique if path.parent == folder]
    kept = _committed(own, project)
    edited = [path for path in own if path in kept and _differs(path, kept[path])]
    for path in unique:
        original = folder / path.name
        if path not in own and original.is_file() and _differs(path, original.read_bytes()):
            edited.append(path)
    return tuple(map(str, sorted(edited)))


def require_unedited(edited: Sequence[str], *, allowed: bool) -> None:
    """Return when a run on AWS that writes may go on; with edited notebooks only if that was said.

    Raises
    ------
    RunFailedError
        When there are some and it was not said; nothing has been changed then.
    """
    if edited and not allowed:
        raise RunFailedError(
            f"edited notebooks would write to AWS unattended: {', '.join(edited)}. Their cells differ from "
            "what the kit holds",
            remedy="Look at the cells, then commit or restore the notebooks. To run them as they are, add "
            "--edited-notebooks.",
        )


def edited_line(edited: Sequence[str]) -> str:
    """Return what is said of a run in which a person sees what happens."""
    return f"Edited: the cells of {', '.join(edited)} differ from what the kit holds. They run as they are."


def _differs(path: Path, original: bytes | None) -> bool:
    present = path.read_bytes()
    return present != original and (original is None or digest(present) != digest(original))


def _committed(paths: Sequence[Path], project: Path) -> dict[Path, bytes | None]:
    """Return what the last commit holds of each file, None for one that it lacks; empty without git."""
    if not paths or not is_repository(project) or not (project / ".git").exists():
        return {}
    # Only reads objects: no hook or monitor of the repository runs, so another user's clone may be read.
    command = ["git", "-c", "safe.directory=*", "-C", str(project), "cat-file", "--batch"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    names = "".join(f"HEAD:./notebooks/{path.name}\n" for path in paths)
    try:
        done = subprocess.run(
            command,
            input=names.encode(),
            env=environment,
            capture_output=True,
            check=True,
            timeout=_PATIENCE_S,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(zip(paths, _blobs(done.stdout, len(paths)), strict=True))


def _blobs(answer: bytes, number: int) -> list[bytes | None]:
    """Return the contents in an answer of ``git cat-file --batch``: each after a line with its size."""
    found: list[bytes | None] = []
    for _ in range(number):
        header, _, answer = answer.partition(b"\n")
        if header.endswith(b" missing"):
            found.append(None)
            continue
        size = int(header.rsplit(b" ", 1)[1])
        found.append(answer[:size])
        answer = answer[size + 1 :]
    return found
