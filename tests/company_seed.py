"""Fills a sandbox's state with a company, without a server or a call: a second for a thousand people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from idc_sandbox.api.sso_admin.instances import enable_organization_instance
from idc_sandbox.api.sso_admin.provisioning import settle_due_requests
from idc_sandbox.aws_double.administrator import MANAGEMENT_ACCOUNT_ID
from idc_sandbox.aws_double.double import AwsDouble
from idc_sandbox.context import Caller
from idc_sandbox.gateway import HOME_REGION, Gateway
from idc_sandbox.organization import Organization, organization_text
from idc_sandbox.state_folder import StateFolder
from idc_sandbox.store import Store, keep_organization
from idc_sandbox.wire import registry
from idc_sandbox.wire.models import service_model

SUSPENDED = "599999999999"


def nested_organization(account_ids: Iterable[str], *, of_a_unit: int = 6) -> Organization:
    """Return an organization of accounts in nested units, some six in each, and of a suspended one."""
    accounts = [
        {"name": f"Account {one}", "id": one, "email": f"account-{one}@example.com"} for one in account_ids
    ]
    teams = [accounts[at : at + of_a_unit] for at in range(0, len(accounts), of_a_unit)]
    units = [{"name": f"Team {at}", "accounts": team} for at, team in enumerate(teams)]
    half = len(units) // 2
    gone = {"name": "Gone", "id": SUSPENDED, "email": "gone@example.com", "status": "SUSPENDED"}
    return {
        "management_account": {"name": "Company", "email": "company@example.com"},
        "organizational_units": [
            {"name": "Workloads", "organizational_units": units[:half]},
            {"name": "Platform", "organizational_units": units[half:]},
            {"name": "Suspended", "accounts": [gone]},
        ],
    }


def seed_company(state: Path, scenario: Mapping[str, Any], organization: Organization | None = None) -> None:
    """Make a new state that holds what a scenario wants: sets, groups, users, memberships, assignments.

    Fields of them that this does not know are left out. Account assignments go to groups, by account id.
    """
    folder = StateFolder(state)
    folder.prepare()
    store = Store(folder.database, seed=7)
    # It is made whole or not at all, by one process: nothing of it need survive a power cut.
    store._connection.execute("PRAGMA synchronous=OFF")
    with store.transaction() as connection:
        if organization is not None:
            keep_organization(connection, organization_text(organization))
        _Seeding(Gateway(store, AwsDouble(store))).seed(scenario)
    store._connection.execute("PRAGMA synchronous=FULL")
    store.close()


class _Seeding:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        key, _ = gateway.double.administrator_credentials()
        arn = f"arn:aws:iam::{MANAGEMENT_ACCOUNT_ID}:user/sandbox-administrator"
        with gateway.store.transaction() as connection:
            self._context = gateway._context(connection, Caller(MANAGEMENT_ACCOUNT_ID, arn, key), HOME_REGION)
        self._instance = enable_organization_instance(self._context, name=None)
        self._store = self._call("sso-admin", "DescribeInstance", InstanceArn=self._instance)[
            "IdentityStoreId"
        ]

    def _call(self, service_name: str, operation_name: str, **request: Any) -> dict[str, Any]:
        model = service_model(service_name).operation_model(operation_name)
        return registry.call_operation(self._context, service_name, model, request)

    def _sso(self, operation_name: str, **request: Any) -> dict[str, Any]:
        return self._call("sso-admin", operation_name, InstanceArn=self._instance, **request)

    def _identity(self, operation_name: str, **request: Any) -> dict[str, Any]:
        return self._call("identitystore", operation_name, IdentityStoreId=self._store, **request)

    def seed(self, scenario: Mapping[str, Any]) -> None:
        usual_s = self._gateway.read_switches()["asynchronous_duration_s"]
        self._gateway.write_switches({"asynchronous_duration_s": 0})
        sets = {each["name"]: self._permission_set(each) for each in scenario.get("permission_sets", ())}
        groups = {each["display_name"]: self._group(each) for each in scenario.get("groups", ())}
        for user in scenario.get("users", ()):
            user_id = self._user(user)
            for name in user.get("groups", ()):
                self._identity("CreateGroupMembership", GroupId=groups[name], MemberId={"UserId": user_id})
        for each in scenario.get("account_assignments", ()):
            for account_id in each["accounts"]:
                self._assign(sets[each["permission_set"]], groups[each["group"]], account_id)
        self._gateway.write_switches({"asynchronous_duration_s": usual_s})

    def _permission_set(self, about: Mapping[str, Any]) -> str:
        given = {
            "Name": about["name"],
            "Description": about.get("description"),
            "SessionDuration": about.get("session_duration", "PT1H"),
            "Tags": [{"Key": key, "Value": value} for key, value in about.get("tags", {}).items()],
        }
        made = self._sso("CreatePermissionSet", **{name: one for name, one in given.items() if one})
        arn: str = made["PermissionSet"]["PermissionSetArn"]
        for policy in about.get("managed_policies", ()):
            policy_arn = policy if policy.startswith("arn:") else f"arn:aws:iam::aws:policy/{policy}"
            self._sso("AttachManagedPolicyToPermissionSet", PermissionSetArn=arn, ManagedPolicyArn=policy_arn)
        return arn

    def _group(self, about: Mapping[str, Any]) -> str:
        given = {"DisplayName": about["display_name"], "Description": about.get("description")}
        return self._identity("CreateGroup", **{name: one for name, one in given.items() if one})["GroupId"]

    def _user(self, about: Mapping[str, Any]) -> str:
        given, family = about["given_name"], about["family_name"]
        email = [{"Value": about["email"], "Type": "work", "Primary": True}] if about.get("email") else None
        values = {
            "UserName": about["user_name"],
            "DisplayName": about.get("display_name") or f"{given} {family}",
            "Name": {"GivenName": given, "FamilyName": family},
            "Emails": email,
            "Title": about.get("title"),
        }
        if enterprise := about.get("enterprise"):
            words = {"employee_number": "employeeNumber", "cost_center": "costCenter"}
            held = {words[name]: value for name, value in enterprise.items()}
            values["Extensions"] = {"aws:identitystore:enterprise": held}
        return self._identity("CreateUser", **{name: one for name, one in values.items() if one})["UserId"]

    def _assign(self, permission_set_arn: str, group_id: str, account_id: str) -> None:
        self._sso(
            "CreateAccountAssignment",
            PermissionSetArn=permission_set_arn,
            PrincipalType="GROUP",
            PrincipalId=group_id,
            TargetId=account_id,
            TargetType="AWS_ACCOUNT",
        )
        settle_due_requests(self._context)
