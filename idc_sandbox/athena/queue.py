"""The queries that wait and run: each in a process of its own, with bounds of time, two at once."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from idc_sandbox import store as state
from idc_sandbox.athena.catalog import CallersShelf
from idc_sandbox.athena.kinds import (
    INTERNAL,
    SYSTEM,
    TIMED_OUT,
    QueryFailedError,
    out_of_memory,
)
from idc_sandbox.context import AwsServices, Caller
from idc_sandbox.store import Store

_ROOT = Path(__file__).parents[2]
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from idc_sandbox.athena.engine.worker import main; main()"
)
_LONGEST_LINE = 64 * 1024 * 1024


class EngineGoneError(Exception):
    """The process ended without having said how its query ended."""


class Engine:
    """One process for one query: it has imported what it needs, and waits for its job."""

    def __init__(self, folder: Path) -> None:
        # Isolated, with nothing of this process's environment: no key, no path of the user's.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, str(_ROOT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env={"LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )

    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process.poll() is None

    def run(
        self, job: dict[str, Any], answer: Callable[[str, dict[str, Any]], dict[str, Any]]
    ) -> dict[str, Any]:
        """Give it its job, answer its questions, and return what it says at the end."""
        try:
            self._hear()  # it is ready
            self._say(job)
            while "ask" in (message := self._hear()):
                self._say(answer(message["ask"], message["values"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EngineGoneError(f"{type(error).__name__}") from error
        finally:
            self.kill()
        return message

    def _say(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise EngineGoneError("it ended")
        message: dict[str, Any] = json.loads(line)
        return message

    def kill(self) -> None:
        """End the process, whatever it does."""
        with suppress(OSError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


_MOST_AT_ONCE = 2
_POLL_S = 0.01
LONGEST_QUERY_S = 300.0
LARGEST_CACHE = 4 * 1024**3
_FOLDER = "athena"
logger = logging.getLogger(__name__)


class Queries:
    """Runs what StartQueryExecution has put into the state, in order."""

    def __init__(self, store: Store, double: AwsServices) -> None:
        self._store = store
        self._double = double
        self.longest_s = LONGEST_QUERY_S
        self._lock = threading.Lock()
        self._engines: dict[str, Engine | None] = {}
        self._spare: Engine | None = None
        self._is_reading_ahead = False
        self._ahead: Engine | None = None
        for left in self.folder.glob("query-*"):  # by a sandbox that was killed
            shutil.rmtree(left, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """Where files of queries lie, beside the state."""
        return self._store.path.parent / _FOLDER

    def fail_interrupted(self) -> None:
        """Say of queries that nothing runs any more that they failed. Writes.

        They ran when an earlier sandbox ended, or when the state was kept to which this one has gone back.
        """
        reason = "The sandbox was stopped while the query ran. Start the query again."
        failed = json.dumps({"failed": QueryFailedError(reason, INTERNAL, SYSTEM).as_values()})
        with self._store.transaction() as connection:
            running = connection.execute(
                "SELECT query_id FROM athena_query WHERE state = 'RUNNING'"
            ).fetchall()
            for (query_id,) in running:
                if query_id not in self._engines:
                    connection.execute(
                        "UPDATE athena_query SET state = 'FAILED', completed_at = ?, outcome_json = ?"
                        " WHERE query_id = ?",
                        (state.now(connection), failed, query_id),
                    )

    def go_on(self) -> None:
        """Start what waits, as far as there is room, and end what was cancelled."""
        with self._lock, self._store.transaction() as connection:
            for query_id in self._engines:
                row = _find(connection, query_id)
                engine = self._engines[query_id]
                if engine is not None and (row is None or row["state"] != "RUNNING"):
                    engine.kill()
            room = _MOST_AT_ONCE - len(self._engines)
            rows = connection.execute(
                "SELECT query_id FROM athena_query WHERE state = 'QUEUED' ORDER BY number LIMIT ?",
                (max(room, 0),),
            ).fetchall()
            for (query_id,) in rows:
                connection.execute(
                    "UPDATE athena_query SET state = 'RUNNING', started_at = ? WHERE query_id = ?",
                    (state.now(connection), query_id),
                )
                self._engines[query_id] = None
        for (query_id,) in rows:
            threading.Thread(target=self._run, args=(query_id,), daemon=True, name="athena").start()

    def end_all(self) -> None:
        """Cancel what waits or runs, and wait until nothing does: the state becomes another one. Writes."""
        while self._engines or self._is_reading_ahead:
            if self._ahead is not None:
                self._ahead.kill()
            with self._store.transaction() as connection:
                connection.execute(
                    "UPDATE athena_query SET state = 'CANCELLED' WHERE state IN ('QUEUED', 'RUNNING')"
                )
            self.go_on()
            time.sleep(_POLL_S)

    def _run(self, query_id: str) -> None:
        """Run one query to its end, on a thread of its own."""
        folder = self.folder / f"query-{uuid.uuid4().hex}"
        has_parts = False
        try:
            self._make_folders(folder)
            outcome = self._outcome(query_id, folder)
            done = outcome.get("done", {})
            has_parts = done.pop("has_parts", False) and done["scanned"] <= LARGEST_CACHE
            self._finish(query_id, outcome)
        except sqlite3.ProgrammingError:
            logger.info("the sandbox was stopped while a query ran")  # the next one says that it failed
        except Exception as error:
            logger.exception("defect while running a query")
            reason = f"GENERIC_INTERNAL_ERROR: {type(error).__name__}; the sandbox's server.log says more"
            self._finish(query_id, {"failed": QueryFailedError(reason, INTERNAL, SYSTEM).as_values()})
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with self._lock:
                self._engines.pop(query_id, None)
                is_last = not self._engines
                reads_ahead = has_parts and not self._is_reading_ahead
                self._is_reading_ahead |= reads_ahead
                if is_last:  # no query reads the files, and none can begin to
                    _shrink(self.folder / "cache")
            if reads_ahead:
                threading.Thread(
                    target=self._read_ahead, args=(query_id,), daemon=True, name="athena-ahead"
                ).start()
            if is_last:
                self._prepare_spare()
        self._go_on_if_open()

    def _read_ahead(self, query_id: str) -> None:
        """Read all columns of a query's objects for those that come later, while nobody waits for it."""
        folder = self.folder / f"query-{uuid.uuid4().hex}"
        try:
            self._make_folders(folder)
            with self._store.transaction() as connection:
                row, now = _find(connection, query_id), state.now(connection)
            if row is not None:
                self._ahead = Engine(self.folder)
                self._ask(self._ahead, row, now, folder, is_ahead=True)
        except (sqlite3.ProgrammingError, OSError, EngineGoneError) as error:
            logger.info("reading ahead of the queries has ended: %s", error)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with self._lock:
                self._ahead, self._is_reading_ahead = None, False
                if not self._engines:
                    _shrink(self.folder / "cache")

    def _go_on_if_open(self) -> None:
        try:
            self.go_on()
        except sqlite3.ProgrammingError:
            logger.info("the sandbox was stopped while queries waited")

    def _outcome(self, query_id: str, folder: Path) -> dict[str, Any]:
        with self._store.transaction() as connection:
            row, now = _find(connection, query_id), state.now(connection)
        if row is None:
            return {}
        engine = self._take(query_id)
        with self._store.transaction() as connection:
            row = _find(connection, query_id)
        if row is None or row["state"] != "RUNNING":  # cancelled while there was no process to end
            engine.kill()
            return {}
        request, begun = json.loads(row["request_json"]), time.monotonic()
        try:
            ended = self._ask(engine, row, now, folder)
            if "done" in ended:
                done = {**ended["done"], "engine_s": time.monotonic() - begun}
                body = (folder / "result").read_bytes()
                shelf = self._shelf(row, folder)
                shelf.write(request["address"], body)
                shelf.write(f"{request['address']}.metadata", b"\x00")
                return {"done": {**done, "output_bytes": len(body)}}
            return ended
        except EngineGoneError:
            reason = f"Query timed out: the sandbox gives a query {self.longest_s:.0f} seconds"
            late = QueryFailedError(reason, TIMED_OUT, SYSTEM)
            is_late = time.monotonic() - begun >= self.longest_s
            return {"failed": (late if is_late else out_of_memory()).as_values()}
        except QueryFailedError as error:
            return {"failed": error.as_values()}

    def _make_folders(self, folder: Path) -> None:
        for place in (self.folder, self.folder / "cache", folder):
            place.mkdir(mode=0o700, exist_ok=True)

    def _shelf(self, row: sqlite3.Row, folder: Path) -> CallersShelf:
        caller = Caller(row["account_id"], row["principal_arn"], row["access_key_id"])
        return CallersShelf(self._store, self._double, caller, row["region"], folder)

    def _ask(
        self, engine: Engine, row: sqlite3.Row, now: float, folder: Path, *, is_ahead: bool = False
    ) -> dict[str, Any]:
        """Give a process its job, and return how it ended; it is ended when its time is up."""
        request = json.loads(row["request_json"])
        job = {
            "text": request["QueryString"],
            "database": request.get("QueryExecutionContext", {}).get("Database", "default").lower(),
            "parameters": request.get("ExecutionParameters", []),
            "now": now,
            "folder": str(folder),
            "cache": str(self.folder / "cache"),
            "is_ahead": is_ahead,
            "cpu_s": int(self.longest_s * 4) + 10,
        }
        timer = threading.Timer(self.longest_s, engine.kill)
        timer.daemon = True
        timer.start()
        try:
            return engine.run(job, self._shelf(row, folder).answer)
        finally:
            timer.cancel()

    def _finish(self, query_id: str, outcome: dict[str, Any]) -> None:
        with self._store.transaction() as connection:
            ended = "SUCCEEDED" if "done" in outcome else "FAILED"
            connection.execute(  # one that was cancelled meanwhile stays so
                "UPDATE athena_query SET state = ?, completed_at = ?, outcome_json = ?"
                " WHERE query_id = ? AND state = 'RUNNING'",
                (ended, state.now(connection), json.dumps(outcome), query_id),
            )

    def _take(self, query_id: str) -> Engine:
        """Return a process that waits for a job: the spare one, or a new one."""
        with self._lock:
            spare, self._spare = self._spare, None
            engine = spare if spare is not None and spare.is_alive() else Engine(self.folder)
            self._engines[query_id] = engine
        return engine

    def _prepare_spare(self) -> None:
        """Let a process import what the next query needs, in the meantime; it ends when none comes."""
        with self._lock:
            if self._spare is None or not self._spare.is_alive():
                with suppress(OSError):  # the next query then starts one itself
                    self._spare = Engine(self.folder)


def _find(connection: sqlite3.Connection, query_id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM athena_query WHERE query_id = ?", (query_id,)
    ).fetchone()
    return row


def _shrink(cache: Path) -> None:
    """Delete the files that were used longest ago, until the rest are within the bound."""
    files = sorted(
        ((path.stat().st_mtime, path.stat().st_size, path) for path in cache.glob("*.parquet")), reverse=True
    )
    total = 0
    for _, size, path in files:
        total += size
        if total > LARGEST_CACHE:
            path.unlink(missing_ok=True)
