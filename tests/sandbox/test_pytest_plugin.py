"""The fixture `identity_center`, as people who test their own tools use it: pytest in a folder of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import time
import tomllib
from pathlib import Path

import pytest
from patience import PATIENCE_S

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(pytester, monkeypatch):
    """Return a function that writes a test module and runs pytest on it, in a process of its own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # those of others take longer than the test

    def run_pytest(code: str, *options: str):
        pytester.makepyfile(test_yours=code)
        return pytester.runpytest_subprocess(
            "-p", "idc_sandbox.pytest_plugin", "-p", "no:cacheprovider", *options
        )

    return run_pytest


def test_the_example_of_the_docs(run):
    page = (ROOT / "docs" / "testing.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    run(example).assert_outcomes(passed=5)


def test_the_example_of_account_access(run):
    page = (ROOT / "docs" / "sandbox.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(import json\n.*?)```", page, re.DOTALL)
    code = f"""
        import pytest

        @pytest.fixture(scope="session")
        def identity_center_seed():
            return {{"users": ["ana"]}}

        def test_it(identity_center):
            identity_center.switches(asynchronous_duration_s=0)  # the waiter sleeps for seconds
            names = {{}}
            exec({example!r}, names)
            found = names["access"].list_entitlements(applicationArn=names["application"], filter={{}})
            (one,) = found["entitlements"]
            assert one["entitlement"]["principalRole"]["roleArn"] == names["role"]
        """
    run(textwrap.dedent(code)).assert_outcomes(passed=1)


def test_each_test_has_a_fresh_one_and_the_seed_comes_from_a_file(run, pytester):
    pytester.makefile(
        ".yaml",
        company="""
        organization:
          organizational_units: [{name: Work, accounts: [{name: Shop, id: "222233334444"}]}]
        region: eu-west-1
        users: [ana]
        permission_sets: [Admin]
        account_assignments: [{permission_set: Admin, user: ana, accounts: [Shop]}]
        """,
    )
    outcome = run("""
        import subprocess, sys
        from pathlib import Path
        import boto3, pytest

        @pytest.fixture(scope="session")
        def identity_center_seed():
            return Path(__file__).with_name("company.yaml")

        @pytest.mark.parametrize("number", range(3))
        def test_it(identity_center, number):
            instance = identity_center.instance["InstanceArn"]
            assert boto3.client("sso-admin").list_instances()["Instances"] == [identity_center.instance]
            assert identity_center.client("sso-admin", region="us-east-1").list_instances()["Instances"] == []
            sso = identity_center.client("sso-admin")
            (arn,) = sso.list_permission_sets(InstanceArn=instance)["PermissionSets"]
            (account,) = sso.list_accounts_for_provisioned_permission_set(
                InstanceArn=instance, PermissionSetArn=arn)["AccountIds"]
            assert account == identity_center.accounts["Shop"] == "222233334444"
            sso.create_permission_set(InstanceArn=instance, Name="More")
            boto3.client("iam").create_user(UserName="somebody")
            identity_center.switches(latency_s=0.001)
            identity_center.clock.advance(3600)
            Path.home().joinpath("left").write_text("behind")

        def test_nothing_is_left(identity_center):
            (user,) = boto3.client("iam").list_users()["Users"]
            assert user["UserName"] == "sandbox-administrator"
            assert identity_center.switches()["latency_s"] == 0
            assert not Path.home().joinpath("left").exists()
            assert abs(identity_center.clock.now - __import__("time").time()) < 3000
    """)
    outcome.assert_outcomes(passed=4)


def test_one_for_the_whole_run_and_a_reset_in_between(run, pytester):
    pytester.makeini("[pytest]\nidentity_center_scope = session")
    run("""
        def groups(center):
            store = center.instance["IdentityStoreId"]
            return center.client("identitystore").list_groups(IdentityStoreId=store)["Groups"]

        def test_first(identity_center):
            store = identity_center.instance["IdentityStoreId"]
            identity_center.client("identitystore").create_group(IdentityStoreId=store, DisplayName="One")

        def test_second(identity_center):
            assert [group["DisplayName"] for group in groups(identity_center)] == ["One"]
            identity_center.reset()
            assert groups(identity_center) == []
    """).assert_outcomes(passed=2)


def test_the_environment_is_the_users_own_again_and_was_never_used(run, monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text("[default]\nregion = this is no region\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    run("""
        import os, subprocess, sys
        import boto3

        HOME = os.environ["HOME"]
        ASK = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"

        def test_here(identity_center):
            assert os.environ["HOME"] != HOME
            assert "AWS_PROFILE" not in identity_center.environment
            assert os.environ["PATH"] == identity_center.environment["PATH"]
            boto3.client("sts").get_caller_identity()
            identity_center.client("sts").get_caller_identity()
            for environment in (None, identity_center.environment):
                command = [sys.executable, "-c", ASK]
                done = subprocess.run(command, env=environment, capture_output=True, text=True)
                assert done.stdout == "arn:aws:iam::111122223333:user/sandbox-administrator\\n", done.stderr

        def test_afterwards():
            assert (os.environ["HOME"], os.environ["AWS_PROFILE"]) == (HOME, "no-such-profile")
            assert os.environ["AWS_ENDPOINT_URL_STS"] == "http://127.0.0.1:9"
            assert boto3.DEFAULT_SESSION is None
    """).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("seed", "said"),
    [
        ({"user": []}, "the seed has 'user'.*users, groups"),
        ({"users": [{"user_name": "ana", "mail": "a@example.com"}]}, "'ana' in users.*'mail'.*email"),
        ({"users": [{"given_name": "Ana"}]}, "'user_name', or that name alone"),
        ({"users": "ana"}, "users of the seed is 'ana', not a list"),
        ({"users": [{"user_name": "ana", "groups": ["Nobody"]}]}, "'ana' names the group 'Nobody'.*none"),
        (
            {"permission_sets": ["A"], "account_assignments": [{"permission_set": "A", "accounts": []}]},
            "of 'A' names nobody. Give `user` or `group`",
        ),
        (
            {
                "permission_sets": ["A"],
                "users": ["u"],
                "account_assignments": [{"permission_set": "A", "user": "u", "accounts": ["Moon"]}],
            },
            "the account 'Moon'. There are: .*Development",
        ),
        ({"instance": "no"}, "instance of the seed is 'no'. Give true or false."),
        ("no-such-file.yaml", "'no-such-file.yaml' cannot be read.*No such file"),
    ],
)
def test_a_wrong_seed_is_named_with_its_remedy(center, seed, said):
    with pytest.raises(Exception, match=f"(?s){said}") as caught, center.fresh(seed):
        pass
    assert type(caught.value).__name__ == "SeedError"
    with center.fresh({"users": ["ana"]}):  # and nothing of it is in the way of the next
        assert center.instance["Status"] == "ACTIVE"


@pytest.fixture(scope="module")
def center(tmp_path_factory):
    """Return one Identity Center for several tests."""
    from idc_sandbox.testing import Sandboxes

    sandboxes = Sandboxes(tmp_path_factory.mktemp("center"))
    yield sandboxes.of(None)
    sandboxes.stop()


def test_a_seed_without_an_instance(center):
    with center.fresh({"instance": False}), pytest.raises(LookupError, match="instance: false"):
        _ = center.instance


def test_the_sandbox_ends_with_a_run_that_is_killed(run, pytester):
    run("""
        import os, signal
        def test_it(identity_center):
            with open("pid", "w") as file:
                file.write(str(identity_center._running.pid))
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    pid = int((pytester.path / "pid").read_text())
    deadline = time.monotonic() + PATIENCE_S
    while _is_there(pid):
        assert time.monotonic() < deadline, "the sandbox outlives the test run"
        time.sleep(0.05)


def _is_there(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not status.exists() or "\nState:\tZ" not in status.read_text()


def test_a_run_that_does_not_ask_for_it_loads_nothing_of_it(run):
    run("""
        import sys
        def test_it():
            mine = {name for name in sys.modules if name.startswith("idc_sandbox")}
            assert mine == {"idc_sandbox", "idc_sandbox.pytest_plugin"}
            assert not {"boto3", "moto", "starlette", "httpx", "pydantic"} & set(sys.modules)
    """).assert_outcomes(passed=1)


def test_pytest_finds_the_plugin_by_the_entry_point_of_the_kit():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    plugin = "idc_sandbox.pytest_plugin"
    assert project["entry-points"]["pytest11"] == {plugin: plugin}  # one name: pytest loads it once


def test_the_program_needs_none_of_the_kits_other_packages(tmp_path):
    """A folder with the package alone, and a process that holds it by its input."""
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "idc_sandbox").symlink_to(ROOT / "idc_sandbox")
    refuse = "import sys\nfor name in ('idc_aws', 'idc_helpers', 'idc_runner'): sys.modules[name] = None\n"
    (tmp_path / "alone" / "sitecustomize.py").write_text(refuse)
    state = str(tmp_path / "state")
    command = [sys.executable, "-m", "idc_sandbox"]
    options = {"env": {**os.environ, "PYTHONPATH": str(tmp_path / "alone")}, "text": True, "cwd": tmp_path}
    start = [*command, "start", "--state", state, "--port", "0", "--json", "--until-eof"]
    with subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options) as holder:
        assert '"endpoint_url": "http://127.0.0.1:' in holder.stdout.readline()
        done = subprocess.run(
            [*command, "status", "--state", state], check=False, capture_output=True, **options
        )
        assert (done.returncode, done.stderr) == (0, "")
        holder.stdin.close()
        assert holder.wait(PATIENCE_S) == 0
    done = subprocess.run([*command, "status", "--state", state], check=False, capture_output=True, **options)
    assert done.returncode == 1
