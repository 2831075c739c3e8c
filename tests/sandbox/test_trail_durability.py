"""``kill -9`` at each step of a delivery: every event is in the bucket once, and none is lost."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest
from sandbox_clients import GatewayClient
from test_trail_delivery import BUCKET, delivered, keys

from idc_sandbox.trail import delivery

_WRITING = ("INSERT", "UPDATE", "DELETE", "REPLACE", "BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
_MOST_STEPS = 200


@pytest.fixture
def waiting(tmp_path, monkeypatch):
    """Return the folder of a state whose events wait for their delivery, and the ids of their requests."""
    monkeypatch.setattr(delivery, "_IN_ONE_GO", 3)
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
