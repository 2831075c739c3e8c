"""What a login leaves behind that may be seen: ids, never the token or the client's secret.

Source: https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from idc_helpers.aws.profiles import SsoProfile
from idc_helpers.aws.sign_in import token_file

_SHOWN = 4


@dataclass(frozen=True)
class SignInTrace:
    """What of a login may be shown; texts are empty where nothing is known.

    Attributes
    ----------
    client_id
        Of the client that was registered.
    token_start
        The first characters of the access token, with ``"…"``.
    user_code
        What the person compared; it is spent.
    """

    client_id: str = ""
    token_start: str = ""
    user_code: str = ""


def read_sign_in_trace(token_folder: Path, profile: SsoProfile, user_code: str = "") -> SignInTrace:
    """Return what the token file of a profile's session shows; reads one file.

    Parameters
    ----------
    token_folder
        ``.aws/sso/cache`` below the HOME that is meant.
    user_code
        The code of that login, where it is known.
    """
    try:
        held = json.loads(token_file(token_folder, profile.session_name).read_text("utf-8"))
        client_id, token = str(held.get("clientId", "")), str(held.get("accessToken", ""))
    except (OSError, ValueError, AttributeError):
        return SignInTrace()
    return SignInTrace(client_id, f"{token[:_SHOWN]}…" if token else "", user_code)
