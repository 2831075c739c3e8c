"""What the AWS CLIs of this machine answer to `--version`, asked once for each worker, not by each command.

That a command asks by itself is shown where the kit is installed (`integration/test_installation.py`).
"""

from __future__ import annotations

import functools

from idc_aws.signin.terminal import find_command_lines, known_versions


@functools.cache
def answered() -> dict[str, str]:
    """Return the variable that tells a process of the kit."""
    find_command_lines()
    return known_versions()
