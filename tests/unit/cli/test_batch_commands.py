from pathlib import Path
from types import SimpleNamespace

import pytest

from idc_runner.batch import batch as batches
from idc_runner.engine import TimeLimits


@pytest.fixture
def asked(monkeypatch):
    seen = []

    def run_batch(request, _stream, _engine):
        seen.append(request)
        return SimpleNamespace(exit_status=1)

    monkeypatch.setattr(batches, "run_batch", run_batch)
    return seen


def test_options_become_the_request_and_the_status_is_the_batchs(idc, asked):
    words = "batch t.yaml --workers 3 --out there --mode plan --engine kernel --cell-timeout 5"
    words += " --notebook-timeout 60 --max-output 2.5 --retry-failed --scheduler tcp://x:1"
    result = idc(*words.split())
    assert result.exit_code == 1
    (request,) = asked
    assert (request.table, request.out, request.bucket) == (Path("t.yaml"), Path("there"), "")
    assert (request.workers, request.mode, request.engine) == (3, "plan", "kernel")
    assert request.limits == TimeLimits(5, 60, 2_500_000)
    assert (request.retry_failed, request.scheduler) == (True, "tcp://x:1")
    assert not request.mask_personal_data


def test_a_place_in_s3_is_no_folder_and_the_batch_runs_in_one_of_that_name(idc, asked):
    idc("batch", "t.yaml", "--out", "s3://b/p", "--mask-personal-data")
    (request,) = asked
    assert (request.out, request.bucket) == (None, "s3://b/p")
    assert request.folder.name == "batch-t-b+p"
    assert request.mask_personal_data
