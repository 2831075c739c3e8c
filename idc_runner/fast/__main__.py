"""The preloaded process: ``python -m idc_runner.fast DESCRIPTOR``.

It imports everything that notebooks use and forks for each order that comes over the socket it was given. It
has one thread, always: a fork of several threads could wait for ever for a lock that nobody holds.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from idc_runner.fast.server import Forks, number_of_threads, preload


def main(arguments: list[str]) -> int:
    """Preload, then serve until the other side of the socket is closed; return 1 when that cannot be."""
    control = socket.socket(fileno=int(arguments[0]))
    control.set_inheritable(False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the one who started it decides when it ends
    preload()
    threads = number_of_threads()
    if threads != 1:
        print(f"a library started {threads - 1} threads when it was imported", file=sys.stderr)
        return 1
    from idc_runner.fast.work import run_module, run_notebook  # noqa: PLC0415 -- once it has preloaded

    Forks(control, {"notebook": run_notebook, "module": run_module}).serve()
    os._exit(0)  # nothing here is worth the time of an orderly end


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
