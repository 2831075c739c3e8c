"""What a person does with the lesson's forms, and the scenario that it makes."""

from __future__ import annotations

from functools import reduce
from itertools import chain
from typing import Any, NamedTuple

from lesson_states import default_scenario

from idc_aws.scenario.reading import scenario_parameters, validate_scenario
from idc_aws.scenario.scenario import Scenario


class Case(NamedTuple):
    """What a person does with one form.

    Attributes
    ----------
    label, value
        A field, and what is typed or chosen in it.
    shown
        What the plan shows of it, if not the value itself.
    place, held
        Where the scenario has it, and what it then holds if not the value itself.
    can_be_undone
        A portal's subdomain is for good.
    """

    title: str
    label: str = ""
    value: str = ""
    shown: str = ""
    place: str = ""
    held: Any = None
    can_be_undone: bool = True


TEAM = "${path:enterprise.department}"
MFA, SESSIONS = "authentication.mfa.user_without_device", "authentication.sessions.user_interactive"
EVERYWHERE = ["Management", "Production"]
FORMS = {
    "01_enable_identity_center": [
        Case("Enable IAM Identity Center", "Instance name", "my-practice", place="instance.name")
    ],
    "02_settings": [
        Case(
            *("Attributes for access control", "Attributes", f"Team = {TEAM}", f"Team={TEAM}"),
            *("access_control_attributes.attributes", {"Team": TEAM}),
        ),
        Case(
            *("AWS access portal", "Subdomain", "my-portal"),
            place="access_portal.subdomain",
            can_be_undone=False,
        ),
    ],
    "03_authentication": [
        Case("Standard authentication"),
        Case("Multi-factor authentication", "If a user does not", "Allow them", "→ Allow them", MFA, "allow"),
        Case(
            *("Sessions", "User interactive sessions", "12 hours", "User interactive sessions: 12 hours"),
            *(SESSIONS, "PT12H"),
        ),
    ],
    "04_management": [
        Case(
            *("Delegated administrator", "Delegated administrator", "Log archive", "AccountId"),
            "management.delegated_administrator",
        )
    ],
    "05_permission_sets": [
        Case("Permission sets", "Description", "Everything", place="permission_sets.0.description")
    ],
    "06_groups": [
        Case("Groups", "Description", "People of every kind: 日本 é", place="groups.0.description")
    ],
    "07_account_assignments": [
        Case(
            *("Account assignments", "Production", "yes", "Production"),
            *("account_assignments.0.accounts", EVERYWHERE),
        )
    ],
    "08_users": [Case("Users", "Display name", "Mary 🦊", place="users.0.display_name")],
}


def filled() -> Scenario:
    """Return the lesson's scenario with what a person fills in."""
    values: Any = scenario_parameters(default_scenario())
    for case in chain.from_iterable(FORMS.values()):
        if case.place:
            *way, last = [int(part) if part.isdigit() else part for part in case.place.split(".")]
            reduce(lambda inside, part: inside[part], way, values)[last] = case.held or case.value
    return validate_scenario(values)
