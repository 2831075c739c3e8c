"""The ``sso-admin`` service: importing this package registers every operation that the sandbox answers."""

# What each does: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_Operations.html
from idc_sandbox.api.sso_admin import (
    application_access,
    application_assignments,
    application_providers,
    applications,
    assignments,
    instances,
    permission_sets,
    policies,
    provisioning,
    regions,
    tags,
    trusted_token_issuers,
)

__all__ = [
    "application_access",
    "application_assignments",
    "application_providers",
    "applications",
    "assignments",
    "instances",
    "permission_sets",
    "policies",
    "provisioning",
    "regions",
    "tags",
    "trusted_token_issuers",
]
