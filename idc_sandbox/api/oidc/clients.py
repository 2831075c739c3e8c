"""RegisterClient, its key and redirect addresses, and how oidc refuses."""

# What each operation does: https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_Operations.html
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.sign_in.people import clean_text, make_room, new_token, refuse, start_urls
from idc_sandbox.state_folder import replace_whole
from idc_sandbox.wire.registry import operation

# Signs client registrations; a file beside the state, which outlives a reset.
KEY_FILE_NAME = "registration.key"


def registration_key(connection: sqlite3.Connection) -> bytes:
    """Return the key of the folder in which a state file lies; a new one when there is none. Writes."""
    database = connection.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()[0]
    path = Path(database).with_name(KEY_FILE_NAME)
    try:
        key = bytes.fromhex(path.read_text("ascii"))
    except (OSError, ValueError):
        key = b""
    if len(key) != 32:
        key = secrets.token_bytes(32)
        replace_whole(path, key.hex())
    return key


# Where a code may be sent: to a program on the person's own machine, nowhere else (RFC 8252, 7.3).
# It listens on a port that the system gives it, so that the port is not part of what it registers.
_REGISTRABLE = re.compile(r"http://127\.0\.0\.1(:[0-9]{1,5})?/oauth/callback")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_USABLE = re.compile(r"http://127\.0\.0\.1:([0-9]{1,5})/oauth/callback")


def is_redirect_uri(uri: str) -> bool:
    """Tell whether a browser may be sent to a URI: loopback, a port, the path that AWS clients listen on."""
    match = _USABLE.fullmatch(uri)
    return match is not None and 0 < int(match[1]) <= 65_535


def code_problems(parameters: Mapping[str, str], method: str) -> list[str]:
    """Return what is wrong with a browser's request for a code, by its address (PKCE)."""
    problems = []
    if parameters.get("response_type") != "code":
        problems.append("response_type must be code")
    if parameters.get("code_challenge_method") != method:
        problems.append(f"code_challenge_method must be {method}")
    if not _CHALLENGE.fullmatch(parameters.get("code_challenge", "")):
        problems.append("code_challenge must be 43 characters of base64url")
    return problems


invalid_request = partial(ServiceError, "InvalidRequestException")
invalid_client = partial(ServiceError, "InvalidClientException", status=401)  # it has to register again
invalid_grant = partial(ServiceError, "InvalidGrantException")  # the person has to sign in again


def unsupported_grant_type(grant_type: str, allowed: list[str]) -> ServiceError:
    """Return the error for a grant type that does not exist, or that the client did not register for."""
    return ServiceError(
        "UnsupportedGrantTypeException",
        f"The grantType {grant_type!r} is not one of this client's: {', '.join(allowed)}.",
    )


DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
AUTHORIZATION_CODE_GRANT = "authorization_code"
REFRESH_GRANT = "refresh_token"
CLIENT_GRANT_TYPES = [AUTHORIZATION_CODE_GRANT, DEVICE_CODE_GRANT, REFRESH_GRANT]
ACCOUNT_ACCESS_SCOPE = "sso:account:access"
REGISTRATION_LIFETIME_S = 90 * 86_400  # UNCONFIRMED at AWS
_SCOPE = re.compile(r"[A-Za-z0-9_.-]{1,64}(:[A-Za-z0-9_.*-]{1,64}){1,4}")
_LONGEST_NAME = 256


@dataclass(frozen=True)
class Client:
    """A client that has registered."""

    client_id: str
    client_name: str
    scopes: tuple[str, ...]
    grant_types: tuple[str, ...]
    expires_at: int


@operation("sso-oidc", "RegisterClient")
def register_client(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Register a public client for 90 days."""
    name = clean_text(request["clientName"], _LONGEST_NAME + 1)
    if request["clientType"] != "public" or not 0 < len(name) <= _LONGEST_NAME:
        raise ServiceError(
            "InvalidClientMetadataException",
            f"clientType must be 'public', found {request['clientType'][:40]!r}, and clientName must have "
            f"1 to {_LONGEST_NAME} characters, found {len(request['clientName'])}.",
        )
    if "issuerUrl" in request:  # as the AWS CLI does for a login through the browser: its only place for it
        require_start_url(context, request["issuerUrl"])
    now = int(context.now)
    client = Client(
        client_id=new_token(),
        client_name=name,
        scopes=_checked_scopes(request.get("scopes") or []),
        grant_types=_checked_grant_types(request),
        expires_at=now + REGISTRATION_LIFETIME_S,
    )
    remember_client(context, client)
    return {
        "clientId": client.client_id,
        "clientSecret": _secret_of(context, client),
        "clientIdIssuedAt": now,
        "clientSecretExpiresAt": client.expires_at,
        "authorizationEndpoint": f"{context.site_url}/authorize",
        "tokenEndpoint": f"{context.site_url}/token",
    }


def require_start_url(context: Context, start_url: str) -> None:
    """Refuse an address that does not name this sandbox's portal."""
    known = start_urls(context)
    wanted = start_url.partition("#")[0].rstrip("/")
    if wanted not in known:
        raise invalid_request(
            f"The start URL {start_url[:200]!r} is not that of an access portal here; yours is "
            f"{known[0] if known else 'there once Identity Center is enabled'}."
        )


def require_client(context: Context, client_id: str, client_secret: str) -> Client:
    """Return the client that a secret was given to, also by a state of this folder that was reset since."""
    client = _read_secret(context, client_secret)
    if client is None or not hmac.compare_digest(
        client.client_id.encode(), client_id.encode("utf-8", "replace")
    ):
        raise invalid_client(
            "The client is unknown, or its secret is not the one that RegisterClient gave it. Register it "
            "again: delete the files of this client in ~/.aws/sso/cache, then log in."
        )
    if client.expires_at <= context.now:
        raise invalid_client("The client's registration has expired. Register it again.")
    return client


def remember_client(context: Context, client: Client) -> None:
    """Keep who registered, so that people can be asked about them by name. Writes."""
    if context.find("oidc_client", client_id=client.client_id) is None:
        context.insert(
            "oidc_client",
            client_id=client.client_id,
            client_name=client.client_name,
            scopes_json=json.dumps(client.scopes),
            grant_types_json=json.dumps(client.grant_types),
            expires_at=client.expires_at,
        )
    make_room(context, "oidc_client")


def find_registered(context: Context, client_id: str) -> Client:
    """Return a client by its id alone, for a page that asks a person whether to allow it. Reads only."""
    row = context.find("oidc_client", client_id=client_id)
    if row is None:
        raise refuse("client-unknown")
    if row["expires_at"] <= context.now:
        raise refuse("client-expired", client_name=row["client_name"])
    scopes, grant_types = json.loads(row["scopes_json"]), json.loads(row["grant_types_json"])
    return Client(client_id, row["client_name"], tuple(scopes), tuple(grant_types), int(row["expires_at"]))


def require_grant_type(client: Client, grant_type: str) -> None:
    """Refuse a grant that a client did not register for."""
    if grant_type not in client.grant_types:
        raise unsupported_grant_type(grant_type[:80], list(client.grant_types))


def _checked_scopes(scopes: list[str]) -> tuple[str, ...]:
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise ServiceError(
                "InvalidScopeException",
                f"The scope {scope[:80]!r} is not one; the scope for access to accounts is "
                f"{ACCOUNT_ACCESS_SCOPE!r}.",
            )
    return tuple(dict.fromkeys(scopes[:32]))


def _checked_grant_types(request: dict[str, Any]) -> tuple[str, ...]:
    # Who names none is a client from before there was a choice.
    grant_types = request.get("grantTypes") or [DEVICE_CODE_GRANT, REFRESH_GRANT]
    for grant_type in grant_types:
        if grant_type not in CLIENT_GRANT_TYPES:
            raise unsupported_grant_type(grant_type[:80], CLIENT_GRANT_TYPES)
    redirect_uris = request.get("redirectUris") or []
    wants_code = AUTHORIZATION_CODE_GRANT in grant_types
    unfit = [uri for uri in redirect_uris if not _REGISTRABLE.fullmatch(uri)]
    if unfit or (wants_code and not redirect_uris):
        raise ServiceError(
            "InvalidRedirectUriException",
            "The redirect URI must be 'http://127.0.0.1/oauth/callback', found "
            f"{[uri[:80] for uri in unfit]!r}.",
        )
    return tuple(dict.fromkeys(grant_types))


def _secret_of(context: Context, client: Client) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(astuple(client)).encode()).decode().rstrip("=")
    return f"{payload}.{_signature(context, payload)}"


def _read_secret(context: Context, client_secret: str) -> Client | None:
    payload, _, signature = client_secret.rpartition(".")
    expected = _signature(context, payload)
    if not hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode()):
        return None
    client_id, name, scopes, grant_types, expires_at = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return Client(client_id, name, tuple(scopes), tuple(grant_types), expires_at)


def _signature(context: Context, payload: str) -> str:
    key = registration_key(context.connection)
    return hmac.new(key, payload.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
