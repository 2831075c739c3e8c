"""Kernels of this very Python, whatever kernel specifications the machine holds."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import zmq
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from traitlets import default

KERNEL_NAME = "python3"


class OwnKernelManager(AsyncKernelManager):
    """Starts ipykernel with the Python that runs this, and with an environment of the run's own.

    A specification called ``python3`` may be any Python of the machine, so none is looked up. What a kernel's
    process writes past its notebook goes to a log, and its messages are encrypted: loopback is shared.
    """

    environment: ClassVar[Mapping[str, str]] = {}
    log_file: ClassVar[Path | None] = None
    folder: ClassVar[Path | None] = None
    pids: ClassVar[set[int]] = set()

    @property
    def kernel_spec(self) -> KernelSpec:
        """The one specification: this Python."""
        argv = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        metadata = {"supported_encryption": ["curve"]}
        return KernelSpec(argv=argv, display_name="Python 3", language="python", metadata=metadata)

    @default("transport_encryption")
    def _default_transport_encryption(self) -> str:
        return "auto" if zmq.has("curve") else "disabled"

    async def _async_pre_start_kernel(self, **options: Any) -> tuple[list[str], dict[str, Any]]:
        options["env"] = {**os.environ, **self.environment}
        return await super()._async_pre_start_kernel(**options)

    async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
        path = self.log_file or Path(os.devnull)
        if self.folder is not None:
            options["cwd"] = str(self.folder)
        with open(path, "ab", opener=_for_the_owner_only) as log:
            await super()._async_launch_kernel(kernel_cmd, **{**options, "stdout": log, "stderr": log})
        self.pids.add(self.provisioner.pid)  # type: ignore[union-attr]


def _for_the_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def kernel_manager_class(
    environment: Mapping[str, str],
    log_file: Path | None = None,
    folder: Path | None = None,
    pids: set[int] | None = None,
) -> type[OwnKernelManager]:
    """Return a class of kernel managers whose kernels see these variables and write this log, or none.

    Parameters
    ----------
    folder
        The kernels' working folder; None: the one of whoever starts them.
    pids
        Gets the process of each kernel.
    """
    attributes = {
        "environment": dict(environment),
        "log_file": log_file,
        "folder": folder,
        "pids": set() if pids is None else pids,
    }
    return type("RunKernelManager", (OwnKernelManager,), attributes)
