"""moto's sts, iam, organizations and s3, made durable, authenticated and obedient to the sandbox's clock.

double          what the rest of the sandbox calls
early_double    the same before moto is imported: the administrator's first requests do not wait for it
administrator, access
                what is known without moto
exchange        one request: permission before moto acts, state saved after
application     an HTTP request to moto and its answer
memory          moto's memory and the state file, kept in step
snapshots       how a service's memory becomes bytes, and only safe bytes become memory
moto_settings   what has to differ from a stock moto: clock, ids, secrets, permissions
managed_policies, organization, reserved_roles, access_keys, access_policies,
session_keys, iam_resources, object_bodies
                one noun each
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idc_sandbox.aws_double.double import AwsDouble

__all__ = ["AwsDouble"]


def __getattr__(name: str) -> Any:
    # Importing a small module of this package must not import moto.
    if name != "AwsDouble":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from idc_sandbox.aws_double.double import AwsDouble  # noqa: PLC0415

    return AwsDouble
