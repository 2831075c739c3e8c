"""Batches of real notebooks on the standing sandbox, which is killed, and on sandboxes of their own."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from kit_commands import what_is_there
from patience import PATIENCE_S


@pytest.fixture
def batch(commands, tmp_path):
    def run(text, *options):
        table = tmp_path / "jobs.yaml"
        table.write_text(text, "utf-8")
        return commands.idc("batch", str(table), "--out", str(tmp_path / "out"), *options)

    run.out = tmp_path / "out"
    return run


def counted(out):
    path = out / "journal.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def test_a_sandbox_that_is_killed_costs_at_most_the_jobs_at_work_and_they_run_again(commands, batch):
    names = [f"j{number}" for number in range(8)]
    lines = "".join(f"  - {{name: {name}}}\n" for name in names)
    text = f'defaults: {{notebook: "05", set: {{mode: plan}}}}\njobs:\n{lines}'
    sandbox = commands.sandbox.pid
    with ThreadPoolExecutor() as threads:
        first = threads.submit(batch, text, "--workers", "1")
        deadline = time.monotonic() + PATIENCE_S
        while not counted(batch.out) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(sandbox, signal.SIGKILL)
        done = first.result()
    results = {entry["job"]: entry for entry in counted(batch.out)}
    assert len(counted(batch.out)) == len(results) == len(names), done.stdout
    failed = {name for name, entry in results.items() if entry["status"] == "failed"}
    assert len(failed) <= 1, [results[name]["reason"] for name in failed]
    assert all("sandbox" in results[name]["reason"] for name in failed)
    again = batch(text, "--retry-failed")
    assert again.returncode == 0, again.stdout
    assert len(counted(batch.out)) == len(names) + len(failed)


def test_jobs_apply_in_their_order_each_with_values_of_its_own_and_are_taken_back_one_by_one(commands, batch):
    text = (
        "jobs:\n"
        '  - {name: enable, notebook: "01"}\n'
        '  - name: sets\n    notebook: "05"\n    after: [enable]\n'
        '    set: {"permission_sets[0].session_duration": PT2H}\n'
    )
    done = batch(text)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(what_is_there(commands)["permission sets"]) == 3
    client = commands.client("sso-admin")
    arn = client.list_instances()["Instances"][0]["InstanceArn"]
    sets = client.list_permission_sets(InstanceArn=arn)["PermissionSets"]
    found = [
        client.describe_permission_set(InstanceArn=arn, PermissionSetArn=each)["PermissionSet"]
        for each in sets
    ]
    assert {each["Name"]: each["SessionDuration"] for each in found}["AdministratorAccess"] == "PT2H"
    for name in ("sets", "enable"):
        undone = commands.idc("undo", str(batch.out / "jobs" / name), "--yes")
        assert undone.returncode == 0, undone.stdout + undone.stderr
    assert "permission sets" not in what_is_there(commands)


def test_each_learner_may_have_a_sandbox_whose_state_stays_with_the_batch(commands, batch):
    text = 'defaults: {notebook: "01", sandbox: own}\njobs:\n  - {name: ana}\n  - {name: li}\n'
    done = batch(text)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("ana", "li"):
        state = batch.out / "jobs" / name / "sandbox"
        assert json.loads((state.parent / "run.json").read_text("utf-8"))["sandbox_state"] == str(state)
        assert list(state.iterdir())
        assert commands.idc("sandbox", "status", "--state", str(state)).returncode != 0
    assert what_is_there(commands) == {}
