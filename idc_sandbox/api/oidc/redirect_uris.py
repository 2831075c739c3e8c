"""Where a code may be sent: to a program on the person's own machine, nowhere else (RFC 8252, 7.3)."""

from __future__ import annotations

import re

# A program listens on a port that the system gives it, so that the port is not part of what it registers.
_REGISTRABLE = re.compile(r"http://127\.0\.0\.1(:[0-9]{1,5})?/oauth/callback")
_USABLE = re.compile(r"http://127\.0\.0\.1:([0-9]{1,5})/oauth/callback")


def is_registrable_redirect_uri(uri: str) -> bool:
    """Tell whether a client may register a redirect URI."""
    return _REGISTRABLE.fullmatch(uri) is not None


def is_redirect_uri(uri: str) -> bool:
    """Tell whether a browser may be sent to a URI: loopback, a port, the path that AWS clients listen on."""
    match = _USABLE.fullmatch(uri)
    return match is not None and 0 < int(match[1]) <= 65_535
