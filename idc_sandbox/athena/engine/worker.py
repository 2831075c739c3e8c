"""The process of one query: it reads its job from its input, asks there for what it needs, and ends."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from idc_sandbox.athena.engine.failures import INTERNAL, SYSTEM, QueryFailedError, out_of_memory

_LONGEST_IDLE_S = 300.0  # a spare process that nobody has a query for goes


class Line:
    """The sandbox at the other end of two pipes: a line of JSON asks, a line answers.

    It is what `idc_sandbox.athena.engine.ddl.CatalogShelf` says.
    """

    def __init__(self, questions: TextIO, answers: TextIO) -> None:
        self._questions = questions
        self._answers = answers

    def say(self, **message: Any) -> None:
        """Send a message; without a sandbox this process ends."""
        try:
            self._questions.write(json.dumps(message) + "\n")
            self._questions.flush()
        except BrokenPipeError:
            os._exit(1)

    def hear(self) -> dict[str, Any]:
        """Return the next message; without a sandbox this process ends."""
        line = self._answers.readline()
        if not line:
            os._exit(1)
        message: dict[str, Any] = json.loads(line)
        return message

    def _ask(self, question: str, /, **values: Any) -> Any:
        self.say(ask=question, values=values)
        answer = self.hear()
        if "failed" in answer:
            failed = answer["failed"]
            raise QueryFailedError(failed["reason"], failed["error_type"], failed["category"])
        return answer["answer"]

    def find_table(self, database: str, name: str) -> dict[str, Any] | None:
        """Return a table's definition, or None."""
        table: dict[str, Any] | None = self._ask("find_table", database=database, name=name)
        return table

    def partitions(self, database: str, name: str) -> list[tuple[tuple[str, ...], str]]:
        """Return values and location of each partition that a table was told of."""
        found = self._ask("partitions", database=database, name=name)
        return [(tuple(values), location) for values, location in found]

    def objects(self, bucket: str, prefix: str) -> list[tuple[str, int, str]]:
        """Return key, size and ETag of the objects under a prefix."""
        return [(key, size, etag) for key, size, etag in self._ask("objects", bucket=bucket, prefix=prefix)]

    def allow_objects(self, bucket: str, keys: list[str]) -> None:
        """Return when the caller may read all of these objects."""
        self._ask("allow_objects", bucket=bucket, keys=keys)

    def fetch(self, bucket: str, key: str) -> str:
        """Return the path of a file with an object's bytes, which the query deletes."""
        return str(self._ask("fetch", bucket=bucket, key=key))

    def databases(self) -> list[str]:
        """Return the names of all databases, in order."""
        return [str(name) for name in self._ask("databases")]

    def tables(self, database: str) -> list[dict[str, Any]]:
        """Return the definitions of a database's tables and views, by name."""
        return list(self._ask("tables", database=database))

    def change(self, kind: str, **values: Any) -> None:
        """Change the catalog. Writes."""
        self._ask("change", kind=kind, change=values)


def main() -> None:
    """Run the one job that comes in, and say how it ended."""
    # Whatever a library prints goes to the log; the line to the sandbox is ours alone.
    questions = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    line = Line(questions, os.fdopen(os.dup(0), "r", encoding="utf-8"))
    _end_with(os.getppid())
    run = _prepare()
    line.say(ready=True)
    idle = threading.Timer(_LONGEST_IDLE_S, os._exit, args=(0,))
    idle.daemon = True
    idle.start()
    job = line.hear()
    idle.cancel()
    line.say(**_ended(run, job, line))


def _end_with(parent: int) -> None:
    """End this process when the sandbox is gone, whatever it is doing."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


_Run = Callable[[dict[str, Any], Line], dict[str, Any]]


def _prepare() -> _Run:
    from idc_sandbox.athena.engine.running import Job, run_job  # noqa: PLC0415  DuckDB and sqlglot come here
    from idc_sandbox.athena.engine.session import give_way, limit_process  # noqa: PLC0415

    def run(job: dict[str, Any], line: Line) -> dict[str, Any]:
        limit_process(job.pop("cpu_s"))
        if job["is_ahead"]:
            give_way()
        folder, cache = Path(job.pop("folder")), Path(job.pop("cache"))
        return asdict(run_job(Job(**job, folder=folder, cache=cache), line, time.monotonic))

    return run


def _ended(run: _Run, job: dict[str, Any], line: Line) -> dict[str, Any]:
    try:
        return {"done": run(job, line)}
    except QueryFailedError as error:
        return {"failed": error.as_values()}
    except MemoryError:
        return {"failed": out_of_memory().as_values()}
    except RecursionError:
        reason = "SYNTAX_ERROR: line 1:1: the query is nested too deeply"
        return {"failed": QueryFailedError(reason).as_values()}
    except OSError as error:
        return {
            "failed": QueryFailedError(
                f"GENERIC_INTERNAL_ERROR: {error.strerror}", INTERNAL, SYSTEM
            ).as_values()
        }
    except Exception as error:
        import traceback  # noqa: PLC0415

        traceback.print_exc(file=sys.stderr)
        reason = f"GENERIC_INTERNAL_ERROR: {type(error).__name__}; the sandbox's server.log says more"
        return {"failed": QueryFailedError(reason, INTERNAL, SYSTEM).as_values()}
