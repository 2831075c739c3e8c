"""``aws login`` of the machine's AWS CLI, with a real browser at its page: as a user, with a role, denied."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from console_pages import look
from login_terminal import LOGIN_ADDRESS, Terminal, require_login_cli
from patience import PATIENCE_S
from playwright.sync_api import expect
from scene import PASSWORD

from idc_sandbox.environment import environment, variables_to_unset


@pytest.fixture(scope="module")
def program():
    return require_login_cli()


@pytest.fixture
def variables(scene):
    """Return what `idc sandbox env` gives; no browser is opened, because the test brings its own."""
    given = environment(scene.sandbox)
    kept = {name: value for name, value in os.environ.items() if name not in variables_to_unset(given)}
    return kept | given | {"PYTHONUNBUFFERED": "1", "BROWSER": "true"}


@pytest.fixture
def terminal(program, variables, request):
    """Return a function that begins to log in, and the terminal in which that waits for its person."""

    def begin(*options):
        begun = Terminal(variables, program, "login", "--profile", request.node.name, *options)
        request.addfinalizer(begun.process.kill)
        return begun

    return begin


@pytest.fixture
def whoami(program, variables, request):
    """Return a function that asks AWS whose the keys of the new profile are."""

    def ask():
        words = [program, "sts", "get-caller-identity", "--profile", request.node.name, "--output", "json"]
        done = subprocess.run(
            words, env=variables, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


def test_an_iam_user_signs_in_and_the_page_of_the_cli_says_so(visitor, scene, terminal, whoami):
    iam, page = scene.client("iam"), visitor.page
    iam.create_user(UserName="maria")
    iam.create_login_profile(UserName="maria", Password=PASSWORD)
    iam.attach_user_policy(UserName="maria", PolicyArn="arn:aws:iam::aws:policy/SignInLocalDevelopmentAccess")
    here = terminal()
    page.goto(here.wait_for(LOGIN_ADDRESS))
    visitor.sees("Sign in for the AWS CLI")
    look(page)
    page.get_by_label("IAM user name").fill("maria")
    page.get_by_label("Password").fill("not-this-1-Password")
    visitor.press("Sign in and allow")
    expect(page.get_by_role("alert")).to_contain_text("Account, user name or password is not right")
    look(page)
    assert [text for text in visitor.complaints if "status of 400" not in text] == []
    visitor.complaints.clear()
    page.get_by_label("Password").fill(PASSWORD)
    visitor.press("Sign in and allow")
    expect(page.get_by_text("Your credentials have been shared successfully")).to_be_visible()
    assert here.end() == 0, here.text
    assert whoami()["Arn"].endswith(":user/maria")


def test_a_person_takes_a_role_along_to_another_machine(new_visitor, scene, mfa, terminal, whoami):
    mfa(user_without_device="allow")
    visitor = new_visitor(permissions=["clipboard-read", "clipboard-write"])
    page, (name, user_id) = visitor.page, scene.add_user(is_assigned=False)
    let_log_in(scene, user_id)
    visitor.accept_invitation(user_id)
    there = terminal("--remote")
    page.goto(there.wait_for(LOGIN_ADDRESS))
    expect(page.get_by_text("another machine")).to_be_visible()
    page.get_by_role("link", name="Sign in to the access portal").click()
    page.get_by_label("User name").fill(name)
    visitor.press("Next")
    page.get_by_label("Password").fill(PASSWORD)
    visitor.press("Sign in")
    visitor.sees("Sign in for the AWS CLI")
    page.get_by_label("Developer in").check()
    look(page)
    visitor.press("Allow with this role")
    visitor.sees("Your authorization code")
    look(page)
    visitor.press("Copy the authorization code")
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    there.wait_for("displayed in your browser")
    there.type(page.evaluate("navigator.clipboard.readText()"))
    assert there.end() == 0, there.text
    assert f"/{name}" in whoami()["Arn"]


def let_log_in(scene, user_id):
    """Assign a permission set with which one may use ``aws login``."""
    named = {"InstanceArn": scene.instance["InstanceArn"]}
    made = scene.sso_admin.create_permission_set(**named, Name="Developer")["PermissionSet"]
    named["PermissionSetArn"] = made["PermissionSetArn"]
    scene.sso_admin.attach_managed_policy_to_permission_set(
        **named, ManagedPolicyArn="arn:aws:iam::aws:policy/SignInLocalDevelopmentAccess"
    )
    scene.sso_admin.create_account_assignment(
        **named,
        TargetType="AWS_ACCOUNT",
        TargetId=scene.accounts[1],
        PrincipalType="USER",
        PrincipalId=user_id,
    )


def test_who_denies_gives_no_keys(visitor, terminal):
    here = terminal()
    visitor.page.goto(here.wait_for(LOGIN_ADDRESS))
    visitor.press("Deny")
    assert here.end() != 0
    assert "Failed to retrieve an authorization code" in here.text
