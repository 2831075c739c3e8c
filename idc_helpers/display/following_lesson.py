"""Keeps a picture of the lesson's states current while a notebook is open, whoever applies a step.

Every notebook of a run writes its events into one folder. While a person sits at the screen, a task on the
kernel's loop looks at that folder once a second, and reads the target again after something was applied,
checked or attested: in this notebook or in another. Headless nothing is followed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from idc_helpers.display.interaction import is_guided
from idc_helpers.display.live import Handle, show_updatable
from idc_helpers.display.tables import Line
from idc_helpers.runbook.run_context import RunContext

POLL_S = 1.0
_TELLING = ("applied", "failed", "checked", "own_values")
_FILES = ("events.jsonl", "attestations.jsonl")

# By run folder, notebook and what is shown: showing it again ends the following of what was shown before. And
# the loop keeps only weak references.
_FOLLOWING: dict[tuple[Path, str, str], asyncio.Task[None]] = {}


def show_and_follow(
    context: RunContext, name: str, first: Callable[[], Any], make: Callable[[], Any]
) -> None:
    """Show something, and put in its place what `make` returns whenever a step of the run was applied.

    Parameters
    ----------
    name
        What is shown, such as ``"map"``; of each notebook's, the last one shown is followed.
    first
        Returns what to show now.
    make
        Reads the target; called in a thread for each update.

    Raises
    ------
    NotImplementedError
        Headless: IPython then shows the object as any other.
    """
    if not is_guided():
        raise NotImplementedError
    news = News(context.run_folder)  # before the target is read: nothing falls between
    handle = show_updatable(first())
    key = (context.run_folder, context.notebook, name)
    before = _FOLLOWING.pop(key, None)
    if before is not None:
        before.cancel()
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return  # a plain script: nothing runs between its lines
    task = _FOLLOWING[key] = loop.create_task(_follow(news, handle, make))

    def closed() -> None:
        task.cancel()
        handle.update(Line(f"✘ Closed: {context.opening.refusal}"))

    context.opening.watch(closed)


async def _follow(news: News, handle: Handle, make: Callable[[], Any]) -> None:
    while True:
        await asyncio.sleep(POLL_S)
        if not news.arrived():
            continue
        try:
            handle.update(await asyncio.to_thread(make))
        except Exception:  # noqa: S112 - the target may be stopped or asleep: what was seen last stays
            continue


class News:
    """Tells whether a run's folder has news of a step.

    Parameters
    ----------
    folder
        The run's folder; need not exist yet. What it holds already is no news.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / name for name in _FILES]
        self._sizes = [_size(path) for path in self._paths]

    def arrived(self) -> bool:
        """Return whether since the last call a step was applied, checked or attested, or failed."""
        sizes = [_size(path) for path in self._paths]
        before, self._sizes = self._sizes, sizes
        if sizes[1] != before[1]:
            return True
        # A file that has shrunk was begun anew.
        return sizes[0] != before[0] and _tells(self._paths[0], before[0] if before[0] < sizes[0] else 0)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _tells(path: Path, start: int) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(start)
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(_tells_of_step(line) for line in lines)


def _tells_of_step(line: str) -> bool:
    try:
        return json.loads(line).get("event") in _TELLING
    except (ValueError, AttributeError):
        return True  # torn: better to read once too often
