"""Tells values that hide something from what only stands beside a secret's name: words, code, names, places.

Three questions, from lax to strict: `says_nothing` of a value that a name and a sign announce, `looks_secret`
of one that only stands near such a name, and `is_random` of one that nothing announces.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re

REMOVED = "[removed]"
_SHORTEST = 6
# What a name of a secret may stand before without a secret: states, kinds, methods.
_STATE_WORDS = """
none null nil undefined true false yes no on off ok okay set unset empty missing absent present
given required optional mandatory needed enabled disabled default defaults unchanged changed reset
expired active inactive valid invalid unknown hidden redacted removed masked omitted secret private
public string str text bytes int integer object any password passwd token key email sms basic bearer
digest oauth oauth2 oidc saml sso mfa totp otp fido2 never always not must the a an is are was done
new old created updated deleted failed passed pass fail denied allowed wrong correct incorrect weak
strong one-time-password secretstr env file prompt generate generated auto create update delete
rotate rotated revoked issued refresh skipped success ready pending error
"""
_STATES = frozenset(_STATE_WORDS.split())
_PLACEHOLDER = re.compile(
    r"<.*>?|\$\{.*|\$\(.*|\$[A-Z_][A-Z0-9_]*|\$[a-z_]+|%\w+%|%\(.*|\{\{.*|\{[\w.:!\[\]]*\}?|\(.*|\[.*|[*xX•.…_?~-]+"
    r"|(?:your|my|the|some|example|sample|dummy|insert|enter|new|old)[-_ ][\w -]*"
)
_CODE = re.compile(
    r"[A-Za-z_][\w.]*[(\[].*|(?:[A-Za-z_]+\.)+[A-Za-z_]+|lambda\b.*"
    r"|(?:[A-Za-z_.]*[_.])?(?i:password|passwd|secret|token|key|credentials?|pwd|value|secret_?string)s?\d?"
    r"|[a-z]+(?:[A-Z][a-z]+)*(?:Password|Secret|Token|Key|Value)|var\.[\w.]+",
)
_PLACE = re.compile(
    r"arn:.*|(?:https?|s3|file|ftp|ssm|vault|op)://[^:@]*|(?:~|\.{1,2})?/[\w.-]+(?:/[\w.-]*)*|[A-Za-z]:\\.*"
    r"|(?:aws-)?secretsmanager:.*",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"[#+-]?\d{1,5}(?:[.,:]\d{1,6})*\s*[A-Za-z%]{0,7}|v?\d+(?:\.\d+)+[\w.-]*|\d{4}-\d\d(?:-\d\d.*)?|P(?:T?\d+[A-Z])+",
    re.IGNORECASE,
)
# Words with a number: algorithms, standards, Regions, "90-day".
_NAMED_THING = re.compile(
    r"(?:aes|sha|md|rs|hs|es|ps|rsa|ed|base|utf|iso|rfc|oauth|saml|x|pkcs|bcrypt|scrypt|argon|fido|version|v|level|step"
    r"|part|nist|ec|http|tls|ipv|type|day|cis|pci)[-_.]?\d[\w.-]*|[a-z]{2}(?:-[a-z]+){1,2}-\d[a-z]?|\d+[-_]?[a-z]+"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?:[\w-]+\.)+(?:com|org|net|io|dev|example|local|json|ya?ml|txt|py|ipynb|html)"
    r"|(?:ssoins|ps|d|apl|tti|us|eu|r|ou|o|p|i|ami|vpc|sg|app|req)-[0-9a-f-]{8,}",
    re.IGNORECASE,
)
_FUNCTION_WORDS = re.compile(
    r"\b(?:the|a|an|must|is|are|was|were|be|been|of|to|for|your|this|that|has|have|not|can|will|with|when|if|or|and|in"
    r"|on|at|by|no|it)\b",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]+(?:[-'/][^\W\d_]+)?[.,:;!?]?")
_WORD_PART = re.compile(r"[A-Z]?[a-z]{3,}")
_VOWEL = re.compile(r"[aeiouyAEIOUY]")
_MIXED = re.compile(r"[\d!@#$%^&*?~]")
_ID_PART = re.compile(r"[0-9a-f]{8,}|[0-9A-F]{8,}|\d+")


def says_nothing(value: str) -> bool:
    """Tell whether an announced value hides nothing: a state, a placeholder, code, a place, a number."""
    value = value.strip().strip("\"'`")
    folded = value.casefold().rstrip(".,:;!?")
    return (
        folded in _STATES
        or REMOVED in value
        or len(value) < 3
        or any(form.fullmatch(value) for form in (_PLACEHOLDER, _CODE, _AMOUNT))
        or (_PLACE.fullmatch(value) is not None and not _has_random_part(value))
    )


def is_sentence(value: str) -> bool:
    """Tell whether a value is prose about a secret, as ``must have 8 characters``; a passphrase is not."""
    return len(value.split()) > 1 and _FUNCTION_WORDS.search(value) is not None


def is_word(value: str) -> bool:
    """Tell whether a value is one word of a language."""
    return _WORDS.fullmatch(value) is not None


def looks_secret(value: str) -> bool:
    """Tell whether a value that stands near a secret's name is one: it mixes letters with digits or signs."""
    value = value.strip().strip("\"'`.,:;")
    if len(value) < _SHORTEST or _MIXED.search(value) is None or not any(map(str.isalpha, value)):
        return False
    return not (says_nothing(value) or _NAMED_THING.fullmatch(value) or is_uuid(value))


def is_dense(value: str) -> bool:
    """Tell whether letters, digits and signs alternate, as in ``Tr0ub4dor&3``; in ``hunter2`` they do not."""
    kinds = [one.isdigit() if one.isalnum() else None for one in value]
    return looks_secret(value) and sum(one != other for one, other in itertools.pairwise(kinds)) >= 2


_UUID = re.compile(r"(?:[0-9a-f]{10}-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_uuid(value: str) -> bool:
    """Tell whether a value is a UUID, also as Identity Center's user ids are written."""
    return _UUID.fullmatch(value) is not None


def is_random(value: str) -> bool:
    """Tell a random key from a long name or an id: it mixes its characters, and few of them make words."""
    rest = "".join(part for part in re.split(r"[-_./]", value) if not _ID_PART.fullmatch(part))
    if len(rest) < 0.75 * len(value) or not all(re.search(kind, rest) for kind in ("[A-Z]", "[a-z]", r"\d")):
        return False
    words = sum(len(part) for part in _WORD_PART.findall(value) if _VOWEL.search(part))
    return words < 0.45 * len(rest)


def _has_random_part(value: str) -> bool:
    return any(len(part) >= 20 and is_random(part) for part in re.split(r"[/:?&=]", value))


def is_seed(value: str) -> bool:
    """Tell an authenticator's base32 seed from a long upper-case name."""
    return len(set(value)) >= 8 and bool(re.search(r"\d", value)) and not re.fullmatch(r"[A-F2-7]+", value)


def decoded(value: str) -> str:
    """Return the text that a base64 value holds; empty when it is none."""
    value = value.rstrip("=")
    try:
        data = base64.b64decode(
            value + "=" * (-len(value) % 4), altchars=b"-_" if set(value) & set("-_") else None
        )
        return data.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def is_basic_credentials(value: str) -> bool:
    """Tell whether a value is base64 of ``user:password``, as headers and docker's files have it."""
    return ":" in decoded(value) and decoded(value).isprintable()
