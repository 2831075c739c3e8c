"""Every operation is called over a socket, with the least that its model asks for."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from sandbox_clients import SandboxProcess

TOOLS = Path(__file__).parents[2] / "tools"
SERVICES = ("sso-admin", "identitystore", "sso-oidc", "sso")
OPERATIONS = [
    call for call in runpy.run_path(str(TOOLS / "operations_page.py"))["operations"]() if call[0] in SERVICES
]
least_value = runpy.run_path(str(TOOLS / "moto_page.py"))["_value"]


class World:
    """A sandbox with one of what most operations are about."""

    def __init__(self, folder: Path) -> None:
        self.process = SandboxProcess(folder)
        self.process.console("POST", "instance")
        self.process.switches(asynchronous_duration_s=0)
        sso, store = self.process.client("sso-admin"), self.process.client("identitystore")
        instance = sso.list_instances()["Instances"][0]
        arn, store_id = instance["InstanceArn"], {"IdentityStoreId": instance["IdentityStoreId"]}
        user = store.create_user(
            **store_id, UserName="ana", DisplayName="Ana", Name={"GivenName": "Ana", "FamilyName": "A"}
        )
        group = store.create_group(**store_id, DisplayName="Group")
        membership = store.create_group_membership(
            **store_id, GroupId=group["GroupId"], MemberId={"UserId": user["UserId"]}
        )
        permission_set = sso.create_permission_set(InstanceArn=arn, Name="Set")["PermissionSet"]
        account = self.process.member_account_ids()["Development"]
        self.known = {
            "InstanceArn": arn,
            "ResourceArn": arn,
            **store_id,
            "UserId": user["UserId"],
            "GroupId": group["GroupId"],
            "MembershipId": membership["MembershipId"],
            "PermissionSetArn": permission_set["PermissionSetArn"],
            "TargetId": account,
            "AccountId": account,
            "PrincipalId": user["UserId"],
        }
        self.process.control("PUT", "checkpoints/begin")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("every") / "state")
    yield made
    made.process.stop()


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
def test_it_is_answered_as_its_model_says(world, service, name):
    world.process.control("POST", "checkpoints/begin")
    client = world.process.client(service)
    model = client.meta.service_model.operation_model(name)
    values = {} if model.input_shape is None else least_value(model.input_shape, "", world.known)
    code, answer = outcome(getattr(client, xform_name(name)), values)
    # Not everything that is named is there: then the model has an error for it.
    errors = {shape.metadata.get("error", {}).get("code", shape.name) for shape in model.error_shapes}
    assert code in {"", *errors, *(shape.name for shape in model.error_shapes)}
    members = set(model.output_shape.members) if model.output_shape else set()
    assert answer.keys() - {"ResponseMetadata"} <= members


def outcome(call, values):
    """Return the code of a refusal, or an answer."""
    try:
        return "", call(**values)
    except ClientError as error:
        return error.response["Error"]["Code"], {}
