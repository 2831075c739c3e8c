"""Endpoint rules by which clients find the sandbox, whatever the service and whatever they were told.

``AWS_ENDPOINT_URL`` alone does not hold: an AWS CLI v2 older than 2.13 does not know it, and some services
have rules that come before it, such as signin's session operations and S3's access points. So each service of
botocore gets rules of its own, in a folder for ``AWS_DATA_PATH``: one address, and no host of AWS's.
Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-endpoints.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from idc_sandbox.service_models import data_folders

OVERLAY_NAME = "aws_data"
_RULES = "endpoint-rule-set-1.json"
_GLOBAL = ("iam", "organizations")
_BUILT_IN = {
    "Region": ("AWS::Region", "String"),
    "UseDualStack": ("AWS::UseDualStack", "Boolean"),
    "UseFIPS": ("AWS::UseFIPS", "Boolean"),
    "Endpoint": ("SDK::Endpoint", "String"),
}
_IS_GIVEN = {"fn": "isSet", "argv": [{"ref": "Endpoint"}]}
_HAS_BUCKET = {"fn": "isSet", "argv": [{"ref": "Bucket"}]}
_PARSED = {"fn": "parseURL", "argv": [{"ref": "Endpoint"}], "assign": "url"}


def write_endpoint_rules(folder: Path, endpoint_url: str) -> Path:
    """Write endpoint rules that lead to a sandbox, and return the folder for ``AWS_DATA_PATH``. Writes.

    A client that is given another endpoint in so many words goes there.

    Parameters
    ----------
    folder
        The sandbox's state folder; the rules are written anew when the port or botocore is another one.
    """
    overlay = folder / OVERLAY_NAME
    services = sorted(_versions())
    mark = overlay / "written_for.json"
    wanted = json.dumps([endpoint_url, services])
    if mark.exists() and mark.read_text("utf-8") == wanted:
        return overlay
    for service, version in services:
        path = overlay / service / version / _RULES
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(_rule_set(service, endpoint_url)), "utf-8")
    mark.write_text(wanted, "utf-8")
    return overlay


def _versions() -> set[tuple[str, str]]:
    """Return each service of botocore with each version of its model."""
    found = [path for folder in data_folders() for path in folder.glob(f"*/*/{_RULES}.gz")]
    return {(path.parts[-3], path.parts[-2]) for path in found}


def _rule_set(service: str, endpoint_url: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        name: {"builtIn": built_in, "required": False, "type": kind}
        for name, (built_in, kind) in _BUILT_IN.items()
    }
    properties: dict[str, Any] = {}
    if service in _GLOBAL:
        scheme = {"name": "sigv4", "signingName": service, "signingRegion": "us-east-1"}
        properties = {"authSchemes": [scheme]}
    rules = [_rule({"ref": "Endpoint"}, properties, _IS_GIVEN), _rule(endpoint_url, properties)]
    if service == "s3":
        parameters["Bucket"] = {"required": False, "type": "String"}
        below = "{url#scheme}://{url#authority}{url#normalizedPath}{Bucket}"
        rules = [
            _rule(below, properties, _HAS_BUCKET, _IS_GIVEN, _PARSED),
            _rule(f"{endpoint_url}/{{Bucket}}", properties, _HAS_BUCKET),
            *rules,
        ]
    return {"version": "1.0", "parameters": parameters, "rules": rules}


def _rule(url: Any, properties: Mapping[str, Any], *conditions: Mapping[str, Any]) -> dict[str, Any]:
    endpoint = {"url": url, "properties": properties, "headers": {}}
    return {"conditions": list(conditions), "endpoint": endpoint, "type": "endpoint"}
