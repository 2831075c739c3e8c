"""Identity store operations without a protocol, for what boto3 would not send; answers obey their models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from idc_sandbox import store
from idc_sandbox.api import console
from idc_sandbox.context import Caller, Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.store import IdFactory, Store
from idc_sandbox.wire import registry
from idc_sandbox.wire.models import service_model, violations

MANAGEMENT, DELEGATE, MEMBER, OUTSIDER = "111122223333", "222233334444", "333344445555", "444455556666"
ORGANIZATION_STORE, ACCOUNT_STORE = "d-1234567890", "d-abcdef0123"
ORGANIZATION_INSTANCE = "arn:aws:sso:::instance/ssoins-7223111111111111"
ACCOUNT_INSTANCE = "arn:aws:sso:::instance/ssoins-7223222222222222"


class Organization:
    """As much of the organization as identity stores ask for."""

    management_account_id = MANAGEMENT

    def delegated_administrators(self, service_principal: str) -> set[str]:
        """Return who administers Identity Center beside the management account."""
        return {DELEGATE} if service_principal == "sso.amazonaws.com" else set()


class Directory:
    """A store with an organization instance, and an account instance of the account `OUTSIDER`."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "sandbox.db", seed=7)
        with self.store.transaction() as connection:
            for arn, store_id, owner, kind in (
                (ORGANIZATION_INSTANCE, ORGANIZATION_STORE, MANAGEMENT, "ORGANIZATION"),
                (ACCOUNT_INSTANCE, ACCOUNT_STORE, OUTSIDER, "ACCOUNT"),
            ):
                connection.execute(
                    "INSERT INTO instance (instance_arn, identity_store_id, owner_account_id, kind, region, "
                    "status, created_at) VALUES (?, ?, ?, ?, 'us-east-1', 'ACTIVE', 0)",
                    (arn, store_id, owner, kind),
                )

    def call(
        self, operation: str, *, account: str = MANAGEMENT, region: str = "us-east-1", **request: Any
    ) -> dict[str, Any]:
        """Call an operation, on the organization's store unless the request names another."""
        model = service_model("identitystore").operation_model(operation)
        if "IdentityStoreId" in model.input_shape.members:
            request = {"IdentityStoreId": ORGANIZATION_STORE} | request
        with self.store.transaction() as connection:
            answer = registry.call_operation(
                self._context(connection, account, region), "identitystore", model, request
            )
        answer = json.loads(json.dumps(answer))
        if model.output_shape is not None:
            assert violations(model.output_shape, answer, "") == []
        return answer

    def refusal(self, operation: str, **request: Any) -> ServiceError:
        """Return the error that an operation answers."""
        with pytest.raises(ServiceError) as caught:
            self.call(operation, **request)
        return caught.value

    def console(self, method: str, path: str, *, account: str = MANAGEMENT, **body: Any) -> dict[str, Any]:
        """Do a thing of the console, of the organization's instance unless the body names another."""
        with self.store.transaction() as connection:
            context = self._context(connection, account, "us-east-1")
            answer = console.handle(context, method, path, {"instance_arn": ORGANIZATION_INSTANCE} | body)
        return json.loads(json.dumps(answer))

    def console_refusal(self, method: str, path: str, **body: Any) -> ServiceError:
        """Return the error that the console answers."""
        with pytest.raises(ServiceError) as caught:
            self.console(method, path, **body)
        return caught.value

    def advance_clock(self, seconds: float) -> None:
        """Move the sandbox's clock ahead."""
        with self.store.transaction() as connection:
            offset = store.clock_offset_s(connection) + seconds
            connection.execute(
                "INSERT OR REPLACE INTO switch VALUES ('clock_offset_s', ?)", (json.dumps(offset),)
            )

    def create_user(self, user_name: str = "ana", **more: Any) -> str:
        """Create a user with what Identity Center needs, and return the id."""
        return self.call("CreateUser", **person(user_name, **more))["UserId"]

    def create_group(self, display_name: str = "Auditors", **more: Any) -> str:
        """Create a group and return its id."""
        return self.call("CreateGroup", DisplayName=display_name, **more)["GroupId"]

    def join(self, user_id: str, group_id: str) -> str:
        """Make a user a member of a group and return the membership's id."""
        return self.call("CreateGroupMembership", GroupId=group_id, MemberId={"UserId": user_id})[
            "MembershipId"
        ]

    def update_user(self, user_id: str, *operations: tuple[str, Any], **more: Any) -> dict[str, Any]:
        """Apply operations, each a path and a value, and return the user afterwards."""
        self.call("UpdateUser", UserId=user_id, Operations=attribute_operations(*operations), **more)
        return self.describe_user(user_id)

    def describe_user(self, user_id: str) -> dict[str, Any]:
        """Return a user with the enterprise extension."""
        return self.call("DescribeUser", UserId=user_id, Extensions=["aws:identitystore:enterprise"])

    def _context(self, connection: Any, account: str, region: str) -> Context:
        caller = Caller(account, f"arn:aws:iam::{account}:user/somebody", "AKIAEXAMPLE")
        return Context(connection, caller, region, IdFactory(connection, self.store.seed), Organization())


def person(user_name: str = "ana", **more: Any) -> dict[str, Any]:
    """Return the smallest CreateUser request that Identity Center takes."""
    return {
        "UserName": user_name,
        "DisplayName": f"{user_name} Example",
        "Name": {"GivenName": user_name, "FamilyName": "Example"},
    } | more


def attribute_operations(*operations: tuple[str, Any]) -> list[dict[str, Any]]:
    """Return attribute operations; Ellipsis as a value leaves the value out."""
    return [
        {"AttributePath": path} | ({} if value is ... else {"AttributeValue": value})
        for path, value in operations
    ]
