"""``idc lab`` from start to Ctrl-C: its terminal, its kernels, and that nothing is left but the state."""

from __future__ import annotations

import json
import time
import urllib.error

import httpx
import pytest
import websocket
from kit_lab import TOKEN, CloneLab, KitLab
from patience import PATIENCE_S

from idc_aws.signin.terminal import find_command_line
from idc_runner.working_copy import with_examples
from idc_sandbox import launcher
from idc_sandbox.loopback import ask, find_sandbox
from idc_sandbox.state_folder import StateFolder


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Return a Lab for all tests but the last, which ends it."""
    started = KitLab(tmp_path_factory.mktemp("lab"))
    yield started
    started.stop()


def say_in_terminal(lab: KitLab, command: str, until: str) -> str:
    """Type a command into a new terminal of the Lab; return what it shows up to a word, or in a minute."""
    name = lab.ask("POST", "api/terminals")["name"]
    url = lab.url(f"terminals/websocket/{name}").replace("http", "ws", 1)
    shown, deadline = "", time.monotonic() + PATIENCE_S
    connection = websocket.create_connection(
        url, timeout=PATIENCE_S, header=[f"Authorization: token {TOKEN}"]
    )
    try:
        connection.send(json.dumps(["stdin", f"{command}\r"]))
        while until not in shown and time.monotonic() < deadline:
            kind, *values = json.loads(connection.recv())
            shown += "".join(map(str, values)) if kind == "stdout" else ""
    finally:
        connection.close()
    return shown


def test_lab_knows_the_pages_shows_no_news_and_asks_no_other_machine(lab):
    servers = lab.ask("GET", "server-proxy/servers-info")["server_processes"]
    tiles = {one["launcher_entry"]["title"]: one["launcher_entry"]["path_info"] for one in servers}
    assert tiles["Mailbox"] == "identity-center-sandbox/start/mailbox"
    assert set(tiles) == {"Access portal", "Mailbox", "Practice phone", "Practice console"}
    assert not any(one["new_browser_tab"] for one in servers)
    log = lab.log.read_text()
    assert "Extension Manager is 'readonly'" in log
    assert "/lab/tree/notebooks/00_start_here.ipynb?token=" in log


def test_the_side_bars_questions_are_answered_to_those_who_are_signed_in(lab):
    told = lab.ask("GET", "identity-center-lesson/outline")
    assert [len(each["steps"]) for each in told["notebooks"]].count(0) == 3
    assert told["folder"] == str(lab.kit)
    name = "06_groups.ipynb"
    before = (lab.kit / "notebooks" / name).read_bytes()
    for body in ({"notebook": f"../{name}"}, {"notebook": "mine.ipynb"}, {}, [name], None):
        with pytest.raises(urllib.error.HTTPError) as refused:
            lab.ask("POST", "identity-center-lesson/afresh", body)
        assert refused.value.code == 400
        assert "nothing was changed" in json.loads(refused.value.read())["message"]
    assert (lab.kit / "notebooks" / name).read_bytes() == before
    kept = lab.ask("POST", "identity-center-lesson/afresh", {"notebook": name})["kept"]
    assert (lab.kit / kept).read_bytes() == before
    assert (lab.kit / "notebooks" / name).read_bytes() == with_examples(before)
    for method, path in (("GET", "outline"), ("POST", "afresh")):
        with httpx.Client(trust_env=False, timeout=PATIENCE_S) as stranger:
            answer = stranger.request(
                method, lab.url(f"identity-center-lesson/{path}"), json={"notebook": name}
            )
        assert answer.status_code == 403


def test_a_terminals_command_line_is_at_the_sandbox(lab):
    if find_command_line() is None:
        pytest.fail("no AWS CLI v2 is on the path: `apt-get install awscli`, or AWS's installer")
    shown = say_in_terminal(lab, "aws --version; aws sts get-caller-identity; echo EN''D $HOME", "END")
    assert "aws-cli/2." in shown  # even where version 1 comes first on the path
    assert '"Account": "111122223333"' in shown
    assert str(lab.state) in shown  # a home of its own: nobody's ~/.aws is read or written


def test_a_page_starts_the_sandbox_when_none_runs(lab):
    folder = StateFolder(lab.state)
    assert launcher.stop(folder)
    with httpx.Client(follow_redirects=True, trust_env=False, timeout=PATIENCE_S) as browser:
        browser.get(lab.url("lab"), params={"token": TOKEN})
        page = browser.get(lab.url("identity-center-sandbox/start/mailbox"))
    assert (page.status_code, "Mailbox" in page.text) == (200, True)
    assert find_sandbox(folder) is not None


def test_the_proxy_of_ports_shows_the_pages_where_the_sandbox_was_told_so(lab):
    running = find_sandbox(StateFolder(lab.state))
    assert running is not None
    secret = running.control_secret
    public = f"{lab.origin}/proxy/{running.port}"
    ask(running.port, "POST", "/_sandbox/console/instance", control_secret=secret, body={})
    with httpx.Client(follow_redirects=True, trust_env=False) as browser:
        browser.get(lab.url("lab"), params={"token": TOKEN})  # signs in at Lab, by a cookie from then on
        refused = browser.get(f"{public}/start")
        assert refused.status_code == 403  # a host that the sandbox was not told of is foreign
        assert "Host header must be" in refused.text
        ask(running.port, "PUT", "/_sandbox/pages", control_secret=secret, body={"public_url": public})
        page = browser.get(f"{public}/start")
    assert (page.status_code, str(page.url)) == (200, f"{public}/start/sign-in")
    assert "User name" in page.text


def test_ctrl_c_ends_everything_and_the_state_is_there_again(lab):
    say_in_terminal(lab, "sleep 1000 & echo EN''D", "END")
    lab.ask("POST", "api/kernels", {"name": "python3"})
    sandbox = find_sandbox(StateFolder(lab.state))
    assert sandbox is not None
    assert len(lab.processes()) >= 5  # idc, Lab, shell, kernel, sandbox
    assert lab.interrupt() == 0
    deadline = time.monotonic() + PATIENCE_S
    while lab.processes() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert lab.processes() == set()
    assert "Your work is kept" in lab.log.read_text()
    again = launcher.start(StateFolder(lab.state), port=0)
    assert (again.pid != sandbox.pid, again.access_key_id) == (True, sandbox.access_key_id)


@pytest.fixture
def clone(tmp_path):
    started = CloneLab(tmp_path)
    yield started
    started.stop()


def test_what_is_edited_in_lab_stays_in_the_learners_copy_and_a_run_takes_the_repositorys(clone):
    name = "notebooks/06_groups.ipynb"
    saved = clone.ask("GET", f"api/contents/{name}")
    for cell in saved["content"]["cells"]:
        cell["source"] = "raise SystemExit('edited')" if cell["cell_type"] == "code" else cell["source"]
    clone.ask("PUT", f"api/contents/{name}", {"type": "notebook", "content": saved["content"]})
    scenario = {"type": "file", "format": "text", "content": "target: sandbox\n"}
    clone.ask("PUT", "api/contents/parameters/mine.yaml", scenario)
    assert "SystemExit" in (clone.kit / "lab" / name).read_text("utf-8")
    assert clone.git("status", "--porcelain") == ""
    for where in (".", "lab/notebooks"):
        told = clone.idc("run", "--only", "06", "--mode", "plan", where=where)
        assert (f"{name}" in told) is (where != "."), "in the copy, it is said what does not run"
    runs = clone.kit / "runs"
    assert len([path for path in runs.iterdir() if path.is_dir() and not path.is_symlink()]) == 2
    assert "SystemExit" not in (runs / "latest" / name).read_text("utf-8")
    assert clone.git("status", "--porcelain") == ""
