"""What a plan run says: of a target without an instance, and of one whose instance is in another Region."""

import json

import pytest
from kit_commands import KIT, Commands, steps_that_come_later, what_is_there

from idc_aws.connection import connect


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    commands = Commands(tmp_path_factory.mktemp("plan"))
    commands.start_sandbox()
    yield commands
    commands.stop_sandbox()


def scenario(commands, target, region="us-east-1"):
    """Return the kit's own scenario for another target and Region."""
    text = (KIT / "parameters" / "sandbox.yaml").read_text("utf-8")
    path = commands.folder / f"{target}-{region}.yaml"
    path.write_text(
        text.replace("target: sandbox", f"target: {target}").replace("us-east-1", region), "utf-8"
    )
    return str(path)


def as_aws(commands):
    """Return the variables that let target ``aws`` arrive at the sandbox: an AWS account, for the kit."""
    return json.loads(commands.idc("sandbox", "env", "--json").stdout)


LATER = dict.fromkeys(("02", "03", "04", "05", "06", "07", "08"), True)


@pytest.mark.parametrize("target", ["aws", "sandbox"])
def test_a_plan_before_there_is_an_instance_writes_nothing_and_says_what_comes_later(commands, target):
    """On AWS of the whole lesson; on the sandbox of settings that AWS has no API for, and of the person."""
    options = {"variables": as_aws(commands)} if target == "aws" else {}
    only = [] if target == "aws" else ["--only", "01,03,09,10,11"]
    mine = scenario(commands, target)
    done, summary = commands.run("--parameters", mine, "--mode", "plan", *only, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "to create" in done.stdout
    assert summary["mode"] == "plan"
    assert {notebook["status"] for notebook in summary["notebooks"]} == {"passed"}
    assert sum(notebook["changes"]["create"] for notebook in summary["notebooks"]) > 0
    assert not (commands.latest / "receipts.jsonl").exists()
    assert what_is_there(commands) == {}
    configured = (commands.latest / "notebooks" / "10_aws_configure_sso.ipynb").read_text("utf-8")
    if target == "sandbox":
        assert steps_that_come_later(summary) == {"01": False, "03": True}
        return
    assert len(summary["notebooks"]) == 14
    assert steps_that_come_later(summary) == {"01": False, "99": False} | LATER
    executed = (commands.latest / "notebooks" / "05_permission_sets.ipynb").read_text("utf-8")
    assert "Later: there is no instance yet. Notebook 01 enables it; this step comes after it." in executed
    assert "Later: no instance is visible in Region" in configured


@pytest.mark.parametrize("mode", ["plan", "apply"])
@pytest.mark.parametrize("target", ["sandbox", "aws"])
def test_another_region_than_the_instance_s_is_said_first_in_both_modes(commands, target, mode):
    connection = connect(state_folder=commands.state)
    if connection.instance_or_none() is None:
        connection.console.enable_organization_instance(region="us-east-1")
    before = sorted(commands.runs.glob("2*")) if commands.runs.exists() else []
    options = {"variables": as_aws(commands)} if target == "aws" else {}
    wrong = scenario(commands, target, "eu-west-1")
    done, _ = commands.run("--parameters", wrong, "--mode", mode, "--only", "01,05", **options)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "no instance is visible in Region 'eu-west-1' for account" in said.splitlines()[0]
    assert "There is one in us-east-1." in said.splitlines()[0]
    assert "Set `region` to 'us-east-1'." in said
    assert "01_enable" not in said
    assert (sorted(commands.runs.glob("2*")) if commands.runs.exists() else []) == before
