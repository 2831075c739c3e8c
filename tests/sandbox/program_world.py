"""A world in which a person has signed in, with a good request for each operation of people's programs.

Nobody's signature decides these: a token, a code, a proof of a key or a policy of the thing's own does.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from application_center import CUSTOM
from botocore.config import Config
from botocore.tokens import FrozenAuthToken
from login_client import REDIRECT_URI, SAME_DEVICE, DpopKey, add_iam_user, encoded
from login_client import VERIFIER as LOGIN_VERIFIER
from operation_world import Call, World
from portal_harness import DEVICE_CODE, SCOPES, VERIFIER

from idc_sandbox.api.oidc import authorizations
from idc_sandbox.api.signin import logins

RUNTIME_SCOPES = ("account_access:read_only", "account_access:assume")
APPLICATIONS_URI = "https://reports.example.com/callback"


class BearerToken:
    """What botocore asks for a token."""

    def __init__(self, token: str) -> None:
        self.token = token

    def load_token(self, **_options: Any) -> BearerToken:
        return self

    def get_frozen_token(self) -> FrozenAuthToken:
        return FrozenAuthToken(self.token)


class ProgramWorld(World):
    """The person ``ana`` has roles, entitlements and programs with tokens; ``maria`` allows `aws login`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        session = self.sign_in()
        for account in list(self.accounts.values())[-3:]:
            self.assign(self.sets[2], account)
        self.program = self.register()
        self.token = self.log_in(session)["accessToken"]
        self.runtime_token = self.log_in(session, scopes=list(RUNTIME_SCOPES))["accessToken"]
        self.device_code = self._approved(session)
        self.application = self._own_application()
        self.applications_code = self._code_for_application(session)
        self.login_code = self._login()
        access = self.clients.client("account-access")
        self.tenant_id = access.get_application(applicationArn=self.access)["tenantId"]
        self.go_on_from_here()

    def client_of(self, service: str, credentials: dict[str, str] | None = None, **options: Any) -> Any:
        """Return a client; of the runtime with its bearer token, of `aws login` with a proof of its key."""
        if credentials or options or service not in ("account-access-runtime", "signin"):
            return super().client_of(service, credentials, **options)
        return self._runtime if service == "account-access-runtime" else self._signin

    @cached_property
    def _runtime(self) -> Any:
        session = boto3.Session(region_name="us-east-1")
        session._session.register_component("token_provider", BearerToken(self.runtime_token))
        config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
        url = self.clients.endpoint_url.replace("http:", "https:")
        client = session.client("account-access-runtime", endpoint_url=url, config=config)
        client.meta.events.register("before-send.*", self.clients._answer)
        return client

    @cached_property
    def _signin(self) -> Any:
        client = self.clients.client("signin", config={"parameter_validation": False})
        client.meta.events.register("before-call.signin.CreateOAuth2Token", self._prove)
        return client

    def _prove(self, params: dict[str, Any], **_event: Any) -> None:
        params["headers"] |= self.headers_of("signin")

    def headers_of(self, service: str) -> dict[str, str]:
        """Return what lets a program in beside what is in its request."""
        if service == "account-access-runtime":
            return {"authorization": f"Bearer {self.runtime_token}"}
        return {"dpop": self._key.proof()} if service == "signin" else {}

    def _approved(self, session: str) -> str:
        started = self.start(self.program)
        self.do(authorizations.approve_device, started["userCode"], session)
        return str(started["deviceCode"])

    def _own_application(self) -> str:
        """Make an application that `ana` may use and the administrator's key may act as."""
        arn = self.sso_admin.create_application(
            InstanceArn=self.arn, ApplicationProviderArn=CUSTOM, Name="Reports"
        )["ApplicationArn"]
        named = {"ApplicationArn": arn}
        self.sso_admin.create_application_assignment(**named, PrincipalId=self.user_id, PrincipalType="USER")
        self.sso_admin.put_application_grant(
            **named,
            GrantType="authorization_code",
            Grant={"AuthorizationCode": {"RedirectUris": [APPLICATIONS_URI]}},
        )
        statement = {
            "Effect": "Allow",
            "Principal": {
                "AWS": f"arn:aws:iam::{self.clients.management_account_id}:user/sandbox-administrator"
            },
            "Action": "sso-oauth:CreateTokenWithIAM",
            "Resource": "*",
        }
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self.sso_admin.put_application_authentication_method(
            **named, AuthenticationMethodType="IAM", AuthenticationMethod={"Iam": {"ActorPolicy": policy}}
        )
        return str(arn)

    def _code_for_application(self, session: str) -> str:
        asked = self.authorize_parameters(self.application) | {"redirect_uri": APPLICATIONS_URI}
        asked.pop("scopes")
        url = self.do(
            authorizations.approve_authorize, self.do(authorizations.check_authorize, asked), session
        )
        return parse_qs(urlsplit(url).query)["code"][0]

    def _login(self) -> str:
        """Let an IAM user allow an `aws login`, as its page does."""
        self._key = DpopKey()
        add_iam_user(self)
        asked = logins.check_login(
            {
                "client_id": SAME_DEVICE,
                "redirect_uri": REDIRECT_URI,
                "state": "a state",
                "code_challenge": challenge_of(LOGIN_VERIFIER),
                "code_challenge_method": "SHA-256",
                "response_type": "code",
            }
        )
        maria = logins.LoginPrincipal(self.clients.management_account_id, "maria")
        return str(self.do(logins.approve_login, asked, maria))


def challenge_of(verifier: str) -> str:
    """Return what a code is asked for with."""
    return encoded(hashlib.sha256(verifier.encode()).digest())


def program_requests(world: ProgramWorld) -> dict[Call, dict[str, Any]]:
    """Return a request for each operation of people and programs that succeeds in a world as it was made."""
    token = {"accessToken": world.token}
    role = {"accountId": world.account, "roleName": "set-0"}
    runtime = {"tenantId": world.tenant_id}
    return {
        ("sso", "GetRoleCredentials"): token | role,
        ("sso", "ListAccounts"): token,
        ("sso", "ListAccountRoles"): token | {"accountId": world.account},
        ("sso", "Logout"): token,
        ("sso-oidc", "RegisterClient"): {"clientName": "tests", "clientType": "public", "scopes": SCOPES},
        ("sso-oidc", "StartDeviceAuthorization"): world.program | {"startUrl": world.start_url},
        ("sso-oidc", "CreateToken"): world.program
        | {"grantType": DEVICE_CODE, "deviceCode": world.device_code},
        ("sso-oidc", "CreateTokenWithIAM"): {
            "clientId": world.application,
            "grantType": "authorization_code",
            "code": world.applications_code,
            "codeVerifier": VERIFIER,
            "redirectUri": APPLICATIONS_URI,
        },
        ("account-access-runtime", "ListRoles"): runtime,
        ("account-access-runtime", "GetRoleCredentials"): runtime
        | {"roleArn": world.roles[0], "accessType": "PROGRAMMATIC_ACCESS"},
        ("signin", "CreateOAuth2Token"): {
            "tokenInput": {
                "clientId": SAME_DEVICE,
                "grantType": "authorization_code",
                "code": world.login_code,
                "codeVerifier": LOGIN_VERIFIER,
                "redirectUri": REDIRECT_URI,
            }
        },
    }
