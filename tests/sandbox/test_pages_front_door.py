"""Who gets to the pages, from which host, behind which prefix; and that AWS clients still get to theirs."""

from __future__ import annotations

import http.client
import json
import re

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError
from page_visitor import PORT, Place
from patience import PATIENCE_S

from idc_sandbox import launcher
from idc_sandbox.__main__ import main
from idc_sandbox.errors import SandboxStartError, ServiceError
from idc_sandbox.loopback import Sites, page_links, parse_public_url
from idc_sandbox.pages.front_door import is_for_pages

PUBLIC = "https://hub.example.org/user/ana/proxy/8723"


@pytest.fixture
def behind_a_proxy(tmp_path):
    """Return the application behind a proxy on another host, with a path before its own."""
    made = Place(tmp_path, public_url=PUBLIC, frame_ancestors=("https://lab.example.org",))
    yield made
    made.clients.store.close()


@pytest.mark.parametrize("path", ["/start", "/start/sign-in", "/authorize", "/start/static/style.css"])
@pytest.mark.parametrize(
    "host", ["evil.example", "localhost", "localhost:1", f"evil.localhost:{PORT}", "[::1]:8723"]
)
def test_a_foreign_host_is_refused(place, host, path):
    answer = place.visitor().open(path, host=host)
    assert answer.status_code == 403
    assert "Host header must be" in answer.json()["message"]


def test_the_address_leads_to_the_name_with_path_and_query(place):
    visitor = place.visitor(f"http://127.0.0.1:{PORT}")
    answer = visitor.open("/start/device?user_code=BCDF-GHJK&a=b%26c", follow=False)
    assert answer.status_code == 307
    assert answer.headers["location"] == f"http://localhost:{PORT}/start/device?user_code=BCDF-GHJK&a=b%26c"
    posted = visitor.client.post(
        "/start/sign-in/user-name", data={"user_name": "ana"}, follow_redirects=False
    )
    assert posted.status_code == 421


def test_a_browser_at_the_bare_address_is_led_to_the_portal(place):
    visitor = place.visitor()
    visitor.open("/", accept="text/html,application/xhtml+xml")
    assert visitor.heading == "Sign in"
    assert visitor.open("/", accept="*/*").status_code == 403  # S3: whose buckets?


def scope_of(path: str, query: str = "", method: str = "GET", **headers: str) -> dict[str, object]:
    said = [(name.encode(), value.encode()) for name, value in {"accept": "text/html", **headers}.items()]
    return {"path": path, "method": method, "query_string": query.encode(), "headers": said}


@pytest.mark.parametrize("path", ["/", "/start", "/start/sign-in", "/authorize", "/v1/authorize"])
@pytest.mark.parametrize("name", ["authorization", "x-amz-target", "x-amz-date", "x-amz-content-sha256"])
def test_one_header_of_a_signature_makes_an_aws_client(path, name):
    assert is_for_pages(scope_of(path))
    assert not is_for_pages(scope_of(path, **{name: "x"}))


@pytest.mark.parametrize("name", ["X-Amz-Signature", "X-Amz-Credential", "AWSAccessKeyId", "Signature"])
def test_one_parameter_of_a_signed_address_makes_an_aws_client(name):
    assert is_for_pages(scope_of("/start", "a=b"))
    assert not is_for_pages(scope_of("/start", f"a=b&{name}=x"))
    assert not is_for_pages(scope_of("/start", f"{name}="))


@pytest.mark.parametrize(
    ("path", "method", "is_a_page"),
    [
        ("/start", "HEAD", True),
        ("/start", "POST", True),
        ("/start", "PUT", False),
        ("/start", "OPTIONS", False),
        ("/started", "GET", False),
        ("//start", "GET", False),
        ("/", "HEAD", False),
        ("/", "POST", False),
    ],
)
def test_only_what_a_browser_does_is_a_pages(path, method, is_a_page):
    assert is_for_pages(scope_of(path, method=method)) is is_a_page


def test_an_address_with_a_query_and_no_path_is_no_persons():
    assert is_for_pages(scope_of("/"))
    assert not is_for_pages(scope_of("/", "list-type=2"))
    assert not is_for_pages(scope_of("/", accept="*/*"))


@pytest.mark.parametrize("path", ["/user/ana/proxy/8723", "/user/ana/proxy/8723/"])
def test_a_browser_at_the_proxys_own_address_is_led_to_the_portal(behind_a_proxy, path):
    visitor = behind_a_proxy.visitor("https://hub.example.org")
    answer = visitor.open(path, follow=False, accept="text/html")
    assert answer.headers["location"].startswith(f"{PUBLIC}/start")


@pytest.mark.parametrize("name", ["start", "authorize"])
def test_buckets_with_the_names_of_pages_work(sandbox, name):
    s3 = sandbox.client("s3", config={"s3": {"addressing_style": "path"}})
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="sign-in", Body=b"mine")
    assert s3.get_object(Bucket=name, Key="sign-in")["Body"].read() == b"mine"
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=name)["Contents"]] == ["sign-in"]
    signed = s3.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "sign-in"})
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.running.port, timeout=PATIENCE_S)
    connection.request("GET", signed.partition(str(sandbox.running.port))[2])
    assert connection.getresponse().read() == b"mine"
    connection.close()
    s3.delete_object(Bucket=name, Key="sign-in")
    s3.delete_bucket(Bucket=name)


def test_who_signs_nothing_gets_the_page_and_not_the_bucket(sandbox):
    s3 = sandbox.client("s3", config={"s3": {"addressing_style": "path"}})
    s3.create_bucket(Bucket="start")
    anonymous = sandbox.client(
        "s3", config={"signature_version": UNSIGNED, "s3": {"addressing_style": "path"}}
    )
    with pytest.raises(ClientError):
        anonymous.put_object(Bucket="start", Key="sign-in", Body=b"theirs")
    s3.delete_bucket(Bucket="start")


def test_pages_survive_a_kill(fresh_sandbox):
    def ask(path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("localhost", fresh_sandbox.running.port, timeout=PATIENCE_S)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    assert ask("/start/sign-in")[0] == 400  # there is no portal before Identity Center is enabled
    fresh_sandbox.console("POST", "instance", {})
    fresh_sandbox.kill()
    fresh_sandbox.start()
    status, text = ask("/start/sign-in")
    assert (status, "User name" in text) == (200, True)


@pytest.mark.parametrize("left_on", [True, False], ids=["prefix left on", "prefix stripped"])
def test_a_proxy_with_a_prefix(behind_a_proxy, left_on):
    prefix = "/user/ana/proxy/8723"
    visitor = behind_a_proxy.visitor("https://hub.example.org")  # the proxy's own path is added below
    answer = visitor.open(f"{prefix if left_on else ''}/start", follow=False)
    assert answer.headers["location"] == f"{PUBLIC}/start/sign-in"
    answer = visitor.open(f"{prefix if left_on else ''}/start/sign-in")
    links = re.findall(r'(?:href|src|action)="([^"#]+)"', answer.text)
    assert links
    assert all(link.startswith(f"{prefix}/start") for link in links)
    cookies = answer.headers.get_list("set-cookie")
    assert cookies
    assert all("Path=/user/ana/proxy/8723/;" in one and "; Secure" in one for one in cookies)
    assert visitor.open(f"{prefix if left_on else ''}/start/static/style.css").status_code == 200


def test_the_whole_way_behind_a_proxy(behind_a_proxy):
    visitor = behind_a_proxy.visitor(PUBLIC)
    link = behind_a_proxy.invite()
    prefix = "/user/ana/proxy/8723"
    visitor.open(link)
    visitor.send(link, new_password="Practice-makes-1", confirm_password="Practice-makes-1")
    assert visitor.message == "Your password is set. Sign in with it now."
    visitor.sign_in()
    visitor.register_app()
    assert visitor.heading == "Access portal"
    assert visitor.page.url.path == f"{prefix}/start"
    assert behind_a_proxy.gateway.site_url == PUBLIC
    assert (
        behind_a_proxy.portal.start(behind_a_proxy.portal.register())["verificationUri"]
        == f"{PUBLIC}/start/device"
    )


def test_security_keys_are_bound_to_the_host_that_the_person_sees(behind_a_proxy):
    visitor = behind_a_proxy.visitor(PUBLIC)
    visitor.choose_password(behind_a_proxy.invite())
    visitor.sign_in()
    assert "&#34;id&#34;: &#34;hub.example.org&#34;" in visitor.page.text
    local = behind_a_proxy.visitor()
    local.sign_in()
    assert "&#34;id&#34;: &#34;localhost&#34;" in local.page.text


@pytest.mark.parametrize(
    "path", ["/", "/_sandbox/health", "/bucket/key", "/user/ana/proxy/8723/_sandbox/health"]
)
def test_through_the_proxy_nothing_but_the_pages_is_reached(behind_a_proxy, path):
    visitor = behind_a_proxy.visitor("https://hub.example.org")
    assert visitor.open(path, **{"x-sandbox-secret": "any"}).status_code == 404


def test_the_address_leads_to_the_proxy_when_there_is_one(behind_a_proxy):
    answer = behind_a_proxy.visitor(f"http://127.0.0.1:{PORT}").open("/authorize?state=a", follow=False)
    assert answer.headers["location"] == f"{PUBLIC}/authorize?state=a"


@pytest.mark.parametrize("path", ["/start/sign-in", "/start/nothing", "/start/mailbox", "/authorize"])
def test_every_page_is_protected(behind_a_proxy, path):
    headers = behind_a_proxy.visitor().open(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'; script-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors 'self' https://lab.example.org" in policy
    targets = "form-action 'self' http://127.0.0.1:*" if path == "/authorize" else "form-action 'self';"
    assert targets in policy
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "unsafe" not in policy


def test_a_running_sandbox_is_told_of_its_proxy(fresh_sandbox):
    told = fresh_sandbox.control("PUT", "pages", {"public_url": "http://localhost:8888/proxy/1"})
    assert told["portal_url"] == "http://localhost:8888/proxy/1/start"
    assert fresh_sandbox.control("GET", "pages")["site_url"] == "http://localhost:8888/proxy/1"
    fresh_sandbox.control("PUT", "pages", {"frame_ancestors": ["http://localhost:8888"]})
    assert fresh_sandbox.control("GET", "pages")["site_url"] == "http://localhost:8888/proxy/1"
    for wrong in ({"public_url": "nowhere"}, {"public_url": 1}, {"frame_ancestors": "all"}, {"url": ""}):
        with pytest.raises(ServiceError):
            fresh_sandbox.control("PUT", "pages", wrong)
    found = launcher.start(fresh_sandbox.folder, public_url="http://localhost:8888/proxy/2")
    assert found.pid == fresh_sandbox.running.pid
    assert page_links(found)["portal_url"] == "http://localhost:8888/proxy/2/start"
    back = fresh_sandbox.control("PUT", "pages", {"public_url": None})
    assert back["site_url"] == f"http://localhost:{fresh_sandbox.running.port}"


def test_the_command_line_starts_behind_a_proxy_and_prints_the_links(tmp_path, capsys):
    state = ["--state", str(tmp_path / "state")]
    try:
        assert main(["start", *state, "--port", "0", "--public-url", PUBLIC]) == 0
        capsys.readouterr()
        assert main(["pages", *state]) == 0
        printed = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in printed] == ["portal", "mailbox", "phone", "console"]
        assert printed[0].split()[1] == f"{PUBLIC}/start"
        assert main(["pages", *state, "--json", "--address", "ana@example.com"]) == 0
        links = json.loads(capsys.readouterr().out)
        assert links["mailbox_url"].startswith(f"{PUBLIC}/start/mailbox?key=")
    finally:
        main(["stop", *state])
    assert main(["pages", *state]) == 1
    assert "no sandbox runs" in capsys.readouterr().err
    assert main(["start", *state, "--public-url", "nowhere"]) == 1
    assert "not an address of pages" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "hub.example.org",
        "ftp://hub.example.org",
        "https://hub.example.org/?a=b",
        "https://hub.example.org/a#b",
        "https://ana@hub.example.org/",
        "https://hub.example.org/../up",
        "https://hub.example.org:99999/",
        "https://hub example.org/",
        'https://hub.example.org/"onload',
        "https://[::1]:8723",
        "",
    ],
)
def test_what_is_no_public_url_is_refused(text):
    with pytest.raises(SandboxStartError, match="not an address of pages"):
        parse_public_url(text)
    with pytest.raises(SandboxStartError, match="not an address of pages"):
        Sites(PORT, frame_ancestors=(text,))


def test_the_default_port_is_no_part_of_the_host():
    assert parse_public_url("https://Hub.example.org:443/a/").url == "https://hub.example.org/a"
    assert parse_public_url("http://localhost:8888").host == "localhost:8888"
