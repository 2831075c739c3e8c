"""The administrator whose key opens the sandbox, as the state file knows it without moto."""

# Most sandboxes are first asked by their administrator, before moto is imported. So the state file says,
# beside moto's memory, who that is; the row counts only while it belongs to the very state that memory has.

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import secrets
import sqlite3
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from idc_sandbox.context import AccessPolicies, Caller, IssuedKey

MANAGEMENT_ACCOUNT_ID = "111122223333"
ADMINISTRATOR_NAME = "sandbox-administrator"
STATE_COUNTER = "double_state"
_ROW = "administrator"
_ACCOUNT_BITS, _BITS_AFTER_ACCOUNT = 2**40 - 1, 39
_POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


@dataclass(frozen=True)
class Administrator:
    """The IAM user that opens the sandbox."""

    user_id: str
    access_key_id: str
    secret: str = field(repr=False)
    policies: AccessPolicies

    @property
    def issued_key(self) -> IssuedKey:
        """Its access key."""
        arn = f"arn:aws:iam::{MANAGEMENT_ACCOUNT_ID}:user/{ADMINISTRATOR_NAME}"
        caller = Caller(MANAGEMENT_ACCOUNT_ID, arn, self.access_key_id)
        return IssuedKey(self.secret, None, caller, None)


def new_administrator(seed: int) -> Administrator:
    """Return the administrator of a new state: ids from the seed, a secret from the operating system."""

    def identifier(kind: str) -> str:
        digest = hashlib.sha256(f"{seed}/administrator/{kind}".encode()).digest()
        return f"{kind}{base64.b32encode(digest).decode()[:16]}"

    user_id, key_id = identifier("AIDA"), with_account(identifier("AKIA"), MANAGEMENT_ACCOUNT_ID)
    policies = AccessPolicies([_POLICY], [], {"aws:userid": user_id})
    return Administrator(user_id, key_id, secrets.token_urlsafe(30), policies)


def with_account(access_key_id: str, account_id: str) -> str:
    """Return an access key id that carries its account, as those of AWS do; the rest stays."""
    # Seen in use, not documented: after four letters 80 bits in base32, the second to the 41st the account.
    bits = int.from_bytes(base64.b32decode(access_key_id[4:]), "big")
    bits = bits & ~(_ACCOUNT_BITS << _BITS_AFTER_ACCOUNT) | int(account_id) << _BITS_AFTER_ACCOUNT
    return access_key_id[:4] + base64.b32encode(bits.to_bytes(10, "big")).decode()


def state_number(connection: sqlite3.Connection) -> int:
    """Return the number of moto's state that the file holds; 0 when moto has not made any yet."""
    row = connection.execute("SELECT next_value FROM id_counter WHERE kind = ?", (STATE_COUNTER,)).fetchone()
    return int(row[0]) if row else 0


def read_administrator(connection: sqlite3.Connection) -> Administrator | None:
    """Return the administrator, or None when only moto's memory can tell whether there is one."""
    row = connection.execute("SELECT state FROM double_state WHERE service = ?", (_ROW,)).fetchone()
    kept: dict[str, Any] = json.loads(row[0]) if row else {}
    if kept.pop("state_number", None) != state_number(connection):
        return None
    return Administrator(**{**kept, "policies": AccessPolicies(**kept["policies"])})


def write_administrator(
    connection: sqlite3.Connection, administrator: Administrator | None, moto_version: str = ""
) -> None:
    """Keep the administrator as it is in the current state of moto's memory; None when it is gone. Writes."""
    if administrator is None:
        connection.execute("DELETE FROM double_state WHERE service = ?", (_ROW,))
        return
    kept = {**asdict(administrator), "state_number": state_number(connection)}
    connection.execute(
        "INSERT OR REPLACE INTO double_state VALUES (?, ?, ?)",
        (_ROW, moto_version, json.dumps(kept).encode()),
    )


def keep_administrator(connection: sqlite3.Connection) -> None:
    """Say that the administrator is in the current state of moto's memory as in the one before. Writes."""
    row = connection.execute("SELECT state FROM double_state WHERE service = ?", (_ROW,)).fetchone()
    if row is not None:
        kept = {**json.loads(row[0]), "state_number": state_number(connection)}
        connection.execute(
            "UPDATE double_state SET state = ? WHERE service = ?", (json.dumps(kept).encode(), _ROW)
        )


def moto_version_of_state(connection: sqlite3.Connection) -> str:
    """Return the version of moto that wrote the administrator's row; empty before moto has written."""
    row = connection.execute("SELECT moto_version FROM double_state WHERE service = ?", (_ROW,)).fetchone()
    return str(row[0]) if row else ""


def at_time(policies: AccessPolicies, now: float) -> AccessPolicies:
    """Return a caller's policies with the condition keys that depend on the time alone."""
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    times = {"aws:currenttime": moment.isoformat(), "aws:epochtime": str(int(now))}
    return replace(policies, context={**policies.context, **times})
