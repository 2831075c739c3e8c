"""The instance, its settings, and how people sign in."""

from __future__ import annotations

import pydantic
import pytest
from scenario_refusals import accepted, refused

from idc_aws.scenario.scenario import Mfa, Scenario

BOTH_TYPES = ["security-keys-and-built-in-authenticators", "authenticator-apps"]


def test_an_empty_scenario_is_the_safe_default():
    scenario = Scenario()
    assert (scenario.target, scenario.mode, scenario.region) == ("sandbox", None, "us-east-1")
    assert scenario.instance.kind == "organization"
    assert scenario.identity_source.type == "identity_center_directory"
    assert scenario.authentication.mfa == Mfa(
        prompt="context-aware",
        allowed_types=BOTH_TYPES,
        user_without_device="require-registration",
        users_manage_own_devices=True,
    )
    assert scenario.authentication.sessions.model_dump() == {
        "user_interactive": "PT8H",
        "user_background": "P7D",
    }
    assert scenario.authentication.send_email_otp is True
    assert (scenario.access_control_attributes, scenario.management.delegated_administrator) == (None, None)
    assert [scenario.permission_sets, scenario.groups, scenario.users, scenario.account_assignments] == [
        [],
        [],
        [],
        [],
    ]


def test_a_scenario_does_not_change():
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        Scenario().region = "eu-west-1"


@pytest.mark.parametrize(
    ("parameters", "path", "words"),
    [
        ({"regoin": "us-east-1"}, "regoin", "unknown key 'regoin'. Did you mean 'region'?"),
        ({"instance": {"knid": "account"}}, "instance.knid", "Did you mean 'kind'?"),
        (
            {"authentication": {"mfa": {"zzz": 1}}},
            "authentication.mfa.zzz",
            "Known here: prompt, allowed_types",
        ),
        (
            {"target": "asw"},
            "target",
            "'asw' is not one of the choices. Did you mean 'aws'? Choose 'sandbox' or 'aws'",
        ),
        ({"mode": 1}, "mode", "1 is not one of the choices. Choose 'plan' or 'apply'"),
        ({"region": "Ireland"}, "region", "'Ireland' is not a Region's code"),
        ({"expected_account": 111122223333}, "expected_account", "111122223333 is a number"),
        ({"expected_account": "1111"}, "expected_account", "'1111' is not an account id"),
        ({"instance": {"name": "two words"}}, "instance.name", "a space is not allowed in it"),
        ({"instance": {"name": "x" * 256}}, "instance.name", "256 characters"),
        ({"instance": {"tags": {"aws:x": "y"}}}, "instance.tags.aws:x", "'aws:'"),
        ({"instance": {"tags": {"x": "y!"}}}, "instance.tags.x", "'!' is not allowed"),
        ({"instance": {"tags": {f"k{n}": "" for n in range(76)}}}, "instance.tags", "at most 75"),
        ({"access_portal": {"subdomain": "Practice Portal"}}, "access_portal.subdomain", "lower-case"),
        ({"access_portal": {"subdomain": "d-portal"}}, "access_portal.subdomain", "'d-'"),
        ({"access_portal": {"subdomain": "x" * 63}}, "access_portal.subdomain", "at most 62"),
        ({"identity_source": {"type": "okta"}}, "identity_source.type", "'external_identity_provider'"),
        (
            {"management": {"delegated_administrator": "123"}},
            "management.delegated_administrator",
            "twelve digits",
        ),
        ({"management": {"delegated_administrator": 123}}, "management.delegated_administrator", "Quote"),
        ({"groups": {"display_name": "x"}}, "groups", "not a list"),
        ({1: "x"}, "[1]", "should be strings"),
    ],
)
def test_impossible_settings_are_refused_at_their_place(parameters, path, words):
    found = refused(parameters)
    assert list(found) == [path]
    assert words in found[path]


def test_a_key_in_the_place_of_a_profile_is_refused_and_not_repeated():
    found = refused({"profile": "AKIAI44QH8DHBEXAMPLE"})
    assert "access key" in found["profile"]
    assert "AKIA" not in found["profile"]


def attribute(source: object, key: str = "CostCenter") -> dict[str, object]:
    return {"access_control_attributes": {"attributes": {key: source}}}


@pytest.mark.parametrize(
    "source",
    ["${path:enterprise.costCenter}", '${path:addresses[type eq "work"].region}', "${user:email}"],
)
def test_attributes_for_access_control_name_a_users_attribute(source):
    assert accepted(attribute(source)).access_control_attributes.attributes == {"CostCenter": source}


@pytest.mark.parametrize("source", ["enterprise.costCenter", "$path:x", "${}", "${ }", "${path:a}!", "", 5])
def test_other_sources_of_attributes_are_refused(source):
    assert list(refused(attribute(source))) == ["access_control_attributes.attributes.CostCenter"]


def test_at_most_50_attributes_for_access_control():
    attributes = {f"Key{number}": "${path:title}" for number in range(51)}
    assert accepted({"access_control_attributes": {"attributes": dict(list(attributes.items())[:50])}})
    assert (
        "50"
        in refused({"access_control_attributes": {"attributes": attributes}})[
            "access_control_attributes.attributes"
        ]
    )


@pytest.mark.parametrize("given", ["PT15M", "PT900S", "P90D", "PT2160H", "P2W"])
@pytest.mark.parametrize("session", ["user_interactive", "user_background"])
def test_sessions_of_the_access_portal_have_bounds_that_belong_to_them(given, session):
    assert accepted({"authentication": {"sessions": {session: given}}})


@pytest.mark.parametrize("given", ["PT14M59S", "P90DT1S", "P91D", "8h", "PT0S"])
@pytest.mark.parametrize("session", ["user_interactive", "user_background"])
def test_sessions_of_the_access_portal_beyond_the_bounds_are_refused(given, session):
    found = refused({"authentication": {"sessions": {session: given}}})
    assert repr(given) in found[f"authentication.sessions.{session}"]


def test_equal_durations_are_equal():
    scenarios = [
        accepted({"authentication": {"sessions": {"user_interactive": text}}}) for text in ("PT8H", "PT480M")
    ]
    assert scenarios[0] == scenarios[1]


def mfa(**fields: object) -> dict[str, object]:
    return {"authentication": {"mfa": fields}}


def test_requiring_registration_needs_users_who_manage_their_own_devices():
    found = refused(mfa(user_without_device="require-registration", users_manage_own_devices=False))
    assert "the console forces it on" in found["authentication.mfa.users_manage_own_devices"]


@pytest.mark.parametrize("choice", ["require-email-otp", "block", "allow"])
def test_other_choices_leave_devices_to_administrators(choice):
    scenario = accepted(mfa(user_without_device=choice, users_manage_own_devices=False))
    assert scenario.authentication.mfa.users_manage_own_devices is False


@pytest.mark.parametrize("prompt", ["context-aware", "always-on"])
def test_a_prompt_needs_a_type_that_can_answer_it(prompt):
    found = refused(mfa(prompt=prompt, allowed_types=[]))
    assert repr(prompt) in found["authentication.mfa.allowed_types"]


def test_no_prompt_needs_no_type():
    assert accepted(mfa(prompt="never", allowed_types=[])).authentication.mfa.allowed_types == []


def test_a_type_is_named_once():
    found = refused(mfa(allowed_types=["authenticator-apps", "authenticator-apps"]))
    assert "twice" in found["authentication.mfa.allowed_types"]


def test_a_mistyped_type_is_found():
    found = refused(mfa(allowed_types=["authenticator-app"]))
    assert "Did you mean 'authenticator-apps'?" in found["authentication.mfa.allowed_types[0]"]


@pytest.mark.parametrize("value", ["yes", 1])
def test_on_and_off_are_true_and_false(value):
    assert list(refused(mfa(users_manage_own_devices=value))) == [
        "authentication.mfa.users_manage_own_devices"
    ]
    assert list(refused({"authentication": {"send_email_otp": value}})) == ["authentication.send_email_otp"]


ATTESTATION = {
    "setting": "access_portal",
    "value": {"subdomain": "x"},
    "by": "Ana",
    "seen": "the dashboard",
}


@pytest.mark.parametrize("key", ["on", True], ids=["on", "what YAML makes of on"])
def test_an_attestation_has_a_day(key):
    attestation = accepted({"attestations": [{**ATTESTATION, key: "2026-11-23"}]}).attestations[0]
    assert attestation.on.isoformat() == "2026-11-23"
    assert attestation.value == {"subdomain": "x"}


@pytest.mark.parametrize("missing", ["setting", "value", "by", "on", "seen"])
def test_an_attestation_says_everything(missing):
    entry = {key: value for key, value in {**ATTESTATION, "on": "2026-11-23"}.items() if key != missing}
    assert f"{missing!r} is missing" in refused({"attestations": [entry]})[f"attestations[0].{missing}"]


@pytest.mark.parametrize("value", [True, "never", None, {}])
def test_an_attested_value_names_the_fields_of_its_setting(value):
    entry = {**ATTESTATION, "on": "2026-11-23", "value": value}
    assert list(refused({"attestations": [entry]})) == ["attestations[0].value"]


def test_an_attestation_is_of_a_setting_that_exists():
    entry = {**ATTESTATION, "on": "2026-11-23", "setting": "authentication.mfa"}
    assert "multi_factor_authentication" in refused({"attestations": [entry]})["attestations[0].setting"]
