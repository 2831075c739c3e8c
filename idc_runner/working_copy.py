"""A working copy of the kit's notebooks for a person, and whether the kit's own were edited."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from idc_aws.errors import InvalidValueError, RunFailedError
from idc_aws.files import explained, replaced_file
from idc_aws.project import MANIFEST, is_repository
from idc_runner.notebooks import LessonNotebook, create_unique_folder

EARLIER = "earlier"
_PARTS = {
    "notebooks": ("*.ipynb",),
    "parameters": ("*.yaml", "*.json"),
    "docs": ("*.md", "pictures/*"),
    "recipes": ("*", "*/*"),
}
_README = Path(__file__).parent / "data" / "working_copy.md"


@dataclass(frozen=True)
class Followed:
    """What became of a working copy."""

    updated: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()


def is_working_copy(folder: Path) -> bool:
    """Return whether a folder was laid out by `lay_out`."""
    return (folder / MANIFEST).is_file()


def lay_out(folder: Path, kit: Path) -> None:
    """Write a working copy of a kit into a folder in which nothing of it exists yet; writes files only."""
    taken = sorted(name for name in (MANIFEST, "README.md", *_PARTS) if (folder / name).exists())
    if is_working_copy(folder):
        raise InvalidValueError(
            f"{str(folder)!r} is a working copy already; nothing was changed",
            remedy="Bring what you left unchanged up to date with --update, or start afresh with --fresh.",
        )
    if taken:
        raise InvalidValueError(
            f"{', '.join(taken)} would be overwritten in {str(folder)!r}; nothing was changed",
            remedy="Choose another folder: a new one, or one without these names.",
        )
    follow(folder, kit)


def follow(folder: Path, kit: Path) -> Followed:
    """Bring a working copy up to date with the kit, or write it where there is none; writes files only."""
    with _writing(folder):
        return _follow(folder, kit)


def start_afresh(folder: Path, kit: Path) -> Path:
    """Lay the notebooks and scenarios of a working copy out again; return where the earlier ones are now."""
    if not is_working_copy(folder) or is_repository(folder):
        raise InvalidValueError(
            f"{str(folder)!r} is not a working copy; nothing was changed",
            remedy="Lay one out in a new folder: idc init FOLDER. A copy made by hand becomes one by "
            "--update.",
        )
    with _writing(folder):
        aside = _set_aside(folder)
        for path in list((folder / "notebooks").glob("*")):
            path.rename(aside / path.name)
        if (folder / "parameters").exists():
            (folder / "parameters").rename(aside / "parameters")
        _follow(folder, kit)
        return aside


def start_notebook_afresh(folder: Path, kit: Path, name: str) -> Path:
    """Lay one notebook of a copy out again, as no one has run it; return where the earlier one is now."""
    source, target = kit / "notebooks" / name, folder / "notebooks" / name
    if is_repository(folder) or Path(name).name != name or not (source.is_file() and target.is_file()):
        raise InvalidValueError(
            f"{str(target)!r} is not a copy of one of the kit's notebooks; nothing was changed",
            remedy="Open a notebook of the lesson in JupyterLab as `idc lab` starts it.",
        )
    with _writing(folder):
        content = _content(source)
        aside = _set_aside(folder) / name
        target.rename(aside)
        _write(target, content)
        if is_working_copy(folder):
            _write_manifest(folder, {**_read_manifest(folder), f"notebooks/{name}": digest(content)})
        return aside


def digest(content: bytes) -> str:
    """Return what stays the same as long as nobody edits a file; of a notebook, its cells without outputs."""
    with suppress(ValueError, LookupError, TypeError, AttributeError):
        cells = json.loads(content)["cells"]
        content = json.dumps([_edited_by_hand(cell) for cell in cells]).encode()
    return hashlib.sha256(content).hexdigest()


def _edited_by_hand(cell: dict[str, object]) -> list[object]:
    source, metadata = cell["source"], cell["metadata"]
    text = "".join(source) if isinstance(source, list) else source
    tags = metadata.get("tags", []) if isinstance(metadata, dict) else []
    return [cell["cell_type"], text, sorted(tags)]


def _follow(folder: Path, kit: Path) -> Followed:
    laid_out = _read_manifest(folder)
    aside: Path | None = None
    updated: list[str] = []
    outdated: list[str] = []
    for name, source in _files(kit):
        content, target = _content(source), folder / name
        new = digest(content)
        present = digest(target.read_bytes()) if target.is_file() else None
        if present not in (None, new, laid_out.get(name)):
            if laid_out.get(name) != new:
                outdated.append(name)
            continue  # what a person changed stays
        if present not in (None, new):
            updated.append(name)
            if target.suffix == ".ipynb":
                aside = aside or _set_aside(folder)
                target.rename(aside / target.name)
        if present != new:
            _write(target, content)
        laid_out[name] = new
    _write_manifest(folder, laid_out)
    return Followed(tuple(updated), tuple(outdated))


def _files(kit: Path) -> Iterator[tuple[str, Path]]:
    yield "README.md", _README
    for part, patterns in _PARTS.items():
        for path in sorted(path for pattern in patterns for path in (kit / part).glob(pattern)):
            if path.is_file():
                yield path.relative_to(kit).as_posix(), path


def _content(source: Path) -> bytes:
    """Return what of a kit's file is laid out: a notebook's outputs are ours, so they become examples."""
    content = source.read_bytes()
    return with_examples(content) if source.suffix == ".ipynb" else content


def _read_manifest(folder: Path) -> dict[str, str]:
    """Return the digest of each file that was laid out; of one that is unreadable, nothing is known."""
    with suppress(OSError, ValueError, TypeError):
        return dict(json.loads((folder / MANIFEST).read_text("utf-8")))
    return {}


def _write_manifest(folder: Path, laid_out: dict[str, str]) -> None:
    _write(folder / MANIFEST, f"{json.dumps(laid_out, indent=1)}\n".encode())


def _write(target: Path, content: bytes) -> None:
    # In one step: what is interrupted leaves no half of a file that would be taken for a person's own.
    target.parent.mkdir(parents=True, exist_ok=True)
    with replaced_file(target, 0o666) as new:  # the kit's own texts are for everybody
        new.write_bytes(content)


def _set_aside(folder: Path) -> Path:
    now = datetime.datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return create_unique_folder(folder / EARLIER, now)


def _writing(folder: Path) -> AbstractContextManager[None]:
    remedy = "Choose a folder that you may write, or make room. What was there is kept."
    return explained(f"the working copy in {str(folder)!r} cannot be written", remedy)


_PATIENCE_S = 30


def edited_notebooks(notebooks: Iterable[LessonNotebook], project: Path) -> tuple[str, ...]:
    """Return the paths of notebooks whose cells differ from the kit's, in order; outputs do not matter."""
    # In a clone, the kit's are those of its last commit; without git, nothing is known of a clone's own ones.
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
    """Return when a run on AWS that writes may go on; with edited notebooks only if that was said."""
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


# The example is the cell's output: it is where the person's own result will be, and running the cell replaces
# it. So no cell differs from the kit's, and nothing has to be tidied up afterwards.
SUMMARY = "Example: what this cell showed in another run"
_PLAIN = "An example of what this cell shows is folded here. Run the cell to see yours."


def with_examples(content: bytes) -> bytes:
    """Return a notebook as no one has run it yet: each output is a folded example of what to expect."""
    document = json.loads(content)
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"] = None
            cell["outputs"] = _example(cell["outputs"])
    return f"{json.dumps(document, ensure_ascii=False, indent=1)}\n".encode()


def _example(outputs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    shown = "".join(map(_shown, outputs))
    if not shown:
        return []
    html = f'<details class="idc-example"><summary>{escape(SUMMARY)}</summary>{shown}</details>'
    data = {"text/html": html, "text/plain": _PLAIN}
    return [{"output_type": "display_data", "data": data, "metadata": {}}]


def _shown(output: Mapping[str, Any]) -> str:
    data = output.get("data", {})
    if "text/html" in data:
        return _joined(data["text/html"])
    text = _joined(output.get("text") or data.get("text/plain") or "")
    return f"<pre>{escape(text)}</pre>" if text else ""


def _joined(text: str | Sequence[str]) -> str:
    """Return a multi-line string of a notebook file, which may be a list of its lines."""
    return text if isinstance(text, str) else "".join(text)
