"""Which profiles on this machine sign in through an instance's access portal; reads files, calls nobody.

Source: https://docs.aws.amazon.com/cli/latest/userguide/sso-configure-profile-token.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from idc_helpers.aws.activation import portal_settings
from idc_helpers.aws.config_file import config_path, read_config
from idc_helpers.aws.connected import Connection
from idc_helpers.aws.profiles import portal_address, read_profile
from idc_helpers.errors import ConfigFileError


@dataclass(frozen=True)
class SignedInProfiles:
    """What the files of a terminal show.

    Attributes
    ----------
    names
        Of the profiles that lead to this portal, sorted.
    has_token
        Whether a login's token lies there; None on AWS, where a person's tokens are not looked at.
    """

    names: tuple[str, ...]
    has_token: bool | None


def find_signed_in_profiles(connection: Connection) -> SignedInProfiles:
    """Return the profiles of the portal, in the sandbox's terminal or on AWS of this user; reads only."""
    start_url = portal_settings(connection)["start_url"]
    if connection.console is None:
        return SignedInProfiles(_profiles(config_path, start_url), None)
    folder = Path(connection.console.state_folder) / "home" / ".aws"
    has_token = any(_has_token(path) for path in (folder / "sso/cache").glob("*.json"))
    return SignedInProfiles(_profiles(lambda: folder / "config", start_url), has_token)


def _profiles(path: Callable[[], Path], start_url: str) -> tuple[str, ...]:
    try:
        config = read_config(path())
    except ConfigFileError:  # notebook 10 says what is wrong with it
        return ()
    portal = portal_address(start_url)
    found = {name: read_profile(config, name) for name in config.profiles}
    return tuple(
        sorted(name for name, keys in found.items() if portal_address(keys.get("sso_start_url")) == portal)
    )


def _has_token(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text("utf-8")).get("accessToken"))
    except (OSError, ValueError, AttributeError):
        return False
