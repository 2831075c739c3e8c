"""Calls spaced so that AWS never has to turn one away.

AWS gives sso-admin 20 requests a second in all, and identitystore 20 for each operation. Pacing beats
retrying: the same report took 13 seconds paced and 23 with retries alone. Retries of botocore are paced
like first attempts.

Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

AWS_RATE_PER_S = 20.0


class Pacer:
    """Lets calls pass one by one, evenly spaced; shared by all threads of a run.

    Parameters
    ----------
    rate_per_s
        Calls a second; None: as fast as they come.
    clock, sleep
        Seconds that only go up, and waiting for a number of seconds; for tests.
    """

    def __init__(
        self,
        rate_per_s: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rate_per_s = rate_per_s
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_slot = float("-inf")

    def wait(self) -> float:
        """Take the next slot, wait for it, and return how many seconds that took."""
        if self.rate_per_s is None:
            return 0.0
        delay_s = self._take_slot(1 / self.rate_per_s)
        if delay_s > 0:
            self._sleep(delay_s)
        return delay_s

    def _take_slot(self, length_s: float) -> float:
        """Take the next slot, which is so long, and return in how many seconds it begins."""
        with self._lock:
            now = self._clock()
            slot = max(now, self._next_slot)
            self._next_slot = slot + length_s
        return slot - now


class Pacing:
    """The pacers of one connection.

    Parameters
    ----------
    rate_per_s
        For sso-admin in all, and for each operation of identitystore; None: no pacing.
    make_pacer
        Makes a pacer of a rate; for tests.

    Attributes
    ----------
    sso_admin
        The one pacer of all sso-admin calls.
    """

    def __init__(
        self, rate_per_s: float | None = None, make_pacer: Callable[[float | None], Pacer] = Pacer
    ) -> None:
        self.sso_admin = make_pacer(rate_per_s)
        self._make_pacer: Callable[[str], Pacer] = lambda _operation: make_pacer(rate_per_s)
        self._identity_store: dict[str, Pacer] = {}
        self._lock = threading.Lock()

    def share(self, make_pacer: Callable[[str], Pacer]) -> None:
        """Take other pacers from now on, those that are shared with other processes.

        Parameters
        ----------
        make_pacer
            Makes the pacer of what is limited: ``"sso-admin"``, or ``"identitystore-CreateUser"``.
        """
        with self._lock:
            self.sso_admin = make_pacer("sso-admin")
            self._identity_store.clear()
            self._make_pacer = lambda operation: make_pacer(f"identitystore-{operation}")

    def pacer(self, service_name: str, operation_name: str) -> Pacer | None:
        """Return the pacer of an operation, or None for services that have limits of another kind."""
        if service_name == "sso-admin":
            return self.sso_admin
        if service_name != "identitystore":
            return None
        with self._lock:
            if operation_name not in self._identity_store:
                self._identity_store[operation_name] = self._make_pacer(operation_name)
            return self._identity_store[operation_name]

    def install(self, client: Any) -> None:
        """Make every request of a client wait for its slot just before it is sent, retries included."""
        service_name = client.meta.service_model.service_name

        def wait_for_slot(event_name: str, **_event: Any) -> None:
            pacer = self.pacer(service_name, event_name.rpartition(".")[2])
            if pacer is not None:
                pacer.wait()

        client.meta.events.register("before-send", wait_for_slot)
