"""The AWS CLI at a terminal: `aws configure sso`, `aws sso login` and `logout`, as a person would use it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from idc_aws.connection import Connection
from idc_aws.errors import CredentialsError, RunFailedError, SandboxError
from idc_aws.project import VERSIONS_VARIABLE
from idc_aws.sandbox import call_sandbox, run_module
from idc_aws.signin.commands import Command, has_echo, run_command, start_at_terminal
from idc_aws.signin.config_file import read_config
from idc_aws.signin.login import token_file
from idc_aws.signin.profiles import SCOPE, SsoProfile, forget_own, mark_own, plan_profile

_VERSION = re.compile(r"aws-cli/(\d+)\.(\d+)\.(\d+)", re.ASCII)
_COMMAND_TIMEOUT_S = 60
_INSTALL = "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
_SIGNS_IN = (2, 9, 0)
_TAKES_ENDPOINT_URL = (2, 13, 0)
_PREFERS_PKCE = (2, 22, 0)


@dataclass(frozen=True)
class CommandLine:
    """An AWS CLI."""

    program: str
    version: tuple[int, int, int]

    @property
    def can_sign_in(self) -> bool:
        """Whether it has ``configure sso`` with named sessions."""
        return self.version >= _SIGNS_IN

    @property
    def takes_endpoint_url(self) -> bool:
        """Whether it reads ``AWS_ENDPOINT_URL``; an older one needs rules of its own to reach the sandbox."""
        return self.version >= _TAKES_ENDPOINT_URL

    @property
    def prefers_pkce(self) -> bool:
        """Whether ``sso login`` opens a browser on this machine unless told to use a device code."""
        return self.version >= _PREFERS_PKCE

    def __str__(self) -> str:
        return f"AWS CLI {'.'.join(map(str, self.version))}"


def find_command_lines(search_path: str | None = None) -> list[CommandLine]:
    """Return the AWS CLIs of a search path, in its order; runs each one's ``--version``."""
    asked = ask_command_lines(search_path)
    found = ((program, version.result()) for program, version in asked.items())
    return [CommandLine(str(program), version) for program, version in found if version]


def ask_command_lines(
    search_path: str | None = None,
) -> dict[Path, Future[tuple[int, int, int] | None]]:
    """Begin to ask the AWS CLIs of a search path for their versions, all at once, and return at once."""
    programs: dict[str, Path] = {}
    for folder in (os.environ.get("PATH", "") if search_path is None else search_path).split(os.pathsep):
        program = Path(folder) / "aws"
        if folder and program.is_file() and os.access(program, os.X_OK):
            programs.setdefault(os.path.realpath(program), program)
    return {program: _asking(program) for program in programs.values()}


def find_command_line(search_path: str | None = None) -> CommandLine | None:
    """Return the first AWS CLI that can sign in, or None; runs each one's ``--version``."""
    return next((one for one in find_command_lines(search_path) if one.can_sign_in), None)


def word_in_terminal(found: list[CommandLine]) -> str:
    """Return what to type in a terminal for the AWS CLI that can sign in: ``aws``, or where it is."""
    usable = next((one for one in found if one.can_sign_in), None)
    return "aws" if usable is None or usable == found[0] else usable.program


def advice(found: list[CommandLine]) -> str:
    """Return what to know about the CLIs that were found, with the remedy where there is one to take."""
    usable = next((one for one in found if one.can_sign_in), None)
    if usable is None:
        return f"{_why_none(found)} The same login is done with boto3 here. To install version 2: {_INSTALL}"
    if not usable.takes_endpoint_url:
        return (
            f"{_which(usable, found[0])}{usable} is older than 2.13 and ignores AWS_ENDPOINT_URL: for the"
            f" sandbox it gets rules by AWS_DATA_PATH. It knows the device code only. To get a newer one:"
            f" {_INSTALL}"
        )
    grant = "an authorization code with PKCE" if usable.prefers_pkce else "a device code"
    return f"{_which(usable, found[0])}{usable} signs in with {grant} unless you choose otherwise."


def _which(usable: CommandLine, first: CommandLine) -> str:
    """Return what to type in a terminal where another `aws` stands before the one that can sign in."""
    if usable == first:
        return ""
    return (
        f"The first aws on the path is {first}, which cannot sign in: in a terminal, type {usable.program}. "
    )


def _why_none(found: list[CommandLine]) -> str:
    if not found:
        return "There is no AWS CLI on the path."
    newest = max(found, key=lambda one: one.version)
    if newest.version < (2, 0, 0):
        return f"There is only {newest}: version 1 has neither `aws configure sso` nor `aws sso login`."
    return f"There is only {newest}: `aws configure sso` with named sessions needs 2.9 or newer."


# An answer takes half a second and more: it holds until the file is another one.
_asked: dict[tuple[str, int, int], Future[tuple[int, int, int] | None]] = {}


def _asking(program: Path) -> Future[tuple[int, int, int] | None]:
    status = program.stat()
    key = (str(program), status.st_ino, status.st_mtime_ns)
    if key not in _asked:
        _asked[key] = _known(key) or _askers().submit(_version, program)
    return _asked[key]


def known_versions() -> dict[str, str]:
    """Return the variable by which a process that is started knows the versions answered so far."""
    answered = [[*key, version.result()] for key, version in _asked.items() if version.done()]
    return {VERSIONS_VARIABLE: json.dumps(answered)} if answered else {}


def _known(key: tuple[str, int, int]) -> Future[tuple[int, int, int] | None] | None:
    for *file, version in json.loads(os.environ.get(VERSIONS_VARIABLE, "[]")):
        if tuple(file) == key:
            known: Future[tuple[int, int, int] | None] = Future()
            known.set_result(version and tuple(version))
            return known
    return None


@cache
def _askers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="aws --version")


def _version(program: Path) -> tuple[int, int, int] | None:
    try:
        done = subprocess.run(
            [str(program), "--version"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(done.stdout + done.stderr)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


_PROGRAM_TIMEOUT_S = 120
_PACKAGE_FOLDER = str(Path(__file__).parents[2])
# Without the administrator's keys a profile speaks for itself. The Region stays, as in a terminal of the
# lab: a profile that was configured without one works there.
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True)
class CallAnswer:
    """What a command answered."""

    values: dict[str, Any] = field(default_factory=dict)
    refusal: str = ""

    @property
    def is_signed_out(self) -> bool:
        """Whether nobody is signed in any more: the CLI speaks of a token or a Token."""
        return "oken" in self.refusal


@dataclass(frozen=True)
class Terminal:
    """Runs commands as a person would in the terminal of a sandbox."""

    variables: dict[str, str] = field(repr=False)
    find: Callable[[], CommandLine | None] = field(default=lambda: None, repr=False)
    administrator_key_id: str = ""

    @cached_property
    def command_line(self) -> CommandLine | None:
        """The AWS CLI, or None: boto3 stands in. Asked for once: programs answer late on a busy machine."""
        return self.find()

    @property
    def config_file(self) -> Path:
        """The config file of this terminal."""
        return Path(self.variables["AWS_CONFIG_FILE"])

    @property
    def token_folder(self) -> Path:
        """Where clients keep the tokens that a login gave them."""
        return Path(self.variables["HOME"]) / ".aws" / "sso" / "cache"

    def call(self, service: str, operation: str, *, profile: str, **parameters: str) -> CallAnswer:
        """Make one call with a profile: ``call("sts", "get-caller-identity", profile="practice")``."""
        words = [word for name, value in parameters.items() for word in (f"--{name}", value)]
        arguments = [service, operation, *words, "--profile", profile]
        if self.command_line is not None:
            return _answer(self.run(*arguments, "--output", "json"))
        # The process finds this very package, wherever it runs; an AWS CLI has its own.
        package = os.pathsep.join(filter(None, (_PACKAGE_FOLDER, os.environ.get("PYTHONPATH"))))
        with _answered_in_time("boto3"):
            call = run_module(
                "idc_aws.signin.profile_call",
                arguments,
                timeout_s=_PROGRAM_TIMEOUT_S,
                environment={**self.variables, "PYTHONPATH": package},
            )
        return _answer(call)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the AWS CLI and return what it said."""
        if self.command_line is None:
            raise CredentialsError("there is no AWS CLI v2 here", remedy="Install it; notebook 10 says how.")
        words = [self.command_line.program, *arguments]
        with _answered_in_time("the AWS CLI"):
            return run_command(words, environment=self.variables, timeout_s=_PROGRAM_TIMEOUT_S)


@contextmanager
def _answered_in_time(who: str) -> Iterator[None]:
    try:
        yield
    except subprocess.TimeoutExpired as error:
        raise CredentialsError(
            f"{who} did not answer within {_PROGRAM_TIMEOUT_S:g} s", remedy="Run the cell again."
        ) from error


def sandbox_terminal(connection: Connection, *, use_command_line: bool = True) -> Terminal:
    """Return the terminal of a connection's sandbox. Makes its HOME."""
    if connection.console is None:
        raise SandboxError("the practice terminal is the sandbox's; on AWS use your own")
    return terminal_of(connection.console.state_folder, use_command_line=use_command_line)


def terminal_of(state_folder: str | None, *, use_command_line: bool = True) -> Terminal:
    """Return the terminal of the sandbox with a state folder; None: the standing one. Makes its HOME."""
    arguments = ["env", "--json", *(("--state", state_folder) if state_folder else ())]
    done = call_sandbox(arguments)
    if done.returncode != 0:
        raise SandboxError(f"the sandbox does not say what a terminal needs: {done.stderr.strip()}")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    variables = inherited | json.loads(done.stdout) | {"BROWSER": "true", "TERM": "dumb"}
    key_id = variables["AWS_ACCESS_KEY_ID"]
    for name in _KEYS:
        variables.pop(name, None)
    return Terminal(variables, find_command_line if use_command_line else lambda: None, key_id)


def _answer(done: subprocess.CompletedProcess[str]) -> CallAnswer:
    if done.returncode != 0:
        return CallAnswer(refusal=" ".join(done.stderr.split()) or f"exit status {done.returncode}")
    return CallAnswer(json.loads(done.stdout) if done.stdout.strip() else {})


_TIMEOUT_S = 60
_ROWS_AND_COLUMNS = (60, 200)
_LOOK_EVERY_S = 0.005
_PAUSE_S = 0.2  # without another character: what the CLI paints is whole
_PAINTED = "\x1b[?25h"  # the cursor is shown again
_DOWN, _ENTER = "\x1b[B", "\r"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CODE = re.compile(r"\b([A-Z]{4}-[A-Z]{4})\b", re.ASCII)
Approve = Callable[[str], object]


@dataclass
class Dialogue:
    """One command of the CLI at its prompts."""

    pexpect: Any  # the module, which is imported only where a terminal is driven
    child: Any
    command: Command
    close_browser: Callable[[], object]
    steps: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, question: str, pattern: str, text: str) -> None:
        """Wait for a prompt and type the answer."""
        self.expect(question, pattern)
        self._wait_for_its_reading(question)
        self.child.sendline(text)
        self.steps.append((question, text or "(Enter)"))

    def choose(self, question: str, wanted: str, several: str, single: str) -> None:
        """Choose an entry of a menu that shows `wanted`; without a choice the CLI shows no menu."""
        if self.expect(question, [rf"There are (\d+) {several} available to you", f"Using the {single}"]):
            self.steps.append((question, f"not asked: {wanted} is the only one"))
            return
        number = int(self.child.match[1])
        self.expect(question, r"> ")
        self._wait_for_its_reading(question)
        entries = self._read_menu(number)
        if not (found := [number for number, entry in enumerate(entries) if wanted in entry]):
            raise RunFailedError(f"the CLI's menu {question!r} offers {entries!r}, not {wanted!r}")
        self.child.send(_DOWN * found[0] + _ENTER)
        self.steps.append((question, f"{wanted} (of {len(entries)})"))

    def approve(self, approve: Approve) -> None:
        """Read the code that the CLI shows, and let the person approve it in the browser."""
        self.expect("the code", _CODE.pattern)
        approve(self.child.match[1])
        self.close_browser()
        self.steps.append(("the same code in the browser?", "yes, and Allow access"))

    def expect(self, question: str, pattern: str | list[str]) -> int:
        """Wait for what the CLI says; return which of several patterns it was."""
        try:
            return int(self.child.expect(pattern))
        except (self.pexpect.TIMEOUT, self.pexpect.EOF):
            said = _CONTROL.sub("", self.child.before or "").strip().splitlines()
            raise RunFailedError(
                f"the AWS CLI did not come to {question!r}; its last words: {' '.join(said[-3:])!r}",
                remedy="Run the command yourself in a terminal to see all of it.",
            ) from None

    def end(self) -> None:
        """Wait until the command ends."""
        self.expect("its end", self.pexpect.EOF)
        said = _CONTROL.sub("", self.child.before or "").strip()
        try:
            status = self.command.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise RunFailedError(
                f"the AWS CLI closed its terminal and did not end within {_TIMEOUT_S} s: {said[-300:]!r}",
                remedy="Run the cell again.",
            ) from error
        if status:
            raise RunFailedError(f"the AWS CLI ended with status {status}: {said[-300:]!r}")

    def _read_menu(self, number: int) -> list[str]:
        said = self.child.after + self.child.buffer
        with suppress(self.pexpect.TIMEOUT, self.pexpect.EOF):  # the menu is whole when nothing more comes
            # Of a long one, only a part is on the screen.
            while not ((is_whole := len(_menu(said)) >= number) and said.endswith(_PAINTED)):
                said += self.child.read_nonblocking(65536, timeout=_PAUSE_S if is_whole else 1)
        return _menu(said)

    def _wait_for_its_reading(self, question: str) -> None:
        """Wait until the CLI reads key by key, as it does at a prompt that it has painted."""
        # What is typed before that is shown twice, and a menu may lose it.
        deadline = time.monotonic() + _TIMEOUT_S
        while has_echo(self.child.fileno()):  # the terminal's own echo, which such a prompt turns off
            if time.monotonic() > deadline:
                raise RunFailedError(
                    f"the AWS CLI asked for {question!r}, and does not read the answer",
                    remedy="Run the command yourself in a terminal to see all of it.",
                )
            time.sleep(_LOOK_EVERY_S)


def configure_sso(terminal: Terminal, profile: SsoProfile, approve: Approve) -> list[tuple[str, str]]:
    """Run `aws configure sso` at its prompts, and return what was asked and answered. Writes the file."""
    change = plan_profile(terminal.config_file, profile)
    profile = change.profile
    if not change.is_own:
        change.write()
        return sso_login(terminal, profile.profile_name, approve)
    # The CLI does not ask again for a session that it knows, and opens no browser while a token lives: to go
    # the whole way, the kit's own profile, session and token are deleted first.
    forget_own(terminal.config_file, profile)
    token_file(terminal.token_folder, profile.session_name).unlink(missing_ok=True)
    known_sessions = read_config(terminal.config_file).sso_sessions
    steps = _configure(terminal, profile, approve, is_known=profile.session_name in known_sessions)
    mark_own(terminal.config_file, profile, known_sessions)
    return steps


def _configure(
    terminal: Terminal, profile: SsoProfile, approve: Approve, *, is_known: bool
) -> list[tuple[str, str]]:
    with _dialogue(terminal, "configure", "sso") as dialogue:
        dialogue.answer("SSO session name", r"SSO session name[^:]*: ", profile.session_name)
        if not is_known:
            dialogue.answer("SSO start URL", r"SSO start URL \[[^\]]*\]: ", profile.start_url)
            dialogue.answer("SSO region", r"SSO [Rr]egion \[[^\]]*\]: ", profile.sso_region)
            dialogue.answer("SSO registration scopes", r"SSO registration scopes \[[^\]]*\]: ", SCOPE)
        dialogue.approve(approve)
        dialogue.choose("account", profile.account_id, "AWS accounts", "account ID")
        dialogue.choose("role", profile.role_name, "roles", "role name")
        dialogue.answer("default client Region", r"[Rr]egion \[[^\]]*\]: ", profile.region)
        dialogue.answer("output format", r"output format[^\[]*\[[^\]]*\]: ", profile.output)
        dialogue.answer("profile name", r"[Pp]rofile name \[[^\]]*\]: ", profile.profile_name)
        dialogue.end()
    return dialogue.steps


@dataclass(frozen=True)
class BegunLogin:
    """`aws sso login` that starts beside something else; it signs nobody in until its code is approved."""

    dialogue: Dialogue
    end: Callable[[], None]

    def __enter__(self) -> Dialogue:
        return self.dialogue

    def __exit__(self, *_raised: object) -> None:
        self.end()


def begin_login_of(terminal: Terminal, profile_name: str) -> BegunLogin:
    """Start `aws sso login`, for `sso_login`; it ends with this process at the latest."""
    with ExitStack() as stack:
        dialogue = stack.enter_context(_dialogue(terminal, "sso", "login", "--profile", profile_name))
        return BegunLogin(dialogue, stack.pop_all().close)


def sso_login(
    terminal: Terminal, profile_name: str, approve: Approve, begun: BegunLogin | None = None
) -> list[tuple[str, str]]:
    """Run `aws sso login`, let the person approve it, and return what was asked. Writes the token cache."""
    with begun or begin_login_of(terminal, profile_name) as dialogue:
        dialogue.approve(approve)
        dialogue.end()
    return dialogue.steps


@contextmanager
def _dialogue(terminal: Terminal, *arguments: str) -> Iterator[Dialogue]:
    import pexpect.fdpexpect  # noqa: PLC0415  only where a terminal is driven

    command_line = terminal.command_line
    assert command_line is not None
    # The kernel may be on another machine than the browser: PKCE would call back to the wrong one.
    device_code = ["--use-device-code"] if command_line.prefers_pkce else []
    words = [command_line.program, *arguments, *device_code]
    with _open_browser() as (browser, close_browser):
        variables = {**terminal.variables, "BROWSER": browser}
        command, screen = start_at_terminal(words, environment=variables, size=_ROWS_AND_COLUMNS)
        try:
            child = pexpect.fdpexpect.fdspawn(screen, encoding="utf-8", timeout=_TIMEOUT_S)
            yield Dialogue(pexpect, child, command, close_browser)
        finally:
            command.kill()
            command.wait()
            os.close(screen)


# It ends well whatever happens: the CLI would look for another browser. No colon: it separates browsers.
_READ_A_LINE = """sh -c 'read -r line < "$0" || true' {} %s"""


@contextmanager
def _open_browser() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield a browser for the CLI, which stays open until it is closed, and what closes it."""
    # The CLI asks for the token once the browser has ended, and then once a second: with one that ends when
    # the person has answered, the first question is the last.
    with TemporaryDirectory(prefix="idc-browser-") as folder:
        pipe = Path(folder) / "answered"
        os.mkfifo(pipe, 0o600)
        descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # for both, so that neither end is waited for
        try:
            yield _READ_A_LINE.format(shlex.quote(str(pipe))), lambda: os.write(descriptor, b"\n")
        finally:
            os.close(descriptor)


def _menu(painted: str) -> list[str]:
    lines = [line.strip().removeprefix("> ").strip() for line in _CONTROL.sub("", painted).splitlines()]
    return [line for line in lines if line]
