"""AWS's limit of requests a second on Identity Center's APIs, as a switch for drills: off by default.

Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque

from idc_sandbox.errors import ServiceError

_WINDOW_S = 1.0


class RateLimiter:
    """Counts requests over the last second of the machine's time: sso-admin's together, others by operation.

    Parameters
    ----------
    requests_per_second
        AWS's is 20; 0 is no limit.
    """

    def __init__(self, requests_per_second: int) -> None:
        self.requests_per_second = requests_per_second
        self._taken: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def take(self, service_name: str, operation_name: str) -> None:
        """Count a request, or refuse it.

        Raises
        ------
        ServiceError
            ``ThrottlingException``; with RetryAfterSeconds where the service models it.
        """
        if not self.requests_per_second:
            return
        is_shared = service_name == "sso-admin"
        with self._lock:
            taken = self._taken[service_name if is_shared else f"{service_name}:{operation_name}"]
            now = time.monotonic()
            while taken and taken[0] <= now - _WINDOW_S:
                taken.popleft()
            if len(taken) < self.requests_per_second:
                taken.append(now)
                return
        raise ServiceError(
            "ThrottlingException",
            f"Rate exceeded. More than {self.requests_per_second} requests in a second: wait, and try again.",
            RetryAfterSeconds=None if is_shared else 1,
        )
