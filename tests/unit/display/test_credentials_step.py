"""Whose keys are compared: those of the session in the terminal, unless it is over or another person's."""

from types import SimpleNamespace

import pytest

from idc_aws.errors import CredentialsError
from idc_aws.signin.login import TemporaryCredentials
from idc_helpers.notebook import credentials
from idc_helpers.notebook.credentials import CredentialsStep


@pytest.fixture
def terminal(monkeypatch):
    """Whose session the terminal has; signing in makes it Mary's."""
    there = SimpleNamespace(person=None, logins=0)

    def get_role_credentials(_connection, _folder, account_id, role_name):
        if there.person is None:
            raise CredentialsError("there is no token of a login in the terminal", remedy="Sign in.")
        return TemporaryCredentials(f"key of {there.person}", "", "", 0)

    def who_am_i(_connection, keys, *, with_token=True):
        return f"arn:aws:sts::1:assumed-role/R/{keys.access_key_id.removeprefix('key of ')}"

    monkeypatch.setattr(credentials, "get_role_credentials", get_role_credentials)
    monkeypatch.setattr(credentials, "who_am_i", who_am_i)
    return there


@pytest.fixture
def step(terminal):
    def sign_in():
        terminal.person, terminal.logins = "mary.major", terminal.logins + 1

    profile = SimpleNamespace(
        user_name="mary.major",
        sign_in=sign_in,
        profile=SimpleNamespace(account_id="1", role_name="R"),
        terminal=SimpleNamespace(token_folder=None),
    )
    return CredentialsStep(SimpleNamespace(connection=None), profile)


@pytest.mark.parametrize(("person", "logins"), [("mary.major", 0), ("ana", 1), (None, 1)])
def test_headless_a_session_that_will_not_do_is_replaced(step, terminal, monkeypatch, person, logins):
    monkeypatch.setattr(credentials, "is_guided", lambda: False)
    terminal.person = person
    assert step._first_keys().access_key_id == "key of mary.major"
    assert terminal.logins == logins


def test_guided_nobody_is_signed_in_by_the_notebook(step, terminal, monkeypatch):
    monkeypatch.setattr(credentials, "is_guided", lambda: True)
    with pytest.raises(CredentialsError):
        step._first_keys()
    assert terminal.logins == 0
