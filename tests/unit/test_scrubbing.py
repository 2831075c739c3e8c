import json

import pytest

from idc_helpers.scrubbing import scrub, scrub_all

SECRET = "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2Vj" + "Ab3" * 40


@pytest.mark.parametrize(
    "text",
    [
        f"aws_secret_access_key = {SECRET}",
        f"'SecretAccessKey': '{SECRET}'",
        f'{{"secret_access_key":"{SECRET}"}}',
        f"export AWS_SECRET_ACCESS_KEY={SECRET}",
        json.dumps(json.dumps({"SecretAccessKey": SECRET})),
        f"Authorization: Bearer {SECRET}",
        f"https://example.com/?X-Amz-Signature={SECRET}&x=1",
        f"password: {SECRET}",
    ],
)
def test_a_named_secret_is_gone(text):
    assert SECRET not in scrub(text)
    assert "****" in scrub(text)


@pytest.mark.parametrize("token", [TOKEN, "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeKKF2QT4"])
def test_a_token_is_gone_wherever_it_stands(token):
    assert scrub(f"got {token} from the portal") == "got **** from the portal"


def test_a_key_id_keeps_the_letters_that_tell_long_lived_from_temporary():
    assert scrub("AKIAIOSFODNN7EXAMPLE and ASIAIOSFODNN7EXAMPLE") == "AKIA**** and ASIA****"


def test_known_secrets_go_also_without_a_name():
    assert scrub("saw hunter2hunter2", ["hunter2hunter2", ""]) == "saw ****"


@pytest.mark.parametrize(
    "text",
    [
        "'password_delivery': 'one-time-password', 'authentication_method': 'password'",
        "session_duration PT1H; arn:aws:sso:::permissionSet/ssoins-1111222233334444/ps-5555666677778888",
        "password: None",
        "iVBORw0KGgoIQoJAAAA" + "A1b2" * 30,
    ],
)
def test_what_is_no_secret_stays(text):
    assert scrub(text) == text


def test_json_stays_json():
    document = {"outputs": [{"text": [f'{{"SecretAccessKey": "{SECRET}", "next": 1}}\n']}], "count": 3}
    scrubbed = json.loads(scrub(json.dumps(document)))
    assert scrubbed["count"] == 3
    assert SECRET not in str(scrubbed)


def test_every_text_of_a_value_is_scrubbed():
    assert scrub_all({"a": [f"password={SECRET}", 1], "b": None}) == {"a": ["password=****", 1], "b": None}
