"""The ``sso-admin`` service: importing this package registers every operation that the sandbox answers."""

# What each does: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_Operations.html
from idc_sandbox.api.sso_admin import (
    application_access,
    applications,
    instances,
    permission_sets,
    provisioning,
    regions,
    tags,
)

__all__ = [
    "application_access",
    "applications",
    "instances",
    "permission_sets",
    "provisioning",
    "regions",
    "tags",
]
