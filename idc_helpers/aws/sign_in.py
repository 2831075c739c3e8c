"""The login of `aws sso login` in boto3, with a device code, for machines without AWS CLI v2.

Sources: https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_StartDeviceAuthorization.html,
https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html
"""

from __future__ import annotations

import datetime
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from idc_helpers.aws.connected import Connection
from idc_helpers.aws.profiles import SCOPE, SsoProfile
from idc_helpers.errors import AccessDeniedError, CredentialsError, KitError

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_CLIENT_NAME = "identity-center-runbooks"
_SLOW_DOWN_S = 5


@dataclass(frozen=True)
class DeviceLogin:
    """A login that waits for a person.

    Attributes
    ----------
    user_code, verification_uri, verification_uri_complete
        What the person compares, and where.
    device_code, client
        What the token is asked for with; secrets.
    expires_in_s, interval_s
        How long the code is good, and how long to wait between two questions.
    """

    user_code: str
    verification_uri: str
    verification_uri_complete: str
    device_code: str = field(repr=False)
    client: dict[str, Any] = field(repr=False)
    expires_in_s: int
    interval_s: int


def begin_login(connection: Connection, start_url: str) -> DeviceLogin:
    """Register a client, ask for a device code and return both; nobody is signed in yet.

    Raises
    ------
    CredentialsError
        When the start URL is refused.
    """
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
        verification_uri=started["verificationUri"],
        verification_uri_complete=started["verificationUriComplete"],
        device_code=started["deviceCode"],
        client=names | {"expires_at": client["clientSecretExpiresAt"]},
        expires_in_s=started["expiresIn"],
        interval_s=started.get("interval") or 5,
    )


def finish_login(
    connection: Connection, login: DeviceLogin, *, sleep: Callable[[float], None] = time.sleep
) -> dict[str, Any]:
    """Wait until the person has answered and return CreateToken's answer, which holds secrets.

    Raises
    ------
    CredentialsError
        When the person denied it, or the code expired.
    """
    interval_s = float(login.interval_s)
    names = {name: login.client[name] for name in ("clientId", "clientSecret")}
    deadline = time.monotonic() + login.expires_in_s
    while time.monotonic() < deadline:
        refusal = _ask_for_token(connection, names, login.device_code)
        if not isinstance(refusal, str):
            return refusal
        interval_s += _SLOW_DOWN_S if refusal == "SlowDownException" else 0
        sleep(interval_s)
    raise CredentialsError("the code expired before anybody answered", remedy="Start the login again.")


def _ask_for_token(connection: Connection, names: dict[str, Any], device_code: str) -> dict[str, Any] | str:
    """Return CreateToken's answer, or the code of a refusal that asks for patience."""
    try:
        answer: dict[str, Any] = connection.client("sso-oidc").create_token(
            **names, grantType=_GRANT, deviceCode=device_code
        )
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
    return answer


def save_token(folder: Path, profile: SsoProfile, login: DeviceLogin, token: dict[str, Any]) -> Path:
    """Keep a token where the AWS CLI and boto3 look for it, for its owner only; return the file. Writes.

    Parameters
    ----------
    folder
        ``.aws/sso/cache`` below the HOME that is meant.
    """
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
    found = ((path, json.loads(path.read_text("utf-8"))) for path in paths)
    return next(((path, values) for path, values in found if values.get("accessToken")), None)


def refresh_token(connection: Connection, folder: Path) -> Path:
    """Get a new token for the newest login of a folder by its refresh token, and keep it. Writes.

    That is what the AWS CLI and boto3 do by themselves when a token is about to end: nobody signs in for it.

    Raises
    ------
    CredentialsError
        When the session is over, or nobody is signed in.
    """
    found = newest_token(folder)
    remedy = "Sign in again, as in notebook 10."
    if found is None or not found[1].get("refreshToken"):
        raise CredentialsError("there is no login in the terminal that can be continued", remedy=remedy)
    path, values = found
    names = {name: values[name] for name in ("clientId", "clientSecret", "refreshToken")}
    try:
        token = connection.client("sso-oidc").create_token(**names, grantType="refresh_token")
    except (ClientError, KitError) as error:
        raise CredentialsError(f"the session in the terminal is over: {error}", remedy=remedy) from error
    new = {name: token[name] for name in ("accessToken", "refreshToken") if token.get(name)}
    return _write_private(path, values | new | {"expiresAt": _utc(time.time() + token["expiresIn"])})


def _write_private(path: Path, values: dict[str, Any]) -> Path:
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    new.touch(mode=0o600)
    new.write_text(json.dumps(values), "utf-8")
    return new.replace(path)


def log_out(connection: Connection, folder: Path) -> int:
    """End the sessions of the tokens in a folder, delete them, and return how many there were. Writes."""
    count = 0
    for path in sorted(folder.glob("*.json")):
        try:
            token = json.loads(path.read_text("utf-8")).get("accessToken")
        except ValueError:
            token = None
        if token:
            with suppress(ClientError, KitError):  # one that had ended already, or is not of this sandbox
                connection.client("sso").logout(accessToken=token)
            count += 1
            path.unlink()
    return count


def _utc(epoch_s: float) -> str:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
