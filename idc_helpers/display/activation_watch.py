"""Watching a person on the way to the access portal: each step is ticked in the notebook as it is done."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from idc_helpers.aws.activation import PersonStatus, describe_person
from idc_helpers.aws.connected import Connection
from idc_helpers.display.live import LiveLine

POLL_S = 1.0
WATCH_S = 30 * 60.0


class ActivationWatch:
    """Looks at the target until the person has signed in; a newer watch of the same person ends it.

    Parameters
    ----------
    connection
        To the target; only read from.
    user_name
        Who.
    """

    _newest: dict[str, ActivationWatch] = {}  # noqa: RUF012 - shared on purpose: a cell that runs again starts another

    def __init__(self, connection: Connection, user_name: str) -> None:
        self._connection = connection
        self._user_name = user_name
        self._line = LiveLine()
        self._background: Any = None

    def start(self) -> None:
        """Show how far the person is, and keep looking in the background."""
        from idc_helpers.display.background import Background  # noqa: PLC0415 - only where a person sits

        self._newest[self._user_name] = self
        self._line.say(steps_in_words(describe_person(self._connection, self._user_name)))
        self._background = Background()
        self._background.start(self._look, self._end)

    def _look(self) -> None:
        deadline, said = time.monotonic() + WATCH_S, ""
        while time.monotonic() < deadline and self._newest.get(self._user_name) is self:
            person = describe_person(self._connection, self._user_name)
            if (words := steps_in_words(person)) != said:
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


def steps_in_words(person: PersonStatus) -> str:
    """Return such as ``"✔ invited · ✔ password set · … MFA device registered · … signed in"``."""
    ticks = (
        ("invited", True),
        ("password set", person.has_password),
        ("MFA device registered", person.device_kinds),
        ("signed in", person.session_count),
    )
    words = " · ".join(f"{'✔' if done else '…'} {words}" for words, done in ticks)
    return f"{words}. You can run the check now." if person.session_count else words
