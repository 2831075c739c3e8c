"""What at AWS only the console can do: there is no public operation for it, so it has an endpoint of its own.

======  ==================================  =======================================================
Method  Path                                What it does
======  ==================================  =======================================================
POST    ``instance``                        enable the organization instance; ``region``, ``name``
GET     ``settings``                        show all settings of ``instance_arn`` with their values
PUT     ``settings/NAME``                   change values of one setting of ``instance_arn``
POST    ``identity-source``                 change where the users come from, to ``type``
POST    ``users/USER_ID/disable``           take a user's access away
POST    ``users/USER_ID/enable``            give it back
POST    ``users/USER_ID/invite``            mail the link to choose the first password
POST    ``users/USER_ID/reset-password``    ``delivery``: ``email`` or ``one-time-password``
GET     ``users/USER_ID/mfa-devices``       list the MFA devices
POST    ``…/mfa-devices/DEVICE_ID/delete``  delete one, for a person who has lost it
GET     ``users/USER_ID/sessions``          list the portal sessions that go on
POST    ``…/sessions/SESSION_ID/delete``    end one; without an id, end all
GET     ``mailbox``                         the practice users' mail, of one ``address`` if wanted
======  ==================================  =======================================================

The settings are ``access_portal``, ``standard_authentication``, ``multi_factor_authentication``, ``sessions``
and ``account_instances``; ``identity_source`` is shown and has a path of its own, because changing it may
delete users.
"""

from __future__ import annotations

from typing import Any

from idc_sandbox.context import Context

__all__ = ["handle"]


def handle(context: Context, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Do one thing of the console and answer what it would show; writes unless the method is GET."""
    # Only here, because pydantic would make every start of the sandbox wait for what most of its life never
    # uses.
    from idc_sandbox.api.console.console import dispatch  # noqa: PLC0415

    return dispatch(context, method, path, body)
