"""The owner's door: a socket file through which a Jupyter Server shows the pages to who is signed in."""

from __future__ import annotations

import json
import re
import socket
import stat
from pathlib import Path

import pytest

from idc_sandbox.jupyter import DATA_FOLDER, proxied_servers
from idc_sandbox.loopback import Sites, page_links
from idc_sandbox.pages.front_door import is_at_owners_door, open_owners_door, read_site

HUB = {"host": "hub.example.org", "x-forwarded-proto": "https,http"}
LAB = {"host": "localhost:8888"}
PAGES = "/user/ana/identity-center-sandbox"


def scope_of(path: str, headers: dict[str, str]) -> dict[str, object]:
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"path": path, "headers": encoded, "server": ("/state/pages.sock", None)}


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        (LAB, f"http://localhost:8888{PAGES}"),
        ({"host": "127.0.0.1:8888"}, f"http://127.0.0.1:8888{PAGES}"),
        (HUB, f"https://hub.example.org{PAGES}"),
        ({"host": "hub.example.org", "origin": "https://hub.example.org"}, f"https://hub.example.org{PAGES}"),
        ({"host": "hub.example.org", "origin": "https://evil.example"}, f"http://hub.example.org{PAGES}"),
        ({"host": "hub.example.org", "x-forwarded-proto": "javascript"}, f"http://hub.example.org{PAGES}"),
        ({"host": "Hub.example.org", "origin": "https://hub.EXAMPLE.org"}, f"https://hub.example.org{PAGES}"),
        ({**HUB, "origin": "http://hub.example.org"}, f"http://hub.example.org{PAGES}"),
        ({**HUB, "x-forwarded-proto": "https , http"}, f"https://hub.example.org{PAGES}"),
        ({**HUB, "x-forwarded-proto": "http,https"}, f"http://hub.example.org{PAGES}"),
    ],
)
def test_browser_and_proxy_say_where_the_person_is(headers, url):
    assert read_site(scope_of(f"{PAGES}/start", headers)).url == url


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/start", LAB),
        (f"{PAGES}/start", {}),
        (f"{PAGES}/start", {"host": 'evil"onload'}),
        (f"/../x{PAGES}/start", LAB),
        (f"//evil.example{PAGES}/start", LAB),
    ],
)
def test_what_says_no_address_is_no_site(path, headers):
    assert read_site(scope_of(path, headers)) is None


def test_a_header_that_is_there_twice_says_nothing():
    twice = scope_of(f"{PAGES}/start", LAB)
    twice["headers"] *= 2
    assert read_site(twice) is None
    forwarded = scope_of(f"{PAGES}/start", HUB)
    forwarded["headers"].append((b"x-forwarded-proto", b"https"))
    assert read_site(forwarded).scheme == "http"


def test_only_the_socket_file_is_the_owners_door():
    assert is_at_owners_door({"server": ("/state/pages.sock", None)})
    assert not is_at_owners_door({"server": ("127.0.0.1", 8723)})
    assert not is_at_owners_door({"server": ("pages.sock", 8723)})
    assert not is_at_owners_door({})


def test_people_far_away_are_sent_to_where_they_came_from_and_people_here_are_not():
    sites = Sites(8723)
    sites.hear(read_site(scope_of(f"{PAGES}/start", LAB)))
    assert sites.preferred == sites.local
    sites.hear(read_site(scope_of(f"{PAGES}/start", HUB)))
    assert sites.preferred.url == f"https://hub.example.org{PAGES}"
    assert sites.find("hub.example.org") is None  # on the port that host stays foreign
    sites.set_public("https://elsewhere.example.org")
    assert sites.preferred.host == "elsewhere.example.org"


def test_a_folder_whose_path_is_too_long_has_no_such_door(tmp_path):
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    assert open_owners_door(folder) is None


def ask(sandbox, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, str]:
    """Ask through the socket file as jupyter-server-proxy does; return status, and headers with body."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    lines += [f"content-length: {len(body)}", "content-type: application/x-www-form-urlencoded"]
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(20)
        door.connect(str(Path(sandbox.running.state_folder) / "pages.sock"))
        door.sendall("\r\n".join([*lines, "connection: close", "", body]).encode())
        answer = door.makefile("rb").read().decode()
    return int(answer.split(" ", 2)[1]), answer


def test_the_launcher_draws_an_icon_for_each_tile():
    script = (DATA_FOLDER / "labextensions/identity-center-sandbox/static/remoteEntry.js").read_text()
    drawn = dict(
        re.findall(r'"([\w ]+)": (?:NAME|"([\w-]+)")', script.partition("TILES")[2].partition("}")[0])
    )
    servers = proxied_servers()
    assert drawn == {one["launcher_entry"]["title"]: name for name, one in servers.items()} | {
        "Access portal": ""
    }
    assert all(Path(one["launcher_entry"]["icon_path"]).is_file() for one in servers.values())


@pytest.fixture
def enabled(fresh_sandbox):
    fresh_sandbox.console("POST", "instance", {})
    return fresh_sandbox


def test_the_owner_sees_mailbox_and_console_without_a_link(enabled):
    path = Path(enabled.running.state_folder) / "pages.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for page in ("mailbox", "practice-console"):
        status, answer = ask(enabled, "GET", f"{PAGES}/start/{page}", LAB)
        assert status == 200, answer
        assert f'href="{PAGES}/start/static' in answer
        assert f"Path={PAGES}/; SameSite=lax" in answer
    # Whatever credentials a proxy sends along: a page is a page here.
    assert ask(enabled, "GET", f"{PAGES}/start/mailbox", {**LAB, "authorization": "Basic eA=="})[0] == 200


def test_nothing_but_pages_is_behind_the_door(enabled):
    secret = {"x-sandbox-secret": enabled.running.control_secret}
    for path in ("/_sandbox/pages", f"{PAGES}/_sandbox/pages", "/", "/start/mailbox", f"{PAGES}/bucket/key"):
        assert ask(enabled, "GET", path, {**LAB, **secret})[0] == 404, path


def test_forms_need_their_token_there_too(enabled):
    status, answer = ask(
        enabled,
        "POST",
        f"{PAGES}/start/practice-console/settings/authentication/standard",
        LAB,
        "send_email_otp=yes",
    )
    assert status == 403
    assert "out of date" in answer


def test_redirects_stay_at_the_proxy_and_frames_at_its_own_origin(enabled):
    status, answer = ask(enabled, "GET", f"{PAGES}/start", HUB)
    assert (status, f"location: {PAGES}/start/sign-in\r\n" in answer) == (303, True)
    assert "frame-ancestors 'self'\r\n" in answer
    assert "; Secure" in answer


def test_programs_are_sent_where_the_person_was_seen_and_the_persona_is_not(enabled):
    ask(enabled, "GET", f"{PAGES}/start", HUB)
    assert page_links(enabled.running)["site_url"] == f"https://hub.example.org{PAGES}"
    local = enabled.control("GET", "pages?site=local")
    assert local["site_url"] == f"http://localhost:{enabled.running.port}"
    assert json.dumps(local).count("hub.example.org") == 0


def test_the_door_is_there_again_after_a_kill_and_gone_after_a_stop(enabled):
    enabled.kill()
    enabled.start()
    assert ask(enabled, "GET", f"{PAGES}/start/practice-console", LAB)[0] == 200
    path = Path(enabled.running.state_folder) / "pages.sock"
    enabled.stop()
    assert not path.exists()
