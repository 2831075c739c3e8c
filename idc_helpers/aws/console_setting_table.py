"""The settings that only the console has: where each is, what it decides, and why one would choose what.

Paths and labels are those of the User Guide; links into the console are observed by the community, so the
path in words always stands beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

from idc_helpers.identifiers import console_link

_GUIDE = "https://docs.aws.amazon.com/singlesignon/latest/userguide"


@dataclass(frozen=True)
class ConsoleSetting:
    """One setting that no public API reads or writes.

    Attributes
    ----------
    name, title
        Its key, and what the console calls it.
    fields
        What it holds, and each field's label in the console.
    console_path
        The way there, in the console's words.
    why
        What it decides, and what to choose.
    source_url
        AWS's page about it.
    tail
        Where a deep link leads; see `idc_helpers.identifiers.console_link`.
    is_irreversible
        Whether it can be set once and never changed.
    """

    name: str
    title: str
    fields: dict[str, str]
    console_path: str
    why: str
    source_url: str
    tail: str = "settings"
    is_irreversible: bool = False

    def deep_link(self, region: str, instance_arn: str) -> str:
        """Return a link to the console's page that has this setting."""
        return console_link(region, instance_arn, self.tail)


_ALL = (
    ConsoleSetting(
        name="identity_source",
        title="Identity source",
        fields={
            "type": "Identity source",
            "authentication_method": "Authentication method",
            "provisioning_method": "Provisioning method",
        },
        console_path="Settings → Identity source → Actions → Change identity source",
        why=(
            "It says where users and groups are kept. The kit only looks at it: a change to or from Active "
            "Directory deletes all users, groups and assignments."
        ),
        source_url=f"{_GUIDE}/manage-your-identity-source-considerations.html",
    ),
    ConsoleSetting(
        name="access_portal",
        title="AWS access portal URL",
        fields={"subdomain": "Subdomain of awsapps.com"},
        console_path="Dashboard → Settings summary → AWS access portal URL → Customize",
        why=(
            "People remember a name better than d-xxxxxxxxxx. It can be chosen once and never changed, and "
            "it is taken for all of AWS: choose it with care, or leave it."
        ),
        source_url=f"{_GUIDE}/howtochangeURL.html",
        tail="dashboard",
        is_irreversible=True,
    ),
    ConsoleSetting(
        name="standard_authentication",
        title="Standard authentication",
        fields={"send_email_otp": "Send email OTP"},
        console_path="Settings → Authentication → Standard authentication → Configure → Send email OTP",
        why=(
            "Users that the API creates have no password and get no invitation. With this on, they are sent "
            "a one-time password at their first attempt to sign in, and then choose a password."
        ),
        source_url=f"{_GUIDE}/userswithoutpwd.html",
    ),
    ConsoleSetting(
        name="multi_factor_authentication",
        title="Multi-factor authentication",
        fields={
            "prompt": "Prompt users for MFA",
            "allowed_types": "Users can authenticate with these MFA types",
            "user_without_device": "If a user does not yet have a registered MFA device",
            "users_manage_own_devices": "Who can manage MFA devices",
        },
        console_path="Settings → Authentication → Multi-factor authentication → Configure",
        why=(
            "A stolen password alone must not open the door. Requiring registration at sign-in gets every "
            "user a device; it forces on that users can add and manage their own."
        ),
        source_url=f"{_GUIDE}/mfa-getting-started.html",
    ),
    ConsoleSetting(
        name="sessions",
        title="Session duration",
        fields={
            "user_interactive": "User interactive sessions",
            "user_background": "User background sessions",
        },
        console_path="Settings → Authentication → Session duration → Configure",
        why=(
            "It says how long a sign-in to the access portal lasts. Shorter is safer, longer is less "
            "tiresome; a role's own session is set by its permission set."
        ),
        source_url=f"{_GUIDE}/user-interactive-sessions.html",
    ),
)

CONSOLE_SETTINGS: dict[str, ConsoleSetting] = {setting.name: setting for setting in _ALL}
