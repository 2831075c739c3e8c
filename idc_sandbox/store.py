"""The sandbox's state in one SQLite file, its clock, its ids, and what a damaged file says."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import secrets
import sqlite3
import struct
import threading
import time
import uuid
from collections.abc import Container, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from idc_sandbox.errors import DISK_FULL, SandboxStartError, check_seconds, is_disk_full
from idc_sandbox.packaged import packaged_text

logger = logging.getLogger(__name__)
_LONGEST_ADVANCE_S = 10 * 366 * 86_400.0
# What holds from when it was made until some time: when the clock goes back, both go back with it.
_SPANS = ("portal_session", "device_authorization", "invitation", "email_verification", "login_session")
# Times that lie ahead of now by so many seconds at most; a test holds them against the modules' rules.
LONGEST_AHEAD_S: dict[tuple[str, str], str] = {
    ("sign_in", "expires_at"): "900",
    ("sign_in", "code_expires_at"): "600",
    ("sign_in", "code_sent_at"): "0",
    ("sign_in_failure", "failed_at"): "0",
    ("device_challenge", "expires_at"): "600",
    ("user_password", "expires_at"): "7 * 86400",
    ("trusted_browser", "expires_at"): "90 * 86400",
    ("message", "sent_at"): "0",
    ("email_verification", "verified_at"): "0",
    ("phone_key", "added_at"): "0",
    ("device_authorization", "last_polled_at"): "0",
    ("authorization_code", "expires_at"): "600",
    ("oidc_client", "expires_at"): "90 * 86400",
    ("login_session", "code_expires_at"): "600",
    ("access_application", "due_at"): "0",
    ("oidc_token", "expires_at"): (
        "CASE WHEN kind = 'access' THEN iif(scopes_json = '[]', 28800, 3600)"
        " ELSE (SELECT expires_at FROM portal_session AS session"
        " WHERE session.session_id = oidc_token.session_id) - ?1 END"
    ),
    ("group_membership", "created_at"): "0",
    ("former_group_membership", "visible_from"): "0",
    ("former_group_membership", "removed_at"): "0",
}


def next_number(connection: sqlite3.Connection, kind: str) -> int:
    """Return the next number of a counter, 1 at first. Writes."""
    (number,) = connection.execute(
        "INSERT INTO id_counter VALUES (?, 1) "
        "ON CONFLICT (kind) DO UPDATE SET next_value = next_value + 1 RETURNING next_value",
        (kind,),
    ).fetchone()
    return int(number)


def kept_organization(connection: sqlite3.Connection) -> str | None:
    """Return the organization that somebody gave this state (JSON text), or None: the sandbox's own."""
    row = connection.execute("SELECT value FROM metadata WHERE name = 'organization'").fetchone()
    return str(row[0]) if row else None


def keep_organization(connection: sqlite3.Connection, text: str) -> None:
    """Keep the organization that this state is to begin with. Writes."""
    connection.execute("INSERT OR REPLACE INTO metadata VALUES ('organization', ?)", (text,))


def clock_offset_s(connection: sqlite3.Connection) -> float:
    """Return by how many seconds the sandbox's clock is ahead of the machine's."""
    row = connection.execute("SELECT value_json FROM switch WHERE name = 'clock_offset_s'").fetchone()
    return float(json.loads(row[0])) if row else 0.0


def now(connection: sqlite3.Connection) -> float:
    """Return the sandbox's time in epoch seconds."""
    return time.time() + clock_offset_s(connection)


def advance_clock(connection: sqlite3.Connection, seconds: Any) -> float:
    """Move the sandbox's clock ahead and return by how many seconds it is ahead now. Writes."""
    back = ' To go back to the machine\'s time, send {"reset": true}.'
    ahead = check_seconds("advance_s", seconds, _LONGEST_ADVANCE_S, back)
    return _set_offset(connection, clock_offset_s(connection) + ahead)


def reset_clock(connection: sqlite3.Connection, offset_s: Any = 0) -> None:
    """Put the sandbox's clock back to the machine's, or to `offset_s` seconds ahead of it. Writes."""
    _set_offset(connection, check_seconds("offset_s", offset_s, clock_offset_s(connection)))
    # What was made while the clock was further ahead lasts as long as its rule says, from now.
    moment = (now(connection),)
    for table in _SPANS:
        connection.execute(
            f"UPDATE {table} SET expires_at = expires_at - (created_at - ?1), created_at = ?1"  # noqa: S608
            " WHERE created_at > ?1",
            moment,
        )
    for (table, column), ahead in LONGEST_AHEAD_S.items():
        connection.execute(
            f"UPDATE {table} SET {column} = ?1 + {ahead} WHERE {column} > ?1 + {ahead}",  # noqa: S608
            moment,
        )


def _set_offset(connection: sqlite3.Connection, offset_s: float) -> float:
    connection.execute("INSERT OR REPLACE INTO switch VALUES ('clock_offset_s', ?)", (json.dumps(offset_s),))
    return offset_s


# The leading digits of an instance id depend on its home Region: seen in public repositories, not documented.
_INSTANCE_PREFIX_OF_REGION = {
    "us-east-1": "7223",
    "eu-west-1": "6804",
    "eu-central-1": "6987",
    "eu-north-1": "6508",
    "ap-southeast-2": "8259",
}


class IdFactory:
    """Draws ids like AWS's from the seed: a transaction that is rolled back draws none."""

    def __init__(self, connection: sqlite3.Connection, seed: int) -> None:
        self._connection = connection
        self._seed = seed

    def digest(self, kind: str) -> str:
        """Return the next 64 hex digits of a kind, such as ``"permission_set"``."""
        number = next_number(self._connection, kind)
        return hashlib.sha256(f"{self._seed}/{kind}/{number}".encode()).hexdigest()

    def uuid(self, kind: str) -> str:
        """Return a random-looking lowercase UUID (version 4)."""
        return str(uuid.UUID(hex=self.digest(kind)[:32], version=4))

    def instance_arn(self, region: str) -> str:
        """Return an instance ARN; AWS leaves Region and account out of it."""
        prefix = _INSTANCE_PREFIX_OF_REGION.get(region, "7000")
        return f"arn:aws:sso:::instance/ssoins-{prefix}{self.digest('instance')[:12]}"

    def identity_store_id(self) -> str:
        """Return an identity store id, ``d-`` and ten hex digits."""
        return f"d-{self.digest('identity_store')[:10]}"

    def permission_set_arn(self, instance_arn: str) -> str:
        """Return a permission set ARN within an instance."""
        instance_id = instance_arn.rpartition("/")[2]
        return f"arn:aws:sso:::permissionSet/{instance_id}/ps-{self.digest('permission_set')[:16]}"

    def identity_id(self, kind: str, identity_store_id: str) -> str:
        """Return a user, group or membership id in AWS's older form: ten hex digits and a UUID."""
        return f"{identity_store_id.removeprefix('d-')[:10]}-{self.uuid(kind)}"


_MAGIC = b"SQLite format 3\x00"
_WAL_MAGICS = (0x377F0682, 0x377F0683)
_WAL_HEADER, _FRAME_HEADER = struct.Struct(">8L"), struct.Struct(">6L")


def damage_of(path: Path, *, was_used: bool) -> str | None:
    """Return what is wrong with a state file as it lies there, or None. Reads only."""
    log = path.with_name(f"{path.name}-wal")
    if path.exists() and not path.is_file():
        return "it is a folder, or no file at all; move it away"
    if not path.exists():
        is_lost = was_used or (log.exists() and log.stat().st_size > 0)
        return "it is missing, although a sandbox has run with it" if is_lost else None
    with path.open("rb") as file:
        beginning = file.read(len(_MAGIC))
    if not beginning:
        return "it is empty, although a sandbox has run with it" if was_used else None
    if beginning != _MAGIC:
        return "file is not a database"
    if log.is_file() and _has_lost_commits(log.read_bytes()):
        return f"its log {log.name!r} is damaged, so that what was written last would be lost"
    return None


def damage_inside(path: Path, versions: Container[int], schema: str) -> str | None:
    """Return what is wrong with the content of a state file of one of these versions, or None. Reads only."""
    # Such a connection writes nothing back when it is closed, whatever it found.
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return "it is a database, but not a sandbox's" if tables else None
        return _damage_of_content(connection, schema, version) if version in versions else None
    finally:
        connection.close()


def _damage_of_content(connection: sqlite3.Connection, schema: str, version: int) -> str | None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        return f"it is damaged ({' '.join(found.split())})"
    present = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    made_later = _made_by(
        "; ".join(chain.from_iterable(_UPGRADES[one] for one in _UPGRADES if one >= version))
    )
    missing = sorted(_made_by(schema) - made_later - present)
    if missing:
        return f"it is a database, but not a sandbox's: it has no {missing[0]!r}"
    seed = connection.execute("SELECT value FROM metadata WHERE name = 'seed'").fetchone()
    if seed is None or not re.fullmatch("-?[0-9]{1,18}", seed[0]):
        return "it does not say from which seed it was made"
    return None


def _made_by(statements: str) -> set[str]:
    return set(re.findall(r"CREATE (?:TABLE|INDEX|TRIGGER) ([a-z_]+)", statements))


def _has_lost_commits(log: bytes) -> bool:
    """Tell whether SQLite would pass over a commit in a log: one behind a broken frame."""
    # Frames of an unfinished or older transaction are ignored rightly:
    # https://www.sqlite.org/fileformat2.html#the_write_ahead_log
    if not log:
        return False
    if len(log) < _WAL_HEADER.size:
        return True
    magic, _, page_size, _, *salts, first, second = _WAL_HEADER.unpack_from(log)
    order = ">" if magic & 1 else "<"
    sums = _checksum(log[:24], order, (0, 0))
    if magic not in _WAL_MAGICS or sums != (first, second):
        return True
    is_whole = True
    step = _FRAME_HEADER.size + page_size
    for start in range(_WAL_HEADER.size, len(log) - step + 1, step):
        _, pages_after_commit, *frame_salts, first, second = _FRAME_HEADER.unpack_from(log, start)
        if frame_salts != salts:  # of an older transaction, or overwritten
            is_whole = False
            continue
        if not is_whole and pages_after_commit:
            return True
        if is_whole:
            sums = _checksum(log[start : start + 8], order, sums)
            sums = _checksum(log[start + _FRAME_HEADER.size : start + step], order, sums)
            is_whole = sums == (first, second)
    return False


def _checksum(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    for left, right in struct.iter_unpack(f"{order}2L", data):
        first = (first + left + second) & 0xFFFFFFFF
        second = (second + right + first) & 0xFFFFFFFF
    return first, second


def _schema() -> str:
    return packaged_text("schema.sql")


SCHEMA_VERSION = 8
# What makes a file of one version one of the next: a state folder outlives the kit that made it.
_UPGRADES = {
    2: (
        "ALTER TABLE sign_in ADD COLUMN browser_hash TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE portal_session ADD COLUMN browser_hash TEXT NOT NULL DEFAULT ''",
    ),
    3: (
        "CREATE TABLE email_verification (user_id TEXT PRIMARY KEY REFERENCES identity_user"
        " ON DELETE CASCADE, email_folded TEXT NOT NULL, token_hash TEXT UNIQUE, created_at REAL NOT NULL,"
        " expires_at REAL NOT NULL, verified_at REAL) STRICT",
        # Which address a link was mailed to: the mailbox has the link, the table its SHA-256.
        "ALTER TABLE invitation ADD COLUMN email_folded TEXT",
        "UPDATE invitation SET email_folded = to_address_folded FROM message"
        " WHERE link LIKE '/start/invitation/%'"
        " AND token_hash = sha256(replace(link, '/start/invitation/', ''))",
        # Who has followed a mailed link has proved the address to which it was mailed.
        "INSERT INTO email_verification SELECT user_id, email_folded, NULL, max(used_at), max(used_at),"
        " max(used_at) FROM invitation JOIN identity_user USING (user_id, email_folded)"
        " WHERE used_at IS NOT NULL GROUP BY user_id",
        # What nobody had chosen stays as it was: the default was another one.
        "INSERT OR IGNORE INTO console_setting SELECT instance_arn, 'multi_factor_authentication',"
        """ '{"prompt": "context-aware"}' FROM instance""",
        "CREATE TABLE phone_key (key_id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES identity_user"
        " ON DELETE CASCADE, phone TEXT NOT NULL, name TEXT NOT NULL,"
        " secret TEXT NOT NULL, added_at REAL NOT NULL, UNIQUE (phone, secret)) STRICT",
        # One more kind of message; SQLite changes no CHECK in place.
        "ALTER TABLE message RENAME TO message_before",
        "CREATE TABLE message (message_id TEXT PRIMARY KEY, to_address TEXT NOT NULL,"
        " to_address_folded TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('invitation',"
        " 'password-reset', 'one-time-password', 'email-otp', 'email-verification')),"
        " subject TEXT NOT NULL, text TEXT NOT NULL, link TEXT, sent_at REAL NOT NULL) STRICT",
        "INSERT INTO message SELECT * FROM message_before ORDER BY rowid",
        "DROP TABLE message_before",
        "CREATE INDEX message_of_address ON message (to_address_folded, sent_at)",
    ),
    4: (
        # The console's kinds of challenge.
        "ALTER TABLE device_challenge RENAME TO device_challenge_before",
        "CREATE TABLE device_challenge (user_id TEXT NOT NULL REFERENCES identity_user ON DELETE CASCADE,"
        " kind TEXT NOT NULL CHECK (kind IN ('totp-registration', 'console-totp-registration',"
        " 'webauthn-registration', 'console-webauthn-registration', 'webauthn-authentication')),"
        " secret TEXT NOT NULL, expires_at REAL NOT NULL, PRIMARY KEY (user_id, kind)) STRICT",
        "INSERT INTO device_challenge SELECT * FROM device_challenge_before",
        "DROP TABLE device_challenge_before",
    ),
    5: (
        # moto's memory has rows that an older kit would not read
        "CREATE INDEX identity_user_in_order ON identity_user (identity_store_id, created_at, user_id)",
        "CREATE INDEX identity_group_in_order ON identity_group (identity_store_id, created_at, group_id)",
        "CREATE INDEX group_membership_of_group ON group_membership (group_id, created_at, membership_id)",
        "CREATE INDEX group_membership_of_user ON group_membership (user_id, created_at, membership_id)",
        "CREATE INDEX account_assignment_of_principal ON account_assignment (principal_id)",
        "CREATE INDEX provisioned_permission_set_of_account ON provisioned_permission_set (account_id)",
    ),
    # New tables and indexes: the schema's own statements behind its mark.
    6: (
        _schema().partition("-- Version 7\n")[2],
        "ALTER TABLE sign_in ADD COLUMN workflow_json TEXT NOT NULL DEFAULT '{}'",
    ),
    7: (
        # Without AUTOINCREMENT and without an index, which every call would have to write.
        "ALTER TABLE trail_event RENAME TO trail_event_before",
        "CREATE TABLE trail_event (number INTEGER PRIMARY KEY, event_time REAL NOT NULL,"
        " account_id TEXT NOT NULL, region TEXT NOT NULL, user_name TEXT NOT NULL,"
        " record TEXT NOT NULL) STRICT",
        "INSERT INTO trail_event SELECT * FROM trail_event_before ORDER BY number",
        "DROP TABLE trail_event_before",
    ),
}


_Row = Sequence[Any]


class _EventFile:
    """Events of calls that changed nothing, a line each: a file outlives the process, and needs no fsync."""

    def __init__(self, path: Path, *, after: int) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        text = path.read_bytes()
        self._size = text.rfind(b"\n") + 1
        if self._size < len(text):  # a power cut may leave a torn line
            os.ftruncate(self._file, self._size)
        rows = [row for line in text[: self._size].splitlines() if (row := _read_row(line)) is not None]
        # Oldest first: the number of an event, and its other columns.
        self.rows: list[_Row] = [row for row in rows if row[0] > after]
        self._taken = 0

    def add(self, rows: Sequence[_Row]) -> None:
        """Add rows, all of them or none; a full disk is an `OSError`. Writes."""
        text = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
        if os.write(self._file, text) != len(text):
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += len(text)
        self.rows += rows

    def take(self) -> list[_Row]:
        """Return the rows that nobody has taken yet; they stay until the state has them."""
        rows = self.rows[self._taken :]
        self._taken = len(self.rows)
        return rows

    def give_back(self) -> None:
        """Have all rows to take again: the transaction that took some was undone."""
        self._taken = 0

    def clear(self) -> None:
        """Forget all rows: the state has them. Writes."""
        if self._size:
            self.rows, self._taken = [], 0
            with suppress(OSError):  # the state is kept: what stays in the file is known by its numbers
                os.ftruncate(self._file, 0)
                self._size = 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _read_row(line: bytes) -> _Row | None:
    try:
        row = orjson.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, list) and len(row) == 6 and isinstance(row[0], int) else None


_ADD_EVENT = "INSERT INTO trail_event VALUES (?, ?, ?, ?, ?, ?)"
_MOST_BESIDE = 1_000  # so many events wait in their file at most, and in memory


class _Note(NamedTuple):
    event: _Row
    outlives_refusal: bool


class _Transaction(AbstractContextManager[sqlite3.Connection]):
    """A block in a transaction; a call has a dozen, nearly all nested: a generator each would cost more."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> sqlite3.Connection:
        return self._store.enter()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._store.leave(is_whole=error is None)


class Store:
    """One open state file."""

    def __init__(self, path: Path, *, seed: int = 0, was_used: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        self._notes: list[_Note] = []
        self._changes_kept = 0
        self._last_number = 0
        try:
            if damage := damage_of(path, was_used=was_used):
                raise _damaged(path, damage)
            is_new = not path.exists() or not path.stat().st_size
            if is_new:
                path.touch(mode=0o600)
            elif damage := damage_inside(path, {SCHEMA_VERSION, *_UPGRADES}, _schema()):
                raise _damaged(path, damage)
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            # Nobody has been told of a new file yet: it is written to the disk once, when it is whole.
            self._connection.executescript(
                f"PRAGMA busy_timeout=5000; PRAGMA synchronous={'OFF' if is_new else 'FULL'};"
                "PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON;"
            )
            self._open_schema(seed)
            if is_new:
                self._make_lasting()
            self._open_events()
        except (sqlite3.DatabaseError, OSError) as error:
            raise _unusable(path, error) from error

    def _make_lasting(self) -> None:
        """Write a new file and its log through to the disk, and every commit from now on."""
        for path in (self.path, self.path.with_name(f"{self.path.name}-wal"), self.path.parent):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._connection.execute("PRAGMA synchronous=FULL")

    def _open_schema(self, seed: int) -> None:
        version = self._upgrade()
        if version == 0:
            schema = _schema()
            self._connection.executescript(
                f"BEGIN IMMEDIATE;\n{schema}\n"
                f"INSERT INTO metadata VALUES ('seed', '{int(seed)}');\n"
                f"INSERT INTO metadata VALUES ('state_id', '{secrets.token_hex(16)}');\n"
                f"PRAGMA user_version = {SCHEMA_VERSION};\nCOMMIT;"
            )
        elif version != SCHEMA_VERSION:
            age = "newer" if version > SCHEMA_VERSION else "older"
            raise SandboxStartError(
                f"the state file {str(self.path)!r} has version {version}, which is {age} than this kit's "
                f"version {SCHEMA_VERSION}. Use the kit that made it, choose another folder with --state, "
                "or start over with `idc sandbox reset`."
            )
        # State from before there were ids gets one that says so: receipts without an id may be of it.
        self._connection.execute(
            "INSERT OR IGNORE INTO metadata VALUES ('state_id', ?)", (f"older-{secrets.token_hex(16)}",)
        )

    def _open_events(self) -> None:
        """Open the file of the events that wait; those that the state has already are left out."""
        self._read_last_number()
        self._beside = _EventFile(self.path.with_name(f"{self.path.name}-events"), after=self._last_number)
        if self._beside.rows:
            self._last_number = self._beside.rows[-1][0]

    def _read_last_number(self) -> None:
        newest = "SELECT ifnull(max(number), 0) FROM trail_event"
        (self._last_number,) = self._connection.execute(newest).fetchone()

    def _upgrade(self) -> int:
        """Make an older file one of this version, where that is possible, and return its version."""
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        self._connection.create_function("sha256", 1, lambda text: hashlib.sha256(text.encode()).hexdigest())
        while version in _UPGRADES:
            statements = ";\n".join(_UPGRADES[version])
            version += 1
            self._connection.executescript(
                f"BEGIN IMMEDIATE;\n{statements};\nPRAGMA user_version = {version};\nCOMMIT;"
            )
        return int(version)

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """Yield the connection in a transaction, one at a time; an exception undoes it; nested ones join."""
        return _Transaction(self)

    def try_to_hold(self) -> bool:
        """Keep all other threads out until `let_go`; False when one of them is in a transaction."""
        return self._lock.acquire(blocking=False)

    def let_go(self) -> None:
        """Let other threads in again."""
        self._lock.release()

    def enter(self) -> sqlite3.Connection:
        """Begin a transaction, or join the one that this thread is in."""
        self._lock.acquire()
        try:
            if not self._depth:
                self._begin()
        except BaseException:
            self._lock.release()
            raise
        self._depth += 1
        return self._connection

    def leave(self, *, is_whole: bool) -> None:
        """End what was entered: the outermost commits, or undoes all when it is not whole."""
        try:
            if self._depth == 1:
                self._commit() if is_whole else self._roll_back()
        finally:
            self._depth -= 1
            if not self._depth:
                self._put_beside()
            self._lock.release()

    def _commit(self) -> None:
        try:
            # After some errors SQLite has rolled back by itself: what followed was no transaction.
            if not self._connection.in_transaction:
                raise sqlite3.OperationalError("the transaction was rolled back meanwhile")
            if self._is_changed():
                rows = self._numbered(self._notes)
                self._add_events([*self._beside.take(), *rows])
                self._keep()
                self._last_number += len(rows)
                self._notes = []
            else:
                self._connection.commit()
        except BaseException:
            self._roll_back()  # the next one must begin
            raise

    def _is_changed(self) -> bool:
        return self._connection.total_changes != self._changes_kept

    def _keep(self) -> None:
        """Commit, with the events that wait beside the state."""
        self.take_in_events()
        self._connection.commit()
        self._beside.clear()

    def _roll_back(self) -> None:
        self._connection.rollback()
        self._beside.give_back()
        self._notes = [note for note in self._notes if note.outlives_refusal]

    def note(self, *event: Any, outlives_refusal: bool = False) -> None:
        """Add an event to the trail with the current transaction, or beside the state if nothing is changed.

        Beside it a power cut may lose what came last. A kill never does: what was handed to the operating
        system outlives the process.
        """
        with self._lock:
            self._notes.append(_Note(event, outlives_refusal))
            if not self._depth:
                self._put_beside()

    def _put_beside(self) -> None:
        """Write to their file the events that a transaction without changes, or an undone one, has left."""
        if not self._notes:
            return
        notes, self._notes = self._notes, []
        try:
            self._beside.add(self._numbered(notes))
            self._last_number += len(notes)
            if len(self._beside.rows) >= _MOST_BESIDE:
                self._take_in_all()
        except (OSError, sqlite3.Error) as error:
            # On a full disk everything that only reads goes on working.
            logger.warning("what happened was not written into the trail: %s", error)

    def _numbered(self, notes: Sequence[_Note]) -> list[_Row]:
        """Return events behind the last number: those that were undone, or not written, have taken none."""
        return [(number, *note.event) for number, note in enumerate(notes, self._last_number + 1)]

    def take_in_events(self) -> None:
        """Take the events that wait into this transaction, before the trail is read. Writes."""
        self._add_events(self._beside.take())

    def _add_events(self, rows: Sequence[_Row]) -> None:
        if rows:
            self._connection.executemany(_ADD_EVENT, rows)

    def _take_in_all(self) -> None:
        with self.transaction():
            self.take_in_events()

    def keep(self) -> None:
        """Commit what the current transaction has changed so far: an exception after this leaves it alone."""
        if self._is_changed():  # spares a mere read a second transaction
            self._keep()
            self._begin()

    def undo(self) -> None:
        """Undo what the current transaction has changed since it began or was kept."""
        self._connection.rollback()
        self._beside.give_back()
        self._begin()

    def _begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._changes_kept = self._connection.total_changes

    @contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection between two transactions: nobody else is in one meanwhile."""
        with self._lock:
            if self._depth:
                raise RuntimeError("the state is not copied within a transaction")
            self._take_in_all()
            yield self._connection
            self._read_last_number()  # it may be another state now

    def now(self) -> float:
        """Return the sandbox's time in epoch seconds, in a transaction or between two."""
        with self._lock:
            return now(self._connection)

    @property
    def seed(self) -> int:
        """The number from which this state's ids are derived."""
        return int(self._metadata("seed"))

    @property
    def state_id(self) -> str:
        """What tells this state from every other one, of the same seed too: random, kept for its life."""
        return self._metadata("state_id")

    def _metadata(self, name: str) -> str:
        with self._lock:
            row = self._connection.execute("SELECT value FROM metadata WHERE name = ?", (name,)).fetchone()
        return str(row[0])

    def close(self) -> None:
        """Write the log back into the file and close it."""
        with self._lock:
            with suppress(sqlite3.Error):  # on a full disk they wait for the next start
                self._take_in_all()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
            self._beside.close()


def _damaged(path: Path, damage: str) -> SandboxStartError:
    return SandboxStartError(
        f"the state file {str(path)!r} cannot be used: {damage}. Nothing was changed. Put back a copy of the "
        "state folder from before, or start over with `idc sandbox reset`."
    )


def _unusable(path: Path, error: Exception) -> SandboxStartError:
    if is_disk_full(error):
        return SandboxStartError(f"the state file {str(path)!r} cannot be written. {DISK_FULL}")
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path, str(error))
    return SandboxStartError(
        f"the state file {str(path)!r} cannot be used: {error}. "
        "Choose a folder that you can write with --state, or start over with `idc sandbox reset`."
    )
