"""Passwords: what one must be, who has given the right one, and how guessing is slowed down."""

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/password-requirements.html

from __future__ import annotations

import functools
import json
import secrets
import sqlite3
import string
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from idc_sandbox.api.identity_store.profiles import folded
from idc_sandbox.context import Context
from idc_sandbox.sign_in.people import FormFields, digest, refuse

SHORTEST, LONGEST = 8, 64
REMEMBERED = 3
ONE_TIME_LIFETIME_S = 7 * 86_400.0  # UNCONFIRMED at AWS

# OWASP's second recommendation for argon2id: strong enough, and one sign-in does not hold the others up.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_SYMBOLS = "!#$%*+-=?@_"


def problems_of(password: str) -> list[str]:
    """Return what a password lacks, each as a person reads it; empty for a good one."""
    text = _normal(password)
    length = len(text) if len(text) <= LONGEST else len(password)
    problems = []
    if not SHORTEST <= length <= LONGEST:
        problems.append(f"it must have {SHORTEST} to {LONGEST} characters, and has {length}")
    if not any(character.islower() for character in text):
        problems.append("it needs a lowercase letter")
    if not any(character.isupper() for character in text):
        problems.append("it needs an uppercase letter")
    if not any(character.isdecimal() for character in text):
        problems.append("it needs a digit")
    if all(character.isalnum() for character in text):
        problems.append("it needs a symbol, such as ! or #")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        problems.append("it must not have control characters")
    return problems


def chosen_password(form: FormFields) -> str:
    """Return the new password that a form asks for twice."""
    new = form.get("new_password", "")
    if new != form.get("confirm_password", ""):
        raise refuse("passwords-differ")
    return new


def set_password(context: Context, user_id: str, new: str) -> None:
    """Set the password that a user chose; an administrator's one-time password ends with it. Writes."""
    problems = problems_of(new)
    if problems:
        raise refuse("password-rules", problems="; ".join(problems))
    row, history = _row(context, user_id), _history(context, user_id)
    if any(_fits(kept, new) for kept in history) or (row and _fits(row["password_hash"], new)):
        raise refuse("password-reused", remembered=REMEMBERED)
    new_hash = _HASHER.hash(_normal(new))
    _write(context, user_id, new_hash, history=[new_hash, *history][:REMEMBERED])


def make_one_time_password(context: Context, user_id: str) -> str:
    """Give a user a password that must be replaced at the first sign-in, and return it. Writes."""
    password = _random_password()
    expires_at = context.now + ONE_TIME_LIFETIME_S
    _write(context, user_id, _HASHER.hash(password), must_change=True, expires_at=expires_at)
    return password


def forget_password(context: Context, user_id: str) -> None:
    """Make a user's password invalid; the last three stay refused. Writes."""
    _write(context, user_id, None)


def verify_password(context: Context, user_id: str | None, given: str) -> bool:
    """Tell whether a user's password is the given one; takes as long when there is no user or password."""
    row = _row(context, user_id) if user_id is not None else None
    kept = row["password_hash"] if row is not None else None
    is_fresh = row is not None and (row["expires_at"] is None or row["expires_at"] > context.now)
    fits = _fits(kept or _dummy_hash(), given)
    return fits and kept is not None and is_fresh


def has_password(context: Context, user_id: str) -> bool:
    """Tell whether a user has a password, a one-time password included."""
    row = _row(context, user_id)
    return row is not None and row["password_hash"] is not None


def must_change(context: Context, user_id: str) -> bool:
    """Tell whether a user's password is a one-time password."""
    row = _row(context, user_id)
    return row is not None and bool(row["must_change"])


def _row(context: Context, user_id: str) -> sqlite3.Row | None:
    return context.find("user_password", user_id=user_id)


def _history(context: Context, user_id: str) -> list[str]:
    """Return the hashes of the last passwords that a user chose, newest first."""
    row = _row(context, user_id)
    return json.loads(row["history_json"]) if row else []


def _write(
    context: Context,
    user_id: str,
    password_hash: str | None,
    *,
    must_change: bool = False,
    expires_at: float | None = None,
    history: list[str] | None = None,
) -> None:
    history_json = json.dumps(_history(context, user_id) if history is None else history)
    context.replace(
        "user_password",
        user_id=user_id,
        password_hash=password_hash,
        must_change=int(must_change),
        expires_at=expires_at,
        history_json=history_json,
    )


def _fits(kept: str | None, given: str) -> bool:
    text = _normal(given)
    # What no password can be is still hashed, so that its refusal takes as long.
    usable = len(text) <= LONGEST and not any(unicodedata.category(character) == "Cs" for character in text)
    try:
        return kept is not None and _HASHER.verify(kept, text if usable else "") and usable
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> str:
    # One and the same letter comes composed from one keyboard and decomposed from another.
    return unicodedata.normalize("NFC", password[: LONGEST * 8])


@functools.cache
def _dummy_hash() -> str:
    return _HASHER.hash(secrets.token_urlsafe(32))


def _random_password() -> str:
    alphabet = string.ascii_letters + string.digits + _SYMBOLS
    while True:
        password = "".join(secrets.choice(alphabet) for _ in range(16))
        if not problems_of(password):
            return password


# Failed sign-ins slow the next ones down, and nobody is locked out for good: after five failures within an
# hour a user name waits 1 s, and twice as long with each further one; a client after thirty.

FREE_FAILURES, LONGEST_WAIT_S = 5, 15 * 60.0
FREE_FAILURES_OF_CLIENT, LONGEST_WAIT_OF_CLIENT_S = 30, 60.0
_REMEMBERED_S = 3_600.0


def waiting_s(context: Context, user_name: str, client: str) -> float:
    """Return for how many seconds the next try is refused; 0 when it may be made now."""

    def left_s(column: str, value: str, free: int, longest_s: float) -> float:
        failures, last = context.rows(
            f"SELECT count(*), max(failed_at) FROM sign_in_failure WHERE {column} = ? AND failed_at > ?",  # noqa: S608
            value,
            now - _REMEMBERED_S,
        )[0]
        # A failure that is later than now, because the clock went back, counts as one of now.
        return (
            0.0 if failures < free else min(2.0 ** min(failures - free, 30), longest_s) - max(0.0, now - last)
        )

    now = context.now
    person_s = left_s("user_name_hash", _key(user_name), FREE_FAILURES, LONGEST_WAIT_S)
    client_s = left_s("client_hash", digest(client), FREE_FAILURES_OF_CLIENT, LONGEST_WAIT_OF_CLIENT_S)
    return max(0.0, person_s, client_s)


def note_failure(context: Context, user_name: str, client: str) -> None:
    """Count a failed try. Writes."""
    now = context.now
    context.execute("DELETE FROM sign_in_failure WHERE failed_at <= ?", now - _REMEMBERED_S)
    context.execute("UPDATE sign_in_failure SET failed_at = ?1 WHERE failed_at > ?1", now)
    context.insert(
        "sign_in_failure", user_name_hash=_key(user_name), client_hash=digest(client), failed_at=now
    )


def forget_failures(context: Context, user_name: str) -> None:
    """Forget the failures of a user name after a success; those under other names stay. Writes."""
    context.delete("sign_in_failure", user_name_hash=_key(user_name))


def _key(user_name: str) -> str:
    # Kept as a hash: people type their password into the wrong field.
    return digest(folded(user_name[:256]))
