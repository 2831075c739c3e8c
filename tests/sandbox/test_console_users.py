"""The practice console's users: the wizard, a user's page, and who may what; seen through the API."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pyotp
import pytest
from console_role import come_with_role
from front_door_harness import SecurityKey
from page_visitor import PASSWORD

from idc_sandbox.api import console as console_api
from idc_sandbox.context import Caller
from idc_sandbox.errors import ServiceError
from idc_sandbox.pages.console import user_fields
from idc_sandbox.sign_in import devices

CONSOLE = "/start/practice-console"
USERS = f"{CONSOLE}/users"
ORIGIN = "http://localhost:8723"
BERTA = {
    "user_name": "berta",
    "delivery": "email",
    "email": "berta@example.com",
    "confirm_email": "berta@example.com",
    "first_name": "Berta",
    "last_name": "Berg",
}


@pytest.fixture
def desk(place):
    """Return the sandbox's administrator at the practice console."""
    visitor = place.visitor()
    visitor.open(place.links()["console_url"].partition("8723")[2])
    return visitor


def users(place):
    store_id = place.portal.instance["IdentityStoreId"]
    found = place.portal.identity_store.list_users(IdentityStoreId=store_id)["Users"]
    return {one["UserName"]: one for one in found}


def described(place, user_id):
    return place.portal.identity_store.describe_user(
        IdentityStoreId=place.portal.instance["IdentityStoreId"],
        UserId=user_id,
        Extensions=[user_fields.ENTERPRISE],
    )


def groups_of(place, user_id):
    found = place.portal.identity_store.list_group_memberships_for_member(
        IdentityStoreId=place.portal.instance["IdentityStoreId"], MemberId={"UserId": user_id}
    )
    return {one["GroupId"] for one in found["GroupMemberships"]}


def hidden(visitor):
    """Return what the page's wizard carries."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', visitor.page.text)
    values = {}
    for name, value in found:
        if name != "csrf_token":
            values.setdefault(name, []).append(html.unescape(value))
    return values


def press(visitor, to, **fields):
    """Send the wizard's form with what it carries, as a browser does."""
    return visitor.send("/users/add", **(hidden(visitor) | {"to": to} | fields))


def begin(visitor, **fields):
    visitor.open(f"{USERS}/add")
    return press(visitor, "groups", **(BERTA | fields))


# --- the wizard


def test_a_user_is_added_and_the_mail_is_in_the_mailbox(desk, place):
    group_id = place.portal.add_group("Engineers")
    begin(desk)
    assert desk.heading == "Add user to groups"
    press(desk, "review", group=[group_id])
    assert desk.value("groups") == "Engineers"
    assert desk.value("display_name") == "Berta Berg"
    assert "berta" not in users(place)
    press(desk, "add")
    assert "Berta Berg is added" in desk.message
    added = users(place)["berta"]
    assert added["DisplayName"] == "Berta Berg"
    assert added["Emails"] == [{"Value": "berta@example.com", "Type": "work", "Primary": True}]
    assert groups_of(place, added["UserId"]) == {group_id}
    (mail,) = place.clients.console("GET", "mailbox?address=berta@example.com")["messages"]
    visitor = place.visitor()
    visitor.choose_password(mail["link"])
    place.set_mfa(prompt="never")
    visitor.sign_in(user_name="berta")
    assert visitor.page.url.path == "/start"


def test_a_one_time_password_is_shown_once_and_works(desk, place):
    begin(desk, delivery="one-time-password")
    press(desk, "review")
    press(desk, "add")
    assert desk.heading == "One-time password"
    assert desk.value("user_name") == "berta"
    assert desk.value("portal_url").startswith("https://")
    password = desk.value("one_time_password")
    assert place.clients.console("GET", "mailbox?address=berta@example.com")["messages"] == []
    assert password not in desk.open(f"{USERS}/{users(place)['berta']['UserId']}").text
    visitor = place.visitor()
    visitor.sign_in(password, user_name="berta")
    assert "password" in visitor.heading.lower()
    visitor.send("/new-password", new_password=PASSWORD, confirm_password=PASSWORD)
    assert visitor.page.status_code == 200


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"user_name": ""}, "Username is needed"),
        ({"user_name": "two words"}, "two words"),
        ({"user_name": "x" * 129}, "1 to 128"),
        ({"user_name": "a/b"}, "letters, digits"),
        ({"user_name": "ANA"}, "another user's"),
        ({"email": "", "confirm_email": ""}, "Email address is needed"),
        ({"email": "berta"}, "ana@example.com"),
        ({"confirm_email": "other@example.com"}, "differ"),
        ({"email": "ana@example.com", "confirm_email": "ana@example.com"}, "another user's"),
        ({"first_name": " "}, "First name is needed"),
        ({"last_name": ""}, "Last name is needed"),
        ({"first_name": "", "last_name": ""}, "First name and Last name and Display name are needed"),
        ({"delivery": "pigeon"}, "how the user gets a password"),
        ({"display_name": "x" * 1025}, "displayName"),
        ({"birthdate": "yesterday"}, "YYYY-MM-DD"),
        ({"phone_type": "work"}, "phoneNumbers"),
    ],
)
def test_details_are_refused_at_their_step_and_stay_typed(desk, place, fields, named):
    begin(desk, title="Kept", **fields)
    assert (desk.page.status_code, desk.heading) == (400, "Add user")
    assert named in desk.message
    assert 'value="Kept"' in desk.page.text
    for name, value in fields.items():
        if name != "delivery":
            assert f'id="{name}" name="{name}"' in desk.page.text
            assert f'value="{html.escape(value.strip())}"' in desk.page.text
    assert list(users(place)) == ["ana"]


def test_previous_and_edit_keep_everything(desk, place):
    ids = [place.portal.add_group(name) for name in ("Engineers", "Finance")]
    begin(desk, nickname="Bee", delivery="one-time-password")
    press(desk, "details", group=[ids[0]])
    assert desk.heading == "Add user"
    for text in ('value="berta"', 'value="Bee"', 'value="one-time-password" checked', f'value="{ids[0]}"'):
        assert text in desk.page.text
    press(desk, "groups", **(BERTA | {"nickname": "Bee", "user_name": "bertha"}))
    assert re.search(rf'value="{ids[0]}"[^>]* checked', desk.page.text)
    press(desk, "groups", group=ids, find="fin")
    assert desk.page.text.count(" checked") == 2
    press(desk, "review", group=ids)
    assert (desk.value("user_name"), desk.value("groups")) == ("bertha", "Engineers, Finance")
    press(desk, "groups")
    assert desk.page.text.count(" checked") == 2
    press(desk, "review", group=[ids[1]])
    press(desk, "details")
    assert 'value="Bee"' in desk.page.text
    press(desk, "groups", **(BERTA | {"nickname": "Bee", "user_name": "bertha"}))
    press(desk, "review", group=[ids[1]])
    press(desk, "add")
    added = users(place)["bertha"]
    assert added["NickName"] == "Bee"
    assert groups_of(place, added["UserId"]) == {ids[1]}


def test_every_optional_field_reaches_the_api_and_comes_back(desk, place):
    values = {field.name: f"a {field.name}" for field in user_fields.FIELDS}
    values |= BERTA | {"birthdate": "1990-02-28"}
    begin(desk, **values)
    press(desk, "review")
    for field in user_fields.FIELDS:
        assert desk.value(field.name) == values[field.name]
    press(desk, "add")
    user_id = users(place)["berta"]["UserId"]
    shown = described(place, user_id)
    assert user_fields.values_of(shown) == {field.name: values[field.name] for field in user_fields.FIELDS}
    assert shown["Extensions"][user_fields.ENTERPRISE]["manager"]["value"] == "a manager"
    text = html.unescape(desk.open(f"{USERS}/{user_id}").text)
    for field in user_fields.FIELDS:
        assert f"<td>{field.label}</td><td>{values[field.name]}</td>" in text


def test_a_name_that_is_taken_meanwhile_adds_nobody(desk, place):
    begin(desk)
    press(desk, "review")
    place.portal.add_user("berta")
    press(desk, "add")
    assert (desk.page.status_code, desk.heading) == (400, "Review and add user")
    assert "another user's" in desk.message
    assert desk.value("user_name") == "berta"


def test_a_group_that_is_gone_meanwhile_adds_nobody(desk, place):
    group_id = place.portal.add_group("Engineers")
    begin(desk)
    press(desk, "review", group=[group_id])
    place.portal.identity_store.delete_group(
        IdentityStoreId=place.portal.instance["IdentityStoreId"], GroupId=group_id
    )
    press(desk, "add")
    assert desk.page.status_code == 400
    assert list(users(place)) == ["ana"]


# --- the list


@pytest.mark.parametrize(
    ("count", "typed", "is_done"),
    [(1, None, True), (2, None, False), (2, "delete", False), (2, "Delete", True)],
)
def test_how_much_is_typed_to_delete_users(desk, place, count, typed, is_done):
    ids = [place.portal.add_user(name) for name in ("berta", "carl")[:count]]
    desk.open(USERS)
    desk.send("/users", user=ids)
    assert desk.heading == ("Delete user" if count == 1 else "Delete 2 users")
    assert len(users(place)) == 1 + count
    desk.send("/users", act="delete", user=ids, **({} if typed is None else {"typed": typed}))
    assert len(users(place)) == (1 if is_done else 1 + count)
    assert desk.page.status_code == (200 if is_done else 400)


def test_the_list_is_looked_through_and_says_who_has_devices(desk, place):
    place.portal.add_user("berta")
    place.set_mfa(prompt="always-on")
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in()
    visitor.register_app()
    desk.open(USERS)
    assert "<td>1 device</td>" in desk.page.text
    assert "<td>None</td>" in desk.page.text
    desk.open(f"{USERS}?find=BER")
    assert desk.value("total") == "1 user"
    desk.send("/users")
    assert (desk.page.status_code, "Tick at least one user" in desk.message) == (400, True)


# --- one user's page


@pytest.fixture
def signed_in(place):
    """Return the browser of ``ana``, with an authenticator app and a session."""
    place.set_mfa(prompt="always-on")
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in()
    visitor.register_app()
    return visitor


def act(desk, place, wanted, *, tab="profile", **fields):
    """Send a form of ``ana``'s page."""
    desk.open(f"{USERS}/{place.portal.user_id}?tab={tab}")
    return desk.send(place.portal.user_id, act=wanted, **fields)


def test_the_profile_is_edited_and_what_no_field_shows_stays(desk, place):
    user_id, store_id = place.portal.user_id, place.portal.instance["IdentityStoreId"]
    photos = [{"Value": "https://a.example/1"}, {"Value": "https://a.example/2", "Primary": True}]
    place.portal.identity_store.update_user(
        IdentityStoreId=store_id,
        UserId=user_id,
        Operations=[
            {"AttributePath": "photos", "AttributeValue": photos},
            {"AttributePath": "title", "AttributeValue": "Chief"},
        ],
    )
    desk.open(f"{USERS}/{user_id}/edit")
    names = {"first_name": "Ana", "last_name": "Test", "display_name": "Ana T.", "email": "new@example.com"}
    desk.send("/edit", **names, photo="https://a.example/1", department="R&D", user_name="other")
    assert "saved" in desk.message
    after = described(place, user_id)
    assert (after["UserName"], after["DisplayName"]) == ("ana", "Ana T.")
    assert after["Emails"][0]["Value"] == "new@example.com"
    assert after["Photos"] == photos
    assert "Title" not in after
    assert after["Extensions"] == {user_fields.ENTERPRISE: {"department": "R&D"}}
    desk.open(f"{USERS}/{user_id}/edit")
    desk.send("/edit", **names | {"email": ""}, photo="https://a.example/1")
    after = described(place, user_id)
    assert "Emails" not in after
    assert not after.get("Extensions")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"last_name": ""}, "Last name is needed"),
        ({"email": "nothing"}, "ana@example.com"),
        ({"email": "berta@example.com"}, "berta@example.com"),
        ({"birthdate": "soon"}, "YYYY-MM-DD"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_and_stays_typed(desk, place, fields, named):
    place.portal.add_user("berta")
    before = described(place, place.portal.user_id)
    desk.open(f"{USERS}/{place.portal.user_id}/edit")
    names = {"first_name": "Kept", "last_name": "Test", "display_name": "", "email": "ana@example.com"}
    desk.send("/edit", **names | fields)
    assert (desk.page.status_code, named in desk.message) == (400, True)
    assert 'value="Kept"' in desk.page.text
    after = described(place, place.portal.user_id)
    assert after["Revision"] == before["Revision"]


def test_attributes_are_found(desk, place):
    text = desk.open(f"{USERS}/{place.portal.user_id}?find=POSTAL").text
    assert "Postal code" in text
    assert "Cost center" not in text
    assert "No attribute" in desk.open(f"{USERS}/{place.portal.user_id}?find=zzz").text


def test_groups_are_joined_and_left(desk, place):
    ids = [place.portal.add_group(name) for name in ("Engineers", "Finance")]
    user_id = place.portal.user_id
    desk.open(f"{USERS}/{user_id}/add-to-groups")
    desk.send("/add-to-groups")
    assert (desk.page.status_code, "Tick at least one group" in desk.message) == (400, True)
    desk.send("/add-to-groups", group=ids)
    assert "Engineers, Finance" in desk.message
    assert "Groups (2)" in desk.page.text
    assert groups_of(place, user_id) == set(ids)
    desk.send(user_id, act="leave-groups", group=ids[:1])
    assert groups_of(place, user_id) == {ids[1]}


def test_access_says_whether_it_comes_through_a_group(desk, place):
    group_id = place.portal.add_group("Engineers", place.portal.user_id)
    account_id = next(iter(place.portal.accounts.values()))
    place.portal.assign(
        place.portal.add_permission_set("Through"), account_id, PrincipalType="GROUP", PrincipalId=group_id
    )
    place.portal.assign(place.portal.add_permission_set("Direct"), account_id)
    text = desk.open(f"{USERS}/{place.portal.user_id}?tab=accounts").text
    assert re.search(r"Direct</td><td>directly", text)
    assert re.search(r"Through</td><td>group Engineers", text)


def test_a_device_is_renamed_and_deleted_by_typing(desk, place, signed_in):
    user_id = place.portal.user_id
    (device,) = place.portal.do(devices.list_devices, user_id)
    act(desk, place, "rename-device", tab="mfa", device=device.device_id, name="Old phone")
    assert "Old phone" in desk.message
    assert act(desk, place, "rename-device", tab="mfa", device=device.device_id, name="").status_code == 400
    for typed in ("", "delete"):
        act(desk, place, "delete-device", tab="mfa", device=device.device_id, typed=typed)
        assert (desk.page.status_code, "Type DELETE" in desk.message) == (400, True)
    assert [one.name for one in place.portal.do(devices.list_devices, user_id)] == ["Old phone"]
    act(desk, place, "delete-device", tab="mfa", device=device.device_id, typed="DELETE")
    assert "Old phone is deleted" in desk.message
    assert place.portal.do(devices.list_devices, user_id) == []
    for other in (device.device_id, "../sessions", "", "start?x", "register?x"):
        desk.send(user_id, act="delete-device", device=other, typed="DELETE")
        assert desk.page.status_code == 400, other


def test_an_authenticator_app_is_registered_for_a_user(desk, place):
    user_id = place.portal.user_id
    page = f"{USERS}/{user_id}/register-device"
    desk.open(page)
    secret = desk.value("totp_secret")
    carried = re.findall(r'name="secret" value="(\w+)"', desk.page.text.rpartition("/register-device")[0])
    assert carried == [secret, secret]  # for the practice phone, and for this page again
    desk.send("/register-device", code="000000", name="Kept", secret=carried[0])
    assert (desk.page.status_code, "not the code" in desk.message) == (400, True)
    assert 'value="Kept"' in desk.page.text
    assert desk.value("totp_secret") == secret
    form = desk.page
    desk.send("/start/phone", secret=secret)  # in a new tab
    code = desk.value("code")
    desk.page = form
    desk.send("/register-device", code=code, name="Loan phone")
    assert "Loan phone is registered" in desk.message
    assert [one.name for one in place.portal.do(devices.list_devices, user_id)] == ["Loan phone"]
    place.set_mfa(allowed_types=["security-keys-and-built-in-authenticators"])
    assert "does not allow" in desk.open(page).text


@pytest.mark.parametrize("is_role", [False, True])
def test_with_an_identity_provider_nobody_gets_a_password_here(desk, place, is_role):
    if is_role:  # which may not read the identity source
        desk = come_with_role(place, "AdministratorAccess", denied=["sso:GetSharedSsoConfiguration"])
    mails = place.clients.console("GET", "mailbox")["messages"]
    place.clients.console(
        "POST",
        "identity-source",
        {"instance_arn": place.portal.instance["InstanceArn"], "type": "external_identity_provider"},
    )
    desk.open(f"{USERS}/add")
    assert 'name="delivery"' not in desk.page.text
    desk.send("/users/add", step="review", to="add", **BERTA)
    assert desk.message == "The user Berta Berg is added."
    desk.open(f"{USERS}/{place.portal.user_id}")
    assert "Reset password" not in desk.page.text
    for delivery in ("email", "one-time-password"):  # by a form from before
        assert act(desk, place, "reset-password", delivery=delivery).status_code == 400
        assert "identity source is “External identity provider”" in desk.message
    assert place.clients.console("GET", "mailbox")["messages"] == mails


def test_a_security_key_is_registered_for_a_user_and_opens_the_portal(desk, place):
    user_id, key = place.portal.user_id, SecurityKey()
    place.set_mfa(prompt="always-on", allowed_types=["security-keys-and-built-in-authenticators"])
    desk.open(f"{USERS}/{user_id}/register-device")
    assert "does not allow" in desk.page.text  # an app; the key's form is there all the same
    options = html.unescape(re.findall(r'data-options="([^"]*)"', desk.page.text)[0])
    form = desk.page
    answer = key.create(options, origin="http://elsewhere.example.org")
    desk.send("/register-device", credential=answer, name="Blue key")
    assert (desk.page.status_code, "could not be verified" in desk.message) == (400, True)
    assert place.portal.do(devices.list_devices, user_id) == []
    options = html.unescape(re.findall(r'data-options="([^"]*)"', desk.page.text)[0])
    desk.page = form
    desk.send("/register-device", credential=key.create(options, origin=ORIGIN), name="Blue key")
    assert "Blue key is registered" in desk.message
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in()
    options = html.unescape(re.findall(r'data-options="([^"]*)"', visitor.page.text)[0])
    visitor.send("/webauthn", credential=key.get(options, origin=ORIGIN))
    assert visitor.heading == "Access portal"


def test_the_console_and_the_sign_in_show_each_a_key_of_their_own(desk, place):
    """Who registers for a user learns no key that the user will have, nor the user the console's."""
    user_id, page = place.portal.user_id, f"{USERS}/{place.portal.user_id}/register-device"
    place.set_mfa(prompt="always-on")
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in()
    own = visitor.value("totp_secret")
    desk.open(page)
    at_console = desk.value("totp_secret")
    visitor.open("/start")
    assert visitor.value("totp_secret") == own
    desk.send("/register-device", code=pyotp.TOTP(own).now(), secret=own)
    assert (desk.page.status_code, desk.value("totp_secret") in (own, at_console)) == (400, False)
    at_console = desk.value("totp_secret")
    visitor.send("/register-totp", code=pyotp.TOTP(at_console).now())
    assert place.portal.do(devices.list_devices, user_id) == []
    desk.send("/register-device", code=pyotp.TOTP(at_console).now(), secret=at_console)
    visitor.open("/start")
    visitor.register_app()
    assert len(place.portal.do(devices.list_devices, user_id)) == 2
    place.portal.do(
        devices.delete_device, user_id, place.portal.do(devices.list_devices, user_id)[0].device_id
    )
    keys = set()
    for _ in range(2):
        desk.open(page)
        keys.add(desk.value("totp_secret"))
    assert len(keys - {own, at_console}) == 2, "each start has a new key"


def test_sessions_are_ended_by_typing(desk, place, signed_in):
    (session,) = place.clients.console("GET", f"users/{place.portal.user_id}/sessions")["sessions"]
    for fields, named in (
        ({"typed": "confirm"}, "Tick"),
        ({"session": session["session_id"]}, "Type confirm"),
    ):
        act(desk, place, "end-sessions", tab="sessions", **fields)
        assert (desk.page.status_code, named in desk.message) == (400, True)
    assert signed_in.open("/start").url.path == "/start"
    act(desk, place, "end-sessions", tab="sessions", session=session["session_id"], typed="confirm")
    assert "Ended: 1 session" in desk.message
    assert signed_in.open("/start").url.path == "/start/sign-in"


def test_a_disabled_user_has_no_session_and_what_cannot_be_done_is_not_offered(desk, place, signed_in):
    place.portal.add_group("Engineers", place.portal.user_id)
    desk.open(f"{USERS}/{place.portal.user_id}")
    assert "End the 1 active session first" in desk.page.text
    act(desk, place, "disable")
    assert desk.value("status") == "Disabled"
    assert described(place, place.portal.user_id)["UserStatus"] == "DISABLED"
    assert signed_in.open("/start").url.path == "/start/sign-in"
    assert "/edit" not in desk.page.text
    assert "reset-password" not in desk.page.text
    assert "Engineers" not in desk.open(f"{USERS}/{place.portal.user_id}?tab=groups").text
    assert "neither shown nor ended" in desk.open(f"{USERS}/{place.portal.user_id}?tab=sessions").text
    for name in ("reset-password", "verify-email"):
        desk.open(f"{USERS}/{place.portal.user_id}")
        desk.send(place.portal.user_id, act=name, delivery="email")
        assert (desk.page.status_code, "enable the user first" in desk.message) == (400, True)
    act(desk, place, "enable")
    assert described(place, place.portal.user_id)["UserStatus"] == "ENABLED"


def test_a_password_is_reset_both_ways(desk, place, signed_in):
    act(desk, place, "reset-password", delivery="email")
    assert "practice mailbox" in desk.message
    mail = place.clients.console("GET", "mailbox")["messages"][0]
    assert mail["kind"] == "password-reset"
    assert place.clients.console("GET", f"users/{place.portal.user_id}/password")["has_password"] is False
    act(desk, place, "reset-password", delivery="one-time-password")
    assert desk.heading == "One-time password"
    assert len(desk.value("one_time_password")) >= 8
    act(desk, place, "reset-password", delivery="pigeon")
    assert (desk.page.status_code, "pigeon" in desk.message) == (400, True)


def test_an_address_is_verified_by_the_mailed_link_and_by_an_invitation(desk, place):
    user_id = place.portal.user_id
    desk.open(f"{USERS}/{user_id}")
    assert "Email not verified" in desk.page.text
    act(desk, place, "verify-email")
    link = place.clients.console("GET", "mailbox")["messages"][0]["link"]
    visitor = place.visitor()
    visitor.open(link)
    assert visitor.value("email") == "ana@example.com"
    assert "Email not verified" in desk.open(f"{USERS}/{user_id}").text  # to look uses nothing up
    visitor.send(link)
    assert "verified" in visitor.message
    assert "Email not verified" not in desk.open(f"{USERS}/{user_id}").text
    assert visitor.open(link).status_code == 400
    with pytest.raises(Exception, match="verified already"):
        place.clients.console("POST", f"users/{user_id}/verify-email")
    place.portal.identity_store.update_user(
        IdentityStoreId=place.portal.instance["IdentityStoreId"],
        UserId=user_id,
        Operations=[{"AttributePath": "emails", "AttributeValue": [{"Value": "other@example.com"}]}],
    )
    assert "Email not verified" in desk.open(f"{USERS}/{user_id}").text
    place.visitor().choose_password(place.invite())
    assert "Email not verified" not in desk.open(f"{USERS}/{user_id}").text


@pytest.mark.parametrize("case", ["late", "replaced", "other address"])
def test_a_link_that_verifies_nothing_any_more(place, case):
    path = f"users/{place.portal.user_id}/verify-email"
    link = place.clients.console("POST", path)["message"]["link"]
    if case == "late":
        place.clients.advance_clock(7 * 86_400 + 1)
    elif case == "replaced":
        place.clients.console("POST", path)
    else:
        place.portal.identity_store.update_user(
            IdentityStoreId=place.portal.instance["IdentityStoreId"],
            UserId=place.portal.user_id,
            Operations=[{"AttributePath": "emails", "AttributeValue": [{"Value": "other@example.com"}]}],
        )
    visitor = place.visitor()
    assert visitor.open(link).status_code == 400
    assert "your administrator" in visitor.message
    assert place.clients.console("GET", f"users/{place.portal.user_id}/email") == {"is_verified": False}


def test_a_user_is_deleted_without_typing(desk, place):
    act(desk, place, "delete")
    assert "ana" in desk.message
    assert users(place) == {}


@pytest.mark.parametrize("name", ["", "explode", "_delete"])
def test_an_act_that_the_page_does_not_have_is_refused(desk, place, name):
    assert act(desk, place, name).status_code == 400
    assert list(users(place)) == ["ana"]


# --- who may what


def test_who_may_read_only_sees_everything_and_changes_nothing(place):
    group_id, berta = place.portal.add_group("Engineers"), place.portal.add_user("berta")
    place.portal.add_member(group_id, berta)
    reader = come_with_role(place)
    for tab in ("profile", "groups", "accounts", "mfa", "sessions"):
        answer = reader.open(f"{USERS}/{berta}?tab={tab}")
        assert (answer.status_code, "You may not read this" in answer.text) == (200, False), tab
    sends = [
        ("/groups/create", {"act": "create", "name": "New"}),
        (f"/groups/{group_id}", {"act": "delete", "typed": "Engineers"}),
        (f"/groups/{group_id}", {"act": "remove", "user": berta}),
        (f"/groups/{group_id}/edit", {"name": "New"}),
        (f"/groups/{group_id}/add-users", {"act": "add", "user": place.portal.user_id}),
        ("/groups", {"act": "delete", "group": group_id, "typed": "Engineers"}),
        ("/users", {"act": "delete", "user": berta}),
        (f"/users/{berta}/edit", {"first_name": "A", "last_name": "B", "display_name": "C", "email": ""}),
        (f"/users/{berta}", {"act": "disable"}),
        (f"/users/{berta}", {"act": "delete"}),
        (f"/users/{berta}", {"act": "reset-password", "delivery": "email"}),
        (f"/users/{berta}", {"act": "reset-password", "delivery": "one-time-password"}),
        (f"/users/{berta}", {"act": "verify-email"}),
        (f"/users/{berta}", {"act": "delete-device", "device": "x", "typed": "DELETE"}),
        (f"/users/{berta}", {"act": "rename-device", "device": "x", "name": "y"}),
        (f"/users/{berta}", {"act": "enable"}),
        (f"/users/{berta}", {"act": "leave-groups", "group": group_id}),
        (f"/users/{berta}/add-to-groups", {"group": place.portal.add_group("Other")}),
        ("/users/add", BERTA | {"user_name": "new", "email": "n@x.y", "confirm_email": "n@x.y", "to": "add"}),
    ]
    page = reader.open(f"{USERS}/{berta}/register-device")
    denied = re.findall(r"perform: sso-directory:Start(\w+)DeviceRegistration", page.text)
    assert (page.status_code, denied) == (200, ["VirtualMfa", "WebAuthn"])  # each box says why not
    mails = place.clients.console("GET", "mailbox")["messages"]
    for path, fields in sends:
        reader.open(f"{CONSOLE}{path}")
        reader.send(path.removesuffix("?"), **fields)
        assert (reader.page.status_code, "not authorized to perform" in reader.message) == (400, True), path
    assert place.clients.console("GET", "mailbox")["messages"] == mails
    assert set(users(place)) == {"ana", "berta"}
    assert described(place, berta)["UserStatus"] == "ENABLED"
    assert groups_of(place, berta) == {group_id}


def test_who_may_start_one_kind_of_device_registers_it(place):
    desk = come_with_role(
        place, "AdministratorAccess", denied=["sso-directory:StartWebAuthnDeviceRegistration"]
    )
    desk.open(f"{USERS}/{place.portal.user_id}/register-device")
    assert "StartWebAuthnDeviceRegistration" in desk.page.text
    secret = desk.value("totp_secret")
    desk.send("/register-device", code=pyotp.TOTP(secret).now(), secret=secret, name="Blue phone")
    assert "Blue phone is registered" in desk.message


def test_what_may_not_be_read_says_so_in_its_box(place):
    user_id = place.portal.user_id
    nothing = come_with_role(place, "AWSBillingReadOnlyAccess")
    answer = nothing.open(f"{USERS}/{user_id}")
    assert answer.status_code == 403
    assert "not authorized" in answer.text


def test_a_user_that_is_not_there_says_so(desk):
    desk.open(f"{USERS}/b9d057ffaa-00000000-aa6a-40a7-a10d-0cf4c55103c6")
    assert (desk.page.status_code, "not found" in desk.message) == (404, True)


# --- another account's users


@pytest.mark.parametrize("is_role", [True, False])
def test_users_of_another_accounts_instance_are_unknown_here(place, desk, is_role):
    account_id = place.portal.accounts["Development"]
    other = place.clients.client("sso-admin", account=account_id)
    arn = other.create_instance(Name="own")["InstanceArn"]
    store_id = other.describe_instance(InstanceArn=arn)["IdentityStoreId"]
    theirs = place.clients.client("identitystore", account=account_id).create_user(
        IdentityStoreId=store_id,
        UserName="zoe",
        DisplayName="Zoe",
        Name={"GivenName": "Zoe", "FamilyName": "Z"},
        Emails=[{"Value": "zoe@example.com"}],
    )["UserId"]
    visitor = come_with_role(place, "AdministratorAccess") if is_role else desk
    visitor.open(f"{USERS}/{place.portal.user_id}")
    token = visitor.csrf_token()

    def state():
        with place.clients.store.transaction() as connection:
            # A refusal leaves its event, and nothing else.
            return [line for line in connection.iterdump() if "trail_event" not in line]

    before = state()
    for path, fields in (
        (theirs, {"act": "disable"}),
        (theirs, {"act": "enable"}),
        (theirs, {"act": "reset-password", "delivery": "email"}),
        (theirs, {"act": "reset-password", "delivery": "one-time-password"}),
        (theirs, {"act": "verify-email"}),
        (theirs, {"act": "delete-device", "device": "x", "typed": "DELETE"}),
        (theirs, {"act": "rename-device", "device": "x", "name": "y"}),
        (theirs, {"act": "end-sessions", "session": "x", "typed": "confirm"}),
        (theirs, {"act": "delete"}),
        (f"{theirs}/register-device", {"code": "123456", "name": "Mine"}),
    ):
        page = visitor.client.post(f"{USERS}/{path}", data={"csrf_token": token} | fields)
        assert page.status_code >= 400, fields
        assert "USER not found" in page.text, fields
        assert state() == before, fields
    for path in (theirs, f"{theirs}/register-device"):
        assert visitor.open(f"{USERS}/{path}").status_code == 404


def test_only_an_administrator_of_the_sandbox_is_taken_for_a_member_accounts(place):
    account_id = place.portal.accounts["Development"]
    arn = place.clients.client("sso-admin", account=account_id).create_instance(Name="own")["InstanceArn"]
    management = place.clients.management_account_id
    role = Caller(management, f"arn:aws:sts::{management}:assumed-role/Admin/ana", "ASIAROLE")

    def settings(context):
        return console_api.handle(context, "GET", "settings", {"instance_arn": arn})

    assert place.clients.console("GET", f"settings?instance_arn={arn}")["sessions"]
    with pytest.raises(ServiceError) as refused:
        place.portal.do(lambda context: settings(replace(context, caller=role)))
    assert refused.value.code == "AccessDeniedException"
