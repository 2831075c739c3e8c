import base64
import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idc_aws import scrubbing
from idc_aws.scrubbing import find_secrets, remember_secret, scrub, scrub_values
from idc_aws.secrets import REMOVED, SHAPES, TABLES

SECRET = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"
PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7\nq8w7\n-----END RSA PRIVATE KEY-----"
# Each is a secret by itself, whatever stands around it.
SURE = (
    SECRET,
    PRIVATE_KEY,
    "otpauth://totp/Example:ana?secret=JBSWY3DPEHPK3PXP&issuer=Example",
    "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PX2",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "IQoJb3JpZ2luX2VjEJr111111111111111111111111",
    "q4Xl-9ZtR_2bVvN8sKc0PmWd7YhUe3AfGj5TiLx6OyB",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
)
NAMED = (
    "password='Tr0ub4dor & 3'",
    '{"clientSecret": "s3cr3t-s3cr3t"}',
    "refresh_token: aorAAAAAGdaLVlY",
    "deviceCode=abc-123",
    '"code_verifier": "dBjftJeZ4CVP"',
    "Authorization: Basic YW5hOmh1bnRlcjI=",
    "Cookie: session=abcdef123456; theme=dark",
    "https://ana:hunter2@example.com/x",
    "http://127.0.0.1:1234/callback?code=abcdefghijklmnop&state=1",
    "https://b.s3.amazonaws.com/k?X-Amz-Signature=" + "0f" * 32,
    "https://b.s3.amazonaws.com/k?AWSAccessKeyId=AKIAI44QH8DHBEXAMPLE&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D",
    "&quot;SecretAccessKey&quot;: &quot;abc def&quot;",
    "totp_seed=JBSWY3DPEHPK3PXP",
)
HARMLESS = (
    "arn:aws:sso:::permissionSet/ssoins-7223abcdef012345/ps-0123456789abcdef",
    "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_ReadOnly_0123456789abcdef",
    "111122223333",
    "9067642ac7-d6a5c9f0-1a2b-4c3d-8e9f-0123456789ab",
    "d-9067642ac7",
    "AIDACKCEVSQ6C2EXAMPLE",
    "AWSReservedSSO_SecurityAuditorsOfTheCompany_0123456789abcdef",
    "https://d-1234567890.awsapps.com/start",
    "The password must have 8 to 64 characters",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "PT4H",
    "2026-11-23T09:00:00.000+00:00",
)


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
    assert scrub("key AKIAI44QH8DHBEXAMPLE.") == f"key AKIA{REMOVED}."
    assert scrub("key ASIAI44QH8DHBEXAMPLE!") == f"key ASIA{REMOVED}!"


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


@pytest.mark.parametrize("value", TABLES["examples"])
def test_the_made_up_keys_of_the_lesson_stay_and_what_only_begins_like_one_does_not(value):
    for text in (f"AWS_SECRET_ACCESS_KEY={value}", f"session token | {value}", f"<td>{value}</td>"):
        assert (scrub(text), find_secrets(text)) == (text, [])
    longer = f"export AWS_SECRET_ACCESS_KEY={value}x9"
    assert value not in scrub(longer)


def test_scrubbing_twice_is_scrubbing_once():
    once = scrub(f"aws_secret_access_key={SECRET} password='x y' AKIAI44QH8DHBEXAMPLE")
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


@pytest.mark.parametrize("text", [*SURE, *NAMED])
def test_every_kind_of_secret_is_removed(text):
    assert REMOVED in scrub(text)
    assert len(scrub(text)) < len(text) + len(REMOVED)
    assert find_secrets(scrub(text)) == []


@pytest.mark.parametrize("text", SURE)
def test_what_surely_is_a_secret_is_found_and_named_without_its_value(text):
    kinds = find_secrets(f"see {text} there")
    assert kinds
    assert text not in str(kinds)


@pytest.mark.parametrize(
    "text",
    [
        f"[default]\naws_access_key_id = AKIAI44QH8DHBEXAMPLE\naws_secret_access_key = {SECRET}\n",
        f'{{"SecretAccessKey": "{SECRET}"}}',
        f"export AWS_SECRET_ACCESS_KEY={SECRET}\n",
        f"export AWS_SECRET_ACCESS_KEY='{SECRET}'\n",
    ],
)
def test_a_key_is_found_after_the_name_that_announces_it_too(text):
    assert find_secrets(text) == ["a secret access key"]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_long_stays(text):
    assert scrub(text) == text
    assert find_secrets(text) == []


def pieces():
    return st.lists(
        st.one_of(
            st.sampled_from((*SURE, *NAMED, *HARMLESS)),
            st.sampled_from((" ", "\n", '"', "'", "=", ": ", ", ", "&", "[removed]", "password", "\\")),
            st.sampled_from(("\x1b[31m", "\x1b[2K", "\x1b[?25l", "\x1b[", "\x1b")),
            st.text(max_size=12),
        ),
        max_size=8,
    )


@given(pieces())
def test_any_text_scrubbed_twice_is_as_scrubbed_once(parts):
    once = scrub("".join(parts))
    assert scrub(once) == once


def nested():
    return st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(HARMLESS)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(("Arn", "note", "Items", "x")), inner),
        ),
        max_leaves=8,
    )


def planted(value, secret, draw):
    """Return data with a secret at some place of it: in a text, a list, a value or a key."""
    if isinstance(value, dict):
        return {**value, f"k{len(value)}": f"before {secret} after"} if draw else {**value, f"{secret} ": 1}
    return [*value, secret] if isinstance(value, list) else f"{value} {secret}"


HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@pytest.mark.parametrize(
    "text", [f"sha256:{HASH} {{}}", f"{HASH}\n{{}}", f"{{}} {HASH}", f"{{}}\n{HASH}\n", f"{'Qx7+' * 19} {{}}"]
)
def test_a_key_beside_a_hash_is_no_line_of_base64(text):
    assert scrub_values(text.format(SECRET)) == text.format(REMOVED)


@given(nested(), st.sampled_from(SURE), st.booleans(), st.integers(0, 4))
def test_a_secret_is_found_at_any_place_in_nested_data(value, secret, draw, depth):
    data = planted(value, secret, draw)
    for level in range(depth):
        data = {"inner": data} if level % 2 else [data, "other"]
    cleaned = json.dumps(scrub_values(data))
    assert json.dumps(secret)[1:-1] not in cleaned
    assert REMOVED in cleaned
    assert scrub_values(scrub_values(data)) == scrub_values(data)


@given(nested())
def test_data_without_secrets_stays_as_it_is(value):
    assert scrub_values(value) == value


@pytest.mark.parametrize("name", ["MY_DB_PASSWORD", "SLACK_TOKEN", "AWS_SECRET_ACCESS_KEY", "app_api_key"])
def test_the_value_of_a_secret_variable_is_removed_however_it_is_written(name, monkeypatch):
    value = "plain <b>words & 'more'"
    monkeypatch.setenv(name, value)
    ways = [value, quote(value, safe=""), json.dumps(value), html.escape(value)]
    ways.append(base64.b64encode(value.encode()).decode())
    for written in ways:
        assert scrub(f"a {written} b").replace('"', "") == f"a {REMOVED} b"
    assert find_secrets(f"a {value} b") == ["the value of a secret variable"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token-of-mine"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("PASSWORD_HOST", "db.example.com"),
        ("SECRET_URL", "https://vault.example.com"),
        ("JUPYTER_PASSWORD", "password"),
    ],
)
def test_variables_that_only_sound_secret_hide_nothing(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    assert scrub(f"see {value} there") == f"see {value} there"


def test_a_value_that_was_learnt_is_removed_from_then_on(monkeypatch):
    monkeypatch.setattr(scrubbing, "_remembered", set())
    assert scrub("the key is opensesame!") == "the key is opensesame!"
    remember_secret("opensesame!")
    assert scrub("the key is opensesame!") == f"the key is {REMOVED}"


def test_colours_of_a_traceback_do_not_hide_a_secret():
    coloured = "\x1b[32mpassword\x1b[39m\x1b[34m=\x1b[39m\x1b[33m'hunter2'\x1b[39m"
    assert scrub(coloured) == f"password='{REMOVED}'"
    assert scrub("\x1b[32mgreen\x1b[39m") == "\x1b[32mgreen\x1b[39m"


@pytest.mark.parametrize(
    "control", ["\x1b[2K", "\x1b[?25l", "\x1b[1A", "\x1b[", "\x1b[\x1b[31m31m", "\x1b]0;t\x07"]
)
def test_what_moves_a_terminals_cursor_stays_unless_it_hides_a_secret(control):
    assert scrub(f"{control}50 %") == f"{control}50 %"
    assert SECRET not in scrub(f"{control}{SECRET}")
    assert SECRET not in scrub(f"word{control} {SECRET}")


def test_a_colour_between_a_word_and_a_secret_joins_them_for_nobody():
    text = f"key\x1b[31m{SECRET}\x1b[0m"
    assert SECRET not in scrub(text)
    assert find_secrets(text) == ["a secret access key"]


@given(st.sampled_from(SHAPES).flatmap(lambda shape: st.tuples(st.just(shape), st.from_regex(shape.pattern))))
def test_a_quick_look_misses_no_shape(pair):
    shape, match = pair
    assert any(sign in match.lower() for sign in shape.signs)


def test_the_value_of_a_password_widget_is_removed():
    widget = {"model_name": "PasswordModel", "state": {"description": "Password", "value": "hunter2"}}
    assert scrub_values({"w": widget})["w"]["state"] == {"description": "Password", "value": REMOVED}
    text = {"model_name": "TextModel", "state": {"value": "hunter2"}}
    assert scrub_values(text) == text
