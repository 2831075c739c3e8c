"""The unmodified AWS CLI v2 at its prompts, and a person at the pages; then boto3 with such a profile."""

from __future__ import annotations

import shutil

import pytest

from idc_helpers.aws.activation import portal_settings, signed_in_person
from idc_helpers.aws.command_line import find_command_line
from idc_helpers.aws.configure_sso import configure_sso, sso_login
from idc_helpers.aws.profiles import SsoProfile, read_profile, write_profile
from idc_helpers.aws.sign_in import begin_login, finish_login, log_out, save_token
from idc_helpers.aws.terminal import sandbox_terminal
from idc_helpers.errors import CredentialsError, RunFailedError


def profile_of(connection, person, name):
    portal = portal_settings(connection)
    role = person.do("portal")[0]
    return SsoProfile(
        profile_name=name,
        session_name=f"{name}-session",
        start_url=portal["start_url"],
        sso_region=portal["region"],
        account_id=role["account_id"],
        role_name=role["role_name"],
        region="us-east-1",
    )


def approval(person, *, allow=True):
    def approve(code):
        person.do("sign_in")  # a logout ends the browser's session too
        person.do("approve_device", user_code=code, allow=allow)

    return approve


@pytest.fixture(scope="module")
def richard(house):
    with signed_in_person(house.run.connection, "richard.roe") as person:
        yield person


@pytest.fixture(scope="module")
def terminal(house):
    if find_command_line() is None:
        pytest.fail("no AWS CLI v2 is on the path: `apt-get install awscli`, or AWS's installer")
    terminal = sandbox_terminal(house.run.connection)
    assert terminal.variables["HOME"].startswith(str(house.folder.path))
    return terminal


@pytest.fixture(scope="module")
def configured(house, richard, terminal):
    profile = profile_of(house.run.connection, richard, "practice")
    steps = configure_sso(terminal, profile, approval(richard))
    return profile, steps


@pytest.fixture
def logged_in(configured, richard, terminal):
    sso_login(terminal, "practice", approval(richard))


def test_configure_sso_asks_and_writes(configured, terminal):
    profile, steps = configured
    assert [question for question, _ in steps][:4] == [
        "SSO session name",
        "SSO start URL",
        "SSO region",
        "SSO registration scopes",
    ]
    written = read_profile(terminal.config_file.read_text(), "practice")
    assert written["sso_account_id"] == profile.account_id
    assert written["sso_role_name"] == "ReadOnlyAccess"
    assert written["sso_start_url"] == profile.start_url


def test_the_profile_is_the_person_in_the_role(configured, terminal):
    profile, _ = configured
    identity = terminal.call("sts", "get-caller-identity", profile="practice").values
    assert identity["Account"] == profile.account_id
    assert "/AWSReservedSSO_ReadOnlyAccess_" in identity["Arn"]
    assert identity["Arn"].endswith("/richard.roe")


def test_read_is_allowed_and_write_is_denied(configured, terminal):
    listed = terminal.run("s3", "ls", "--profile", "practice")
    assert (listed.returncode, listed.stdout) == (0, "")
    refused = terminal.run("s3", "mb", "s3://practice-denied", "--profile", "practice")
    assert refused.returncode != 0
    assert "AccessDenied" in refused.stderr


def test_logout_login_and_an_expired_session(house, configured, terminal, richard, logged_in):
    assert terminal.run("sso", "logout").returncode == 0
    refused = terminal.run("sts", "get-caller-identity", "--profile", "practice")
    assert refused.returncode != 0
    assert "aws sso login" in refused.stderr or "token" in refused.stderr.lower()

    sso_login(terminal, "practice", approval(richard))
    assert terminal.call("sts", "get-caller-identity", profile="practice").values

    user_id = house.user_id("richard.roe")
    house.control("POST", f"console/users/{user_id}/sessions/delete", {})
    shutil.rmtree(terminal.token_folder.parents[1] / "cli", ignore_errors=True)
    expired = terminal.run("sts", "get-caller-identity", "--profile", "practice")
    assert expired.returncode != 0
    assert "session" in expired.stderr.lower() or "token" in expired.stderr.lower()


def test_a_denied_login_says_so(configured, terminal, richard):
    with pytest.raises(RunFailedError):
        sso_login(terminal, "practice", approval(richard, allow=False))


@pytest.fixture(scope="module")
def boto_terminal(house):
    return sandbox_terminal(house.run.connection, use_command_line=False)


@pytest.fixture(scope="module")
def boto_profile(house, richard, boto_terminal):
    profile = profile_of(house.run.connection, richard, "by-boto3")
    write_profile(boto_terminal.config_file, profile)
    return profile


def log_in_by_boto3(connection, richard, terminal, profile):
    login = begin_login(connection, profile.start_url)
    approval(richard)(login.user_code)
    token = finish_login(connection, login)
    return save_token(terminal.token_folder, profile, login, token)


def test_boto3_resolves_a_sso_session_profile(house, richard, boto_terminal, boto_profile):
    connection = house.run.connection
    path = log_in_by_boto3(connection, richard, boto_terminal, boto_profile)
    assert path.stat().st_mode & 0o077 == 0
    identity = boto_terminal.call("sts", "get-caller-identity", profile="by-boto3")
    assert identity.values["Arn"].endswith("/richard.roe")
    denied = boto_terminal.call("s3api", "create-bucket", profile="by-boto3", bucket="practice-denied")
    assert "AccessDenied" in denied.refusal

    assert log_out(connection, boto_terminal.token_folder) >= 1
    assert boto_terminal.call("sts", "get-caller-identity", profile="by-boto3").refusal


def test_boto3_login_denied(house, richard, boto_profile):
    connection = house.run.connection
    login = begin_login(connection, boto_profile.start_url)
    approval(richard, allow=False)(login.user_code)
    with pytest.raises(CredentialsError, match="AccessDenied"):
        finish_login(connection, login)
