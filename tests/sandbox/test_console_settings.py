"""What only the console can set: values, defaults, what belongs together, what cannot be undone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from identity_store_harness import ACCOUNT_INSTANCE, MEMBER, ORGANIZATION_INSTANCE, OUTSIDER, Directory

from idc_sandbox.api.settings import Sessions


@pytest.fixture
def directory(tmp_path):
    return Directory(tmp_path)


def test_a_new_instance_has_the_consoles_defaults(directory):
    url = "https://d-1234567890.awsapps.com/start"
    dual_stack = "https://ssoins-7223111111111111.portal.us-east-1.app.aws"
    issuer = "https://identitycenter.amazonaws.com/ssoins-7223111111111111"
    assert directory.console("GET", "settings") == {
        "instance_arn": ORGANIZATION_INSTANCE,
        "identity_source": {
            "type": "identity_center_directory",
            "authentication_method": "password",
            "provisioning_method": "direct",
        },
        "access_portal": {
            "subdomain": None,
            "url": url,
            "urls": {"ipv4": url, "dual_stack": dual_stack},
            "start_urls": [url, dual_stack, issuer, "http://localhost/start"],
        },
        "standard_authentication": {"send_email_otp": False},
        "multi_factor_authentication": {
            "prompt": "always-on",
            "allowed_types": ["authenticator-apps", "security-keys-and-built-in-authenticators"],
            "user_without_device": "require-registration",
            "users_manage_own_devices": True,
        },
        "sessions": {
            "user_interactive": "PT8H",
            "user_background": "P7D",
            "user_background_enabled": True,
            "kiro_extended": True,
        },
        "account_instances": {"enabled": True},
    }


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("standard_authentication", {"send_email_otp": True}),
        ("sessions", {"user_interactive": "PT15M", "user_background": "P90D"}),
        ("sessions", {"user_interactive": "P1DT12H30M"}),
        ("sessions", {"user_background_enabled": False, "kiro_extended": False}),
        ("multi_factor_authentication", {"prompt": "context-aware", "allowed_types": ["authenticator-apps"]}),
        ("multi_factor_authentication", {"user_without_device": "block", "users_manage_own_devices": False}),
        ("multi_factor_authentication", {"prompt": "never", "allowed_types": []}),
    ],
)
def test_a_value_that_was_set_is_shown_and_the_others_stay(directory, name, values):
    before = directory.console("GET", "settings")
    answer = directory.console("PUT", f"settings/{name}", **values)
    after = directory.console("GET", f"settings?instance_arn={ORGANIZATION_INSTANCE}")
    assert answer == after[name] == before[name] | values
    assert {key: value for key, value in after.items() if key != name} == {
        key: value for key, value in before.items() if key != name
    }


def test_the_order_in_which_types_are_allowed_means_nothing(directory):
    types = ["security-keys-and-built-in-authenticators", "authenticator-apps"]
    answer = directory.console("PUT", "settings/multi_factor_authentication", allowed_types=types)
    assert answer == directory.console("GET", "settings")["multi_factor_authentication"]
    assert answer["allowed_types"] == sorted(types)


def test_two_changes_of_one_setting_add_up(directory):
    directory.console("PUT", "settings/sessions", user_interactive="PT1H")
    answer = directory.console("PUT", "settings/sessions", user_background="P1D")
    switches = {"user_background_enabled": True, "kiro_extended": True}
    assert answer == {"user_interactive": "PT1H", "user_background": "P1D", **switches}


def test_requiring_registration_lets_users_manage_their_devices(directory):
    values = {"user_without_device": "allow", "users_manage_own_devices": False}
    assert (
        directory.console("PUT", "settings/multi_factor_authentication", **values)["users_manage_own_devices"]
        is False
    )
    answer = directory.console(
        "PUT", "settings/multi_factor_authentication", user_without_device="require-registration"
    )
    assert answer["users_manage_own_devices"] is True
    answer = directory.console("PUT", "settings/multi_factor_authentication", users_manage_own_devices=False)
    assert answer["users_manage_own_devices"] is True


@pytest.mark.parametrize(
    ("name", "values", "named"),
    [
        ("sessions", {"user_interactive": "PT14M"}, "sessions.user_interactive"),
        ("sessions", {"user_background": "P91D"}, "'P91D'"),
        ("sessions", {"user_interactive": "P90DT1S"}, "90 days"),
        ("sessions", {"user_interactive": "8h"}, "PT8H"),
        ("sessions", {"user_interactive": "P"}, "PT8H"),
        ("sessions", {"user_interactive": "P1DT"}, "PT8H"),
        ("sessions", {"user_interactive": 8}, "string"),
        ("sessions", {"portal": "PT8H"}, "no 'portal' in sessions; there are user_interactive, "),
        ("standard_authentication", {"send_email_otp": "yes"}, "'yes'"),
        ("multi_factor_authentication", {"prompt": "sometimes"}, "context-aware"),
        ("multi_factor_authentication", {"allowed_types": ["sms"]}, "authenticator-apps"),
        ("multi_factor_authentication", {"allowed_types": []}, "allowed_types"),
        ("multi_factor_authentication", {"allowed_types": ["authenticator-apps"] * 2}, "twice"),
        ("multi_factor_authentication", {"user_without_device": "ignore"}, "require-registration"),
        ("access_portal", {"subdomain": "d-practice"}, "access_portal.subdomain"),
        ("access_portal", {"subdomain": "a" * 63}, "access_portal.subdomain"),
        ("access_portal", {"subdomain": "Practice"}, "'Practice'"),
        ("access_portal", {"subdomain": "practice-"}, "'practice-'"),
        ("access_portal", {"subdomain": None}, "subdomain"),
        ("identity_source", {"type": "active_directory"}, "identity-source"),
        ("session", {}, "Did you mean 'sessions'?"),
    ],
)
def test_a_value_that_the_console_does_not_offer_is_refused_and_nothing_changes(
    directory, name, values, named
):
    before = directory.console("GET", "settings")
    error = directory.console_refusal("PUT", f"settings/{name}", **values)
    assert error.code == "ValidationException"
    assert named in error.message
    assert directory.console("GET", "settings") == before


def test_a_subdomain_is_chosen_once(directory):
    answer = directory.console("PUT", "settings/access_portal", subdomain="practice-portal")
    assert answer["url"] == answer["urls"]["ipv4"] == "https://practice-portal.awsapps.com/start"
    for again in ("other-portal", "practice-portal"):
        error = directory.console_refusal("PUT", "settings/access_portal", subdomain=again)
        assert (error.code, "'practice-portal'" in error.message) == ("ConflictException", True)
    error = directory.console_refusal(
        "PUT", "settings/access_portal", instance_arn=ACCOUNT_INSTANCE, subdomain="practice-portal"
    )
    assert (error.code, "taken" in error.message) == ("ConflictException", True)


def test_account_instances_cannot_be_turned_off(directory):
    assert directory.console("PUT", "settings/account_instances", enabled=True) == {"enabled": True}
    assert (
        directory.console_refusal("PUT", "settings/account_instances", enabled=False).code
        == "ConflictException"
    )


def test_an_account_instance_has_settings_of_its_own(directory):
    settings = directory.console("GET", "settings", instance_arn=ACCOUNT_INSTANCE)
    assert settings["account_instances"] is None
    directory.console("PUT", "settings/sessions", instance_arn=ACCOUNT_INSTANCE, user_interactive="PT1H")
    assert directory.console("GET", "settings")["sessions"]["user_interactive"] == "PT8H"
    error = directory.console_refusal(
        "PUT", "settings/account_instances", instance_arn=ACCOUNT_INSTANCE, enabled=True
    )
    assert "'ACCOUNT'" in error.message


def test_a_member_account_reaches_its_own_instance_only(directory):
    assert directory.console("GET", "settings", account=OUTSIDER, instance_arn=ACCOUNT_INSTANCE)["sessions"]
    for instance_arn in (ORGANIZATION_INSTANCE, ACCOUNT_INSTANCE):
        error = directory.console_refusal("GET", "settings", account=MEMBER, instance_arn=instance_arn)
        assert error.code == "AccessDeniedException"


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "settings/sessions", "UnknownOperationException"),
        ("POST", "settings", "UnknownOperationException"),
        ("POST", "users/x/rename", "UnknownOperationException"),
        ("POST", "users/x/disable", "ResourceNotFoundException"),
    ],
)
def test_a_route_or_a_user_that_is_not_there_is_refused(directory, method, path, code):
    assert directory.console_refusal(method, path).code == code


@pytest.mark.parametrize(
    ("instance_arn", "code"),
    [
        (None, "ValidationException"),
        ("arn:aws:sso:::instance/ssoins-7223999999999999", "ResourceNotFoundException"),
    ],
)
def test_an_instance_must_be_named_and_be_there(directory, instance_arn, code):
    assert directory.console_refusal("GET", "settings", instance_arn=instance_arn).code == code


def test_settings_go_with_their_instance(directory):
    directory.console("PUT", "settings/sessions", user_interactive="PT1H")
    with directory.store.transaction() as connection:
        connection.execute("DELETE FROM instance WHERE instance_arn = ?", (ORGANIZATION_INSTANCE,))
        assert connection.execute("SELECT count(*) FROM console_setting").fetchone()[0] == 0


def test_a_user_is_disabled_and_enabled(directory):
    user_id = directory.create_user()
    answer = directory.console("POST", f"users/{user_id}/disable")
    assert answer == {"user_id": user_id, "user_status": "DISABLED", "revision": "2"}
    assert directory.describe_user(user_id)["UserStatus"] == "DISABLED"
    assert directory.console("POST", f"users/{user_id}/disable") == answer
    assert directory.update_user(user_id, ("nickName", "an"))["UserStatus"] == "DISABLED"
    assert directory.console("POST", f"users/{user_id}/enable")["user_status"] == "ENABLED"
    assert directory.describe_user(user_id)["UserStatus"] == "ENABLED"


def test_an_external_identity_provider_keeps_people_and_hides_what_it_does_itself(directory):
    directory.join(directory.create_user(), directory.create_group())
    answer = directory.console("POST", "identity-source", type="external_identity_provider")
    assert answer == {
        "identity_source": {
            "type": "external_identity_provider",
            "authentication_method": "saml_2_0",
            "provisioning_method": "manual",
        },
        "deleted": {"users": 0, "groups": 0, "account_assignments": 0},
    }
    assert len(directory.call("ListUsers")["Users"]) == 1
    settings = directory.console("GET", "settings")
    assert settings["identity_source"] == answer["identity_source"]
    assert settings["multi_factor_authentication"] is settings["standard_authentication"] is None
    error = directory.console_refusal("PUT", "settings/multi_factor_authentication", prompt="always-on")
    assert "'external_identity_provider'" in error.message
    directory.console("POST", "identity-source", type="identity_center_directory")
    assert directory.console("GET", "settings")["multi_factor_authentication"]["prompt"] == "always-on"


@pytest.mark.parametrize(
    ("new_type", "code"),
    [
        ("identity_center_directory", "ConflictException"),
        ("ldap", "ValidationException"),
        (None, "ValidationException"),
    ],
)
def test_an_identity_source_must_exist_and_be_another(directory, new_type, code):
    assert directory.console_refusal("POST", "identity-source", type=new_type).code == code


@given(st.integers(min_value=15, max_value=129_600))
def test_every_length_from_15_minutes_to_90_days_is_a_session(minutes):
    days, rest = divmod(minutes, 1440)
    hours, left = divmod(rest, 60)
    spelt = f"P{days}DT{hours}H{left}M"
    assert Sessions(user_interactive=f"PT{minutes}M", user_background=spelt).user_background == spelt
