"""AWS's service models, read and parsed once for all processes that are forked from this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import boto3
from botocore.loaders import JSONFileLoader, Loader

from idc_helpers.aws.clients import make_spare_session, sandbox_clients, session_without_files
from idc_helpers.aws.failures import Failures
from idc_helpers.aws.pacing import Pacing

# What most notebooks use. The models of others are large, and few notebooks ask for one.
SERVICES = ("sts", "organizations", "sso-admin", "identitystore", "sso", "sso-oidc")
_REGION = "us-east-1"


class SharedFiles(JSONFileLoader):
    """Keeps what botocore's own data files hold, for all sessions of this process.

    A session keeps what it parsed to itself, so that the next one parses the same files again. botocore only
    reads what it gets from here.
    """

    _known: ClassVar[dict[str, Any]] = {}

    def load_file(self, file_path: str) -> Any:
        """Return what a file holds; one of the user's own is read each time."""
        if not Path(file_path).is_relative_to(Loader.BUILTIN_DATA_PATH):
            return super().load_file(file_path)
        if file_path not in self._known:
            self._known[file_path] = super().load_file(file_path)
        return self._known[file_path]


def share_service_models() -> None:
    """Let all sessions of this process share parsed files, and parse those of the services that the kit uses.

    No client, credential or connection is shared, and no session that has been used.
    """
    Loader.FILE_LOADER_CLASS = SharedFiles
    nobody = {"access_key_id": "none", "secret_access_key": "none"}
    failures, pacing = Failures("sandbox", _REGION), Pacing(None)
    sealed = sandbox_clients(
        endpoint_url="http://127.0.0.1:1", region=_REGION, failures=failures, pacing=pacing, **nobody
    )
    for service in SERVICES:
        client = sealed.client(service)
        client.can_paginate(next(iter(client.meta.method_to_api_mapping)))  # reads what can be, of all
    # A notebook's own boto3 looks into other folders too, and reads a few files more; the user's config file
    # may be one that no AWS tool can read, and a sandbox run has nothing to do with it.
    keys = {f"aws_{name}": value for name, value in nobody.items()}
    usual = boto3.Session(**keys, region_name=_REGION, botocore_session=session_without_files())
    usual.client("sts", endpoint_url="http://127.0.0.1:1")
    make_spare_session()
