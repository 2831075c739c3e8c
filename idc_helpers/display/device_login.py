"""A login by device code that the person allows on a page, while the notebook waits in the background."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from idc_helpers.aws.connected import Connection
from idc_helpers.aws.profiles import SsoProfile
from idc_helpers.aws.sign_in import DeviceLogin, begin_login, finish_login, save_token
from idc_helpers.display.live import LiveLine
from idc_helpers.display.page_links import PageLinks, pages_path

_WAITS = "… waiting until you have allowed code {} on the page"
_DONE = "✔ You have allowed it, and the token is kept. Run on from here."
_FAILED = "✘ {}. Run the cell again for a new code."
_TEXT = (
    "There is no AWS CLI v2 here, so this notebook asks for the token itself. Your code is {}: open "
    "the page, sign in as {}, compare the code, and allow it."
)


class WatchedLogin:
    """Signs a person in where no AWS CLI is: shows page and code at once, and keeps the token that comes.

    Parameters
    ----------
    connection
        To the sandbox.
    profile
        Whose session the token belongs to.
    folder
        ``.aws/sso/cache`` below the HOME that is meant; the token is written there.
    """

    def __init__(self, connection: Connection, profile: SsoProfile, folder: Path) -> None:
        self._connection, self._profile, self._folder = connection, profile, folder
        self._line = LiveLine()
        self._background: Any = None

    def start(self, user_name: str) -> PageLinks:
        """Ask for a code and return the link to its page; what the person answers is waited for behind it.

        Raises
        ------
        CredentialsError
            When the start URL is refused.
        """
        from idc_helpers.display.background import Background  # noqa: PLC0415 - only where a person sits

        login = begin_login(self._connection, self._profile.start_url)
        self._line.say(_WAITS.format(login.user_code))
        self._background = Background()
        self._background.start(lambda: self._wait(login), self._end)
        link = ("Open the page that asks for the code", device_page(login.verification_uri_complete))
        return PageLinks(_TEXT.format(login.user_code, user_name), (link,))

    def _wait(self, login: DeviceLogin) -> Path:
        token = finish_login(self._connection, login)
        return save_token(self._folder, self._profile, login, token)

    def _end(self, result: Path | Exception) -> None:
        self._line.say(
            _FAILED.format(str(result).splitlines()[0]) if isinstance(result, Exception) else _DONE
        )


def device_page(address: str) -> str:
    """Return the address of a device page inside this JupyterLab, where it shows the sandbox's pages."""
    parts = urlsplit(address)
    path = pages_path()
    return f"{path}{parts.path}{parts.query and '?'}{parts.query}" if path else address
