"""One checked job, the hashes of its inputs, and what it came to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from idc_aws.errors import RunFailedError
from idc_aws.files import read_once
from idc_aws.scenario.reading import (
    load_scenario,
    scenario_files,
    scenario_parameters,
    validate_scenario,
    with_overrides,
)
from idc_aws.scenario.scenario import Scenario
from idc_aws.scrubbing import clean
from idc_runner.batch.table import OWN, STANDING
from idc_runner.execution import PreparedRun, prepared_run
from idc_runner.notebooks import LessonNotebook
from idc_runner.summary import ACTIONS, NotebookResult, RunSummary

JobStatus = Literal["passed", "failed", "not run"]
_LONGEST_REASON = 2000


@dataclass(frozen=True)
class JobResult:
    """How one job ended; one line of the journal."""

    job: str
    status: JobStatus
    fingerprint: Mapping[str, str]
    started: str
    wall_s: float
    mode: str = ""
    where: str = ""
    changes: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    checks: int = 0
    checks_passed: int = 0
    reason: str = ""
    attempts: int = 1
    stored: str = ""

    @property
    def passed(self) -> bool:
        """Whether every check in every notebook passed."""
        return self.status == "passed"

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> JobResult:
        """Return the result that a line of the journal holds; fields of other versions are passed over."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


def reason_of(summary: RunSummary) -> str:
    """Return why a run failed: its first notebook that did, and what it said; empty when it passed."""
    failed = next((result for result in summary.notebooks if result.status == "failed"), None)
    if failed is None:
        return "" if summary.passed else "it was not run to its end"
    return shortened_reason(f"{failed.notebook}: {_why(failed)}")


def _why(result: NotebookResult) -> str:
    if result.failure is not None:
        return str(result.failure)
    checks = "; ".join(f"{check.name}: {check.detail}" for check in result.failed_checks)
    return f"not every check passed: {checks}"


def shortened_reason(text: str) -> str:
    """Return a reason without secrets, cut where it is longer than a table of a thousand jobs can bear."""
    text = clean(text)
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


class BatchEndedError(RunFailedError):
    """A notebook was asked for when the batch had ended already; nothing of it was begun."""


@dataclass(frozen=True)
class Job:
    """A job that may start once the jobs before it have passed."""

    name: str
    notebooks: tuple[LessonNotebook, ...]
    scenario_file: Path
    overrides: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    sandbox: str = STANDING
    fingerprint: Mapping[str, str] = field(default_factory=dict)

    def failed(self, reason: str, started: str = "", wall_s: float = 0.0) -> JobResult:
        """Return the result of the job when its run has left none."""
        reason = shortened_reason(reason)
        return JobResult(self.name, "failed", self.fingerprint, started, wall_s, reason=reason)

    def state_folder(self, folder: Path) -> Path | None:
        """Return the state of the job's sandbox, given the job's folder; None: the standing one."""
        if self.sandbox == STANDING:
            return None
        return folder / "sandbox" if self.sandbox == OWN else Path(self.sandbox)

    def scenario(self) -> Scenario:
        """Return what is desired; reads the scenario file."""
        scenario = scenario_of(self.scenario_file)
        if not self.overrides:
            return scenario
        return validate_scenario(
            with_overrides(scenario_parameters(scenario), self.overrides), source=f"job {self.name}"
        )

    def prepared(self) -> PreparedRun:
        """Return the job as a run; reads files only. Raises as `scenario`."""
        return prepared_run(self.scenario(), self.scenario_file, self.notebooks, self.extra)


scenario_of = read_once(load_scenario, scenario_files)


_LENGTH = 16


def fingerprint(job: Job, before: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return a hash of each of a job's inputs; reads its files."""
    line = {
        "notebooks": [notebook.name for notebook in job.notebooks],
        "overrides": dict(job.overrides),
        "extra": dict(job.extra),
        "sandbox": job.sandbox,
    }
    found = {
        "job": _hash_of(line),
        "scenario": _hash_of_scenario(job.scenario_file),
        "notebooks": _hash_of([_hash_of_file(notebook.path) for notebook in job.notebooks]),
    }
    others = sorted(_hash_of(dict(each)) for each in before)
    return {**found, "after": _hash_of(others)} if others else found


def changed_inputs(now: Mapping[str, str], then: Mapping[str, str]) -> list[str]:
    """Return in words which inputs of a job are other ones than before; empty: none."""
    words = {
        "job": "its line in the table",
        "scenario": "its scenario file",
        "notebooks": "its notebook",
        "after": "a job before it",
    }
    return [text for key, text in words.items() if now.get(key) != then.get(key)]


def _hash_of(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def _hash_of_scenario(path: Path) -> str:
    hashes = [_hash_of_file(each) for each in _scenario_files(path)]
    return hashes[0] if len(hashes) == 1 else _hash_of(hashes)


_scenario_files = read_once(scenario_files, scenario_files)


@read_once
def _hash_of_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:_LENGTH]
