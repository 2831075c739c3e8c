"""For processes that start many sandboxes: import everything once, then fork for each.

>>> import idc_sandbox.preload
>>> idc_sandbox.preload.preload()     # half a second, once, while the process has one thread

A child of this process that then runs ``python -m idc_sandbox start …`` (by `runpy`, or by calling
`idc_sandbox.__main__.main`) gets its server by forking, in a few hundredths of a second, instead of from a
new Python. Importing this module costs nothing; only `preload` does.
"""

from __future__ import annotations

import importlib
import os

_SERVICES = ("sso-admin", "identitystore", "sso-oidc", "sso")
_MODULES = (
    "idc_sandbox.server",
    "idc_sandbox.pages.application",
    "uvicorn.protocols.http.h11_impl",
    "anyio._backends._asyncio",
    "sqlite3",
    "regex",
)
_preloaded = False


def preload() -> None:
    """Import what a server needs and parse what it reads; the second call does nothing.

    Starts no thread, opens no file that stays open, and decides nothing by the environment.
    """
    global _preloaded  # noqa: PLW0603  it is a state of this process
    if _preloaded or not hasattr(os, "fork"):
        return
    for name in _MODULES:
        importlib.import_module(name)
    from idc_sandbox.aws_double import managed_policies, moto_settings  # noqa: PLC0415
    from idc_sandbox.aws_double.application import prepare_applications  # noqa: PLC0415
    from idc_sandbox.service_models import service_model  # noqa: PLC0415

    moto_settings.apply()
    prepare_applications()
    managed_policies.is_aws_managed_policy("")
    for service_name in _SERVICES:
        service_model(service_name)
    _preloaded = True


def is_preloaded() -> bool:
    """Tell whether this process, or the one that it was forked from, has everything imported."""
    return _preloaded
