"""Security keys and passkeys, with a virtual authenticator in Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect


@pytest.mark.parametrize("transport", ["internal", "usb"])
def test_register_at_the_sign_in_and_sign_in_with_it(visitor, scene, mfa, transport):
    mfa(prompt="always-on")
    visitor.add_authenticator(transport)
    name, user_id = scene.add_user()
    visitor.accept_invitation(user_id)
    visitor.give_password(name)
    visitor.sees("Register an MFA device")
    section = visitor.page.get_by_role("region", name="Security key or passkey")
    section.get_by_label("Name of the device").fill("Key ring")
    visitor.press("Register a security key or passkey")
    visitor.sees("Access portal")
    visitor.press("Sign out")
    visitor.give_password(name)
    visitor.sees("Prove that it is you")
    visitor.press("Use a security key or passkey")
    visitor.sees("Access portal")
    devices = scene.console("GET", f"users/{user_id}/mfa-devices")["mfa_devices"]
    assert [(one["kind"], one["name"]) for one in devices] == [("webauthn", "Key ring")]
    assert devices[0]["last_used_at"] is not None


def test_a_script_that_comes_late_loses_no_press(visitor, scene, mfa):
    mfa(prompt="always-on")
    visitor.add_authenticator()
    name, user_id = scene.add_user()
    visitor.accept_invitation(user_id)
    held = []

    def hold(route):
        held.append(route)

    visitor.page.route("**/webauthn.js*", hold)
    visitor.give_password(name)
    button = visitor.page.get_by_role("button", name="Register a security key or passkey")
    expect(button).to_be_disabled()  # sent now, the form would be empty
    for route in held:
        route.continue_()
    visitor.press("Register a security key or passkey")
    visitor.sees("Access portal")


def test_a_second_device_under_my_devices_and_the_choice_between_them(visitor, scene, mfa):
    mfa(prompt="always-on")
    visitor.add_authenticator()
    name, user_id = scene.add_user()
    visitor.accept_invitation(user_id)
    visitor.give_password(name)
    visitor.register_app()
    page = visitor.page
    page.goto(f"{scene.site}/start/devices/register")
    visitor.press("Register a security key or passkey")
    expect(page.get_by_role("status")).to_contain_text("registered")
    page.goto(f"{scene.site}/start/devices/register")
    visitor.press("Register a security key or passkey")  # the same one again
    expect(page.get_by_role("alert")).to_contain_text("registered already")
    visitor.press("Sign out")
    visitor.give_password(name)
    visitor.sees("Prove that it is you")
    expect(page.get_by_role("region", name="Authenticator app")).to_be_visible()
    visitor.press("Use a security key or passkey")
    visitor.sees("Access portal")


def test_an_administrator_registers_a_key_for_a_user_at_the_console(visitor, scene, mfa):
    mfa(prompt="always-on")
    visitor.add_authenticator("usb")
    name, user_id = scene.add_user()
    visitor.page.goto(scene.links()["console_url"])
    visitor.page.goto(f"{scene.site}/start/practice-console/users/{user_id}/register-device")
    section = visitor.page.get_by_role("region", name="Security key")
    section.get_by_label("Name of the device").fill("Blue key")
    visitor.press("Register the security key")
    expect(visitor.page.get_by_role("status")).to_contain_text("Blue key is registered")
    visitor.accept_invitation(user_id)
    visitor.give_password(name)
    visitor.sees("Prove that it is you")
    visitor.press("Use a security key or passkey")
    visitor.sees("Access portal")


def test_a_key_that_is_taken_away_does_not_let_in(visitor, scene, mfa):
    mfa(prompt="always-on")
    session = visitor.add_authenticator()
    name, user_id = scene.add_user()
    visitor.accept_invitation(user_id)
    visitor.give_password(name)
    visitor.press("Register a security key or passkey")
    visitor.sees("Access portal")
    visitor.press("Sign out")
    visitor.give_password(name)
    visitor.sees("Prove that it is you")
    session.send("WebAuthn.disable")
    # Without an authenticator Chromium waits for one: what a person cancels ends like this.
    visitor.page.evaluate(
        "() => { navigator.credentials.get ="
        " async () => { throw new DOMException('', 'NotAllowedError'); }; }"
    )
    visitor.press("Use a security key or passkey")
    expect(visitor.page.get_by_role("alert")).to_contain_text("cancelled")
    visitor.page.goto(f"{scene.site}/start")
    visitor.sees("Prove that it is you")
