"""Every MFA setting's effect on who signs in."""

from __future__ import annotations

import time

import pyotp
import pytest
from playwright.sync_api import expect
from scene import PASSWORD


@pytest.mark.parametrize(
    ("settings", "heading"),
    [
        ({"prompt": "never"}, "Access portal"),
        ({"prompt": "context-aware"}, "Register an MFA device"),
        ({"prompt": "always-on"}, "Register an MFA device"),
        ({"prompt": "always-on", "user_without_device": "block"}, "You cannot sign in"),
        ({"prompt": "always-on", "user_without_device": "allow"}, "Access portal"),
        ({"user_without_device": "require-email-otp"}, "Enter the code from your mail"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
def test_what_a_user_without_a_device_meets(visitor, scene, mfa, settings, heading):
    name, user_id = scene.add_user()
    visitor.accept_invitation(user_id)
    mfa(**settings)
    visitor.give_password(name)
    visitor.sees(heading)
    if heading == "Enter the code from your mail":
        visitor.page.get_by_label("Code from the newest message").fill(scene.mailed_code(name))
        visitor.press("Continue")
        visitor.sees("Access portal")
    if heading == "You cannot sign in":
        expect(visitor.page.get_by_role("alert")).to_contain_text("Ask your administrator")
        visitor.press("Start again")
        visitor.sees("Sign in")


@pytest.mark.parametrize(
    ("allowed", "shown", "hidden"),
    [
        ("authenticator-apps", "Authenticator app", "Security key or passkey"),
        ("security-keys-and-built-in-authenticators", "Security key or passkey", "Authenticator app"),
    ],
)
def test_only_allowed_types_are_offered(visitor, scene, mfa, allowed, shown, hidden):
    name, user_id = scene.add_user()
    visitor.accept_invitation(user_id)
    mfa(allowed_types=[allowed])
    visitor.give_password(name)
    visitor.sees("Register an MFA device")
    expect(visitor.page.get_by_role("region", name=shown)).to_be_visible()
    expect(visitor.page.get_by_role("region", name=hidden)).to_have_count(0)


def test_always_on_asks_every_time_and_context_aware_only_in_browsers_that_are_unknown(
    new_visitor, scene, mfa
):
    mfa(prompt="always-on")
    known, unknown = new_visitor(), new_visitor()
    name, user_id = scene.add_user()
    known.accept_invitation(user_id)
    known.give_password(name)
    expect(known.page.get_by_label("This is a trusted device")).to_have_count(0)
    known.register_app()
    known.sees("Access portal")
    known.press("Sign out")
    mfa(prompt="context-aware")
    known.give_password(name)
    known.sees("Prove that it is you")
    known.page.get_by_label("This is a trusted device").check()
    known.page.get_by_label("Code from the app").fill(next_code(known.secret))
    known.press("Sign in with the code")
    known.sees("Access portal")
    known.press("Sign out")
    known.give_password(name)
    known.sees("Access portal")
    unknown.give_password(name)
    unknown.sees("Prove that it is you")
    known.press("Sign out")
    mfa(prompt="always-on")
    known.give_password(name)
    known.sees("Prove that it is you")


def next_code(secret: str) -> str:
    """Return the code of the next half minute: one step early is taken, and this step's is used up."""
    return pyotp.TOTP(secret).at(int(time.time()) + 30)


def test_own_devices_are_the_administrators_where_settings_say_so(visitor, scene, mfa):
    name, user_id = scene.add_user()
    visitor.accept_invitation(user_id)
    mfa(user_without_device="allow", users_manage_own_devices=False)
    visitor.give_password(name)
    page = visitor.page
    page.get_by_role("link", name="My devices").click()
    expect(page.get_by_role("status")).to_contain_text("Your administrator manages")
    expect(page.get_by_role("link", name="Register a device")).to_have_count(0)
    mfa(user_without_device="allow")
    page.reload()
    page.get_by_role("link", name="Register a device").click()
    visitor.sees("Register an MFA device")


def test_a_user_made_by_an_api_gets_a_mailed_code_at_the_first_sign_in(visitor, scene, mfa):
    mfa(user_without_device="allow")
    scene.set_email_otp(True)
    try:
        name, _ = scene.add_user()
        page = visitor.page
        page.goto(f"{scene.site}/start")
        page.get_by_label("User name").fill(name)
        visitor.press("Next")
        visitor.sees("Enter the code from your mail")
        page.get_by_label("Code from the newest message").fill(scene.mailed_code(name))
        visitor.press("Continue")
        visitor.sees("Choose a new password")
        page.get_by_label("New password", exact=True).fill("too simple")
        page.get_by_label("New password, once more").fill("too simple")
        visitor.press("Set the password")
        expect(page.get_by_role("alert")).to_contain_text("uppercase")
        page.get_by_label("New password", exact=True).fill(PASSWORD)
        page.get_by_label("New password, once more").fill(PASSWORD)
        visitor.press("Set the password")
        visitor.sees("Access portal")
    finally:
        scene.set_email_otp(False)


def test_the_settings_page_changes_them_and_they_hold_at_once(new_visitor, scene, mfa):
    administrator, person = new_visitor(), new_visitor()
    name, user_id = scene.add_user()
    person.accept_invitation(user_id)
    page = administrator.page
    configure = "/start/practice-console/settings/authentication/mfa"
    page.goto(scene.links()["console_url"].replace("/start/practice-console?", f"{configure}?"))
    administrator.sees("Configure multi-factor authentication")
    assert "key=" not in page.url
    # While users must register a device, they may manage theirs: that box is ticked and locked.
    own = page.get_by_role("checkbox", name="Users can add and manage their own MFA devices")
    expect(own).to_be_checked()
    expect(own).to_be_disabled()
    page.get_by_label("Block their sign-in").check()
    expect(own).to_be_enabled()
    administrator.press("Save changes")
    expect(page.get_by_role("status")).to_contain_text("MFA settings are updated")
    person.give_password(name)
    person.sees("You cannot sign in")
    page.goto(f"{scene.site}{configure}")
    page.get_by_label("Never (disabled)").check()
    administrator.press("Save changes")
    expect(page.locator("[data-value=prompt]")).to_have_text("Never (disabled)")
    person.press("Start again")
    person.give_password(name)
    person.sees("Access portal")
    page.goto(f"{scene.site}{configure}")
    page.get_by_label("Every time they sign in").check()
    for box in ("Security keys and built-in authenticators", "Authenticator apps"):
        page.get_by_label(box).uncheck()
    administrator.press("Save changes")
    expect(page.get_by_role("alert")).to_contain_text("at least one")
    # What Chromium itself says of a form that was refused.
    assert [text for text in administrator.complaints if "status of 400" not in text] == []
    administrator.complaints.clear()
