"""A sign-in as a conversation: the real ids of what happened, and never a secret."""

import hashlib
import json

import pytest

from idc_aws.errors import InvalidValueError, RunFailedError
from idc_aws.files import read_object
from idc_aws.signin.login import log_out, newest_token, read_sign_in_trace
from idc_aws.signin.profiles import SsoProfile
from idc_helpers.notebook.credentials import sign_in_conversation

PROFILE = SsoProfile(
    "practice", "work", "https://p.awsapps.com/start", "eu-west-1", "111122223333", "Auditor", "eu-west-1"
)
HELD = {
    "clientId": "client-0001",
    "clientSecret": "secret-of-client",
    "accessToken": "tokenABCDEFGH",
    "refreshToken": "refresh-secret",
}


class CommandLine:
    """What notebook 10's profile knows after a sign-in."""

    is_live = True
    profile = PROFILE
    last_user_code = "ABCD-WXYZ"

    def __init__(self, token_folder):
        self.terminal = self
        self.token_folder = token_folder


@pytest.fixture
def command_line(tmp_path):
    name = hashlib.sha1(b"work").hexdigest()  # where the AWS CLI keeps a session's token
    (tmp_path / f"{name}.json").write_text(json.dumps(HELD))
    return CommandLine(tmp_path)


@pytest.mark.parametrize("grant", ["device_code", "authorization_code"])
def test_the_real_ids_are_shown_and_no_secret_is(context, command_line, grant):
    sequence = sign_in_conversation(context, command_line, grant)
    for shown in (repr(sequence), sequence._repr_html_()):
        for real in ("client-0001", "111122223333", "Auditor", "toke…"):
            assert real in shown
        for secret in ("secret-of-client", "tokenA", "refresh-secret"):
            assert secret not in shown


def test_with_a_device_code_the_same_code_is_seen_three_times(context, command_line):
    shown = repr(sign_in_conversation(context, command_line))
    assert shown.count("ABCD-WXYZ") == 3
    assert "startUrl · https://p.awsapps.com/start" in shown
    assert "AuthorizationPendingException" in shown


def test_with_an_authorization_code_the_browser_goes_to_the_regions_endpoint(context, command_line):
    shown = repr(sign_in_conversation(context, command_line, "authorization_code"))
    assert "endpoint · https://oidc.eu-west-1.amazonaws.com/authorize" in shown
    assert "code_challenge_method · S256" in shown
    assert "ABCD-WXYZ" not in shown


@pytest.mark.parametrize(
    ("client_id", "caption"), [("client-0001", "code and PKCE"), ("client-0002", "device code")]
)
def test_the_conversation_is_the_one_that_the_command_line_registered_for(
    context, command_line, tmp_path, client_id, caption
):
    registered = {"clientId": client_id, "grantTypes": ["authorization_code", "refresh_token"]}
    (tmp_path / "registration.json").write_text(json.dumps(registered))
    assert sign_in_conversation(context, command_line).caption.endswith(caption)


def test_without_a_sign_in_every_id_is_said_in_words(context, command_line):
    command_line.is_live = False
    for given in (None, command_line):
        shown = repr(sign_in_conversation(context, given))
        assert "clientId · an id for this CLI, for 90 days" in shown
        assert "accountId · the account of the profile" in shown
        assert "such as ABCD-EFGH" in shown
        assert "client-0001" not in shown


def test_after_a_logout_nothing_of_the_login_is_shown(tmp_path, context):
    shown = repr(sign_in_conversation(context, CommandLine(tmp_path)))
    assert "ABCD-WXYZ" not in shown
    assert "111122223333" in shown, "the profile is still there"


def test_a_file_that_is_no_token_tells_nothing(tmp_path):
    name = hashlib.sha1(b"work").hexdigest()
    for text in ("", "[]", "{}", '{"accessToken": ""}'):
        (tmp_path / f"{name}.json").write_text(text)
        trace = read_sign_in_trace(tmp_path, PROFILE)
        assert (trace.client_id, trace.token_start) == ("", "")


@pytest.mark.parametrize("look", [newest_token, lambda folder: log_out(None, folder)])
def test_a_token_that_cannot_be_read_is_not_taken_for_none(tmp_path, look):
    (tmp_path / "token.json").mkdir()
    with pytest.raises(RunFailedError, match=r"token\.json' cannot be read: Is a directory"):
        look(tmp_path)
    assert not read_object(tmp_path / "token.json")


def test_another_grant_is_refused(context):
    with pytest.raises(InvalidValueError, match="no grant 'device-code'"):
        sign_in_conversation(context, None, "device-code")
