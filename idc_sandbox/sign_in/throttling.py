"""Failed sign-ins slow the next ones down, by user name and by client; nobody is locked out for good.

People on one machine, or behind one proxy, are one client: who fails waits alone, long before all of them do.
"""

from __future__ import annotations

from idc_sandbox.api.identity_store.profiles import folded
from idc_sandbox.context import Context
from idc_sandbox.sign_in.tokens import digest

FREE_FAILURES, LONGEST_WAIT_S = 5, 15 * 60.0
FREE_FAILURES_OF_CLIENT, LONGEST_WAIT_OF_CLIENT_S = 30, 60.0
_REMEMBERED_S = 3_600.0


def waiting_s(context: Context, user_name: str, client: str) -> float:
    """Return for how many seconds the next try is refused; 0 when it may be made now.

    After five failures within an hour a user name waits 1 s, and twice as long with each further one, up to
    15 minutes; a client after thirty, up to a minute. A failure that is later than now, because the clock
    went back, counts as one of now.
    """
    counts = context.connection.execute(
        "SELECT count(*) FILTER (WHERE user_name_hash = ?1),"
        " max(failed_at) FILTER (WHERE user_name_hash = ?1),"
        " count(*) FILTER (WHERE client_hash = ?2), max(failed_at) FILTER (WHERE client_hash = ?2)"
        " FROM sign_in_failure WHERE (user_name_hash = ?1 OR client_hash = ?2) AND failed_at > ?3",
        (_key(user_name), digest(client), context.now - _REMEMBERED_S),
    ).fetchone()
    person_s = _wait_s(counts[0], FREE_FAILURES, LONGEST_WAIT_S)
    client_s = _wait_s(counts[2], FREE_FAILURES_OF_CLIENT, LONGEST_WAIT_OF_CLIENT_S)
    now = context.now
    return max(0.0, person_s - _age_s(now, counts[1]), client_s - _age_s(now, counts[3]))


def note_failure(context: Context, user_name: str, client: str) -> None:
    """Count a failed try. Writes."""
    now = context.now
    context.connection.execute("DELETE FROM sign_in_failure WHERE failed_at <= ?", (now - _REMEMBERED_S,))
    context.connection.execute("UPDATE sign_in_failure SET failed_at = ?1 WHERE failed_at > ?1", (now,))
    context.connection.execute(
        "INSERT INTO sign_in_failure VALUES (?, ?, ?)", (_key(user_name), digest(client), now)
    )


def forget_failures(context: Context, user_name: str) -> None:
    """Forget the failures of a user name after a success; those under other names stay. Writes."""
    context.connection.execute("DELETE FROM sign_in_failure WHERE user_name_hash = ?", (_key(user_name),))


def _key(user_name: str) -> str:
    # Kept as a hash: people type their password into the wrong field.
    return digest(folded(user_name[:256]))


def _wait_s(failures: int, free: int, longest_s: float) -> float:
    return 0.0 if failures < free else min(2.0 ** min(failures - free, 30), longest_s)


def _age_s(now: float, last_failed_at: float | None) -> float:
    return 0.0 if last_failed_at is None else max(0.0, now - last_failed_at)
