"""A role's temporary credentials, and what their ids tell.

Source: https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from idc_helpers.aws.connected import Connection
from idc_helpers.aws.sign_in import newest_token
from idc_helpers.errors import CredentialsError, KitError

_ACCOUNT_BITS = 0x7FFFFFFFFF80


@dataclass(frozen=True)
class TemporaryCredentials:
    """Keys of a role's session.

    Attributes
    ----------
    access_key_id, secret_access_key, session_token
        Only all three together work.
    expires_at_s
        Seconds since 1970.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at_s: float


def account_of_key(access_key_id: str) -> str:
    """Return the account's id that an access key id carries; asks nobody.

    The form is seen in use and not documented; ``sts:GetAccessKeyInfo`` is AWS's own answer.
    """
    decoded = int.from_bytes(base64.b32decode(access_key_id[4:])[:6], "big")
    return f"{(decoded & _ACCOUNT_BITS) >> 7:012d}"


def get_role_credentials(
    connection: Connection, token_folder: Path, account_id: str, role_name: str
) -> TemporaryCredentials:
    """Return new credentials of a role, for the newest token of a login; reads the tokens.

    Raises
    ------
    CredentialsError
        When nobody is signed in any more.
    """
    found = newest_token(token_folder)
    remedy = "Sign in again, as in notebook 10."
    if found is None:
        raise CredentialsError(
            "there is no token of a login in the terminal", remedy="Sign in, as in notebook 10."
        )
    try:
        answer = connection.client("sso").get_role_credentials(
            accountId=account_id, roleName=role_name, accessToken=found[1]["accessToken"]
        )["roleCredentials"]
    except (ClientError, KitError) as error:
        raise CredentialsError(f"the access portal gives no credentials: {error}", remedy=remedy) from error
    return TemporaryCredentials(
        answer["accessKeyId"], answer["secretAccessKey"], answer["sessionToken"], answer["expiration"] / 1000
    )


def who_am_i(connection: Connection, keys: TemporaryCredentials, *, with_token: bool = True) -> str:
    """Return the principal that keys of the sandbox belong to, or the code of the refusal; reads only."""
    session = boto3.Session(
        keys.access_key_id, keys.secret_access_key, keys.session_token if with_token else None
    )
    client = session.client(
        "sts",
        region_name=connection.region,
        endpoint_url=connection.endpoint_url,
        config=Config(proxies={}, retries={"total_max_attempts": 1}),
    )
    try:
        return str(client.get_caller_identity()["Arn"])
    except ClientError as error:
        return str(error.response["Error"]["Code"])
