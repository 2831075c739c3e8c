"""Take secrets out of text before it is shown or kept: a safety net, not the plan.

The plan is that no secret ever reaches parameters, outputs, receipts or reports. This is for the day it does
anyway, such as an exception whose text quotes a request. What is replaced stays recognisable: ``AKIA****`` is
still a long-lived key's id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "****"

_NAMES = (
    r"aws_?secret_?access_?key|secret_?access_?key|secret_?key|aws_?session_?token|session_?token|security_?token"
    r"|access_?token|refresh_?token|id_?token|client_?secret|control_?secret|device_?code|one_?time_?password|password"
    r"|x-amz-security-token|x-amz-signature|x-amz-credential"
)
# A name, what may stand between it and its value (quotes as they are, or escaped in JSON), and the value.
_NAMED_VALUE = re.compile(
    rf"(?i)(\b(?:{_NAMES})\b(?:\\*[\"'])?\s*[:=]\s*(?:\\*[\"'])?)([^\s\"'\\,;&<>]{{3,}})"
)
_ACCESS_KEY_ID = re.compile(r"(?<![A-Za-z0-9])(AKIA|ASIA)[A-Z0-9]{12,124}(?![A-Za-z0-9])")
_AUTHORIZATION = re.compile(r"(?i)(\b(?:bearer|signature=)\s*)([A-Za-z0-9._~+/=-]{16,})")
_JSON_WEB_TOKEN = re.compile(
    r"(?<![A-Za-z0-9+/=_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
)
_SESSION_TOKEN = re.compile(r"(?<![A-Za-z0-9+/=])(?:IQoJ|FwoG|FQoG)[A-Za-z0-9+/=]{60,}")
_NOT_VALUES = frozenset({"none", "null", "true", "false", "str"})


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with what looks like a secret replaced by ``****``.

    Parameters
    ----------
    text
        Plain text, or JSON text: what is valid JSON stays valid.
    secrets
        Values that are known to be secret and must not be found wherever they stand.

    Returns
    -------
    str
        Without secret access keys, session tokens, passwords, bearer tokens and signatures; access key ids keep
        the four letters that tell a long-lived key (``AKIA``) from a temporary one (``ASIA``).
    """
    for secret in sorted({secret for secret in secrets if secret}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = _NAMED_VALUE.sub(_mask_value, text)
    text = _ACCESS_KEY_ID.sub(rf"\1{MASK}", text)
    text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
    text = _JSON_WEB_TOKEN.sub(MASK, text)
    return _SESSION_TOKEN.sub(MASK, text)


def _mask_value(found: re.Match[str]) -> str:
    return found[0] if found[2].casefold() in _NOT_VALUES else f"{found[1]}{MASK}"


def scrub_all(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Return a JSON-like value with every text in it scrubbed."""
    known = tuple(secrets)
    if isinstance(value, str):
        return scrub(value, known)
    if isinstance(value, Mapping):
        return {name: scrub_all(inner, known) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [scrub_all(inner, known) for inner in value]
    return value
