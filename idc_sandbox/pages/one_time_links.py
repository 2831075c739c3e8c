"""Links that open the mailbox or the settings once: what a notebook keeps of one is worth nothing.

They are held in memory: a sandbox that was started anew knows none, and who needs one asks for another.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

LIFETIME_S = 10 * 60
MOST_LINKS = 1000
EVERY_ADDRESS = "*"
ADMINISTRATOR = "administrator"


class _Promise(NamedTuple):
    purpose: str
    value: str
    ends_at: float


class OneTimeLinks:
    """Makes keys for links, and redeems each once.

    Parameters
    ----------
    clock
        Seconds that only grow; the machine's, which lessons do not move.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._promises: dict[str, _Promise] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"OneTimeLinks({len(self._promises)} open)"

    def promise(self, purpose: str, value: str) -> str:
        """Return a new key that opens something once, within 10 minutes; the oldest of too many ends."""
        key = secrets.token_urlsafe(32)
        with self._lock:
            now = self._clock()
            self._promises = {name: one for name, one in self._promises.items() if one.ends_at > now}
            while len(self._promises) >= MOST_LINKS:
                del self._promises[next(iter(self._promises))]
            self._promises[_name(key)] = _Promise(purpose, value, now + LIFETIME_S)
        return key

    def redeem(self, purpose: str, key: str) -> str | None:
        """Return what a key opens, and forget it; None for one that is unknown, late or another's."""
        with self._lock:
            found = self._promises.get(_name(key))
            if found is None or found.purpose != purpose:
                return None
            del self._promises[_name(key)]
        return found.value if found.ends_at > self._clock() else None


def _name(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def owner_links(links: OneTimeLinks, site_url: str, address: str | None = None) -> dict[str, str]:
    """Return the addresses of the pages, with links that open the mailbox and the settings once.

    Parameters
    ----------
    address
        Whose mailbox ``mailbox_url`` opens; None opens all of them.

    Returns
    -------
    dict
        ``site_url``, ``portal_url``, ``mailbox_url`` and ``settings_url``; the last two are secrets.
    """
    mailbox = links.promise("mailbox", EVERY_ADDRESS if address is None else address)
    settings = links.promise("settings", ADMINISTRATOR)
    return {
        "site_url": site_url,
        "portal_url": f"{site_url}/start",
        "mailbox_url": f"{site_url}/start/mailbox?key={mailbox}",
        "settings_url": f"{site_url}/start/settings?key={settings}",
    }
