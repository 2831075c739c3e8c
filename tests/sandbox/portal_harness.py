"""A whole sandbox with a person who has roles, and a client that acts for the person; no pages between."""

from __future__ import annotations

import base64
import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox_clients import GatewayClient

from idc_sandbox.api.oidc import authorizations
from idc_sandbox.sign_in import people
from idc_sandbox.sign_in.people import person_of

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
SCOPES = ["sso:account:access"]
REDIRECT_URI = "http://127.0.0.1:45123/oauth/callback"
# What a program registers with that asks through the browser
BROWSER = {"grantTypes": ["authorization_code", "refresh_token"], "redirectUris": [REDIRECT_URI]}
VERIFIER = "a-verifier-of-at-least-forty-three-characters-123"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


class Portal:
    """The organization's instance with the user ``ana``, and boto3's clients of the front door."""

    def __init__(self, folder: Path) -> None:
        self.clients = GatewayClient(folder)
        self.clients.switches(asynchronous_duration_s=0.0)
        self.settings = self.clients.console("POST", "instance")
        self.start_url = self.settings["access_portal"]["url"]
        self.sso_admin = self.clients.client("sso-admin")
        self.identity_store = self.clients.client("identitystore")
        self.instance = self.sso_admin.list_instances()["Instances"][0]
        self.user_id = self.add_user("ana")

    # Each client takes ten milliseconds to make, and many tests need none of these.

    @cached_property
    def accounts(self) -> dict[str, str]:
        """The ids of the organization's accounts by their names."""
        return self.clients.member_account_ids()

    @cached_property
    def oidc(self) -> Any:
        """What a program calls to get a token."""
        return self.clients.client("sso-oidc")

    @cached_property
    def portal(self) -> Any:
        """What a program calls with its token."""
        return self.clients.client("sso")

    def add_user(self, user_name: str) -> str:
        return self.identity_store.create_user(
            IdentityStoreId=self.instance["IdentityStoreId"],
            UserName=user_name,
            DisplayName=user_name,
            Name={"GivenName": user_name, "FamilyName": "Test"},
            Emails=[{"Value": f"{user_name}@example.com"}],
        )["UserId"]

    def add_group(self, name: str, *user_ids: str) -> str:
        store_id = self.instance["IdentityStoreId"]
        group_id = self.identity_store.create_group(IdentityStoreId=store_id, DisplayName=name)["GroupId"]
        for user_id in user_ids:
            self.add_member(group_id, user_id)
        return group_id

    def add_member(self, group_id: str, user_id: str) -> str:
        return self.identity_store.create_group_membership(
            IdentityStoreId=self.instance["IdentityStoreId"], GroupId=group_id, MemberId={"UserId": user_id}
        )["MembershipId"]

    def remove_member(self, membership_id: str) -> None:
        self.identity_store.delete_group_membership(
            IdentityStoreId=self.instance["IdentityStoreId"], MembershipId=membership_id
        )

    def add_permission_set(self, name: str, policy_name: str | None = None, **options: Any) -> str:
        arn = self.sso_admin.create_permission_set(
            InstanceArn=self.instance["InstanceArn"], Name=name, **options
        )["PermissionSet"]["PermissionSetArn"]
        if policy_name:
            self.sso_admin.attach_managed_policy_to_permission_set(
                InstanceArn=self.instance["InstanceArn"],
                PermissionSetArn=arn,
                ManagedPolicyArn=f"arn:aws:iam::aws:policy/{policy_name}",
            )
        return arn

    def assignment(self, permission_set_arn: str, account_id: str, **principal: str) -> dict[str, str]:
        return {
            "InstanceArn": self.instance["InstanceArn"],
            "PermissionSetArn": permission_set_arn,
            "TargetType": "AWS_ACCOUNT",
            "TargetId": account_id,
            **({"PrincipalType": "USER", "PrincipalId": self.user_id} | principal),
        }

    def assign(self, permission_set_arn: str, account_id: str, **principal: str) -> None:
        self.sso_admin.create_account_assignment(
            **self.assignment(permission_set_arn, account_id, **principal)
        )

    def unassign(self, permission_set_arn: str, account_id: str, **principal: str) -> None:
        self.sso_admin.delete_account_assignment(
            **self.assignment(permission_set_arn, account_id, **principal)
        )

    def do(self, function: Any, *arguments: Any, **options: Any) -> Any:
        """Call a function of the domain as the pages do."""
        with self.clients.gateway.visit() as context:
            return function(context, *arguments, **options)

    def sign_in(self, user_id: str | None = None) -> str:
        """Return the id of a new portal session."""
        person = self.do(person_of, user_id or self.user_id)
        token = self.do(people.create_session, person)
        return self.do(people.find_session, token).session_id

    def register(self, **options: Any) -> dict[str, str]:
        """Register a client, and return what it names itself with."""
        answer = self.oidc.register_client(
            **({"clientName": "tests", "clientType": "public", "scopes": SCOPES} | options)
        )
        return {"clientId": answer["clientId"], "clientSecret": answer["clientSecret"]}

    def start(self, client: dict[str, str]) -> dict[str, Any]:
        return self.oidc.start_device_authorization(**client, startUrl=self.start_url)

    def poll(self, client: dict[str, str], device_code: str) -> dict[str, Any]:
        return self.oidc.create_token(**client, grantType=DEVICE_CODE, deviceCode=device_code)

    def log_in(self, session_id: str | None = None, **registration: Any) -> dict[str, Any]:
        """Return tokens by the device code grant, and the client under ``client``."""
        client = self.register(**registration)
        started = self.start(client)
        session_id = session_id or self.sign_in()
        self.do(authorizations.approve_device, started["userCode"], session_id)
        return {**self.poll(client, started["deviceCode"]), "client": client, "session_id": session_id}

    def refresh(self, tokens: dict[str, Any]) -> dict[str, Any]:
        answer = self.oidc.create_token(
            **tokens["client"], grantType="refresh_token", refreshToken=tokens["refreshToken"]
        )
        return {**tokens, **answer}

    def code(self, client: dict[str, str], *, session_id: str | None = None, **changes: str) -> str:
        """Return a code as the consent page gives it."""
        parameters = self.authorize_parameters(client["clientId"]) | changes
        request = self.do(authorizations.check_authorize, parameters)
        url = self.do(authorizations.approve_authorize, request, session_id or self.sign_in())
        return parse_qs(urlsplit(url).query)["code"][0]

    def authorize_parameters(self, client_id: str) -> dict[str, str]:
        return {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": REDIRECT_URI,
            "state": "a state",
            "code_challenge_method": "S256",
            "code_challenge": CHALLENGE,
            "scopes": " ".join(SCOPES),
        }

    def role_credentials(self, access_token: str, account_id: str, role_name: str) -> dict[str, str]:
        """Return boto3's keyword arguments for a role."""
        answer = self.portal.get_role_credentials(
            accessToken=access_token, accountId=account_id, roleName=role_name
        )["roleCredentials"]
        return {
            "aws_access_key_id": answer["accessKeyId"],
            "aws_secret_access_key": answer["secretAccessKey"],
            "aws_session_token": answer["sessionToken"],
        }
