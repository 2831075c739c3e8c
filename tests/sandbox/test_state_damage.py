"""A state file that is damaged or gone, and a disk that is full: said as such, and nothing is made anew."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from page_visitor import CONTROL_SECRET, PORT, client_of

from idc_sandbox import launcher
from idc_sandbox.errors import DISK_FULL, SandboxStartError, is_disk_full
from idc_sandbox.server import serve
from idc_sandbox.state_folder import StateFolder, cannot_use, write_private
from idc_sandbox.store import Store, advance_clock, clock_offset_s

COMMITS = 40


@pytest.fixture
def used(tmp_path):
    """Return the folder of a sandbox that has run and was killed: its log holds what it wrote last."""
    made = StateFolder(tmp_path / "made")
    made.prepare()
    store = Store(made.database, seed=7)
    for number in range(COMMITS):
        with store.transaction() as connection:
            advance_clock(connection, number)
    used = StateFolder(tmp_path / "used")
    used.path.mkdir()
    for name in ("sandbox.db", "sandbox.db-wal"):
        shutil.copy(made.path / name, used.path)
    store.close()
    used.prepare()
    used.write_secrets({**used.read_secrets(), "access_key_id": "AKIA", "secret_access_key": "hush"})
    return used


def flip(path: Path, place: float, count: int = 1) -> None:
    """Change bytes at a part of the length of a file."""
    data = bytearray(path.read_bytes())
    for index in range(count):
        data[int(len(data) * place) + index] ^= 0xFF
    path.write_bytes(bytes(data))


def closed(folder):
    """Write the log back, as a sandbox that is stopped does."""
    Store(folder.database).close()


def missing(folder):
    folder.database.unlink()
    folder.database.with_name("sandbox.db-wal").unlink()


def missing_beside_its_log(folder):
    folder.database.unlink()


def empty(folder):
    closed(folder)
    folder.database.write_bytes(b"")


def a_folder(folder):
    missing(folder)
    folder.database.mkdir()


def random_bytes(folder):
    closed(folder)
    folder.database.write_bytes(os.urandom(60_000))


def random_inside(folder):
    closed(folder)
    data = folder.database.read_bytes()
    folder.database.write_bytes(data[:4096] + os.urandom(len(data) - 4096))


def truncated(folder):
    closed(folder)
    data = folder.database.read_bytes()
    folder.database.write_bytes(data[: len(data) // 2])


def truncated_to_its_beginning(folder):
    closed(folder)
    folder.database.write_bytes(folder.database.read_bytes()[:100])


def foreign(folder):
    missing(folder)
    connection = sqlite3.connect(folder.database)
    connection.execute("CREATE TABLE thesis (chapter TEXT)")
    connection.close()


def foreign_of_our_version(folder):
    closed(folder)
    connection = sqlite3.connect(folder.database)
    connection.execute("DROP TABLE oidc_token")
    connection.close()


def without_its_seed(folder):
    closed(folder)
    connection = sqlite3.connect(folder.database)
    connection.execute("DELETE FROM metadata")
    connection.commit()
    connection.close()


def log_of_noise(folder):
    folder.database.with_name("sandbox.db-wal").write_bytes(os.urandom(30_000))


def log_with_a_broken_beginning(folder):
    flip(folder.database.with_name("sandbox.db-wal"), 0.0, 32)


def log_with_other_salts(folder):
    path = folder.database.with_name("sandbox.db-wal")
    flip(path, 16 / path.stat().st_size, 4)


def log_broken_inside(folder):
    flip(folder.database.with_name("sandbox.db-wal"), 0.3)


def log_of_a_few_bytes(folder):
    folder.database.with_name("sandbox.db-wal").write_bytes(b"\x37\x7f\x06")


DAMAGES = [
    (missing, "it is missing"),
    (missing_beside_its_log, "it is missing"),
    (empty, "it is empty"),
    (a_folder, "it is a folder"),
    (random_bytes, "not a database"),
    (random_inside, "damaged|malformed"),
    (truncated, "damaged|malformed"),
    (truncated_to_its_beginning, "damaged|malformed|not a database"),
    (foreign, "not a sandbox's"),
    (foreign_of_our_version, "not a sandbox's: it has no 'oidc_token'"),
    (without_its_seed, "seed"),
    (log_of_noise, "log 'sandbox.db-wal' is damaged"),
    (log_with_a_broken_beginning, "log 'sandbox.db-wal' is damaged"),
    (log_with_other_salts, "log 'sandbox.db-wal' is damaged"),
    (log_broken_inside, "log 'sandbox.db-wal' is damaged"),
    (log_of_a_few_bytes, "log 'sandbox.db-wal' is damaged"),
]


def contents(folder):
    return {
        path.name: path.read_bytes() if path.is_file() else None
        for path in folder.path.iterdir()
        if path.name.startswith("sandbox.db") and not path.name.endswith("-shm")
        if path.is_dir() or path.stat().st_size  # to look at a file, SQLite makes an empty log beside it
    }


@pytest.mark.parametrize(("damage", "said"), DAMAGES, ids=lambda one: getattr(one, "__name__", ""))
def test_damage_is_one_clear_error_and_nothing_is_changed(used, damage, said):
    damage(used)
    before = contents(used)
    with launcher.listen(0) as listener, pytest.raises(SandboxStartError, match=said) as caught:
        serve(used, listener, seed=None)
    message = str(caught.value)
    assert str(used.database) in message
    assert "reset" in message
    assert "\n" not in message
    assert contents(used) == before


@pytest.mark.parametrize(("damage", "said"), [DAMAGES[0], DAMAGES[2], DAMAGES[14]])
def test_start_says_so_in_one_line_and_a_reset_helps(used, damage, said):
    damage(used)
    command = [sys.executable, "-m", "idc_sandbox", "start", "--port", "0", "--state", str(used.path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line
    launcher.reset(used)
    assert not used.was_used()
    Store(used.database).close()


def test_what_a_kill_leaves_is_no_damage(used):
    """A log that ends within a transaction, or in frames of an older one, is read to its last commit."""
    log = used.database.with_name("sandbox.db-wal")
    whole = log.read_bytes()
    for cut in (0, 32, len(whole), len(whole) - 1, len(whole) - 5000):
        log.write_bytes(whole[:cut])
        Store(used.database, was_used=True).close()


def test_everything_that_was_committed_is_read_from_a_log(used):
    store = Store(used.database, was_used=True)
    with store.transaction() as connection:
        assert clock_offset_s(connection) == sum(range(COMMITS))
    store.close()


def test_the_first_start_that_was_killed_may_begin_again(tmp_path):
    """Nobody was told of that state: an empty file is what the kill left."""
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    folder.database.touch()
    Store(folder.database, was_used=folder.was_used()).close()
    assert launcher.state_seed(folder) == 0


def fill(store):
    """Leave the state no room: SQLite says what it says when the disk has none."""
    with store.transaction() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()


def make_room(store):
    with store.transaction() as connection:
        connection.execute("PRAGMA max_page_count = 1000000").fetchone()


def test_a_full_disk_is_said_as_such_and_nothing_is_half_written(place):
    place.set_mfa(user_without_device="allow")
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    store, s3 = place.gateway.store, place.clients.client("s3")
    identity, arn = place.portal.identity_store, place.portal.instance
    fill(store)
    made = []

    def create_groups():
        for number in range(200):
            group = {"DisplayName": f"group-{number}", "Description": "x" * 1000}
            identity.create_group(IdentityStoreId=arn["IdentityStoreId"], **group)
            made.append(group["DisplayName"])

    with pytest.raises(ClientError) as caught:
        create_groups()
    assert caught.value.response["Error"] == {"Code": "InternalServerException", "Message": DISK_FULL}
    with pytest.raises(ClientError, match="disk"):
        [s3.create_bucket(Bucket=f"bucket-{number}") for number in range(50)]
    buckets = [one["Name"] for one in s3.list_buckets()["Buckets"]]
    answer = client_of(place.application, base_url=f"http://127.0.0.1:{PORT}").put(
        "/_sandbox/switches",
        json={"fail_next_assignments": ["x" * 900] * 20},
        headers={"x-sandbox-secret": CONTROL_SECRET},
    )
    assert (answer.status_code, answer.json()["message"]) == (500, DISK_FULL)
    make_room(store)
    groups = identity.list_groups(IdentityStoreId=arn["IdentityStoreId"])["Groups"]
    assert sorted(one["DisplayName"] for one in groups) == sorted(made)
    identity.create_group(IdentityStoreId=arn["IdentityStoreId"], DisplayName="room again")
    s3.create_bucket(Bucket="room-again")
    assert {one["Name"] for one in s3.list_buckets()["Buckets"]} == {*buckets, "room-again"}
    visitor.sign_in()
    assert visitor.heading == "Access portal"


def test_a_page_says_that_the_disk_is_full(place):
    visitor = place.visitor()
    visitor.open("/start")
    fill(place.gateway.store)
    for _ in range(400):
        if place.visitor().open("/start/sign-in").status_code == 507:
            break
    page = place.visitor().open("/start/sign-in")
    assert (page.status_code, "disk that holds" in page.text) == (507, True)
    assert "frame-ancestors" in page.headers["content-security-policy"]
    make_room(place.gateway.store)
    assert place.visitor().open("/start/sign-in").status_code == 200


def test_a_commit_that_fails_leaves_the_next_one_free(tmp_path):
    store = Store(tmp_path / "sandbox.db")
    with store.transaction() as connection:
        connection.execute("CREATE TABLE one (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE two (id INTEGER REFERENCES one DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(sqlite3.IntegrityError), store.transaction() as connection:
        connection.execute("INSERT INTO two VALUES (1)")  # refused at the commit
    with store.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM two").fetchone()[0] == 0
    store.close()


def test_what_sqlite_rolled_back_itself_is_not_told_as_done(tmp_path):
    store = Store(tmp_path / "sandbox.db")

    def go_on_after_a_rollback():
        with store.transaction() as connection:
            connection.rollback()

    with pytest.raises(sqlite3.OperationalError, match="rolled back"):
        go_on_after_a_rollback()
    store.close()


@pytest.fixture
def tiny_disk(tmp_path):
    """Return a disk of 200 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk of its own")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_start_on_a_full_disk_says_so(tiny_disk):
    folder = StateFolder(tiny_disk / "state")
    with pytest.raises(SandboxStartError, match="is full"):
        launcher.start(folder, port=0)


def test_the_error_is_reported_though_a_traceback_follows_it(tmp_path):
    folder = StateFolder(tmp_path)
    folder.log.write_text("older\nerror: it is full\nTraceback (most recent call last):\n", "utf-8")
    assert launcher._last_words(folder, 0) == "it is full"
    folder.log.write_text("KeyError: 'x'\n", "utf-8")
    assert launcher._last_words(folder, 0) == "KeyError: 'x'"


@pytest.mark.parametrize("number", [28, 122])
def test_files_beside_the_state_say_so_too(tmp_path, number):
    error = OSError(number, os.strerror(number))
    assert is_disk_full(error)
    assert DISK_FULL in str(cannot_use(tmp_path / "secrets.json", error))
    with pytest.raises(SandboxStartError, match="cannot be used"):
        write_private(tmp_path / "no folder" / "secrets.json", {})
