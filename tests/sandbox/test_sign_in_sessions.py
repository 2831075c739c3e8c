"""Sessions of the portal: how long they last, and what ends them at once."""

from __future__ import annotations

import pytest

from idc_sandbox.errors import ServiceError
from idc_sandbox.sign_in import people


@pytest.fixture
def ana(door):
    user_id = door.add_person()
    door.set_mfa(prompt="never")
    return user_id


def test_a_session_lasts_as_long_as_the_setting_said_when_it_began(door, ana):
    eight_hours = door.sign_in_without_mfa()
    door.console("PUT", "settings/sessions", user_interactive="PT15M")
    quarter = door.sign_in_without_mfa()
    session = door.session(quarter)
    assert session.expires_at - session.created_at == 15 * 60
    door.advance(15 * 60 + 1)
    assert door.session(quarter) is None
    assert door.session(eight_hours) is not None
    door.advance(8 * 3600 - 15 * 60)
    assert door.session(eight_hours) is None


def test_a_disabled_user_loses_the_portal_at_once_and_gets_it_back(door, ana):
    token = door.sign_in_without_mfa()
    door.console("POST", f"users/{ana}/disable")
    assert door.session(token) is None
    assert door.do(people.list_sessions, ana) == []
    door.console("POST", f"users/{ana}/enable")
    assert door.session(token) is not None


def test_signing_out_ends_one_session_and_a_deleted_user_all(door, ana):
    first, second = door.sign_in_without_mfa(), door.sign_in_without_mfa()
    session_id = door.session(first).session_id
    assert door.do(people.end_session, session_id)
    assert not door.do(people.end_session, session_id)
    assert door.session(first) is None
    assert door.session(second) is not None
    door.call("identitystore", "DeleteUser", IdentityStoreId=door.identity_store_id, UserId=ana)
    assert door.session(second) is None


def test_the_console_lists_and_ends_sessions(door, ana):
    tokens = [door.sign_in_without_mfa() for _ in range(3)]
    shown = door.console("GET", f"users/{ana}/sessions")["sessions"]
    assert len(shown) == 3
    assert not any(token in str(shown) for token in tokens)
    first = f"users/{ana}/sessions/{shown[0]['session_id']}/delete"
    assert door.console("POST", first) == {"ended": 1}
    with pytest.raises(ServiceError) as caught:
        door.console("POST", first)
    assert caught.value.code == "ResourceNotFoundException"
    assert door.console("POST", f"users/{ana}/sessions/delete") == {"ended": 2}
    assert all(door.session(token) is None for token in tokens)


def test_a_session_survives_a_restart_and_its_token_is_not_kept(door, ana):
    token = door.sign_in_without_mfa()
    door.reopen()
    assert door.session(token) is not None
    assert token not in str([tuple(row) for row in door.execute("SELECT * FROM portal_session")])


@pytest.mark.parametrize("token", ["", "x" * 100_000, "\ud800", "日本"])
def test_an_invented_token_opens_nothing(door, ana, token):
    door.sign_in_without_mfa()
    assert door.session(token) is None
