"""Which job may start when: after the jobs that it waits for, and never after one that failed."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator, Mapping, Sequence

from idc_helpers.errors import InvalidValueError

_LONGEST_TOLD = 10  # names of a circle


def in_order(after: Mapping[str, Sequence[str]]) -> list[str]:
    """Return all names, each after those that it waits for.

    Parameters
    ----------
    after
        By name: the names that come before it.

    Raises
    ------
    InvalidValueError
        When some of them wait for one another in a circle.
    """
    try:
        return list(graphlib.TopologicalSorter(after).static_order())
    except graphlib.CycleError as error:
        circle = [repr(name) for name in reversed(error.args[1])]
        if len(circle) > _LONGEST_TOLD:
            circle = [*circle[: _LONGEST_TOLD - 1], f"{len(circle) - _LONGEST_TOLD} more", circle[-1]]
        raise InvalidValueError(
            f"{' waits for '.join(circle)}: none of them could ever start",
            remedy="Take one of these names out of an `after`.",
        ) from error


class JobOrder:
    """Hands out the names of jobs as they become free to start.

    Parameters
    ----------
    after
        By name, in the table's order: the names that come before it.
    """

    def __init__(self, after: Mapping[str, Sequence[str]]) -> None:
        self._sorter = graphlib.TopologicalSorter(after)
        self._sorter.prepare()
        self._after = after
        self._without_success: set[str] = set()

    def __bool__(self) -> bool:
        return self._sorter.is_active()

    def free(self) -> Iterator[str]:
        """Yield the names that have become free to start since the last time."""
        positions = {name: position for position, name in enumerate(self._after)}
        yield from sorted(self._sorter.get_ready(), key=positions.__getitem__)

    def obstacle(self, name: str) -> str | None:
        """Return the name of a job before this one that did not pass, or None."""
        return next((other for other in self._after[name] if other in self._without_success), None)

    def ended(self, name: str, *, passed: bool) -> None:
        """Take down that a job has ended, or was not run."""
        if not passed:
            self._without_success.add(name)
        self._sorter.done(name)
