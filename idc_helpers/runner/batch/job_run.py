"""One job of a batch: a run in a folder of its own, in whatever process it is asked for."""

from __future__ import annotations

import datetime
import errno
import json
import os
import shlex
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from idc_helpers.masking import current_masker
from idc_helpers.models import Scenario
from idc_helpers.parameters import scenario_parameters
from idc_helpers.runner.batch.batch_folder import job_folder, open_job_folder
from idc_helpers.runner.batch.jobs import BatchEndedError, Job
from idc_helpers.runner.batch.models import OWN
from idc_helpers.runner.batch.results import JobResult, reason_of, shortened_reason
from idc_helpers.runner.carrying_out import Execution, RunOutcome, carry_out
from idc_helpers.runner.engines import NO_LIMITS, Engine, TimeLimits
from idc_helpers.runner.preparing import PreparedRun
from idc_helpers.runner.progress import Progress
from idc_helpers.runner.run_folder import RunRecord, write_record
from idc_helpers.runner.sandboxes import STATE_VARIABLE, sandbox_of_its_own
from idc_helpers.runner.scrubbed_files import write_whole
from idc_helpers.sandbox_starter import start_sandbox

RUN_LOG = "run.log"
_OF_THE_DISK = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ENFILE,
    errno.EMFILE,
}


@dataclass(frozen=True)
class JobSettings:
    """What all jobs of a batch have in common; goes to other machines with each job.

    Attributes
    ----------
    batch_folder
        Holds the folders of the jobs.
    limits
        For each cell and notebook.
    environment
        Variables that all cells see.
    bucket
        Where in S3 each job is stored when it has ended, ``s3://bucket/prefix``; empty: nowhere else.
    """

    batch_folder: Path
    limits: TimeLimits = NO_LIMITS
    environment: Mapping[str, str] = field(default_factory=dict)
    bucket: str = ""


def run_job(job: Job, settings: JobSettings, engine: Engine) -> JobResult:
    """Carry out a job and leave its run folder; its trouble is its result, never an exception.

    Writes to the job's target in mode ``apply``. Doing it again is safe.

    Raises
    ------
    BatchEndedError
        When the batch was ended meanwhile.
    OSError
        When the batch's folder takes nothing any more: that is no trouble of this job alone.
    """
    started, start = _now(), time.monotonic()
    folder = open_job_folder(job_folder(settings.batch_folder, job.name))
    try:
        outcome, where = _carried_out(job, folder, settings, engine)
    except BatchEndedError:
        raise
    except OSError as error:
        if error.errno in _OF_THE_DISK:
            raise
        return _failed(job, folder, error, started, time.monotonic() - start)
    except Exception as error:  # a defect of ours in one job must not stop a thousand others
        return _failed(job, folder, error, started, time.monotonic() - start)
    return _result(job, outcome, where, started, time.monotonic() - start)


def _failed(job: Job, folder: Path, error: Exception, started: datetime.datetime, wall_s: float) -> JobResult:
    reason = shortened_reason(f"{type(error).__name__}: {error}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # the notebook may have taken it away
    (folder / RUN_LOG).write_text(f"{reason}\n", "utf-8")
    return JobResult(
        job.name, "failed", job.fingerprint, started.isoformat(timespec="seconds"), wall_s, reason=reason
    )


def _result(
    job: Job, outcome: RunOutcome, where: str, started: datetime.datetime, wall_s: float
) -> JobResult:
    summary = outcome.summary
    checks = [check for result in summary.notebooks for check in result.checks]
    return JobResult(
        job=job.name,
        status="passed" if summary.passed else "failed",
        fingerprint=job.fingerprint,
        started=started.isoformat(timespec="seconds"),
        wall_s=wall_s,
        mode=summary.mode,
        where=where,
        changes=summary.totals(),
        checks=len(checks),
        checks_passed=sum(check.passed for check in checks),
        reason=reason_of(summary),
    )


def _carried_out(job: Job, folder: Path, settings: JobSettings, engine: Engine) -> tuple[RunOutcome, str]:
    started = _now()
    with ExitStack() as stack:
        place = folder
        if (
            current_masker() is not None
        ):  # notebooks need the people as they are; the folder must not have them
            place = Path(stack.enter_context(TemporaryDirectory(prefix="idc-scenario-")))
        prepared = _with_own_scenario_file(job.prepared(), job, place)
        state = job.state_folder(folder)
        if state is not None:
            stack.enter_context(sandbox_of_its_own(state, is_shared=job.sandbox != OWN))
        where, state_id = _require_target(prepared, state)
        write_record(folder, _record(prepared, state, state_id))
        log = stack.enter_context((folder / RUN_LOG).open("w", encoding="utf-8"))
        execution = Execution(
            prepared,
            folder,
            where,
            _environment(folder, state, settings),
            engine,
            Progress(log, prepared.mode),
            started,
            f"idc undo {shlex.quote(str(folder))}",
            limits=settings.limits,
            pages="failed",
            passes_on=(BatchEndedError,),
        )
        return carry_out(execution), where


def _with_own_scenario_file(prepared: PreparedRun, job: Job, folder: Path) -> PreparedRun:
    """Write the scenario with the job's own values into its folder: notebooks read it from there."""
    if not job.overrides:
        return prepared
    # JSON is YAML in which each text has its quotes, account ids too.
    path = folder / "scenario.yaml"
    write_whole(path, json.dumps(scenario_parameters(prepared.scenario), indent=2, ensure_ascii=False) + "\n")
    return PreparedRun(
        prepared.scenario, path, prepared.mode, prepared.notebooks, prepared.known, prepared.extra
    )


def _require_target(prepared: PreparedRun, state: Path | None) -> tuple[str, str]:
    """Connect once for all jobs of a target: a wrong account or missing credentials are said at once.

    Returns it in one readable line, and the id of the sandbox's state.
    """
    scenario = prepared.scenario
    expected = scenario.expected_account if prepared.mode == "apply" else None
    place = _Place(scenario.target, scenario.region, scenario.profile, state, prepared.mode, expected)
    if state is not None:
        return _checked(place)  # a sandbox of the job's own is of no use to other jobs
    return _checked_before(place, os.environ.get(STATE_VARIABLE))


class _Place(NamedTuple):
    target: Literal["sandbox", "aws"]
    region: str
    profile: str | None
    state: Path | None
    mode: str
    expected_account: str | None


def _checked(place: _Place) -> tuple[str, str]:
    if place.target == "sandbox":
        sandbox = start_sandbox(place.state, port=0 if place.state is not None else None)
        return f"sandbox · account {sandbox.account_id} · {place.region}", sandbox.state_id
    from idc_helpers.aws.connection import connect, require_apply_allowed  # noqa: PLC0415 -- boto3 is slow to import

    connection = connect(target="aws", region=place.region, profile=place.profile)
    if place.mode == "apply":
        require_apply_allowed(connection, place.expected_account)
    return str(connection), ""


@lru_cache(maxsize=256)
def _checked_before(place: _Place, _standing_state: str | None) -> tuple[str, str]:
    return _checked(place)


def _record(prepared: PreparedRun, state: Path | None, state_id: str) -> RunRecord:
    scenario: Scenario = prepared.scenario
    return RunRecord(
        target=scenario.target,
        mode=prepared.mode,
        region=scenario.region,
        profile=scenario.profile,
        scenario_file=str(prepared.scenario_file),
        sandbox_state=str(state) if state else os.environ.get(STATE_VARIABLE, ""),
        sandbox_state_id=state_id,
    )


def _environment(folder: Path, state: Path | None, settings: JobSettings) -> dict[str, str]:
    variables = {**settings.environment, "IDC_RUN_FOLDER": str(folder), "IDC_INTERACTIVE": "headless"}
    return variables | ({STATE_VARIABLE: str(state)} if state is not None else {})


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
