"""A word that a person mistyped, and the word that they probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return a question that offers the nearest choice, or nothing.

    Parameters
    ----------
    word
        What was typed.
    choices
        What would have been right.

    Returns
    -------
    str
        ``"Did you mean 'ReadOnlyAccess'?"``, or ``""`` where no choice is near.
    """
    by_folded = {choice.casefold(): choice for choice in choices}
    near = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f"Did you mean {by_folded[near[0]]!r}?" if near else ""
