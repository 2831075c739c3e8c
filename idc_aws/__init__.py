"""The library below the kit: the scenario, the connection, a module for each noun of AWS, and signing in."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idc_aws.access import list_all_account_assignments, list_people_access
    from idc_aws.assignments import AccountAssignments
    from idc_aws.changes import Action, Change
    from idc_aws.connection import Connection, connect, require_apply_allowed
    from idc_aws.errors import KitError
    from idc_aws.groups import GroupMemberships, Groups
    from idc_aws.instances import Instances
    from idc_aws.organization import DelegatedAdministrators, list_accounts
    from idc_aws.permission_sets import PermissionSets
    from idc_aws.permissions import check_permissions, required_actions
    from idc_aws.scenario.reading import load_scenario
    from idc_aws.scenario.scenario import Scenario
    from idc_aws.settings import AttributesForAccessControl, ConsoleSettings
    from idc_aws.users import Users

__all__ = [
    "AccountAssignments",
    "Action",
    "AttributesForAccessControl",
    "Change",
    "Connection",
    "ConsoleSettings",
    "DelegatedAdministrators",
    "GroupMemberships",
    "Groups",
    "Instances",
    "KitError",
    "PermissionSets",
    "Scenario",
    "Users",
    "check_permissions",
    "connect",
    "list_accounts",
    "list_all_account_assignments",
    "list_people_access",
    "load_scenario",
    "require_apply_allowed",
    "required_actions",
]
_HOMES = {
    "access": ("list_all_account_assignments", "list_people_access"),
    "assignments": ("AccountAssignments",),
    "changes": ("Action", "Change"),
    "connection": ("Connection", "connect", "require_apply_allowed"),
    "errors": ("KitError",),
    "groups": ("GroupMemberships", "Groups"),
    "instances": ("Instances",),
    "organization": ("DelegatedAdministrators", "list_accounts"),
    "permission_sets": ("PermissionSets",),
    "permissions": ("check_permissions", "required_actions"),
    "scenario.reading": ("load_scenario",),
    "scenario.scenario": ("Scenario",),
    "settings": ("AttributesForAccessControl", "ConsoleSettings"),
    "users": ("Users",),
}


def __getattr__(name: str) -> Any:
    # boto3 and pydantic are slow to import: who only asks for an error does not wait for them.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"idc_aws.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
