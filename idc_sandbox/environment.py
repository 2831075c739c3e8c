"""The environment variables that point AWS clients at a sandbox, and the endpoints of every service."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template

from idc_sandbox.certificates import ensure_certificates
from idc_sandbox.loopback import RunningSandbox
from idc_sandbox.state_folder import HOME_NAME
from idc_sandbox.wire.models import data_folders

OVERLAY_NAME = "aws_data"
_RULES = "endpoint-rule-set-1.json"
_GLOBAL = ("iam", "organizations")


def write_endpoint_rules(folder: Path, endpoint_url: str) -> Path:
    """Write endpoint rules that lead to a sandbox, and return the folder for ``AWS_DATA_PATH``. Writes."""
    overlay = folder / OVERLAY_NAME
    found = [path.parts for folder in data_folders() for path in folder.glob(f"*/*/{_RULES}.gz")]
    services = sorted({(service, version) for *_, service, version, _ in found})
    mark = overlay / "written_for.json"
    wanted = json.dumps([endpoint_url, services])
    if mark.exists() and mark.read_text("utf-8") == wanted:
        return overlay
    templates = json.loads(
        resources.files("idc_sandbox").joinpath("data/endpoint_rules.json").read_text("utf-8")
    )
    for service, version in services:
        kind = "s3" if service == "s3" else "global" if service in _GLOBAL else "regional"
        rules = Template(json.dumps(templates[kind])).substitute(endpoint_url=endpoint_url, service=service)
        path = overlay / service / version / _RULES
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rules, "utf-8")
    mark.write_text(wanted, "utf-8")
    return overlay


UNSET_VARIABLES = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)
_LOOPBACK = "localhost,127.0.0.1,::1"


def environment(sandbox: RunningSandbox) -> dict[str, str]:
    """Return the environment variables that point an AWS client at a sandbox, and at nothing else. Writes."""
    # Shared configuration and credentials files are replaced, so that no profile of the user's leads a client
    # out of the sandbox; every other ``AWS_`` variable must be unset as well (`variables_to_unset`). ``HOME``
    # is the sandbox's own, because clients keep tokens below it whatever the other variables say, and send
    # all of them where ``aws sso logout`` leads; below it `idc` would look for another state folder.
    # What still asks for another host, such as a client that was given one, goes to the sandbox as a proxy,
    # which refuses it: nothing reaches AWS.
    folder = Path(sandbox.state_folder)
    home = folder / HOME_NAME
    (home / ".aws").mkdir(mode=0o700, parents=True, exist_ok=True)
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), sandbox.endpoint_url)
    proxies["NO_PROXY"] = _LOOPBACK
    return {
        "HOME": str(home),
        "IDC_SANDBOX_STATE": str(folder),
        "AWS_ENDPOINT_URL": sandbox.endpoint_url,
        "AWS_DATA_PATH": str(write_endpoint_rules(folder, sandbox.endpoint_url)),
        # Clients send this service's bearer token over TLS alone, and to nobody whom they do not know.
        "AWS_ENDPOINT_URL_ACCOUNT_ACCESS_RUNTIME": sandbox.endpoint_url.replace("http:", "https:", 1),
        "AWS_CA_BUNDLE": str(ensure_certificates(folder)),
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",  # a name before 127.0.0.1 would be looked up elsewhere
        "AWS_ACCESS_KEY_ID": sandbox.access_key_id,
        "AWS_SECRET_ACCESS_KEY": sandbox.secret_access_key,
        "AWS_REGION": sandbox.region,
        "AWS_DEFAULT_REGION": sandbox.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws" / "credentials"),
        # Programs read one writing or the other, and the lower case first.
        **proxies,
        **{name.lower(): value for name, value in proxies.items()},
    }


def variables_to_unset(variables: Mapping[str, str], inherited: Mapping[str, str] = os.environ) -> list[str]:
    """Return the AWS variables that a terminal may have and that must not lead its clients elsewhere."""
    # Such as ``AWS_ENDPOINT_URL_S3``, which goes before ``AWS_ENDPOINT_URL``, or a container's credentials.
    inherited_names = [name for name in inherited if name.startswith("AWS_") and name.isidentifier()]
    return sorted({*UNSET_VARIABLES, *inherited_names} - set(variables))
