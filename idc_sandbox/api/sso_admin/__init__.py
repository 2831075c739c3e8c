"""The ``sso-admin`` service: importing this package registers every operation that the sandbox answers."""

from idc_sandbox.api.sso_admin import (
    access_control_attributes,
    account_assignments,
    applications,
    assignment_lists,
    instance_updates,
    instances,
    permission_set_documents,
    permission_set_policies,
    permission_sets,
    provisioned,
    regions,
    tags,
)

__all__ = [
    "access_control_attributes",
    "account_assignments",
    "applications",
    "assignment_lists",
    "instance_updates",
    "instances",
    "permission_set_documents",
    "permission_set_policies",
    "permission_sets",
    "provisioned",
    "regions",
    "tags",
]
