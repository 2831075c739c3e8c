from dataclasses import replace

import pytest

from idc_aws.signin.activation import PersonStatus
from idc_helpers.runbook.explain_failures import activation_checks, command_line_checks, credentials_checks

ACTIVE = PersonStatus("ana", "id", "ana@example.com", "ENABLED", True, ("totp",), 1)
SETTINGS = {
    "standard_authentication": {"send_email_otp": True},
    "multi_factor_authentication": {"prompt": "context-aware", "user_without_device": "require-registration"},
}
ROLE = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_A_1/ana"


def failed(results):
    assert all(check.expected and check.found and check.cause and check.go_back for check in results.failed)
    return {check.name: check for check in results.failed}


def test_an_active_person_passes_and_on_aws_only_the_status_is_looked_at():
    assert activation_checks(ACTIVE, SETTINGS).passed
    on_aws = PersonStatus("ana", "id", "", "ENABLED")
    assert [check.name for check in activation_checks(on_aws, {})] == ["the user is enabled"]


@pytest.mark.parametrize(
    ("changed", "settings", "name", "words", "notebook"),
    [
        ({"user_status": "DISABLED"}, {}, "the user is enabled", "Disable user access", "08_users"),
        ({"has_password": False}, {}, "a password is set", "not accepted yet", "09_activate_user"),
        (
            {"has_password": False},
            {"standard_authentication": {"send_email_otp": False}},
            "a password is set",
            "Send email OTP is off",
            "09_activate_user",
        ),
        ({"has_password": False, "email": ""}, {}, "a password is set", "no e-mail address", "08_users"),
        ({"device_kinds": ()}, {}, "an MFA device is registered", "first sign-in", "09_activate_user"),
        (
            {"device_kinds": ()},
            {"multi_factor_authentication": {"prompt": "never"}},
            "an MFA device is registered",
            "MFA is off",
            "03_authentication",
        ),
        (
            {"device_kinds": ()},
            {"multi_factor_authentication": {"prompt": "always-on", "user_without_device": "allow"}},
            "an MFA device is registered",
            "'allow'",
            "03_authentication",
        ),
        ({"session_count": 0}, {}, "has signed in", "it is over", "09_activate_user"),
    ],
)
def test_what_an_inactive_person_lacks_has_its_own_cause(changed, settings, name, words, notebook):
    check = failed(activation_checks(replace(ACTIVE, **changed), {**SETTINGS, **settings}))[name]
    assert words in check.cause
    assert check.go_back.notebook == notebook


@pytest.mark.parametrize(
    ("role", "account", "words", "place"),
    [
        ("not there", None, "never written", "Configure"),
        ("B", None, "another permission set", "Configure"),
        ("A", "999999999999", "another account", "Configure"),
        (
            "A",
            "the session is over: aws sso login",
            "session of the access portal is over",
            "Sign out, and in again",
        ),
        ("A", "ForbiddenException: No access", "the assignment is gone", "Choose"),
        ("A", "AccessDenied", "the role answers and refuses", "Choose"),
        ("A", "connection refused", "read what it says", "Sign out, and in again"),
    ],
)
def test_a_profile_that_does_not_work_says_why(role, account, words, place):
    results = command_line_checks(role, "A", account, "111122223333")
    (check,) = failed(results).values()
    assert words in check.cause
    assert check.go_back.heading == place


def test_a_profile_that_works_passes():
    assert command_line_checks("A", "A", "111122223333", "111122223333").passed


def test_keys_that_lived_and_died_pass_and_others_say_why_not():
    seen = {"whole": ROLE, "after": "ExpiredToken", "renewed": ROLE, "other": "yes"}
    assert credentials_checks(seen).passed
    assert {check.found for check in failed(credentials_checks({})).values()} == {"not tried"}
    causes = [check.cause for check in failed(credentials_checks({})).values()]
    assert "not run in this kernel" in causes[0]
    assert causes[1:] == ["the same as for “the keys work before their end”"] * 3
    immortal = failed(credentials_checks({**seen, "after": ROLE}))
    assert "AKIA" in immortal["they are refused after it"].cause
    lost = failed(credentials_checks({**seen, "renewed": "UnauthorizedException"}))
    assert "sign in" in lost["new keys are for the same role"].cause
