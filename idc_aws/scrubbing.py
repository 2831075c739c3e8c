"""Takes secrets out of a text before anybody sees or stores it: the safety net, not the plan.

Secrets never enter parameters, widgets, receipts or outputs by design. What slips through, such as a header
that a library prints in an exception, is caught here: by a name that says what follows it is a secret, by
shapes that secrets have (`idc_aws.secrets`), and by the values of this process's secret variables,
wherever they appear.
"""

from __future__ import annotations

import base64
import functools
import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from idc_aws.project import MASKING_VARIABLE
from idc_aws.secrets import NAMED, REMOVED, Secret, apart, is_announced, looks_secret, secrets_in

__all__ = ["REMOVED", "find_secrets", "remember_secret", "scrub", "scrub_together", "scrub_values"]

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
    """Return the text without access keys, secret keys, tokens, codes, private keys and passwords.

    Access key ids keep their first four letters (``AKIA`` or ``ASIA``): which kind it was is what a reader
    learns from. A text with a terminal's colours loses them when they would hide a secret.
    """
    return scrub_together((text,))[0]


def scrub_together(pieces: Sequence[str], learnt: frozenset[str] = frozenset()) -> list[str]:
    """Return texts without secrets, also without those that run from one text into the next."""
    return _scrub_pieces(pieces, known_values() | learnt)


def _scrub_pieces(pieces: Sequence[str], known: frozenset[str]) -> list[str]:
    # The same notebook is saved several times: its texts are looked at once, unless they are huge.
    size = sum(map(len, pieces))
    if size <= _LONGEST_KEPT:
        return list(_looked_up(tuple(pieces), known))
    return list(_looked_up_long(tuple(pieces), known) if size <= _LONG else _clean(tuple(pieces), known))


@functools.lru_cache(maxsize=8192)
def _looked_up(pieces: tuple[str, ...], known: frozenset[str]) -> tuple[str, ...]:
    return _clean(pieces, known)


@functools.lru_cache(maxsize=64)
def _looked_up_long(pieces: tuple[str, ...], known: frozenset[str]) -> tuple[str, ...]:
    return _clean(pieces, known)


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


def _secrets_in(text: str, known: frozenset[str]) -> list[Secret]:
    """Return the secrets in a text that is as a terminal shows it, known values among them."""
    pattern = _pattern(known)
    places = [Secret(*match.span(), _KNOWN_KIND, True) for match in pattern.finditer(text)] if pattern else []
    return apart([*places, *secrets_in(text)])


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
    """Yield texts as a terminal shows them, with blanks for its controls, and as they are.

    A control may stand within a secret, join a word and a secret, or be none and begin like one.
    """
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
    values = (plain[secret.start : secret.end] for secret in secrets_in(plain) if secret.kind == NAMED)
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
def _pattern(known: frozenset[str]) -> re.Pattern[str] | None:
    """Return what finds known values as they are, and as URLs, JSON, HTML and base64 write them."""
    forms: set[str] = set()
    for value in known:
        forms |= {value, quote(value, safe=""), json.dumps(value)[1:-1], html.escape(value)}
        forms.add(base64.b64encode(value.encode()).decode())
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if forms else None


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
        if (
            not kinds
            and value != location[-1]
            and _is_secret_name(location[-1])
            and _announces(location[-1], value)
        ):
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
    return is_announced(line)


def _scrub_named(name: Any, value: Any, known: frozenset[str]) -> Any:
    if isinstance(name, str) and is_picture(name):
        return value
    return REMOVED if _announces(name, value) else _scrub_value(value, known)


def is_picture(media_type: str) -> bool:
    """Tell whether data of a media type is no text: a picture, a sound, a document. It is not looked at."""
    return _NO_TEXT.fullmatch(media_type) is not None


# What everything passes that a run writes for people: secrets out, and personal data masked where asked for.


def clean(text: str) -> str:
    """Return a text without secrets, and without personal data when the run masks it."""
    return str(masked_values(scrub(text)))


def clean_values(value: Any) -> Any:
    """Return JSON-like data in which every text is as `clean` leaves it, and secret names hold nothing."""
    return masked_values(scrub_values(value))


def masked_values(value: Any) -> Any:
    """Return JSON-like data with personal data masked when the run masks it; secrets are not looked for."""
    if not os.environ.get(MASKING_VARIABLE):
        return value
    from idc_aws.masking import current_masker  # noqa: PLC0415  only where a run masks

    masker = current_masker()
    return masker.mask_values(value) if masker else value
