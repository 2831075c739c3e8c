"""What happens in a run, as it happens: one JSON object a line in the run's folder.

The events are the channel between a notebook and whoever runs it: the runner prints progress from them and
builds the summary, and a person can follow a run with ``tail -f``. Fields: ``at`` (ISO 8601, UTC),
``notebook``, ``step``, ``event`` and the event's own.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from idc_helpers.cleaning import clean_values
from idc_helpers.json_lines import append_json_line, read_json_lines


class EventLog:
    """The events of one run folder."""

    def __init__(self, path: Path, notebook: str) -> None:
        self.path = path
        self.notebook = notebook

    def write(self, event: str, *, step: str = "", **values: Any) -> None:
        """Append one event."""
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        entry = {"at": at, "notebook": self.notebook, "step": step, "event": event, **values}
        append_json_line(self.path, clean_values(entry))


def read_events(path: Path, notebook: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the events of a file, of one notebook or of all; a line still being written is passed over."""
    for entry in read_json_lines(path):
        if notebook in (None, entry.get("notebook")):
            yield entry
