"""The sign-in up to the password: the order of pages, wrong answers, and nothing that tells who exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from front_door_harness import NEW_APP, PASSWORD

from idc_sandbox.pages.visits import CONSOLE, MAILBOX, PHONE
from idc_sandbox.sign_in import flow, invitations, passwords, people


def test_a_wrong_password_is_said_and_the_right_one_leads_on(door):
    door.add_person()
    sign_in_id, following = door.enter_password(password="Wrong-password-1")
    assert (following.page, following.is_error) == ("password", True)
    assert following.session_token is None
    assert door.take("password", sign_in_id, password=PASSWORD).page == "register-device"


@pytest.mark.parametrize("typed", ["ana", "ANA", "  ana  "])
def test_a_user_name_is_found_in_any_case(door, typed):
    door.add_person()
    assert door.enter_password(typed)[1].page == "register-device"


@pytest.mark.parametrize(
    "user_name", ["nobody", "x" * 100_000, "日本語", "a\ud800b", "' OR 1=1 --", "a" * 129]
)
def test_a_name_that_nobody_has_walks_the_same_pages_with_the_same_words(door, user_name):
    door.add_person()
    known, unknown = door.begin("ana"), door.begin(user_name)
    assert door.do(flow.look, known).page == door.do(flow.look, unknown).page == "password"
    answers = [door.take("password", one, password="Wrong-password-1") for one in (known, unknown)]
    assert answers[0] == answers[1]
    assert door.take("password", unknown, password=PASSWORD) == answers[0]


@pytest.mark.parametrize("user_name", ["", "   ", "\x00\x07"])
def test_no_user_name_asks_for_one(door, user_name):
    sign_in_id = door.do(flow.begin, client="x")
    following = door.take("user-name", sign_in_id, user_name=user_name)
    assert (following.page, following.is_error) == ("user-name", True)


@pytest.mark.parametrize("password", ["", "x" * 1_000_000, "\ud800", "\x00", "pässwörd"])
def test_any_password_can_be_typed_and_only_the_right_one_is_right(door, password):
    door.add_person()
    assert door.enter_password(password=password)[1].page == "password"


def test_a_disabled_user_with_the_right_password_is_told_and_with_a_wrong_one_is_not(door):
    user_id = door.add_person()
    door.console("POST", f"users/{user_id}/disable")
    assert door.enter_password(password="Wrong-password-1")[1].message == flow.WRONG_PASSWORD
    sign_in_id, following = door.enter_password()
    assert following.page == "blocked"
    assert "disabled" in following.message
    assert door.refused("password", sign_in_id, password=PASSWORD).code == "wrong-page"


def test_a_user_disabled_between_two_pages_gets_no_further(door):
    user_id = door.add_person()
    sign_in_id, following = door.enter_password()
    assert following.page == "register-device"
    door.console("POST", f"users/{user_id}/disable")
    assert door.refusal(NEW_APP, sign_in_id).code == "sign-in-expired"


def test_no_page_can_be_skipped(door):
    door.add_person()
    sign_in_id = door.begin("ana")
    for step in flow.STEPS:
        if step not in ("user-name", "password"):
            assert door.refused(step, sign_in_id, code="123456").code == "wrong-page"
    assert door.refusal(NEW_APP, sign_in_id).code == "wrong-page"
    assert door.do(flow.look, sign_in_id).page == "password"


def test_a_sign_in_is_over_after_fifteen_minutes_and_after_the_end(door):
    door.add_person()
    door.set_mfa(prompt="never")
    sign_in_id, following = door.enter_password()
    assert following.page == "signed-in"
    assert following.sign_in_id is None, "it has ended"
    assert door.refused("password", sign_in_id, password=PASSWORD).code == "sign-in-expired"
    late = door.begin("ana")
    door.advance(15 * 60 + 1)
    assert door.refused("password", late, password=PASSWORD).code == "sign-in-expired"
    assert door.refusal(flow.look, "invented").code == "sign-in-expired"


def test_a_sign_in_survives_a_restart(door):
    door.add_person()
    sign_in_id = door.begin("ana")
    door.reopen()
    assert door.take("password", sign_in_id, password=PASSWORD).page == "register-device"


def test_where_people_sign_in_elsewhere_no_password_is_taken_or_made(door):
    user_id, newcomer = door.add_person(), door.add_person("berta", password=None)
    link = door.do(invitations.invite, newcomer).link.removeprefix(invitations.LINK_PATH)
    sign_in_id = door.begin("ana")
    door.console("POST", "identity-source", type="external_identity_provider")
    for refused in (
        (flow.begin,),
        (flow.look, sign_in_id),  # a page that was open before goes on no further
        (flow.take, sign_in_id, "password", {"password": PASSWORD}),
        (invitations.invite, newcomer),
        (invitations.accept, link, PASSWORD),
        *((invitations.reset_password, user_id, delivery) for delivery in ("email", "one-time-password")),
    ):
        options = {"client": "x"} if refused == (flow.begin,) else {}
        assert door.refusal(*refused, **options).code == "external-identity-source", refused
    door.console("POST", "identity-source", type="identity_center_directory")
    assert door.take("password", sign_in_id, password=PASSWORD).page == "register-device"


# --- the first sign-in of a user without a password, with "Send email OTP"


@pytest.fixture
def mailing_door(door):
    door.console("PUT", "settings/standard_authentication", send_email_otp=True)
    return door


def test_the_code_leaves_at_the_first_sign_in_and_leads_to_a_password(mailing_door):
    door = mailing_door
    user_id = door.add_person(password=None)
    assert door.do(people.list_messages) == []
    sign_in_id = door.begin("ana")
    assert door.do(flow.look, sign_in_id).page == "first-one-time-password"
    assert [one.kind for one in door.do(people.list_messages)] == ["one-time-password"]
    code = door.newest_code()
    assert door.take("one-time-password", sign_in_id, code=code).page == "new-password"
    assert (
        door.take("new-password", sign_in_id, new_password=PASSWORD, confirm_password=PASSWORD).page
        == "register-device"
    )
    assert door.do(passwords.verify_password, user_id, PASSWORD)
    assert door.enter_password()[1].page == "register-device", "from now on the password is asked for"


def test_who_chose_a_password_by_a_mailed_code_has_no_link_of_before_that_sets_another(mailing_door):
    door = mailing_door
    user_id = door.add_person(password=None)
    link = door.do(invitations.invite, user_id).link
    sign_in_id = door.begin("ana")
    door.take("one-time-password", sign_in_id, code=door.newest_code())
    door.take("new-password", sign_in_id, new_password=PASSWORD, confirm_password=PASSWORD)
    refusal = door.refusal(invitations.accept, link.rpartition("/")[2], f"{PASSWORD}-2")
    assert refusal.code == "invitation-unknown"
    assert door.do(passwords.verify_password, user_id, PASSWORD)


def test_without_the_setting_nothing_is_mailed(door):
    door.add_person(password=None)
    sign_in_id = door.begin("ana")
    assert door.do(flow.look, sign_in_id).page == "password"
    assert door.do(people.list_messages) == []
    assert door.take("password", sign_in_id, password=PASSWORD).message == flow.WRONG_PASSWORD


def test_a_mailed_code_is_good_once_for_its_sign_in_and_for_ten_minutes(mailing_door):
    door = mailing_door
    door.add_person(password=None)
    first = door.begin("ana")
    code = door.newest_code()
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    second = door.begin("ana")
    assert door.take("one-time-password", first, code=wrong).message == flow.WRONG_CODE
    assert door.take("one-time-password", second, code=code).message == flow.WRONG_CODE
    door.advance(10 * 60 + 1)
    assert door.take("one-time-password", first, code=code).message == flow.WRONG_CODE


def test_another_code_voids_the_first_and_is_not_sent_at_once(mailing_door):
    door = mailing_door
    door.add_person(password=None)
    sign_in_id = door.begin("ana")
    old = door.newest_code()
    assert "Wait" in door.take("resend-one-time-password", sign_in_id).message
    assert len(door.do(people.list_messages)) == 1
    door.advance(31)
    assert door.take("resend-one-time-password", sign_in_id).message == flow.SENT
    new = door.newest_code()
    if old != new:
        assert door.take("one-time-password", sign_in_id, code=old).is_error
    assert door.take("one-time-password", sign_in_id, code=new).page == "new-password"


@pytest.mark.parametrize("what", ["renamed", "has a password"])
def test_a_code_is_sent_again_only_to_the_user_whose_sign_in_began(mailing_door, what):
    door = mailing_door
    user_id = door.add_person(password=None)
    sign_in_id = door.begin("ana")
    before = len(door.do(people.list_messages))
    if what == "renamed":
        new_name = [{"AttributePath": "UserName", "AttributeValue": "anna"}]
        where = {"IdentityStoreId": door.identity_store_id, "UserId": user_id}
        door.call("identitystore", "UpdateUser", **where, Operations=new_name)
        address = [{"Value": "other@example.com"}]
        name = {"GivenName": "Other", "FamilyName": "Test"}
        where.pop("UserId")
        door.call("identitystore", "CreateUser", **where, UserName="ana", DisplayName="Ana", Name=name,
                  Emails=address)  # fmt: skip
    else:
        door.do(passwords.set_password, user_id, PASSWORD)
    door.advance(31)
    assert door.take("resend-one-time-password", sign_in_id).message == flow.SENT
    assert len(door.do(people.list_messages)) == before


def test_who_mails_codes_does_not_tell_who_exists(mailing_door):
    door = mailing_door
    door.add_person(password=None)
    door.add_person("bea")
    names = [f"nobody-{number}" for number in range(40)]
    pages = {name: door.do(flow.look, door.begin(name)).page for name in names}
    assert set(pages.values()) == {"password", "first-one-time-password"}
    assert {name: door.do(flow.look, door.begin(name.upper())).page for name in names} == pages
    decoy = next(name for name, page in pages.items() if page == "first-one-time-password")
    known, unknown = door.begin("ana"), door.begin(decoy)
    assert door.take("one-time-password", known, code="x") == door.take(
        "one-time-password", unknown, code="x"
    )
    assert {one.to_address for one in door.do(people.list_messages)} == {
        "ana@example.com",
        "bea@example.com",
    }


def test_each_refusal_has_a_text_and_each_text_a_refusal():
    sources = "".join(path.read_text("utf-8") for path in Path(people.__file__).parent.parent.rglob("*.py"))
    assert sorted(re.findall(r'refuse\("([^"]+)"', sources)) == sorted(people.texts()["refusals"])
    closed = {f"{page.name}-closed" for page in (CONSOLE, MAILBOX, PHONE)}
    named = {*re.findall(r'problem\(visit, "([^"]+)"', sources), *closed}
    assert named == set(people.texts()["problems"])
