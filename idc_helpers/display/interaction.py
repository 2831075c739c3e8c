"""Whether a person sits at the screen: guided notebooks show forms, headless ones make no widget at all."""

from __future__ import annotations

import os
import sys
from typing import Any

from idc_helpers.errors import InvalidValueError

VARIABLE = "IDC_INTERACTIVE"
GUIDED, HEADLESS = "guided", "headless"


def is_guided() -> bool:
    """Return whether to show forms and to wait for buttons.

    The environment's ``IDC_INTERACTIVE`` (``guided`` or ``headless``) decides; without it, whether the
    kernel's front end can ask for input, which is so in JupyterLab and not under papermill, nbconvert or
    nbval. Outside a kernel: False.

    Raises
    ------
    InvalidValueError
        The variable holds another word.
    """
    wanted = os.environ.get(VARIABLE, "").strip().casefold()
    if wanted:
        return _read(wanted)
    kernel = getattr(running_shell(), "kernel", None)
    # Private, and the only place where the front end says whether a person can answer.
    return bool(getattr(kernel, "_allow_stdin", False))


def _read(wanted: str) -> bool:
    if wanted not in (GUIDED, HEADLESS):
        raise InvalidValueError(
            f"the environment's {VARIABLE} is {wanted!r}",
            remedy=f"Set it to {GUIDED!r} or {HEADLESS!r}, or unset it.",
        )
    return wanted == GUIDED


def running_shell() -> Any:
    """Return IPython's shell, or None outside of one; IPython is not imported for that."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
