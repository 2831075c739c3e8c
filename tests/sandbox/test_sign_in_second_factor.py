"""What each MFA setting does to a sign-in."""

from __future__ import annotations

import pytest
from front_door_harness import ASK_KEY, NEW_APP, NEW_KEY, PASSWORD, SecurityKey

from idc_sandbox.sign_in import devices, flow, people

APPS, KEYS = "authenticator-apps", "security-keys-and-built-in-authenticators"


@pytest.fixture
def ana(door, machine_time):
    return door.add_person()


def add_key(door, user_id):
    key = SecurityKey()
    wanted = door.do(devices.registration_options, user_id)
    door.do(devices.finish_registration, user_id, key.create(wanted))
    return key


# --- a user without a device


def test_registration_is_required_and_ends_the_sign_in(door, ana, machine_time):
    import pyotp

    sign_in_id, following = door.enter_password()
    assert following.page == "register-device"
    assert door.do(flow.look, sign_in_id).device_kinds == ("totp", "webauthn")
    registration = door.do(NEW_APP, sign_in_id)
    assert door.do(NEW_APP, sign_in_id) == registration
    assert door.refused("register-totp", sign_in_id, code="x").code == "wrong-code"
    assert door.do(flow.look, sign_in_id).page == "register-device"
    code = pyotp.TOTP(registration.secret).at(machine_time.now)
    done = door.take("register-totp", sign_in_id, code=code)
    assert done.page == "signed-in"
    assert door.session(done.session_token).user_id == ana
    assert door.enter_password()[1].page == "mfa"


def test_a_key_can_be_registered_during_the_sign_in(door, ana):
    sign_in_id, _ = door.enter_password()
    wanted = door.do(NEW_KEY, sign_in_id)
    key = SecurityKey()
    elsewhere = key.create(wanted, origin="http://x")
    assert door.refused("register-webauthn", sign_in_id, credential=elsewhere).code == "device-not-verified"
    done = door.take("register-webauthn", sign_in_id, credential=key.create(wanted))
    assert done.page == "signed-in"


def test_a_code_by_mail_is_a_second_proof(door, ana):
    door.set_mfa(user_without_device="require-email-otp")
    sign_in_id, following = door.enter_password()
    assert following.page == "email-otp"
    assert door.do(people.list_messages)[0].kind == "email-otp"
    code = door.newest_code()
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    assert door.take("email-code", sign_in_id, code=wrong).message == flow.WRONG_CODE
    assert "Wait" in door.take("resend-email-code", sign_in_id).message
    assert door.take("email-code", sign_in_id, code=code).page == "signed-in"


def test_the_first_sign_ins_code_is_not_the_second_proof(door, machine_time):
    door.add_person(password=None)
    door.console("PUT", "settings/standard_authentication", send_email_otp=True)
    door.set_mfa(user_without_device="require-email-otp")
    sign_in_id = door.begin("ana")
    first = door.newest_code()
    assert door.take("one-time-password", sign_in_id, code=first).page == "new-password"
    following = door.take(
        "new-password", sign_in_id, new_password="Correct-horse-1", confirm_password="Correct-horse-1"
    )
    assert (following.page, following.message) == ("email-otp", flow.SENT)
    second = door.newest_code()
    assert door.do(people.list_messages)[0].kind == "email-otp", "without a wait"
    if first != second:
        assert door.take("email-code", sign_in_id, code=first).is_error
    assert door.take("email-code", sign_in_id, code=second).page == "signed-in"


def test_a_code_by_mail_needs_an_address(door, machine_time):
    from idc_sandbox.sign_in import passwords

    user_id = door.add_person("bea", password=None, email=False)
    door.do(passwords.set_password, user_id, "Correct-horse-1")
    door.set_mfa(user_without_device="require-email-otp")
    following = door.enter_password("bea")[1]
    assert following.page == "blocked"
    assert "e-mail address" in following.message


def test_a_user_without_a_device_can_be_blocked_or_allowed(door, ana):
    door.set_mfa(user_without_device="block")
    following = door.enter_password()[1]
    assert (following.page, following.session_token) == ("blocked", None)
    door.set_mfa(user_without_device="allow")
    assert door.enter_password()[1].page == "signed-in"


# --- prompt mode


@pytest.mark.parametrize("prompt", ["context-aware", "always-on"])
def test_a_registered_device_is_asked_for(door, ana, machine_time, prompt):
    app = door.register_app(ana)
    door.set_mfa(prompt=prompt, user_without_device="allow")
    sign_in_id, following = door.enter_password()
    assert following.page == "mfa"
    assert door.do(flow.look, sign_in_id).may_trust_browser is (prompt == "context-aware")
    machine_time.now += 30
    wrong = door.take("totp", sign_in_id, code="000000")
    assert (wrong.page, wrong.is_error, wrong.session_token) == ("mfa", True, None)
    done = door.finish_with_app(sign_in_id, app)
    assert done.page == "signed-in"


def test_a_replayed_code_is_refused_in_another_sign_in(door, ana, machine_time):
    app = door.register_app(ana)
    machine_time.now += 30
    assert door.finish_with_app(door.enter_password()[0], app).page == "signed-in"
    replayed = door.finish_with_app(door.enter_password()[0], app)
    assert (replayed.page, replayed.is_error) == ("mfa", True)


def test_never_asks_for_nothing_more(door, ana):
    door.register_app(ana)
    door.set_mfa(prompt="never")
    assert door.enter_password()[1].page == "signed-in"


def test_a_trusted_browser_is_not_asked_again_with_context_aware_alone(door, ana, machine_time):
    door.set_mfa(prompt="context-aware")
    app = door.register_app(ana)
    machine_time.now += 30
    done = door.finish_with_app(door.enter_password()[0], app, trust_browser="yes")
    trusted = [done.trusted_browser_token]
    assert door.enter_password(browser_tokens=["other", *trusted])[1].page == "signed-in"
    assert door.enter_password(browser_tokens=["other"])[1].page == "mfa"
    door.add_person("bea")
    assert door.enter_password("bea", browser_tokens=trusted)[1].page == "register-device"
    door.set_mfa(prompt="always-on")
    assert door.enter_password(browser_tokens=trusted)[1].page == "mfa"
    door.set_mfa(prompt="context-aware")
    door.advance(90 * 86_400 + 1)
    assert door.enter_password(browser_tokens=trusted)[1].page == "mfa"


def test_a_trusted_browser_passes_where_others_are_blocked(door, ana, machine_time):
    door.set_mfa(prompt="context-aware")
    app = door.register_app(ana)
    machine_time.now += 30
    done = door.finish_with_app(door.enter_password()[0], app, trust_browser="yes")
    from idc_sandbox.sign_in import devices

    door.do(devices.delete_device, ana, door.do(devices.list_devices, ana)[0].device_id)
    door.set_mfa(user_without_device="block")
    assert door.enter_password()[1].page == "blocked"
    assert door.enter_password(browser_tokens=[done.trusted_browser_token])[1].page == "signed-in"


def test_a_browser_is_not_trusted_for_a_password_alone(door, ana):
    door.set_mfa(prompt="context-aware", user_without_device="allow")
    done = door.take("password", door.begin("ana"), password=PASSWORD, trust_browser="yes")
    assert (done.page, done.trusted_browser_token) == ("signed-in", None)


def test_nobody_is_trusted_who_did_not_ask_or_where_it_means_nothing(door, ana, machine_time):
    door.set_mfa(prompt="context-aware")
    app = door.register_app(ana)
    machine_time.now += 30
    assert door.finish_with_app(door.enter_password()[0], app).trusted_browser_token is None
    door.set_mfa(prompt="always-on")
    machine_time.now += 30
    done = door.finish_with_app(door.enter_password()[0], app, trust_browser="yes")
    assert done.trusted_browser_token is None


# --- allowed types


def test_a_device_of_a_type_that_is_no_longer_allowed_does_not_count(door, ana, machine_time):
    app = door.register_app(ana)
    door.set_mfa(allowed_types=[KEYS])
    sign_in_id, following = door.enter_password()
    assert following.page == "register-device"
    assert door.do(flow.look, sign_in_id).device_kinds == ("webauthn",)
    refusal = door.refusal(NEW_APP, sign_in_id)
    assert refusal.code == "device-type-not-allowed"
    add_key(door, ana)
    sign_in_id, following = door.enter_password()
    assert following.page == "mfa"
    assert door.do(flow.look, sign_in_id).device_kinds == ("webauthn",)
    code = app.at(machine_time.now)
    assert door.refused("totp", sign_in_id, code=code).code == "device-type-not-allowed"


def test_who_has_both_chooses_and_a_key_signs_in(door, ana, machine_time):
    door.register_app(ana)
    key = add_key(door, ana)
    sign_in_id, _ = door.enter_password()
    view = door.do(flow.look, sign_in_id)
    assert view.device_kinds == ("totp", "webauthn")
    assert view.device_names == ("Authenticator app", "Security key")
    wanted = door.do(ASK_KEY, sign_in_id)
    wrong = door.take("webauthn", sign_in_id, credential=SecurityKey().get(wanted))
    assert (wrong.page, wrong.is_error) == ("mfa", True)
    wanted = door.do(ASK_KEY, sign_in_id)
    assert door.take("webauthn", sign_in_id, credential=key.get(wanted)).page == "signed-in"


def test_wrong_codes_slow_down_across_sign_ins(door, ana, machine_time):
    app = door.register_app(ana)
    machine_time.now += 30
    for _ in range(5):
        door.take("totp", door.enter_password()[0], code="000000")
    assert door.enter_password()[1].retry_after_s > 0
    door.advance(1.1)
    sign_in_id, following = door.enter_password()
    assert following.page == "mfa"
    assert door.finish_with_app(sign_in_id, app).page == "signed-in"
