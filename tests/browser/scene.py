"""A sandbox with an organization, and people who come to its pages with a browser."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import boto3
import forked_sandboxes
import httpx
import pyotp
from patience import PATIENCE_S
from playwright.sync_api import Page, expect

from idc_sandbox import launcher
from idc_sandbox.loopback import ask, page_links
from idc_sandbox.state_folder import StateFolder

PASSWORD = "Practice-makes-1"
BOTH_TYPES = ["authenticator-apps", "security-keys-and-built-in-authenticators"]
DEFAULT_MFA = {
    "prompt": "context-aware",
    "allowed_types": BOTH_TYPES,
    "user_without_device": "require-registration",
    "users_manage_own_devices": True,
}


class Scene:
    """A sandbox process whose organization has enabled Identity Center."""

    def __init__(self, path: Path) -> None:
        self.folder = StateFolder(path)
        self.sandbox = forked_sandboxes.start(self.folder)
        self.control("PUT", "switches", {"asynchronous_duration_s": 0})
        self.console("POST", "instance", {})
        self.sso_admin, self.identity_store = self.client("sso-admin"), self.client("identitystore")
        self.instance = self.sso_admin.list_instances()["Instances"][0]
        self.accounts = [one["Id"] for one in self.client("organizations").list_accounts()["Accounts"]]
        self.permission_set_arn = self._make_permission_set()
        self._numbers = itertools.count(1)
        self.site = self.links()["site_url"]

    def links(self) -> dict[str, str]:
        """Return the pages' addresses; the owner's links work once."""
        links = page_links(self.sandbox)
        assert links is not None
        return links

    def stop(self) -> None:
        launcher.stop(self.folder)

    def client(self, service_name: str) -> Any:
        return boto3.client(
            service_name,
            region_name="us-east-1",
            endpoint_url=self.sandbox.endpoint_url,
            aws_access_key_id=self.sandbox.access_key_id,
            aws_secret_access_key=self.sandbox.secret_access_key,
        )

    def control(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        secret = self.sandbox.control_secret
        answer = ask(
            self.sandbox.port,
            method,
            f"/_sandbox/{path}",
            control_secret=secret,
            body=body,
            timeout_s=PATIENCE_S,
        )
        assert answer is not None, path
        assert "code" not in answer, answer
        return answer

    def console(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return self.control(method, f"console/{path}", body)

    def set_mfa(self, **values: Any) -> None:
        arn = self.instance["InstanceArn"]
        values = {**DEFAULT_MFA, **values, "instance_arn": arn}
        self.console("PUT", "settings/multi_factor_authentication", values)

    def set_email_otp(self, is_on: bool) -> None:
        values = {"send_email_otp": is_on, "instance_arn": self.instance["InstanceArn"]}
        self.console("PUT", "settings/standard_authentication", values)

    def add_user(self, *, is_assigned: bool = True) -> tuple[str, str]:
        """Return a new user's name and id."""
        name = f"person-{next(self._numbers)}"
        user_id = self.identity_store.create_user(
            IdentityStoreId=self.instance["IdentityStoreId"],
            UserName=name,
            DisplayName=f"Person {name[7:]}",
            Name={"GivenName": "Person", "FamilyName": name[7:]},
            Emails=[{"Value": f"{name}@example.com", "Type": "work", "Primary": True}],
        )["UserId"]
        if is_assigned:
            self.sso_admin.create_account_assignment(
                InstanceArn=self.instance["InstanceArn"],
                PermissionSetArn=self.permission_set_arn,
                TargetType="AWS_ACCOUNT",
                TargetId=self.accounts[1],
                PrincipalType="USER",
                PrincipalId=user_id,
            )
        return name, user_id

    def invite(self, user_id: str) -> str:
        """Return the address that the invitation leads to."""
        link = self.console("POST", f"users/{user_id}/invite", {})["message"]["link"]
        return f"{self.site}{link}"

    def mailed_code(self, user_name: str) -> str:
        """Return the six digits of the newest message to a user."""
        messages = self.console("GET", f"mailbox?address={user_name}@example.com")["messages"]
        return re.findall(r"\b\d{6}\b", messages[0]["text"])[0]

    def start_device_login(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Return what a program gets that waits for a person, and what it polls with."""
        oidc = self.client("sso-oidc")
        program = oidc.register_client(clientName="practice-cli", clientType="public")
        keys = {name: program[name] for name in ("clientId", "clientSecret")}
        portal = self.console("GET", f"settings?instance_arn={self.instance['InstanceArn']}")["access_portal"]
        waiting = oidc.start_device_authorization(**keys, startUrl=portal["url"])
        grant = "urn:ietf:params:oauth:grant-type:device_code"
        return waiting, {**keys, "grantType": grant, "deviceCode": waiting["deviceCode"]}

    def _make_permission_set(self) -> str:
        arn: str = self.sso_admin.create_permission_set(
            InstanceArn=self.instance["InstanceArn"],
            Name="ReadOnlyAccess",
            RelayState="https://eu-west-1.console.aws.amazon.com/s3/home",
        )["PermissionSet"]["PermissionSetArn"]
        return arn


class Visitor:
    """A person at a browser."""

    def __init__(self, page: Page, scene: Scene, complaints: list[str]) -> None:
        self.page = page
        self.scene = scene
        self.complaints = complaints
        self.secret = ""

    def sees(self, heading: str) -> None:
        """Wait for a page by its one heading."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def choose_password(self) -> None:
        self.page.get_by_label("New password", exact=True).fill(PASSWORD)
        self.page.get_by_label("New password, once more").fill(PASSWORD)
        self.press("Set the password")

    def accept_invitation(self, user_id: str) -> None:
        """Get a password without looking; the activation's own tests look."""
        address = self.scene.invite(user_id)
        with httpx.Client(trust_env=False) as browser:
            token = re.findall(r'name="csrf_token" value="(\w+)"', browser.get(address).text)[0]
            form = {"csrf_token": token, "new_password": PASSWORD, "confirm_password": PASSWORD}
            answer = browser.post(address, data=form)
        assert answer.headers["location"] == "/start/sign-in?notice=password-set"

    def give_password(self, user_name: str) -> None:
        self.page.goto(f"{self.scene.site}/start")
        self.sees("Sign in")
        self.page.get_by_label("User name").fill(user_name)
        self.press("Next")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Sign in")

    def register_app(self) -> None:
        """Register an authenticator app at the sign-in."""
        self.secret = self.page.locator("[data-value=totp_secret]").inner_text()
        self.page.get_by_label("Code from the app").fill(pyotp.TOTP(self.secret).now())
        self.press("Register the app")

    def add_authenticator(self, transport: str = "internal") -> Any:
        """Plug a security key in, or give the machine a built-in authenticator."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": transport,
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return session
