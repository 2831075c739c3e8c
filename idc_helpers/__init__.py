"""Runbooks that set up AWS IAM Identity Center, on AWS or in a local sandbox: what a notebook imports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idc_helpers.notebook.runbook import Runbook, open_runbook

__all__ = ["Runbook", "open_runbook"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Only a notebook needs what these import.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from idc_helpers.notebook import runbook  # noqa: PLC0415

    return getattr(runbook, name)
