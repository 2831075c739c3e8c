"""The recipes for plans and drift: GitHub's workflows with their own commands, and cron's line."""

import json
import re
import shlex
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml
from kit_commands import KIT
from patience import PATIENCE_S

WORKFLOWS = sorted((KIT / "recipes" / "github").glob("*.yml"))
SCENARIO = "groups:\n  - display_name: From a branch\n"


@pytest.fixture(scope="module")
def desk(commands, tmp_path_factory):
    """A clone with `.venv/bin/idc`, a `gh` that keeps what it is given, and a shell as GitHub's."""
    clone, tools = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("tools")
    state = shlex.quote(str(commands.state))
    programs = {
        clone
        / ".venv"
        / "bin"
        / "idc": f"export PYTHONPATH={shlex.quote(str(KIT))} IDC_SANDBOX_STATE={state}\n"
        f'exec {shlex.quote(sys.executable)} -m idc_runner.cli "$@"\n',
        tools / "gh": 'echo "$@" > gh-words\n',
    }
    for program, text in programs.items():
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{text}", "utf-8")
        program.chmod(0o755)
    for name in ("notebooks", "parameters"):
        (clone / name).symlink_to(KIT / name)
    scenario = tmp_path_factory.mktemp("scenario") / "company.yaml"
    scenario.write_text(SCENARIO, "utf-8")

    def run(command, shell=("bash", "-e"), **variables):
        output = clone / "output"
        output.write_text("", "utf-8")
        return subprocess.run(
            [*shell, "-c", command],
            env={
                "HOME": str(commands.folder),
                "PATH": f"{tools}:/usr/bin:/bin",
                "SCENARIO": str(scenario),
                "GITHUB_OUTPUT": str(output),
                **variables,
            },
            cwd=clone,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    return SimpleNamespace(run=run, clone=clone, scenario=scenario)


def steps_of(path, job):
    return yaml.safe_load(path.read_text("utf-8"))["jobs"][job]["steps"]


def command_of(path, job, name):
    (found,) = (step["run"] for step in steps_of(path, job) if step.get("name") == name)
    return found


def cron(desk):
    """Give the crontab's own command as cron does."""
    lines = (KIT / "recipes" / "idc-drift.crontab").read_text("utf-8").splitlines()
    (line,) = (each for each in lines if each and each[0].isdigit())
    command = line.split(maxsplit=5)[5]
    assert "%" not in command  # cron would take it for the end of the line
    return desk.run(command, shell=("/bin/sh",), IDC_KIT=str(desk.clone), IDC_SCENARIO=str(desk.scenario))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_asks_for_the_least_and_trusts_fixed_commits(path):
    text = path.read_text("utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        allowed = {"contents": "read", "id-token": "write"}
        if name == "plan":
            allowed["pull-requests"] = "write"
        assert job["permissions"] == allowed
        # What others can write, such as a branch's name, never becomes part of a command.
        assert not [step["run"] for step in job["steps"] if "${{" in step.get("run", "")]
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert [
        each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)
    ] == []


def test_what_is_applied_on_main_is_only_what_was_planned_there_and_approved():
    workflow = yaml.safe_load((KIT / "recipes" / "github" / "identity-center.yml").read_text("utf-8"))
    apply = workflow["jobs"]["apply"]
    assert (apply["needs"], apply["environment"]) == ("plan", "identity-center")
    assert "github.event_name == 'push'" in apply["if"]
    assert workflow[True]["push"]["branches"] == ["main"]  # YAML reads the key `on` as true


def test_the_workflows_own_commands_plan_comment_apply_and_find_drift(desk):
    path, drift = (
        KIT / "recipes" / "github" / f"{name}.yml" for name in ("identity-center", "identity-center-drift")
    )
    planned = desk.run(command_of(path, "plan", "Plan"))
    assert planned.returncode == 0, planned.stderr
    assert (desk.clone / "output").read_text("utf-8") == "status=2\n"
    assert "+ group From a branch" in (desk.clone / "plan.md").read_text("utf-8")
    assert desk.run(command_of(path, "plan", "Comment"), PULL_REQUEST="7").returncode == 0
    assert (desk.clone / "gh-words").read_text("utf-8").startswith("pr comment 7 --body-file plan.md")
    applied = desk.run(command_of(path, "apply", "Apply"), ACCEPT="")
    assert applied.returncode == 0, applied.stderr + applied.stdout
    (folder,) = desk.clone.glob("runs/2*")
    assert json.loads((folder / "summary.json").read_text("utf-8"))["mode"] == "apply"
    found = desk.run(command_of(drift, "drift", "Drift"))
    assert found.returncode == 0, found.stdout
    assert cron(desk).stdout == ""
    desk.scenario.write_text(f"{SCENARIO}  - display_name: Not there\n", "utf-8")
    try:
        assert desk.run(command_of(drift, "drift", "Drift")).returncode == 2
    finally:
        desk.scenario.write_text(SCENARIO, "utf-8")


def test_a_plan_that_cannot_be_made_fails_the_step(desk):
    path = KIT / "recipes" / "github" / "identity-center.yml"
    desk.scenario.write_text("group: {}\n", "utf-8")
    try:
        failed = desk.run(command_of(path, "plan", "Plan"))
    finally:
        desk.scenario.write_text(SCENARIO, "utf-8")
    assert failed.returncode == 1
    assert "groups" in failed.stderr


def test_cron_prints_a_drift(desk):
    desk.scenario.write_text(f"{SCENARIO}  - display_name: Missing\n", "utf-8")
    try:
        found = cron(desk)
    finally:
        desk.scenario.write_text(SCENARIO, "utf-8")
    assert "✘ missing: group Missing" in found.stdout
