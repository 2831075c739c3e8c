"""The environment variables that point AWS clients at a sandbox."""

from __future__ import annotations

from pathlib import Path

from idc_sandbox.loopback import RunningSandbox
from idc_sandbox.old_command_line import is_old_command_line, write_overlay
from idc_sandbox.state_folder import HOME_NAME

UNSET_VARIABLES = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_DATA_PATH",
)


def environment(sandbox: RunningSandbox) -> dict[str, str]:
    """Return the environment variables that point an AWS client at a sandbox, and at nothing else.

    Shared configuration and credentials files are replaced, so that no profile of the user's leads a client
    out of the sandbox; ``AWS_PROFILE`` and a left-over ``AWS_SESSION_TOKEN`` must be unset besides
    (`UNSET_VARIABLES`). ``HOME`` is the sandbox's own, because clients keep tokens below it whatever the
    other variables say, and send all of them where ``aws sso logout`` leads. Makes that folder. The state
    folder is named, because below that HOME `idc` would look for another one.
    """
    folder = Path(sandbox.state_folder)
    home = folder / HOME_NAME
    (home / ".aws").mkdir(mode=0o700, parents=True, exist_ok=True)
    variables = {
        "HOME": str(home),
        "IDC_SANDBOX_STATE": str(folder),
        "AWS_ENDPOINT_URL": sandbox.endpoint_url,
        "AWS_ACCESS_KEY_ID": sandbox.access_key_id,
        "AWS_SECRET_ACCESS_KEY": sandbox.secret_access_key,
        "AWS_REGION": sandbox.region,
        "AWS_DEFAULT_REGION": sandbox.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws" / "credentials"),
    }
    if is_old_command_line(folder):
        variables["AWS_DATA_PATH"] = str(write_overlay(folder, sandbox.endpoint_url))
    return variables
