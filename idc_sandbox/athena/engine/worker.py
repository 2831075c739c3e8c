"""The process of one query: it reads its job from its input, asks there for what it needs, and ends."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from idc_sandbox.athena.kinds import INTERNAL, SYSTEM, QueryFailedError, out_of_memory

_LONGEST_IDLE_S = 300.0  # a spare process that nobody has a query for goes


def main() -> None:
    """Run the one job that comes in, and say how it ended."""
    # Whatever a library prints goes to the log; the line to the sandbox is ours alone.
    questions = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _end_with(os.getppid())
    from idc_sandbox.athena.engine.running import Job, run_job  # noqa: PLC0415  DuckDB and sqlglot come here
    from idc_sandbox.athena.engine.session import Line, give_way, limit_process  # noqa: PLC0415

    line = Line(questions, os.fdopen(os.dup(0), "r", encoding="utf-8"))
    line.say(ready=True)
    idle = threading.Timer(_LONGEST_IDLE_S, os._exit, args=(0,))
    idle.daemon = True
    idle.start()
    job = line.hear()
    idle.cancel()

    def run() -> dict[str, Any]:
        limit_process(job.pop("cpu_s"))
        if job["is_ahead"]:
            give_way()
        folder, cache = Path(job.pop("folder")), Path(job.pop("cache"))
        return asdict(run_job(Job(**job, folder=folder, cache=cache), line, time.monotonic))

    line.say(**_ended(run))


def _end_with(parent: int) -> None:
    """End this process when the sandbox is gone, whatever it is doing."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _ended(run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return {"done": run()}
    except QueryFailedError as error:
        failure = error
    except MemoryError:
        failure = out_of_memory()
    except RecursionError:
        failure = QueryFailedError("SYNTAX_ERROR: line 1:1: the query is nested too deeply")
    except OSError as error:
        failure = QueryFailedError(f"GENERIC_INTERNAL_ERROR: {error.strerror}", INTERNAL, SYSTEM)
    except Exception as error:
        import traceback  # noqa: PLC0415

        traceback.print_exc(file=sys.stderr)
        reason = f"GENERIC_INTERNAL_ERROR: {type(error).__name__}; the sandbox's server.log says more"
        failure = QueryFailedError(reason, INTERNAL, SYSTEM)
    return {"failed": failure.as_values()}
