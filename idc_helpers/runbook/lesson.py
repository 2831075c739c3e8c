"""The lesson's steps, one row each: whatever differs from step to step is said here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from idc_aws import desired
from idc_aws.assignments import AccountAssignments
from idc_aws.connection import Connection
from idc_aws.desired import (
    Want,
    WantInAccounts,
    WantOfAssignments,
    WantOfPeople,
)
from idc_aws.groups import GroupMemberships, Groups
from idc_aws.instances import Instances
from idc_aws.organization import DelegatedAdministrators
from idc_aws.permission_sets import PermissionSets
from idc_aws.resource import Resource
from idc_aws.settings import (
    CONSOLE_SETTINGS,
    AttributesForAccessControl,
    ConsoleSettings,
    ObservedSettings,
)
from idc_aws.users import Users

API, CONSOLE, PERSON, EVERYBODY = "API", "console", "the person who signs in", "everybody"
_GUIDE = "https://docs.aws.amazon.com/singlesignon/latest/userguide"
_CLI_GUIDE = "https://docs.aws.amazon.com/cli/latest/userguide"


@dataclass(frozen=True)
class Place:
    """A heading of a notebook."""

    notebook: str
    heading: str

    @property
    def link(self) -> str:
        """The address from another notebook: ``"05_permission_sets.ipynb#Choose"``."""
        # JupyterLab compares a link's fragment as it is written: percent signs would lead nowhere.
        return f"{self.notebook}.ipynb#{self.heading.replace(' ', '-')}"

    def __str__(self) -> str:
        return f"{self.notebook}, “{self.heading}”"


@dataclass(frozen=True)
class ConsoleScreen:
    """A screen of the console where a step can be taken as well."""

    words: str
    """The way there, in the names of the console's menu and tabs."""
    path: str
    """Where the practice console has it."""
    tail: str = "settings"
    """The end of a link into AWS's console."""


@dataclass(frozen=True)
class LessonStep:
    """One step of the lesson."""

    number: int
    name: str
    """What notebooks, receipts and events call it."""
    task: str
    """What somebody does, as the lesson's map says it."""
    who: str
    notebook: str
    heading: str
    title: str = ""
    """What stands over its form and its tables."""
    section: str = ""
    """The place in the scenario of what its form shows."""
    source: str = ""
    """AWS's page about it."""
    go_back: str = ""
    """The heading that a failed check leads to, where it is another one."""
    wants: tuple[Want, ...] = ()
    """What it reads or writes; empty where a person does it, or nothing is done."""
    screen: ConsoleScreen | None = None
    """Where the console does it."""
    no_api: str = ""
    """Why the AWS CLI cannot do it; empty: it can."""
    is_optional: bool = False
    """Whether the lesson is complete without it: then it is never what comes next."""

    @property
    def link(self) -> str:
        """Where it begins, as JupyterLab links to headings from another notebook."""
        return Place(self.notebook, self.heading).link

    @property
    def place(self) -> Place:
        """Where a failed check leads to."""
        return Place(self.notebook, self.go_back or self.heading)

    @property
    def only_reads(self) -> bool:
        """Whether it looks at what is there and leaves it so: nothing to choose, apply or undo."""
        return bool(self.wants) and all(want.resource is ObservedSettings for want in self.wants)

    @property
    def is_persons(self) -> bool:
        """Whether it is in the half of the person who signs in."""
        return self.who in (PERSON, EVERYBODY)


_SETTINGS, _AUTHENTICATION = "02_settings", "03_authentication"
_ACTIVATE, _CONFIGURE = "09_activate_user", "10_aws_configure_sso"
_KEYS, _CHOOSE = "11_temporary_credentials", "Choose"
_NO_API = "no API sets it"

_STEPS = (
    LessonStep(
        number=1,
        name="instance",
        task="Enable IAM Identity Center",
        who="console (organization), API (account)",
        notebook="01_enable_identity_center",
        heading=_CHOOSE,
        title="Enable IAM Identity Center",
        section="instance",
        source=f"{_GUIDE}/identity-center-instances.html",
        wants=(Want(Instances, desired.instance_states),),
        screen=ConsoleScreen("Enable", "enable", ""),
        no_api="no API enables an organization instance",
    ),
    LessonStep(2, "details", "Read the instance's details", API, _SETTINGS, "Details"),
    LessonStep(
        number=3,
        name="access_control_attributes",
        task="Attributes for access control (optional)",
        who=API,
        notebook=_SETTINGS,
        heading="Attributes for access control",
        title="Attributes for access control",
        section="access_control_attributes",
        source=f"{_GUIDE}/attributesforaccesscontrol.html",
        wants=(Want(AttributesForAccessControl, desired.access_control_attribute_states),),
        screen=ConsoleScreen("Settings → Attributes for access control", "settings/attributes"),
        is_optional=True,
    ),
    LessonStep(
        number=4,
        name="identity_source",
        task="Read the identity source",
        who="partly API, partly console",
        notebook=_SETTINGS,
        heading="Identity source",
        title="Identity source",
        section="identity_source",
        source=f"{_GUIDE}/manage-your-identity-source-considerations.html",
        wants=(Want(ObservedSettings, desired.identity_source_states),),
        screen=ConsoleScreen(CONSOLE_SETTINGS["identity_source"].console_path, "settings"),
    ),
    LessonStep(
        number=5,
        name="access_portal",
        task="Customize the access portal's address",
        who=CONSOLE,
        notebook=_SETTINGS,
        heading="The access portal's address",
        title="AWS access portal",
        section="access_portal",
        source=f"{_GUIDE}/howtochangeURL.html",
        wants=(Want(ConsoleSettings, desired.access_portal_states),),
        screen=ConsoleScreen(CONSOLE_SETTINGS["access_portal"].console_path, "settings/portal-url"),
        no_api=_NO_API,
    ),
    LessonStep(
        number=6,
        name="standard_authentication",
        task="Send e-mail OTP to users made by API",
        who=CONSOLE,
        notebook=_AUTHENTICATION,
        heading="Standard authentication: Send email OTP",
        title="Standard authentication",
        section="authentication.send_email_otp",
        source=f"{_GUIDE}/userswithoutpwd.html",
        wants=(Want(ConsoleSettings, desired.standard_authentication_states),),
        screen=ConsoleScreen(
            CONSOLE_SETTINGS["standard_authentication"].console_path, "settings/authentication/standard"
        ),
        no_api=_NO_API,
    ),
    LessonStep(
        number=7,
        name="multi_factor_authentication",
        task="Multi-factor authentication",
        who=CONSOLE,
        notebook=_AUTHENTICATION,
        heading="Multi-factor authentication: four choices",
        title="Multi-factor authentication",
        section="authentication.mfa",
        source=f"{_GUIDE}/mfa-getting-started.html",
        wants=(Want(ConsoleSettings, desired.multi_factor_authentication_states),),
        screen=ConsoleScreen(
            CONSOLE_SETTINGS["multi_factor_authentication"].console_path, "settings/authentication/mfa"
        ),
        no_api=_NO_API,
    ),
    LessonStep(
        number=8,
        name="sessions",
        task="Session durations",
        who=CONSOLE,
        notebook=_AUTHENTICATION,
        heading="Sessions",
        title="Sessions",
        section="authentication.sessions",
        source=f"{_GUIDE}/configure-user-session.html",
        wants=(Want(ConsoleSettings, desired.session_states),),
        screen=ConsoleScreen(
            CONSOLE_SETTINGS["sessions"].console_path, "settings/authentication/session-duration"
        ),
        no_api=_NO_API,
    ),
    LessonStep(
        number=9,
        name="delegated_administrator",
        task="Delegate administration",
        who=API,
        notebook="04_management",
        heading=_CHOOSE,
        title="Delegated administrator",
        section="management",
        source=f"{_GUIDE}/delegated-admin.html",
        wants=(WantInAccounts(DelegatedAdministrators, desired.delegated_administrator_states),),
        screen=ConsoleScreen("Settings → Management", "settings/management"),
    ),
    LessonStep(
        number=10,
        name="permission_sets",
        task="Permission sets",
        who=API,
        notebook="05_permission_sets",
        heading=_CHOOSE,
        title="Permission sets",
        section="permission_sets",
        source=f"{_GUIDE}/permissionsetsconcept.html",
        wants=(Want(PermissionSets, desired.permission_set_states),),
        screen=ConsoleScreen("Permission sets", "permission-sets", "permission-sets"),
    ),
    LessonStep(
        number=11,
        name="groups",
        task="Groups",
        who=API,
        notebook="06_groups",
        heading=_CHOOSE,
        title="Groups",
        section="groups",
        source=f"{_GUIDE}/addgroups.html",
        wants=(WantOfPeople(Groups, desired.group_states, "groups"),),
        screen=ConsoleScreen("Groups", "groups", "groups"),
    ),
    LessonStep(
        number=12,
        name="account_assignments",
        task="Assign groups to accounts",
        who=API,
        notebook="07_account_assignments",
        heading=_CHOOSE,
        title="Account assignments",
        section="account_assignments",
        source=f"{_GUIDE}/useraccess.html",
        wants=(WantOfAssignments(AccountAssignments, desired.account_assignment_states),),
        screen=ConsoleScreen("AWS accounts", "accounts", "accounts"),
    ),
    LessonStep(
        number=13,
        name="users",
        task="Users",
        who="API; console for the invitation",
        notebook="08_users",
        heading=_CHOOSE,
        title="Users",
        section="users",
        source=f"{_GUIDE}/addusers.html",
        wants=(
            WantOfPeople(Users, desired.user_states, "users"),
            WantOfPeople(GroupMemberships, desired.membership_states, "memberships"),
        ),
        screen=ConsoleScreen("Users", "users", "users"),
    ),
    LessonStep(
        number=14,
        name="activation",
        task="Accept the invitation, set a password, register MFA",
        who=PERSON,
        notebook=_ACTIVATE,
        heading="Your turn",
        source=f"{_GUIDE}/howtoactivateaccount.html",
    ),
    LessonStep(15, "portal", "Use the access portal", PERSON, _ACTIVATE, "The access portal"),
    LessonStep(
        number=16,
        name="command_line",
        task="aws configure sso",
        who=PERSON,
        notebook=_CONFIGURE,
        heading="Configure",
        source=f"{_CLI_GUIDE}/cli-configure-sso.html",
    ),
    LessonStep(17, "use_profile", "Use the profile: aws s3 ls", PERSON, _CONFIGURE, "Use it: aws s3 ls"),
    LessonStep(
        number=18,
        name="sign_in",
        task="aws sso login",
        who=PERSON,
        notebook=_CONFIGURE,
        heading="Sign out, and in again",
        source=f"{_CLI_GUIDE}/cli-configure-sso.html",
    ),
    LessonStep(
        number=19,
        name="temporary_credentials",
        task="Tell temporary from long-lived keys",
        who=PERSON,
        notebook=_KEYS,
        heading="AKIA and ASIA",
        source="https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp.html",
        go_back="Live through the end",
    ),
    LessonStep(
        number=20,
        name="conclusion",
        task="What you have now, and why it is better",
        who=EVERYBODY,
        notebook=_KEYS,
        heading="What you have now, and why it is better",
    ),
)

LESSON: dict[str, LessonStep] = {step.name: step for step in _STEPS}
"""The steps by name, in the lesson's order."""


def steps_of_notebook(notebook: str) -> tuple[LessonStep, ...]:
    """Return the steps that a notebook holds, in order; none for the first and the last notebook."""
    return tuple(step for step in LESSON.values() if step.notebook == notebook)


def target_steps() -> list[str]:
    """Return the names of the steps that read or write the target."""
    return [name for name, step in LESSON.items() if step.wants]


def resources_by_kind(connection: Connection) -> Mapping[str, Resource]:
    """Return all that the lesson writes, in its order: undo goes the other way."""
    # Of two steps with one kind the later one counts: what is set, not what is only looked at.
    resources = (want.resource(connection) for step in LESSON.values() for want in step.wants)
    return {resource.kind: resource for resource in resources}
