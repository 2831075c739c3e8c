"""Invitations and resets: links that work once and for a time, and what the mailbox shows."""

from __future__ import annotations

import pytest
from front_door_harness import PASSWORD

from idc_sandbox.errors import ServiceError
from idc_sandbox.sign_in import flow, invitations, passwords, people


def token_of(message):
    assert message.link.startswith("/start/invitation/")
    return message.link.rpartition("/")[2]


def test_an_invitation_leads_to_a_password_once(door):
    user_id = door.add_person(password=None)
    message = door.do(invitations.invite, user_id)
    assert (message.kind, message.to_address) == ("invitation", "ana@example.com")
    assert door.do(people.list_messages, "ANA@example.com") == [message]
    token = token_of(message)
    for _ in range(2):  # to look at the page uses nothing up
        assert door.do(invitations.look_at_invitation, token).user_id == user_id
    assert door.do(invitations.accept, token, PASSWORD) == user_id
    assert door.do(passwords.verify_password, user_id, PASSWORD)
    assert door.refusal(invitations.accept, token, "Another-password-2").code == "invitation-used"
    assert door.do(passwords.verify_password, user_id, PASSWORD)


@pytest.mark.parametrize(
    ("address_then", "is_verified"),
    [("ana@example.com", True), ("ANA@example.com", True), ("new@example.com", False), (None, False)],
)
@pytest.mark.parametrize("kind", ["invitation", "password-reset"])
def test_a_link_verifies_only_the_address_to_which_it_was_mailed(door, kind, address_then, is_verified):
    user_id = door.add_person(password=None)
    door.do(invitations.invite, user_id) if kind == "invitation" else door.do(
        invitations.reset_password, user_id
    )
    token = token_of(door.do(people.list_messages)[0])
    address = {} if address_then is None else {"AttributeValue": [{"Value": address_then}]}
    door.call(
        "identitystore",
        "UpdateUser",
        IdentityStoreId=door.identity_store_id,
        UserId=user_id,
        Operations=[{"AttributePath": "emails"} | address],
    )
    door.do(invitations.accept, token, PASSWORD)
    assert door.do(invitations.is_verified, user_id) is is_verified


def test_a_password_that_is_no_good_does_not_use_the_invitation_up(door):
    user_id = door.add_person(password=None)
    token = token_of(door.do(invitations.invite, user_id))
    assert door.refusal(invitations.accept, token, "short").code == "password-rules"
    assert door.do(invitations.accept, token, PASSWORD) == user_id


def test_an_invitation_expires_after_seven_days(door):
    token = token_of(door.do(invitations.invite, door.add_person(password=None)))
    door.advance(7 * 86_400 - 60)
    door.do(invitations.look_at_invitation, token)
    door.advance(61)
    refusal = door.refusal(invitations.accept, token, PASSWORD)
    assert refusal.code == "invitation-expired"
    assert "Ask your administrator" in refusal.message


def test_a_reset_is_good_for_a_day_and_the_link_that_verifies_an_address_for_seven(door):
    user_id = door.add_person()
    door.call(
        "identitystore",
        "UpdateUser",
        IdentityStoreId=door.identity_store_id,
        UserId=user_id,
        Operations=[{"AttributePath": "emails", "AttributeValue": [{"Value": "new@example.com"}]}],
    )
    verifying = door.do(invitations.send_link, user_id).link.rpartition("/")[2]
    door.do(invitations.reset_password, user_id)
    token = token_of(door.do(people.list_messages)[0])
    door.advance(86_400 - 60)
    door.do(invitations.look_at_invitation, token)
    door.advance(61)
    assert door.refusal(invitations.accept, token, "Another-password-2").code == "invitation-expired"
    door.advance(6 * 86_400 - 61)
    assert door.do(invitations.person_of_link, verifying).user_id == user_id
    door.advance(61)
    assert door.refusal(invitations.verify, verifying).code == "verification-expired"
    assert not door.do(invitations.is_verified, user_id)


@pytest.mark.parametrize("token", ["", "x", "x" * 100_000, "日本", "\ud800", "' OR 1=1 --"])
def test_an_invented_link_opens_nothing(door, token):
    door.do(invitations.invite, door.add_person(password=None))
    assert door.refusal(invitations.look_at_invitation, token).code == "invitation-unknown"


def test_a_newer_invitation_replaces_the_older(door):
    user_id = door.add_person(password=None)
    first, second = (token_of(door.do(invitations.invite, user_id)) for _ in range(2))
    assert door.refusal(invitations.accept, first, PASSWORD).code == "invitation-unknown"
    door.do(invitations.accept, second, PASSWORD)


def test_who_cannot_be_invited_is_said_with_the_remedy(door):
    assert (
        door.refusal(invitations.invite, door.add_person("bea", password=None, email=False)).code
        == "no-email"
    )
    assert door.refusal(invitations.invite, door.add_person()).code == "has-password"
    disabled = door.add_person("cleo", password=None)
    token = token_of(door.do(invitations.invite, disabled))
    door.console("POST", f"users/{disabled}/disable")
    assert door.refusal(invitations.invite, disabled).code == "user-disabled"
    assert door.refusal(invitations.accept, token, PASSWORD).code == "user-disabled"
    assert door.refusal(invitations.invite, "nobody").code == "unknown-user"


def test_a_reset_by_mail_ends_the_old_password_and_leads_to_a_new_one(door):
    user_id = door.add_person()
    assert door.do(invitations.reset_password, user_id) is None
    message = door.do(people.list_messages)[0]
    assert message.kind == "password-reset"
    assert not door.do(passwords.verify_password, user_id, PASSWORD)
    assert door.refusal(invitations.accept, token_of(message), PASSWORD).code == "password-reused"
    door.do(invitations.accept, token_of(message), "Another-password-2")
    assert door.enter_password(password="Another-password-2")[1].page == "register-device"


def test_a_one_time_password_leads_to_a_new_password_at_the_first_sign_in(door):
    user_id = door.add_person()
    given = door.do(invitations.reset_password, user_id, "one-time-password")
    assert door.do(people.list_messages)[0].kind == "invitation", "it is shown, not mailed"
    sign_in_id, following = door.enter_password(password=given)
    assert following.page == "new-password"
    refused = door.refused("new-password", sign_in_id, new_password=given, confirm_password=given)
    assert (refused.code, door.do(flow.look, sign_in_id).page) == ("password-reused", "new-password")
    refused = door.refused("new-password", sign_in_id, new_password=PASSWORD, confirm_password=given)
    assert refused.code == "passwords-differ"
    assert (
        door.take(
            "new-password",
            sign_in_id,
            new_password="Another-password-2",
            confirm_password="Another-password-2",
        ).page
        == "register-device"
    )
    assert door.do(passwords.verify_password, user_id, "Another-password-2")
    assert not door.do(passwords.verify_password, user_id, given)


def test_the_console_invites_resets_and_shows_the_mail(door):
    user_id = door.add_person(password=None)
    message = door.console("POST", f"users/{user_id}/invite")["message"]
    assert door.console("GET", "mailbox", address="ana@example.com")["messages"] == [message]
    assert door.console("GET", "mailbox", address="nobody@example.com")["messages"] == []
    answer = door.console("POST", f"users/{user_id}/reset-password", delivery="one-time-password")
    assert door.do(passwords.verify_password, user_id, answer["one_time_password"])
    for path, body, code in (
        (f"users/{user_id}/invite", {}, "ConflictException"),
        (f"users/{user_id}/reset-password", {"delivery": "pigeon"}, "ValidationException"),
        ("users/nobody/invite", {}, "ResourceNotFoundException"),
        (f"users/{user_id}/invite/more", {}, "UnknownOperationException"),
    ):
        with pytest.raises(ServiceError) as caught:
            door.console("POST", path, **body)
        assert caught.value.code == code
