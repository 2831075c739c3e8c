"""What is remembered of the lesson in a run's folder: who made a step so, for the map and the side bar."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from idc_aws.files import read_object, write_whole
from idc_aws.scrubbing import clean_values
from idc_helpers.runbook.progress import StepReading, StepState
from idc_helpers.runbook.records import read_events
from idc_helpers.runbook.run import RunContext

BY_YOU, ALREADY_SO = "by you", "already so"
_FILE = "lesson.json"


def remember(context: RunContext, readings: Iterable[StepReading]) -> tuple[StepReading, ...]:
    """Return what was read, with who made it so; writes down what the side bar shows."""
    # A step that was open once, or has a receipt, is done by the person, by whatever door. What is so from
    # the first reading on, or since the instance was enabled, was so already. A sandbox that was reset is
    # another place, and begins anew.
    readings, place = tuple(readings), clean_values(str(context.receipt_place))
    before = _read(context.run_folder)
    known = before if before.get("place") == place else {}
    was_open = set(known.get("was_open", ()))
    was_open |= {reading.entry.name for reading in readings if reading.state.is_open}
    by_you = was_open | {receipt.step for receipt in context.receipts.open_receipts()}
    told = tuple(_told(reading, by_you) for reading in readings)
    checked = _checked(context, place)
    steps = {
        reading.entry.name: {
            "state": reading.state.name,
            "words": reading.words,
            "checked": checked.get(reading.entry.name, False),
        }
        for reading in told
    }
    now = {"place": place, "was_open": sorted(was_open), "steps": {**known.get("steps", {}), **steps}}
    if now != before:
        _write(context.run_folder, now)
    return told


def remembered_steps(run_folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return what was written down last, by the step's name: ``state``, ``words`` and ``checked``."""
    return _read(run_folder).get("steps", {})


def _told(reading: StepReading, by_you: set[str]) -> StepReading:
    if reading.state is not StepState.DONE or not reading.entry.wants:
        return reading
    who = BY_YOU if reading.entry.name in by_you else ALREADY_SO
    return replace(reading, detail=", ".join(filter(None, (who, reading.detail))))


def _checked(context: RunContext, place: str) -> dict[str, bool]:
    """Return whether all of a step's last checks passed, for the steps that were checked at this place."""
    return {
        str(event.get("step")): all(check["passed"] for check in event.get("checks", ()))
        for event in read_events(context.events.path)
        if event.get("event") == "checked" and event.get("place", place) == place
    }


def _read(run_folder: Path) -> dict[str, Any]:
    content = read_object(run_folder / _FILE)
    is_whole = isinstance(content.get("was_open"), list) and isinstance(content.get("steps"), dict)
    return content if is_whole else {}


def _write(run_folder: Path, content: Mapping[str, Any]) -> None:
    try:
        run_folder.mkdir(parents=True, exist_ok=True)
        write_whole(run_folder / _FILE, json.dumps(clean_values(content), indent=1))
    except OSError:
        return  # a folder that cannot be written costs the side bar its marks, and nothing else
