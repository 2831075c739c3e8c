"""Back in the lesson at JupyterLab, after its steps: refusals, keyboard, Cancel, a restart, the person.

At a test's end its notebooks are also looked at, as in the walk through all forms.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from accessibility import WIDTH, violations
from lab_desk import OUTPUT, Lab
from lesson_forms import filled
from lesson_states import apply_all, context_of
from playwright.sync_api import Browser, Locator, expect

from idc_aws.organization import resolve_account
from idc_aws.signin.activation import portal_settings, signed_in_person
from idc_aws.signin.profiles import SsoProfile
from idc_aws.signin.terminal import configure_sso, sandbox_terminal, sso_login
from idc_helpers.runbook.records import ReceiptBook


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Lab]:
    """Return a Lab whose run has applied what a person fills in."""
    started = Lab(tmp_path_factory.mktemp("lab"), chromium)
    apply_all(context_of(started.state_folder, filled(), started.run_folder))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def connection(lab):
    return lab.connect()


def description_of(connection, name: str) -> str:
    store = {"IdentityStoreId": connection.instance.identity_store_id}
    groups = connection.client("identitystore").list_groups(**store)["Groups"]
    return next(group["Description"] for group in groups if group["DisplayName"] == name)


def tab_to(wanted: Locator, key: str = "Tab", *, most: int = 40) -> None:
    """Press Tab until something has the focus."""
    for _ in range(most):
        wanted.page.keyboard.press(key)
        if wanted.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError(f"{key} does not lead to {wanted}")


def test_a_whole_notebook_needs_no_mouse_fits_a_narrow_screen_and_refuses_a_wrong_value(opened):
    notebook = opened("05_permission_sets")
    keyboard = notebook.lab.page.keyboard
    cells = notebook.panel.locator(".jp-Cell").count()
    for _ in range(cells - 1):
        keyboard.press("Shift+Enter")
    form = notebook.form("Permission sets")
    notebook.wait_until_idle()
    assert notebook.red() == []
    for _ in range(cells):
        if ".take()" in notebook.active_source():
            break
        keyboard.press("ArrowUp")
    tab_to(form.box.get_by_role("link", name="Practice console → Permission sets"))
    around = (form.field("Shown"), form.button("Add another"), form.button("Remove this one"))
    for one in (*around, *map(form.field, ("Policy for", "Permission set name", "Description"))):
        tab_to(one, most=1)
    keyboard.press("ControlOrMeta+a")
    keyboard.type("By keyboard")
    tab_to(form.field("Session duration"), most=1)
    for title in ("Policies", "Permissions boundary", "Relay state", "Tags"):
        tab_to(form.button(re.compile(f"▸ {title}")), most=1)
    tab_to(form.button("Review"), most=1)
    assert "1 to update" in form.press_focused("Plan: ", "Reading the target")[-1]
    expect(form.box).to_contain_text("By keyboard")
    # What was locked while the plan was made has lost the focus; Tab continues from there.
    calls = form.box.locator(".idc-calls summary")
    names = (re.compile("^Apply"), "Check", "Undo this step …", "▸ Save as scenario …")
    for one in (*map(form.button, names), calls.first, calls.filter(has_text="AWS CLI")):
        tab_to(one, most=1)
    keyboard.press("Enter")
    tab_to(form.button("Copy the commands"), most=1)
    keyboard.press("Enter")
    expect(form.button("Copied")).to_be_visible()
    assert [notebook.cut_off(width) for width in (390, WIDTH // 2, WIDTH)] == [[], [], []]
    tab_to(form.apply_button, "Shift+Tab")
    assert "1 updated" in form.press_focused("✔ Done: ", "Applying")[-1]
    tab_to(form.button("Check"))
    form.press_focused(r"✔ \d+ of \d+ checks passed", "Reading the target")
    tab_to(notebook.panel.locator("summary", has_text="A hint"))
    keyboard.press("Enter")
    expect(notebook.panel.locator("details[open]", has_text="A hint")).to_be_visible()
    tab_to(notebook.panel.get_by_role("link", name="06 · Groups").last)
    assert notebook.red() == []
    form.fill("Session duration", "Another length …")
    form.fill("Session duration: another length", "13 hours")
    expect(form.box).to_contain_text("13 hours is not possible")
    expect(form.apply_button).to_be_disabled()
    form.fill("Session duration: another length", "2 hours")
    expect(form.apply_button).to_be_disabled()
    form.review()
    expect(form.box).to_contain_text("Session duration: 2 hours")
    expect(form.apply_button).to_be_enabled()


def test_cancel_stops_between_two_calls_and_apply_then_makes_the_rest(lab, opened, connection):
    notebook = opened("08_users", look=False)
    notebook.run_all()
    form = notebook.form("Users")
    form.undo()
    total = int(re.search(r"(\d+) to create", form.review())[1])
    receipts = ReceiptBook(lab.run_folder / "receipts.jsonl")
    before = len(receipts.read())
    connection.console.call("PUT", "switches", {"latency_s": 3})
    try:
        form.press_until("Apply", "Call 2 of")
        form.press_until("Cancel", "Cancelling")
    finally:
        connection.console.call("PUT", "switches", {"latency_s": None})
    said = form.wait_for("✘ cancelled")
    made = int(re.search(rf"cancelled: (\d+) of {total} changes are done", said)[1])
    assert 0 < made < total
    assert f"Plan: {total - made} to create" in said, "what is left, read anew"
    finished = [one.status for one in receipts.read()[before:] if one.status == "done"]
    assert len(finished) == made
    assert f"Done: {total - made} created" in form.apply()[-1]
    receipts_made = receipts.read()[before:]
    assert [one.status for one in receipts_made if one.status != "refused"] == ["done"] * total
    assert len({(one.kind, one.key) for one in receipts_made}) == total
    notebook.run_all()
    assert notebook.red() == []


def test_after_a_restart_of_the_kernel_running_again_is_safe(opened, connection):
    notebook = opened("06_groups", look=False)
    notebook.run_all()
    before = description_of(connection, "AdministratorAccess")
    notebook.form("Groups").fill("Description", "Typed before the restart")
    notebook.form("Groups").review()
    notebook.restart()
    # The form of the kernel that is gone says so, and has no button left that could be pressed.
    expect(notebook.panel.locator(".idc-panel.jupyter-widgets-disconnected")).to_be_visible()
    expect(notebook.panel.get_by_role("button", name="Apply")).to_have_count(0)
    notebook.run_all()
    assert notebook.red() == []
    assert description_of(connection, "AdministratorAccess") == before
    form = notebook.form("Groups")
    assert form.value("Description") == "People who set things up"
    form.review()
    assert "1 updated" in form.apply()[-1]


def test_two_notebooks_at_once_leave_each_other_alone(lab, opened, connection):
    groups = opened("06_groups")
    groups.run_all()
    assert groups.red() == [], "what is there already needs no Apply"
    groups.form("Groups").fill("Description", "Only here")
    plan = groups.form("Groups").review().splitlines()[0]
    settings = opened("03_authentication", look=False)
    settings.run_all()
    form = settings.form("Multi-factor authentication")
    form.review()
    assert "1 updated" in form.apply()[-1]
    lab.open("06_groups")
    form = groups.form("Groups")
    assert form.value("Description") == "Only here"
    expect(form.apply_button).to_be_enabled()
    expect(form.box.get_by_role("status")).to_contain_text(plan)
    assert description_of(connection, "AdministratorAccess") != "Only here"
    form.apply()
    assert description_of(connection, "AdministratorAccess") == "Only here"
    # What is left alone and what is wrong stays in sight, and is looked at for everybody's access.
    assert "3 unchanged" in form.review_undo()  # they have members and assignments
    form.fill("Group name", "")
    expect(form.beside("Group name").get_by_role("alert")).to_be_visible()


@pytest.fixture(scope="module")
def mary(connection):
    """Return the person of the scenario in a browser: what notebook 09 leads to."""
    with signed_in_person(connection, "mary.major") as person:
        yield person


@pytest.fixture(scope="module")
def terminal(connection):
    found = sandbox_terminal(connection)
    if found.command_line is None:
        pytest.fail("no AWS CLI v2 is on the path: `apt-get install awscli`, or AWS's installer")
    return found


def profile_of(connection) -> SsoProfile:
    """Return the profile that the scenario wants, and that the notebook's plan shows."""
    portal = portal_settings(connection)
    account_id = resolve_account(connection, "Management").account_id
    names = ("practice", "practice", portal["start_url"], portal["region"], account_id, "AdministratorAccess")
    return SsoProfile(*names, region="us-east-1")


@pytest.mark.parametrize("name", ["00_start_here", "09_activate_user"])
def test_notebooks_without_a_form_show_nothing_red(opened, name):
    notebook = opened(name)
    notebook.run_all()
    assert notebook.red() == []


def test_what_the_terminal_is_for_is_done_there_and_seen_in_notebook_10(opened, connection, terminal, mary):
    def allow(code: str) -> None:
        mary.do("sign_in")  # a logout has ended the browser's session too
        mary.do("approve_device", user_code=code)

    notebook = opened("10_aws_configure_sso")
    notebook.run_all()
    assert notebook.red() == [], "who has not been in the terminal yet sees nothing red"
    expect(notebook.panel.get_by_text(re.compile(r"run: aws configure sso")).first).to_be_visible()
    configure_sso(terminal, profile_of(connection), allow)
    notebook.run_all()
    assert notebook.red() == []
    expect(notebook.panel.get_by_text(re.compile(r"run: aws sso login")).first).to_be_visible()
    sso_login(terminal, "practice", allow)
    notebook.run_from("command_line.login()")
    assert notebook.red() == []


def test_notebook_11_goes_on_with_the_terminals_session(opened, terminal):
    notebook = opened("11_temporary_credentials")
    notebook.run_all()
    assert notebook.red() == []
    expect(notebook.panel.locator(OUTPUT).filter(has_text="ExpiredToken").first).to_be_visible()
    expect(notebook.panel.locator(OUTPUT).filter(has_text="4 of 4 passed").first).to_be_visible()
    shutil.rmtree(terminal.token_folder.parents[1] / "cli", ignore_errors=True)
    identity = terminal.call("sts", "get-caller-identity", profile="practice")
    assert identity.values, "the terminal's session goes on after the notebook has refreshed its token"


def test_the_teardown_takes_everything_back(lab, opened):
    notebook = opened("99_teardown")
    notebook.run_all()
    assert notebook.red() == []
    form = notebook.form("Teardown")
    assert "to delete" in form.review()
    assert violations(notebook) == []
    assert re.search(r"\d+ deleted", form.apply()[-1])
    notebook.run_all()
    assert notebook.red() == []
    assert lab.connect().instance_or_none() is None
    notebook.save()
    assert lab.changed_files() == ""
