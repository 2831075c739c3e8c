"""Exceptions as a notebook shows and stores them: without secrets."""

from __future__ import annotations

from typing import Any

from idc_helpers.scrubbing import scrub, scrub_together


def scrub_shown_errors(shell: Any) -> None:
    """Have IPython's shell show every exception scrubbed from now on; a second call changes nothing.

    Parameters
    ----------
    shell
        IPython's shell, or None outside of one.
    """
    original = getattr(shell, "_showtraceback", None)
    if original is None or getattr(original, "scrubs", False):
        return

    def show(kind: type[BaseException], value: BaseException | str, lines: list[str]) -> None:
        original(kind, scrub(str(value)), _without_secrets(lines))

    show.scrubs = True  # type: ignore[attr-defined]
    # There is no public hook that covers both the traceback and the message that the notebook stores.
    shell._showtraceback = show


def _without_secrets(lines: list[str]) -> list[str]:
    """Return a traceback's parts scrubbed as one text: a secret may run over several of them."""
    return scrub_together([piece for line in lines for piece in (line, "\n")])[::2]
