"""Kernels of this very Python, whatever kernel specifications the machine holds."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

KERNEL_NAME = "python3"


class OwnKernelManager(AsyncKernelManager):
    """Starts ipykernel with the Python that runs this, and with an environment of the run's own.

    A specification called ``python3`` may be any Python of the machine, so none is looked up.
    """

    environment: ClassVar[Mapping[str, str]] = {}

    @property
    def kernel_spec(self) -> KernelSpec:
        """The one specification: this Python."""
        argv = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python", metadata={"debugger": False})

    async def _async_pre_start_kernel(self, **options: Any) -> tuple[list[str], dict[str, Any]]:
        options["env"] = {**os.environ, **self.environment}
        return await super()._async_pre_start_kernel(**options)


def kernel_manager_class(environment: Mapping[str, str]) -> type[OwnKernelManager]:
    """Return a class of kernel managers whose kernels see these environment variables."""
    return type("RunKernelManager", (OwnKernelManager,), {"environment": dict(environment)})
