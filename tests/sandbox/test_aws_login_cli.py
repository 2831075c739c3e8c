"""The unmodified AWS CLI's ``aws login`` at a sandbox that is a process; the person goes through the page."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from login_client import PASSWORD
from login_terminal import LOGIN_ADDRESS, Terminal, require_login_cli
from patience import PATIENCE_S

from idc_sandbox.environment import environment, variables_to_unset


@pytest.fixture(scope="module")
def program():
    return require_login_cli()


@pytest.fixture(scope="module")
def variables(sandbox):
    """Return the environment that `idc sandbox env` gives, for a user who may sign in."""
    iam = sandbox.client("iam")
    iam.create_user(UserName="maria")
    iam.create_login_profile(UserName="maria", Password=PASSWORD)
    for policy in ("SignInLocalDevelopmentAccess", "ReadOnlyAccess"):
        iam.attach_user_policy(UserName="maria", PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    given = environment(sandbox.running)
    kept = {name: value for name, value in os.environ.items() if name not in variables_to_unset(given)}
    return kept | given | {"PYTHONUNBUFFERED": "1", "BROWSER": "true"}


def allow(sandbox, address):
    """Sign in at the page as the IAM user, and return what came of it."""
    with httpx.Client(follow_redirects=True, timeout=PATIENCE_S) as browser:
        page = browser.get(address)
        token = re.findall(r'name="csrf_token" value="(\w+)"', page.text)[0]
        action = html.unescape(re.findall(r'action="(/v1/authorize[^"]*)"', page.text)[0])
        form = {"csrf_token": token, "answer": "allow"} | {
            "account_id": sandbox.management_account_id,
            "user_name": "maria",
            "password": PASSWORD,
        }
        return browser.post(page.url.join(action), data=form)


def ask(program, variables, profile, *words):
    done = subprocess.run(
        [program, *words, "--profile", profile, "--output", "json"],
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("remote", [False, True])
def test_the_cli_signs_in_works_and_is_revoked(sandbox, program, variables, remote):
    profile = "there" if remote else "here"
    options = ["--remote"] if remote else []
    terminal = Terminal(variables, program, "login", "--profile", profile, *options)
    address = terminal.wait_for(LOGIN_ADDRESS)
    page = allow(sandbox, address)
    if remote:
        code = re.findall(r'data-value="code"[^>]*>(.*?)<', page.text)[0]
        terminal.wait_for("displayed in your browser")
        terminal.type(html.unescape(code))
    assert terminal.end() == 0, terminal.text
    arn = f"arn:aws:iam::{sandbox.management_account_id}:user/maria"
    assert f"Updated profile {profile} to use {arn} credentials" in " ".join(terminal.text.split())
    status, said, trouble = ask(program, variables, profile, "sts", "get-caller-identity")
    assert status == 0, trouble
    assert json.loads(said)["Arn"] == arn
    assert ask(program, variables, profile, "iam", "list-users")[0] == 0
    cache = list((Path(variables["HOME"]) / ".aws" / "login" / "cache").glob("*.json"))
    age(cache[0])
    assert ask(program, variables, profile, "sts", "get-caller-identity")[0] == 0, "a refresh gives new keys"
    revoke_all(sandbox, variables)
    age(cache[0])
    status, _, trouble = ask(program, variables, profile, "sts", "get-caller-identity")
    assert status != 0
    assert "reauthenticate using 'aws login'" in trouble


def age(cache):
    """Let the CLI believe that its keys end in a minute, as after fourteen: it then asks for new ones."""
    kept = json.loads(cache.read_text())
    kept["accessToken"]["expiresAt"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    cache.write_text(json.dumps(kept))


def revoke_all(sandbox, variables):
    """Revoke every session of the account with boto3 and the environment's endpoint rules."""
    program = """
import boto3, sys
signin = boto3.client("signin")
account = f"arn:aws:iam::{sys.argv[1]}:*"
found = [one["sessionArn"] for one in signin.list_sessions(principalArn=account)["items"]]
print(len(signin.batch_revoke_sessions(principalArn=account, sessionArns=found[:5])["revokedSessions"]))
"""
    words = [sys.executable, "-c", program, sandbox.management_account_id]
    done = subprocess.run(
        words, env=variables, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert int(done.stdout or 0) > 0, done.stderr
