"""What others made and nobody understands is shown with what is known, and stops no table or plan."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys

import pytest

from idc_aws.connection import connect
from idc_aws.sandbox import start_sandbox
from idc_aws.scenario.reading import validate_scenario
from idc_helpers.notebook import inventory
from idc_helpers.notebook.inventory import organization_tree, who_reaches_what
from idc_helpers.notebook.runbook import Runbook
from idc_helpers.runbook.lesson import target_steps
from idc_helpers.runbook.progress import StepState, read_states
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step

OURS = {
    "permission_sets": [{"name": "Ours", "managed_policies": ["ReadOnlyAccess"]}],
    "groups": [{"display_name": "Ours"}],
    "users": [{"user_name": "ours", "given_name": "O", "family_name": "S", "groups": ["Ours"]}],
    "account_assignments": [{"permission_set": "Ours", "group": "Ours", "accounts": ["Development"]}],
}

# name, columns of the permission set as they stand in the sandbox's store, what the table shows of it
SETS = (
    ("ünï", {}, "ünï"),
    ("PT４H", {"session_duration": "PT４H"}, "PT４H"),
    ("Forever", {"session_duration": "P1Y"}, "P1Y"),
    ("NoLength", {"session_duration": "soon"}, "soon"),
    ("NoJson", {"inline_policy": "not JSON"}, "an inline policy"),
    ("List", {"inline_policy": "[1]"}, "an inline policy"),
    ("Deep", {"inline_policy": '{"a":' * 3_000 + "1" + "}" * 3_000}, "an inline policy"),
    ("Doubled", {"inline_policy": '{"Statement": [], "Statement": {}}'}, "an inline policy"),
    ("a b · c", {"description": "\u202e<script>"}, "a b · c"),
    ("Relay", {"relay_state": "javascript:alert(1)"}, "Relay"),
    ("$x$ `y`", {"description": "$x$"}, "$x$ `y`"),
)


def change_store(folder, change):
    """Change a stopped sandbox's database: what its API would refuse."""
    subprocess.run([sys.executable, "-m", "idc_sandbox", "stop", "--state", str(folder)], check=True)
    with sqlite3.connect(folder / "sandbox.db") as database:
        change(database)
    database.close()
    start_sandbox(folder, port=0)


@pytest.fixture(scope="module")
def odd_folder(start_in):
    folder = start_in("odd")
    connection = connect(state_folder=folder)
    connection.console.enable_organization_instance(region="us-east-1")
    instance_arn, store = connection.instance.instance_arn, connection.instance.identity_store_id
    sso_admin, identity_store = connection.client("sso-admin"), connection.client("identitystore")
    arns = [
        sso_admin.create_permission_set(InstanceArn=instance_arn, Name=f"Odd{number}")["PermissionSet"]
        for number in range(len(SETS))
    ]
    group = identity_store.create_group(IdentityStoreId=store, DisplayName="Odd · group · 123456789012")
    user = identity_store.create_user(
        IdentityStoreId=store,
        UserName="ödd$`user",
        DisplayName=" ",
        Name={"GivenName": " ", "FamilyName": " "},
    )
    identity_store.create_group_membership(
        IdentityStoreId=store, GroupId=group["GroupId"], MemberId={"UserId": user["UserId"]}
    )
    for principal_type, principal_id in (("GROUP", group["GroupId"]), ("USER", user["UserId"])):
        sso_admin.create_account_assignment(
            InstanceArn=instance_arn,
            PermissionSetArn=arns[0]["PermissionSetArn"],
            TargetId="111122223333",
            TargetType="AWS_ACCOUNT",
            PrincipalType=principal_type,
            PrincipalId=principal_id,
        )

    def make_odd(database):
        for made, (name, columns, _) in zip(arns, SETS, strict=True):
            values = {"name": name, **columns}
            database.execute(
                f"UPDATE permission_set SET {', '.join(f'{column} = ?' for column in values)}"
                " WHERE permission_set_arn = ?",
                (*values.values(), made["PermissionSetArn"]),
            )

    change_store(folder, make_odd)
    return folder


@pytest.fixture
def context(odd_folder, tmp_path):
    return RunContext(connect(state_folder=odd_folder), validate_scenario(OURS), "apply", "05", tmp_path)


def test_the_inventory_shows_all_of_them_with_what_is_known(context):
    shown = {row[0]: " ".join(row) for row in inventory.permission_sets(context.connection).rows}
    for name, _, words in SETS:
        assert words in shown[name]
    assert "ödd$`user" in repr(inventory.users(context.connection))


def test_pictures_maps_and_counts_go_on(context):
    connection = context.connection
    for shown in (
        who_reaches_what(connection),
        who_reaches_what(connection, people=True),
        organization_tree(connection, assignments=True),
        inventory.what_deleting_destroys(connection),
        inventory.instance_details(connection),
        inventory.settings(connection),
    ):
        assert repr(shown)
        assert shown._repr_html_()
    assert "Odd · group · 123456789012" in repr(who_reaches_what(connection))
    assert StepState.UNREADABLE not in {reading.state for reading in read_states(context)}


def test_our_own_steps_plan_apply_and_check_beside_them(context):
    for name in ("permission_sets", "groups", "users", "account_assignments"):
        step = Step(context, name)
        step.apply()
        assert step.check().passed
        assert Step(context, name).plan().is_empty
    assert all(Step(context, name).plan() is not None for name in target_steps())


@pytest.mark.parametrize(("name", "columns", "words"), SETS, ids=[case[0] for case in SETS])
def test_each_of_them_can_be_drawn(context, name, columns, words):
    assert repr(Runbook(context).life_of_a_session(permission_set=name))


@pytest.mark.parametrize(
    ("operation", "shown"),
    [
        ("DescribePermissionSet", "arn:aws:sso:::permissionSet/"),
        ("GetInlinePolicyForPermissionSet", "not shown to this caller"),
        ("ListTagsForResource", "not shown to this caller"),
    ],
)
def test_one_that_may_not_be_read_is_shown_so(context, operation, shown):
    connection = context.connection
    connection.cache.clear()
    answer = connection.console._pool.request(
        "PUT",
        f"{connection.endpoint_url}/_sandbox/switches",
        body=json.dumps(
            {
                "faults": [
                    {
                        "service": "sso-admin",
                        "operation": operation,
                        "code": "AccessDeniedException",
                        "next": 1,
                    }
                ]
            }
        ).encode(),
        headers={"x-sandbox-secret": connection.console._control_secret},
    )
    assert answer.status == 200
    table = inventory.permission_sets(connection)
    assert sum(shown in " ".join(row) for row in table.rows) == 1
    assert len(table.rows) >= len(SETS)
