"""What secrets look like wherever they stand: the shapes that AWS's, OAuth's and other keys have.

Each kind is said in words, so that a leak can be reported without showing it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from idc_helpers.secret_names import announced_values
from idc_helpers.secret_values import (
    REMOVED,
    decoded,
    is_basic_credentials,
    is_random,
    is_seed,
    is_word,
    looks_secret,
    says_nothing,
)

NAMED = "a value whose name says that it is a secret"


class Secret(NamedTuple):
    """A secret in a text: where it is, its kind in words, and whether it is one wherever it stands."""

    start: int
    end: int
    kind: str
    is_sure: bool


@dataclass(frozen=True)
class SecretShape:
    """One kind of secret.

    Attributes
    ----------
    kind
        In words: ``"a private key"``.
    pattern
        Its group ``secret``, where there is one, is taken out; else the whole match.
    signs
        Of a text in lower case: no match can do without one of them.
    is_secret
        Decides for a match; most need no second look.
    is_sure
        Whether it is a secret wherever it stands: an output that holds one must not be kept.
    """

    kind: str
    pattern: re.Pattern[str]
    signs: tuple[str, ...]
    is_secret: Callable[[re.Match[str]], bool] = lambda _match: True
    is_sure: bool = True

    def find(self, text: str, folded: str) -> Iterator[Secret]:
        """Yield the secrets of this kind in a text."""
        if not any(sign in folded for sign in self.signs):
            return
        group = "secret" if "secret" in self.pattern.groupindex else 0
        for match in self.pattern.finditer(text):
            if match[group] != REMOVED and self.is_secret(match):
                yield Secret(*match.span(group), self.kind, self.is_sure)


def _shape(kind: str, pattern: str, *signs: str, **more: object) -> SecretShape:
    return SecretShape(kind, re.compile(pattern), signs, **more)  # type: ignore[arg-type]


_BASE64_RUN = re.compile(r"[A-Za-z0-9+/=]{12,}")


def _has_body(match: re.Match[str]) -> bool:
    return _BASE64_RUN.search(match["secret"], len(match["head"])) is not None


def _is_header_value(match: re.Match[str]) -> bool:
    scheme, value = match["scheme"].casefold(), match["secret"].rstrip(".,:;")
    if scheme == "basic":
        return is_basic_credentials(value)
    # Only after the header's name: "Digest" is the name of another one too.
    follows_header = re.search(r"authorization\W{1,6}\Z", match.string[: match.start()][-24:], re.IGNORECASE)
    if is_word(value) or says_nothing(value):
        return False
    looks_random = any(one.isdigit() for one in value) or len(value) >= 32
    return bool(follows_header) or (scheme == "bearer" and looks_random)


def _is_user_info(match: re.Match[str]) -> bool:
    password = match["secret"]
    return password.casefold() not in ("password", "pass", "pw", "secret", "token") and (
        not says_nothing(password) or (len(password) < 6 and password[0] not in "$<{*%")
    )


def _has_digit(match: re.Match[str]) -> bool:
    return any(one.isdigit() for one in match["secret"])


_PEM_END = r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|---- END SSH2 ENCRYPTED PRIVATE KEY ----)"
SHAPES: tuple[SecretShape, ...] = (
    _shape(
        "a private key",
        r"(?P<secret>(?P<head>-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)"
        rf"(?:(?:(?!-----BEGIN)[\s\S]){{0,20000}}?{_PEM_END}"
        r"|(?:[ \t\r\\nrt\"',+|>]*(?:\n|\\n)[^\n]{0,40}?[A-Za-z0-9+/=]{12,}[^\S\n]*[\"',\\+n]*)*))",
        "private key",
        is_secret=_has_body,
    ),
    _shape(
        "a private key",
        r"LS0tLS1CRUdJTi[A-Za-z0-9+/=_-]{20,}",
        "ls0tls1crudjti",
        is_secret=lambda m: "PRIVATE KEY" in decoded(m[0][:80]),
    ),
    _shape(
        "a private key",
        r"AGE-SECRET-KEY-1[A-Z0-9]{20,}|(?P<putty>Private-Lines: \d+\s+[A-Za-z0-9+/=\s]{40,})",
        "age-secret-key-1",
        "private-lines:",
    ),
    _shape("the seed of an authenticator app", r"(?i:otpauth(?:-migration)?)://[^\s\"'<>\\]+", "otpauth"),
    _shape(
        "credentials in a header",
        r"\b(?P<scheme>(?i:Bearer|Basic|Digest))(?:\s|\\\\?[\"']|[\"'],\s*[\"']|:\s)\s*(?P<secret>[A-Za-z0-9._~+/=:-]{8,})",
        "bearer",
        "basic",
        "basıc",
        "digest",
        "dıgest",
        is_secret=_is_header_value,
    ),
    _shape(
        "credentials in a header",
        r"\b(?i:authorization)\\*[\"']?\s*[:=,]\s*\\*[\"']?(?:(?!(?i:bearer|basic|digest))[A-Za-z0-9-]{2,20}\s+)?(?P<secret>[^\s\"'<>\\,;]{8,})",
        "authorization",
        "authorızation",
        is_secret=lambda m: looks_secret(m["secret"]),
        is_sure=False,
    ),
    _shape(
        "a cookie",
        r"\b(?:[Ss][Ee][Tt]-)?[Cc][Oo]{2}[Kk][Ii][Ee]\\*[\"']?\s*[:,]\s*\\*[\"']?(?=[\w.-]+=)(?!\[removed\])(?P<secret>[^\r\n\"'\\]*=[^\r\n\"'\\]+)",
        "cookie",
    ),
    _shape(
        "a password in a URL",
        r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'<>]*:(?P<secret>[^\s\"'<>/]+|[^\s\"'<>@]+)(?=@[\w\[])",
        "://",
        is_secret=_is_user_info,
    ),
    _shape(
        "a token in a URL",
        r"\b[a-z][a-z0-9+.-]*://(?P<secret>[^\s/:@\"'<>]{16,})(?=@[\w\[])",
        "://",
        is_secret=lambda m: looks_secret(m["secret"]),
    ),
    _shape(
        "the signature of a signed URL",
        r"\b(?:(?:X-Amz-|X-Goog-)?[Ss]ignature|sig)=(?P<secret>[A-Za-z0-9%/+=_~.-]{20,})",
        "signature=",
        "sig=",
        "sıg",
        is_secret=_has_digit,
    ),
    _shape("a session token", r"\bX-Amz-Security-Token=(?P<secret>[^\s&\"'<>]+)", "x-amz-security-token="),
    _shape(
        "an authorization code",
        r"[?&]code=(?P<secret>[A-Za-z0-9%._~-]{12,})",
        "code=",
        is_secret=lambda m: not re.fullmatch(r"(?:[A-Z][a-z]+)+", m["secret"]),
    ),
    _shape(
        "an access key id",
        r"(?<![A-Za-z0-9])A[KS]IA(?P<secret>[A-Z0-9]{12,124})(?![A-Za-z0-9])",
        "akia",
        "asia",
        is_sure=False,
    ),
    _shape(
        "a secret access key",
        r"A[KS]IA[A-Z0-9]{16}[^A-Za-z0-9]{1,4}(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])",
        "akia",
        "asia",
    ),
    _shape(
        "a session token",
        r"(?<![A-Za-z0-9/+])(?:F[Qw]oGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9/+=%]{20,}",
        "foogzxivyxdz",
        "fqogzxivyxdz",
        "fwogzxivyxdz",
        "iqojb3jpz2lu",
    ),
    _shape("a token of IAM Identity Center", r"\bao[ar]A{4}[\w-]{8,}(?::[\w/+=-]+)?", "aoaaaaa", "aoraaaa"),
    _shape("a JSON web token", r"(?<![\w-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", "eyj"),
    _shape(
        "a password's hash",
        r"\$(?:2[abxy]|5|6|y|7|argon2id?|apr1|1)\$[\w./$,=+-]{12,}",
        "$2",
        "$5$",
        "$6$",
        "$y$",
        "$7$",
        "$argon2",
        "$apr1$",
        "$1$",
    ),
    _shape(
        "an API token",
        r"(?<![A-Za-z0-9])(?:gh[oprsu]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|xox[abeprs]-[A-Za-z0-9-]{10,}|xapp-[\w-]{20,}|AIza[\w-]{35}"
        r"|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{40,}|gl[a-z]{2,4}-[\w-]{20,}|[srp]k_(?:live|test)_[A-Za-z0-9]{16,}"
        r"|whsec_[\w+/=]{20,}|sk-[A-Za-z0-9_-]{32,}|hf_[A-Za-z0-9]{30,}|hv[bsr]\.[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|shp[a-z]{2}_[0-9a-f]{30,}"
        r"|do[opr]_v1_[0-9a-f]{40,}|dapi[0-9a-f]{32}|dckr_pat_[\w-]{20,}|ABSK[A-Za-z0-9+/]{60,}=*|\d{8,10}:AA[\w-]{33}|key-[0-9a-f]{32}"
        r"|(?<=hooks\.slack\.com/services/)[\w/]{20,})(?![A-Za-z0-9])",
        "ghp_",
        "gho_",
        "ghr_",
        "ghs_",
        "ghu_",
        "github_pat_",
        "xox",
        "xapp-",
        "aiza",
        "ya29.",
        "gocspx-",
        "npm_",
        "pypi-",
        "glpat-",
        "gldt-",
        "glrt-",
        "glcbt-",
        "k_live_",
        "k_test_",
        "whsec_",
        "sk-",
        "hf_",
        "hvs.",
        "hvb.",
        "hvr.",
        "sg.",
        "shp",
        "_v1_",
        "dapi",
        "dckr_pat_",
        "absk",
        ":aa",
        "key-",
        "hooks.slack",
        is_secret=lambda m: any(one.isdigit() for one in m[0]),
    ),
    _shape(
        "a password on a command line",
        r"\b(?:(?:docker|podman|helm|az|oc|registry|nerdctl) +login|sshpass|mysql\w*|mongo\w*|ldap\w+)\b"
        r"[^\n|;]{0,200}?\s-(?:p|w)[ =]?(?P<secret>[^\s\"'-][^\s\"']*|(?<=[\"'])[^\"']+)",
        "login",
        "sshpass",
        "mysql",
        "mongo",
        "ldap",
        is_secret=lambda m: looks_secret(m["secret"]),
        is_sure=False,
    ),
    _shape(
        "a password on a command line",
        r"\s(?:-u|--user|--proxy-user)[ =]?[\"']?[\w.@+-]+:(?P<secret>[^\s\"']+)",
        "-u",
        "--",
        is_secret=lambda m: looks_secret(m["secret"]),
        is_sure=False,
    ),
    _shape(
        "a password in code",
        r"(?i:\bidentified\s+(?:with\s+\S+\s+)?by\s+(?:password\s+)?|\bauth\s*=\s*\w*\(\s*[\"'][^\"'\n]*[\"']\s*,\s*"
        r"|\bBasicAuth\(\s*[\"'][^\"'\n]*[\"']\s*,\s*)[\"'](?P<secret>[^\"'\n]+)",
        "identified",
        "ıdentified",
        "auth",
        is_secret=lambda m: not says_nothing(m["secret"]),
        is_sure=False,
    ),
    _shape(
        "a password in a file of passwords",
        r"(?m:^)[\w.*-]+:(?:\d{2,5}|\*):[\w*-]+:[\w.*-]+:(?P<secret>[^\s:]+)(?m:$)",
        ":",
        is_secret=lambda m: looks_secret(m["secret"]),
        is_sure=False,
    ),
)

_RUN = re.compile(r"(?<![A-Za-z0-9/+_-])[A-Za-z0-9/+_-]{32,}")
_KEY = re.compile(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])")
_BROKEN_KEY = re.compile(
    r"\r?\n(?=(?P<rest>[A-Za-z0-9/+]{4,36}(?:\r?\n[A-Za-z0-9/+]{4,36}){0,8})(?![A-Za-z0-9/+=]))"
)
_LINE_END = re.compile(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{4,36}\Z")
_TOKEN = re.compile(r"[\w-]{40}|[\w-]{43}|[\w-]{64}|[\w-]{86}")
_KEY_LENGTH = 40
_SEED = re.compile(r"[A-Z2-7]{32}|[A-Z2-7]{52}|[A-Z2-7]{64}")
# What stands before ids, hashes and pages of answers that look as random as keys.
_HARMLESS_NAME = re.compile(
    r"(?:request[_-]?id|x-amz-id-2|host[_-]?id|x-amz-cf-id|extended[_-]?id|e-?tag|sha-?\d*|md5|digest|hash|checksum|integrity"
    r"|fingerprint|thumbprint|challenge|(?:next|pagination|continuation|page|client|request|start(?:ing)?)[_-]?token|marker"
    r"|client[_-]?id|cursor|commit|version[_-]?id|base64|public[_-]?key)[\"'\]]*\s*[=:(,-]{0,2}\s*b?[\"']?\Z",
    re.IGNORECASE,
)
_BLOCK_BEFORE = re.compile(r"[A-Za-z0-9/+]{60,}[\s\"'\\n]{1,12}\Z")
_BLOCK_AFTER = re.compile(r"[\s\"'\\n]{1,12}[A-Za-z0-9/+]{60,}")
_AWS_NAME = re.compile(r"(?:arn:aws[\w-]*:|AWSReservedSSO_|data:)[^\s\"'<>]*\Z", re.IGNORECASE)


def _long_words(text: str) -> Iterator[Secret]:
    """Yield keys, tokens and seeds by their length, their alphabet and their disorder."""
    for run in _RUN.finditer(text):
        for start, end, kind in _kinds_in(text, run):
            if not _is_harmless(text, start, end):
                yield Secret(start, end, kind, True)


def _kinds_in(text: str, run: re.Match[str]) -> Iterator[tuple[int, int, str]]:
    whole, is_padded = run[0].rstrip("-"), text[run.end() : run.end() + 1] == "="
    if _SEED.fullmatch(whole) and is_seed(whole):
        yield run.start(), run.start() + len(whole), "the seed of an authenticator app"
        return
    if not is_padded and _TOKEN.fullmatch(whole) and is_random(whole):
        keys = list(_KEY.finditer(whole))
        if not keys:
            yield run.start(), run.start() + len(whole), "a random token"
            return
    for part in _KEY.finditer(text, run.start(), run.end()):
        if not (is_padded and part.end() == run.end()) and is_random(part[0]):
            yield *part.span(), "a secret access key"


def _broken_keys(text: str) -> Iterator[Secret]:
    """Yield secret access keys that are written over several lines."""
    for match in _BROKEN_KEY.finditer(text):
        first = _LINE_END.search(text, max(0, match.start() - 37), match.start())
        if first is None:
            continue
        key, lines = first[0], re.finditer(r"\S+", match["rest"])
        while len(key) < _KEY_LENGTH and (line := next(lines, None)):
            key += line[0]
            if len(key) == _KEY_LENGTH and is_random(key):
                end = match.start("rest") + line.end()
                yield Secret(first.start(), end, "a secret access key", is_sure=True)


def _is_harmless(text: str, start: int, end: int) -> bool:
    """Tell whether a random word is an id or a hash by its name, of an ARN, or a line of base64."""
    before = text[max(0, start - 200) : start]
    return (
        _HARMLESS_NAME.search(before[-40:]) is not None
        or _AWS_NAME.search(before + text[start : start + 15]) is not None
        or _BLOCK_BEFORE.search(before) is not None
        or _BLOCK_AFTER.match(text, end) is not None
    )


def _named(text: str, folded: str) -> Iterator[Secret]:
    for start, end in announced_values(text, folded):
        yield Secret(start, end, NAMED, False)


def secrets_in(text: str) -> list[Secret]:
    """Return the secrets in a text, as `apart` does."""
    folded = text.lower()
    if len(folded) != len(text):  # a few letters have two in lower case
        folded = "".join(one if len(one.lower()) != 1 else one.lower() for one in text)
    found = [secret for shape in SHAPES for secret in shape.find(text, folded)]
    found += [*_long_words(text), *_broken_keys(text), *_named(text, folded)]
    return apart(found)


def apart(found: Iterable[Secret]) -> list[Secret]:
    """Return secrets in order, none over another: what is found twice is as wide and as sure as any says."""
    kept: list[Secret] = []
    for secret in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or secret.start >= kept[-1].end:
            kept.append(secret)
            continue
        last = kept[-1]
        kind, is_sure = (
            (secret.kind, True) if secret.is_sure and not last.is_sure else (last.kind, last.is_sure)
        )
        kept[-1] = Secret(last.start, max(last.end, secret.end), kind, is_sure)
    return kept
