"""What is too long for a cell: how much of it is shown, the whole of it in files."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from idc_aws.files import write_explained
from idc_aws.scenario.tables import safe_cell
from idc_aws.scrubbing import masked_values, scrub, scrub_values
from idc_helpers.runbook.run import RunContext

MOST_ROWS = 200
"""A table of more rows is shown by its sums and its first rows."""

FIRST_ROWS = 50
FOLDER = "tables"
_SYMBOL = re.compile(r"^[^\w\s] (?=\w)", re.ASCII)

Rows = Sequence[Sequence[str]]


def first_rows(number: int, marks: Sequence[str]) -> list[int]:
    """Return which rows of a long table are shown, in their order: those marked as bad before others."""
    if number <= MOST_ROWS:
        return list(range(number))
    marked = [*marks, *[""] * (number - len(marks))]
    by_weight = sorted(range(number), key=lambda at: (marked[at] != "bad", at))
    return sorted(by_weight[:FIRST_ROWS])


def sums(columns: Sequence[str], rows: Rows) -> str:
    """Return how many rows of each kind there are, such as ``"+ create user: 1,000"``."""
    if columns[0] not in ("action", "result", "kind"):
        return ""
    kind = columns.index("kind") if "kind" in columns[1:] else None
    counts = Counter(f"{row[0]} {row[kind]}" if kind else row[0] for row in rows)
    return "; ".join(f"{words}: {number:,}" for words, number in counts.items())


def write_whole_table(context: RunContext, name: str, columns: Sequence[str], rows: Rows) -> tuple[str, ...]:
    """Write rows as CSV and JSON into the run's folder, secrets out and masked; return the links. Writes."""
    cleaned = _cleaned(rows)
    plain = [[_SYMBOL.sub("", row[0]), *row[1:]] for row in cleaned] if columns else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_as_text(cell) for cell in row] for row in plain)
    objects = ",\n".join(
        json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) for row in plain
    )
    return write_files(context, {f"{name}.csv": text.getvalue(), f"{name}.json": f"[\n{objects}\n]\n"})


def write_files(context: RunContext, texts: dict[str, str]) -> tuple[str, ...]:
    """Write cleaned texts under these names into the run's folder of whole tables, and return the links."""
    folder = context.run_folder / FOLDER
    paths = [folder / f"{context.notebook}-{_file_name(name)}" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_explained(path, text, "Make room, or name another `run_folder`.")
    return tuple(_link(context, path) for path in paths)


def _link(context: RunContext, path: Path) -> str:
    # A run's executed notebooks, and their pages, lie in a folder of their own.
    executed = context.run_folder / "notebooks"
    start = executed if executed.is_dir() else Path.cwd()
    return Path(os.path.relpath(path, start)).as_posix()


def _file_name(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return f"{re.sub('[^a-z0-9]+', '_', stem.lower()).strip('_')}{dot}{ending}"


def _cleaned(rows: Rows) -> list[list[str]]:
    """Return rows without secrets, masked where the run masks; most hold none, which one look tells."""
    whole = "\n".join(cell for row in rows for cell in row)
    kept = [list(row) for row in rows] if scrub(whole) == whole else scrub_values([list(row) for row in rows])
    masked: list[list[str]] = masked_values(kept)
    return masked


def _as_text(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula, in one line."""
    return safe_cell("; ".join(cell.splitlines()).rstrip())


def cut_note(shown: int, number: int, what: str, links: Iterable[str]) -> str:
    """Return the line below what was cut."""
    listed = " · ".join(links)
    return f"These are {shown:,} of {number:,} {what}." + (f" All of them: {listed}" if listed else "")
