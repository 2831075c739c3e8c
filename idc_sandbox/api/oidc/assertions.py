"""Tokens of trusted token issuers: whether one is good, and which user it means."""

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/setuptrustedtokenissuer.html
from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from idc_sandbox.api.identity_store.profiles import folded
from idc_sandbox.api.oidc.clients import invalid_grant
from idc_sandbox.context import Context
from idc_sandbox.errors import FetchFirst, parse_json

if TYPE_CHECKING:
    import jwt

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
_OWN_MACHINE = ("localhost", "127.0.0.1", "::1")
_DISCOVERY = "/.well-known/openid-configuration"
_LONGEST_ANSWER, _LONGEST_WAIT_S = 256 * 1024, 5.0
# An issuer may have new keys at any time: who shows an unknown one is asked about again, not more often.
_KEYS_LAST_S, _NEWEST_LAST_S = 300.0, 10.0


class _NoKeysError(Exception):
    """An issuer's keys cannot be had; the message says why."""


@dataclass(frozen=True)
class _Keys:
    """What an issuer's address said."""

    found: jwt.PyJWKSet | None
    problem: str
    read_at: float


_KEYS_OF_ISSUER: dict[str, _Keys] = {}


def require_user(
    context: Context, assertion: str, issuers: Sequence[dict[str, Any]], store_id: str
) -> tuple[str, str]:
    """Return the user whom an assertion of one of these issuers means, and the issuer's ARN."""
    import jwt  # noqa: PLC0415  with cryptography: no start of the sandbox waits for it

    try:
        claimed = jwt.decode(assertion, options={"verify_signature": False}).get("iss")
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise invalid_grant("The assertion is no JSON Web Token.") from None
    issuer, audiences = _find_issuer(context, claimed, issuers)
    try:
        key = _key_of(issuer["issuer_url"], jwt.get_unverified_header(assertion).get("kid"))
        claims = jwt.decode(
            assertion,
            key,
            algorithms=_ALGORITHMS,
            audience=audiences,
            issuer=issuer["issuer_url"],
            options={"require": ["exp", "iss", "aud"]},
        )
    except (jwt.InvalidTokenError, jwt.PyJWKError, TypeError, ValueError, OverflowError) as error:
        raise invalid_grant(f"The assertion of {issuer['issuer_url']!r} is not valid: {error}.") from None
    except _NoKeysError as error:
        raise invalid_grant(f"The keys of {issuer['issuer_url']!r} cannot be read: {error}.") from None
    return _find_user(context, store_id, issuer, claims), issuer["trusted_token_issuer_arn"]


def _find_issuer(
    context: Context, claimed: Any, issuers: Sequence[dict[str, Any]]
) -> tuple[sqlite3.Row, list[str]]:
    for one in issuers:
        row = context.find("trusted_token_issuer", trusted_token_issuer_arn=one["TrustedTokenIssuerArn"])
        if (
            row is not None
            and isinstance(claimed, str)
            and row["issuer_url"].rstrip("/") == claimed.rstrip("/")
        ):
            return row, one["AuthorizedAudiences"]
    raise invalid_grant(f"The application trusts no issuer {str(claimed)[:200]!r}.")


def _find_user(context: Context, store_id: str, issuer: sqlite3.Row, claims: dict[str, Any]) -> str:
    claim: Any = claims
    for name in issuer["claim_attribute_path"].split("."):
        claim = claim.get(name) if isinstance(claim, dict) else None
    if not isinstance(claim, str) or not claim:
        raise invalid_grant(f"The assertion has no claim {issuer['claim_attribute_path']!r} with a text.")
    path = issuer["identity_store_attribute_path"].casefold().split(".")
    found = []
    for row in context.find_all("identity_user", identity_store_id=store_id):
        profile = {**json.loads(row["profile_json"]), "UserName": row["user_name"]}
        if any(folded(value) == folded(claim) for value in _values(profile, path)):
            found.append(str(row["user_id"]))
    if len(found) != 1:
        raise invalid_grant(
            f"The claim {issuer['claim_attribute_path']!r} must lead to one user by "
            f"{issuer['identity_store_attribute_path']!r}, found {len(found)}."
        )
    return found[0]


def _values(value: Any, path: list[str]) -> Iterator[str]:
    """Yield the texts to which a path leads, such as ``emails.value``, whose parts are in lower case."""
    if isinstance(value, list):
        for item in value:
            yield from _values(item, path)
    elif isinstance(value, dict) and path:
        for name, inner in value.items():
            if name.casefold() == path[0]:
                yield from _values(inner, path[1:])
    elif isinstance(value, str) and not path:
        yield value


def _key_of(issuer_url: str, key_id: str | None) -> jwt.PyJWK:
    keys = _KEYS_OF_ISSUER.get(issuer_url)
    age_s = time.monotonic() - keys.read_at if keys else _KEYS_LAST_S
    fitting = [one for one in keys.found.keys if key_id in (None, one.key_id)] if keys and keys.found else []
    if keys is None or age_s >= (_KEYS_LAST_S if fitting else _NEWEST_LAST_S):
        raise FetchFirst(lambda: _read_keys(issuer_url))
    if not fitting:
        raise _NoKeysError(keys.problem or f"it has no key {key_id!r}")
    return fitting[0]


def _read_keys(issuer_url: str) -> None:
    """Ask an issuer for its keys, and keep them or why there are none."""
    import jwt  # noqa: PLC0415

    found, problem = None, ""
    try:
        configuration = _read_json(f"{issuer_url.rstrip('/')}{_DISCOVERY}", issuer_url)
        if configuration.get("issuer") != issuer_url:
            raise _NoKeysError(
                f"its configuration names the issuer {str(configuration.get('issuer'))[:200]!r}"
            )
        found = jwt.PyJWKSet.from_dict(_read_json(str(configuration.get("jwks_uri")), issuer_url))
    except (_NoKeysError, jwt.PyJWKSetError, jwt.PyJWKError, TypeError, ValueError) as error:
        problem = str(error)
    if len(_KEYS_OF_ISSUER) > 100:
        _KEYS_OF_ISSUER.clear()
    _KEYS_OF_ISSUER[issuer_url] = _Keys(found, problem, time.monotonic())


def _read_json(url: str, issuer_url: str) -> dict[str, Any]:
    """Return the JSON object at an address of the issuer, which must be on this machine."""
    import httpx  # noqa: PLC0415

    try:
        address, issuer = urlsplit(url), urlsplit(issuer_url)
        if (address.scheme, address.netloc) != (issuer.scheme, issuer.netloc):
            raise _NoKeysError(f"{url[:200]!r} is not at the issuer's own address")
        if issuer.hostname not in _OWN_MACHINE:
            raise _NoKeysError(
                "the sandbox reaches no network. Use an issuer on this machine, such as http://localhost:8080"
            )
        body, deadline = b"", time.monotonic() + _LONGEST_WAIT_S
        with httpx.stream("GET", url, timeout=_LONGEST_WAIT_S, trust_env=False) as answer:
            if answer.status_code != 200:
                raise _NoKeysError(f"{url!r} answers {answer.status_code}")
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > _LONGEST_ANSWER or time.monotonic() > deadline:
                    raise _NoKeysError(f"{url!r} answers too much, or too slowly")
        value = parse_json(body)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise _NoKeysError(f"{url[:200]!r}: {error or type(error).__name__}") from None
    if not isinstance(value, dict):
        raise _NoKeysError(f"{url!r} is no JSON object")
    return value
