"""The desired state: what a person wants Identity Center to be, checked before anything is called.

::

    Scenario
    ├── instance                    Instance
    ├── access_control_attributes   AccessControlAttributes
    ├── identity_source             IdentitySource
    ├── access_portal               AccessPortal
    ├── authentication              Authentication ── mfa: Mfa, sessions: Sessions
    ├── management                  Management
    ├── permission_sets             PermissionSet ── CustomerManagedPolicy, PermissionsBoundary
    ├── groups                      Group
    ├── account_assignments         AccountAssignment
    ├── users                       User ── Address, Enterprise
    ├── person                      Person
    └── attestations                Attestation

Models are immutable. Durations are kept in one spelling (``PT60M`` becomes ``PT1H``), managed policies as
ARNs, and an inline policy as a mapping, so that equal things are equal.
"""

from __future__ import annotations

from idc_aws.scenario.access import AccountAssignment, PermissionSet, PredefinedName
from idc_aws.scenario.people import RESERVED_NAMES, Address, Enterprise, Group, Person, User
from idc_aws.scenario.policies import CustomerManagedPolicy, PermissionsBoundary, inline_policy_text
from idc_aws.scenario.scenario import Scenario
from idc_aws.scenario.settings import (
    AccessControlAttributes,
    AccessPortal,
    Attestation,
    Authentication,
    IdentitySource,
    Instance,
    Management,
    Mfa,
    MfaType,
    Sessions,
)
from idc_aws.scenario.values import Model

__all__ = [
    "RESERVED_NAMES",
    "AccessControlAttributes",
    "AccessPortal",
    "AccountAssignment",
    "Address",
    "Attestation",
    "Authentication",
    "CustomerManagedPolicy",
    "Enterprise",
    "Group",
    "IdentitySource",
    "Instance",
    "Management",
    "Mfa",
    "MfaType",
    "Model",
    "PermissionSet",
    "PermissionsBoundary",
    "Person",
    "PredefinedName",
    "Scenario",
    "Sessions",
    "User",
    "inline_policy_text",
]
