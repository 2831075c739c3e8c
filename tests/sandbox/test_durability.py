"""``kill -9`` in the middle of a load of writes: what was answered is there afterwards, ids and bytes."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from patience import PATIENCE_S
from sandbox_clients import GatewayClient

from idc_sandbox.store import _UPGRADES, SCHEMA_VERSION, Store

ROUNDS = 2
WRITES_BEFORE_THE_KILL = 60
# How a call ends in a kill: its connection breaks, or its answer ends early, which botocore takes for an
# empty one where it is JSON, and cannot read where it is XML.
CUT_OFF = (BotoCoreError, KeyError, ResponseParserError)


class Writer(threading.Thread):
    """Writes until the sandbox is gone, and remembers what it was told: name → id, or whatever comes back."""

    def __init__(self, write: Callable[[str], Any], prefix: str) -> None:
        super().__init__(daemon=True)
        self._write = write
        self._prefix = prefix
        self.answered: dict[str, Any] = {}
        self.ended_by: Exception | None = None

    def run(self) -> None:
        for number in range(100_000):
            name = f"{self._prefix}-{number}"
            try:
                self.answered[name] = self._write(name)
            except Exception as error:
                self.ended_by = error
                return


def writers_of(sandbox, instance: dict[str, Any], number: int) -> dict[str, Callable[[str], Any]]:
    """Return one function a noun that creates it under a name and returns what the answer said."""
    identity_store, sso_admin = sandbox.client("identitystore"), sandbox.client("sso-admin")
    iam, s3, organizations = (sandbox.client(name) for name in ("iam", "s3", "organizations"))
    root_id = organizations.list_roots()["Roots"][0]["Id"]
    bucket = f"kept-{number}"
    s3.create_bucket(Bucket=bucket)

    def user(name: str) -> str:
        return identity_store.create_user(
            IdentityStoreId=instance["IdentityStoreId"],
            UserName=name,
            DisplayName=name,
            Name={"GivenName": name, "FamilyName": "Example"},
        )["UserId"]

    def permission_set(name: str) -> str:
        created = sso_admin.create_permission_set(InstanceArn=instance["InstanceArn"], Name=name)
        return created["PermissionSet"]["PermissionSetArn"]

    def stored_object(name: str) -> str:
        body = name.encode() * 3000
        s3.put_object(Bucket=bucket, Key=name, Body=body)
        return f"{bucket}/{hashlib.sha256(body).hexdigest()}"

    def unit(name: str) -> str:
        return organizations.create_organizational_unit(ParentId=root_id, Name=name)["OrganizationalUnit"][
            "Id"
        ]

    return {
        "user": user,
        "permission-set": permission_set,
        "iam-user": lambda name: iam.create_user(UserName=name)["User"]["UserId"],
        "object": stored_object,
        "unit": unit,
    }


def found(sandbox, instance: dict[str, Any], noun: str, name: str, answer: Any) -> Any:
    """Return what the sandbox says now about what it answered then."""
    if noun == "user":
        described = sandbox.client("identitystore").describe_user(
            IdentityStoreId=instance["IdentityStoreId"], UserId=answer
        )
        return described["UserId"] if described["UserName"] == name else described
    if noun == "permission-set":
        described = sandbox.client("sso-admin").describe_permission_set(
            InstanceArn=instance["InstanceArn"], PermissionSetArn=answer
        )["PermissionSet"]
        return described["PermissionSetArn"] if described["Name"] == name else described
    if noun == "iam-user":
        return sandbox.client("iam").get_user(UserName=name)["User"]["UserId"]
    if noun == "object":
        bucket = answer.partition("/")[0]
        body = sandbox.client("s3").get_object(Bucket=bucket, Key=name)["Body"].read()
        return f"{bucket}/{hashlib.sha256(body).hexdigest()}"
    unit = sandbox.client("organizations").describe_organizational_unit(OrganizationalUnitId=answer)
    return answer if unit["OrganizationalUnit"]["Name"] == name else unit


def write_until_killed(sandbox, instance: dict[str, Any], number: int) -> list[tuple[str, str, Any]]:
    """Let all writers write at once, kill the sandbox in the middle, and return what was answered."""
    writers = {
        noun: Writer(write, f"{noun}-{number}")
        for noun, write in writers_of(sandbox, instance, number).items()
    }
    for writer in writers.values():
        writer.start()
    deadline = time.monotonic() + PATIENCE_S
    # On a busy machine one of them may still wait for its first answer when the others have theirs.
    while not all(w.answered for w in writers.values()) or (
        sum(len(writer.answered) for writer in writers.values()) < WRITES_BEFORE_THE_KILL
    ):
        assert time.monotonic() < deadline, "the writers are too slow"
        assert [w.ended_by for w in writers.values() if w.ended_by] == []
        time.sleep(0.005)
    sandbox.kill()
    for writer in writers.values():
        writer.join(PATIENCE_S)
        assert not writer.is_alive()
        assert isinstance(writer.ended_by, CUT_OFF), writer.ended_by
    return [(noun, name, answer) for noun, w in writers.items() for name, answer in w.answered.items()]


def test_nothing_that_was_answered_is_lost(fresh_sandbox):
    fresh_sandbox.console("POST", "instance", {})
    (instance,) = fresh_sandbox.client("sso-admin").list_instances()["Instances"]
    accounts = fresh_sandbox.member_account_ids()
    answered: list[tuple[str, str, Any]] = []
    for number in range(ROUNDS):
        answered += write_until_killed(fresh_sandbox, instance, number)
        fresh_sandbox.start()
    assert len(answered) >= ROUNDS * WRITES_BEFORE_THE_KILL
    lost = [
        (noun, name, now)
        for noun, name, answer in answered
        if (now := found(fresh_sandbox, instance, noun, name, answer)) != answer
    ]
    assert lost == []
    answers = [answer for noun, _, answer in answered if noun != "object"]
    assert len(set(answers)) == len(answers), "an id was given twice"
    assert fresh_sandbox.member_account_ids() == accounts
    connection = sqlite3.connect(fresh_sandbox.folder.database)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_an_assignment_under_way_when_the_power_went_is_finished_afterwards(fresh_sandbox):
    fresh_sandbox.switches(asynchronous_duration_s=3600)
    fresh_sandbox.console("POST", "instance", {})
    sso_admin, identity_store = fresh_sandbox.client("sso-admin"), fresh_sandbox.client("identitystore")
    (instance,) = sso_admin.list_instances()["Instances"]
    named = {"InstanceArn": instance["InstanceArn"]}
    permission_set = sso_admin.create_permission_set(**named, Name="Readers")["PermissionSet"][
        "PermissionSetArn"
    ]
    policy = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "s3:List*", "Resource": "*"},
    }
    sso_admin.put_inline_policy_to_permission_set(
        **named, PermissionSetArn=permission_set, InlinePolicy=json.dumps(policy)
    )
    group = identity_store.create_group(IdentityStoreId=instance["IdentityStoreId"], DisplayName="Readers")[
        "GroupId"
    ]
    account_id = fresh_sandbox.member_account_ids()["Development"]
    target = {"PermissionSetArn": permission_set, "TargetType": "AWS_ACCOUNT", "TargetId": account_id}
    request = sso_admin.create_account_assignment(**named, **target, PrincipalType="GROUP", PrincipalId=group)
    request_id = request["AccountAssignmentCreationStatus"]["RequestId"]
    fresh_sandbox.kill()
    fresh_sandbox.start()
    sso_admin = fresh_sandbox.client("sso-admin")

    def status() -> str:
        described = sso_admin.describe_account_assignment_creation_status(
            **named, AccountAssignmentCreationRequestId=request_id
        )
        return described["AccountAssignmentCreationStatus"]["Status"]

    assert status() == "IN_PROGRESS"
    fresh_sandbox.advance_clock(3601)
    assert status() == "SUCCEEDED"
    fresh_sandbox.kill()
    fresh_sandbox.start()
    iam = fresh_sandbox.client("iam", account=account_id)
    (role,) = iam.list_roles(PathPrefix="/aws-reserved/sso.amazonaws.com/")["Roles"]
    assert role["RoleName"].startswith("AWSReservedSSO_Readers_")
    names = iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
    kept = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=names[0])["PolicyDocument"]
    assert kept == policy


def test_a_fault_counts_on_after_a_kill(fresh_sandbox):
    fresh_sandbox.switches(faults=[{"service": "sts", "code": "Throttling", "every": 2}])
    fresh_sandbox.client("sts").get_caller_identity()
    fresh_sandbox.kill()
    fresh_sandbox.start()
    with pytest.raises(ClientError, match="Throttling"):
        fresh_sandbox.client("sts").get_caller_identity()


def drop_what_version_7_adds(connection):
    made = _UPGRADES[6][0]
    for kind in ("TRIGGER", "INDEX", "TABLE"):
        for name in re.findall(rf"CREATE {kind} (\w+)", made):
            connection.execute(f"DROP {kind} {name}")
    connection.execute("ALTER TABLE sign_in DROP COLUMN workflow_json")


def test_a_state_file_of_version_6_gets_the_tables_that_it_lacks(tmp_path):
    path = tmp_path / "sandbox.db"
    Store(path).close()
    connection = sqlite3.connect(path)
    whole = shape_of(connection)
    drop_what_version_7_adds(connection)
    connection.execute("PRAGMA user_version = 6")
    connection.commit()
    assert "application" in whole
    assert "application" not in shape_of(connection)
    connection.close()
    store = Store(path)
    with store.transaction() as connection:
        assert shape_of(connection) == whole
    store.close()


def drop_indexes_of_version_6(connection):
    drop_what_version_7_adds(connection)
    for table in ("identity_user", "identity_group"):
        connection.execute(f"DROP INDEX {table}_in_order")
    for name in ("group_membership_of_group", "group_membership_of_user"):
        connection.execute(f"DROP INDEX {name}")
    connection.execute("DROP INDEX account_assignment_of_principal")
    connection.execute("DROP INDEX provisioned_permission_set_of_account")


def test_a_state_file_of_version_5_gets_the_indexes_that_it_lacks(tmp_path):
    path = tmp_path / "sandbox.db"
    Store(path).close()
    connection = sqlite3.connect(path)
    whole = shape_of(connection)
    drop_indexes_of_version_6(connection)
    connection.execute("PRAGMA user_version = 5")
    connection.commit()
    assert shape_of(connection) != whole
    connection.close()
    store = Store(path)
    with store.transaction() as connection:
        assert shape_of(connection) == whole
    store.close()


def test_a_state_file_of_version_7_keeps_its_events_and_their_numbers(tmp_path):
    path = tmp_path / "sandbox.db"
    Store(path).close()
    connection = sqlite3.connect(path)
    whole = shape_of(connection)
    connection.executescript(
        "DROP TABLE trail_event;"
        "CREATE TABLE trail_event (number INTEGER PRIMARY KEY AUTOINCREMENT, event_time REAL NOT NULL,"
        " account_id TEXT NOT NULL, region TEXT NOT NULL, user_name TEXT NOT NULL,"
        " record TEXT NOT NULL) STRICT;"
        "CREATE INDEX trail_event_in_order ON trail_event (event_time, number);"
        "INSERT INTO trail_event VALUES (7, 2.0, '1', 'r', 'ana', '{}'), (9, 1.0, '1', 'r', 'b', '[]');"
        "PRAGMA user_version = 7"
    )
    rows = connection.execute("SELECT * FROM trail_event").fetchall()
    connection.close()
    store = Store(path)
    with store.transaction() as connection:
        made = shape_of(connection)
        assert [tuple(row) for row in connection.execute("SELECT * FROM trail_event")] == rows
        assert "AUTOINCREMENT" not in "".join(connection.iterdump())
    assert {name: made[name] for name in whole} == whole
    store.close()


def shape_of(connection):
    """Return the tables of a state file, their columns and foreign keys, and its indexes."""
    indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    shape = {"indexes": {(name, sql.rstrip(";")) for name, sql in connection.execute(indexes)}}
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = {tuple(row)[1:] for row in connection.execute(f"PRAGMA table_info({table})")}
        keys = {tuple(row)[2:] for row in connection.execute(f"PRAGMA foreign_key_list({table})")}
        shape[table] = (columns, keys)
    return shape


@pytest.mark.parametrize(
    ("version", "chosen", "prompt"),
    [(2, None, "context-aware"), (3, None, "context-aware"), (2, "never", "never"), (3, "never", "never")],
)
def test_a_state_file_of_an_older_version_goes_on(tmp_path, version, chosen, prompt):
    """Whoever signed in before version 3 signs in again: sessions were not bound to a browser."""
    path = tmp_path / "sandbox.db"
    clients = GatewayClient(tmp_path)
    clients.console("POST", "instance")
    (instance,) = clients.client("sso-admin").list_instances()["Instances"]
    store_id, of_instance = instance["IdentityStoreId"], {"instance_arn": instance["InstanceArn"]}
    if chosen is not None:
        clients.console("PUT", "settings/multi_factor_authentication", {"prompt": chosen} | of_instance)
    ids = [
        clients.client("identitystore").create_user(
            IdentityStoreId=store_id,
            UserName=name,
            DisplayName=name,
            Name={"GivenName": name, "FamilyName": "Test"},
            Emails=[{"Value": f"{name}@example.com"}],
        )["UserId"]
        for name in ("ana", "ben", "cleo", "dora")
    ]
    messages = [clients.console("POST", f"users/{user_id}/invite")["message"] for user_id in ids]
    clients.store.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE invitation SET used_at = created_at WHERE user_id != ?", (ids[1],))
    # One got another address after the link was mailed, and the link of one is not in the mailbox.
    connection.execute("UPDATE identity_user SET email_folded = 'new@x.y' WHERE user_id = ?", (ids[2],))
    connection.execute("UPDATE invitation SET token_hash = 'unknown' WHERE user_id = ?", (ids[3],))
    drop_indexes_of_version_6(connection)
    for table in ("email_verification", "phone_key"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("ALTER TABLE invitation DROP COLUMN email_folded")
    connection.execute("DROP TABLE device_challenge")
    connection.execute(
        "CREATE TABLE device_challenge (user_id TEXT NOT NULL REFERENCES identity_user ON DELETE CASCADE,"
        " kind TEXT NOT NULL CHECK (kind IN ('totp-registration')), secret TEXT NOT NULL,"
        " expires_at REAL NOT NULL, PRIMARY KEY (user_id, kind)) STRICT"
    )
    challenge = (ids[1], "totp-registration", "WAITING", 1e11)
    connection.execute("INSERT INTO device_challenge VALUES (?, ?, ?, ?)", challenge)
    connection.execute("CREATE TABLE old AS SELECT * FROM message")
    connection.execute("DROP TABLE message")
    connection.execute(
        "CREATE TABLE message (message_id TEXT PRIMARY KEY, to_address TEXT, to_address_folded TEXT,"
        " kind TEXT CHECK (kind IN ('invitation')), subject TEXT, text TEXT, link TEXT, sent_at REAL)"
    )
    connection.execute("INSERT INTO message SELECT * FROM old")
    connection.execute("DROP TABLE old")
    connection.execute("CREATE INDEX message_of_address ON message (to_address_folded, sent_at)")
    for table in ("sign_in", "portal_session") if version == 2 else ():
        connection.execute(f"ALTER TABLE {table} DROP COLUMN browser_hash")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    connection.close()
    clients = GatewayClient(tmp_path)
    with clients.store.transaction() as connection:
        assert connection.execute("SELECT count(browser_hash) FROM portal_session").fetchone()[0] == 0
        assert connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
        assert connection.execute("SELECT count(*) FROM phone_key").fetchone()[0] == 0
        assert [tuple(row) for row in connection.execute("SELECT * FROM device_challenge")] == [challenge]
        upgraded = shape_of(connection)
    new = Store(tmp_path / "new.db")
    with new.transaction() as connection:
        assert shape_of(connection) == upgraded
    new.close()
    settings = clients.console("GET", f"settings?{urlencode(of_instance)}")
    assert settings["multi_factor_authentication"]["prompt"] == prompt
    started = clients.console("POST", f"users/{ids[1]}/mfa-devices/start")
    assert started["secret"] != "WAITING"
    assert clients.console("GET", "mailbox")["messages"] == messages[::-1]
    verified = [clients.console("GET", f"users/{user_id}/email")["is_verified"] for user_id in ids]
    assert verified == [True, False, False, False]  # the first has followed a link mailed to that address
    assert clients.console("POST", f"users/{ids[1]}/verify-email")["message"]["kind"] == "email-verification"
    clients.store.close()


def test_a_state_file_of_version_4_keeps_what_waits_and_takes_the_consoles_keys(tmp_path):
    clients = GatewayClient(tmp_path)
    clients.console("POST", "instance")
    (instance,) = clients.client("sso-admin").list_instances()["Instances"]
    user_id = clients.client("identitystore").create_user(
        IdentityStoreId=instance["IdentityStoreId"],
        UserName="ana",
        DisplayName="Ana",
        Name={"GivenName": "Ana", "FamilyName": "Test"},
    )["UserId"]
    clients.store.close()
    connection = sqlite3.connect(tmp_path / "sandbox.db")
    (made,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'device_challenge'").fetchone()
    connection.execute("DROP TABLE device_challenge")
    connection.execute(made.replace("'console-webauthn-registration',", ""))
    challenge = (user_id, "webauthn-registration", "WAITING", 1e11)
    connection.execute("INSERT INTO device_challenge VALUES (?, ?, ?, ?)", challenge)
    drop_indexes_of_version_6(connection)
    connection.execute("PRAGMA user_version = 4")
    connection.commit()
    connection.close()
    clients = GatewayClient(tmp_path)
    clients.console("POST", f"users/{user_id}/mfa-devices/start-key")
    with clients.store.transaction() as connection:
        found = {tuple(row) for row in connection.execute("SELECT * FROM device_challenge")}
    assert challenge in found
    assert len(found) == 2
    clients.store.close()


@pytest.mark.parametrize("is_new", [True, False])
def test_every_connection_of_a_server_that_writes_waits_for_the_disk(tmp_path, monkeypatch, is_new):
    """Read back on the connections that a server opens and uses; one that only reads has nothing to sync."""
    opened, connect = [], sqlite3.connect

    def remembered(path, **options):
        opened.append((connect(path, **options), "mode=ro" in str(path)))
        return opened[-1][0]

    monkeypatch.setattr(sqlite3, "connect", remembered)
    path = tmp_path / "sandbox.db"
    if not is_new:
        Store(path).close()
        opened.clear()
    clients = GatewayClient(tmp_path)
    clients.client("identitystore")
    clients.console("POST", "instance", {"name": "practice"})
    clients.client("iam").create_user(UserName="written")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: clients.client("iam").create_user(UserName=name), ("one", "two")))
    writers = [connection for connection, is_reader in opened if not is_reader]
    assert clients.store._connection in writers
    for connection in writers:
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    clients.store.close()
