"""How long a test waits for what must happen: long enough for a machine that is busy with other things."""

import time
from pathlib import Path

PATIENCE_S = 900
PATIENCE_MS = 180_000  # a browser's waits: a page that needs longer is broken


def until(condition, what="it"):
    """Wait until a function returns something true, and return that."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen in {PATIENCE_S} s")


def is_gone(pid):
    """Return whether a process has ended; one that nobody has waited for yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
