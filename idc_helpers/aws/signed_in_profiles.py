"""Which profiles on this machine sign in through an instance's access portal; reads files, calls nobody.

Source: https://docs.aws.amazon.com/cli/latest/userguide/sso-configure-profile-token.html
"""

from __future__ import annotations

import configparser
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from idc_helpers.aws.activation import portal_settings
from idc_helpers.aws.connected import Connection


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
    home = Path(connection.console.state_folder) / "home" if connection.console else Path.home()
    config = home / ".aws" / "config"
    if connection.console is None:
        config = Path(os.environ.get("AWS_CONFIG_FILE") or config).expanduser()
    start_urls = {portal_settings(connection)["start_url"].rstrip("/#")}
    names = tuple(sorted(_profiles(config, start_urls)))
    if connection.console is None:
        return SignedInProfiles(names, None)
    return SignedInProfiles(names, any(_has_token(path) for path in (home / ".aws/sso/cache").glob("*.json")))


def _profiles(path: Path, start_urls: set[str]) -> Iterator[str]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return
    for heading in parser.sections():
        values = dict(parser[heading])
        session = f"sso-session {values.get('sso_session', '')}"
        if not heading.startswith("sso-session ") and parser.has_section(session):
            values |= dict(parser[session])
            if values.get("sso_start_url", "").rstrip("/#") in start_urls:
                yield heading.removeprefix("profile ")


def _has_token(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text("utf-8")).get("accessToken"))
    except (OSError, ValueError, AttributeError):
        return False
