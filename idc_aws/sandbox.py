"""The sandbox seen from outside: found, started, stopped, and its console used."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import urlencode, urlsplit

import urllib3

from idc_aws.calls import CONSOLE, Call, about_to_send, end_look
from idc_aws.errors import LeftSandboxError, SandboxError, WriteFailedError
from idc_aws.files import read_object
from idc_aws.identifiers import LOOPBACK_HOSTS
from idc_aws.project import STATE_VARIABLE
from idc_aws.scrubbing import remember_secret

_TIMEOUT_S = 30.0
Note = Callable[[str], None]


class SandboxConsole:
    """Does what only the console can; talks to this machine alone."""

    def __init__(self, endpoint_url: str, control_secret: str, state_folder: str = "") -> None:
        if urlsplit(endpoint_url).hostname not in LOOPBACK_HOSTS:
            raise LeftSandboxError(
                f"the sandbox's console cannot be at {endpoint_url!r}: that is not this machine"
            )
        self._endpoint_url = endpoint_url.rstrip("/")
        self._control_secret = control_secret
        self.state_folder = state_folder
        self._pool = urllib3.PoolManager()

    def __repr__(self) -> str:
        return f"SandboxConsole({self._endpoint_url!r})"

    def enable_organization_instance(
        self, *, region: str, name: str | None = None, note: Note | None = None
    ) -> str:
        """Enable the organization's instance, as the console's *Enable* does; return its ARN. Writes.

        `note` is told the request id, by which the event is found in the trail.
        """
        body = {"region": region} | ({"name": name} if name else {})
        about_to_send(Call(CONSOLE, "instance", dict(body)))
        return str(self.send("POST", "instance", body, note)["instance_arn"])

    def read_settings(self, instance_arn: str) -> dict[str, Any]:
        """Return the console-only settings of an instance by name; None for one that is not shown."""
        return self.send("GET", f"settings?{urlencode({'instance_arn': instance_arn})}")

    def write_setting(
        self, instance_arn: str, name: str, values: dict[str, Any], *, note: Note | None = None
    ) -> dict[str, Any]:
        """Change values of one setting and return all of them; `note` is told the request id. Writes."""
        about_to_send(Call(CONSOLE, f"settings/{name}", dict(values)))
        return self.send("PUT", f"settings/{name}", {"instance_arn": instance_arn, **values}, note)

    def pages(self, address: str | None = None, *, is_local: bool = False) -> dict[str, str]:
        """Return ``site_url``, ``portal_url``, and one-time links: ``mailbox_url``, ``console_url``."""
        query = {"address": address} if address is not None else {}
        query |= {"site": "local"} if is_local else {}
        return self.call("GET", f"pages?{urlencode(query)}")

    def read_clock(self) -> float:
        """Return the sandbox's time, in seconds since 1970; reads only."""
        return float(self.call("GET", "clock")["now"])

    @contextmanager
    def clock_ahead(self, duration_s: float) -> Iterator[None]:
        """Move the sandbox's clock ahead within a ``with`` block, and then back to where it was. Writes."""
        offset_s = float(self.call("GET", "clock")["offset_s"])
        self.advance_clock(duration_s)
        try:
            yield
        finally:
            self.call("POST", "clock", {"offset_s": offset_s})

    def advance_clock(self, duration_s: float) -> None:
        """Move the sandbox's clock ahead: what expires within that time has expired. Writes."""
        self.call("POST", "clock", {"advance_s": duration_s})

    def reset_clock(self) -> None:
        """Set the sandbox's clock to this machine's. Writes."""
        self.call("POST", "clock", {"reset": True})

    def send(
        self, method: str, path: str, body: dict[str, Any] | None = None, note: Note | None = None
    ) -> dict[str, Any]:
        """Do one thing of the console and return its answer; as `call`."""
        return self.call(method, f"console/{path}", body, note)

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, note: Note | None = None
    ) -> dict[str, Any]:
        """Ask the sandbox's own endpoint and return its answer; `note` is told the request id."""
        if method != "GET":
            end_look()
        try:
            answer = self._pool.request(
                method,
                f"{self._endpoint_url}/_sandbox/{path}",
                body=json.dumps(body or {}).encode(),
                headers={"content-type": "application/json", "x-sandbox-secret": self._control_secret},
                timeout=_TIMEOUT_S,
                retries=False,
                redirect=False,
            )
            values: dict[str, Any] = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise SandboxError.of_silence(self._endpoint_url, error) from error
        if answer.status != 200:
            raise WriteFailedError(
                f"the sandbox's console refused {method} {path.partition('?')[0]!r}: "
                f"{values.get('code', answer.status)}: {values.get('message', '')}"
            )
        if note is not None:
            note(answer.headers.get("x-amzn-requestid", ""))
        return values


_HOST = "127.0.0.1"
_FIND_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class SandboxAddress:
    """A sandbox that answers, and what is needed to use it."""

    endpoint_url: str
    port: int
    pid: int
    state_folder: str
    region: str
    account_id: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    control_secret: str = field(repr=False)
    started: str
    state_id: str


def _address(known: Mapping[str, Any]) -> SandboxAddress:
    return SandboxAddress(**{wanted.name: known[wanted.name] for wanted in fields(SandboxAddress)})


def default_state_folder() -> Path:
    """Return the standing sandbox's folder: ``$IDC_SANDBOX_STATE``, or the platform's place for it."""
    named = os.environ.get(STATE_VARIABLE)
    if named:
        return Path(named).expanduser()
    import platformdirs  # noqa: PLC0415  only who needs it pays for it

    return Path(platformdirs.user_state_dir("idc-sandbox"))


def find_sandbox(state_folder: str | Path | None = None) -> SandboxAddress | None:
    """Return the sandbox that runs with a state folder, or None; starts and writes nothing."""
    folder = (Path(state_folder) if state_folder is not None else default_state_folder()).absolute()
    if not _is_ours(folder):
        return None
    known = {**read_object(folder / "server.json"), **read_object(folder / "secrets.json")}
    known |= {"state_folder": str(folder), "endpoint_url": f"http://{_HOST}:{known.get('port')}"}
    try:
        address = _address(known)
    except KeyError:  # it never ran, or another version wrote it: its own command line knows more
        return None
    return address if _lives(address.pid) and _proves(address.port, known.get("health_key")) else None


def current_state_id(state_folder: str | Path | None = None) -> str:
    """Return the id of a folder's state, whether its sandbox runs or not; empty where none can be read.

    A sandbox that was reset has another id than before.
    """
    database = (Path(state_folder) if state_folder is not None else default_state_folder()) / "sandbox.db"
    if not database.is_file():
        return ""
    import sqlite3  # noqa: PLC0415  only who needs it pays for it

    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT value FROM metadata WHERE name = 'state_id'").fetchone()
    except sqlite3.Error:
        return ""
    return str(found[0]) if found else ""


def _is_ours(folder: Path) -> bool:
    # Somebody else's folder could lead us to somebody else's server.
    try:
        return folder.stat().st_uid == os.geteuid()
    except OSError:
        return False


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _proves(port: int, health_key: Any) -> bool:
    """Return whether what listens answers a challenge as only who knows the folder's health key can."""
    if not isinstance(health_key, str) or not health_key:
        return False
    challenge = secrets.token_hex(16)
    expected = hmac.new(health_key.encode(), f"{port} {challenge}".encode(), hashlib.sha256).hexdigest()
    connection = http.client.HTTPConnection(_HOST, port, timeout=_FIND_TIMEOUT_S)
    try:
        connection.request("GET", f"/_sandbox/health?challenge={challenge}")
        proof = json.loads(connection.getresponse().read())["proof"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False
    finally:
        connection.close()
    return isinstance(proof, str) and hmac.compare_digest(proof.encode(), expected.encode())


class ModuleProcess(Protocol):
    """A module while it runs, as `subprocess.Popen` has it."""

    stdin: IO[str] | None
    stdout: IO[str] | None
    stderr: IO[str] | None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status; raises `subprocess.TimeoutExpired`."""

    def kill(self) -> None:
        """End it without a word."""

    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]:
        """Return all of its output and errors when it has ended; raises `subprocess.TimeoutExpired`."""


Variables = Mapping[str, str]
Starter = Callable[[str, Sequence[str], Variables | None], ModuleProcess]


def new_python(
    module: str, arguments: Sequence[str], environment: Variables | None = None
) -> subprocess.Popen[str]:
    """Start a module in a new Python."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


_starter: Starter = new_python


def start_module(
    module: str, arguments: Sequence[str], environment: Variables | None = None
) -> ModuleProcess:
    """Start a module with pipes for its input, output and errors."""
    return _starter(module, arguments, environment)


def run_module(
    module: str,
    arguments: Sequence[str],
    *,
    timeout_s: float,
    environment: Variables | None = None,
    starter: Starter = start_module,
) -> subprocess.CompletedProcess[str]:
    """Run a module without input and return its exit status, output and errors."""
    process = starter(module, arguments, environment)
    try:
        output, errors = process.communicate(timeout=timeout_s)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return subprocess.CompletedProcess([module, *arguments], process.wait(), output, errors)


def start_modules_by(starter: Starter) -> Starter:
    """Let modules be started another way in this process, and return the way before."""
    global _starter
    before, _starter = _starter, starter
    return before


_START_TIMEOUT_S = 120
OWN_SEED = 7


def start_sandbox(
    state_folder: str | Path | None = None,
    *,
    port: int | None = None,
    seed: int | None = None,
    organization: Path | None = None,
) -> SandboxAddress:
    """Start the sandbox of a state folder, or find the one that runs; port 0: any free one."""
    # Another seed, or another organization, is refused by the sandbox.
    running = find_sandbox(state_folder) if seed is None and organization is None else None
    if running is not None and port in (None, 0, running.port):
        return _remembered(running)
    arguments = ["start", "--json"]
    options = {"--state": state_folder, "--port": port, "--seed": seed, "--organization": organization}
    for option, value in options.items():
        if value is not None:
            arguments += [option, str(value)]
    answer = _ask(arguments)
    try:
        address = _address(answer)
    except KeyError as error:
        raise SandboxError(
            f"the sandbox's answer to start lacks {error.args[0]!r}",
            remedy="The sandbox and the helper package are of different versions: install them together.",
        ) from error
    return _remembered(address)


def sandbox_command(*arguments: str) -> list[str]:
    """Return the command line that reaches the sandbox package with this Python."""
    return [sys.executable, "-m", "idc_sandbox", *arguments]


def stop_sandbox(state_folder: str | Path) -> None:
    """Stop the sandbox of a state folder, if it runs; its state stays."""
    done = call_sandbox(["stop", "--state", str(state_folder)])
    if done.returncode != 0:
        raise SandboxError(
            f"the sandbox with state in {str(state_folder)!r} did not stop: {done.stderr.strip()}",
            remedy="End its process by hand; its number is in server.json there.",
        )


@contextmanager
def sandbox_of_its_own(
    state: Path,
    *,
    seed: int | None = OWN_SEED,
    is_shared: bool = False,
    organization: Path | None = None,
) -> Iterator[SandboxAddress]:
    """Run a sandbox on a free port for the length of a block."""
    ran_before = state.exists() and find_sandbox(state) is not None
    try:
        port = None if ran_before else 0
        yield start_sandbox(state, port=port, seed=seed, organization=organization)
    finally:
        if not (ran_before and is_shared) and state.exists():
            stop_sandbox(state)


def _remembered(address: SandboxAddress) -> SandboxAddress:
    remember_secret(address.secret_access_key)
    remember_secret(address.control_secret)
    return address


def jupyter_variables() -> dict[str, str]:
    """Return the variables that let a Jupyter Server show the sandbox's pages; starts nothing."""
    answer = _ask(["jupyter", "--json"])
    return {name: str(value) for name, value in answer.items()}


def _ask(arguments: Sequence[str]) -> dict[str, Any]:
    done = call_sandbox(arguments)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().removeprefix("error: ")
        raise SandboxError(
            f"the sandbox did not {arguments[0]}: {said or f'exit status {done.returncode}'}",
            remedy="`idc doctor` checks its requirements.",
        )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise SandboxError(
            f"the sandbox answered {arguments[0]} with {done.stdout[:80]!r}, which is not JSON",
            remedy="Install the sandbox package and the helper package of the same version.",
        ) from error
    return answer


def call_sandbox(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Return what the sandbox package answers to a command."""
    try:
        done = run_module("idc_sandbox", arguments, timeout_s=_START_TIMEOUT_S)
        if done.returncode < 0:  # a fork ends with its engine; what the sandbox was asked is still to do
            done = run_module("idc_sandbox", arguments, timeout_s=_START_TIMEOUT_S, starter=new_python)
        return done
    except subprocess.TimeoutExpired as error:
        raise SandboxError(
            f"the sandbox did not answer within {_START_TIMEOUT_S} s",
            remedy="Stop it with `idc sandbox stop`, and look at server.log in its state folder.",
        ) from error


class PersonaRefusedError(SandboxError):
    """A page did not let the persona go on; the message says what the page said."""


class PersonaProcess:
    """A scripted person at the sandbox's pages: ``python -m idc_sandbox.persona``."""

    def __init__(self, site_url: str, user_name: str, memory: Path) -> None:
        self.user_name = user_name
        arguments = [site_url, user_name, "--memory", str(memory)]
        self._process = start_module("idc_sandbox.persona", arguments)

    def __repr__(self) -> str:
        return f"PersonaProcess({self.user_name!r})"

    def do(self, action: str, **options: Any) -> Any:
        """Let the person do something, such as ``"sign_in"``, and return what came of it."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps({"do": action, "with": options}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise self._ended(action)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PersonaRefusedError(f"{self.user_name!r} could not {action!r}: {answer['error']}")
        return answer["result"]

    def close(self) -> None:
        """End the process; what the person has in mind stays in the memory file."""
        process = self._process
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None and not stream.closed:
                stream.close()
        process.wait(timeout=30)

    def _ended(self, action: str) -> SandboxError:
        words = self._process.stderr.read().strip() if self._process.stderr else ""
        return SandboxError(
            f"the scripted person ended before {action!r}: {words.splitlines()[-1] if words else 'no word'}",
            remedy="Run the cell again; `idc doctor` checks the sandbox's requirements.",
        )
