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

from idc_helpers.models.assignments import AccountAssignment
from idc_helpers.models.attestations import Attestation
from idc_helpers.models.authentication import Authentication, Mfa, MfaType, Sessions
from idc_helpers.models.base import Model
from idc_helpers.models.identities import RESERVED_NAMES, Address, Enterprise, Group, User
from idc_helpers.models.instance import (
    AccessControlAttributes,
    AccessPortal,
    IdentitySource,
    Instance,
    Management,
)
from idc_helpers.models.permission_sets import PermissionSet, PredefinedName
from idc_helpers.models.person import Person
from idc_helpers.models.policies import CustomerManagedPolicy, PermissionsBoundary, inline_policy_text
from idc_helpers.models.scenario import Scenario

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
