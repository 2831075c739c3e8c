"""Takes secrets, and where a run masks them people too, out of what anybody sees or stores."""
# It is the safety net, not the plan: secrets never enter parameters, widgets, receipts or outputs by design.

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import html
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from idc_aws.project import MASKING_VARIABLE
from idc_aws.secrets import (
    REMOVED,
    SHAPES,
    Secret,
    announced_values,
    broken_keys,
    long_words,
    looks_secret,
    without_examples,
)

NAMED = "a value whose name says that it is a secret"
_KNOWN_KIND = "the value of a secret variable"
_SECRET_VARIABLE = re.compile(
    r"secret|token|passw(?:or)?d|passphrase|private_?key|api_?key|credential", re.IGNORECASE
)
_NO_SECRET_VARIABLE = re.compile(
    r"_(?:file|path|dir|url|uri|arn|name|host|port|ttl|type|provider)$", re.IGNORECASE
)
_SHORTEST = 6
_LONGEST_KEPT = 1000
_LONG = 100_000
_WORDS = frozenset({"password", "passwd", "secret", "default", "disabled", "enabled", "required", REMOVED})
# Colours, and what moves the cursor or clears a line: control sequences of ECMA-48.
_CONTROLS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_NAME = re.compile(r"[\w.:/ -]{1,200}")
_MOST_NESTED = 3
_MOST_ROUNDS = 20
_NO_TEXT = re.compile(r"(?:image/(?!svg)|audio/|video/|font/|application/(?:pdf|octet-stream|zip))\S*")
_remembered: set[str] = set()


def remember_secret(value: str) -> None:
    """Take a value that has just been learnt out of everything from now on, such as a sandbox's own key."""
    if len(value) >= _SHORTEST:
        _remembered.add(value)


def scrub(text: str) -> str:
    """Return the text without secrets; access key ids keep ``AKIA`` or ``ASIA``: readers learn from it."""
    return scrub_together((text,))[0]


def scrub_together(pieces: Sequence[str], learnt: frozenset[str] = frozenset()) -> list[str]:
    """Return texts without secrets, also without those that run from one text into the next."""
    return _scrub_pieces(pieces, known_values() | learnt)


def _scrub_pieces(pieces: Sequence[str], known: frozenset[str]) -> list[str]:
    # The same notebook is saved several times: its texts are looked at once, unless they are huge.
    size = sum(map(len, pieces))
    look = _clean_short if size <= _LONGEST_KEPT else _clean_long if size <= _LONG else _clean
    return list(look(tuple(pieces), known))


def _clean(pieces: tuple[str, ...], known: frozenset[str]) -> tuple[str, ...]:
    for _ in range(_MOST_ROUNDS):  # what was taken out may have hidden where another one begins
        for plain in _plain_texts(pieces):
            places = [(secret.start, secret.end) for secret in _secrets_in("".join(plain), known)]
            if places:
                pieces = _replaced(plain, places, REMOVED)
                break
        else:
            return pieces
    return pieces


_clean_short = functools.lru_cache(maxsize=8192)(_clean)
_clean_long = functools.lru_cache(maxsize=64)(_clean)


def _secrets_in(text: str, known: frozenset[str] = frozenset()) -> list[Secret]:
    """Return the secrets in a text that is as a terminal shows it, known values among them, in order."""
    folded = _folded(text)
    pattern = _known_pattern(known)
    places = [match.span() for match in pattern.finditer(text)] if pattern else []
    found = [secret for shape in SHAPES for secret in shape.find(text, folded)]
    found += [*long_words(text), *broken_keys(text)]
    found += [Secret(*place, NAMED, False) for place in announced_values(text, folded)]
    known_ones = [Secret(*place, _KNOWN_KIND, True) for place in places]
    return _apart([*known_ones, *without_examples(text, found)])


def _folded(text: str) -> str:
    folded = text.lower()
    if len(folded) != len(text):  # a few letters have two in lower case
        folded = "".join(one if len(one.lower()) != 1 else one.lower() for one in text)
    return folded


def _apart(found: Iterable[Secret]) -> list[Secret]:
    """Return secrets in order, none over another: what is found twice is as wide and as sure as any says."""
    kept: list[Secret] = []
    for secret in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or secret.start >= kept[-1].end:
            kept.append(secret)
            continue
        last = kept[-1]
        kind, is_sure = (
            (secret.kind, True) if secret.is_sure and not last.is_sure else (last.kind, last.is_sure)
        )
        kept[-1] = Secret(last.start, max(last.end, secret.end), kind, is_sure)
    return kept


def _replaced(pieces: Sequence[str], places: Iterable[tuple[int, int]], by: str) -> tuple[str, ...]:
    """Return texts in which places of the whole hold something else."""
    changed: list[list[str]] = [[] for _ in pieces]
    number, offset, here = 0, 0, 0  # of the piece, of its start in the whole, and of what is done
    for start, end in (*places, (sum(map(len, pieces)), -1)):
        while number < len(pieces) - 1 and offset + len(pieces[number]) <= start:
            changed[number].append(pieces[number][max(0, here - offset) :])
            offset += len(pieces[number])
            number += 1
        changed[number].append(pieces[number][max(0, here - offset) : start - offset])
        if end >= 0:
            changed[number].append(by)
        here = end
    return tuple("".join(parts) for parts in changed)


def _plain_texts(pieces: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield texts as a terminal shows them, with spaces for its controls, and as they are."""
    # A control may stand within a secret, join a word and a secret, or be none and begin like one.
    if any("\x1b[" in piece for piece in pieces):
        for between in ("", " "):
            plain = pieces
            for _ in range(_MOST_NESTED):
                places = [match.span() for match in _CONTROLS.finditer("".join(plain))]
                plain = _replaced(plain, places, between)
            yield plain
    yield pieces


def find_secrets(text: str) -> list[str]:
    """Return the kinds of what surely are secrets in a text, in words; never a value."""
    return list(dict.fromkeys(kind for _, kind in secret_lines(text)))


def secret_lines(text: str) -> list[tuple[int, str]]:
    """Return the lines, counted from 1, and the kinds of what surely are secrets in a text."""
    known = known_values()
    found = {
        (plain.count("\n", 0, secret.start) + 1, secret.kind): None
        for (plain,) in _plain_texts((text,))
        for secret in _secrets_in(plain, known)
        if secret.is_sure
    }
    return list(found)


@functools.lru_cache(maxsize=512)
def announced(text: str) -> frozenset[str]:
    """Return the values that names in a text announce and that are secret wherever they are."""
    plain = next(_plain_texts((text,)))[0]
    values = (plain[secret.start : secret.end] for secret in _secrets_in(plain) if secret.kind == NAMED)
    return frozenset(value for value in values if len(value) >= _SHORTEST and looks_secret(value))


def known_values() -> frozenset[str]:
    """Return the values of this process's secret variables, and what `remember_secret` was given."""
    named = (os.environ[name] for name in os.environ if _is_secret_variable(name))
    return frozenset({*filter(_may_be_secret, named), *_remembered})


@functools.lru_cache(maxsize=1024)
def _is_secret_variable(name: str) -> bool:
    return _SECRET_VARIABLE.search(name) is not None and _NO_SECRET_VARIABLE.search(name) is None


def _may_be_secret(value: str) -> bool:
    is_place = value.startswith(("/", "~", "http://", "https://"))
    return len(value) >= _SHORTEST and not is_place and value.casefold() not in _WORDS


@functools.lru_cache(maxsize=16)
def _known_pattern(known: frozenset[str]) -> re.Pattern[str] | None:
    """Return what finds known values as they are, and as URLs, JSON, HTML and base64 write them."""
    forms: set[str] = set()
    for value in known:
        forms |= {*_forms(value), quote(value, safe=""), base64.b64encode(value.encode()).decode()}
    return re.compile(_any_of(forms)) if forms else None


def _forms(value: str) -> set[str]:
    """Return how a value is written in texts, in JSON of ASCII only, and in pages."""
    return {value, json.dumps(value)[1:-1], html.escape(value)}


def _any_of(forms: Iterable[str]) -> str:
    """Return the pattern of some texts; the longest first, because one may begin like another."""
    return "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))


def scrub_values(value: Any, learnt: frozenset[str] = frozenset()) -> Any:
    """Return JSON-like data with every text scrubbed, and with the values under secret names removed."""
    return _scrub_value(value, known_values() | learnt)


def _scrub_value(value: Any, known: frozenset[str]) -> Any:
    if isinstance(value, str):
        return _scrub_pieces((value,), known)[0]
    if isinstance(value, Mapping):
        if value.get("model_name") == "PasswordModel":  # a widget whose state papermill keeps
            value = {**value, "state": _without_value(value.get("state"))}
        pair = _value_of_pair(value)
        return {
            _scrub_value(name, known): REMOVED if name == pair else _scrub_named(name, part, known)
            for name, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [_scrub_value(part, known) for part in value]
    return value


def secret_places(data: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """Return which values of JSON-like data `scrub_values` would change, each with a secret's kind."""
    places: list[tuple[tuple[str | int, ...], str]] = []
    leaves = list(_leaves(data, ()))
    texts = [str(value) for _, value in leaves]
    # One look at all of them takes a hundredth of a look at each.
    is_suspect = scrub(whole := "\n\0\n".join(texts)) != whole
    for (location, value), text in zip(leaves, texts, strict=True):
        kinds = [secret.kind for secret in _secrets_in(text, known_values())] if is_suspect else []
        if is_suspect and not kinds and scrub(text) != text:
            kinds = ["what a terminal's colours hide"]
        name = location[-1]
        if not kinds and value != name and _is_secret_name(name) and _announces(name, value):
            kinds = [NAMED]
        places += [(location, kind) for kind in kinds[:1]]
    return places


@functools.lru_cache(maxsize=1024)
def _is_secret_name(name: str | int) -> bool:
    return _announces(name, "Tr0ub4dor3")


def _leaves(value: Any, location: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield (*location, name), name
            yield from _leaves(part, (*location, name))
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _leaves(part, (*location, number))
    elif value is not None and location:
        yield location, value


def _without_value(state: Any) -> Any:
    return {**state, "value": REMOVED} if isinstance(state, Mapping) and state.get("value") else state


def _value_of_pair(value: Mapping[Any, Any]) -> Any:
    """Return the key of a secret value in ``{"Name": "DB_PASSWORD", "Value": "…"}``, or None."""
    names = {str(key).casefold(): key for key in value}
    for named, key in names.items():
        held = names.get(named.removesuffix("name").removesuffix("key") + "value")
        if named.endswith(("name", "key")) and held is not None and _announces(value[key], value[held]):
            return held
    return None


def _announces(name: Any, value: Any) -> bool:
    if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, str | int):
        return False
    if not _NAME.fullmatch(name):
        return False
    line = f"{name[-100:]}={json.dumps(str(value), ensure_ascii=False)}"
    if next(announced_values(line, _folded(line)), None) is None:
        return False  # most: what surer shapes are in its place needs no look then
    return any(secret.kind == NAMED for secret in _secrets_in(line))


def _scrub_named(name: Any, value: Any, known: frozenset[str]) -> Any:
    if isinstance(name, str) and is_picture(name):
        return value
    return REMOVED if _announces(name, value) else _scrub_value(value, known)


def is_picture(media_type: str) -> bool:
    """Tell whether data of a media type is no text: a picture, a sound, a document. It is not looked at."""
    return _NO_TEXT.fullmatch(media_type) is not None


# Stand-ins in the place of people's names and addresses. The same person has the same ones in all that a run
# writes, so that its tables stay readable: ``mary.major`` is ``person-1`` everywhere. A run's processes share
# a private file that says who is who; it lies outside of the run's folder and goes with the run.

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
_SHORTEST_PERSONAL = 2
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
        self._written = {
            form: stand
            for value, stand in self._stand_ins.items()
            for form in {*_forms(value), value.casefold()}
        }
        # By their first word, with its place in them; of several at a place the first and longest is taken.
        self._forms_of_word: dict[str, list[tuple[int, str]]] = {}
        for form in sorted(self._written, key=len, reverse=True):
            if word := _WORD.search(form):
                self._forms_of_word.setdefault(word[0], []).append((word.start(), form))
        for forms in self._forms_of_word.values():
            forms.sort(key=lambda each: -each[0])

    def as_json(self) -> str:
        """Return what `from_json` makes the same masker of; it holds the personal data."""
        return json.dumps({"people": self._people, "key": self._key.decode()})

    @classmethod
    def from_json(cls, text: str) -> Masker:
        """Return the masker that `as_json` described."""
        return cls(**json.loads(text))

    def mask(self, text: str) -> str:
        """Return a text with stand-ins, e-mail addresses and phone numbers that nobody named included."""
        text = "".join(self._without_people(text))
        text = _EMAIL.sub(self._unnamed_address, text)
        return _PHONE.sub(lambda match: f"phone-{self._mark(match[0])}", text)

    def _without_people(self, text: str) -> Iterator[str]:
        # One pattern of thousands of names would take a time that is their number times the text's length.
        done = 0
        for word in _WORD.finditer(text):
            for offset, form in self._forms_of_word.get(word[0], ()):
                start, end = word.start() - offset, word.start() - offset + len(form)
                if start >= done and text.startswith(form, start) and _stands_alone(text, start, end):
                    yield text[done:start]
                    yield self._written[form]
                    done = end
                    break
        yield text[done:]

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
        if isinstance(value, str) and len(value.strip()) >= _SHORTEST_PERSONAL:
            yield value.strip(), stand_in


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Tell whether a place of a text is no part of a longer word."""
    return not _WORD.match(text, start - 1, start) and not _WORD.match(text, end, end + 1)


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


def clean(text: str) -> str:
    """Return a text without secrets, and without personal data when the run masks it."""
    return str(masked_values(scrub(text)))


def clean_values(value: Any) -> Any:
    """Return JSON-like data in which every text is as `clean` leaves it, and secret names hold nothing."""
    return masked_values(scrub_values(value))


def masked_values(value: Any) -> Any:
    """Return JSON-like data with personal data masked when the run masks it; secrets are not looked for."""
    masker = current_masker()
    return masker.mask_values(value) if masker else value
