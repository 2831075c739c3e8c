"""The unmodified AWS CLI v2 at its prompts, and a person at the pages; then boto3 with such a profile."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from dataclasses import replace

import boto3
import pytest
from botocore.configloader import load_config
from patience import PATIENCE_S

from idc_aws.errors import ConfigFileError, CredentialsError, RunFailedError
from idc_aws.project import FORKS_VARIABLE
from idc_aws.signin import commands
from idc_aws.signin.activation import portal_settings, signed_in_person
from idc_aws.signin.commands import CommandForks
from idc_aws.signin.config_file import read_config
from idc_aws.signin.login import (
    begin_login,
    finish_login,
    get_role_credentials,
    log_out,
    refresh_token,
    save_token,
)
from idc_aws.signin.profiles import SsoProfile, is_own_profile, is_own_session, read_profile, write_profile
from idc_aws.signin.terminal import configure_sso, find_command_line, sandbox_terminal, sso_login


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
def mary(house):
    """A second person: nobody gives more than two codes of an app in half a minute without a wait."""
    with signed_in_person(house.run.connection, "mary.major") as person:
        yield person


@pytest.fixture(scope="module")
def terminal(house):
    if find_command_line() is None:
        pytest.fail("no AWS CLI v2 is on the path: `apt-get install awscli`, or AWS's installer")
    terminal = sandbox_terminal(house.run.connection)
    assert terminal.variables["HOME"].startswith(str(house.folder.path))
    forks = CommandForks(terminal.command_line.program, terminal.variables)  # as a run has it
    with pytest.MonkeyPatch.context() as patch:
        for name, value in forks.variables.items():
            patch.setenv(name, value)
        yield terminal
    forks.close()


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
    assert dict(steps)["account"] == f"{profile.account_id} (of 3)"
    assert dict(steps)["role"] == "not asked: ReadOnlyAccess is the only one"
    written = read_profile(read_config(terminal.config_file), "practice")
    assert written["sso_account_id"] == profile.account_id
    assert written["sso_role_name"] == "ReadOnlyAccess"
    assert written["sso_start_url"] == profile.start_url


def test_the_profile_is_the_person_in_the_role(configured, terminal):
    profile, _ = configured
    identity = terminal.call("sts", "get-caller-identity", profile="practice").values
    assert identity["Account"] == profile.account_id
    assert "/AWSReservedSSO_ReadOnlyAccess_" in identity["Arn"]
    assert identity["Arn"].endswith("/richard.roe")


@pytest.mark.parametrize(
    "words", [["--version"], ["sts", "get-caller-identity"], ["configure", "list"], ["no"]]
)
def test_a_fork_answers_what_a_program_answers(configured, terminal, monkeypatch, words):
    def said():
        done = terminal.run(*words, *([] if words == ["--version"] else ["--profile", "practice"]))
        return done.returncode, done.stdout, done.stderr

    begun, fork = [], commands._fork
    monkeypatch.setattr(commands, "_READY_S", PATIENCE_S)
    monkeypatch.setattr(commands, "_fork", lambda *order: begun.append(fork(*order)) or begun[-1])
    forked = said()
    assert all(begun) or FORKS_VARIABLE not in os.environ, "it was a program: the process could not serve it"
    monkeypatch.delenv(FORKS_VARIABLE, raising=False)
    assert forked == said()
    assert begun[-1] is None


def test_a_profile_without_a_region_works_as_in_a_terminal_of_the_lab(configured, terminal, boto_terminal):
    before = terminal.config_file.read_text()
    terminal.config_file.write_text(re.sub(r"(?m)^region *=.*\n", "", before))
    try:
        for one in (terminal, boto_terminal):
            assert one.call("sts", "get-caller-identity", profile="practice").values["Account"]
    finally:
        terminal.config_file.write_text(before)


def test_read_is_allowed_and_write_is_denied(configured, terminal):
    listed = terminal.run("s3", "ls", "--profile", "practice")
    assert (listed.returncode, listed.stdout) == (0, "")
    refused = terminal.run("s3", "mb", "s3://practice-denied", "--profile", "practice")
    assert refused.returncode != 0
    assert "AccessDenied" in refused.stderr


SESSION_OVER = "To refresh this SSO session run aws sso login with the corresponding profile"


def who_am_i(terminal):
    """Ask as a person would; return the exit status and what the CLI said."""
    done = terminal.run("sts", "get-caller-identity", "--profile", "practice", "--output", "json")
    return done.returncode, " ".join((done.stdout or done.stderr).split())


def forget_keys(terminal):
    """Remove the keys that the CLI keeps; the token stays."""
    shutil.rmtree(terminal.token_folder.parents[1] / "cli", ignore_errors=True)


def test_a_logout_ends_it_and_a_login_begins_it_again(configured, terminal, richard, logged_in):
    exported = terminal.run("configure", "export-credentials", "--profile", "practice", "--format", "process")
    taken = json.loads(exported.stdout)
    assert terminal.run("sso", "logout").returncode == 0
    assert not list((terminal.token_folder.parents[1] / "cli").rglob("*.json")), "keys outlive a logout"
    status, said = who_am_i(terminal)
    assert status != 0
    assert "Error loading SSO Token" in said
    keys = {"aws_access_key_id": taken["AccessKeyId"], "aws_secret_access_key": taken["SecretAccessKey"]}
    keys |= {"aws_session_token": taken["SessionToken"], "region_name": "us-east-1"}
    sts = boto3.client("sts", endpoint_url=terminal.variables["AWS_ENDPOINT_URL"], **keys)
    assert "/richard.roe" in sts.get_caller_identity()["Arn"], (
        "keys that were taken live on, as notebook 11 says"
    )
    sso_login(terminal, "practice", approval(richard))
    assert who_am_i(terminal)[0] == 0


@pytest.mark.parametrize("end", ["ended by the administrator", "over by the clock"])
def test_a_session_that_is_over_is_said_with_the_remedy(house, configured, terminal, logged_in, end):
    assert who_am_i(terminal)[0] == 0
    forget_keys(terminal)
    with contextlib.ExitStack() as stack:
        if end == "over by the clock":
            stack.enter_context(house.run.connection.console.clock_ahead(9 * 3600))
        else:
            house.control("POST", f"console/users/{house.user_id('richard.roe')}/sessions/delete", {})
        status, said = who_am_i(terminal)
    assert status != 0
    assert SESSION_OVER in said


def test_keys_that_the_cli_kept_are_refused_when_the_sandboxs_clock_is_past_their_end(
    house, configured, terminal, richard, logged_in
):
    assert who_am_i(terminal)[0] == 0
    with house.run.connection.console.clock_ahead(4 * 3600 + 60):  # the permission set says PT4H
        status, said = who_am_i(terminal)
        assert status != 0
        assert "(ExpiredToken)" in said
        assert terminal.run("sso", "logout").returncode == 0
        sso_login(terminal, "practice", approval(richard))
        assert who_am_i(terminal)[0] == 0
    assert who_am_i(terminal)[0] == 0


def test_a_denied_login_says_so(configured, terminal, richard):
    with pytest.raises(RunFailedError):
        sso_login(terminal, "practice", approval(richard, allow=False))


OTHERS = """
[profile mine]
sso_session = practice-session
sso_account_id = 111122223333
sso_role_name = Mine

[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
"""


def test_configured_again_only_the_kits_own_is_written_anew(configured, terminal, richard):
    profile, _ = configured
    path = terminal.config_file
    assert is_own_profile(read_config(path), "practice")
    assert is_own_session(read_config(path), "practice-session", "practice")
    path.write_text(path.read_text() + OTHERS)
    before = load_config(str(path))
    steps = configure_sso(terminal, profile, approval(richard))
    assert "SSO start URL" not in dict(steps), "a session that another profile uses is not written anew"
    assert load_config(str(path)) == before
    assert is_own_profile(read_config(path), "practice")


def test_another_portals_session_is_left_and_the_profile_gets_its_own(configured, terminal, richard):
    path = terminal.config_file
    path.write_text(
        path.read_text() if "[sso-session corp]" in path.read_text() else path.read_text() + OTHERS
    )
    before = load_config(str(path))
    wanted = replace(configured[0], profile_name="third", session_name="corp")
    configure_sso(terminal, wanted, approval(richard))
    after = load_config(str(path))
    assert after["profiles"].pop("third")["sso_session"] == "corp-2"
    assert after["sso_sessions"].pop("corp-2")["sso_start_url"] == wanted.start_url
    assert after == before


def test_a_profile_of_that_name_that_somebody_else_made_is_never_replaced(configured, terminal, richard):
    path = terminal.config_file
    wanted = replace(configured[0], profile_name="by-hand")
    role = f"sso_account_id = {wanted.account_id}\nsso_role_name = {wanted.role_name}\n"
    path.write_text(
        path.read_text() + f"\n[profile by-hand]\nsso_session = practice-session\n{role}region: x\n"
    )
    before = path.read_text()
    assert configure_sso(terminal, wanted, approval(richard)), "it signs in as wanted: it is signed in with"
    assert path.read_text() == before.rstrip("\n") + "\noutput = json\n"
    path.write_text(before.replace("region: x", "role_arn = x"))
    with pytest.raises(ConfigFileError, match="role_arn"):
        configure_sso(terminal, wanted, approval(richard))
    assert path.read_text() == before.replace("region: x", "role_arn = x")
    path.write_text(before[: before.index("\n[profile by-hand]")])


@pytest.fixture(scope="module")
def boto_terminal(house):
    return sandbox_terminal(house.run.connection, use_command_line=False)


@pytest.fixture(scope="module")
def boto_profile(house, richard, boto_terminal):
    profile = profile_of(house.run.connection, richard, "by-boto3")
    write_profile(boto_terminal.config_file, profile)
    return profile


@pytest.fixture(scope="module")
def mary_profile(house, mary, boto_terminal):
    profile = profile_of(house.run.connection, mary, "by-mary")
    write_profile(boto_terminal.config_file, profile)
    return profile


def log_in_by_boto3(connection, person, terminal, profile):
    login = begin_login(connection, profile.start_url)
    approval(person)(login.user_code)
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


def test_boto3_login_denied(house, mary, mary_profile):
    connection = house.run.connection
    login = begin_login(connection, mary_profile.start_url)
    approval(mary, allow=False)(login.user_code)
    with pytest.raises(CredentialsError, match="AccessDenied"):
        finish_login(connection, login)


def test_a_token_is_refreshed_without_a_login_and_kept_for_the_owner(
    house, mary, boto_terminal, mary_profile
):
    connection = house.run.connection
    path = log_in_by_boto3(connection, mary, boto_terminal, mary_profile)
    first = json.loads(path.read_text())
    with connection.console.clock_ahead(2 * 3600):  # a token lasts an hour
        with pytest.raises(CredentialsError, match="gives no credentials"):
            role_credentials(connection, boto_terminal, mary_profile)
        assert refresh_token(connection, boto_terminal.token_folder) == path
        assert role_credentials(connection, boto_terminal, mary_profile).access_key_id.startswith("ASIA")
    second = json.loads(path.read_text())
    assert {name for name in first if first[name] != second[name]} >= {"accessToken", "refreshToken"}
    assert path.stat().st_mode & 0o077 == 0
    log_out(connection, boto_terminal.token_folder)
    with pytest.raises(CredentialsError, match="no login in the terminal"):
        refresh_token(connection, boto_terminal.token_folder)


def test_a_session_that_is_over_cannot_be_refreshed(house, mary, boto_terminal, mary_profile):
    connection = house.run.connection
    log_in_by_boto3(connection, mary, boto_terminal, mary_profile)
    with (
        connection.console.clock_ahead(9 * 3600),
        pytest.raises(CredentialsError, match=r"(?s)session in the terminal is over.*as in notebook 10"),
    ):
        refresh_token(connection, boto_terminal.token_folder)


def role_credentials(connection, terminal, profile):
    return get_role_credentials(connection, terminal.token_folder, profile.account_id, profile.role_name)
