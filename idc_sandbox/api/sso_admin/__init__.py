"""The ``sso-admin`` service: importing this package registers every operation that the sandbox answers."""

# What each does: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_Operations.html
from idc_sandbox.api.sso_admin import assignments, instances, permission_sets, policies, provisioning

__all__ = ["assignments", "instances", "permission_sets", "policies", "provisioning"]
