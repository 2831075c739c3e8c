"""An engine that does what a test says, and ways to look at what a batch left."""

import json
import threading
from pathlib import Path

from idc_helpers.runbook.records import EventLog
from idc_runner.engine import NotebookFailure

CHECK = {"name": "it is there", "passed": True, "detail": "found"}


class CountingEngine:
    """Takes the place of an engine: remembers what it was asked for, and does what a test says.

    Attributes
    ----------
    asked
        The name of the job's folder, for each notebook that was to be executed.
    acts
        By job: a function that is called with the run folder, and whose result is the failure.
    """

    def __init__(self):
        self.asked = []
        self.parameters = {}
        self.limits = None
        self.acts = {}
        self.at_work = self.most_at_work = 0
        self.lock = threading.Lock()
        self.opened = self.closed = 0

    def end(self):
        """End what runs, as closing an engine does."""

    def execute(self, order):
        folder = order.output.parent.parent
        with self.lock:
            self.asked.append(folder.name)
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
        self.parameters[folder.name] = order.parameters
        self.limits = order.limits
        try:
            order.output.write_text(
                '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "utf-8"
            )
            act = self.acts.get(folder.name)
            failure = act(folder) if act else None
            if failure is None:
                EventLog(folder / "events.jsonl", order.notebook.name).write(
                    "checked", step="x", checks=[CHECK]
                )
            return failure
        finally:
            with self.lock:
                self.at_work -= 1


def fails(_folder):
    return NotebookFailure("WriteFailedError", "the write failed", 3, "write()")


def descriptors():
    """Return how many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def counted(folder):
    """Return the names of the jobs in a batch's journal, one for each line."""
    lines = (folder / "journal.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["job"] for line in lines]


def report(folder):
    """Return what ``batch.json`` says of each job, by name."""
    whole = json.loads((folder / "batch.json").read_text("utf-8"))
    return {job["name"]: job for job in whole["jobs"]}


def statuses(folder):
    return {name: job["status"] for name, job in report(folder).items()}
