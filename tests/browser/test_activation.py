"""From the invitation to the portal, as a person goes it."""

from __future__ import annotations

import boto3
from playwright.sync_api import expect
from scene import PASSWORD


def test_from_the_mailbox_to_the_portal_and_out_again(visitor, scene):
    name, user_id = scene.add_user()
    scene.invite(user_id)
    page = visitor.page
    page.goto(scene.links()["mailbox_url"])
    card = page.get_by_role("listitem").filter(has_text=f"{name}@example.com")
    card.get_by_role("link", name="Invitation to join the practice portal").click()
    page.get_by_role("link", name="Accept invitation").click()
    visitor.sees("Accept the invitation")
    visitor.choose_password()
    expect(page.get_by_role("status")).to_contain_text("Your password is set")
    visitor.give_password(name)
    visitor.sees("Register an MFA device")
    # The picture holds the same key as the text: what an app scans works.
    assert page.get_by_alt_text("QR code").get_attribute("src").startswith("data:image/svg+xml")
    visitor.register_app()
    visitor.sees("Access portal")
    card = page.locator(f"[data-account-id='{scene.accounts[1]}']")
    expect(card).to_contain_text("ReadOnlyAccess")
    page.get_by_role("link", name="My devices").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Authenticator app")
    page.get_by_role("button", name="Sign out").click()
    visitor.sees("Sign in")
    page.goto(f"{scene.site}/start")
    visitor.sees("Sign in")


def test_copied_access_keys_work(new_visitor, scene, mfa):
    mfa(user_without_device="allow")
    visitor = new_visitor(permissions=["clipboard-read", "clipboard-write"])
    name, user_id = scene.add_user()
    visitor.accept_invitation(user_id)
    visitor.give_password(name)
    page = visitor.page
    page.get_by_role("link", name="Access keys").click()
    visitor.sees("Access keys")
    copied = {}
    for what in ("the access key ID", "the secret access key", "the session token"):
        page.get_by_role("button", name=f"Copy {what}").click()
        expect(page.get_by_role("button", name=f"Copied {what}")).to_be_visible()
        copied[what] = page.evaluate("navigator.clipboard.readText()")
    sts = boto3.client(
        "sts",
        region_name="us-east-1",
        endpoint_url=scene.sandbox.endpoint_url,
        aws_access_key_id=copied["the access key ID"],
        aws_secret_access_key=copied["the secret access key"],
        aws_session_token=copied["the session token"],
    )
    assert sts.get_caller_identity()["Account"] == scene.accounts[1]
    assert f"/{name}" in sts.get_caller_identity()["Arn"]


def test_the_keyboard_is_enough_to_sign_in(visitor, scene, mfa):
    mfa(user_without_device="allow")
    name, user_id = scene.add_user()
    visitor.accept_invitation(user_id)
    page = visitor.page
    page.goto(f"{scene.site}/start")
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    visitor.sees("Enter your password")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("do not go together")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    visitor.sees("Access portal")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")


def test_the_console_link_shows_role_and_relay_state_and_stays_here(visitor, scene, mfa):
    mfa(user_without_device="allow")
    name, user_id = scene.add_user()
    visitor.accept_invitation(user_id)
    visitor.give_password(name)
    page = visitor.page
    page.get_by_role("link", name="Console").click()
    visitor.sees("Console")
    expect(page.locator("[data-value=account_id]")).to_have_text(scene.accounts[1])
    expect(page.locator("[data-value=landing]")).to_have_text(
        "https://eu-west-1.console.aws.amazon.com/s3/home"
    )
    addresses = page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)")
    assert all(address.startswith(f"{scene.site}/") for address in addresses)


def test_pages_show_in_a_frame_of_their_own_site(visitor, scene):
    page = visitor.page
    page.goto(f"{scene.site}/start/sign-in")
    page.evaluate(
        "() => { const frame = document.createElement('iframe'); frame.src = '/start'; frame.id = 'inside';"
        " document.body.append(frame); }"
    )
    inside = page.frame_locator("#inside")
    expect(inside.get_by_role("heading", level=1)).to_have_text("Sign in")
