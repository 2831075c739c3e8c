"""Failed sign-ins slow the next ones down, by user name and by client; nobody is locked out for good."""

from __future__ import annotations

from idc_sandbox.api.identity_store.profiles import folded
from idc_sandbox.context import Context
from idc_sandbox.sign_in.tokens import digest

FREE_FAILURES = 5
LONGEST_WAIT_S = 15 * 60.0
_REMEMBERED_S = 3_600.0


def waiting_s(context: Context, user_name: str, client: str) -> float:
    """Return for how many seconds the next try is refused; 0 when it may be made now.

    After five failures within an hour the wait is 1 s, and doubles with each further one, up to 15 minutes.
    """
    counts = context.connection.execute(
        "SELECT count(*) FILTER (WHERE user_name_hash = ?1),"
        " max(failed_at) FILTER (WHERE user_name_hash = ?1),"
        " count(*) FILTER (WHERE client_hash = ?2), max(failed_at) FILTER (WHERE client_hash = ?2)"
        " FROM sign_in_failure WHERE (user_name_hash = ?1 OR client_hash = ?2) AND failed_at > ?3",
        (_key(user_name), digest(client), context.now - _REMEMBERED_S),
    ).fetchone()
    ends = [_end(counts[0], counts[1]), _end(counts[2], counts[3])]
    return max(0.0, max(ends) - context.now)


def note_failure(context: Context, user_name: str, client: str) -> None:
    """Count a failed try. Writes."""
    now = context.now
    # What lies in the future was counted before the clock was put back.
    context.connection.execute(
        "DELETE FROM sign_in_failure WHERE failed_at <= ? OR failed_at > ?", (now - _REMEMBERED_S, now)
    )
    context.connection.execute(
        "INSERT INTO sign_in_failure VALUES (?, ?, ?)", (_key(user_name), digest(client), now)
    )


def forget_failures(context: Context, user_name: str) -> None:
    """Forget the failures of a user name after a success; those under other names stay. Writes."""
    context.connection.execute("DELETE FROM sign_in_failure WHERE user_name_hash = ?", (_key(user_name),))


def _key(user_name: str) -> str:
    # Kept as a hash: people type their password into the wrong field.
    return digest(folded(user_name[:256]))


def _end(failures: int, last_failed_at: float | None) -> float:
    if last_failed_at is None or failures < FREE_FAILURES:
        return 0.0
    return float(last_failed_at + min(2.0 ** min(failures - FREE_FAILURES, 30), LONGEST_WAIT_S))
