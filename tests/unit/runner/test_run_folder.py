import datetime
import json
import stat
from dataclasses import asdict

import pytest

from idc_aws.errors import NotFoundError, RunFailedError
from idc_runner.notebooks import RunRecord, create_run_folder, find_run_folder, read_record, write_record

NOW = datetime.datetime(2026, 11, 23, 5, 45, tzinfo=datetime.UTC)
RECORD = RunRecord("sandbox", "apply", "us-east-1", None, "/kit/parameters/sandbox.yaml", "/kit/state")


def test_a_run_is_named_by_its_time_and_only_its_owner_reads_it(tmp_path):
    folder = create_run_folder(tmp_path / "runs", now=NOW)
    assert folder.name == "20261123-054500"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_two_runs_of_one_second_differ_and_latest_is_the_second(tmp_path):
    first, second = (create_run_folder(tmp_path, now=NOW) for _ in range(2))
    assert (first.name, second.name) == ("20261123-054500", "20261123-054500-2")
    assert (tmp_path / "latest").resolve() == second.resolve()


def test_a_folder_of_the_name_latest_costs_nothing_but_the_link(tmp_path):
    (tmp_path / "latest").mkdir()
    assert create_run_folder(tmp_path, now=NOW).is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["20261123-054500", "latest"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "runs").write_text("a file", "utf-8")
    with pytest.raises(RunFailedError, match=r"(?s)runs'.*--out DIR"):
        create_run_folder(tmp_path / "runs", now=NOW)


def test_a_run_is_found_by_id_by_latest_and_by_path(tmp_path):
    folder = create_run_folder(tmp_path, now=NOW)
    write_record(folder, RECORD)
    for named in ("20261123-054500", "latest", str(folder)):
        assert find_run_folder(named, tmp_path) == folder.resolve()


def test_an_unknown_run_is_refused_with_what_there_is(tmp_path):
    write_record(create_run_folder(tmp_path, now=NOW), RECORD)
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        NotFoundError, match=r"(?s)'20261123-054501'. Did you mean '20261123-054500'.*Newest runs"
    ):
        find_run_folder("20261123-054501", tmp_path)
    with pytest.raises(NotFoundError):
        find_run_folder("empty", tmp_path)  # a folder without receipts is no run
    with pytest.raises(NotFoundError):
        find_run_folder("", tmp_path)


def test_what_undo_needs_is_kept(tmp_path):
    write_record(tmp_path, RECORD)
    assert read_record(tmp_path) == RECORD


def test_no_record_is_none_and_what_a_newer_kit_adds_is_passed_over(tmp_path):
    assert read_record(tmp_path) is None
    newer = {**asdict(RECORD), "newer": {"field": 1}}
    (tmp_path / "run.json").write_text(json.dumps(newer), "utf-8")
    assert read_record(tmp_path) == RECORD


BROKEN = {
    "fields are missing": '{"target": "sandbox"}',
    "a list": "[]",
    "nothing": "null",
    "no text": "\xff",
    "a number for a folder": json.dumps({**asdict(RECORD), "sandbox_state": 5}),
    "very deep": "[" * 100_000,
    "a folder": None,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_record_says_so(tmp_path, name):
    text = BROKEN[name]
    if text is None:
        (tmp_path / "run.json").mkdir()
    else:
        (tmp_path / "run.json").write_text(text, "latin-1")
    with pytest.raises(RunFailedError, match="cannot be understood"):
        read_record(tmp_path)
