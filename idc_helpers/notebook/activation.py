"""A person's activation, as notebook 09 uses it, watched while it happens."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from idc_aws.connection import Connection
from idc_aws.files import read_table
from idc_aws.identity_store import find_principal_id
from idc_aws.signin.activation import PersonStatus, describe_person, invite, require_console, signed_in_person
from idc_helpers.notebook.console_guide import page_links
from idc_helpers.notebook.screen import Background, LiveLine, is_guided, show_checks
from idc_helpers.notebook.tables import Line, Table
from idc_helpers.runbook.explain_failures import activation_checks
from idc_helpers.runbook.run import RunContext

POLL_S = 1.0
WATCH_S = 30 * 60.0


class ActivationWatch:
    """Looks at the target until the person has signed in; a newer watch of the same person ends it."""

    _newest: dict[str, ActivationWatch] = {}  # noqa: RUF012 - shared on purpose: a cell that runs again starts another

    def __init__(self, connection: Connection, user_name: str) -> None:
        self._connection = connection
        self._user_name = user_name
        self._line = LiveLine()
        self._background: Background[None] = Background()

    def start(self) -> None:
        """Show how far the person is, and keep looking in the background."""
        self._newest[self._user_name] = self
        self._line.say(format_steps(describe_person(self._connection, self._user_name)))
        self._background.start(self._look, self._end)

    def _look(self) -> None:
        deadline, said = time.monotonic() + WATCH_S, ""
        while time.monotonic() < deadline and self._newest.get(self._user_name) is self:
            person = describe_person(self._connection, self._user_name)
            if (words := format_steps(person)) != said:
                said = words
                self._background.soon(partial(self._line.say, words))
            if person.session_count:
                return
            time.sleep(POLL_S)

    def _end(self, result: object) -> None:
        if isinstance(result, Exception):
            self._line.say(f"… stopped watching ({result}). Run the cell again to continue.")


def is_on_the_way(person: PersonStatus) -> bool:
    """Return whether an enabled person has not come to the access portal yet; False where nobody can tell."""
    return person.user_status == "ENABLED" and person.session_count == 0


def format_steps(person: PersonStatus) -> str:
    """Return such as ``"✔ invited · ✔ password set · … MFA device registered · … signed in"``."""
    ticks = (
        ("invited", True),
        ("password set", person.has_password),
        ("MFA device registered", person.device_kinds),
        ("signed in", person.session_count),
    )
    words = " · ".join(f"{'✔' if done else '…'} {words}" for words, done in ticks)
    return f"{words}. You can run the check now." if person.session_count else words


ACTIVATION_TITLE = "Activation"
CONSOLE_HOME = "the console's home"
_NO_USER = "The user is not there yet: applying notebook 08 makes it."
_FIRST = (
    "The invitation is on its way. Open the mailbox, accept, sign in; each step is ticked above as you go."
    " The practice phone shows the codes of an authenticator app."
)
_NEXT = (
    "There is a password already. Open the access portal and sign in; each step is ticked above as you go."
)


class ActivationStep:
    """Lets a person become active: guided the person does it, headless a scripted person in the sandbox."""

    def __init__(self, context: RunContext, user_name: str) -> None:
        self._context = context
        self.user_name = user_name

    def guide(self) -> Table:
        """Return what the person will meet: columns step, what is on the screen, note; reads nothing."""
        rows = tuple(map(tuple, read_table("sign_in", "idc_helpers")["first_time"]))
        columns = ("step", "on the screen", "where, and what to know")
        return Table(f"What {self.user_name} will meet", columns, rows)

    def state(self) -> Table:
        """Return how far the person is: columns what, state; reads only."""
        if self._waits():
            return Table(f"How far {self.user_name} is", ("what", "state"), (), note=_NO_USER)
        return _state_table(describe_person(self._context.connection, self.user_name))

    def do(self) -> Table | Line:
        """Invite; let the person (guided) or a scripted one (headless) go the way; writes in the sandbox."""
        connection = self._context.connection
        if self._context.mode != "apply":
            return Line("mode is 'plan': nobody was invited")
        if not connection.is_sandbox:
            return Line("On AWS the person does this in a browser: follow the guide above, then check.")
        if is_guided():
            return self._open_pages()
        with signed_in_person(connection, self.user_name) as person:
            roles = person.do("portal")
            landings = [person.do("open_console", **role).get("landing", CONSOLE_HOME) for role in roles]
        accounts = [self._context.name_accounts(role["account_id"]) for role in roles]
        rows = tuple(
            (account, role["role_name"], landing)
            for account, role, landing in zip(accounts, roles, landings, strict=True)
        )
        columns = ("account", "permission set", "Console opens")
        return Table(f"What the access portal shows {self.user_name}", columns, rows)

    def _waits(self) -> bool:
        connection = self._context.connection
        if self._context.mode != "plan":
            return False
        has_instance = connection.instance_or_none() is not None
        return not (has_instance and find_principal_id(connection, "USER", self.user_name))

    def check(self) -> Table | Line:
        """Return the checks: columns result, name, detail; reads only."""
        if self._context.mode == "plan":
            return Line("mode is 'plan': there is nothing to check")
        person = describe_person(self._context.connection, self.user_name)
        if is_guided() and is_on_the_way(person):
            return Line(
                f"… not yet: {self.user_name!r} is on the way ({format_steps(person)}). Finish it on the "
                "sandbox's pages, then run this cell again."
            )
        results = activation_checks(person, self._settings())
        return show_checks(ACTIVATION_TITLE, self._context.record("activation", results))

    def _settings(self) -> dict[str, Any]:
        connection = self._context.connection
        if connection.console is None:
            return {}
        return connection.console.read_settings(connection.instance.instance_arn)

    def _open_pages(self) -> Line:
        connection = self._context.connection
        person = invite(connection, self.user_name)
        ActivationWatch(connection, self.user_name).start()
        text = _NEXT if person.has_password else _FIRST
        pages = ("mailbox", "portal", "phone")
        return page_links(require_console(connection), *pages, text=text, address=person.email)


def _state_table(person: PersonStatus) -> Table:
    rows = [("user", person.user_name), ("status (UserStatus)", person.user_status or "not shown")]
    if person.has_password is None:
        rows.append(
            ("password, MFA devices, sessions", "no API shows them; the console does, on the user's page")
        )
    else:
        devices = ", ".join(person.device_kinds or ()) or "none"
        rows += [("password", "set" if person.has_password else "none"), ("MFA devices", devices)]
        rows.append(("signed in", "yes" if person.session_count else "no"))
    return Table(f"How far {person.user_name} is", ("what", "state"), tuple(rows))
