import dataclasses
import json
import runpy
from pathlib import Path

import botocore.session
import pytest
from stub_transport import ACCOUNT_ID, Refusal

from idc_aws.connection import Caller
from idc_aws.errors import NotFoundError
from idc_aws.permissions import (
    NOTEBOOK_PERMISSIONS,
    check_permissions,
    required_actions,
)

ROOT = Path(__file__).parents[3]
permissions_markdown = runpy.run_path(str(ROOT / "tools" / "permissions_page.py"))["permissions_markdown"]
SERVICES = {
    "sso": "sso-admin",
    "identitystore": "identitystore",
    "organizations": "organizations",
    "sts": "sts",
}
ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/path/Admin"
GET_ROLE = (
    '<GetRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetRoleResult><Role><Path>/path/</Path>'
    f"<RoleName>Admin</RoleName><RoleId>AROA1</RoleId><Arn>{ROLE}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>"
    "</Role></GetRoleResult></GetRoleResponse>"
)


def simulated(decisions):
    members = "".join(
        f"<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision></member>"
        for action, decision in decisions.items()
    )
    return (
        '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        f"<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>{members}</EvaluationResults>"
        "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    )


@pytest.fixture(scope="module")
def operations():
    session = botocore.session.get_session()
    return {prefix: session.get_service_model(name).operation_names for prefix, name in SERVICES.items()}


@pytest.mark.parametrize("notebook", NOTEBOOK_PERMISSIONS)
def test_every_action_is_an_operation_of_aws(notebook, operations):
    for action in required_actions(notebook):
        prefix, _, operation = action.partition(":")
        assert operation in operations[prefix], action


@pytest.mark.parametrize("notebook", NOTEBOOK_PERMISSIONS)
def test_planning_needs_no_action_that_writes(notebook):
    for action in required_actions(notebook, mode="plan"):
        assert action.partition(":")[2].startswith(("List", "Describe", "Get", "IsMember")), action


def test_an_unknown_notebook_offers_the_nearest():
    with pytest.raises(NotFoundError, match="Did you mean '06_groups'"):
        required_actions("6_groups")


def test_the_page_names_every_notebook_and_its_policy_is_one():
    page = permissions_markdown()
    assert all(f"## {notebook}\n" in page for notebook in NOTEBOOK_PERMISSIONS)
    policy = json.loads(page.partition("```json")[2].partition("```")[0])
    everything = {action for notebook in NOTEBOOK_PERMISSIONS for action in required_actions(notebook)}
    assert set(policy["Statement"][0]["Action"]) == everything


def test_a_roles_session_is_asked_for_as_its_role(connection, transport):
    transport.on("GetRole", GET_ROLE)
    transport.on(
        "SimulatePrincipalPolicy",
        simulated({"sso:ListInstances": "allowed", "sso:DeleteInstance": "implicitDeny"}),
    )
    answers = check_permissions(
        connection, ["sso:ListInstances", "sso:DeleteInstance", "sts:GetCallerIdentity"]
    )
    assert answers == {
        "sso:ListInstances": "allowed",
        "sso:DeleteInstance": "denied",
        "sts:GetCallerIdentity": "allowed",
    }
    assert transport.made("SimulatePrincipalPolicy")[0]["PolicySourceArn"] == [ROLE]


def test_a_user_is_asked_for_directly(member_connection, transport):
    transport.on("SimulatePrincipalPolicy", simulated({"sso:ListInstances": "allowed"}))
    assert check_permissions(member_connection, ["sso:ListInstances"]) == {"sso:ListInstances": "allowed"}
    assert transport.names() == ["SimulatePrincipalPolicy"]


def test_many_actions_are_asked_for_in_batches(member_connection, transport):
    transport.on("SimulatePrincipalPolicy", simulated({}))
    check_permissions(member_connection, [f"sso:Action{number}" for number in range(250)])
    assert len(transport.made("SimulatePrincipalPolicy")) == 3


def test_who_may_not_ask_gets_unknown(connection, transport):
    xml = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
    refusal = Refusal("AccessDenied", status=403)
    refusal.body = xml
    transport.on("GetRole", refusal)
    assert check_permissions(connection, ["sso:ListInstances"]) == {"sso:ListInstances": "unknown"}


def test_a_root_user_cannot_be_simulated(connection, transport):
    root = dataclasses.replace(
        connection, caller=Caller(ACCOUNT_ID, f"arn:aws:iam::{ACCOUNT_ID}:root", ACCOUNT_ID)
    )
    assert check_permissions(root, ["sso:ListInstances"]) == {"sso:ListInstances": "unknown"}
    assert transport.calls == []


def test_the_documentations_page_is_current():
    page = ROOT / "docs" / "permissions.md"
    assert page.read_text("utf-8") == permissions_markdown(), "make it anew with tools/permissions_page.py"
