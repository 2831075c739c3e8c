"""Small plain-text tables and numbers in words, for terminals and logs of continuous integration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

DONE_WORDS = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "unchanged": "unchanged",
    "skipped": "skipped",
}
PLAN_WORDS = {
    "create": "to create",
    "update": "to update",
    "delete": "to delete",
    "unchanged": "unchanged",
    "skipped": "skipped",
}


def text_table(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """Return rows as columns that line up; the first row is the heading.

    Parameters
    ----------
    rows
        All of one length.
    right
        Indices of the columns that are aligned to the right.
    """
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = [
        "  ".join(_cell(text, widths[i], i in right) for i, text in enumerate(row)).rstrip() for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _cell(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


def changes_in_words(changes: Mapping[str, int], *, planned: bool = False) -> str:
    """Return numbers of changes as a person says them, such as ``"3 created, 1 unchanged"``."""
    words = PLAN_WORDS if planned else DONE_WORDS
    parts = [f"{changes[action]} {word}" for action, word in words.items() if changes.get(action)]
    return ", ".join(parts) or "nothing to do"


def seconds_in_words(seconds: float) -> str:
    """Return a time as ``"7.3 s"`` or ``"2 min 05 s"``."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``"1 check"`` or ``"3 checks"``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
