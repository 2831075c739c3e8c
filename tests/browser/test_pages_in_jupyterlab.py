"""The sandbox's pages inside JupyterLab, as behind a JupyterHub: a notebook beside them ticks each step."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from kit_lab import TOKEN, KitLab
from lab_desk import open_page_of_lab
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect
from scene import PASSWORD, Scene

OUTPUT = ".jp-OutputArea-output"
BESIDE = ".jp-MainAreaWidget.jp-ServerProxy"
BASE_URL = "/user/ana/"
NOTEBOOK = "notebooks/09_activate_user.ipynb"
PICTURES = Path(__file__).parents[2] / "runs" / "pictures"


class Desk:
    """A person's JupyterLab page, with a sandbox that knows ``mary.major``."""

    def __init__(self, lab: KitLab, scene: Scene, page: Page, complaints: list[str]) -> None:
        self.lab, self.scene, self.page, self.complaints = lab, scene, page, complaints

    @property
    def pages(self) -> FrameLocator:
        return self.page.frame_locator(f"{BESIDE}:not(.lm-mod-hidden) iframe")

    @property
    def panel(self) -> Locator:
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def command(self, name: str, **arguments: object) -> None:
        self.page.evaluate(
            "([name, given]) => { void window.jupyterapp.commands.execute(name, given); }", [name, arguments]
        )

    def run_all(self) -> None:
        """Run all cells to the end: a notebook that still runs scrolls, and a click on its link is lost."""
        self.page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => null)")

    def sees(self, heading: str) -> None:
        expect(self.pages.get_by_role("heading", level=1)).to_have_text(heading)

    def press(self, name: str) -> None:
        self.pages.get_by_role("button", name=name, exact=True).click()

    def output(self, text: str) -> Locator:
        return self.panel.locator(OUTPUT).filter(has_text=text).last


@pytest.fixture(scope="module")
def desk(tmp_path_factory, chromium: Browser) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("hub")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        scene = Scene(folder / "state")
        name_mary(scene)
        lab = KitLab(folder, BASE_URL)
        context = chromium.new_context(viewport={"width": 1500, "height": 950})
        page, complaints = context.new_page(), []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        open_page_of_lab(page, lab.url("lab"))
        yield Desk(lab, scene, page, complaints)
        context.close()
        lab.stop()
        scene.stop()


def name_mary(scene: Scene) -> None:
    """Add the user that the notebook names, with a permission set in an account."""
    user_id = scene.identity_store.create_user(
        IdentityStoreId=scene.instance["IdentityStoreId"],
        UserName="mary.major",
        DisplayName="Mary Major",
        Name={"GivenName": "Mary", "FamilyName": "Major"},
        Emails=[{"Value": "mary.major@example.com", "Type": "work", "Primary": True}],
    )["UserId"]
    scene.sso_admin.create_account_assignment(
        InstanceArn=scene.instance["InstanceArn"],
        PermissionSetArn=scene.permission_set_arn,
        TargetType="AWS_ACCOUNT",
        TargetId=scene.accounts[1],
        PrincipalType="USER",
        PrincipalId=user_id,
    )


@pytest.fixture(scope="module")
def activated(desk: Desk) -> Desk:
    """Go the whole way of notebook 09 as a person does: links of the notebook, pages beside it."""
    open_notebook(desk)
    desk.run_all()
    expect(desk.output("is on the way")).to_be_visible()
    ticks = desk.panel.locator(OUTPUT).filter(has_text="✔ invited").first
    expect(ticks).to_contain_text("… password set")
    mailbox = desk.panel.get_by_role("link", name="Open the mailbox")
    assert (mailbox.get_attribute("href") or "").startswith(
        f"{BASE_URL}identity-center-sandbox/start/mailbox"
    )
    mailbox.click()
    desk.sees("Mailbox")
    desk.pages.get_by_role("link", name=re.compile("Invitation")).click()
    desk.pages.get_by_role("link", name="Accept invitation").click()
    desk.pages.get_by_label("New password", exact=True).fill(PASSWORD)
    desk.pages.get_by_label("New password, once more").fill(PASSWORD)
    desk.press("Set the password")
    expect(ticks).to_contain_text("✔ password set")
    expect(ticks).to_contain_text("… signed in")
    sign_in(desk)
    expect(ticks).to_contain_text("✔ MFA device registered · ✔ signed in")
    return desk


def open_notebook(desk: Desk) -> None:
    desk.page.evaluate(
        """path => window.jupyterapp.commands.execute("docmanager:open", {path, factory: "Notebook"})
            .then(widget => widget.revealed).then(() => null)""",
        NOTEBOOK,
    )
    expect(desk.panel.locator("h1").first).to_contain_text("09")
    expect(desk.page.locator("#jp-main-statusbar")).to_contain_text("Idle")


def sign_in(desk: Desk) -> None:
    desk.pages.get_by_label("User name").fill("mary.major")
    desk.press("Next")
    desk.pages.get_by_label("Password").fill(PASSWORD)
    desk.press("Sign in")
    secret = desk.pages.locator("[data-value=totp_secret]").inner_text()
    desk.pages.get_by_label("Code from the app").fill(pyotp.TOTP(secret).now())
    desk.press("Register the app")
    desk.sees("Access portal")


def test_the_portal_is_beside_the_notebook_in_one_tab(activated):
    notebook, pages = activated.panel.bounding_box(), activated.page.locator(BESIDE).bounding_box()
    assert notebook["x"] + notebook["width"] <= pages["x"]
    expect(activated.pages.get_by_text("ReadOnlyAccess").first).to_be_visible()
    activated.panel.get_by_role("link", name="Open the access portal").click()
    activated.sees("Access portal")
    expect(activated.page.locator(".jp-ServerProxy iframe")).to_have_count(1)
    PICTURES.mkdir(parents=True, exist_ok=True)
    activated.page.screenshot(path=PICTURES / "pages-in-jupyterlab.png")


def test_the_check_passes_then_and_the_saved_notebook_opens_nothing(activated):
    path = activated.lab.kit / NOTEBOOK
    before = path.stat().st_mtime_ns
    activated.run_all()
    expect(activated.output("4 of 4 passed")).to_be_visible()
    activated.page.evaluate("window.jupyterapp.commands.execute('docmanager:save').then(() => null)")
    assert path.stat().st_mtime_ns > before
    saved = path.read_text("utf-8")
    assert "identity-center-sandbox/start" in saved
    assert "key=" not in saved
    assert TOKEN not in saved
    assert PASSWORD not in saved


def test_a_security_key_is_bound_to_the_host_that_the_person_sees(activated):
    session = activated.page.context.new_cdp_session(activated.page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
    }
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    activated.pages.get_by_role("link", name="My devices").click()
    activated.pages.get_by_role("link", name=re.compile("Register")).click()
    activated.pages.get_by_role("button", name=re.compile("security key", re.IGNORECASE)).click()
    activated.sees("My MFA devices")
    expect(activated.pages.get_by_role("status")).to_contain_text("registered")


def test_who_came_with_a_role_is_the_administrator_again_by_a_button(activated):
    activated.pages.get_by_role("link", name="Accounts").click()
    activated.pages.get_by_role("link", name=re.compile("Console")).first.click()
    activated.press("Open IAM Identity Center, as this role")
    activated.sees("This page cannot be shown")
    activated.press("Work as the administrator again")
    activated.sees("Dashboard")


@pytest.mark.parametrize(
    ("tile", "path", "heading"),
    [
        ("Mailbox", "mailbox", "Mailbox"),
        ("Practice phone", "phone", "Practice phone"),
        ("Practice console", "practice-console", "Dashboard"),
    ],
)
def test_the_launcher_opens_pages_in_tabs_of_their_own(activated, tile, path, heading):
    activated.command("launcher:create")
    activated.page.locator(".jp-LauncherCard").filter(has_text=tile).last.click()
    page = activated.page.frame_locator(f".jp-ServerProxy iframe[src$='/start/{path}']")
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def test_a_setting_is_changed_there_for_forms_come_through(activated):
    page = activated.page.frame_locator(".jp-ServerProxy iframe[src$='/start/practice-console']")
    page.get_by_role("navigation", name="Identity Center").get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Authentication", exact=True).click()
    page.get_by_role("link", name="Configure standard authentication").click()
    page.get_by_label(re.compile("OTP")).check()
    page.get_by_role("button", name=re.compile("^Save")).first.click()
    expect(page.get_by_role("status").first).to_contain_text("saved")
    arn = activated.scene.instance["InstanceArn"]
    settings = activated.scene.console("GET", f"settings?instance_arn={arn}")
    assert settings["standard_authentication"] == {"send_email_otp": True}


def test_lab_at_its_address_works_too_and_says_that_security_keys_do_not(activated, chromium):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(
        f"{activated.lab.url('identity-center-sandbox/start')}?token={TOKEN}".replace(
            "localhost", "127.0.0.1"
        )
    )
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert page.url.startswith(
        f"http://127.0.0.1:{activated.lab.port}{BASE_URL}identity-center-sandbox/start/sign-in"
    )
    context.close()


def test_who_is_not_signed_in_at_lab_gets_no_page(activated, chromium):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(activated.lab.url("identity-center-sandbox/start/mailbox"))
    assert f"{BASE_URL}login" in page.url
    expect(page.get_by_text("mary.major")).to_have_count(0)
    context.close()


def test_lab_shows_no_news_and_nothing_broke(activated):
    expect(activated.page.locator(".Toastify__toast")).to_have_count(0)
    assert activated.complaints == []
    assert json.dumps(activated.lab.ask("GET", "api/sessions")).count("09_activate_user") >= 1
