"""`aws configure sso` and what follows, as notebook 10 uses it; in the sandbox for real, on AWS with care."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from IPython.display import display

from idc_helpers.aws.activation import portal_settings, signed_in_person
from idc_helpers.aws.command_line import advice, find_command_lines, word_in_terminal
from idc_helpers.aws.config_file import config_path, credentials_path, read_config
from idc_helpers.aws.configure_sso import configure_sso, sso_login
from idc_helpers.aws.profile_choice import choose_profile
from idc_helpers.aws.profile_writing import ProfileChange, plan_profile, write_profile
from idc_helpers.aws.profiles import SCOPE, SsoProfile, configured_profile, explain_profile, read_profile
from idc_helpers.aws.sign_in import begin_login, finish_login, log_out, newest_token, save_token
from idc_helpers.aws.terminal import Answer, Terminal, sandbox_terminal
from idc_helpers.display.cell_outputs import show_checks
from idc_helpers.display.device_login import WatchedLogin
from idc_helpers.display.interaction import is_guided
from idc_helpers.display.tables import Line, Table
from idc_helpers.errors import InstanceNotFoundError, NotAppliedError, NotFoundError
from idc_helpers.models import Person
from idc_helpers.runbook.person_checks import command_line_checks
from idc_helpers.runbook.run_context import RunContext

TITLE = "aws configure sso"
_REFUSALS = (
    ("AccessDenied", "AccessDenied"),
    ("ExpiredToken", "ExpiredToken: these keys have ended"),
    ("could not be found", "there is no profile of that name yet: configure it first, as shown above"),
    ("sso login", "the session is over: aws sso login"),
)
_NOT_SHOWN = ("Owner",)  # of ListBuckets: the account's canonical id tells a learner nothing
_IN_TERMINAL = "Open a terminal (File → New → Terminal), and run: `{}`. Compare the code before you allow."
_SIGNED_IN = "✔ there is a session of this profile"
_ON_AWS = "On AWS you do this in your own terminal: {}"


class CommandLineStep:
    """A profile that signs in through Identity Center, from nothing to a logout.

    Parameters
    ----------
    context
        The run.
    person
        Who signs in, with which permission set in which account, and the profile's name.
    """

    def __init__(self, context: RunContext, person: Person) -> None:
        self._context = context
        self._wanted = person
        self.user_name = str(person.user_name)
        self.profile_name = person.profile_name
        self._profile: SsoProfile | None = None
        self._terminal: Terminal | None = None
        self.last_user_code = ""
        """What was compared in the last sign-in of a scripted person; it is spent."""

    def tool(self) -> Line:
        """Return which AWS CLI there is and what to know about it; runs ``aws --version``."""
        return Line(advice(find_command_lines()))

    @property
    def terminal(self) -> Terminal:
        """The sandbox's terminal."""
        if self._terminal is None:
            self._terminal = sandbox_terminal(self._context.connection)
        return self._terminal

    @property
    def profile(self) -> SsoProfile:
        """What is to be configured.

        Raises
        ------
        NotFoundError
            When there is no such account, or the person has no such permission set in it.
        """
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
        change = self._change()
        lines = change.difference()
        caption = f"What the config file gains for profile {self.profile_name!r}"
        note = "" if lines else "The profile is there already, as wanted."
        if (session_name := change.profile.session_name) != self.profile_name and lines:
            note = f"It signs in through the session {session_name!r}."
        return Table(caption, ("line",), tuple((line,) for line in lines), note=note)

    def apply(self) -> Table | Line:
        """Configure the profile: at the CLI's prompts or, without CLI, by writing it and signing in. Writes.

        On AWS the file is written with a backup beside it, and nobody is signed in.

        Raises
        ------
        NotAppliedError
            Guided, when the person has not configured it yet: what to do is shown.
        KitError
            When the login or the write fails, or the profile's name belongs to something else.
        """
        if self._context.mode != "apply":
            return Line("mode is 'plan': no file was written")
        if not self._context.connection.is_sandbox:
            return self._write_on_aws()
        if is_guided() and self.terminal.command_line is not None:
            self._profile = None  # what the terminal has by now counts
            if self._configured() is None:
                _leave_to_person(self._to_answer(), "answer `aws configure sso` in a terminal as shown")
            return Line(f"✔ profile {self.profile_name!r} is configured in the terminal")
        if self.terminal.command_line is None:
            write_profile(self.terminal.config_file, self.profile)
            if is_guided():
                return self._signed_in_on_page()
            self.sign_in()
            return Line("The profile is written, and the person has allowed the login (boto3, device code).")
        with self.person() as person:
            steps = configure_sso(self.terminal, self.profile, self._approval(person))
        return Table("aws configure sso: asked and answered", ("the CLI asks", "the answer"), tuple(steps))

    def _to_answer(self) -> Table:
        wanted = self.profile
        rows = (
            ("SSO session name", wanted.session_name),
            ("SSO start URL", wanted.start_url),
            ("SSO region", wanted.sso_region),
            ("SSO registration scopes", SCOPE),
            ("account", wanted.account_id),
            ("role, if there are several", wanted.role_name),
            ("CLI default client Region", wanted.region),
            ("CLI default output format", wanted.output),
            ("CLI profile name", self.profile_name),
        )
        caption = "aws configure sso: what to answer"
        note = _in_terminal("aws configure sso")
        return Table(caption, ("the CLI asks", "the answer"), rows, note=note)

    def config_lines(self) -> Table:
        """Return this profile's lines with their meaning: columns line, meaning; reads only."""
        config = read_config(self._config_file())
        if not read_profile(config, self.profile_name):
            return Table("The profile", ("line", "meaning"), (), note="It is not in the config file yet.")
        rows = explain_profile(config, self.profile_name)
        return Table("The profile, line by line", ("line", "meaning"), tuple(rows))

    def call(self, service: str, operation: str, **parameters: str) -> Table | Line:
        """Make one call with the profile and return its answer: columns member, value.

        A refusal is an answer too: a line with what was refused.
        """
        words = f"aws {service} {operation} --profile {self.profile_name}"
        if not self.is_live:
            return self._not_done(words)
        answer = self.terminal.call(service, operation, profile=self.profile_name, **parameters)
        if answer.refusal:
            return Line(f"✘ refused: {_short(answer)}")
        members = {name: value for name, value in answer.values.items() if name not in _NOT_SHOWN}
        rows = tuple((name, _shown(name, value)) for name, value in members.items())
        return Table(words, ("member", "value"), rows, note="" if rows else "The answer is empty.")

    def login(self) -> Line:
        """Sign in again with the profile, as ``aws sso login`` does. Writes the terminal's token cache.

        Raises
        ------
        NotAppliedError
            Guided, when the person has not signed in yet: what to do is shown.
        KitError
            When the login fails.
        """
        if not self.is_live:
            return self._not_done(f"aws sso login --profile {self.profile_name}")
        if is_guided():
            if self.terminal.command_line is None:
                return self._signed_in_on_page()
            if newest_token(self.terminal.token_folder) is None:
                command = f"aws sso login --profile {self.profile_name}"
                _leave_to_person(Line(_in_terminal(command)), "sign in in a terminal as shown")
            return Line(_SIGNED_IN)
        self.sign_in()
        return Line("✔ the codes were the same, access is allowed, a new session has begun")

    def logout(self) -> Line:
        """Sign out, as ``aws sso logout`` does. Writes."""
        if not self.is_live:
            return self._not_done("aws sso logout (it ends all sessions, not only this profile's)")
        if newest_token(self.terminal.token_folder) is None:
            return Line("Nobody was signed in here: there is nothing to end.")
        if self.terminal.command_line is not None:
            self.terminal.run("sso", "logout")
        else:
            log_out(self._context.connection, self.terminal.token_folder)
        return Line("✔ signed out: the tokens are deleted here and ended there")

    def check(self) -> Table | Line:
        """Return the checks: columns result, name, detail; makes calls that read.

        Raises
        ------
        CheckFailedError
            When the profile is missing or does not work.
        """
        if self._context.mode != "apply":
            return self._not_done("the check")
        found = read_profile(read_config(self._config_file()), self.profile_name)
        role = found.get("sso_role_name", "not there")
        account = None
        if self._context.connection.is_sandbox and found:  # without a profile there is nothing to call with
            answer = self.terminal.call("sts", "get-caller-identity", profile=self.profile_name)
            account = str(answer.values.get("Account", _short(answer)))
        results = command_line_checks(role, self.profile.role_name, account, self.profile.account_id)
        return show_checks(TITLE, self._context.record("command_line", results))

    def sign_in(self) -> None:
        """Let the scripted person sign the terminal in, by the CLI or by boto3. Writes its token cache."""
        connection, profile = self._context.connection, self.profile
        with self.person() as person:
            if self.terminal.command_line is not None:
                sso_login(self.terminal, self.profile_name, self._approval(person))
                return
            login = begin_login(connection, profile.start_url)
            self._approval(person)(login.user_code)
            save_token(self.terminal.token_folder, profile, login, finish_login(connection, login))

    def _signed_in_on_page(self) -> Line:
        """Let the person allow a login on the sandbox's page, where there is none; writes the token then."""
        if newest_token(self.terminal.token_folder) is None:
            login = WatchedLogin(self._context.connection, self.profile, self.terminal.token_folder)
            _leave_to_person(login.start(self.user_name), "allow the login on the page")
        return Line(_SIGNED_IN)

    def _approval(self, person: Any) -> Callable[[str], object]:
        def approve(code: str) -> object:
            self.last_user_code = code
            return person.do("approve_device", user_code=code)

        return approve

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
        portal = portal_settings(self._context.connection)
        keys = {"sso_start_url": portal["start_url"], "sso_region": portal["region"]}
        return configured if configured is not None and configured.has_portal_of(keys) else None

    def _change(self) -> ProfileChange:
        return plan_profile(self._config_file(), self.profile, self._credentials_file())

    def _config_file(self) -> Path:
        return self.terminal.config_file if self._context.connection.is_sandbox else config_path()

    def _credentials_file(self) -> Path | None:
        return None if self._context.connection.is_sandbox else credentials_path()

    def _write_on_aws(self) -> Line:
        backup = write_profile(self._config_file(), self.profile, self._credentials_file())
        kept = f" What was there is kept as {str(backup)!r}." if backup else ""
        command = f"aws sso login --profile {self.profile_name}"
        return Line(f"✔ profile {self.profile_name!r} is configured.{kept} Sign in: {command}")


def _leave_to_person(shown: Table | Line, words: str) -> NoReturn:
    """Show what a person has to do, and stop there: the cells below need it."""
    display(shown)
    raise NotAppliedError(f"{words}, then run on from here")


def _in_terminal(command: str) -> str:
    """Return that a command is typed in a terminal; its `aws` is one that can sign in."""
    word = word_in_terminal(find_command_lines())
    return _IN_TERMINAL.format(command.replace("aws", word, 1))


def _short(answer: Answer) -> str:
    for word, meaning in _REFUSALS:
        if word in answer.refusal:
            return meaning
    return "the session is over: aws sso login" if "oken" in answer.refusal else answer.refusal


def _shown(name: str, value: Any) -> str:
    if name == "UserId":
        return f"{str(value).partition(':')[0][:4]}…:{str(value).partition(':')[2]}"
    return "(an empty list)" if value == [] else str(value)
