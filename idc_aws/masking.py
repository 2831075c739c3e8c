"""Puts stand-ins in the place of people's names, e-mail addresses, phone numbers and addresses.

The same person has the same stand-ins in all that a run writes, so that its tables stay readable:
``mary.major`` is ``person-1`` and mary.major@example.com ``p1@masked.example`` everywhere. A run's processes
share a private file that says who is who; it lies outside of the run's folder and goes with the run.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import html
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from idc_aws.project import MASKING_VARIABLE

_DOMAIN = "masked.example"
# What a scenario says of a user → the stand-in, with the person's number.
_STAND_INS = {
    "display_name": "Person {}",
    "user_name": "person-{}",
    "email": f"p{{}}@{_DOMAIN}",
    "given_name": "Given-{}",
    "middle_name": "Middle-{}",
    "family_name": "Family-{}",
    "nick_name": "Nick-{}",
    "phone_number": "phone-{}",
    "website": f"https://{_DOMAIN}/p{{}}",
    "profile_url": f"https://{_DOMAIN}/p{{}}/profile",
    "birthdate": "birthdate-{}",
    "formatted": "address-{}",
    "street_address": "street-{}",
    "locality": "town-{}",
    "postal_code": "postcode-{}",
    "employee_number": "employee-{}",
}
_SHORTEST = 2
_WORD = re.compile(r"\w+")
_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_PHONE = re.compile(r"(?<![\w+])\+\d[\d ()./-]{6,}\d(?!\w)")


class Masker:
    """Knows the stand-ins of one run."""

    def __init__(self, people: Iterable[Mapping[str, Any]], key: str) -> None:
        self._key = key.encode()
        self._people = [dict(person) for person in people]
        self._stand_ins: dict[str, str] = {}
        for number, person in enumerate(self._people, start=1):
            for value, stand_in in _personal_values(person):
                self._stand_ins.setdefault(value, stand_in.format(number))
        self._written = {form: stand for value, stand in self._stand_ins.items() for form in _forms(value)}
        self._forms_of_word: dict[str, list[str]] = {}
        for form in self._written:
            for word in _WORD.findall(form)[:1]:
                self._forms_of_word.setdefault(word, []).append(form)

    def as_json(self) -> str:
        """Return what `from_json` makes the same masker of; it holds the personal data."""
        return json.dumps({"people": self._people, "key": self._key.decode()})

    @classmethod
    def from_json(cls, text: str) -> Masker:
        """Return the masker that `as_json` described."""
        return cls(**json.loads(text))

    def mask(self, text: str) -> str:
        """Return a text with stand-ins, e-mail addresses and phone numbers that nobody named included."""
        # Thousands of names in one pattern would be slow: only those whose first word occurs are looked for.
        words = set(_WORD.findall(text)) & self._forms_of_word.keys()
        present = frozenset(form for word in words for form in self._forms_of_word[word] if form in text)
        if present:
            text = _pattern(present).sub(lambda match: self._written[match[0]], text)
        text = _EMAIL.sub(self._unnamed_address, text)
        return _PHONE.sub(lambda match: f"phone-{self._mark(match[0])}", text)

    def mask_values(self, value: Any) -> Any:
        """Return JSON-like data in which every text, keys included, is masked; it is not changed."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, Mapping):
            return {self.mask_values(name): self.mask_values(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.mask_values(part) for part in value]
        return value

    def _unnamed_address(self, match: re.Match[str]) -> str:
        return match[0] if match[0].endswith(f"@{_DOMAIN}") else f"someone-{self._mark(match[0])}@{_DOMAIN}"

    def _mark(self, value: str) -> str:
        return hmac.new(self._key, value.casefold().encode(), hashlib.sha256).hexdigest()[:6]


def _personal_values(person: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each personal value of a person with its stand-in's template, the most telling ones first."""
    fields = {**person}
    for part in ("address", "enterprise"):
        fields |= person.get(part) or {}
    for name, stand_in in _STAND_INS.items():
        value = fields.get(name)
        if isinstance(value, str) and len(value.strip()) >= _SHORTEST:
            yield value.strip(), stand_in


def _forms(value: str) -> set[str]:
    """Return how a value is written in texts, in JSON of ASCII only, and in pages."""
    return {value, value.casefold(), json.dumps(value)[1:-1], html.escape(value)}


@functools.lru_cache(maxsize=256)
def _pattern(forms: frozenset[str]) -> re.Pattern[str]:
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")


@contextmanager
def masking(people: Iterable[Mapping[str, Any]]) -> Iterator[None]:
    """Mask what this process and those that it starts write, for the length of a block."""
    masker = Masker(people, secrets.token_hex(16))
    descriptor, name = tempfile.mkstemp(prefix="idc-masking-", suffix=".json")  # its owner's alone
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(masker.as_json())
    before = os.environ.get(MASKING_VARIABLE)
    os.environ[MASKING_VARIABLE] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ[MASKING_VARIABLE]
        else:
            os.environ[MASKING_VARIABLE] = before
        Path(name).unlink(missing_ok=True)


def current_masker() -> Masker | None:
    """Return the masker of the run that this process belongs to, or None when nothing is masked."""
    name = os.environ.get(MASKING_VARIABLE)
    return _read(name) if name else None


@functools.lru_cache(maxsize=2)
def _read(name: str) -> Masker:
    return Masker.from_json(Path(name).read_text("utf-8"))
