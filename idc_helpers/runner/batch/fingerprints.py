"""What a job's result depends on, as short hashes: equal ones mean that running it again is no use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from idc_helpers.runner.batch.jobs import Job

_LENGTH = 16


def fingerprint(job: Job, before: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return a hash of each of a job's inputs; reads its files.

    Parameters
    ----------
    job
        Without its fingerprint.
    before
        The fingerprints of the jobs that it comes after: what changes one changes the other.

    Returns
    -------
    dict
        Keys ``job`` (its line in the table), ``scenario``, ``notebooks`` and, where there are any, ``after``.
    """
    line = {
        "notebooks": [notebook.name for notebook in job.notebooks],
        "overrides": dict(job.overrides),
        "extra": dict(job.extra),
        "sandbox": job.sandbox,
    }
    found = {
        "job": _hash_of(line),
        "scenario": _hash_of_file(job.scenario_file),
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


def _hash_of_file(path: Path) -> str:
    status = path.stat()
    return _hash_of_unchanged_file(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)
def _hash_of_unchanged_file(path: Path, _changed_ns: int, _size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:_LENGTH]
