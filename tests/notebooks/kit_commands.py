"""The kit's commands as a person gives them, each as a process, and what a sandbox holds afterwards."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config
from command_line_versions import answered
from patience import PATIENCE_S

from idc_sandbox.loopback import find_sandbox
from idc_sandbox.state_folder import StateFolder

KIT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Commands:
    """Gives commands with a state folder, a home and a folder of runs of their own.

    Attributes
    ----------
    folder
        Holds all of them.
    """

    folder: Path

    @property
    def state(self):
        return self.folder / "sandbox"

    @property
    def runs(self):
        return self.folder / "runs"

    @property
    def latest(self):
        return (self.runs / "latest").resolve()

    @property
    def environment(self):
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "IDC_"))}
        own = {"IDC_SANDBOX_STATE": str(self.state), "HOME": str(home), "PYTHONPATH": str(KIT)}
        return {**kept, **own, **answered(), "PYTHONUNBUFFERED": "1"}

    def idc(self, *arguments, given="", command_line=True, variables=()):
        """Give a command and return the completed process; `command_line`: whether there is an AWS CLI."""
        own = dict(variables) | ({} if command_line else {"PATH": path_without("aws")})
        return subprocess.run(
            [sys.executable, "-m", "idc_runner.cli", *arguments],
            cwd=KIT,
            env={**self.environment, **own},
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def run(self, *arguments, **options):
        """Run notebooks; return the completed process and summary.json."""
        done = self.idc("run", "--out", str(self.runs), *arguments, **options)
        return done, self.summary() if self.runs.exists() else None

    def begin(self, *arguments):
        """Begin a run and return the process while it goes on, with its output as lines."""
        command = [sys.executable, "-m", "idc_runner.cli", "run", "--out", str(self.runs), *arguments]
        return subprocess.Popen(
            command,
            cwd=KIT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def papermill(self, notebook, *arguments):
        """Run one notebook by papermill itself."""
        output = self.folder / "out.ipynb"
        command = [sys.executable, "-m", "papermill", f"notebooks/{notebook}.ipynb", str(output), *arguments]
        environment = {**self.environment, "IDC_RUN_FOLDER": str(self.folder / "papermill")}
        return subprocess.run(
            command, cwd=KIT, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )

    def summary(self):
        return json.loads((self.latest / "summary.json").read_text("utf-8"))

    @property
    def sandbox(self):
        """The standing sandbox, or None; found in this process, which takes no time."""
        return find_sandbox(StateFolder(self.state))

    def start_sandbox(self):
        """Start the standing sandbox on a free port, unless it runs, and return it."""
        if self.sandbox is None:
            done = self.idc("sandbox", "start", "--port", "0", "--seed", "7")
            assert done.returncode == 0, done.stderr
        return self.sandbox

    def stop_sandbox(self):
        self.idc("sandbox", "stop")

    def kill_sandbox(self):
        """End the sandbox's process without a word."""
        os.kill(self.sandbox.pid, signal.SIGKILL)

    def client(self, service):
        """Return a boto3 client of the standing sandbox, with its administrator's keys."""
        sandbox = self.start_sandbox()
        return boto3.client(
            service,
            endpoint_url=sandbox.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=sandbox.access_key_id,
            aws_secret_access_key=sandbox.secret_access_key,
            config=Config(retries={"total_max_attempts": 1}),
        )


def path_without(program):
    """Return the path of programs without the folders that hold one."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(one for one in folders if shutil.which(program, path=one) is None)


def steps_that_come_later(summary):
    """Return for the number of each notebook with checks whether all of them wait for the instance."""
    return {
        notebook["notebook"][:2]: all(
            "Later: there is no instance yet." in one["detail"] for one in notebook["checks"]
        )
        for notebook in summary["notebooks"]
        if notebook["checks"]
    }


def what_is_there(commands):
    """Return the names of everything that the lesson makes, read from the sandbox by boto3."""
    sso_admin = commands.client("sso-admin")
    found = {}
    for instance in sso_admin.list_instances()["Instances"]:
        arn, store = instance["InstanceArn"], {"IdentityStoreId": instance["IdentityStoreId"]}
        identity_store = commands.client("identitystore")
        sets = sso_admin.list_permission_sets(InstanceArn=arn)["PermissionSets"]
        details = [sso_admin.describe_permission_set(InstanceArn=arn, PermissionSetArn=each) for each in sets]
        found["instance"] = [arn]
        found["permission sets"] = sorted(each["PermissionSet"]["Name"] for each in details)
        found["groups"] = sorted(
            each["DisplayName"] for each in identity_store.list_groups(**store)["Groups"]
        )
        found["users"] = sorted(each["UserName"] for each in identity_store.list_users(**store)["Users"])
    delegated = commands.client("organizations").list_delegated_administrators()["DelegatedAdministrators"]
    found["delegated administrators"] = [each["Name"] for each in delegated]
    roles = commands.client("iam").list_roles()["Roles"]
    found["roles"] = sorted(
        each["RoleName"] for each in roles if each["RoleName"].startswith("AWSReservedSSO_")
    )
    return {kind: names for kind, names in found.items() if names}
