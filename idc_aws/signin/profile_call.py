"""One call with a profile, by boto3 in a process whose HOME is the terminal's: for where no AWS CLI is."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import boto3
from botocore import xform_name
from botocore.credentials import SSOProvider
from botocore.exceptions import BotoCoreError, ClientError
from botocore.tokens import SSOTokenProvider

_SERVICES = {"s3api": "s3"}


def main(arguments: list[str] | None = None) -> int:
    """Make the call, print its answer, and return 0; 1 with the refusal on standard error."""
    parser = argparse.ArgumentParser(prog="python -m idc_aws.signin.profile_call")
    parser.add_argument("service")
    parser.add_argument("operation")
    parser.add_argument("--profile", required=True)
    known, rest = parser.parse_known_args(arguments)
    method = known.operation.replace("-", "_")
    look_for_tokens_below_home()
    try:
        session = boto3.Session(profile_name=known.profile)
        client = session.client(_SERVICES.get(known.service, known.service))
        operation = next(
            name for name in client.meta.service_model.operation_names if xform_name(name) == method
        )
        members = client.meta.service_model.operation_model(operation).input_shape
        names = {xform_name(name, "-"): name for name in (members.members if members else {})}
        given = zip(rest[::2], rest[1::2], strict=True)
        answer = getattr(client, method)(
            **{names[option.removeprefix("--")]: value for option, value in given}
        )
    except (BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    answer.pop("ResponseMetadata", None)
    print(json.dumps(answer, default=str))
    return 0


def look_for_tokens_below_home() -> None:
    """Let botocore find the tokens of this process's HOME."""
    # It has read HOME when it was imported, and a fork's parent has imported it below another one: the token
    # that was found there would be the person's own.
    folder = str(Path.home() / ".aws" / "sso" / "cache")
    SSOProvider._SSO_TOKEN_CACHE_DIR = SSOTokenProvider._SSO_TOKEN_CACHE_DIR = folder


if __name__ == "__main__":
    sys.exit(main())
