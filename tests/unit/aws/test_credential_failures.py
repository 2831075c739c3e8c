"""What is said of the user's own credentials: what was found, and what to do about that very thing."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from botocore.exceptions import LoginRefreshRequired, LoginTokenLoadError, UnauthorizedSSOTokenError
from stub_transport import Refusal

from idc_aws.connection import connect
from idc_aws.errors import CredentialsError, TargetError
from idc_aws.failures import explain_credentials

SSO = (
    "[profile p]\nsso_session = p\nsso_account_id = 111122223333\nsso_role_name = R\n"
    "[sso-session p]\nsso_start_url = https://d-1.awsapps.com/start\nsso_region = us-east-1\n"
)
KEYS = "[p]\naws_access_key_id = ASIA1\naws_secret_access_key = x\n"
PROCESS = "[profile p]\ncredential_process = {}\n"
MFA = "[profile p]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = q\nmfa_serial = m\n"
NO_WAY = "[profile p]\n"


@dataclass(frozen=True)
class Row:
    """What there is, what the client meets, and the words: what was found, and what to do."""

    found: str
    to_do: str
    profile: str | None = None
    config: str = ""
    credentials: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    met: Exception | str | None = None


ENV = {"AWS_ACCESS_KEY_ID": "ASIA1", "AWS_SECRET_ACCESS_KEY": "x"}
OVER = UnauthorizedSSOTokenError()
NO_LOGIN = LoginRefreshRequired()
NO_TOKEN = LoginTokenLoadError(error_msg="none")
ROWS = {
    "nothing at all": Row("there are no AWS credentials", "Name a profile with `profile`;"),
    "profiles, and none is named": Row("no AWS credentials", "(there are: p)", config=SSO),
    "a profile without a way": Row("'p' has no way", "aws configure sso", "p", NO_WAY),
    "AWS_PROFILE without a way": Row("'p' has no way", "", None, NO_WAY, variables={"AWS_PROFILE": "p"}),
    "AWS_PROFILE is nonsense": Row(
        "'x', which AWS_PROFILE names, is not in", "(there are: p)", None, SSO, variables={"AWS_PROFILE": "x"}
    ),
    "AWS_DEFAULT_PROFILE comes first": Row(
        "'x', which AWS_DEFAULT_PROFILE names",
        "p",
        None,
        SSO,
        "",
        {"AWS_DEFAULT_PROFILE": "x", "AWS_PROFILE": "p"},
    ),
    "another name": Row("profile 'q' is not in", "aws configure sso", "q", SSO),
    "a broken config file": Row("config:9: a second section [a]", "Make", "p", SSO + "[a]\n[a]\n"),
    "a broken credentials file": Row("credentials:2: neither", "Correct", "p", SSO, "[a]\nb\n"),
    "no session of that name": Row("does not exist", "Correct the", "p", SSO[: SSO.index("[sso")]),
    "half a key": Row("missing: AWS_SECRET", "Set both", variables={"AWS_ACCESS_KEY_ID": "AKIA"}),
    "a program that fails": Row("custom-process", "'/bin/false'", "p", PROCESS.format("/bin/false")),
    "a program that is not there": Row("/no/x", "Correct the", "p", PROCESS.format("/no/x")),
    "a program that prints no JSON": Row("JSONDecodeError", "check", "p", PROCESS.format("/bin/echo x")),
    "a program that prints a list": Row("no credentials: ", "check", "p", PROCESS.format("/bin/echo []")),
    "a program with half a quote": Row("No closing quotation", "check", "p", PROCESS.format('"x')),
    "nobody has signed in yet": Row("does not exist", "Sign in: run `aws sso login --profile p`", "p", SSO),
    "the session is over": Row(
        "expired", "Sign in again: run `aws sso login --profile p`", "p", NO_WAY, KEYS, met=OVER
    ),
    "nobody has logged in yet": Row(
        "token", "Sign in: run `aws login --profile p`", "p", NO_WAY, KEYS, met=NO_TOKEN
    ),
    "the login is over": Row(
        "expired", "Sign in again: run `aws login ", "p", NO_WAY, KEYS, met=LoginRefreshRequired()
    ),
    "keys of the environment have ended": Row(
        "have expired", "unset them", variables=ENV, met="ExpiredToken"
    ),
    "keys of a file have ended": Row("have expired", "replace them", "p", NO_WAY, KEYS, met="ExpiredToken"),
    "unknown keys of a file": Row("not accept", "replace them", "p", "", KEYS, met="InvalidClientTokenId"),
}


@pytest.fixture
def no_credentials(monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    return tmp_path


def refusal(code):
    answer = Refusal(code, status=403)
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>"
    answer.body = f"<ErrorResponse>{error}</ErrorResponse>"
    return answer


@pytest.mark.parametrize("name", ROWS)
def test_what_was_found_is_said_with_what_to_do(transport, no_credentials, monkeypatch, name):
    row = ROWS[name]
    (no_credentials / "config").write_text(row.config)
    (no_credentials / "credentials").write_text(row.credentials)
    for variable, value in row.variables.items():
        monkeypatch.setenv(variable, value)
    if row.met is not None:
        transport.on("GetCallerIdentity", refusal(row.met) if isinstance(row.met, str) else row.met)
    with pytest.raises(CredentialsError) as raised:
        connect(target="aws", profile=row.profile)
    assert row.found in raised.value.message
    assert row.to_do in raised.value.remedy
    assert ("again:" in raised.value.remedy) == ("again" in row.to_do), "again: who has signed in before"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("endpoint_url = notaurl", "Invalid endpoint"),
        ("defaults_mode = wild", "invalid defaults mode"),
        ("request_checksum_calculation = often", "request_checksum_calculation"),
    ],
)
def test_a_setting_with_which_no_client_can_be_made_is_said(transport, no_credentials, setting, words):
    (no_credentials / "config").write_text(NO_WAY + setting + "\n")
    (no_credentials / "credentials").write_text(KEYS)
    with pytest.raises(TargetError, match=words) as raised:
        connect(target="aws", profile="p")
    assert "Correct that setting in the AWS config file" in raised.value.remedy


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (SSO, "Sign in again: run `aws sso login --profile p`"),
        ("[profile p]\nlogin_session = x\n", "Sign in again: run `aws login --profile p`"),
        ("[profile p]\nrole_arn = x\nsource_profile = q\n", "through 'q'"),
        ("[profile p]\nregion = x\n", "where they come from"),
    ],
)
def test_refused_credentials_are_renewed_where_they_come_from(no_credentials, config, words):
    (no_credentials / "config").write_text(config)
    assert words in explain_credentials("no", None, "p").remedy


@pytest.mark.parametrize("error", [EOFError(), RuntimeError("this frontend does not support input requests")])
def test_a_role_that_asks_for_a_code_where_nobody_can_type_it(no_credentials, error):
    (no_credentials / "config").write_text(MFA)
    explained = explain_credentials("no credentials", error, "p")
    assert "an MFA code is asked for" in explained.message
    assert "aws configure export-credentials" in explained.remedy


def test_a_folder_where_the_config_file_should_be_is_said(transport, no_credentials):
    (no_credentials / "config").mkdir()
    with pytest.raises(CredentialsError, match="this is a folder"):
        connect(target="aws", profile="p")


def test_a_config_file_that_may_not_be_read_is_said(transport, no_credentials, monkeypatch):
    (no_credentials / "config").write_text(SSO)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(no_credentials / "config" / "below"))
    with pytest.raises(CredentialsError, match="cannot be read: Not a directory"):
        connect(target="aws", profile="p")
