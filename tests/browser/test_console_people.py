"""Users, groups and the practice phone in a browser: by keyboard, narrow, light and dark."""

from __future__ import annotations

from console_pages import look, press_on
from playwright.sync_api import expect


def test_a_group_and_a_user_by_keyboard_and_a_device_on_the_practice_phone(visitor, scene, mfa):
    mfa(prompt="always-on")
    page = visitor.page
    page.goto(scene.links()["console_url"])
    press_on(page, "link", "Groups")
    press_on(page, "link", "Create group")
    look(page)
    page.get_by_label("Group name").focus()
    page.keyboard.type("Keyboard team")
    press_on(page, "button", "Create group")
    expect(page.get_by_role("status")).to_contain_text("Keyboard team is created")
    look(page)
    press_on(page, "link", "Users")
    press_on(page, "link", "Add user")
    for label, text in (
        ("Username", "key.board"),
        ("Email address", "key@example.com"),
        ("Confirm email address", "key@example.com"),
        ("First name", "Key"),
        ("Last name", "Board"),
    ):
        page.get_by_label(label, exact=True).focus()
        page.keyboard.type(text)
    look(page)
    press_on(page, "button", "Next")
    page.get_by_label("Keyboard team").focus()
    page.keyboard.press("Space")
    look(page)
    press_on(page, "button", "Next")
    expect(page.locator("[data-value=groups]")).to_have_text("Keyboard team")
    look(page)
    press_on(page, "button", "Add user")
    expect(page.get_by_role("status")).to_contain_text("Key Board is added")
    look(page)
    press_on(page, "link", "key.board")
    here = page.url
    for tab in ("Groups (1)", "MFA devices (0)", "Active sessions (0)"):
        press_on(page, "link", tab)
        look(page)
    for tab in ("accounts", "applications"):
        page.goto(f"{here}?tab={tab}")
        look(page)
    for path in ("edit", "add-to-groups", "register-device"):
        page.goto(f"{here}/{path}")
        look(page)
    with page.expect_popup() as opened:
        press_on(page, "button", "Use the practice phone", opens_elsewhere=True)
    phone = opened.value
    expect(phone.get_by_role("heading", level=1)).to_have_text("Practice phone")
    look(phone)
    page.get_by_label("Authenticator code").fill(phone.locator("[data-value=code]").inner_text())
    press_on(page, "button", "Assign MFA")
    expect(page.get_by_role("status")).to_contain_text("is registered")
    look(page)
    page.get_by_text("Reset password", exact=True).first.click()
    page.get_by_label("Generate a one-time password").check()
    press_on(page, "button", "Reset password")
    look(page)
    press_on(page, "link", "View user details")
    page.get_by_text("Delete user", exact=True).first.click()
    press_on(page, "button", "Delete user")
    expect(page.get_by_role("status")).to_contain_text("Deleted: key.board")
    press_on(page, "link", "Groups")
    page.get_by_label("Keyboard team").check()
    press_on(page, "button", "Delete group")
    look(page)
    press_on(page, "button", "Delete group")
    expect(page.get_by_role("status")).to_contain_text("Deleted: Keyboard team")


def test_all_that_a_new_user_needs_is_copied_at_once(new_visitor, scene):
    visitor = new_visitor(permissions=["clipboard-read", "clipboard-write"])
    name, user_id = scene.add_user()
    page = visitor.page
    page.goto(scene.links()["console_url"])
    page.goto(f"{scene.site}/start/practice-console/users/{user_id}")
    page.get_by_text("Reset password").first.click()
    page.get_by_label("Generate a one-time password").check()
    visitor.press("Reset password")
    visitor.sees("One-time password")
    look(page)
    values = {
        key: page.locator(f"[data-value={key}]").inner_text() for key in ("portal_url", "one_time_password")
    }
    visitor.press("Copy all three lines for the user")
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").splitlines() == [
        f"AWS access portal URL: {values['portal_url']}",
        f"Username: {name}",
        f"One-time password: {values['one_time_password']}",
    ]
