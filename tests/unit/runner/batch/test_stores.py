import json
import socket
import subprocess
import sys
import time

import boto3
import pytest
from batch_tools import counted, fails, statuses
from patience import PATIENCE_S

from idc_aws.errors import InvalidValueError, RunFailedError
from idc_aws.object_storage import ObjectFolder
from idc_runner.batch import folder as folders

TWO = "defaults: {notebook: '05'}\njobs:\n  - {name: a}\n  - {name: b}\n"
ADDRESS = "s3://results/batches/one"


@pytest.fixture(scope="module")
def server():
    # A process of its own: in this one the sandbox's tests may have given moto other rules.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE_S
    while not answers(port):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def s3(server, monkeypatch):
    """A client of S3 with an empty bucket; the environment leads everybody there."""
    for name, value in (
        ("AWS_ENDPOINT_URL", server),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    client = boto3.client("s3")
    client.create_bucket(Bucket="results")
    yield client
    for entry in client.list_objects_v2(Bucket="results").get("Contents", ()):
        client.delete_object(Bucket="results", Key=entry["Key"])


def keys(s3):
    pages = s3.list_objects_v2(Bucket="results").get("Contents", ())
    return {entry["Key"].removeprefix("batches/one/") for entry in pages}


def test_each_job_is_uploaded_once_its_marker_last_and_nothing_of_it_stays_here(
    run, table, engine, tmp_path, s3, monkeypatch
):
    put = []
    put_file = ObjectFolder.put_file
    monkeypatch.setattr(
        ObjectFolder, "put_file", lambda self, path, key: (put.append(key), put_file(self, path, key))
    )
    outcome = run(table(TWO), bucket=ADDRESS, workers=1)
    assert outcome.exit_status == 0
    of_a = [key for key in put if key.startswith("jobs/a/")]
    assert len(of_a) == len(set(of_a))
    assert of_a[-1] == "jobs/a/result.json"
    assert "jobs/a/notebooks/05_a.ipynb" in of_a
    assert put[-3:] == ["journal.jsonl", "batch.json", "index.html"]
    assert keys(s3) == set(put)
    assert list((tmp_path / "out" / "jobs").iterdir()) == []
    assert "Report: s3://results/batches/one/index.html" in run.told


def test_another_machine_goes_on_with_what_s3_has(run, table, engine, tmp_path, s3):
    engine.acts["b"] = fails
    run(table(TWO), bucket=ADDRESS, workers=1)
    engine.asked.clear()
    engine.acts.clear()
    outcome = run(table(TWO), bucket=ADDRESS, out=tmp_path / "elsewhere", retry_failed=True)
    assert outcome.exit_status == 0
    assert engine.asked == ["b"]
    assert sorted(counted(tmp_path / "elsewhere")) == ["a", "b", "b"]
    whole = json.loads(s3.get_object(Bucket="results", Key="batches/one/batch.json")["Body"].read())
    assert whole["counts"]["passed"] == 2


def test_what_one_place_has_does_not_count_for_another(run, table, engine, s3):
    """Each night's batch has a place of its own; nothing of it was in the second, and all jobs had passed."""
    places = (
        "",
        "s3://results/monday",
        "s3://results/tuesday",
        "s3://results/tues/day",
        "s3://results/tues+day",
    )
    folders = [run(table(TWO), bucket=place, out=None).folder for place in places]
    assert sorted(engine.asked) == sorted(["a", "b"] * len(places))
    assert len(set(folders)) == len(places)
    assert folders[1].name == "batch-jobs-results+monday"
    found = {entry["Key"] for entry in s3.list_objects_v2(Bucket="results")["Contents"]}
    assert {"monday/jobs/b/result.json", "tuesday/jobs/b/result.json"} < found


def test_receipts_of_the_attempt_before_stand_beside_those_of_the_next_one(run, table, engine, tmp_path, s3):
    def writes(folder):
        with (folder / "receipts.jsonl").open("a") as file:
            file.write("{}\n")
        return fails(folder)

    engine.acts["a"] = writes
    run(table(TWO), bucket=ADDRESS)
    run(table(TWO), bucket=ADDRESS, out=tmp_path / "elsewhere", retry_failed=True)
    receipts = s3.get_object(Bucket="results", Key="batches/one/jobs/a/receipts.jsonl")["Body"].read()
    assert receipts == b"{}\n{}\n"


def test_what_cannot_be_uploaded_is_kept_and_is_no_success(run, table, engine, tmp_path, s3, monkeypatch):
    put_file = ObjectFolder.put_file

    def refuse(self, path, key):
        if key.startswith("jobs/a/") and key.endswith("summary.json"):
            raise RunFailedError("S3 did not put it")
        put_file(self, path, key)

    monkeypatch.setattr(ObjectFolder, "put_file", refuse)
    assert run(table(TWO), bucket=ADDRESS).exit_status == 1
    assert statuses(tmp_path / "out") == {"a": "failed", "b": "passed"}
    kept = tmp_path / "out" / "jobs" / "a"
    assert (kept / "summary.json").exists()
    assert f"is kept in {kept}" in run.told
    assert "jobs/a/result.json" not in keys(s3)


def test_a_bucket_that_does_not_exist_is_said_before_the_first_job(run, table, engine, s3):
    with pytest.raises(RunFailedError, match="NoSuchBucket"):
        run(table(TWO), bucket="s3://nobody/x")
    assert engine.asked == []


def test_a_sandboxs_state_stays_on_the_machine(tmp_path, s3):
    folder = tmp_path / "job"
    (folder / "sandbox").mkdir(parents=True)
    (folder / "sandbox" / "server.json").write_text("{}", "utf-8")
    (folder / "summary.json").write_text("{}", "utf-8")
    assert [path.name for path in folders._files_of(folder)] == ["summary.json"]


@pytest.mark.parametrize("address", ["s3://", "s3:results", "s3://Big/x", "s3:///x", "https://x"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(InvalidValueError, match="is not a place in S3"):
        ObjectFolder(address)


def test_a_folder_may_be_the_bucket_itself():
    folder = ObjectFolder("s3://results/")
    assert folder.address("a/b") == "s3://results/a/b"
    assert str(folder) == "s3://results"
