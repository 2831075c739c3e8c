"""`aws configure sso`, `aws sso login` and `aws sso logout`: at the CLI's prompts, as a person would.

Sources: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from idc_helpers.aws.config_file import read_config
from idc_helpers.aws.profile_ownership import forget_own, mark_own
from idc_helpers.aws.profile_writing import plan_profile
from idc_helpers.aws.profiles import SCOPE, SsoProfile
from idc_helpers.aws.sign_in import token_file
from idc_helpers.aws.terminal import Terminal
from idc_helpers.errors import RunFailedError

_TIMEOUT_S = 60
_PAUSE_S = 0.2  # the CLI paints a prompt again: what is typed sooner is lost
_DOWN, _ENTER = "\x1b[B", "\r"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CODE = re.compile(r"\b([A-Z]{4}-[A-Z]{4})\b", re.ASCII)
Approve = Callable[[str], object]


@dataclass
class Dialogue:
    """One command of the CLI at its prompts.

    Attributes
    ----------
    steps
        What the CLI asked and what was answered, in order: rows (question, answer); no secret, no code.
    """

    child: Any
    steps: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, question: str, pattern: str, text: str) -> None:
        """Wait for a prompt and type the answer."""
        self.expect(question, pattern)
        time.sleep(_PAUSE_S)
        self.child.sendline(text)
        self.steps.append((question, text or "(Enter)"))

    def choose(self, question: str, wanted: str, several: str, single: str) -> None:
        """Choose an entry of a menu that shows `wanted`; without a choice the CLI shows no menu."""
        if self.expect(question, [rf"There are \d+ {several} available to you", f"Using the {single}"]):
            self.steps.append((question, f"{wanted} (the only one)"))
            return
        self.expect(question, r"> ")
        time.sleep(_PAUSE_S)
        entries = _menu(self.child.after + self.child.buffer + self._read_what_is_there())
        if not (found := [number for number, entry in enumerate(entries) if wanted in entry]):
            raise RunFailedError(f"the CLI's menu {question!r} offers {entries!r}, not {wanted!r}")
        for key in [*[_DOWN] * found[0], _ENTER]:
            self.child.send(key)
            time.sleep(_PAUSE_S)
        self.steps.append((question, f"{wanted} (of {len(entries)})"))

    def approve(self, approve: Approve) -> None:
        """Read the code that the CLI shows, and let the person approve it in the browser."""
        self.expect("the code", _CODE.pattern)
        approve(self.child.match[1])
        self.steps.append(("the same code in the browser?", "yes, and Allow access"))

    def expect(self, question: str, pattern: str | list[str]) -> int:
        """Wait for what the CLI says; return which of several patterns it was.

        Raises
        ------
        RunFailedError
            With the CLI's last words, when it says something else.
        """
        import pexpect  # noqa: PLC0415  only where a terminal is driven

        try:
            return int(self.child.expect(pattern))
        except (pexpect.TIMEOUT, pexpect.EOF):
            said = _CONTROL.sub("", self.child.before or "").strip().splitlines()
            raise RunFailedError(
                f"the AWS CLI did not come to {question!r}; its last words: {' '.join(said[-3:])!r}",
                remedy="Run the command yourself in a terminal to see all of it.",
            ) from None

    def end(self) -> None:
        """Wait until the command ends.

        Raises
        ------
        RunFailedError
            When it failed.
        """
        import pexpect  # noqa: PLC0415  only where a terminal is driven

        self.expect("its end", pexpect.EOF)
        said = _CONTROL.sub("", self.child.before or "").strip()
        self.child.close()
        if self.child.exitstatus:
            raise RunFailedError(f"the AWS CLI ended with status {self.child.exitstatus}: {said[-300:]!r}")

    def _read_what_is_there(self) -> str:
        import pexpect  # noqa: PLC0415  only where a terminal is driven

        said = ""
        with suppress(pexpect.TIMEOUT, pexpect.EOF):  # the menu is whole when nothing more comes
            while True:
                said += self.child.read_nonblocking(65536, timeout=1)
        return said


def configure_sso(terminal: Terminal, profile: SsoProfile, approve: Approve) -> list[tuple[str, str]]:
    """Run `aws configure sso` at its prompts and return what was asked and answered. Writes the config file.

    A profile that somebody else made, and that signs in as wanted, is only signed in with.

    Parameters
    ----------
    approve
        Called with the code that the CLI shows: the person's part, in the browser.

    Raises
    ------
    ConfigFileError
        When the profile's name belongs to something else, or the config file cannot be read.
    RunFailedError
        When the CLI says something else than expected.
    """
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
    dialogue = _spawn(terminal, ["configure", "sso", *_device_code(terminal)])
    try:
        dialogue.answer("SSO session name", r"SSO session name[^:]*: ", profile.session_name)
        if not is_known:
            _answer_session(dialogue, profile)
        dialogue.approve(approve)
        dialogue.choose("account", profile.account_id, "AWS accounts", "account ID")
        dialogue.choose("role", profile.role_name, "roles", "role name")
        dialogue.answer("default client Region", r"[Rr]egion \[[^\]]*\]: ", profile.region)
        dialogue.answer("output format", r"output format[^\[]*\[[^\]]*\]: ", profile.output)
        dialogue.answer("profile name", r"[Pp]rofile name \[[^\]]*\]: ", profile.profile_name)
        dialogue.end()
    finally:
        dialogue.child.close(force=True)
    return dialogue.steps


def _answer_session(dialogue: Dialogue, profile: SsoProfile) -> None:
    dialogue.answer("SSO start URL", r"SSO start URL \[[^\]]*\]: ", profile.start_url)
    dialogue.answer("SSO region", r"SSO [Rr]egion \[[^\]]*\]: ", profile.sso_region)
    dialogue.answer("SSO registration scopes", r"SSO registration scopes \[[^\]]*\]: ", SCOPE)


def sso_login(terminal: Terminal, profile_name: str, approve: Approve) -> list[tuple[str, str]]:
    """Run `aws sso login`, let the person approve it, and return what was asked. Writes the token cache.

    Raises
    ------
    RunFailedError
        When the login fails.
    """
    dialogue = _spawn(terminal, ["sso", "login", "--profile", profile_name, *_device_code(terminal)])
    try:
        dialogue.approve(approve)
        dialogue.end()
    finally:
        dialogue.child.close(force=True)
    return dialogue.steps


def _device_code(terminal: Terminal) -> list[str]:
    # The kernel may be on another machine than the browser: PKCE would call back to the wrong one.
    assert terminal.command_line is not None
    return ["--use-device-code", "--no-browser"] if terminal.command_line.prefers_pkce else []


def _spawn(terminal: Terminal, arguments: list[str]) -> Dialogue:
    import pexpect  # noqa: PLC0415  only where a terminal is driven

    assert terminal.command_line is not None
    variables: Any = terminal.variables
    return Dialogue(
        pexpect.spawn(
            terminal.command_line.program,
            arguments,
            env=variables,
            encoding="utf-8",
            timeout=_TIMEOUT_S,
            dimensions=(60, 200),
        )
    )


def _menu(painted: str) -> list[str]:
    lines = [line.strip().removeprefix("> ").strip() for line in _CONTROL.sub("", painted).splitlines()]
    return [line for line in lines if line]
