import pytest

from idc_aws.errors import CredentialsError
from idc_aws.project import PAGES_VARIABLE
from idc_aws.signin.login import DeviceLogin
from idc_aws.signin.profiles import SsoProfile
from idc_helpers.notebook import command_line
from idc_helpers.notebook.command_line import WatchedLogin, device_page

PAGE = "http://127.0.0.1:4000/start/device?user_code=ABCD-EFGH"
PROFILE = SsoProfile("practice", "practice", PAGE, "us-east-1", "111122223333", "ReadOnlyAccess", "us-east-1")
CLIENT = {"clientId": "a-client", "clientSecret": "a-client-secret", "expires_at": 0}
LOGIN = DeviceLogin("ABCD-EFGH", PAGE, "a-device-code", CLIENT, 600, 1)


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Return a function that starts a login which ends so; it returns the link and what was said."""

    def started(answer):
        said = []

        def finish(_connection, _login):
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(command_line, "begin_login", lambda _connection, _start_url: LOGIN)
        monkeypatch.setattr(command_line, "finish_login", finish)
        monkeypatch.setattr(command_line.LiveLine, "say", lambda _line, words: said.append(words))
        return WatchedLogin(None, PROFILE, tmp_path).start("ana"), said

    return started


def test_an_allowed_login_leaves_its_token_and_says_so(start, tmp_path):
    shown, said = start({"accessToken": "a-secret-token", "expiresIn": 60})
    assert "ABCD-EFGH" in said[0]
    assert said[-1].startswith("✔")
    (kept,) = tmp_path.iterdir()
    assert "a-secret-token" in kept.read_text()
    assert "a-secret-token" not in f"{shown!r}{shown._repr_html_()}{said}"
    assert "a-device-code" not in shown._repr_html_()


def test_a_denied_login_says_what_to_do_and_leaves_nothing(start, tmp_path):
    _, said = start(CredentialsError("the person denied the login", remedy="Start it again."))
    assert said[-1] == "✘ the person denied the login. Run the cell again for a new code."
    assert list(tmp_path.iterdir()) == []


def test_the_page_is_inside_the_lab_where_the_lab_shows_pages(monkeypatch):
    monkeypatch.delenv(PAGES_VARIABLE, raising=False)
    assert device_page(PAGE) == PAGE
    monkeypatch.setenv(PAGES_VARIABLE, "/user/ana/pages")
    assert device_page(PAGE) == "/user/ana/pages/start/device?user_code=ABCD-EFGH"
