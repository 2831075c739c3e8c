"""What everything passes that a run writes for people: secrets out, and personal data masked where asked for.

Receipts pass `scrubbing` alone: undo compares and restores real values by them.
"""

from __future__ import annotations

from typing import Any

from idc_helpers.masking import current_masker
from idc_helpers.scrubbing import scrub, scrub_values


def clean(text: str) -> str:
    """Return a text without secrets, and without personal data when the run masks it."""
    masker = current_masker()
    text = scrub(text)
    return masker.mask(text) if masker else text


def clean_values(value: Any) -> Any:
    """Return JSON-like data in which every text is as `clean` leaves it, and secret names hold nothing."""
    masker = current_masker()
    value = scrub_values(value)
    return masker.mask_values(value) if masker else value


def masked_values(value: Any) -> Any:
    """Return JSON-like data with personal data masked when the run masks it; secrets are not looked for."""
    masker = current_masker()
    return masker.mask_values(value) if masker else value
