"""Take the pictures of the web pages for the documentation, in Chromium, on a sandbox of their own.

Run it after the pages have changed, with the test extra installed and a `chromium` on the path:

    .venv/bin/python tools/take_pictures.py             # into docs/pictures/
    .venv/bin/python tools/take_pictures.py /tmp/look   # elsewhere, every page, light, dark and as on a phone
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import boto3
import pyotp
from playwright.sync_api import Browser, Page, sync_playwright

from idc_sandbox import launcher
from idc_sandbox.loopback import RunningSandbox, ask, page_links
from idc_sandbox.state_folder import StateFolder

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
PASSWORD = "Practice-makes-1"  # noqa: S105  of a practice user in a sandbox that is gone afterwards
DOCUMENTED = ("portal", "sign-in", "access-keys", "mfa", "practice-accounts")


def main(arguments: list[str]) -> None:
    """Take the pictures."""
    root = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as name:
        folder = StateFolder(Path(name) / "state")
        sandbox = launcher.start(folder, port=0, seed=7)
        try:
            invitation = set_up(sandbox)
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
                if arguments:
                    walk(chromium, sandbox, invitation, Photographer(Path(arguments[0]), every_page=True))
                else:
                    walk(chromium, sandbox, invitation, Photographer(root / "docs/pictures"))
                chromium.close()
        finally:
            launcher.stop(folder)


class Photographer:
    """Saves pages as pictures."""

    def __init__(self, folder: Path, *, every_page: bool = False) -> None:
        self.folder = folder
        self.every_page = every_page
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, page: Page, name: str) -> None:
        """Save what the page shows; when every page is wanted, also dark and on a phone."""
        if not self.every_page and name not in DOCUMENTED:
            return
        is_whole = self.every_page or name != "access-keys"  # its keys are long, and alike
        page.set_viewport_size({"width": 1000, "height": 640 if is_whole else 1000})
        page.wait_for_load_state("networkidle")  # the logo may come late
        page.screenshot(path=self.folder / f"{name}.png", full_page=is_whole, animations="disabled")
        if self.every_page:
            page.emulate_media(color_scheme="dark")
            page.screenshot(path=self.folder / f"{name}-dark.png", full_page=True)
            page.emulate_media(color_scheme="light")
            page.set_viewport_size({"width": 360, "height": 720})
            page.screenshot(path=self.folder / f"{name}-phone.png", full_page=True)
            page.set_viewport_size({"width": 1000, "height": 640})


def set_up(sandbox: RunningSandbox) -> str:
    """Make an instance with a user who has roles in two accounts, and return the link of the invitation."""
    console(sandbox, "POST", "instance", {"name": "practice"})
    sso_admin, store = client(sandbox, "sso-admin"), client(sandbox, "identitystore")
    instance = sso_admin.list_instances()["Instances"][0]
    user_id = store.create_user(
        IdentityStoreId=instance["IdentityStoreId"],
        UserName="ana",
        DisplayName="Ana Lopez",
        Name={"GivenName": "Ana", "FamilyName": "Lopez"},
        Emails=[{"Value": "ana@example.com", "Type": "work", "Primary": True}],
    )["UserId"]
    accounts = [one["Id"] for one in client(sandbox, "organizations").list_accounts()["Accounts"]][1:3]
    for name, description in (("ReadOnlyAccess", "Look at everything"), ("DeveloperAccess", "Build and run")):
        arn = sso_admin.create_permission_set(
            InstanceArn=instance["InstanceArn"],
            Name=name,
            Description=description,
            RelayState="https://eu-west-1.console.aws.amazon.com/s3/home",
        )["PermissionSet"]["PermissionSetArn"]
        for account_id in accounts if name == "ReadOnlyAccess" else accounts[:1]:
            sso_admin.create_account_assignment(
                InstanceArn=instance["InstanceArn"],
                PermissionSetArn=arn,
                TargetType="AWS_ACCOUNT",
                TargetId=account_id,
                PrincipalType="USER",
                PrincipalId=user_id,
            )
    link: str = console(sandbox, "POST", f"users/{user_id}/invite", {})["message"]["link"]
    return link


def walk(browser: Browser, sandbox: RunningSandbox, invitation: str, photographer: Photographer) -> None:
    """Go the way of a person, and take a picture of each page."""
    links = page_links(sandbox) or {}
    site = links["site_url"]
    page = browser.new_page(
        viewport={"width": 1000, "height": 640}, device_scale_factor=1, color_scheme="light"
    )
    page.goto(links["mailbox_url"])
    photographer.take(page, "mailbox")
    page.get_by_role("link", name="Invitation").click()
    photographer.take(page, "message")
    page.goto(f"{site}{invitation}")
    photographer.take(page, "invitation")
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("once more").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    photographer.take(page, "sign-in")
    page.get_by_label("User name").fill("ana")
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    photographer.take(page, "password")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    photographer.take(page, "mfa")
    secret = page.locator("[data-value=totp_secret]").inner_text()
    page.get_by_label("Code from the app").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Register the app").click()
    photographer.take(page, "portal")
    signed_in_pages(page, sandbox, photographer)
    page.goto(links["console_url"])
    photographer.take(page, "practice-console")
    page.goto(f"{site}/start/practice-console/accounts")
    photographer.take(page, "practice-accounts")
    page.goto(f"{site}/start/practice-console/settings/authentication")
    photographer.take(page, "settings")


def signed_in_pages(page: Page, sandbox: RunningSandbox, photographer: Photographer) -> None:
    """Take the pages that a person sees after signing in."""
    portal = page.url
    page.get_by_role("link", name="Access keys").first.click()
    photographer.take(page, "access-keys")
    page.goto(portal)
    page.get_by_role("link", name="Console").first.click()
    photographer.take(page, "console")
    page.get_by_role("link", name="My devices").click()
    photographer.take(page, "devices")
    oidc = client(sandbox, "sso-oidc")
    program = oidc.register_client(clientName="practice-cli", clientType="public")
    keys = {name: program[name] for name in ("clientId", "clientSecret")}
    start_url = console(sandbox, "GET", f"settings?instance_arn={instance_arn(sandbox)}")["access_portal"][
        "url"
    ]
    waiting = oidc.start_device_authorization(**keys, startUrl=start_url)
    page.goto(waiting["verificationUriComplete"])
    photographer.take(page, "device")
    page.get_by_role("button", name="Yes").click()
    photographer.take(page, "consent")


def instance_arn(sandbox: RunningSandbox) -> str:
    """Return the ARN of the organization's instance."""
    return str(client(sandbox, "sso-admin").list_instances()["Instances"][0]["InstanceArn"])


def client(sandbox: RunningSandbox, service_name: str) -> Any:
    """Return a boto3 client of the sandbox's administrator."""
    return boto3.client(
        service_name,
        region_name=sandbox.region,
        endpoint_url=sandbox.endpoint_url,
        aws_access_key_id=sandbox.access_key_id,
        aws_secret_access_key=sandbox.secret_access_key,
    )


def console(
    sandbox: RunningSandbox, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Do what only the console can."""
    place, secret = f"/_sandbox/console/{path}", sandbox.control_secret
    # A busy machine may take its time.
    answer = ask(sandbox.port, method, place, control_secret=secret, body=body, timeout_s=60)
    if answer is None or "code" in answer:
        raise RuntimeError(f"{method} {path}: {answer}")
    return answer


if __name__ == "__main__":
    main(sys.argv[1:])
