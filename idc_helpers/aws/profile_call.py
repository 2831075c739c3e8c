"""One call with a profile, by unmodified boto3 in a process of its own: stands in where there is no AWS CLI.

``python -m idc_helpers.aws.profile_call sts get-caller-identity --profile practice`` prints JSON. It needs a
process of its own because botocore reads HOME once.
"""

from __future__ import annotations

import argparse
import json
import sys

import boto3
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

_SERVICES = {"s3api": "s3"}


def main(arguments: list[str] | None = None) -> int:
    """Make the call, print its answer, and return 0; 1 with the refusal on standard error."""
    parser = argparse.ArgumentParser(prog="python -m idc_helpers.aws.profile_call")
    parser.add_argument("service")
    parser.add_argument("operation")
    parser.add_argument("--profile", required=True)
    known, rest = parser.parse_known_args(arguments)
    method = known.operation.replace("-", "_")
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


if __name__ == "__main__":
    sys.exit(main())
