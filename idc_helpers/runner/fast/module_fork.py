"""A fork's work on a command line: the module runs as ``python -m`` would run it."""

from __future__ import annotations

import os
import runpy
import socket
import sys
from collections.abc import Sequence

from idc_helpers.runner.fast.messages import Lines
from idc_helpers.runner.fast.new_process import begin_anew, end_now


def run_module(answers: Lines, descriptors: Sequence[int], control: socket.socket) -> int:
    """Run the module that the order's socket names, and return its exit status.

    Parameters
    ----------
    answers
        Has the order.
    descriptors
        Standard input, output and errors.
    control
        Closed: a command line orders nothing.
    """
    order = answers.receive()
    control.close()
    answers.close()
    if order is None:
        return 1
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    begin_anew(order["environment"], order["folder"], [order["module"], *order["arguments"]])
    if not sys.flags.safe_path:
        sys.path.insert(0, order["folder"])
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    name = order["module"]
    is_package = hasattr(sys.modules.get(name), "__path__")
    # As in a new Python, what is run is not imported before.
    sys.modules.pop(f"{name}.__main__" if is_package else name, None)
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        return end_now(_status(error.code))
    return end_now(0)


def _status(code: object) -> int:
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1
