"""``kill -9`` at each step of a delivery: every event is in the bucket once, and none is lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest
from sandbox_clients import GatewayClient
from test_trail_delivery import BUCKET, delivered, keys

from idc_sandbox.trail import feed

_WRITING = ("INSERT", "UPDATE", "DELETE", "REPLACE", "BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
_MOST_STEPS = 200


@pytest.fixture
def waiting(tmp_path, monkeypatch):
    """Return the folder of a state whose events wait for their delivery, and the ids of their requests."""
    monkeypatch.setattr(feed, "_IN_ONE_GO", 3)
    folder = tmp_path / "waiting"
    folder.mkdir()
    client = GatewayClient(folder)
    assert keys(client) == [], "the bucket is there"
    sts = client.client("sts")
    ids = [sts.get_caller_identity()["ResponseMetadata"]["RequestId"] for _ in range(7)]
    client.store.close()
    return folder, ids


def deliver_until(folder: Path, step: int) -> bool:
    """Deliver in a process that is killed before it writes so many times; tell whether it was."""
    child = os.fork()
    if not child:
        try:
            client = GatewayClient(folder)
            client.switches(trail_delivery_s=0)
            s3 = client.client("s3")
            seen = 0

            def watch(statement: str) -> None:
                nonlocal seen
                if statement.lstrip().upper().startswith(_WRITING):
                    seen += 1
                    if seen == step:
                        os.kill(os.getpid(), signal.SIGKILL)

            client.store._connection.set_trace_callback(watch)
            s3.list_objects_v2(Bucket=BUCKET)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def delivered_through(folder: Path) -> int:
    with sqlite3.connect(folder / "sandbox.db") as connection:
        (number,) = connection.execute("SELECT delivered_through FROM trail").fetchone()
    return int(number)


def test_a_kill_at_any_step_of_a_delivery_loses_and_doubles_nothing(waiting, tmp_path):
    folder, ids = waiting
    before, ends = delivered_through(folder), set()
    for step in range(1, _MOST_STEPS):
        copy = tmp_path / f"step-{step}"
        shutil.copytree(folder, copy)
        was_killed = deliver_until(copy, step)
        ends.add(delivered_through(copy) > before)
        client = GatewayClient(copy)
        client.switches(trail_delivery_s=0)
        found = [record["requestID"] for record in delivered(client)]
        client.store.close()
        assert sorted(one for one in found if one in ids) == sorted(ids), f"killed before write {step}"
        assert len(found) == len(set(found))
        if not was_killed:
            break
    assert not was_killed, "the last step was reached"
    assert step > 5
    assert ends == {False, True}, "some were killed before the commit, and some behind it"


def read_until_killed(folder: Path, count: int, *, then_write: bool) -> None:
    """Make reads in a process that is killed before it would close its state, or in its next change."""
    child = os.fork()
    if not child:
        try:
            client = GatewayClient(folder)
            sts = client.client("sts")
            for _ in range(count):
                sts.get_caller_identity()
            if then_write:  # between the commit that takes the events in and the end of their file
                client.store._beside.clear = lambda: os.kill(os.getpid(), signal.SIGKILL)
                client.client("iam").create_user(UserName=f"user-{count}")
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


@pytest.mark.parametrize("then_write", [False, True])
def test_reads_are_there_once_and_in_order_after_kills(tmp_path, then_write):
    GatewayClient(tmp_path).store.close()
    for count in (3, 2, 4):
        read_until_killed(tmp_path, count, then_write=then_write)
    client = GatewayClient(tmp_path)
    client.client("sts").get_caller_identity()
    events = [json.loads(text) for text in client.trail_texts()]
    assert len({event["eventID"] for event in events}) == len(events)
    names = {"GetCallerIdentity": "r", "CreateUser": "w"}
    found = "".join(names[event["eventName"]] for event in events)
    assert found == ("rrrwrrwrrrrwr" if then_write else "rrrrrrrrrr")
    client.store.close()


def test_a_line_that_a_power_cut_has_torn_is_left_out(tmp_path):
    read_until_killed(tmp_path, 3, then_write=False)
    path = tmp_path / "sandbox.db-events"
    path.write_bytes(path.read_bytes()[:-5])
    client = GatewayClient(tmp_path)
    client.client("sts").get_caller_identity()
    client.restart()
    assert len(client.trail_texts()) == 3
    assert path.read_bytes() == b""
    client.store.close()


def test_an_event_that_the_disk_has_no_room_for_leaves_no_piece(tmp_path, monkeypatch):
    client = GatewayClient(tmp_path)
    sts, write = client.client("sts"), os.write
    sts.get_caller_identity()
    monkeypatch.setattr("idc_sandbox.store.os.write", lambda file, text: write(file, text[:20]))
    sts.get_caller_identity()
    monkeypatch.undo()
    sts.get_caller_identity()
    client.restart()
    assert len(client.trail_texts()) == 2
    client.store.close()


def test_reads_without_end_do_not_wait_beside_the_state_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("idc_sandbox.store._MOST_BESIDE", 3)
    client = GatewayClient(tmp_path)
    sts = client.client("sts")
    waiting = []
    for _ in range(7):
        sts.get_caller_identity()
        waiting.append(len(client.store._beside.rows))
    assert waiting == [1, 2, 0, 1, 2, 0, 1]
    assert len(client.trail_texts()) == 7
    client.store.close()


def test_who_goes_back_leaves_the_reads_of_the_abandoned_time_behind(tmp_path):
    client = GatewayClient(tmp_path)
    sts = client.client("sts")
    sts.get_caller_identity()
    client.gateway.keep_checkpoint("before")
    sts.get_caller_identity()
    client.gateway.go_back("before")
    assert len(client.trail_texts()) == 1
    client.client("sts").get_caller_identity()
    client.restart()
    assert len(client.trail_texts()) == 2
    client.store.close()


def test_a_file_of_events_that_cannot_be_emptied_stops_nothing_and_brings_no_event_twice(
    gateway_client, monkeypatch
):
    gateway_client.client("sso-admin").list_instances()

    def fail(*_arguments):
        raise OSError(errno.EIO, "it cannot be")

    with monkeypatch.context() as during:
        during.setattr(os, "ftruncate", fail)
        gateway_client.client("iam").create_user(UserName="ana")
        gateway_client.client("sso-admin").list_instances()
        gateway_client.client("iam").create_user(UserName="bea")
    gateway_client.restart()
    gateway_client.client("iam").create_user(UserName="cem")
    names = [json.loads(text)["eventName"] for text in gateway_client.trail_texts()]
    assert names == ["ListInstances", "CreateUser"] * 2 + ["CreateUser"]
