"""A role's credentials in the ways that people paste them: three shells, a profile, single values."""

from __future__ import annotations

from idc_sandbox.api.portal.access import RoleCredentials


def credential_values(issued: RoleCredentials) -> dict[str, str]:
    """Return the three values under the names of AWS's files."""
    return {
        "aws_access_key_id": issued.access_key_id,
        "aws_secret_access_key": issued.secret_access_key,
        "aws_session_token": issued.session_token,
    }


def credential_texts(issued: RoleCredentials, account_id: str, role_name: str) -> dict[str, str]:
    """Return texts to paste: ``bash``, ``powershell``, ``cmd`` and ``profile``."""
    values = credential_values(issued)
    profile = "".join(f"\n{name} = {value}" for name, value in values.items())
    return {
        "bash": "\n".join(f'export {name.upper()}="{value}"' for name, value in values.items()),
        "powershell": "\n".join(f'$Env:{name.upper()}="{value}"' for name, value in values.items()),
        "cmd": "\n".join(f"SET {name.upper()}={value}" for name, value in values.items()),
        "profile": f"[{account_id}_{role_name}]{profile}",
    }
