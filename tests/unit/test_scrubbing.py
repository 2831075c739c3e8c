import json

import pytest

from idc_helpers.scrubbing import REMOVED, scrub, scrub_values

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    "text",
    [
        f"aws_secret_access_key = {SECRET}",
        f'{{"SecretAccessKey": "{SECRET}"}}',
        f"boto3.client('s3', aws_secret_access_key='{SECRET}')",
        f"nothing names it: {SECRET}.",
        f"http://host/?secretAccessKey={SECRET}&x=1",
        f"export AWS_SECRET_ACCESS_KEY={SECRET}",
    ],
)
def test_secret_keys_are_removed_wherever_they_stand(text):
    assert SECRET not in scrub(text)
    assert REMOVED in scrub(text)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password: 'Tr0ub4dor & 3'", "Tr0ub4dor & 3"),
        ('{"one_time_password": "abc123"}', "abc123"),
        ("Authorization: Bearer abcdef1234567890", "abcdef1234567890"),
        ("AWS_SESSION_TOKEN=FwoGZXIvYXdzEBYaDHqa0AP1111111111111111", "FwoGZXIvYXdz"),
        ("token IQoJb3JpZ2luX2VjEJr111111111111111111111111", "IQoJb3JpZ2lu"),
        ("x-amz-sso_bearer_token: aoaAAAAAGdaLVlY", "aoaAAAAAGdaLVlY"),
        ("X-Amz-Signature=" + "0f" * 32, "0f0f"),
        ("cookie eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "eyJzdWIi"),
        ("control_secret='s3cr3t'", "s3cr3t"),
    ],
)
def test_tokens_and_passwords_are_removed(text, secret):
    assert secret not in scrub(text)


def test_the_kind_of_an_access_key_stays_readable():
    assert scrub("key AKIAIOSFODNN7EXAMPLE.") == f"key AKIA{REMOVED}."
    assert scrub("key ASIAIOSFODNN7EXAMPLE!") == f"key ASIA{REMOVED}!"


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:sso:::permissionSet/ssoins-7223abcdef012345/ps-0123456789abcdef",
        "commit 2298b83f0a7c1d2e3f4a5b6c7d8e9f0a1b2c3d4e",
        "password_delivery: email",
        '{"password_delivery": "one-time-password"}',
        "authentication_method: password",
        "The password must have 8 to 64 characters",
        "https://d-1234567890.awsapps.com/start",
        "AWSReservedSSO_AdministratorAccess_0123456789abcdef",
        "next_token: None",
    ],
)
def test_what_is_no_secret_stays(text):
    assert scrub(text) == text


def test_scrubbing_twice_is_scrubbing_once():
    once = scrub(f"aws_secret_access_key={SECRET} password='x y' AKIAIOSFODNN7EXAMPLE")
    assert scrub(once) == once


def test_data_is_scrubbed_by_name_and_by_shape():
    data = {"a": [{"Password": "hunter2", "note": f"see {SECRET}"}], "n": 3, "password": "email"}
    cleaned = scrub_values(data)
    assert cleaned == {"a": [{"Password": REMOVED, "note": f"see {REMOVED}"}], "n": 3, "password": "email"}
    assert data["a"][0]["Password"] == "hunter2"


def test_a_line_of_json_stays_json():
    line = json.dumps({"secret_access_key": SECRET, "key": "AdministratorAccess"})
    assert json.loads(scrub(line)) == {"secret_access_key": REMOVED, "key": "AdministratorAccess"}


def test_a_secret_inside_json_inside_json_is_removed():
    inner = json.dumps({"secret_access_key": "short but secret", "key": "ReadOnlyAccess"})
    outer = json.loads(scrub(json.dumps({"text": inner})))
    assert json.loads(outer["text"]) == {"secret_access_key": REMOVED, "key": "ReadOnlyAccess"}
