"""What an AWS CLI v2 older than 2.13 needs: endpoint rules in files, as it ignores ``AWS_ENDPOINT_URL``.

Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-endpoints.html
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

OVERLAY_NAME = "aws_data"
ANSWERS_NAME = "aws_versions.json"
_KNOWS_ENDPOINT_URL = (2, 13)
_VERSION = re.compile(r"aws-cli/(\d+)\.(\d+)\.")
_TIMEOUT_S = 60
# The versions of the services' models, which AWS has not changed since each service began.
_VERSIONS = {
    "sso": "2019-06-10",
    "sso-oidc": "2019-06-10",
    "sso-admin": "2020-07-20",
    "identitystore": "2020-06-15",
    "sts": "2011-06-15",
    "s3": "2006-03-01",
    "iam": "2010-05-08",
    "organizations": "2016-11-28",
}
_GLOBAL = ("iam", "organizations")
_BUILT_IN = {"Region": "AWS::Region", "UseDualStack": "AWS::UseDualStack", "UseFIPS": "AWS::UseFIPS"}


def is_old_command_line(folder: Path, search_path: str | None = None) -> bool:
    """Tell whether the AWS CLI that a terminal would find is a v2 that ignores ``AWS_ENDPOINT_URL``.

    Parameters
    ----------
    folder
        The sandbox's state folder. What a program answered is kept there until it is another file: each one
        takes a second to say its version, and every new terminal asks. Writes.
    search_path
        As ``PATH``; None: this process's. The first v2 on it counts, because v1 cannot sign in at all.
    """
    answers = _Answers(folder / ANSWERS_NAME)
    for each in (search_path or os.environ.get("PATH", "")).split(os.pathsep):
        program = Path(each) / "aws"
        if each and os.access(program, os.X_OK):
            version = answers.version(program)
            if version is not None and version >= (2, 0):
                return version < _KNOWS_ENDPOINT_URL
    return False


class _Answers:
    """What the programs called ``aws`` said of their versions, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._known = dict(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            self._known = {}

    def version(self, program: Path) -> tuple[int, int] | None:
        status = program.stat()
        key = f"{program} {status.st_ino} {status.st_mtime_ns}"
        if key in self._known:
            major, minor = self._known[key]
            return int(major), int(minor)
        answer = _version(program)
        if answer is not None:  # what said nothing may only have been slow
            self._known[key] = answer
            with suppress(OSError):
                self._path.write_text(json.dumps(self._known), "utf-8")
        return answer


def _version(program: Path) -> tuple[int, int] | None:
    try:
        done = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(done.stdout + done.stderr)
    return (int(found[1]), int(found[2])) if found else None


def write_overlay(folder: Path, endpoint_url: str) -> Path:
    """Write endpoint rules that lead to a sandbox, and return the folder for ``AWS_DATA_PATH``. Writes.

    Parameters
    ----------
    folder
        The sandbox's state folder; the rules are written anew, because the port may be another one.
    """
    overlay = folder / OVERLAY_NAME
    for service, version in _VERSIONS.items():
        path = overlay / service / version / "endpoint-rule-set-1.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(_rule_set(service, endpoint_url)), "utf-8")
    return overlay


def _rule_set(service: str, endpoint_url: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        name: {"builtIn": built_in, "required": False, "type": "String" if name == "Region" else "Boolean"}
        for name, built_in in _BUILT_IN.items()
    }
    properties: dict[str, Any] = {}
    if service in _GLOBAL:
        scheme = {"name": "sigv4", "signingName": service, "signingRegion": "us-east-1"}
        properties = {"authSchemes": [scheme]}
    rules = [_rule(endpoint_url, properties)]
    if service == "s3":
        parameters["Bucket"] = {"required": False, "type": "String"}
        has_bucket = {"fn": "isSet", "argv": [{"ref": "Bucket"}]}
        rules.insert(0, _rule(f"{endpoint_url}/{{Bucket}}", properties, has_bucket))
    return {"version": "1.0", "parameters": parameters, "rules": rules}


def _rule(url: str, properties: Mapping[str, Any], *conditions: Mapping[str, Any]) -> dict[str, Any]:
    endpoint = {"url": url, "properties": properties, "headers": {}}
    return {"conditions": list(conditions), "endpoint": endpoint, "type": "endpoint"}
