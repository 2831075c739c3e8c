"""The permissions as a policy and as the documentation's page."""

from __future__ import annotations

import json
from typing import Any

from idc_helpers.aws.permissions import (
    MANAGEMENT_ACCOUNT_ACTIONS,
    NOTEBOOK_PERMISSIONS,
    NotebookPermissions,
    required_actions,
)


def policy_document(notebook: str, *, mode: str = "apply") -> dict[str, Any]:
    """Return an IAM policy that allows what a notebook calls; narrow its resources before others use it."""
    return _policy(list(required_actions(notebook, mode=mode)))


def _policy(actions: list[str]) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def permissions_markdown() -> str:
    """Return the text of the documentation's page on permissions; ``docs/permissions.md`` is made of it."""
    everything = sorted({action for name in NOTEBOOK_PERMISSIONS for action in required_actions(name)})
    return "\n".join(
        [
            *_INTRODUCTION,
            *(line for entry in NOTEBOOK_PERMISSIONS.values() for line in _section(entry)),
            "## Assigning in the management account",
            "",
            "Identity Center makes a role in each account. In the management account it does so with the",
            "caller's own permissions, so the caller also needs these, on",
            "`role/aws-reserved/sso.amazonaws.com/*` and `saml-provider/AWSSSO_*_DO_NOT_DELETE`:",
            "",
            _listed(MANAGEMENT_ACCOUNT_ACTIONS),
            "",
            "## A policy for all notebooks",
            "",
            "```json",
            json.dumps(_policy(everything), indent=2),
            "```",
            "",
        ]
    )


_INTRODUCTION = (
    "# The IAM permissions that each notebook needs on AWS",
    "",
    "This page is made from `idc_helpers/aws/permissions.py`. In the sandbox nothing is needed: its",
    "administrator may do everything. `idc doctor` tells which of these you lack.",
    "",
    "Mode `plan` needs what is listed under *reads*; mode `apply` needs *writes* as well.",
    "*In the console* is what a person needs for settings that no API can change.",
    "",
    "A delegated administrator, with the same permissions, cannot manage permission sets that are",
    "provisioned in the management account, assign access there, delete the instance, or register",
    "administrators.",
    "",
)


def _section(entry: NotebookPermissions) -> list[str]:
    parts = (("reads", entry.reads), ("writes", entry.writes), ("in the console", entry.console))
    lines = [f"- {title}: {_listed(actions)}" for title, actions in parts if actions]
    return [f"## {entry.notebook}", "", *lines, ""]


def _listed(actions: tuple[str, ...]) -> str:
    return ", ".join(f"`{action}`" for action in sorted(set(actions)))
