"""What the double says about whoever signs: its key, and the policies that decide what it may do."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from idc_sandbox.context import Caller


@dataclass(frozen=True)
class IssuedKey:
    """An access key that the sandbox has issued.

    Attributes
    ----------
    secret, session_token
        Never shown; the token is None for an IAM user's key.
    caller
        Who signs with it.
    expires_at
        Epoch seconds of the sandbox's clock; None for a key that stays.
    """

    secret: str = field(repr=False)
    session_token: str | None = field(repr=False)
    caller: Caller
    expires_at: float | None


@dataclass(frozen=True)
class AccessPolicies:
    """What bears on a caller's permissions; documents are JSON text.

    Attributes
    ----------
    identity
        Of the user and its groups, or of the role: any may allow, any may deny.
    ceilings
        Lists of documents, of which each must allow as well: permissions boundary, session policy, and each
        level of service control policies.
    context
        The condition keys that depend on the caller, in lower case.
    """

    identity: list[str]
    ceilings: list[list[str]]
    context: dict[str, str | list[str]] = field(default_factory=dict)


def time_context(now: float) -> dict[str, str | list[str]]:
    """Return the condition keys that depend on the time alone.

    Parameters
    ----------
    now
        Epoch seconds of the sandbox's clock.
    """
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return {"aws:currenttime": moment.isoformat(), "aws:epochtime": str(int(now))}
