"""An apply under a person's eyes: the calls as they are sent, and a way to stop between two of them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from idc_helpers.aws.watching import Call, watched_writes
from idc_helpers.changes import Change
from idc_helpers.display.call_lists import call_in_words
from idc_helpers.display.live import progress_in_words
from idc_helpers.errors import CancelledError
from idc_helpers.runbook.applying import Outcome, Progress


class WatchedApply:
    """One apply; says how far it is, and can be cancelled.

    Parameters
    ----------
    expected
        How many calls the plan's rehearsal counted; 0: not known.
    say
        Called with what to show, from the thread that applies.
    """

    def __init__(self, expected: int, say: Callable[[str], None]) -> None:
        self._expected, self._say = expected, say
        self._cancelled = threading.Event()
        self._words = ""
        self._made = self._total = self._sent = 0

    def run(self, apply: Callable[[Progress], Outcome]) -> Outcome:
        """Apply, and return what was done.

        Raises
        ------
        CancelledError
            When `cancel` was called before the last call was sent.
        KitError
            When the apply fails.
        """
        with watched_writes(self._about_to_send):
            return apply(self._progress)

    def cancel(self) -> None:
        """Send no further call; the one that is under way is waited for. Safe from any thread."""
        self._cancelled.set()

    def _progress(self, event: str, change: Change, made: int, total: int) -> None:
        self._made, self._total = made, total
        self._words = progress_in_words(event, change, made, total)
        self._say(self._words)

    def _about_to_send(self, call: Call) -> None:
        if self._cancelled.is_set():
            raise CancelledError(
                f"cancelled: {self._made} of {self._total} changes are done, and no further call was sent",
                remedy="What is done has its receipts. Press Apply again to finish what is left,"
                " or undo this step.",
            )
        self._sent += 1
        number = f"{self._sent} of {max(self._expected, self._sent)}" if self._expected else str(self._sent)
        self._say(f"{self._words}\nCall {number}: {call_in_words(call)}")
