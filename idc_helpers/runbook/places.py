"""Where in the lesson a step is done, as a link that JupyterLab follows, and AWS's page about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from idc_helpers.runbook.lesson_steps import LESSON, heading_link

_GUIDE = "https://docs.aws.amazon.com/singlesignon/latest/userguide"


@dataclass(frozen=True)
class Place:
    """A heading of a notebook.

    Attributes
    ----------
    notebook
        Name without folder and ending, such as ``"05_permission_sets"``.
    heading
        The heading's words, such as ``"Choose"``.
    """

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
