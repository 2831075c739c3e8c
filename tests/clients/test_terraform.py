"""Terraform's AWS provider makes applications at the sandbox, plans nothing after it, imports, and destroys.

The provider is looked for where Terraform looks by itself, and in the folder that TERRAFORM_PLUGIN_DIR names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S

from idc_sandbox import launcher
from idc_sandbox.loopback import ask
from idc_sandbox.state_folder import StateFolder

TERRAFORM = shutil.which("terraform")
_PLACES = (
    os.environ.get("TERRAFORM_PLUGIN_DIR", ""),
    str(Path.home() / ".terraform.d/plugins"),
    "/usr/local/share/terraform/plugins",
)
PLUGINS = next((one for one in _PLACES if (Path(one) / "registry.terraform.io/hashicorp/aws").is_dir()), None)

pytestmark = [
    pytest.mark.skipif(TERRAFORM is None, reason="Terraform is not on this machine"),
    pytest.mark.skipif(
        PLUGINS is None,
        reason="Terraform's AWS provider is missing: TERRAFORM_PLUGIN_DIR may name it",
    ),
]

CONFIGURATION = """
variable "endpoint" {}

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region = "us-east-1"
  endpoints {
    ssoadmin      = var.endpoint
    identitystore = var.endpoint
    sts           = var.endpoint
  }
}

data "aws_ssoadmin_instances" "all" {}

data "aws_ssoadmin_application_providers" "all" {}

locals {
  instance_arn = tolist(data.aws_ssoadmin_instances.all.arns)[0]
  store_id     = tolist(data.aws_ssoadmin_instances.all.identity_store_ids)[0]
}

resource "aws_identitystore_group" "analysts" {
  identity_store_id = local.store_id
  display_name      = "Analysts"
}

resource "aws_ssoadmin_application" "reports" {
  name                     = "Reports"
  description              = "Figures of the month"
  instance_arn             = local.instance_arn
  application_provider_arn = "arn:aws:sso::aws:applicationProvider/custom"
  tags                     = { team = "finance" }
  portal_options {
    visibility = "ENABLED"
    sign_in_options {
      origin          = "APPLICATION"
      application_url = "https://reports.example.com"
    }
  }
}

resource "aws_ssoadmin_application" "plain" {
  name                     = "Plain"
  instance_arn             = local.instance_arn
  application_provider_arn = "arn:aws:sso::aws:applicationProvider/custom"
}

resource "aws_ssoadmin_application_assignment" "analysts" {
  application_arn = aws_ssoadmin_application.reports.id
  principal_id    = aws_identitystore_group.analysts.group_id
  principal_type  = "GROUP"
}

resource "aws_ssoadmin_application_assignment_configuration" "plain" {
  application_arn     = aws_ssoadmin_application.plain.id
  assignment_required = false
}

resource "aws_ssoadmin_application_access_scope" "accounts" {
  application_arn    = aws_ssoadmin_application.reports.id
  authorized_targets = [aws_ssoadmin_application.reports.id]
  scope              = "sso:account:access"
}

resource "aws_ssoadmin_trusted_token_issuer" "issuer" {
  name                      = "issuer"
  instance_arn              = local.instance_arn
  trusted_token_issuer_type = "OIDC_JWT"
  trusted_token_issuer_configuration {
    oidc_jwt_configuration {
      claim_attribute_path          = "email"
      identity_store_attribute_path = "emails.value"
      issuer_url                    = "https://idp.example.com"
      jwks_retrieval_option         = "OPEN_ID_DISCOVERY"
    }
  }
  tags = { team = "finance" }
}

data "aws_ssoadmin_application" "reports" {
  application_arn = aws_ssoadmin_application.reports.id
}

data "aws_ssoadmin_application_assignments" "reports" {
  application_arn = aws_ssoadmin_application_assignment.analysts.application_arn
}

data "aws_ssoadmin_principal_application_assignments" "analysts" {
  instance_arn   = local.instance_arn
  principal_id   = aws_ssoadmin_application_assignment.analysts.principal_id
  principal_type = "GROUP"
}

output "found" {
  value = {
    providers = data.aws_ssoadmin_application_providers.all.application_providers[*].application_provider_arn
    name      = data.aws_ssoadmin_application.reports.name
    assigned  = data.aws_ssoadmin_application_assignments.reports.application_assignments[*].principal_id
    of_group  = (
      data.aws_ssoadmin_principal_application_assignments.analysts.application_assignments[*].application_arn
    )
  }
}
"""
RESOURCES = (
    "aws_ssoadmin_application.reports",
    "aws_ssoadmin_application.plain",
    "aws_ssoadmin_application_assignment.analysts",
    "aws_ssoadmin_application_assignment_configuration.plain",
    "aws_ssoadmin_application_access_scope.accounts",
    "aws_ssoadmin_trusted_token_issuer.issuer",
)


class Terraform:
    """A working folder with the configuration, and a sandbox that it is pointed at."""

    def __init__(self, folder: Path, running: launcher.RunningSandbox) -> None:
        self.folder = folder
        (folder / "main.tf").write_text(CONFIGURATION, "utf-8")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "AWS_ACCESS_KEY_ID": running.access_key_id,
            "AWS_SECRET_ACCESS_KEY": running.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "TF_VAR_endpoint": running.endpoint_url,
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_ARGS": "-no-color",
        }

    def run(self, *arguments: str, expected: int = 0) -> str:
        done = subprocess.run(
            [str(TERRAFORM), *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=10 * PATIENCE_S,
            check=False,
        )
        assert done.returncode == expected, done.stdout
        return done.stdout

    def require_empty_plan(self) -> None:
        self.run("plan", "-input=false", "-detailed-exitcode")  # 2: there are changes

    def state(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self.run("show", "-json"))["values"]
        return values


@pytest.fixture
def terraform(tmp_path) -> Iterator[Terraform]:
    state = StateFolder(tmp_path / "state")
    running = launcher.start(state, port=0)
    enabled = ask(
        running.port,
        "POST",
        "/_sandbox/console/instance",
        control_secret=running.control_secret,
        body={},
        timeout_s=PATIENCE_S,
    )
    assert enabled is not None
    folder = tmp_path / "terraform"
    folder.mkdir()
    yield Terraform(folder, running)
    launcher.stop(state)


def test_applications_are_applied_planned_imported_and_destroyed(terraform):
    terraform.run("init", "-input=false", f"-plugin-dir={PLUGINS}")
    terraform.run("apply", "-input=false", "-auto-approve")
    state = terraform.state()
    found = state["outputs"]["found"]["value"]
    assert "arn:aws:sso::aws:applicationProvider/custom" in found["providers"]
    assert found["name"] == "Reports"
    assert len(found["assigned"]) == len(found["of_group"]) == 1
    terraform.require_empty_plan()
    ids = {one["address"]: one["values"].get("id") for one in state["root_module"]["resources"]}
    terraform.run("state", "rm", *RESOURCES)
    imports = [f'import {{\n  to = {address}\n  id = "{ids[address]}"\n}}\n' for address in RESOURCES]
    (terraform.folder / "imports.tf").write_text("".join(imports), "utf-8")
    done = terraform.run("apply", "-input=false", "-auto-approve")
    assert f"{len(RESOURCES)} imported, 0 added, 0 changed, 0 destroyed" in done
    terraform.run("destroy", "-input=false", "-auto-approve")
    assert "aws_ssoadmin" not in terraform.run("state", "list")
