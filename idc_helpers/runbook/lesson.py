"""The lesson's twenty steps: what each is, where it is in the notebooks, AWS's page, and its states.

A test holds the headings against the notebooks, because links lead to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

API, CONSOLE, PERSON = "API", "console", "the person who signs in"
ENABLE, USERS, CONCLUSION = 1, 13, 20


def heading_link(notebook: str, heading: str) -> str:
    """Return the link to a heading from another notebook, such as ``"05_permission_sets.ipynb#Choose"``.

    JupyterLab makes a heading's id of its text, each blank a hyphen, and compares a link's fragment with it
    as the fragment is written: one with percent signs for ``:``, ``,`` or ``'`` would lead nowhere.
    """
    return f"{notebook}.ipynb#{heading.replace(' ', '-')}"


@dataclass(frozen=True)
class LessonStep:
    """One step of the lesson."""

    number: int
    title: str
    who: str
    notebook: str
    heading: str
    step: str = ""

    @property
    def link(self) -> str:
        """The step's place, relative to the other notebooks, as JupyterLab links to headings."""
        return heading_link(self.notebook, self.heading)


_SETTINGS, _AUTHENTICATION = "02_settings", "03_authentication"
_ACTIVATE, _CONFIGURE = "09_activate_user", "10_aws_configure_sso"
_KEYS, _CHOOSE = "11_temporary_credentials", "Choose"
_SIGN_IN = "console (organization), API (account)"

LESSON: tuple[LessonStep, ...] = (
    LessonStep(1, "Enable IAM Identity Center", _SIGN_IN, "01_enable_identity_center", _CHOOSE, "instance"),
    LessonStep(2, "Read the instance's details", API, _SETTINGS, "Details"),
    LessonStep(
        3,
        "Attributes for access control",
        API,
        _SETTINGS,
        "Attributes for access control",
        "access_control_attributes",
    ),
    LessonStep(
        4,
        "Read the identity source",
        "partly API, partly console",
        _SETTINGS,
        "Identity source",
        "identity_source",
    ),
    LessonStep(
        5,
        "Customise the access portal's address",
        CONSOLE,
        _SETTINGS,
        "The access portal's address",
        "access_portal",
    ),
    LessonStep(
        6,
        "Send e-mail OTP to users made by API",
        CONSOLE,
        _AUTHENTICATION,
        "Standard authentication: Send email OTP",
        "standard_authentication",
    ),
    LessonStep(
        7,
        "Multi-factor authentication",
        CONSOLE,
        _AUTHENTICATION,
        "Multi-factor authentication: four choices",
        "multi_factor_authentication",
    ),
    LessonStep(8, "Session durations", CONSOLE, _AUTHENTICATION, "Sessions", "sessions"),
    LessonStep(9, "Delegate administration", API, "04_management", _CHOOSE, "delegated_administrator"),
    LessonStep(10, "Permission sets", API, "05_permission_sets", _CHOOSE, "permission_sets"),
    LessonStep(11, "Groups", API, "06_groups", _CHOOSE, "groups"),
    LessonStep(
        12, "Assign groups to accounts", API, "07_account_assignments", _CHOOSE, "account_assignments"
    ),
    LessonStep(13, "Users", "API; console for the invitation", "08_users", _CHOOSE, "users"),
    LessonStep(14, "Accept the invitation, set a password, register MFA", PERSON, _ACTIVATE, "Go it"),
    LessonStep(15, "Use the access portal", PERSON, _ACTIVATE, "The access portal"),
    LessonStep(16, "aws configure sso", PERSON, _CONFIGURE, "Configure"),
    LessonStep(17, "Use the profile: aws s3 ls", PERSON, _CONFIGURE, "Use it: aws s3 ls"),
    LessonStep(18, "aws sso login", PERSON, _CONFIGURE, "Sign out, and in again"),
    LessonStep(19, "Tell temporary from long-lived keys", PERSON, _KEYS, "AKIA and ASIA"),
    LessonStep(
        20,
        "What you have now, and why it is better",
        "everybody",
        _KEYS,
        "What you have now, and why it is better",
    ),
)


def steps_of_notebook(notebook: str) -> tuple[LessonStep, ...]:
    """Return the steps that a notebook holds, in order; none for the first and the last notebook."""
    return tuple(entry for entry in LESSON if entry.notebook == notebook)


# Where in the lesson a step is done, as a link that JupyterLab follows, and AWS's page about it.

_GUIDE = "https://docs.aws.amazon.com/singlesignon/latest/userguide"


@dataclass(frozen=True)
class Place:
    """A heading of a notebook."""

    notebook: str
    heading: str

    @property
    def link(self) -> str:
        """The address relative to the notebooks' folder: ``"05_permission_sets.ipynb#Choose"``."""
        return heading_link(self.notebook, self.heading)

    def __str__(self) -> str:
        return f"{self.notebook}, “{self.heading}”"


PLACES: Mapping[str, Place] = {
    **{entry.step: Place(entry.notebook, entry.heading) for entry in LESSON if entry.step},
    "activation": Place("09_activate_user", "Go it"),
    "command_line": Place("10_aws_configure_sso", "Configure"),
    "sign_in": Place("10_aws_configure_sso", "Sign out, and in again"),
    "temporary_credentials": Place("11_temporary_credentials", "Live through the end"),
    "teardown": Place("99_teardown", "Plan"),
}
"""The heading at which each step begins, by the step's name."""

SOURCES: Mapping[str, str] = {
    "instance": f"{_GUIDE}/identity-center-instances.html",
    "access_control_attributes": f"{_GUIDE}/attributesforaccesscontrol.html",
    "identity_source": f"{_GUIDE}/manage-your-identity-source-considerations.html",
    "access_portal": f"{_GUIDE}/howtochangeURL.html",
    "standard_authentication": f"{_GUIDE}/userswithoutpwd.html",
    "multi_factor_authentication": f"{_GUIDE}/mfa-getting-started.html",
    "sessions": f"{_GUIDE}/configure-user-session.html",
    "delegated_administrator": f"{_GUIDE}/delegated-admin.html",
    "permission_sets": f"{_GUIDE}/permissionsetsconcept.html",
    "groups": f"{_GUIDE}/addgroups.html",
    "account_assignments": f"{_GUIDE}/useraccess.html",
    "users": f"{_GUIDE}/addusers.html",
    "activation": f"{_GUIDE}/howtoactivateaccount.html",
    "command_line": "https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html",
    "sign_in": "https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html",
    "temporary_credentials": "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp.html",
    "teardown": f"{_GUIDE}/delete-config.html",
}
"""AWS's page about each step, by the step's name."""


# How far a step of the lesson can be; each state has a symbol and a word, so that no colour is needed.


class StepState(Enum):
    """The states, as (symbol, word)."""

    DONE = ("✔", "done")
    WAITING = ("✎", "waiting for you")
    """Only a person can do it, and can do it now."""
    NOT_APPLIED = ("○", "not applied")
    CHANGED_OUTSIDE = ("≠", "changed outside")
    """The receipts name what this kit made; the target holds something else now."""
    LATER = ("…", "later")
    """Another step comes first."""
    BY_YOURSELF = ("☐", "by yourself")
    """Nothing that the kit can read shows whether it is done."""
    NOT_ASKED = ("–", "not asked for")
    UNREADABLE = ("?", "cannot be read")

    @property
    def symbol(self) -> str:
        """One character."""
        return self.value[0]

    @property
    def word(self) -> str:
        """What the symbol means."""
        return self.value[1]

    @property
    def is_open(self) -> bool:
        """Whether there is something to do now."""
        return self in (StepState.WAITING, StepState.NOT_APPLIED, StepState.CHANGED_OUTSIDE)
