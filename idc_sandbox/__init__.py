"""A local Identity Center that unmodified AWS clients take for AWS: one process on loopback."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idc_sandbox.launcher import start, stop
    from idc_sandbox.loopback import find_sandbox
    from idc_sandbox.state_folder import StateFolder

__all__ = ["StateFolder", "find_sandbox", "start", "stop"]
__version__ = "0.1.0"
_HOMES = {"StateFolder": "state_folder", "find_sandbox": "loopback", "start": "launcher", "stop": "launcher"}


def __getattr__(name: str) -> Any:
    # The sandbox's own process starts without what only others need.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"idc_sandbox.{_HOMES[name]}"), name)
