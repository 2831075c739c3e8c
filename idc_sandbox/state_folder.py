"""The folder that holds one sandbox, for its owner alone: state, private files, which process serves it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from idc_sandbox.errors import DISK_FULL, SandboxStartError, is_disk_full

_POLL_S = 0.01


@contextmanager
def locked(path: Path, timeout_s: float, trouble: str) -> Iterator[int]:
    """Hold the lock of a file, and yield the file's descriptor."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise cannot_use(path, error) from error
    try:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SandboxStartError(
                        f"the folder {str(path.parent)!r} is in use: {trouble}. Wait for it, or stop it."
                    ) from None
                time.sleep(_POLL_S)
        yield descriptor
    finally:
        os.close(descriptor)


def cannot_use(path: Path, error: OSError) -> SandboxStartError:
    """Return the error for a file or folder that the system does not let us use."""
    if is_disk_full(error):
        return SandboxStartError(f"the sandbox's {str(path)!r} cannot be written. {DISK_FULL}")
    return SandboxStartError(
        f"the sandbox's {str(path)!r} cannot be used: {error.strerror or error}. "
        "Choose a folder that you can write with --state."
    )


def read_object(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, or None when there is none."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def replace_whole(path: Path, text: str, *, lasting: bool = False) -> None:
    """Replace a file in one step, so that a reader sees the old text or the new one, never half of it."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        if lasting:
            os.fsync(file.fileno())
    new.replace(path)


def write_private(path: Path, values: dict[str, Any], *, lasting: bool = True) -> None:
    """Replace a file by an object that only its owner reads."""
    try:
        replace_whole(path, json.dumps(values), lasting=lasting)
    except OSError as error:
        raise cannot_use(path, error) from error


DATABASE_NAME = "sandbox.db"
HOME_NAME = "home"
PEOPLE_NAME = "people"
ATHENA_NAME = "athena"  # what queries have read, as columns: it can be made anew
CERTIFICATES_NAME = "tls"
_FOLDER_NAMES = (HOME_NAME, PEOPLE_NAME, ATHENA_NAME, CERTIFICATES_NAME, "aws_data")
FILE_NAMES = (
    *(f"{DATABASE_NAME}{suffix}" for suffix in ("", "-wal", "-shm", "-journal", "-events")),
    *(f"{name}{new}" for name in ("server.json", "secrets.json", "registration.key") for new in ("", ".new")),
    *("server.log", "server.lock", "start.lock", "aws_config", "aws_credentials", "pages.sock"),
)
# Each has one purpose, and none follows from another: what one of them makes is no key to anything.
# control_secret: the header of the control endpoint; health_key: proves to a finder that this is the sandbox;
# form_key: the CSRF tokens of forms; cookie_key: the cookies that open mailbox and console.
KEY_NAMES = ("control_secret", "health_key", "form_key", "cookie_key")
# A lock's file stays: who waits for it would otherwise get the lock of a file that is no longer there.
_LOCK_NAMES = ("server.lock", "start.lock")
# Clients keep their registration when the state is reset: what it is signed with stays too.
_KEPT_NAMES = (*_LOCK_NAMES, "registration.key")


def default_path() -> Path:
    """Return the standing sandbox's folder: ``IDC_SANDBOX_STATE``, or the platform's place for it."""
    named = os.environ.get("IDC_SANDBOX_STATE")
    if named:
        return Path(named).expanduser()
    import platformdirs  # noqa: PLC0415  only who needs it pays for it

    return Path(platformdirs.user_state_dir("idc-sandbox"))


class StateFolder:
    """One sandbox's folder: its database, its secrets, and what says where it answers.

    Parameters
    ----------
    path
        The folder, which only its owner can read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.database = self.path / DATABASE_NAME
        self.log = self.path / "server.log"
        self._server_file = self.path / "server.json"
        self._secrets_file = self.path / "secrets.json"

    def prepare(self) -> None:
        """Make the folder when it is not there, and see that only its owner can read it."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._require_ours()
            self.path.chmod(0o700)
        except OSError as error:
            raise cannot_use(self.path, error) from error
        with self.start_lock():
            self.fill()

    def fill(self) -> None:
        """Make the keys that are not there, and tighten the files. The caller holds the start lock."""
        try:
            for name in FILE_NAMES:
                with suppress(FileNotFoundError):  # a running sandbox makes and removes some of them
                    (self.path / name).chmod(0o600)
            known = read_object(self._secrets_file) if self._secrets_file.exists() else {}
            missing = [] if known is None else [name for name in KEY_NAMES if not known.get(name)]
            if known is not None and missing:  # a folder of an older kit gets those that came since
                self.write_secrets(known | {name: secrets.token_urlsafe(32) for name in missing})
        except OSError as error:
            raise cannot_use(self.path, error) from error

    def _require_ours(self) -> None:
        owner = self.path.stat().st_uid
        if owner != os.geteuid():
            raise SandboxStartError(
                f"the state folder {str(self.path)!r} belongs to user {owner}, not to you ({os.geteuid()}): "
                "it holds keys, so it must be yours. Choose another one with --state."
            )
        if not self.is_sandbox():
            raise SandboxStartError(
                f"the folder {str(self.path)!r} holds other things than a sandbox's state. "
                "Choose a folder that is new or empty with --state."
            )

    def is_sandbox(self) -> bool:
        """Tell whether the folder holds a sandbox, or nothing that is not a sandbox's."""
        if not self.path.is_dir():
            return False
        try:
            if "control_secret" in json.loads(self._secrets_file.read_text("utf-8")):
                return True
        except (OSError, ValueError, TypeError):
            pass
        return all(
            entry.name in (_FOLDER_NAMES if entry.is_dir() else FILE_NAMES) for entry in self.path.iterdir()
        )

    def delete_files(self) -> list[str]:
        """Delete the state that the sandbox made, leave everything else, and return the names deleted."""
        if not self.path.exists():
            return []
        self._require_ours()
        present = [name for name in FILE_NAMES if (self.path / name).is_file() and name not in _KEPT_NAMES]
        for name in present:
            (self.path / name).unlink()
        # What clients of the terminal remember of the state that goes: profiles, tokens, credentials.
        for remembered in (self.path / HOME_NAME / ".aws", self.path / PEOPLE_NAME, self.path / ATHENA_NAME):
            shutil.rmtree(remembered, ignore_errors=True)
        return present

    def read_server(self) -> dict[str, Any] | None:
        """Return what the server wrote about itself (``pid``, ``port``, …), or None; it may be stale."""
        return read_object(self._server_file)

    def write_server(self, values: dict[str, Any]) -> None:
        """Tell others where the sandbox listens."""
        write_private(self._server_file, values, lasting=False)

    def remove_server(self) -> None:
        """Take back what `write_server` said, and the socket file beside it."""
        self._server_file.unlink(missing_ok=True)
        (self.path / "pages.sock").unlink(missing_ok=True)

    def read_secrets(self) -> dict[str, str]:
        """Return the keys (`KEY_NAMES`) and, once a sandbox has run, the administrator's id and secret."""
        values = read_object(self._secrets_file)
        if values is None or "control_secret" not in values:
            raise SandboxStartError(
                f"the file {str(self._secrets_file)!r} is missing or damaged, so the sandbox's key is lost. "
                "Start over with `reset`."
            )
        return values

    def was_used(self) -> bool:
        """Tell whether a sandbox has run here: it has told a key that lies in the state."""
        return "access_key_id" in (read_object(self._secrets_file) or {})

    def write_secrets(self, values: dict[str, str]) -> None:
        """Keep the sandbox's secrets, readable by the owner only."""
        write_private(self._secrets_file, values)

    def open_log(self) -> IO[bytes]:
        """Return the log, opened for appending."""
        try:
            self.log.touch(mode=0o600)
            return self.log.open("ab")
        except OSError as error:
            raise cannot_use(self.log, error) from error

    @contextmanager
    def start_lock(self, *, timeout_s: float = 60.0) -> Iterator[int]:
        """Hold the lock of those who start or stop the sandbox; the server that comes up holds it as well."""
        trouble = "another process is starting or stopping it"
        with locked(self.path / "start.lock", timeout_s, trouble) as descriptor:
            yield descriptor

    @contextmanager
    def server_lock(self) -> Iterator[None]:
        """Hold the lock of the one process that serves this folder; its pid is in the file."""
        # Anyone who asks `server_pid` holds the lock for an instant: hence a little patience.
        with locked(self.path / "server.lock", 2.0, "another sandbox is running in it") as descriptor:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield

    def server_pid(self) -> int | None:
        """Return the pid of the process that serves this folder, by the lock that it holds, or None."""
        try:
            descriptor = os.open(self.path / "server.lock", os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            digits = os.pread(descriptor, 32, 0)
            return int(digits) if digits.isdigit() else None
        else:
            return None
        finally:
            os.close(descriptor)
