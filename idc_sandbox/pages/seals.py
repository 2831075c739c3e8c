"""Values that only this sandbox can have made: CSRF tokens, links for the administrator, their cookies.

The key follows from the sandbox's control secret, so that a seal is good over a restart and ends with a new
state folder.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer

LINK_LIFETIME_S = 12 * 3600
COOKIE_LIFETIME_S = 12 * 3600
EVERY_ADDRESS = "*"


class Seals:
    """Makes and checks sealed values.

    Parameters
    ----------
    control_secret
        From the state folder; whoever knows it administers the sandbox.
    """

    def __init__(self, control_secret: str) -> None:
        self._key = hmac.new(control_secret.encode(), b"pages", hashlib.sha256).digest()

    def csrf_token(self, browser: str, session: str) -> str:
        """Return the token for forms shown to a browser, and to who is signed in there."""
        return hmac.new(self._key, f"csrf {browser} {session}".encode(), hashlib.sha256).hexdigest()

    def is_csrf_token(self, given: str, browser: str, session: str) -> bool:
        """Tell whether a form's token is this browser's; a browser without cookie has none."""
        expected = self.csrf_token(browser, session)
        return bool(browser) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())

    def seal(self, purpose: str, value: Any) -> str:
        """Return a value for a link or a cookie that can be read and not altered."""
        return self._serializer(purpose).dumps(value)

    def unseal(self, purpose: str, sealed: str, *, max_age_s: int) -> Any | None:
        """Return the value that was sealed for this purpose; None when it was not, or too long ago."""
        try:
            return self._serializer(purpose).loads(sealed, max_age=max_age_s)
        except (BadData, UnicodeError):
            return None

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            self._key,
            salt=f"idc_sandbox.pages {purpose}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


def administrator_links(seals: Seals, site_url: str, address: str | None = None) -> dict[str, str]:
    """Return the addresses of the pages, with links that open the mailbox and the settings for 12 hours.

    Parameters
    ----------
    address
        Whose mailbox ``mailbox_url`` opens; None opens all of them.

    Returns
    -------
    dict
        ``site_url``, ``portal_url``, ``mailbox_url`` and ``settings_url``; the last two are secrets.
    """
    mailbox = seals.seal("mailbox-link", EVERY_ADDRESS if address is None else address)
    settings = seals.seal("settings-link", "administrator")
    return {
        "site_url": site_url,
        "portal_url": f"{site_url}/start",
        "mailbox_url": f"{site_url}/start/mailbox?key={mailbox}",
        "settings_url": f"{site_url}/start/settings?key={settings}",
    }
