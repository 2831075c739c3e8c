"""Make `docs/permissions.md` from the table in `idc_aws/data/permissions.toml`.

.venv/bin/python tools/permissions_page.py
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from idc_aws.permissions import (
    MANAGEMENT_ACCOUNT_ACTIONS,
    NOTEBOOK_PERMISSIONS,
    NotebookPermissions,
    required_actions,
)

PAGE = Path(__file__).parents[1] / "docs" / "permissions.md"
_TEXT = """\
# The IAM permissions that each notebook needs on AWS

This page is made from `idc_aws/data/permissions.toml`. In the sandbox nothing is needed: its
administrator may do everything. `idc doctor` tells which of these you lack.

Mode `plan` needs what is listed under *reads*; mode `apply` needs *writes* as well.
*In the console* is what a person needs for settings that no API can change.

A delegated administrator, with the same permissions, cannot manage permission sets that are
provisioned in the management account, assign access there, delete the instance, or register
administrators.

{sections}
## Assigning in the management account

Identity Center makes a role in each account. In the management account it does so with the
caller's own permissions, so the caller also needs these, on
`role/aws-reserved/sso.amazonaws.com/*` and `saml-provider/AWSSSO_*_DO_NOT_DELETE`:

{management_account}

## A policy for all notebooks

```json
{policy}
```
"""


def permissions_markdown() -> str:
    """Return the text of the page."""
    actions = sorted({action for name in NOTEBOOK_PERMISSIONS for action in required_actions(name)})
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return _TEXT.format(
        sections="\n".join(map(_section, NOTEBOOK_PERMISSIONS.values())),
        management_account=_listed(MANAGEMENT_ACCOUNT_ACTIONS),
        policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2),
    )


def _section(entry: NotebookPermissions) -> str:
    parts = {"reads": entry.reads, "writes": entry.writes, "in the console": entry.console}
    lines = [f"- {title}: {_listed(actions)}\n" for title, actions in parts.items() if actions]
    return f"## {entry.notebook}\n\n{''.join(lines)}"


def _listed(actions: Iterable[str]) -> str:
    return ", ".join(f"`{action}`" for action in sorted(set(actions)))


if __name__ == "__main__":
    PAGE.write_text(permissions_markdown(), "utf-8")
