"""`aws configure sso` and logins, as notebook 10 uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from idc_aws.connection import Connection
from idc_aws.errors import InstanceNotFoundError, NotFoundError
from idc_aws.scenario.people import Person
from idc_aws.signin.activation import portal_settings, signed_in_person
from idc_aws.signin.config_file import config_path, credentials_path, read_config
from idc_aws.signin.login import (
    DeviceLogin,
    begin_login,
    finish_login,
    log_out,
    newest_token,
    save_token,
)
from idc_aws.signin.profiles import (
    SCOPE,
    SsoProfile,
    choose_profile,
    configured_profile,
    explain_profile,
    plan_profile,
    read_profile,
    write_profile,
)
from idc_aws.signin.terminal import (
    BegunLogin,
    CallAnswer,
    Terminal,
    advice,
    ask_command_lines,
    begin_login_of,
    configure_sso,
    find_command_lines,
    sandbox_terminal,
    sso_login,
    word_in_terminal,
)
from idc_helpers.notebook.console_guide import PageLinks, pages_path
from idc_helpers.notebook.screen import Background, LiveLine, is_guided, show_checks
from idc_helpers.notebook.tables import Line, Table
from idc_helpers.runbook.explain_failures import command_line_checks
from idc_helpers.runbook.run import RunContext

_WAITS = "… waiting until you have allowed code {} on the page"
_DONE = "✔ You have allowed it, and the token is kept. Run on from here."
_FAILED = "✘ {}. Run the cell again for a new code."
_TEXT = (
    "There is no AWS CLI v2 here, so this notebook asks for the token itself. Your code is {}: open "
    "the page, sign in as {}, compare the code, and allow it."
)


class WatchedLogin:
    """Signs a person in where no AWS CLI is: shows page and code at once, and keeps the token that comes."""

    def __init__(self, connection: Connection, profile: SsoProfile, folder: Path) -> None:
        self._connection, self._profile, self._folder = connection, profile, folder
        self._line = LiveLine()
        self._background: Background[Path] = Background()

    def start(self, user_name: str) -> PageLinks:
        """Ask for a code and return the link to its page; what the person answers is waited for behind it."""
        login = begin_login(self._connection, self._profile.start_url)
        self._line.say(_WAITS.format(login.user_code))
        self._background.start(lambda: self._wait(login), self._end)
        link = ("Open the page that asks for the code", device_page(login.verification_uri_complete))
        return PageLinks(_TEXT.format(login.user_code, user_name), (link,))

    def _wait(self, login: DeviceLogin) -> Path:
        token = finish_login(self._connection, login)
        return save_token(self._folder, self._profile, login, token)

    def _end(self, result: Path | Exception) -> None:
        self._line.say(
            _FAILED.format(str(result).splitlines()[0]) if isinstance(result, Exception) else _DONE
        )


def device_page(address: str) -> str:
    """Return the address of a device page inside this JupyterLab, where it shows the sandbox's pages."""
    parts = urlsplit(address)
    path = pages_path()
    return f"{path}{parts.path}{parts.query and '?'}{parts.query}" if path else address


COMMAND_LINE_TITLE = "aws configure sso"
_NO_PROFILE = "no profile has that name: configure one first, as shown above"
_REFUSALS = (
    ("AccessDenied", "AccessDenied"),
    ("ExpiredToken", "ExpiredToken: these keys have ended"),
    ("could not be found", _NO_PROFILE),
    ("specify a region", "the profile names no Region: `aws configure set region us-east-1 --profile NAME`"),
    ("sso login", "the session is over: aws sso login"),
)
_NOT_SHOWN = ("Owner",)  # of ListBuckets: the account's canonical id tells a learner nothing
_IN_TERMINAL = "Open a terminal (File → New → Terminal), and run: `{}`. If it shows a code, compare it first."
_THEN = "Then run the cells from here on."
_NOT_YET = "… not yet: configure the profile and sign in as shown above, then run this cell again."
_SIGNED_IN = "✔ there is a session of this profile"
_ON_AWS = "On AWS you do this in your own terminal: {}"


class CommandLineStep:
    """A profile that signs in through Identity Center, from nothing to a logout."""

    def __init__(self, context: RunContext, person: Person) -> None:
        self._context = context
        self._wanted = person
        self.user_name = str(person.user_name)
        self.profile_name = person.profile_name
        self._profile: SsoProfile | None = None
        self._begun: BegunLogin | None = None
        if self.is_live and is_guided():
            ask_command_lines()  # for their versions, which take a second: meanwhile the person reads
        self.last_user_code = ""
        """What was compared in the last sign-in of a scripted person; it is spent."""

    def tool(self) -> Line:
        """Return which AWS CLI there is and what to know about it; runs ``aws --version``."""
        return Line(advice(find_command_lines()))

    @cached_property
    def terminal(self) -> Terminal:
        """The sandbox's terminal."""
        return sandbox_terminal(self._context.connection)

    @property
    def profile(self) -> SsoProfile:
        """What is to be configured."""
        if self._profile is None:
            self._profile = self._choose_profile()
        return self._profile

    @property
    def is_live(self) -> bool:
        """Whether commands are run here: in the sandbox, unless only a plan is wanted."""
        return self._context.connection.is_sandbox and self._context.mode == "apply"

    def _missing(self) -> str:
        """Return what has to be made before a profile can be chosen; empty: nothing."""
        try:
            self.profile  # noqa: B018 - choosing it reads the target
        except (InstanceNotFoundError, NotFoundError) as error:
            return f"Later: {error.message}\nApply notebooks 01 to 08 first."
        return ""

    def _not_done(self, command: str) -> Line:
        if self._context.connection.is_sandbox:
            return Line(f"mode is 'plan', so this was not run: {command}")
        return Line(_ON_AWS.format(command))

    def plan(self) -> Table | Line:
        """Return what the config file would gain, as a difference: columns line; reads only."""
        if self._context.connection.is_sandbox and not self.is_live:
            return self._not_done("aws configure sso")
        if self._context.mode == "plan" and (missing := self._missing()):
            return Line(missing)
        change = plan_profile(self._config_file(), self.profile, self._credentials_file())
        lines = change.difference()
        caption = f"What the config file gains for profile {self.profile_name!r}"
        note = "" if lines else "The profile is there already, as wanted."
        if (session_name := change.profile.session_name) != self.profile_name and lines:
            note = f"It signs in through the session {session_name!r}."
        return Table(caption, ("line",), tuple((line,) for line in lines), note=note)

    def apply(self) -> Any:
        """Configure the profile at the CLI's prompts or, without a CLI, write it and sign in; writes."""
        if self._context.mode != "apply":
            return Line("mode is 'plan': no file was written")
        if not self._context.connection.is_sandbox:
            return self._write_on_aws()
        return self._configure_without_cli() if self.terminal.command_line is None else self._configure()

    def _configure(self) -> Table | Line:
        """Answer the CLI's prompts, or show a person what to answer."""
        if not is_guided():
            if self._begun is not None:
                self._begun.end()
                self._begun = None
            with self._approving() as approve:
                steps = configure_sso(self.terminal, self.profile, approve)
            caption = "aws configure sso: asked and answered"
            rows = tuple((question, self._context.name_accounts(answer)) for question, answer in steps)
            return Table(caption, ("the CLI asks", "the answer"), rows)
        self._profile = None  # what the terminal has by now counts
        if self._configured() is None:
            return self._to_answer()
        return Line(f"✔ profile {self.profile_name!r} is configured in the terminal")

    def _configure_without_cli(self) -> Any:
        write_profile(self.terminal.config_file, self.profile)
        if is_guided():
            return self._signed_in_on_page()
        self.sign_in()
        role = f"{self.profile.role_name} in {self._context.name_accounts(self.profile.account_id)}"
        return Line(f"The profile is written for {role}, and the login is allowed (boto3, device code).")

    def _to_answer(self) -> Table:
        wanted = self.profile
        rows = (
            ("SSO session name", wanted.session_name),
            ("SSO start URL", wanted.start_url),
            ("SSO region", wanted.sso_region),
            ("SSO registration scopes", SCOPE),
            ("account, if you have several", self._context.name_accounts(wanted.account_id)),
            ("role, if you have several", wanted.role_name),
            ("CLI default client Region", wanted.region),
            ("CLI default output format", wanted.output),
            ("CLI profile name", self.profile_name),
        )
        caption = "aws configure sso: what to answer"
        note = f"{_in_terminal('aws configure sso')} {_THEN}"
        return Table(caption, ("the CLI asks", "the answer"), rows, note=note)

    def config_lines(self) -> Table:
        """Return this profile's lines with their meaning: columns line, meaning; reads only."""
        config = read_config(self._config_file())
        if not read_profile(config, self.profile_name):
            return Table("The profile", ("line", "meaning"), (), note="It is not in the config file yet.")
        rows = explain_profile(config, self.profile_name)
        return Table("The profile, line by line", ("line", "meaning"), tuple(rows), is_code=True)

    def call(self, service: str, operation: str, **parameters: str) -> Table | Line:
        """Make one call with the profile and return its answer: columns member, value."""
        words = f"aws {service} {operation} --profile {self.profile_name}"
        if not self.is_live:
            return self._not_done(words)
        answer = self.terminal.call(service, operation, profile=self.profile_name, **parameters)
        if answer.refusal:
            why = _short(answer)
            return Line(f"… not yet: {why}" if why == _NO_PROFILE else f"✘ refused: {why}")
        # A newer CLI names what is not there too.
        values = {name: value for name, value in answer.values.items() if value is not None}
        members = {name: value for name, value in values.items() if name not in _NOT_SHOWN}
        rows = tuple((name, _shown(name, value)) for name, value in members.items())
        return Table(words, ("member", "value"), rows, note="" if rows else "The answer is empty.")

    def login(self) -> Any:
        """Sign in again with the profile, as ``aws sso login`` does. Writes the terminal's token cache."""
        if not self.is_live:
            return self._not_done(f"aws sso login --profile {self.profile_name}")
        if is_guided():
            if self.terminal.command_line is None:
                return self._signed_in_on_page()
            if newest_token(self.terminal.token_folder) is None:
                command = f"aws sso login --profile {self.profile_name}"
                return Line(f"{_in_terminal(command)} {_THEN}")
            return Line(_SIGNED_IN)
        if self.terminal.command_line is None:
            self.sign_in()
        else:
            with self._approving() as approve:
                begun, self._begun = self._begun, None
                sso_login(self.terminal, self.profile_name, approve, begun)
        return Line("✔ the codes were the same, access is allowed, a new session has begun")

    def logout(self) -> Line:
        """Sign out, as ``aws sso logout`` does. Writes."""
        if not self.is_live:
            return self._not_done("aws sso logout (it ends all sessions, not only this profile's)")
        if newest_token(self.terminal.token_folder) is None:
            return Line("Nobody was signed in here: there is nothing to end.")
        if self.terminal.command_line is not None:
            self.terminal.run("sso", "logout")
            if not is_guided():  # what comes next in the notebook starts while the profile is refused
                self._begun = begin_login_of(self.terminal, self.profile_name)
        else:
            log_out(self._context.connection, self.terminal.token_folder)
        return Line("✔ signed out: the tokens are deleted here and ended there")

    def check(self) -> Table | Line:
        """Return the checks: columns result, name, detail; makes calls that read."""
        if self._context.mode != "apply":
            return self._not_done("the check")
        found = read_profile(read_config(self._config_file()), self.profile_name)
        if is_guided() and not (found and newest_token(self.terminal.token_folder)):
            return Line(_NOT_YET)
        role = found.get("sso_role_name", "not there")
        account = None
        if self._context.connection.is_sandbox and found:  # without a profile there is nothing to call with
            answer = self.terminal.call("sts", "get-caller-identity", profile=self.profile_name)
            account = str(answer.values.get("Account", _short(answer)))
        results = command_line_checks(role, self.profile.role_name, account, self.profile.account_id)
        return show_checks(COMMAND_LINE_TITLE, self._context.record("command_line", results))

    def sign_in(self) -> None:
        """Let the scripted person sign the terminal in by boto3, as where no command is shown. Writes."""
        connection, profile = self._context.connection, self.profile
        with self._approving() as approve:
            login = begin_login(connection, profile.start_url)
            approve(login.user_code)
            save_token(self.terminal.token_folder, profile, login, finish_login(connection, login))

    def _signed_in_on_page(self) -> Any:
        """Let the person allow a login on the sandbox's page, where there is none; writes the token then."""
        if newest_token(self.terminal.token_folder) is None:
            login = WatchedLogin(self._context.connection, self.profile, self.terminal.token_folder)
            return login.start(self.user_name)
        return Line(_SIGNED_IN)

    @contextmanager
    def _approving(self) -> Iterator[Callable[[str], object]]:
        """Yield what lets the scripted person allow a code, who signs in while the CLI starts."""
        with ExitStack() as stack, ThreadPoolExecutor(1) as thread:
            person = thread.submit(stack.enter_context, self.person())

            def approve(code: str) -> object:
                self.last_user_code = code
                return person.result().do("approve_device", user_code=code)

            yield approve

    def person(self) -> Any:
        """Return the scripted person, signed in, for a ``with`` block."""
        return signed_in_person(self._context.connection, self.user_name)

    def _choose_profile(self) -> SsoProfile:
        if is_guided() and (configured := self._configured()) is not None:
            return configured
        wanted = choose_profile(self._context.connection, self._wanted)
        return plan_profile(self._config_file(), wanted, self._credentials_file()).profile

    def _configured(self) -> SsoProfile | None:
        """Return the profile of the config file if it leads to this portal, or None."""
        configured = configured_profile(read_config(self._config_file()), self.profile_name)
        if configured is None:
            return None
        portal = portal_settings(self._context.connection)
        configured = replace(configured, start_urls=tuple(portal["start_urls"]))
        keys = {"sso_start_url": portal["start_url"], "sso_region": portal["region"]}
        return configured if configured.has_portal_of(keys) else None

    def _config_file(self) -> Path:
        return self.terminal.config_file if self._context.connection.is_sandbox else config_path()

    def _credentials_file(self) -> Path | None:
        return None if self._context.connection.is_sandbox else credentials_path()

    def _write_on_aws(self) -> Line:
        backup = write_profile(self._config_file(), self.profile, self._credentials_file())
        kept = f" What was there is kept as {str(backup)!r}." if backup else ""
        command = f"aws sso login --profile {self.profile_name}"
        return Line(f"✔ profile {self.profile_name!r} is configured.{kept} Sign in: {command}")


def _in_terminal(command: str) -> str:
    """Return that a command is typed in a terminal; its `aws` is one that can sign in."""
    word = word_in_terminal(find_command_lines())
    return _IN_TERMINAL.format(command.replace("aws", word, 1))


def _short(answer: CallAnswer) -> str:
    for word, meaning in _REFUSALS:
        if word in answer.refusal:
            return meaning
    return "the session is over: aws sso login" if answer.is_signed_out else answer.refusal


def _shown(name: str, value: Any) -> str:
    if name == "UserId":
        return f"{str(value).partition(':')[0][:4]}…:{str(value).partition(':')[2]}"
    return "(an empty list)" if value == [] else str(value)
