"""Files that others share: replaced as a whole, locked until a process ends, lines that survive a kill."""

from __future__ import annotations

import codecs
import errno
import json
import os
import re
import secrets
import stat
import threading
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial, wraps
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TextIO, TypeVar

from idc_aws.errors import InvalidValueError, RunFailedError

try:
    import fcntl
except ImportError:  # a platform without it has no locks of this kind
    fcntl = None  # type: ignore[assignment]

R = TypeVar("R")


def read_text(name: str, package: str = "idc_aws") -> str:
    """Return a text of a package's own data, such as ``"secrets.toml"``."""
    return (resources.files(package) / "data" / name).read_text(encoding="utf-8")


def read_table(name: str, package: str = "idc_aws") -> dict[str, Any]:
    """Return a table of a package's own data, such as ``data/secrets.toml``."""
    return tomllib.loads(read_text(f"{name}.toml", package))


@contextmanager
def explained(what: str, remedy: str) -> Iterator[None]:
    """Say in words what the system refuses in the block, and what to do."""
    try:
        yield
    except OSError as error:
        raise RunFailedError(f"{what}: {error.strerror or error}", remedy=remedy) from error


@contextmanager
def replaced_file(path: Path, mode: int = 0o600) -> Iterator[Path]:
    """Yield a file to write that takes another's place in one step, or is deleted where the block fails.

    Only its owner may read it, from its first byte on. Where it replaces a file, it gets that one's mode.
    """
    new = path.parent / f".{secrets.token_hex(8)}.new"  # `with_name` takes neither "." nor "/"
    try:
        new.touch(mode, exist_ok=False)
        yield new
        with suppress(FileNotFoundError):
            new.chmod(stat.S_IMODE(path.stat().st_mode))
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def write_whole(path: Path, text: str, errors: str = "strict") -> None:
    """Write a text file as `replaced_file` does: private, in one step."""
    with replaced_file(path) as new:
        new.write_bytes(text.encode("utf-8", errors))


def write_explained(
    path: Path, text: str, remedy: str = "Name a file in a folder that you may write and that has room."
) -> None:
    """Write a text file whole, and its folder where there is none; says in words why it cannot be.

    A pipe, a device or an open file of the process, such as ``/dev/stdout``, is written into.
    """
    with explained(f"{str(path)!r} cannot be written", remedy):
        if _is_no_file(path):
            with path.open("a", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(text)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text, "backslashreplace")


def _is_no_file(path: Path) -> bool:
    """Tell whether a path is there and must not be replaced: root could put a file in place of /dev/null."""
    if os.path.realpath(path.parent).startswith("/proc/"):
        return True
    if path.is_symlink() and str(path.readlink()).startswith("/proc/"):
        return True
    return path.exists() and not path.is_file() and not path.is_dir()


def open_private(path: Path, mode: Literal["a", "w"]) -> TextIO:
    """Open a text file to write into it; one that is new is only its owner's to read."""
    return open(path, mode, encoding="utf-8", opener=partial(os.open, mode=0o600))


_KINDS_OF_FILE = {
    b"PK\x03\x04": "an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_MERGE_MARK = re.compile(r"^(<{7}|>{7}) .*", re.MULTILINE)


def kind_of_file(content: bytes) -> str:
    """Return what a file is that should be text in UTF-8 and shows by its first bytes that it is not."""
    # Without a mark, UTF-16 shows by the zero byte beside each plain letter.
    without_mark = "UTF-16" if b"\0" in content[:2] else ""
    return next((kind for start, kind in _KINDS_OF_FILE.items() if content.startswith(start)), without_mark)


def unfinished_merge(text: str) -> tuple[int, str, str] | None:
    """Return the line, in words, and the remedy of a mark that git leaves where two versions differ."""
    if not (mark := _MERGE_MARK.search(text)):
        return None
    said = f"has the mark {mark[0][:60].rstrip()!r} of a merge that nobody has finished"
    remedy = (
        "Keep one of the two versions, and remove the lines that begin with <<<<<<<, ======= and >>>>>>>."
    )
    return text.count("\n", 0, mark.start()) + 1, said, remedy


def require_free(paths: Iterable[Path], remedy: str) -> None:
    """Return when none of these files exists."""
    if present := [repr(str(path)) for path in paths if os.path.lexists(path)]:
        raise InvalidValueError(f"there is already: {', '.join(present)}", remedy=remedy)


def require_apart(written: Iterable[Path | None], read: Iterable[Path | None] = ()) -> None:
    """Return when each file that is to be written is another one, and none of those that are read."""
    taken = {os.path.realpath(path): path for path in read if path is not None}
    for path in written:
        if path is None:
            continue
        if (other := taken.setdefault(os.path.realpath(path), path)) is not path:
            raise InvalidValueError(
                f"{str(path)!r} cannot be written: the command reads or writes {str(other)!r} already, "
                "which is the same file",
                remedy="Name another file.",
            )


@contextmanager
def lock_file(path: Path, *, wait: bool) -> Iterator[int | None]:
    """Hold the lock of a file for the length of a block, and yield the file's descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor if _locked(descriptor, wait=wait) else None
    finally:
        os.close(descriptor)


@contextmanager
def lock_folder(path: Path) -> Iterator[None]:
    """Hold the lock of a folder, where it can have one, for the length of a block, and wait for it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):
            _locked(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int, *, wait: bool) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


APPENDING = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


def append_object(descriptor: int, entry: Mapping[str, Any]) -> None:
    """Append an object to an open file, after a torn line on a line of its own, and onto the disk. Writes."""
    data = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        data = b"\n" + data
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)


def append_json_line(path: Path, entry: Mapping[str, Any], *, to_disk: bool = False) -> None:
    """Append an object to a file of a run's folder, which is made if need be. Writes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_private(path, "a") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            if to_disk:
                file.flush()
                os.fsync(file.fileno())
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise RunFailedError(
            f"{str(path)!r} cannot be written: {getattr(error, 'strerror', None) or error}",
            remedy=remedy_of_writing(error),
        ) from error


def remedy_of_writing(error: Exception) -> str:
    """Return what to do when a file of a run's folder cannot be written."""
    is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return f"{'Make room, or name' if is_full else 'Name'} another `run_folder`, where you may write."


def read_object(path: Path, *, must_read: bool = False) -> dict[str, Any]:
    """Return the object that a file of JSON holds; empty where it holds none, or may and cannot be read."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except ValueError:
        return {}
    except OSError as error:
        if not must_read:
            return {}
        found = f"{str(path)!r} cannot be read: {error.strerror}"
        raise RunFailedError(found, remedy="Make it readable for you, and run again.") from error
    return value if isinstance(value, dict) else {}


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file, if there is one; a line that is torn or holds none is passed over."""
    if path.exists():
        yield from json_objects(path.read_bytes())


def json_objects(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield the objects of the lines of some bytes."""
    for _, entry in numbered_lines(data):
        if entry is not None:
            yield entry


def numbered_lines(data: bytes) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield number and object of each line that is not blank; None for a line that holds no object."""
    # Texts may hold other line boundaries, such as U+2028, and a line may be torn within a character.
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError):
            entry = None
        yield number, entry if isinstance(entry, dict) else None


_MOST_KEPT = 256


def read_once(
    read: Callable[[Path], R], files: Callable[[Path], Iterable[Path]] = lambda path: (path,)
) -> Callable[[Path], R]:
    """Let a function that reads a file, and `files` with it, do so once, as long as none of them changes."""
    known: dict[Path, tuple[dict[Path, _Version], R]] = {}
    lock = threading.Lock()

    @wraps(read)
    def read_when_changed(path: Path) -> R:
        kept = known.get(path)
        if kept is not None and all(_version(each) == found for each, found in kept[0].items()):
            return kept[1]
        versions = {each: _version(each) for each in files(path)}
        result = read(path)  # it says what is wrong
        with lock:
            known[path] = versions, result
            if len(known) > _MOST_KEPT:
                del known[next(iter(known))]
        return result

    return read_when_changed


_Version = tuple[int, int] | None


def _version(path: Path) -> _Version:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
