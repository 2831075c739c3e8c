"""What a query's process reaches: DuckDB, locked to the query's files, and the sandbox, whom it asks."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import duckdb

from idc_sandbox.athena.engine.types import literal
from idc_sandbox.athena.kinds import QueryFailedError

THREADS = 2
MEMORY_LIMIT = "600MB"
SPILL_LIMIT = "4GB"
_GIB = 1024**3
# In case DuckDB is talked into more than its own limits allow: the system's, for the whole process.
_LIMITS = {
    resource.RLIMIT_AS: 6 * _GIB,  # addresses, not memory: DuckDB reserves more than it uses
    resource.RLIMIT_FSIZE: 2 * _GIB,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_NOFILE: 4096,
}


def limit_process(cpu_s: int) -> None:
    """Bound what this process may take of the machine, for good."""
    for kind, most in {**_LIMITS, resource.RLIMIT_CPU: cpu_s}.items():
        _, hard = resource.getrlimit(kind)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))


def give_way() -> None:
    """Let this process, for good, have what others leave of the processors."""
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    with suppress(OSError):  # Linux weighs sessions before it weighs the processes in them
        Path("/proc/self/autogroup").write_text("19", "ascii")


def open_locked(
    spill: Path, *, folders: Iterable[Path] = (), files: Iterable[str] = ()
) -> duckdb.DuckDBPyConnection:
    """Return DuckDB in memory that may read and write in some folders, or read some files, and no others."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": THREADS,
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(spill),
            "max_temp_directory_size": SPILL_LIMIT,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "integer_division": "true",  # as in Athena, 7 / 2 is 3
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    for setting, paths in {
        "allowed_directories": (f"{folder}/" for folder in folders),
        "allowed_paths": files,
    }.items():
        connection.execute(f"SET {setting} = [{', '.join(map(literal, paths))}]")
    connection.execute("SET enable_external_access = false")
    return connection


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep every setting as it is: what comes next was written by somebody else."""
    connection.execute("SET lock_configuration = true")


class Line:
    """The sandbox at the other end of two pipes: a line of JSON asks, a line answers.

    What the permissions of who asked do not allow raises QueryFailedError.
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
