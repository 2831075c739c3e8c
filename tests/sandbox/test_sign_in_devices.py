"""MFA devices: codes that are good once, keys that sign where they were registered, and how many may be."""

from __future__ import annotations

import hashlib
import json

import cbor2
import pyotp
import pytest
from front_door_harness import ORIGIN, RELYING_PARTY_ID, SecurityKey
from webauthn.helpers import bytes_to_base64url

from idc_sandbox.errors import ServiceError
from idc_sandbox.sign_in import devices


@pytest.fixture
def ana(door, machine_time):
    return door.add_person()


def register_key(door, user_id, key=None, **options):
    key = key or SecurityKey()
    wanted = door.do(devices.registration_options, user_id)
    return key, door.do(devices.finish_registration, user_id, key.create(wanted), **options)


def verify_key(door, user_id, key, **options):
    wanted = door.do(devices.authentication_options, user_id)
    return door.do(devices.verify_answer, user_id, key.get(wanted, **options))


# --- authenticator apps


def test_an_app_is_registered_by_its_uri_and_a_first_code(door, ana, machine_time):
    registration = door.do(devices.pending_registration, ana)
    app = pyotp.parse_uri(registration.uri)
    assert (app.secret, app.name) == (registration.secret, "ana")
    assert door.do(devices.pending_registration, ana) == registration, "a page can be loaded again"
    device = door.do(devices.finish_app_registration, ana, app.at(machine_time.now), " My phone ")
    assert (device.kind, device.name, device.last_used_at) == ("totp", "My phone", None)
    assert door.do(devices.list_devices, ana) == [device]
    assert door.refusal(devices.finish_app_registration, ana, "123456").code == "registration-expired"


def test_a_wrong_first_code_registers_nothing_and_may_be_corrected(door, ana, machine_time):
    app = pyotp.TOTP(door.do(devices.pending_registration, ana).secret)
    wrong = f"{(int(app.at(machine_time.now)) + 1) % 1_000_000:06d}"
    for code in (
        wrong,
        "",
        "12345",
        "1234567",
        "١٢٣٤٥٦",
        "abcdef",
        "x" * 100_000,
        app.at(machine_time.now - 90),
    ):
        assert door.refusal(devices.finish_app_registration, ana, code).code == "wrong-code"
    assert door.do(devices.list_devices, ana) == []
    door.do(
        devices.finish_app_registration, ana, f"{app.at(machine_time.now)[:3]} {app.at(machine_time.now)[3:]}"
    )


def test_a_code_is_good_once_also_the_one_that_registered(door, ana, machine_time):
    app = door.register_app(ana)
    assert not door.do(devices.verify_code, ana, app.at(machine_time.now))
    machine_time.now += 30
    code = app.at(machine_time.now)
    assert door.do(devices.verify_code, ana, code)
    assert not door.do(devices.verify_code, ana, code)
    machine_time.now += 30
    assert not door.do(devices.verify_code, ana, code), "an older code, still within the grace"
    assert door.do(devices.verify_code, ana, app.at(machine_time.now))


@pytest.mark.parametrize(("steps", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_phone_may_be_one_step_off(door, ana, machine_time, steps, is_taken):
    app = door.register_app(ana)
    machine_time.now += 300
    assert door.do(devices.verify_code, ana, app.at(machine_time.now + 30 * steps)) is is_taken


def test_codes_go_by_the_machines_time_not_by_the_clock_that_lessons_move(door, ana, machine_time):
    app = door.register_app(ana)
    door.advance(9 * 3600)
    machine_time.now += 30
    assert door.do(devices.verify_code, ana, app.at(machine_time.now))


def test_one_persons_code_is_not_anothers(door, ana, machine_time):
    app = door.register_app(ana)
    bea = door.add_person("bea")
    door.register_app(bea)
    machine_time.now += 60
    assert not door.do(devices.verify_code, bea, app.at(machine_time.now))


def test_a_third_app_is_refused_until_one_is_deleted(door, ana):
    door.register_app(ana)
    door.register_app(ana)
    refusal = door.refusal(devices.pending_registration, ana)
    assert refusal.code == "too-many-devices"
    assert "Delete one" in refusal.message
    names = [device.name for device in door.do(devices.list_devices, ana, "totp")]
    assert names == ["Authenticator app", "Authenticator app 2"]
    door.do(devices.delete_device, ana, door.do(devices.list_devices, ana)[0].device_id)
    door.register_app(ana)


def test_two_registrations_at_once_do_not_make_a_third_app(door, ana, machine_time):
    door.register_app(ana)
    app = pyotp.TOTP(door.do(devices.pending_registration, ana).secret)
    with door.context() as context:
        devices.add_device(context, ana, "totp", "meanwhile", totp_secret="A" * 32, totp_last_step=0)
    assert (
        door.refusal(devices.finish_app_registration, ana, app.at(machine_time.now)).code
        == "too-many-devices"
    )


def test_a_registration_expires(door, ana, machine_time):
    app = pyotp.TOTP(door.do(devices.pending_registration, ana).secret)
    door.advance(10 * 60 + 1)
    code = app.at(machine_time.now)
    assert door.refusal(devices.finish_app_registration, ana, code).code == "registration-expired"


# --- security keys


def test_a_key_registers_and_signs_in(door, ana):
    key, device = register_key(door, ana)
    assert (device.kind, device.name) == ("webauthn", "Security key")
    assert verify_key(door, ana, key)
    assert door.do(devices.list_devices, ana)[0].last_used_at is not None


def test_the_options_name_place_and_person_and_leave_out_known_keys(door, ana):
    key, _ = register_key(door, ana)
    wanted = json.loads(door.do(devices.registration_options, ana))
    assert wanted["rp"]["id"] == RELYING_PARTY_ID
    assert wanted["user"]["name"] == "ana"
    (excluded,) = wanted["excludeCredentials"]
    assert excluded["id"] == json.loads(key.create(json.dumps(wanted)))["id"]


@pytest.mark.parametrize("counts", [True, False])
def test_an_answer_counts_once(door, ana, counts):
    key, _ = register_key(door, ana, SecurityKey(counts=counts))
    wanted = door.do(devices.authentication_options, ana)
    answer = key.get(wanted)
    assert door.do(devices.verify_answer, ana, answer)
    assert not door.do(devices.verify_answer, ana, answer)


def test_an_answer_from_another_page_key_or_copy_is_refused(door, ana):
    key, _ = register_key(door, ana)
    assert not verify_key(door, ana, key, origin="http://localhost.evil.example:8723")
    assert not verify_key(door, ana, SecurityKey())
    assert verify_key(door, ana, key)
    key.count -= 1  # a copy of the key does not know how often the other was used
    assert not verify_key(door, ana, key)
    bea = door.add_person("bea")
    register_key(door, bea)
    assert not verify_key(door, bea, key)


@pytest.mark.parametrize(
    "answer", ["", "{}", "[]", "null", '{"id": "x"}', "x" * 100_000, '{"id": 1, "rawId": []}']
)
def test_nonsense_is_refused_without_harm(door, ana, answer):
    key, _ = register_key(door, ana)
    door.do(devices.authentication_options, ana)
    assert not door.do(devices.verify_answer, ana, answer)
    door.do(devices.registration_options, ana)
    refusal = door.refusal(devices.finish_registration, ana, answer)
    assert refusal.code == "device-not-verified"
    assert verify_key(door, ana, key)


@pytest.mark.parametrize("key", ["", [], b"", {1: 2, 3: -7}, {1: 3, 3: 1}, 5])
@pytest.mark.parametrize("form", ["none", "packed", 7])
def test_a_registration_whose_key_is_none_is_refused(door, ana, key, form):
    wanted = door.do(devices.registration_options, ana)
    answer = json.loads(SecurityKey().create(wanted))
    place = hashlib.sha256(RELYING_PARTY_ID.encode()).digest()
    data = place + b"\x45" + bytes(20) + b"\x00\x10" + b"x" * 16 + cbor2.dumps(key)
    kept = cbor2.dumps({"fmt": form, "attStmt": {}, "authData": data})
    answer["response"]["attestationObject"] = bytes_to_base64url(kept)
    refusal = door.refusal(devices.finish_registration, ana, json.dumps(answer))
    assert refusal.code == "device-not-verified"


def test_a_key_registered_on_another_page_is_refused(door, ana):
    wanted = door.do(devices.registration_options, ana)
    answer = SecurityKey().create(wanted, origin="http://evil.example")
    assert door.refusal(devices.finish_registration, ana, answer).code == "device-not-verified"


def test_the_console_and_the_user_register_a_key_each_and_void_no_other(door, ana):
    own, path = door.do(devices.registration_options, ana), f"users/{ana}/mfa-devices"
    at_console = door.console("POST", f"{path}/start-key")["options"]
    key, code = SecurityKey(), pyotp.TOTP(door.console("POST", f"{path}/start")["secret"]).now()
    for route, proof in (
        ("register", {"credential": key.create(at_console)}),
        ("register-key", {"code": code}),
    ):
        with pytest.raises(
            ServiceError
        ):  # each route, which has a permission of its own, takes its own proof
            door.console("POST", f"{path}/{route}", **proof)
    assert (
        door.refusal(devices.finish_registration, ana, key.create(at_console)).code == "device-not-verified"
    )
    door.console("POST", f"{path}/register-key", credential=key.create(at_console), name="Blue key")
    door.do(devices.finish_registration, ana, SecurityKey().create(own), "Mine")
    assert {one.name for one in door.do(devices.list_devices, ana)} == {"Blue key", "Mine"}


def test_keys_work_only_at_the_address_where_they_were_registered(door, ana):
    register_key(door, ana)
    door.site_url = "https://lab.example.org/user/ana/proxy"
    refusal = door.refusal(devices.authentication_options, ana)
    assert refusal.code == "device-of-other-address"


def test_a_key_of_another_address_signs_in_there_and_an_answer_made_elsewhere_does_not(door, ana):
    elsewhere = "https://lab.example.org"
    door.site_url = f"{elsewhere}/user/ana/proxy"
    key = SecurityKey()
    wanted = door.do(devices.registration_options, ana)
    door.do(devices.finish_registration, ana, key.create(wanted, origin=elsewhere))
    for origin, is_taken in ((ORIGIN, False), (elsewhere, True)):
        wanted = door.do(devices.authentication_options, ana)
        answer = key.get(wanted, origin=origin)
        assert door.do(devices.verify_answer, ana, answer) is is_taken


def test_six_keys_and_no_seventh_and_none_twice(door, ana):
    key, _ = register_key(door, ana)
    wanted = door.do(devices.registration_options, ana)
    refusal = door.refusal(devices.finish_registration, ana, key.create(wanted))
    assert refusal.code == "device-registered-already"
    for number in range(2, 7):
        assert register_key(door, ana)[1].name == f"Security key {number}"
    refusal = door.refusal(devices.registration_options, ana)
    assert refusal.code == "too-many-devices"
    door.register_app(ana)  # apps are counted apart


# --- managing devices


def test_devices_are_renamed_and_deleted_by_their_owner_alone(door, ana):
    door.register_app(ana)
    (device,) = door.do(devices.list_devices, ana)
    bea = door.add_person("bea")
    for function, *arguments in ((devices.rename_device, "x"), (devices.delete_device,)):
        assert door.refusal(function, bea, device.device_id, *arguments).code == "unknown-device"
    assert (
        door.do(devices.rename_device, ana, device.device_id, "  Arbeitstelefon 📱 ").name
        == "Arbeitstelefon 📱"
    )
    for name in ("", "   ", "x" * 65, "\x00"):
        assert door.refusal(devices.rename_device, ana, device.device_id, name).code == "device-name"
    door.do(devices.delete_device, ana, device.device_id)
    assert door.do(devices.list_devices, ana) == []


def test_types_that_are_not_allowed_cannot_be_registered(door, ana):
    door.do(devices.pending_registration, ana)
    door.set_mfa(allowed_types=["security-keys-and-built-in-authenticators"])
    refusal = door.refusal(devices.pending_registration, ana)
    assert refusal.code == "device-type-not-allowed", "also where one was begun before"
    register_key(door, ana)


def test_own_management_is_a_setting_that_required_registration_forces_on(door, ana):
    door.set_mfa(user_without_device="allow", users_manage_own_devices=False)
    assert door.refusal(devices.require_own_management, ana).code == "devices-managed-by-administrator"
    door.set_mfa(user_without_device="require-registration")
    door.do(devices.require_own_management, ana)


def test_the_console_lists_and_deletes_devices(door, ana):
    door.register_app(ana)
    (device,) = door.console("GET", f"users/{ana}/mfa-devices")["mfa_devices"]
    assert "secret" not in str(device)
    assert device["name"] == "Authenticator app"
    door.console("POST", f"users/{ana}/mfa-devices/{device['device_id']}/delete")
    assert door.do(devices.list_devices, ana) == []
    with pytest.raises(ServiceError) as caught:
        door.console("POST", f"users/{ana}/mfa-devices/{device['device_id']}/delete")
    assert caught.value.code == "ResourceNotFoundException"


def test_devices_survive_a_restart_and_go_with_their_user(door, ana, machine_time):
    app, (key, _) = door.register_app(ana), register_key(door, ana)
    door.reopen()
    machine_time.now += 30
    assert door.do(devices.verify_code, ana, app.at(machine_time.now))
    assert verify_key(door, ana, key)
    door.call("identitystore", "DeleteUser", IdentityStoreId=door.identity_store_id, UserId=ana)
    assert door.execute("SELECT * FROM mfa_device") == []
