"""The login of `aws sso login` in boto3, its token's trace, and the temporary credentials that follow."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from idc_aws.clients import session_without_files
from idc_aws.connection import Connection
from idc_aws.errors import AccessDeniedError, CredentialsError, KitError
from idc_aws.files import read_object, write_whole
from idc_aws.signin.profiles import SCOPE, SsoProfile

# https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html
_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_CLIENT_NAME = "identity-center-runbooks"
_SLOW_DOWN_S = 5
_AGAIN = "Sign in again, as in notebook 10."


@dataclass(frozen=True)
class DeviceLogin:
    """A login that waits for a person."""

    user_code: str
    verification_uri_complete: str
    device_code: str = field(repr=False)
    client: dict[str, Any] = field(repr=False)
    expires_in_s: int
    interval_s: int


def begin_login(connection: Connection, start_url: str) -> DeviceLogin:
    """Register a client, ask for a device code and return both; nobody is signed in yet."""
    oidc = connection.client("sso-oidc")
    try:
        client = oidc.register_client(clientName=_CLIENT_NAME, clientType="public", scopes=[SCOPE])
        names = {"clientId": client["clientId"], "clientSecret": client["clientSecret"]}
        started = oidc.start_device_authorization(**names, startUrl=start_url)
    except ClientError as error:
        raise CredentialsError(
            f"no login could be started at {start_url!r}: {error}",
            remedy="Copy the start URL from the access portal, and check the Region.",
        ) from error
    return DeviceLogin(
        user_code=started["userCode"],
        verification_uri_complete=started["verificationUriComplete"],
        device_code=started["deviceCode"],
        client=names | {"expires_at": client["clientSecretExpiresAt"]},
        expires_in_s=started["expiresIn"],
        interval_s=started.get("interval") or 5,
    )


def finish_login(connection: Connection, login: DeviceLogin) -> dict[str, Any]:
    """Wait until the person has answered and return CreateToken's answer, which holds secrets."""
    interval_s = float(login.interval_s)
    names = {name: login.client[name] for name in ("clientId", "clientSecret")}
    deadline = time.monotonic() + login.expires_in_s
    while time.monotonic() < deadline:
        refusal = _ask_for_token(connection, names, login.device_code)
        if not isinstance(refusal, str):
            return refusal
        interval_s += _SLOW_DOWN_S if refusal == "SlowDownException" else 0
        time.sleep(interval_s)
    raise CredentialsError("the code expired before anybody answered", remedy="Start the login again.")


def _ask_for_token(connection: Connection, names: dict[str, Any], device_code: str) -> dict[str, Any] | str:
    """Return CreateToken's answer, or the code of a refusal that asks for patience."""
    try:
        return connection.client("sso-oidc").create_token(**names, grantType=_GRANT, deviceCode=device_code)
    except AccessDeniedError as error:
        raise CredentialsError(
            "the person denied the login (AccessDeniedException)", remedy="Start it again, and allow it."
        ) from error
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        if code in ("AuthorizationPendingException", "SlowDownException"):
            return code
        raise CredentialsError(
            f"the login ended without a token: {code}", remedy="Start it again, and allow it in time."
        ) from error


def save_token(folder: Path, profile: SsoProfile, login: DeviceLogin, token: dict[str, Any]) -> Path:
    """Keep a token where the AWS CLI and boto3 look for it, for its owner only; return the file. Writes."""
    values = {
        "startUrl": profile.start_url,
        "region": profile.sso_region,
        "accessToken": token["accessToken"],
        "expiresAt": _utc(time.time() + token["expiresIn"]),
        "clientId": login.client["clientId"],
        "clientSecret": login.client["clientSecret"],
        "registrationExpiresAt": _utc(login.client["expires_at"]),
    }
    if token.get("refreshToken"):
        values["refreshToken"] = token["refreshToken"]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _write_private(token_file(folder, profile.session_name), values)


def token_file(folder: Path, session_name: str) -> Path:
    """Return where clients keep the token of a session."""
    return folder / f"{hashlib.sha1(session_name.encode(), usedforsecurity=False).hexdigest()}.json"


def newest_token(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Return the file of a folder's newest login and what it holds, secrets included, or None; reads only."""
    paths = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    found = ((path, read_object(path, must_read=True)) for path in paths)
    return next(((path, values) for path, values in found if values.get("accessToken")), None)


def refresh_token(connection: Connection, folder: Path) -> Path:
    """Get a new token for the newest login of a folder by its refresh token, and keep it. Writes."""
    found = newest_token(folder)
    if found is None or not found[1].get("refreshToken"):
        raise CredentialsError("there is no login in the terminal that can be continued", remedy=_AGAIN)
    path, values = found
    names = {name: values[name] for name in ("clientId", "clientSecret", "refreshToken")}
    try:
        token = connection.client("sso-oidc").create_token(**names, grantType="refresh_token")
    except (ClientError, KitError) as error:
        raise CredentialsError(f"the session in the terminal is over: {error}", remedy=_AGAIN) from error
    new = {name: token[name] for name in ("accessToken", "refreshToken") if token.get(name)}
    return _write_private(path, values | new | {"expiresAt": _utc(time.time() + token["expiresIn"])})


def _write_private(path: Path, values: dict[str, Any]) -> Path:
    with suppress(FileNotFoundError):
        path.chmod(0o600)  # a token is its owner's alone, whoever wrote the one before
    write_whole(path, json.dumps(values))
    return path


def log_out(connection: Connection, folder: Path) -> int:
    """End the sessions of the tokens in a folder, delete them, and return how many there were. Writes."""
    count = 0
    for path in sorted(folder.glob("*.json")):
        if token := read_object(path, must_read=True).get("accessToken"):
            with suppress(ClientError, KitError):  # one that had ended already, or is not of this sandbox
                connection.client("sso").logout(accessToken=token)
            count += 1
            path.unlink()
    return count


def _utc(epoch_s: float) -> str:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_SHOWN = 4


@dataclass(frozen=True)
class SignInTrace:
    """What of a login may be shown; texts are empty where nothing is known."""

    client_id: str = ""
    token_start: str = ""
    user_code: str = ""
    grant: str = "device_code"


def read_sign_in_trace(token_folder: Path, profile: SsoProfile, user_code: str = "") -> SignInTrace:
    """Return what the token file of a profile's session shows, and the registration of its client."""
    held = read_object(token_file(token_folder, profile.session_name))
    if not held:
        return SignInTrace()
    token = str(held.get("accessToken", ""))
    client_id = str(held.get("clientId", ""))
    # Only a client that was registered for the authorization code says for what: the CLI's newer way.
    registered = (read_object(path) for path in token_folder.glob("*.json"))
    grants = [one.get("grantTypes") or () for one in registered if one.get("clientId") == client_id]
    grant = "authorization_code" if any("authorization_code" in each for each in grants) else "device_code"
    return SignInTrace(client_id, f"{token[:_SHOWN]}…" if token else "", user_code, grant)


_ACCOUNT_BITS = 0x7FFFFFFFFF80


@dataclass(frozen=True)
class TemporaryCredentials:
    """Keys of a role's session."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at_s: float


def account_of_key(access_key_id: str) -> str:
    """Return the account's id that an access key id carries; asks nobody."""
    # The form is seen in use and not documented; ``sts:GetAccessKeyInfo`` is AWS's own answer.
    decoded = int.from_bytes(base64.b32decode(access_key_id[4:])[:6], "big")
    return f"{(decoded & _ACCOUNT_BITS) >> 7:012d}"


def get_role_credentials(
    connection: Connection, token_folder: Path, account_id: str, role_name: str
) -> TemporaryCredentials:
    """Return new credentials of a role, for the newest token of a login; reads the tokens."""
    found = newest_token(token_folder)
    if found is None:
        raise CredentialsError(
            "there is no token of a login in the terminal", remedy="Sign in, as in notebook 10."
        )
    try:
        answer = connection.client("sso").get_role_credentials(
            accountId=account_id, roleName=role_name, accessToken=found[1]["accessToken"]
        )["roleCredentials"]
    except (ClientError, KitError) as error:
        raise CredentialsError(f"the access portal gives no credentials: {error}", remedy=_AGAIN) from error
    return TemporaryCredentials(
        answer["accessKeyId"], answer["secretAccessKey"], answer["sessionToken"], answer["expiration"] / 1000
    )


@cache
def _session_of_nobody() -> boto3.Session:
    """Return a session whose clients get keys of their own: a session takes longer to make than a client."""
    return boto3.Session(botocore_session=session_without_files())


def who_am_i(connection: Connection, keys: TemporaryCredentials, *, with_token: bool = True) -> str:
    """Return the principal that keys of the sandbox belong to, or the code of the refusal; reads only."""
    client = _session_of_nobody().client(
        "sts",
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        aws_session_token=keys.session_token if with_token else None,
        region_name=connection.region,
        endpoint_url=connection.endpoint_url,
        config=Config(proxies={}, retries={"total_max_attempts": 1}),
    )
    try:
        return str(client.get_caller_identity()["Arn"])
    except ClientError as error:
        return str(error.response["Error"]["Code"])
