"""Starting, finding, stopping and resetting a sandbox from another process."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from socket import socket
from typing import IO, Any
from urllib.parse import quote

from idc_sandbox.errors import DISK_FULL, SandboxStartError
from idc_sandbox.loopback import DEFAULT_PORT, RunningSandbox, Sites, ask, find_sandbox, listen
from idc_sandbox.organization import Organization, organization_text, read_organization
from idc_sandbox.state_folder import StateFolder

# The server's process: a new Python, or a fork of one that has much of it imported already.

FORKS = sys.platform == "linux"  # elsewhere a library of the system may not bear it


class _Forked:
    """A child of this process, as `subprocess.Popen` has it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        """Return its exit status once it has ended, else None."""
        return self._ask(os.WNOHANG)

    def wait(self) -> int:
        """Wait for its end and return its exit status."""
        return self._ask(0) or 0

    def kill(self) -> None:
        """End it at once."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _ask(self, options: int) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status


ServerProcess = subprocess.Popen[bytes] | _Forked


def _spawn(arguments: Sequence[str], descriptors: Sequence[int], log: IO[bytes]) -> ServerProcess:
    """Start ``python -m idc_sandbox`` in a process of its own, which outlives this one."""
    return subprocess.Popen(
        [sys.executable, "-m", "idc_sandbox", *arguments],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=child_environment(),
        start_new_session=True,  # Ctrl-C in the terminal that started it must not end it
    )


def child_environment() -> dict[str, str]:
    """Return this process's environment, in which the child finds this very package."""
    variables = dict(os.environ)
    root = Path(__file__).resolve().parent.parent
    if root.name not in ("site-packages", "dist-packages"):
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), variables.get("PYTHONPATH")]))
    return variables


def _fork(
    run: Callable[[list[str]], int], arguments: list[str], descriptors: Sequence[int], log: IO[bytes]
) -> ServerProcess:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # what waits in a buffer is this process's to say, once
    pid = os.fork()
    if pid:
        return _Forked(pid)
    status = 1
    try:
        _become_a_process_of_its_own(descriptors, log.fileno())
        status = run(arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)  # nothing of the process that it was forked from may run at its end


def _become_a_process_of_its_own(kept: Sequence[int], log: int) -> None:
    """Leave the session, the streams, the signal handlers and every open file of the parent but a few."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    last = os.sysconf("SC_OPEN_MAX")
    first = 3
    for descriptor in sorted(kept):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, last if last > 0 else 65_536)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  for as long as the process lives
    sys.stdout = open(1, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115


# For processes that start many sandboxes: import everything once, then fork for each.

_SERVICES = ("sso-admin", "identitystore", "sso-oidc", "sso", "signin", "account-access")
_MODULES = (
    "idc_sandbox.__main__",
    "idc_sandbox.server",
    "idc_sandbox.pages.application",
    "uvicorn.protocols.http.h11_impl",
    "anyio._backends._asyncio",
    "sqlite3",
    "regex",
)
_preloaded = False


def preload() -> None:
    """Import what a server needs and parse what it reads; the second call does nothing."""
    # Starts no thread, opens no file that stays open, and decides nothing by the environment.
    global _preloaded  # noqa: PLW0603  it is a state of this process
    if _preloaded or not hasattr(os, "fork"):
        return
    for name in _MODULES:
        importlib.import_module(name)
    from idc_sandbox.aws_double import moto_settings  # noqa: PLC0415
    from idc_sandbox.aws_double.double import prepare_applications  # noqa: PLC0415
    from idc_sandbox.wire import registry  # noqa: PLC0415
    from idc_sandbox.wire.models import service_model  # noqa: PLC0415

    registry.handlers()
    moto_settings.apply()
    prepare_applications()
    moto_settings.is_aws_managed_policy("")
    for service_name in _SERVICES:
        service_model(service_name)
    _preloaded = True


def is_preloaded() -> bool:
    """Tell whether this process, or the one that it was forked from, has everything imported."""
    return _preloaded


_POLL_S = 0.01
_PATIENCE_S = 1.0
_LEAST_FREE_BYTES = 1024 * 1024


def start(
    folder: StateFolder,
    *,
    port: int | None = None,
    seed: int | None = None,
    public_url: str | None = None,
    frame_ancestors: Sequence[str] = (),
    organization: Path | None = None,
    timeout_s: float = 60.0,
    is_alone: bool = False,
    run_in_fork: Callable[[list[str]], int] | None = None,
) -> RunningSandbox:
    """Start the sandbox of a folder in the background, or find the running one; return when it answers.

    Parameters
    ----------
    folder
        Where it keeps its state; made when it is missing.
    port
        None: the usual one; 0: any free one. A sandbox that runs already keeps its own.
    seed
        For new state: the same seed gives the same ids. None: the sandbox's own choice.
    public_url, frame_ancestors
        Where browsers reach its pages, and the origins whose pages may show them in a frame.
    organization
        For new state: a YAML or JSON file of the organization that it begins with; see docs/sandbox.md.
    timeout_s
        How long it may take, in seconds.
    is_alone
        Whether this process does nothing else, and may fork.
    run_in_fork
        Runs its command line in a fork of this process, in place of a new Python.

    Raises
    ------
    SandboxStartError
        When it does not start, runs with another port or seed, or has another organization.
    """
    pages: dict[str, Any] = {} if public_url is None else {"public_url": public_url}
    if frame_ancestors:
        pages["frame_ancestors"] = list(frame_ancestors)
    Sites(0, public_url, frame_ancestors)  # what is no URL is refused before anything starts
    wanted = None if organization is None else read_organization(organization)
    folder.prepare()
    with folder.start_lock() as start_lock:
        require_seed(folder, seed)
        require_organization(folder, wanted)
        running = find_sandbox(folder)
        if running is not None:
            if port not in (None, 0, running.port):
                raise SandboxStartError(
                    f"the sandbox of {str(folder.path)!r} runs on port {running.port} already, "
                    f"not on {port}. Stop it first, or leave --port out."
                )
            if pages:
                secret = running.control_secret
                ask(running.port, "PUT", "/_sandbox/pages", control_secret=secret, body=pages)
            return running
        listener = _listener(port)
        with listener, folder.open_log() as log:
            log_start = log.tell()
            descriptors = [listener.fileno(), start_lock]
            options: dict[str, Any] = {
                "--state": folder.path,
                "--listener": listener.fileno(),
                "--start-lock": start_lock,
                "--seed": seed,
                "--public-url": public_url,
                "--organization": None if organization is None else organization.absolute(),
            }
            given = [(name, value) for name, value in options.items() if value is not None]
            given += [("--frame-ancestor", origin) for origin in frame_ancestors]
            command = ["serve", *(str(word) for option in given for word in option)]
            if run_in_fork is not None and (is_preloaded() or (is_alone and FORKS)):
                process = _fork(run_in_fork, command, descriptors, log)
            else:
                process = _spawn(command, descriptors, log)
            listening_port = listener.getsockname()[1]
            listener.close()  # it is the server's alone now: when that ends, so does the one who asks there
            return _wait_until_ready(folder, process, listening_port, log_start, timeout_s)


def _listener(port: int | None) -> socket:
    if port is not None:
        return listen(port)
    try:
        return listen(DEFAULT_PORT)
    except SandboxStartError:
        # Nobody asked for this port: on a machine with several learners each gets a sandbox all the same.
        return listen(0)


def _wait_until_ready(
    folder: StateFolder, process: ServerProcess, port: int, log_start: int, timeout_s: float
) -> RunningSandbox:
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        # The socket listens already: the question waits there until the server is ready to answer it.
        if ask(port, "GET", "/_sandbox/health", timeout_s=_PATIENCE_S) is None:
            time.sleep(_POLL_S)
            continue
        server = folder.read_server()
        running = find_sandbox(folder) if server is not None and server.get("pid") == process.pid else None
        if running is not None:
            return running
    if process.poll() is None:
        process.kill()
        process.wait()
        raise SandboxStartError(
            f"the sandbox did not answer within {timeout_s:g} s. See {str(folder.log)!r}."
        )
    if words := _last_words(folder, log_start):
        raise SandboxStartError(words)
    if shutil.disk_usage(folder.path).free < _LEAST_FREE_BYTES:  # then there was none for the log either
        raise SandboxStartError(f"the folder {str(folder.path)!r} cannot be written. {DISK_FULL}")
    raise SandboxStartError(f"the sandbox ended at once. See {str(folder.log)!r}.")


def _last_words(folder: StateFolder, log_start: int) -> str:
    with folder.log.open("rb") as log:
        log.seek(log_start)
        lines = [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]  # a full disk may cut what follows
    return (errors or lines or [""])[-1].removeprefix("error: ")


def stop(folder: StateFolder, *, timeout_s: float = 15.0) -> bool:
    """Stop the sandbox of a folder, wait until its process is gone, and tell whether one ran.

    Parameters
    ----------
    folder
        Its state, which stays.
    timeout_s
        How long it is asked, in seconds; then it is ended by its pid, known from the lock that it holds.
    """
    if not folder.path.is_dir() or not folder.is_sandbox():
        return False
    with folder.start_lock():
        return _stop(folder, timeout_s)


def _stop(folder: StateFolder, timeout_s: float) -> bool:
    """Ask it to stop; one that does not answer is ended by its pid, known from the lock that it holds."""
    pid = folder.server_pid()
    if pid is None:
        folder.remove_server()
        return False
    running = find_sandbox(folder)
    if running is not None:
        ask(running.port, "POST", "/_sandbox/stop", control_secret=running.control_secret)
        if _wait_until_gone(folder, timeout_s):
            return True
    for number in (signal.SIGTERM, signal.SIGKILL):
        if folder.server_pid() == pid:
            os.kill(pid, number)
        if _wait_until_gone(folder, timeout_s):
            folder.remove_server()
            return True
    raise SandboxStartError(f"the sandbox's process {pid} does not end.")


def _wait_until_gone(folder: StateFolder, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while folder.server_pid() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def reset(folder: StateFolder, *, seed: int | None = None) -> list[str]:
    """Stop the sandbox, put new and empty state in the place of the old, and return the files deleted."""
    from idc_sandbox.store import Store  # noqa: PLC0415  only a reset writes state

    folder.prepare()
    with folder.start_lock():
        _stop(folder, 15.0)
        with folder.server_lock():
            next_seed = seed if seed is not None else state_seed(folder) or 0
            clients = _read(folder, "SELECT * FROM oidc_client")
            deleted = folder.delete_files()
            folder.fill()
            store = Store(folder.database, seed=next_seed)
            with store.transaction() as connection:
                # Programs keep their registration for 90 days, and do not ask for a new one when it is gone.
                connection.executemany("INSERT INTO oidc_client VALUES (?, ?, ?, ?, ?)", clients)
            store.close()
    return deleted


def state_seed(folder: StateFolder) -> int | None:
    """Return the seed of a folder's state, or None when there is none or it cannot be read. Reads only."""
    try:
        return int(_read(folder, "SELECT value FROM metadata WHERE name = 'seed'")[0][0])
    except (IndexError, ValueError, TypeError):  # the server says what is wrong with it
        return None


def _read(folder: StateFolder, query: str) -> list[tuple[Any, ...]]:
    """Return rows of a folder's state; none when there is no state, or it cannot be read."""
    if not folder.database.exists():
        return []
    import sqlite3  # noqa: PLC0415  new state is started without it

    try:
        connection = sqlite3.connect(f"file:{quote(str(folder.database))}?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        return []


def require_seed(folder: StateFolder, seed: int | None) -> None:
    """Refuse a seed that is not the one of the state that is there."""
    present = state_seed(folder)
    if seed is not None and present is not None and seed != present:
        raise SandboxStartError(
            f"the state in {str(folder.path)!r} was made with seed {present}, not {seed}. Leave --seed out "
            f"to continue with it, or start over with `reset --seed {seed}`."
        )


def require_organization(folder: StateFolder, wanted: Organization | None) -> None:
    """Refuse an organization where the state that is there has begun with another one."""
    has_begun = _read(folder, "SELECT 1 FROM id_counter WHERE kind = 'double_state'")
    if wanted is None or not (has_begun or find_sandbox(folder)):
        return
    kept = _read(folder, "SELECT value FROM metadata WHERE name = 'organization'")
    if kept != [(organization_text(wanted),)]:
        raise SandboxStartError(
            f"the state in {str(folder.path)!r} has another organization than the file, and keeps it. "
            "Choose a new folder with --state, or run `idc sandbox reset` first: it deletes what is there."
        )
