"""The practice phone: it holds what a browser or the owner gave it, shows codes, and is no way around MFA."""

from __future__ import annotations

import re

import pyotp
import pytest

from idc_sandbox.pages.front_door import COOKIE_LIFETIME_S
from idc_sandbox.sign_in import devices

CLOSED = 403


@pytest.fixture
def at_qr_code(place):
    """Return a browser at the page that shows the QR code, and its key."""
    place.set_mfa(prompt="always-on")
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in()
    return visitor, visitor.value("totp_secret")


def path_of(place, name="phone_url"):
    return place.links()[name].partition("8723")[2]


def use_phone(visitor, secret):
    return visitor.send("/start/phone", secret=secret)


def test_a_code_of_the_phone_registers_the_device_and_signs_in(place, at_qr_code, monkeypatch):
    visitor, secret = at_qr_code
    use_phone(visitor, secret)
    assert (visitor.heading, "is on this phone" in visitor.message) == ("Practice phone", True)
    assert secret not in visitor.page.text
    assert secret not in str(visitor.page.url)
    assert "ana" in visitor.page.text
    code = visitor.value("code")
    visitor.open("/start")
    visitor.send("/register-totp", code=code)
    assert visitor.heading != "Register an MFA device"
    monkeypatch.setattr(devices.time, "time", lambda now=devices.time.time: now() + 30)
    visitor.send("/start/sign-out")
    visitor.sign_in()
    assert visitor.heading == "Prove that it is you"
    visitor.open("/start/phone")
    code = visitor.value("code")
    visitor.open("/start")
    visitor.send("/totp", code=code)
    assert visitor.page.url.path == "/start"


def test_codes_load_again_by_themselves_until_that_is_stopped(at_qr_code):
    visitor, secret = at_qr_code
    use_phone(visitor, secret)
    seconds, url = visitor.page.headers["refresh"].split("; url=")
    assert 1 < int(seconds) <= 31
    assert url == "/start/phone"
    assert "refresh" not in visitor.open("/start/phone?refresh=off").headers


def test_nobody_else_sees_a_browsers_keys(place, at_qr_code):
    visitor, secret = at_qr_code
    use_phone(visitor, secret)
    other = place.visitor()
    assert other.open("/start/phone").status_code == CLOSED
    assert "idc sandbox pages" in other.message
    # The password is not enough: who signs in with it elsewhere is asked for a code, and has no phone.
    visitor.open("/start")
    visitor.register_app()
    other.sign_in()
    assert other.heading == "Prove that it is you"
    assert other.open("/start/phone").status_code == CLOSED
    # A phone of one's own opens no other keys; the cookie of another browser opens nothing.
    place.portal.add_user("berta")
    cookies = {cookie.name: cookie.value for cookie in visitor.client.cookies.jar}
    other.client.cookies.set("idc_phone", cookies["idc_phone"])
    assert other.open("/start/phone").status_code == CLOSED


def test_a_phone_of_ones_own_holds_only_ones_own_keys(place, at_qr_code):
    visitor, secret = at_qr_code
    use_phone(visitor, secret)
    user_id = place.portal.add_user("berta")
    berta = place.visitor()
    berta.choose_password(place.invite(user_id))
    berta.sign_in(user_name="berta")
    use_phone(berta, berta.value("totp_secret"))
    assert "berta" in berta.page.text
    assert "ana" not in berta.page.text
    key_id = re.findall(r'data-key-id="([^"]+)"', visitor.open("/start/phone").text)[0]
    assert "not on the phone" in send_to(berta, f"/start/phone/{key_id}/remove").text
    assert place.portal.do(devices.list_keys, None)[0].secret == secret


def send_to(visitor, address, **fields):
    """Send a form to an address that the page does not name."""
    data = {"csrf_token": visitor.csrf_token(), **fields}
    visitor.page = visitor.client.post(address, data=data)
    return visitor.page


def test_the_owner_sees_all_keys_by_a_link_that_works_once(place, at_qr_code):
    visitor, secret = at_qr_code
    use_phone(visitor, secret)
    link, owner, other = path_of(place), place.visitor(), place.visitor()
    owner.open(link)
    assert owner.value("code") in {pyotp.TOTP(secret).now(), visitor.value("code")}
    assert other.open(link).status_code == CLOSED
    for name in ("mailbox_url", "console_url"):
        key = path_of(place, name).partition("?")[2]
        assert other.open(f"/start/phone?{key}").status_code == CLOSED


def test_the_owners_phone_takes_a_typed_key_and_removes_it(place, at_qr_code):
    _, secret = at_qr_code
    owner = place.visitor()
    owner.open(path_of(place))
    spaced = " ".join(re.findall(".{4}", secret.lower()))
    owner.send("/start/phone", secret=spaced)
    owner.send("/start/phone", secret=secret)
    assert owner.page.text.count("data-key-id") == 1
    key_id = re.findall(r'data-key-id="([^"]+)"', owner.page.text)[0]
    owner.send(f"/start/phone/{key_id}/remove")
    assert "removed" in owner.message
    assert place.portal.do(devices.list_keys, None) == []


def test_the_keys_of_a_user_who_is_deleted_go_with_the_user(place, at_qr_code):
    visitor, secret = at_qr_code
    use_phone(visitor, secret)
    store_id = place.portal.instance["IdentityStoreId"]
    place.portal.identity_store.delete_user(IdentityStoreId=store_id, UserId=place.portal.user_id)
    assert place.portal.do(devices.list_keys, None) == []
    assert "data-key-id" not in visitor.open("/start/phone").text


@pytest.mark.parametrize("secret", ["", "JBSWY3DPEHPK3PXP", "x" * 300, "é"])
def test_only_a_key_that_a_registration_waits_for_gets_in(place, at_qr_code, secret):
    visitor, _ = at_qr_code
    answer = use_phone(visitor, secret)
    assert answer.status_code == 400
    assert "No sign-in waits" in visitor.message
    assert visitor.open("/start/phone").status_code == CLOSED
    assert place.portal.do(devices.list_keys, None) == []


def test_a_key_gets_in_only_by_a_form_of_this_browser(place, at_qr_code):
    visitor, secret = at_qr_code
    for data in ({"secret": secret}, {"secret": secret, "csrf_token": "0" * 64}):
        assert visitor.client.post("/start/phone", data=data).status_code == CLOSED
    assert place.visitor().client.get(f"/start/phone?secret={secret}").status_code == CLOSED
    assert place.portal.do(devices.list_keys, None) == []


def test_a_registration_that_is_over_gives_no_key(place, at_qr_code):
    visitor, secret = at_qr_code
    place.clients.advance_clock(devices.CHALLENGE_LIFETIME_S + 1)
    assert use_phone(visitor, secret).status_code == 400


def test_a_key_is_on_a_few_phones_at_most(place, at_qr_code, monkeypatch):
    visitor, secret = at_qr_code
    monkeypatch.setattr(devices, "MOST_PHONES", 1)
    use_phone(visitor, secret)
    visitor.send("/start/phone", secret=secret)  # once more in the same browser: it is there
    assert visitor.page.text.count("data-key-id") == 1
    owner = place.visitor()
    owner.open(path_of(place))
    assert "on 1 phones already" in owner.send("/start/phone", secret=secret).text


def test_a_planted_cookie_of_another_persons_phone_gets_no_key(place, at_qr_code):
    """Another program on this machine may plant its own browser's cookies, with a phone that it can read."""
    planter, secret = at_qr_code
    use_phone(planter, secret)
    user_id = place.portal.add_user("berta")
    berta = place.visitor()
    for name in ("idc_browser", "idc_phone"):
        cookie = next(one for one in planter.client.cookies.jar if one.name == name)
        berta.client.cookies.set(name, cookie.value, domain=cookie.domain, path=cookie.path)
    berta.choose_password(place.invite(user_id))
    berta.sign_in(user_name="berta")
    berta_phone = use_phone(berta, berta.value("totp_secret"))
    assert "berta" in berta_phone.text
    assert "berta" not in planter.open("/start/phone").text


def test_two_keys_of_one_browser_are_shown_together(place, at_qr_code):
    visitor, secret = at_qr_code
    use_phone(visitor, secret)
    visitor.open("/start")
    visitor.register_app()
    visitor.open("/start/devices/register")
    use_phone(visitor, visitor.value("totp_secret"))
    assert visitor.page.text.count("data-key-id") == 2


def test_the_cookie_of_a_phone_is_as_hidden_as_the_mailboxs(at_qr_code):
    visitor, secret = at_qr_code
    visitor.send("/start/phone", follow=False, secret=secret)
    set_cookie = visitor.page.headers["set-cookie"].lower()
    for word in ("idc_phone=", "httponly", "samesite=lax", f"max-age={COOKIE_LIFETIME_S}"):
        assert word in set_cookie
