"""Values that only this sandbox can have made: CSRF tokens, and the cookies of who administers it.

The keys are those of the state folder, so that a seal is good over a restart and ends with a new folder.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer

COOKIE_LIFETIME_S = 12 * 3600


class Seals:
    """Makes and checks sealed values.

    Parameters
    ----------
    form_key, cookie_key
        From the state folder. CSRF tokens are shown to everybody, so their key makes nothing else.
    """

    def __init__(self, form_key: str, cookie_key: str) -> None:
        self._form_key, self._cookie_key = form_key.encode(), cookie_key.encode()

    def csrf_token(self, door: str, browser: str, session: str) -> str:
        """Return the token for forms shown at a door to a browser, and to who is signed in there."""
        return hmac.new(
            self._form_key, f"csrf {door} {browser} {session}".encode(), hashlib.sha256
        ).hexdigest()

    def is_csrf_token(self, given: str, door: str, browser: str, session: str) -> bool:
        """Tell whether a form's token is this browser's; a browser without cookie has none."""
        expected = self.csrf_token(door, browser, session)
        return bool(browser) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())

    def seal(self, purpose: str, value: Any) -> str:
        """Return a value for a cookie that can be read and not altered."""
        return self._serializer(purpose).dumps(value)

    def unseal(self, purpose: str, sealed: str, *, max_age_s: int) -> Any | None:
        """Return the value that was sealed for this purpose; None when it was not, or too long ago."""
        try:
            return self._serializer(purpose).loads(sealed, max_age=max_age_s)
        except (BadData, UnicodeError):
            return None

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            self._cookie_key,
            salt=f"idc_sandbox.pages {purpose}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )
