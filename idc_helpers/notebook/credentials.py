"""Temporary credentials beside long-lived ones, to their end, as notebook 11 uses them."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from idc_aws.errors import CredentialsError
from idc_aws.identifiers import format_length
from idc_aws.signin.activation import require_console
from idc_aws.signin.login import (
    TemporaryCredentials,
    account_of_key,
    get_role_credentials,
    refresh_token,
    who_am_i,
)
from idc_helpers.notebook.activation import CONSOLE_HOME
from idc_helpers.notebook.command_line import CommandLineStep
from idc_helpers.notebook.screen import is_guided, show_checks
from idc_helpers.notebook.tables import Line, Table
from idc_helpers.runbook.person_checks import credentials_checks, role_and_person
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
