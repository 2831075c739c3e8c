"""DuckDB, locked: it reads the files of one query, and nothing else of the machine or the network."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import duckdb

from idc_sandbox.athena.engine.types import literal

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
