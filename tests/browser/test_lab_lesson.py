"""The whole lesson at JupyterLab, as a person goes it: each notebook's forms, plans, Apply, checks, Undo.

Each notebook is also looked at for everybody's access: nothing serious in its forms and outputs.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from accessibility import WIDTH, violations
from lab_desk import OUTPUT, Form, Lab, Notebook
from playwright.sync_api import Browser, Keyboard, expect

from idc_aws.organization import resolve_account
from idc_aws.signin.activation import portal_settings, signed_in_person
from idc_aws.signin.profiles import SsoProfile
from idc_aws.signin.terminal import configure_sso, sandbox_terminal, sso_login
from idc_helpers.runbook.records import ReceiptBook


class Case(NamedTuple):
    """What a person does with one form.

    Attributes
    ----------
    label, value
        A field, and what is typed or chosen in it.
    shown
        What the plan shows of it.
    can_be_undone
        A portal's subdomain is for good.
    """

    title: str
    label: str = ""
    value: str = ""
    shown: str = ""
    can_be_undone: bool = True


TEAM = "${path:enterprise.department}"
FORMS = {
    "01_enable_identity_center": [Case("Enable IAM Identity Center", "Instance name", "my-practice")],
    "02_settings": [
        Case("Attributes for access control", "Attributes", f"Team = {TEAM}", f"Team={TEAM}"),
        Case("AWS access portal", "Subdomain", "my-portal", can_be_undone=False),
    ],
    "03_authentication": [
        Case("Standard authentication"),
        Case("Multi-factor authentication", "If a user does not", "Allow them", "allow"),
        Case("Sessions", "User interactive sessions", "12 hours", "User interactive sessions: 12 hours"),
    ],
    "04_management": [Case("Delegated administrator", "Delegated administrator", "Log archive", "AccountId")],
    "05_permission_sets": [Case("Permission sets", "Description", "Everything")],
    "06_groups": [Case("Groups", "Description", "People of every kind: 日本 é")],
    "07_account_assignments": [Case("Account assignments", "Production", "yes", "Production")],
    "08_users": [Case("Users", "Display name", "Mary 🦊")],
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Lab]:
    """Return a Lab whose sandbox is empty when the first test begins."""
    started = Lab(tmp_path_factory.mktemp("lab"), chromium)
    yield started
    started.stop()


@pytest.fixture
def opened(lab: Lab) -> Iterator[object]:
    """Return a function that opens a notebook; it is closed, and its kernel ended, afterwards."""
    notebooks: list[Notebook] = []

    def open_notebook(name: str) -> Notebook:
        notebooks.append(lab.open(name))
        return notebooks[-1]

    yield open_notebook
    for notebook in notebooks:
        notebook.picture()
        lab.close(notebook)
    lab.page.set_viewport_size({"width": WIDTH, "height": 1000})


def test_the_start_shows_the_way_before_anything_is_done(opened):
    notebook = opened("00_start_here")
    notebook.run_all()
    assert notebook.errors() == []
    links = notebook.panel.locator(f"{OUTPUT} a[href*='.ipynb']")
    expect(links.filter(has_text=re.compile("Enable")).first).to_be_visible()
    assert violations(notebook) == []


@pytest.mark.parametrize("name", FORMS)
def test_fill_review_apply_check_undo_and_apply_again(opened, name):
    notebook = opened(name)
    notebook.run_all()
    assert notebook.errors() == [], "running all cells before anything is applied ends well"
    for case in FORMS[name]:
        form = notebook.form(case.title)
        if case.label:
            form.fill(case.label, case.value)
        plan = form.review()
        assert "to create" in plan or "to update" in plan
        expect(form.box).to_contain_text(case.shown or case.value)
        said = form.apply()
        assert any(re.search(r"\d+ of \d+", text) for text in said), said
        assert re.search(r"(\d+) of \1 checks passed", said[-1]), said
        for table in ("Done for", "Checks of"):
            expect(form.box.get_by_text(re.compile(f"{table} “{case.title}”"))).to_have_count(1)
        if case.can_be_undone:
            undone = form.undo()[-1]
            assert "deleted" in undone or "updated" in undone
            assert form.review() == plan
            form.apply()
        else:
            expect(form.button("Undo this step …")).to_be_hidden()
        notebook.run_all()
        if case.label:
            assert notebook.form(case.title).value(case.label).startswith(case.value)
    assert notebook.errors() == []
    for case in FORMS[name]:
        notebook.form(case.title).review()
    assert violations(notebook) == []


@pytest.fixture(scope="module")
def connection(lab):
    return lab.connect()


def description_of(connection, name: str) -> str:
    store = {"IdentityStoreId": connection.instance.identity_store_id}
    groups = connection.client("identitystore").list_groups(**store)["Groups"]
    return next(group["Description"] for group in groups if group["DisplayName"] == name)


def test_a_wrong_value_is_refused_beside_its_field_and_never_applied(opened):
    notebook = opened("05_permission_sets")
    notebook.run_all()
    form = notebook.form("Permission sets")
    form.review()
    form.fill("Session duration", "Another length …")
    form.fill("Session duration: another length", "13 hours")
    expect(form.box).to_contain_text("13 hours is not possible")
    expect(form.apply_button).to_be_disabled()
    form.fill("Session duration: another length", "2 hours")
    expect(form.apply_button).to_be_disabled()
    form.review()
    expect(form.box).to_contain_text("Session duration: 2 hours")
    expect(form.apply_button).to_be_enabled()


def test_what_an_undo_shows_is_for_everybody(opened):
    notebook = opened("07_account_assignments")
    notebook.run_all()
    assert "to delete" in notebook.form("Account assignments").review_undo()
    assert violations(notebook) == []


def test_what_is_wrong_and_left_alone_is_for_everybody_and_a_step_needs_no_mouse(opened):
    notebook = opened("06_groups")
    notebook.run_all()
    form = notebook.form("Groups")
    assert "3 unchanged" in form.review_undo()  # they have members and assignments
    form.fill("Group name", "")
    expect(form.beside("Group name").get_by_role("alert")).to_be_visible()
    assert violations(notebook) == []
    add_a_group_by_keyboard(form, notebook.lab.page.keyboard)


def add_a_group_by_keyboard(form: Form, keyboard: Keyboard) -> None:
    form.field("Shown").focus()
    for focused in (form.button("Add another"), form.button("Remove this one"), form.field("Group name")):
        keyboard.press("Tab")
        expect(focused).to_be_focused()
    keyboard.press("ControlOrMeta+a")
    keyboard.type("Operators")
    for focused in (form.field("Description"), form.button("Review")):
        keyboard.press("Tab")
        expect(focused).to_be_focused()
    assert "1 to create" in form.press_focused("Plan: ", "Reading the target")[-1]
    expect(form.box).to_contain_text("Operators")
    commands = form.box.locator(".idc-calls summary").filter(has_text="AWS CLI")
    commands.press("Enter")
    form.button("Copy the commands").press("Enter")
    expect(form.button("Copied")).to_be_visible()
    # What was locked while the plan was made has lost the focus: back to where one was.
    form.button("Review").focus()
    keyboard.press("Tab")
    expect(form.apply_button).to_be_focused()
    assert "1 created" in form.press_focused("✔ Done: ", "Applying")[-1]


def test_cancel_stops_between_two_calls_and_apply_then_makes_the_rest(lab, opened, connection):
    notebook = opened("08_users")
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
    assert notebook.errors() == []


def test_after_a_restart_of_the_kernel_running_again_is_safe(opened, connection):
    notebook = opened("06_groups")
    notebook.run_all()
    before = description_of(connection, "AdministratorAccess")
    notebook.form("Groups").fill("Description", "Typed before the restart")
    notebook.form("Groups").review()
    notebook.restart()
    # The form of the kernel that is gone says so, and has no button left that could be pressed.
    expect(notebook.panel.locator(".idc-panel.jupyter-widgets-disconnected")).to_be_visible()
    expect(notebook.panel.get_by_role("button", name="Apply")).to_have_count(0)
    notebook.run_all()
    assert notebook.errors() == []
    assert description_of(connection, "AdministratorAccess") == before
    form = notebook.form("Groups")
    assert form.value("Description") == "People who set things up"
    form.review()
    assert "1 updated" in form.apply()[-1]
    notebook.restart()
    notebook.run_all()
    assert notebook.errors() == [], "what is there already needs no Apply"


def test_two_notebooks_at_once_leave_each_other_alone(lab, opened, connection):
    groups = opened("06_groups")
    groups.run_all()
    groups.form("Groups").fill("Description", "Only here")
    plan = groups.form("Groups").review().splitlines()[0]
    settings = opened("03_authentication")
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
def test_notebooks_without_a_form_are_for_everybody(opened, name):
    notebook = opened(name)
    notebook.run_all()
    assert violations(notebook) == []


def test_what_the_terminal_is_for_is_done_there_and_seen_in_notebook_10(opened, connection, terminal, mary):
    def allow(code: str) -> None:
        mary.do("sign_in")  # a logout has ended the browser's session too
        mary.do("approve_device", user_code=code)

    notebook = opened("10_aws_configure_sso")
    notebook.run_all()
    assert notebook.errors() == [], "who has not been in the terminal yet sees nothing red"
    expect(notebook.panel.get_by_text(re.compile(r"run: \S*aws configure sso")).first).to_be_visible()
    configure_sso(terminal, profile_of(connection), allow)
    notebook.run_all()
    assert notebook.errors() == []
    expect(notebook.panel.get_by_text(re.compile(r"run: .\S*aws sso login")).first).to_be_visible()
    sso_login(terminal, "practice", allow)
    notebook.run_from("command_line.login()")
    assert notebook.errors() == []


def test_notebook_11_goes_on_with_the_terminals_session(opened, terminal):
    notebook = opened("11_temporary_credentials")
    notebook.run_all()
    assert notebook.errors() == []
    expect(notebook.panel.locator(OUTPUT).filter(has_text="ExpiredToken").first).to_be_visible()
    expect(notebook.panel.locator(OUTPUT).filter(has_text="4 of 4 passed").first).to_be_visible()
    shutil.rmtree(terminal.token_folder.parents[1] / "cli", ignore_errors=True)
    identity = terminal.call("sts", "get-caller-identity", profile="practice")
    assert identity.values, "the terminal's session goes on after the notebook has refreshed its token"


def test_the_teardown_takes_everything_back(lab, opened):
    notebook = opened("99_teardown")
    notebook.run_all()
    assert notebook.errors() == []
    form = notebook.form("Teardown")
    assert "to delete" in form.review()
    assert violations(notebook) == []
    assert re.search(r"\d+ deleted", form.apply()[-1])
    notebook.run_all()
    assert notebook.errors() == []
    assert lab.connect().instance_or_none() is None
