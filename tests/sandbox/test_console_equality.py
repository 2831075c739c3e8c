"""Steps 1 to 13 of the lesson by the AWS CLI leave the same state as the kit.

That it is so by clicks is what `browser/test_lesson_by_clicks.py` shows.
"""

from __future__ import annotations

import html
import os
import re
import subprocess
from pathlib import Path

import pytest
from console_steps import STEPS, Clicker, take_each
from lesson_states import default_scenario
from patience import PATIENCE_S

from idc_aws.scenario.scenario import Scenario
from idc_aws.signin.terminal import find_command_lines
from idc_helpers.notebook.calls import calls_html, target_of
from idc_helpers.runbook.lesson import LESSON
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step

_COMMANDS = re.compile('<pre[^>]* aria-label="commands">(.*?)</pre>', re.DOTALL)


@pytest.fixture
def visitor(fresh_sandbox) -> Clicker:
    """Return the owner's browser at a sandbox in which nothing was done yet."""
    fresh_sandbox.switches(asynchronous_duration_s=0)
    return Clicker(fresh_sandbox, default_scenario())


@pytest.fixture
def environment(fresh_sandbox) -> dict[str, str]:
    """Return the environment of a terminal whose `aws` is the newest one of this machine."""
    found = find_command_lines()
    if not any(one.can_sign_in for one in found):
        pytest.fail("no AWS CLI v2 is on the path: `apt-get install awscli`, or AWS's installer")
    folder = Path(max(found, key=lambda one: one.version).program).parent
    key, secret = fresh_sandbox.administrator_key()
    return {
        **{name: value for name, value in os.environ.items() if name != "AWS_PROFILE"},
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
    }


def run(environment: dict[str, str], *command: str) -> str:
    """Return what a command prints; it must end well."""
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 0, (command[-1], done.stdout, done.stderr)
    return done.stdout


def for_commands(environment: dict[str, str], scenario: Scenario) -> Scenario:
    """Leave out a set with its group, as each command takes a second, and what the AWS CLI is too old for."""
    options = ("--generate-cli-skeleton", "--region=us-east-1", "--identity-store-id=d-1234567890")
    skeleton = run(environment, "aws", "identitystore", "create-user", *options)
    added = {"birthdate": "Birthdate", "website": "Website", "enterprise": "Extensions"}
    unknown = dict.fromkeys(name for name, option in added.items() if f'"{option}"' not in skeleton)
    out = "ReadOnlyAccess"
    users = [
        one.model_copy(update={**unknown, "groups": [group for group in one.groups if group != out]})
        for one in scenario.users
    ]
    kept = {
        "permission_sets": [one for one in scenario.permission_sets if one.predefined != out],
        "groups": [one for one in scenario.groups if one.display_name != out],
        "account_assignments": [one for one in scenario.account_assignments if one.group != out],
    }
    return scenario.model_copy(update={**kept, "users": users})


def test_by_the_commands_that_review_shows_it_is_the_same_as_by_the_kit(visitor, environment, tmp_path):
    def act(context: RunContext, name: str) -> None:
        if name == "instance":  # the commands are for its tags
            visitor.press("Enable", kind="single", region=visitor.scenario.region)
            visitor.press("Save", name=visitor.scenario.instance.name)
        elif LESSON[name].no_api or LESSON[name].only_reads:
            STEPS[name](visitor)
            return
        step = Step(context, name)
        shown = calls_html(step.calls(step.plan()), target_of(context))
        run(environment, "bash", "-eu", "-o", "pipefail", "-c", html.unescape(_COMMANDS.search(shown)[1]))

    visitor.scenario = for_commands(environment, visitor.scenario)
    take_each(visitor, tmp_path, act)
