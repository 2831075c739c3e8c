"""The environment variables that point AWS clients at a sandbox."""

from __future__ import annotations

from pathlib import Path

from idc_sandbox.loopback import RunningSandbox

UNSET_VARIABLES = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)


def environment(sandbox: RunningSandbox) -> dict[str, str]:
    """Return the environment variables that point an AWS client at a sandbox, and at nothing else.

    Shared configuration and credentials files are replaced, so that no profile of the user's leads a client
    out of the sandbox; ``AWS_PROFILE`` and a left-over ``AWS_SESSION_TOKEN`` must be unset besides
    (`UNSET_VARIABLES`).
    """
    folder = Path(sandbox.state_folder)
    return {
        "AWS_ENDPOINT_URL": sandbox.endpoint_url,
        "AWS_ACCESS_KEY_ID": sandbox.access_key_id,
        "AWS_SECRET_ACCESS_KEY": sandbox.secret_access_key,
        "AWS_REGION": sandbox.region,
        "AWS_DEFAULT_REGION": sandbox.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "AWS_CONFIG_FILE": str(folder / "aws_config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "aws_credentials"),
    }
