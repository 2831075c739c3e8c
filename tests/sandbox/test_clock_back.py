"""The clock goes ahead and back: what was made in between lasts, and makes wait, as its rule says."""

from __future__ import annotations

import re

import pytest
from front_door_harness import PASSWORD

from idc_sandbox import store
from idc_sandbox.api.oidc import authorizations, clients, tokens
from idc_sandbox.api.oidc.tokens import session_of_access_token
from idc_sandbox.api.signin import logins
from idc_sandbox.errors import ServiceError
from idc_sandbox.sign_in import devices, flow, invitations, passwords, people
from idc_sandbox.sign_in.people import Refusal

AHEAD_S = 3 * 86_400.0
HOUR = 3_600.0


@pytest.fixture
def ahead(door):
    """Return the front door with its clock three days ahead, and two people."""
    door.ana = door.add_person()
    door.ben = door.add_person("ben", password=None)
    door.advance(AHEAD_S)
    return door


def go_back(door):
    with door.store.transaction() as connection:
        store.reset_clock(connection)


def works(door, function, *arguments, **options):
    """Tell whether the front door takes it."""
    try:
        return bool(door.do(function, *arguments, **options))
    except Refusal:
        return False


# --- one row a thing that lasts: how it is made, whether it works, and how long its rule lets it work


def portal_session(door):
    door.set_mfa(prompt="never")
    token = door.sign_in_without_mfa()
    return (lambda: door.session(token) is not None), 8 * HOUR


def sign_in(door):
    sign_in_id = door.begin("ana")
    return (lambda: works(door, flow.look, sign_in_id)), flow.SIGN_IN_LIFETIME_S


def invitation(door):
    token = door.do(invitations.invite, door.ben).link.rpartition("/")[2]
    return (lambda: works(door, invitations.look_at_invitation, token)), invitations.INVITATION_LIFETIME_S


def password_reset(door):
    door.do(invitations.reset_password, door.ana)
    token = door.do(people.list_messages)[0].link.rpartition("/")[2]
    return (lambda: works(door, invitations.look_at_invitation, token)), invitations.RESET_LIFETIME_S


def one_time_password(door):
    password = door.do(invitations.reset_password, door.ben, "one-time-password")
    fits = lambda: door.do(passwords.verify_password, door.ben, password)  # noqa: E731
    return fits, passwords.ONE_TIME_LIFETIME_S


def registration_of_an_app(door):
    door.do(devices.pending_registration, door.ana)
    waits = lambda: door.do(devices.find_challenge, door.ana, "totp-registration") is not None  # noqa: E731
    return waits, devices.CHALLENGE_LIFETIME_S


def trusted_browser(door):
    door.set_mfa(prompt="context-aware")
    app = door.register_app(door.ana)
    devices.time.now += 30  # its first code is used
    sign_in_id, _ = door.enter_password()
    token = door.finish_with_app(sign_in_id, app, trust_browser="yes").trusted_browser_token
    passes = lambda: door.enter_password(browser_tokens=[token])[1].page == "signed-in"  # noqa: E731
    return passes, flow.TRUSTED_BROWSER_LIFETIME_S


LASTING = [
    portal_session,
    sign_in,
    invitation,
    password_reset,
    one_time_password,
    registration_of_an_app,
    trusted_browser,
]


@pytest.mark.parametrize("make", LASTING, ids=lambda make: make.__name__)
def test_what_lasts_goes_on_and_no_longer_than_its_rule_says(ahead, machine_time, make):
    is_good, lifetime_s = make(ahead)
    assert is_good()
    go_back(ahead)
    assert is_good()
    ahead.advance(lifetime_s - 5)
    assert is_good()
    ahead.advance(10)
    assert not is_good()


@pytest.mark.parametrize("make", LASTING, ids=lambda make: make.__name__)
def test_what_was_made_before_is_as_it_was(door, machine_time, make):
    door.ana, door.ben = door.add_person(), door.add_person("ben", password=None)
    is_good, lifetime_s = make(door)
    door.advance(lifetime_s + 5)
    assert not is_good()
    if make is not sign_in and make is not trusted_browser:  # looking has made another one of these
        go_back(door)
        assert is_good()


# --- one row a thing that makes people wait


def test_six_wrong_passwords_ahead_wait_seconds_after(ahead):
    sign_in_id = ahead.begin("ana")
    for _ in range(6):
        ahead.take("password", sign_in_id, password="Wrong-password-1")
        ahead.advance(0.9)
    go_back(ahead)
    sign_in_id = ahead.begin("ana")
    waiting = ahead.take("password", sign_in_id, password=PASSWORD)
    assert 0 <= waiting.retry_after_s <= 2
    assert "minute" not in waiting.message
    ahead.advance(2.1)
    assert ahead.take("password", sign_in_id, password=PASSWORD).page == "register-device"


@pytest.mark.parametrize("failures", [5, 12, 40])
def test_no_wait_is_longer_than_the_rule_allows_even_when_the_machines_clock_goes_back(ahead, failures):
    with ahead.context() as context:
        for _ in range(failures):
            passwords.note_failure(context, "ana", "10.0.0.1")
    ahead.execute("DELETE FROM switch WHERE name = 'clock_offset_s'")  # no reset that could have put it right
    with ahead.context() as context:
        waited = passwords.waiting_s(context, "ana", "10.0.0.1")
        assert waited <= min(2.0 ** (failures - 5), passwords.LONGEST_WAIT_S)
        passwords.note_failure(context, "ana", "10.0.0.1")
        assert passwords.waiting_s(context, "ana", "10.0.0.1") <= passwords.LONGEST_WAIT_S


def test_a_mailed_code_can_be_asked_for_again_and_the_newest_message_is_first(ahead):
    ahead.set_mfa(user_without_device="require-email-otp")
    sign_in_id, after = ahead.enter_password()
    assert after.message == flow.SENT
    go_back(ahead)
    assert "Wait 30 seconds" in ahead.take("resend-email-code", sign_in_id).message
    ahead.advance(flow.RESEND_AFTER_S)
    old = ahead.newest_code()
    assert ahead.take("resend-email-code", sign_in_id).message == flow.SENT
    assert ahead.newest_code() != old
    assert ahead.take("email-code", sign_in_id, code=ahead.newest_code()).page == "signed-in"


# --- programs


def test_programs_tokens_codes_and_registrations_go_on_and_end(portal):
    portal.clients.advance_clock(AHEAD_S)
    session_id = portal.sign_in()
    client = portal.register(grantTypes=["authorization_code", "refresh_token"],
                             redirectUris=["http://127.0.0.1/oauth/callback"])  # fmt: skip
    code = portal.code(client, session_id=session_id)
    tokens, waiting = portal.log_in(session_id), portal.start(portal.register())
    with portal.clients.store.transaction() as connection:
        store.reset_clock(connection)
        (expires_at,) = connection.execute(
            "SELECT max(expires_at) - ? FROM oidc_client", (store.now(connection),)
        ).fetchone()
    assert expires_at <= clients.REGISTRATION_LIFETIME_S + 1
    is_live = lambda: portal.do(session_of_access_token, tokens["accessToken"])  # noqa: E731
    find = authorizations.find_device_request
    assert is_live()
    assert portal.do(authorizations.find_code, code)
    assert portal.do(find, waiting["userCode"])
    portal.clients.advance_clock(601)
    assert portal.do(authorizations.find_code, code) is None
    with pytest.raises(Refusal, match="expired"):
        portal.do(find, waiting["userCode"])
    portal.clients.advance_clock(HOUR - 700)
    assert is_live()
    portal.clients.advance_clock(200)
    assert not is_live()
    tokens = portal.refresh(tokens)
    portal.clients.advance_clock(7 * HOUR)
    with pytest.raises(portal.oidc.exceptions.InvalidGrantException):
        portal.refresh(tokens)


def test_a_program_that_polled_ahead_is_not_told_to_slow_down(portal):
    client = portal.register()
    portal.clients.advance_clock(AHEAD_S)
    code = portal.start(client)["deviceCode"]
    for _ in range(3):
        with pytest.raises(portal.oidc.exceptions.AuthorizationPendingException):
            portal.poll(client, code)
    with portal.clients.store.transaction() as connection:
        store.reset_clock(connection)
    for _ in range(3):
        portal.clients.advance_clock(1)
        with pytest.raises(portal.oidc.exceptions.AuthorizationPendingException):
            portal.poll(client, code)


def test_what_a_lesson_made_within_its_hour_ends_with_that_hour_and_not_with_the_teachers_days(ahead):
    """The clock was three days ahead before, and goes back to there: what was made then is untouched."""
    ahead.set_mfa(prompt="never")
    before = ahead.sign_in_without_mfa()
    ahead.advance(HOUR)
    with ahead.store.transaction() as connection:
        store.reset_clock(connection, AHEAD_S)
        assert store.clock_offset_s(connection) == AHEAD_S
    ahead.advance(8 * HOUR - 5)
    assert ahead.session(before) is not None
    ahead.advance(10)
    assert ahead.session(before) is None


@pytest.mark.parametrize("offset_s", [-1, 3 * 86_400.0 + 1, "0", None, True, float("nan")])
def test_the_clock_goes_back_only(ahead, offset_s):
    with ahead.store.transaction() as connection, pytest.raises(ServiceError, match="offset_s"):
        store.reset_clock(connection, offset_s)


RULES = {
    ("sign_in", "expires_at"): flow.SIGN_IN_LIFETIME_S,
    ("sign_in", "code_expires_at"): flow.EMAIL_CODE_LIFETIME_S,
    ("device_challenge", "expires_at"): devices.CHALLENGE_LIFETIME_S,
    ("user_password", "expires_at"): passwords.ONE_TIME_LIFETIME_S,
    ("trusted_browser", "expires_at"): flow.TRUSTED_BROWSER_LIFETIME_S,
    ("authorization_code", "expires_at"): authorizations.AUTHORIZATION_CODE_LIFETIME_S,
    ("oidc_client", "expires_at"): clients.REGISTRATION_LIFETIME_S,
    ("login_session", "code_expires_at"): logins.LOGIN_CODE_LIFETIME_S,
}
# Times that are looked at by nothing but people, or by rules that know of a clock that went back.
HARMLESS = {
    "updated_at",
    "registered_at",
    "last_used_at",
    "provisioned_at",
    "deleted_at",
    "ended_at",
    "used_at",
}
DATED_ONLY = {"instance", "permission_set", "account_assignment", "asynchronous_request", "identity_user",
              "access_application", "entitlement",
              "identity_group", "application", "application_assignment", "trusted_token_issuer",
              "instance_region", "trail", "trail_event", "athena_table", "athena_query"}  # fmt: skip


def test_every_time_in_the_state_is_thought_of(door):
    for place, lifetime_s in RULES.items():
        ((ahead_s,),) = door.execute(f"SELECT {store.LONGEST_AHEAD_S[place]}")
        assert ahead_s == lifetime_s, place
    spans = {(table, column) for table in store._SPANS for column in ("created_at", "expires_at")}
    known = spans | set(store.LONGEST_AHEAD_S)
    columns = door.execute(
        "SELECT t.name, c.name FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c"
        " WHERE t.type = 'table' AND c.type = 'REAL'"
    )
    assert len(columns) > 30
    for table, column in columns:
        is_harmless = column in HARMLESS or table in DATED_ONLY
        assert is_harmless or (table, column) in known, (table, column)
    assert re.findall("28800, 3600", str(store.LONGEST_AHEAD_S))
    assert (tokens.LEGACY_TOKEN_LIFETIME_S, tokens.ACCESS_TOKEN_LIFETIME_S) == (28_800, 3_600)
