"""Which account and permission set notebook 10's profile is for; nobody signs in to find that out."""

from __future__ import annotations

import pytest

from idc_aws.errors import ConfigFileError, NotFoundError
from idc_aws.scenario.people import Person
from idc_aws.signin.activation import describe_person, portal_settings
from idc_aws.signin.profiles import write_profile
from idc_helpers.notebook.command_line import CommandLineStep


@pytest.fixture
def chosen(house):
    def choose(user_name="mary.major", **wanted):
        return CommandLineStep(house.run, Person(user_name=user_name, **wanted)).profile

    return choose


def test_an_account_is_found_by_its_name_and_by_its_id(chosen):
    by_name = chosen("richard.roe", account="Production", permission_set="ReadOnlyAccess")
    by_id = chosen("richard.roe", account=by_name.account_id, permission_set="ReadOnlyAccess")
    assert by_id == by_name
    assert (by_name.role_name, by_name.profile_name) == ("ReadOnlyAccess", "practice")


def test_what_is_not_named_is_the_first_that_the_person_reaches(chosen):
    first = chosen("richard.roe")
    assert first == chosen("richard.roe", account="Development")
    assert chosen("richard.roe", permission_set="BillingAuditor").role_name == "BillingAuditor"
    assert chosen().role_name == "AdministratorAccess"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"permission_set": "AdministratorAccess"}, "'richard.roe' 'AdministratorAccess'"),
        (
            {"account": "Management", "permission_set": "ReadOnlyAccess"},
            "'richard.roe' 'ReadOnlyAccess' in 'Management'",
        ),
    ],
)
def test_what_the_person_does_not_have_is_refused_with_who_and_what(chosen, wanted, words):
    with pytest.raises(NotFoundError, match=f"no account assignment gives {words}"):
        chosen("richard.roe", **wanted)


def test_an_account_that_is_not_there_is_refused_with_a_guess(chosen):
    with pytest.raises(NotFoundError, match=r"no account 'Developmet'\. Did you mean 'Development'"):
        chosen(account="Developmet")


def test_looking_for_a_role_leaves_password_and_devices_alone(house, chosen):
    person = house.active_person("mary.major")
    before = describe_person(house.run.connection, "mary.major")
    assert before.has_password
    chosen()
    assert describe_person(house.run.connection, "mary.major") == before
    assert person.portal()


def test_guided_the_profile_of_the_terminal_counts(house, chosen, monkeypatch):
    step = CommandLineStep(house.run, Person(user_name="richard.roe", permission_set="BillingAuditor"))
    write_profile(step.terminal.config_file, step.profile)
    monkeypatch.setenv("IDC_INTERACTIVE", "guided")
    assert chosen("richard.roe", permission_set="ReadOnlyAccess").role_name == "BillingAuditor"


OTHERS = "[profile corp]\nsso_session = practice\n[sso-session practice]\nsso_start_url = https://corp.awsapps.com/start\n"


@pytest.fixture
def step(house, monkeypatch):
    """Notebook 10's step, without an AWS CLI, and with a config file that is put back."""
    monkeypatch.setenv("PATH", "/nowhere")
    step = CommandLineStep(house.run, Person(user_name="mary.major"))
    path = step.terminal.config_file
    before = path.read_bytes() if path.exists() else None
    yield step
    path.unlink(missing_ok=True)
    if before is not None:
        path.write_bytes(before)


def test_a_call_before_the_profile_is_there_is_no_refusal(step):
    step.terminal.config_file.unlink(missing_ok=True)
    answer = step.call("sts", "get-caller-identity")
    assert answer.text.startswith("… not yet: no profile has that name")


def test_a_session_of_others_keeps_its_name_and_the_plan_says_which_one_is_made(step, monkeypatch):
    step.terminal.config_file.write_text(OTHERS)
    plan = step.plan()
    assert "practice-2" in plan.note
    assert not any(line.startswith("-") for (line,) in plan.rows)
    assert ("SSO session name", "practice-2") in step._to_answer().rows
    step.apply()
    assert step.terminal.config_file.read_text().startswith(OTHERS)
    assert step.check()
    assert step.config_lines().rows[1][0] == "sso_session = practice-2"


def profile_at(step, start_url: str) -> str:
    """Return what the AWS CLI writes for a person who typed this start URL."""
    wanted = step.profile
    return (
        f"[profile practice]\nsso_session = mine\nsso_account_id = {wanted.account_id}\n"
        f"sso_role_name = {wanted.role_name}\n[sso-session mine]\nsso_start_url = {start_url}\n"
        f"sso_region = {wanted.sso_region}\nsso_registration_scopes = sso:account:access\n"
    )


@pytest.mark.parametrize("guided", ["guided", ""])
def test_every_address_of_the_portal_is_the_same_portal(house, step, monkeypatch, guided):
    monkeypatch.setenv("IDC_INTERACTIVE", guided)
    of_pages = house.run.connection.console.pages()["portal_url"]
    start_urls = portal_settings(house.run.connection)["start_urls"]
    assert of_pages in start_urls
    assert len(start_urls) >= 4
    for start_url in start_urls:
        step.terminal.config_file.write_text(profile_at(step, start_url))
        again = CommandLineStep(house.run, Person(user_name="mary.major"))
        again.apply()
        assert again.profile.session_name == "mine", start_url
        assert start_url in step.terminal.config_file.read_text()


def test_another_portal_is_refused_with_its_address(step):
    step.terminal.config_file.write_text(profile_at(step, "https://corp.awsapps.com/start"))
    with pytest.raises(
        ConfigFileError, match=r"'mine', which signs in at 'https://corp\.awsapps\.com/start'"
    ):
        step.plan()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[profile practice]\nrole_arn = x\n", "config:2: profile 'practice' belongs to something else"),
        ("[default]\nregion = a\nregion = b\n", "config:3: duplicate key 'region'"),
    ],
)
@pytest.mark.parametrize("act", ["plan", "apply", "check"])
def test_what_is_taken_or_broken_is_refused_before_anything_is_done(step, text, words, act):
    path = step.terminal.config_file
    path.write_text(text)
    with pytest.raises(ConfigFileError, match=words):
        getattr(step, act)()
    assert path.read_text() == text
