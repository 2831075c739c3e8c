"""Temporary credentials to their end (notebook 11), and pictures of how long everything lasts."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import timedelta

from idc_aws.errors import CredentialsError, InvalidValueError, NotFoundError
from idc_aws.files import read_table
from idc_aws.identifiers import describe_duration, did_you_mean, format_length, parse_duration
from idc_aws.permission_sets import PermissionSets
from idc_aws.settings import ConsoleSettings
from idc_aws.signin.activation import require_console
from idc_aws.signin.login import (
    SignInTrace,
    TemporaryCredentials,
    account_of_key,
    get_role_credentials,
    read_sign_in_trace,
    refresh_token,
    who_am_i,
)
from idc_aws.signin.profiles import SCOPE, SsoProfile
from idc_helpers.notebook.activation import CONSOLE_HOME
from idc_helpers.notebook.command_line import CommandLineStep
from idc_helpers.notebook.pictures import Message, Row, SequenceDiagram, TimeAxis
from idc_helpers.notebook.screen import is_guided, show_checks
from idc_helpers.notebook.tables import Line, Table
from idc_helpers.runbook.explain_failures import credentials_checks, role_and_person
from idc_helpers.runbook.run import RunContext

CREDENTIALS_TITLE = "Temporary credentials"
_MARGIN_S = 60.0
_NO_SESSION = (
    "… not yet: nobody is signed in. Sign in as notebook 10 shows, then run this notebook's cells again."
)
_NOT_HERE = Line("This is lived through in the sandbox, in mode 'apply': nothing was done here.")


class CredentialsStep:
    """Credentials of the profile's role, from their birth to their end."""

    def __init__(self, context: RunContext, profile: CommandLineStep) -> None:
        self._context = context
        self._profile = profile
        self._keys: TemporaryCredentials | None = None
        self._seen: dict[str, str] = {}

    @property
    def permission_set(self) -> str:
        """The permission set that the credentials are of; empty where nothing is done."""
        return self._profile.profile.role_name if self._profile.is_live else ""

    def left_s(self) -> float | None:
        """Return how many seconds the keys at hand have left; None without keys; reads the clock."""
        if self._keys is None:
            return None
        return self._keys.expires_at_s - require_console(self._context.connection).read_clock()

    def compare(self) -> Table | Line:
        """Return both kinds side by side: columns what, long-lived, temporary; signs in first if need be."""
        if not self._profile.is_live:
            return _NOT_HERE
        try:
            keys = self._first_keys()
        except CredentialsError:
            if is_guided():
                return Line(_NO_SESSION)
            raise
        console = require_console(self._context.connection)
        long_lived = self._profile.terminal.administrator_key_id
        minutes = round((keys.expires_at_s - console.read_clock()) / 60)
        left = format_length(timedelta(minutes=minutes))
        without_token = who_am_i(self._context.connection, keys, with_token=False)
        self._seen["whole"] = who_am_i(self._context.connection, keys)
        accounts = [account_of_key(key) for key in (long_lived, keys.access_key_id)]
        accounts = [self._context.name_accounts(account) for account in accounts]
        rows = (
            ("access key id", f"{long_lived[:4]}…", f"{keys.access_key_id[:4]}…"),
            ("account in the id", *accounts),
            ("session token", "none", f"yes; without it: {without_token}"),
            ("ends", "never by itself", f"in {left}"),
            ("belongs to", "an IAM user", role_and_person(self._seen["whole"])),
            ("anyone who finds a copy", "has it until somebody notices", "has it until the end, at most"),
        )
        return Table("Two kinds of keys", ("what", "long-lived", "temporary"), rows)

    def live_through_the_end(self) -> Table | Line:
        """Move the sandbox's clock past the end, and back; columns when, what the keys answer. Writes."""
        if not self._profile.is_live:
            return _NOT_HERE
        connection = self._context.connection
        console = require_console(connection)
        if self._keys is None and is_guided():
            return Line(_NO_SESSION)
        keys = self._keys or self._first_keys()
        before = who_am_i(connection, keys)
        with console.clock_ahead(max(0.0, keys.expires_at_s - console.read_clock()) + _MARGIN_S):
            self._seen["after"] = who_am_i(connection, keys)
            renewed, how = self._renewed_keys()
            self._seen["renewed"] = who_am_i(connection, renewed)
        self._seen["other"] = "yes" if renewed.access_key_id != keys.access_key_id else "no"
        rows = (
            ("before the end", role_and_person(before)),
            ("one minute after the end", self._seen["after"]),
            (how, role_and_person(self._seen["renewed"])),
        )
        return Table("One set of keys, and the next", ("when", "what the keys answer"), rows)

    def console_link(self) -> Table | Line:
        """Return what the console's landing page of the role says: columns what, value; headless only."""
        if not self._profile.is_live:
            return _NOT_HERE
        if is_guided():
            return Line(
                "Open the access portal (notebook 09 has the link) and choose “Console” beside the role: the"
                " permission set's relay state decides which page of the console opens."
            )
        wanted = self._profile.profile
        with self._profile.person() as person:
            shown = person.do("open_console", account_id=wanted.account_id, role_name=wanted.role_name)
        names = (("account_id", "account"), ("role_name", "permission set"), ("principal", "you are"))
        rows = [(words, self._context.name_accounts(shown[name])) for name, words in names if name in shown]
        rows.append(("landing page (relay state)", shown.get("landing", CONSOLE_HOME)))
        return Table("The same role in the console", ("what", "value"), tuple(rows))

    def check(self) -> Table | Line:
        """Return the checks: columns result, name, detail; of what was seen above."""
        if not self._profile.is_live:
            return _NOT_HERE
        if is_guided() and not self._seen:
            return Line(_NO_SESSION)
        results = credentials_checks(self._seen)
        return show_checks(CREDENTIALS_TITLE, self._context.record("temporary_credentials", results))

    def _first_keys(self) -> TemporaryCredentials:
        """Return keys of the session in the terminal; headless, of a new one where it will not do."""
        if is_guided():  # the person signs in, in the terminal
            return self._new_keys()
        with suppress(CredentialsError):
            keys = self._new_keys()
            if who_am_i(self._context.connection, keys).endswith(f"/{self._profile.user_name}"):
                return keys
        self._profile.sign_in()
        return self._new_keys()

    def _new_keys(self) -> TemporaryCredentials:
        wanted = self._profile.profile
        folder = self._profile.terminal.token_folder
        connection = self._context.connection
        self._keys = get_role_credentials(connection, folder, wanted.account_id, wanted.role_name)
        return self._keys

    def _renewed_keys(self) -> tuple[TemporaryCredentials, str]:
        """Return new keys, and how: headless by a new login; guided as the CLI, which refreshes its token."""
        if is_guided():
            refresh_token(self._context.connection, self._profile.terminal.token_folder)
            return self._new_keys(), "new keys, with no new login"
        self._profile.sign_in()
        return self._new_keys(), "new keys after a new login"


_LANES = ("You", "Browser", "AWS CLI", "IAM Identity Center")
_GRANTS = ("device_code", "authorization_code")
_HIDDEN = "(stays in the CLI: a secret)"
_SPENT = "User codes are spent once they are allowed. Of secrets nothing, or only the start, is shown."


def sign_in_conversation(
    context: RunContext, command_line: CommandLineStep | None = None, grant: str = ""
) -> SequenceDiagram:
    """Return a sign-in of the AWS CLI as a sequence diagram; reads the token file, and calls nobody."""
    profile, trace = _happened(command_line)
    grant = grant or trace.grant
    if grant not in _GRANTS:
        raise InvalidValueError(
            f"there is no grant {grant!r}. {did_you_mean(grant, _GRANTS)}".rstrip(),
            remedy=f"One of: {', '.join(_GRANTS)}.",
        )
    table, named = read_table("sign_in", "idc_helpers"), _named(context, profile, trace)
    messages = tuple(
        Message(sender, receiver, words, tuple((name, value.format(**named)) for name, value in values))
        for sender, receiver, words, *values in (
            *table[grant]["messages"],
            *table["credentials"]["messages"],
        )
    )
    return SequenceDiagram(table[grant]["caption"], _LANES, messages, _SPENT)


def _named(context: RunContext, profile: SsoProfile | None, trace: SignInTrace) -> dict[str, str]:
    """Return what a conversation names: real where it took place, said in words where it did not."""
    return {
        "hidden": _HIDDEN,
        "scope": SCOPE,
        "region": profile.sso_region if profile else context.connection.region,
        "start_url": profile.start_url if profile else "your access portal's address",
        "client_id": trace.client_id or "an id for this CLI, for 90 days",
        "user_code": trace.user_code or "eight letters, such as ABCD-EFGH",
        "token": trace.token_start or _HIDDEN,
        "account_id": profile.account_id if profile else "the account of the profile",
        "role_name": profile.role_name if profile else "the permission set of the profile",
    }


def _happened(command_line: CommandLineStep | None) -> tuple[SsoProfile | None, SignInTrace]:
    """Return the profile that signed in, and what may be seen of that; in mode plan and on AWS nothing."""
    if command_line is None or not command_line.is_live:
        return None, SignInTrace()
    profile = command_line.profile
    folder = command_line.terminal.token_folder
    return profile, read_sign_in_trace(folder, profile, command_line.last_user_code)


_DEFAULT_ROLE_S = 3600.0
_MOST_BARS, _FIRST_BARS = 12, 4
_NOTE = "Deleting the session or the user stops new credentials; those that exist live on to their own end."


def life_of_a_session(
    context: RunContext, permission_set: str = "", credentials: CredentialsStep | None = None
) -> TimeAxis:
    """Return how long what a sign-in gives lasts; reads only."""
    left_s = credentials.left_s() if credentials else None
    if credentials and not permission_set:
        permission_set = credentials.permission_set
    portal_s, portal_words = _portal(context)
    role_s, role_words = _role(context, permission_set)
    rows = [
        Row("Access portal session", portal_words, ((0, portal_s),)),
        Row("Token of the AWS CLI", "renewed by itself while the portal session lasts", ((0, portal_s),)),
        _role_credentials(portal_s, role_s, f"{role_words}; then new ones, unasked"),
        Row(
            "The last of them",
            f"fetched just before the end of the session, they outlive it by {describe_duration(role_s)}",
            ((portal_s, portal_s + role_s),),
        ),
    ]
    if left_s is not None:
        rows.append(Row("The keys at hand", f"end in {_minutes(left_s)}", ((0, _rounded(left_s)),)))
    moments = (
        (0.0, "sign in: password and second factor"),
        (portal_s, "the portal session ends: no new credentials until you sign in again"),
        (portal_s + role_s, "the last credentials are dead, by themselves"),
    )
    return TimeAxis("The life of a session", tuple(rows), moments, _NOTE)


def _portal(context: RunContext) -> tuple[float, str]:
    has_instance = context.connection.instance_or_none() is not None
    found = ConsoleSettings(context.connection).read(["sessions"]) if has_instance else {}
    shown = found.get("sessions", {}).get("user_interactive")
    if shown:
        return _said(shown, "as set")
    wanted = str(context.scenario.authentication.sessions.user_interactive)
    return _said(wanted, "as the scenario wants it; no API shows it")


def _role(context: RunContext, name: str) -> tuple[float, str]:
    if not name:
        return _DEFAULT_ROLE_S, f"{describe_duration(_DEFAULT_ROLE_S)} each, AWS's default"
    has_instance = context.connection.instance_or_none() is not None
    found = PermissionSets(context.connection).read([name]) if has_instance else {}
    if name in found:
        return _said(found[name]["session_duration"], f"each, by permission set {name}")
    for wanted in context.scenario.permission_sets:
        if name in (wanted.name, wanted.predefined):
            return _said(str(wanted.session_duration), f"each, as the scenario wants it for {name}")
    raise NotFoundError(
        f"there is no permission set {name!r}, neither on the target nor in the scenario",
        remedy="Apply notebook 05, or name another one.",
    )


def _said(duration: str, words: str) -> tuple[float, str]:
    try:
        length_s = parse_duration(duration).total_seconds()
    except InvalidValueError:
        usual = describe_duration(_DEFAULT_ROLE_S)
        return _DEFAULT_ROLE_S, f"{duration!r} is not a length: drawn as {usual}"
    comma = "" if words.startswith("each") else ","
    return length_s, f"{describe_duration(length_s)}{comma} {words}"


def _role_credentials(portal_s: float, role_s: float, words: str) -> Row:
    """Return credentials one after another; of many the first few: a week of hours is a wall of bars."""
    needed = math.ceil(portal_s / role_s)
    drawn = needed if needed <= _MOST_BARS else _FIRST_BARS
    spans = tuple((number * role_s, (number + 1) * role_s) for number in range(drawn))
    return Row("Role credentials", words, spans, goes_on=drawn < needed)


def _rounded(length_s: float) -> float:
    return max(round(length_s / 60), 0) * 60.0


def _minutes(length_s: float) -> str:
    # Whole minutes: what is shown is the same each time.
    return describe_duration(_rounded(length_s)) if _rounded(length_s) else "less than a minute"
