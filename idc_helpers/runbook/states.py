"""How far a step of the lesson can be; each state has a symbol and a word, so that no colour is needed."""

from __future__ import annotations

from enum import Enum


class StepState(Enum):
    """The states, as (symbol, word)."""

    DONE = ("✔", "done")
    WAITING = ("✎", "waiting for you")
    """Only a person can do it, and can do it now."""
    NOT_APPLIED = ("○", "not applied")
    CHANGED_OUTSIDE = ("≠", "changed outside")
    """The receipts name what this kit made; the target holds something else now."""
    LATER = ("…", "later")
    """Another step comes first."""
    BY_YOURSELF = ("☐", "by yourself")
    """Nothing that the kit can read shows whether it is done."""
    NOT_ASKED = ("–", "not asked for")
    UNREADABLE = ("?", "cannot be read")

    @property
    def symbol(self) -> str:
        """One character."""
        return self.value[0]

    @property
    def word(self) -> str:
        """What the symbol means."""
        return self.value[1]

    @property
    def is_open(self) -> bool:
        """Whether there is something to do now."""
        return self in (StepState.WAITING, StepState.NOT_APPLIED, StepState.CHANGED_OUTSIDE)
