"""AWS accounts, Dashboard, Applications and Enable in a browser: by keyboard, narrow, light and dark."""

from __future__ import annotations

import pytest
from console_pages import look, press_on
from playwright.sync_api import expect
from scene import Scene


@pytest.fixture
def group_id(scene):
    store_id = scene.instance["IdentityStoreId"]
    made = scene.identity_store.create_group(IdentityStoreId=store_id, DisplayName="Walkers by keyboard")
    yield made["GroupId"]
    scene.identity_store.delete_group(IdentityStoreId=store_id, GroupId=made["GroupId"])


def test_a_group_gets_access_by_keyboard_and_loses_it_again(visitor, scene, group_id):
    page = visitor.page
    page.goto(scene.links()["console_url"])
    look(page)
    press_on(page, "link", "AWS accounts")
    look(page)
    page.locator(f"#account-{scene.accounts[0]}").focus()
    page.keyboard.press("Space")
    press_on(page, "button", "Assign users or groups")
    look(page)
    press_on(page, "button", "Groups")
    page.get_by_label("Walkers by keyboard").focus()
    page.keyboard.press("Space")
    look(page)
    page.get_by_label("Find groups").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")  # searches, and does not go on
    expect(page.locator("[data-value=selected]")).to_have_text("1")
    press_on(page, "button", "Next")
    box = page.get_by_role("checkbox").first
    box.focus()
    page.keyboard.press("Space")
    look(page)
    press_on(page, "button", "Next")
    look(page)
    scene.control("PUT", "switches", {"asynchronous_duration_s": 3})
    try:
        press_on(page, "button", "Submit")
        expect(page.get_by_role("status")).to_contain_text("being configured")
        # No script looks again: the page does by itself.
        expect(page.get_by_role("status")).to_contain_text("The accounts are configured", timeout=60_000)
    finally:
        scene.control("PUT", "switches", {"asynchronous_duration_s": 0})
    look(page)
    page.goto(f"{scene.site}/start/practice-console/accounts/{scene.accounts[0]}")
    look(page)
    page.get_by_label("Walkers by keyboard").focus()
    page.keyboard.press("Space")
    press_on(page, "button", "Remove access")
    look(page)
    press_on(page, "button", "Remove access")
    expect(page.locator("[data-value=status]")).to_have_text(["Removed"])
    for path in ("?tab=permission-sets", "/change?principals=GROUP:a"):
        page.goto(f"{scene.site}/start/practice-console/accounts/{scene.accounts[0]}{path}")
        look(page)
    page.goto(f"{scene.site}/start/practice-console/applications")
    look(page)
    page.goto(f"{scene.site}/start/practice-console/delete")
    look(page)


def test_enable_in_a_browser(new_visitor, tmp_path):
    made = Scene(tmp_path / "state")
    try:
        made.sso_admin.delete_instance(InstanceArn=made.instance["InstanceArn"])
        page = new_visitor().page
        page.goto(made.links()["console_url"])
        look(page)
        press_on(page, "button", "Enable")
        expect(page.get_by_role("status")).to_contain_text("IAM Identity Center is enabled")
        expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    finally:
        made.stop()
