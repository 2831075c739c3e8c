"""Identity Center's handlers without moto, signatures or HTTP: for tests of many small rules.

Each answer is held against the operation's output shape, and each refusal must be one that the operation
models.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from idc_sandbox import store, switches
from idc_sandbox.api.sso_admin.instances import enable_organization_instance
from idc_sandbox.api.sso_admin.provisioning import settle_due_requests
from idc_sandbox.context import Caller, Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.store import IdFactory, Store
from idc_sandbox.wire import models, registry

MANAGEMENT = "111122223333"
SECURITY = "222233334444"
DEVELOPMENT = "333344445555"
PRODUCTION = "444455556666"
HOME_REGION = "us-east-1"
ASYNCHRONOUS_DURATION_S = 60.0

# AWS answers an empty string here although its own model says at least one character.
_ANSWERS_OUTSIDE_OF_THE_MODEL = {("GetInlinePolicyForPermissionSet", "inlinePolicy")}


class MemoryDouble:
    """The organization and the accounts' IAM, as far as Identity Center's handlers look at them."""

    management_account_id = MANAGEMENT

    def __init__(self) -> None:
        self.accounts = {MANAGEMENT, SECURITY, DEVELOPMENT, PRODUCTION}
        self.closed: set[str] = set()
        self.delegates: set[str] = set()
        self.policies: set[tuple[str, str, str]] = set()
        self.roles: dict[tuple[str, str], dict[str, Any]] = {}
        self.defect: Exception | None = None
        self.defective_accounts = set(self.accounts)
        self.trusted_services: set[str] = set()

    def account_ids(self) -> set[str]:
        return self.accounts

    def closed_account_ids(self) -> set[str]:
        return self.closed

    def delegated_administrators(self, service_principal: str) -> set[str]:
        return self.delegates if service_principal == "sso.amazonaws.com" else set()

    def enable_trusted_access(self, service_principal: str) -> None:
        self.trusted_services.add(service_principal)

    def is_managed_policy(self, policy_arn: str) -> bool:
        return "NoSuch" not in policy_arn

    def customer_managed_policy_exists(self, account_id: str, path: str, name: str) -> bool:
        return (account_id, path, name) in self.policies

    def put_reserved_role(self, account_id: str, **role: Any) -> str:
        if self.defect and account_id in self.defective_accounts:
            raise self.defect
        self.roles[account_id, role["role_name"]] = role
        return f"arn:aws:iam::{account_id}:role{role['path']}{role['role_name']}"

    def delete_reserved_role(self, account_id: str, role_name: str) -> None:
        assert account_id in self.accounts
        del self.roles[account_id, role_name]

    def role_names(self, account_id: str) -> list[str]:
        return sorted(name for account, name in self.roles if account == account_id)

    def role(self, account_id: str) -> dict[str, Any]:
        """Return the only role of an account."""
        (name,) = self.role_names(account_id)
        return self.roles[account_id, name]


class Harness:
    """A store with an organization instance, whose clock only moves when a test says so."""

    def __init__(self, path: Path, *, region: str = HOME_REGION) -> None:
        self.path, self.region = path, region
        self.double = MemoryDouble()
        self.open()
        self.set_switches(asynchronous_duration_s=ASYNCHRONOUS_DURATION_S)
        with self.context() as context:
            self.instance_arn = enable_organization_instance(context, name="practice")
        self.identity_store_id = self.call("sso-admin", "DescribeInstance", InstanceArn=self.instance_arn)[
            "IdentityStoreId"
        ]

    def open(self) -> None:
        """Open the state as a process that starts does."""
        self.store = Store(self.path, seed=7)
        with self.store.transaction():
            pass
        self.store._connection.execute("PRAGMA synchronous=OFF")  # durability has tests of its own

    @contextmanager
    def context(self, account: str = MANAGEMENT, region: str | None = None) -> Iterator[Context]:
        """Yield a context inside a transaction."""
        caller = Caller(account, f"arn:aws:iam::{account}:user/tester", "AKIATEST")
        with self.store.transaction() as connection:
            ids = IdFactory(connection, self.store.seed)
            yield Context(connection, caller, region or self.region, ids, self.double)

    def call(
        self,
        service: str,
        operation: str,
        *,
        caller_account: str = MANAGEMENT,
        region: str | None = None,
        **request: Any,
    ) -> dict[str, Any]:
        """Call an operation as the gateway does: settle what is due, then answer, each in a transaction."""
        with self.context(caller_account, region) as context:
            settle_due_requests(context)
        model = models.service_model(service).operation_model(operation)
        try:
            with self.context(caller_account, region) as context:
                answer = registry.call_operation(context, service, model, request)
        except ServiceError as error:
            if error.code not in {shape.name for shape in model.error_shapes}:
                pytest.fail(f"{operation} does not model {error.code}: {error.message}")
            raise
        problems: list[str] = []
        if model.output_shape is not None:
            models._check(model.output_shape, answer, "", problems)
        problems = [
            p
            for p in problems
            if not any(p_ in p for o, p_ in _ANSWERS_OUTSIDE_OF_THE_MODEL if o == operation)
        ]
        assert not problems
        return answer

    def sso(self, operation: str, **request: Any) -> dict[str, Any]:
        """Call an operation of ``sso-admin`` on the organization instance."""
        return self.call("sso-admin", operation, **{"InstanceArn": self.instance_arn, **request})

    def refused(self, operation: str, code: str, **request: Any) -> str:
        """Call an operation that must be refused, and return the message."""
        with pytest.raises(ServiceError) as caught:
            self.sso(operation, **request)
        assert caught.value.code == code, caught.value.message
        return caught.value.message

    def pages(self, operation: str, member: str, **request: Any) -> list[list[Any]]:
        """Return all pages of a list."""
        pages, token = [], {}
        while True:
            answer = self.sso(operation, **request, **token)
            pages.append(answer[member])
            if "NextToken" not in answer:
                return pages
            token = {"NextToken": answer["NextToken"]}

    def set_switches(self, **values: Any) -> None:
        with self.store.transaction() as connection:
            switches.write_switches(connection, values)

    def wait(self) -> None:
        """Let enough of the sandbox's time pass for all asynchronous requests."""
        with self.store.transaction() as connection:
            store.advance_clock(connection, ASYNCHRONOUS_DURATION_S + 1)

    def execute(self, statement: str, *values: Any) -> list[Any]:
        with self.store.transaction() as connection:
            return connection.execute(statement, values).fetchall()

    def add_user(self, user_name: str) -> str:
        return self.call(
            "identitystore",
            "CreateUser",
            IdentityStoreId=self.identity_store_id,
            UserName=user_name,
            DisplayName=user_name,
            Name={"GivenName": user_name, "FamilyName": "Test"},
        )["UserId"]

    def add_group(self, display_name: str) -> str:
        return self.call(
            "identitystore",
            "CreateGroup",
            IdentityStoreId=self.identity_store_id,
            DisplayName=display_name,
        )["GroupId"]

    def add_member(self, group_id: str, user_id: str) -> None:
        self.call(
            "identitystore",
            "CreateGroupMembership",
            IdentityStoreId=self.identity_store_id,
            GroupId=group_id,
            MemberId={"UserId": user_id},
        )

    def add_permission_set(self, name: str, **request: Any) -> str:
        return self.sso("CreatePermissionSet", Name=name, **request)["PermissionSet"]["PermissionSetArn"]

    def assignment(
        self, permission_set_arn: str, group_id: str, account: str = DEVELOPMENT
    ) -> dict[str, Any]:
        """Return the request of an assignment."""
        return {
            "TargetId": account,
            "TargetType": "AWS_ACCOUNT",
            "PermissionSetArn": permission_set_arn,
            "PrincipalType": "GROUP",
            "PrincipalId": group_id,
        }

    def assign(self, permission_set_arn: str, group_id: str, account: str = DEVELOPMENT) -> dict[str, Any]:
        """Create an assignment, wait for it, and return its final status."""
        request = self.assignment(permission_set_arn, group_id, account)
        request_id = self.sso("CreateAccountAssignment", **request)["AccountAssignmentCreationStatus"][
            "RequestId"
        ]
        self.wait()
        return self.creation_status(request_id)

    def unassign(self, permission_set_arn: str, group_id: str, account: str = DEVELOPMENT) -> dict[str, Any]:
        """Delete an assignment, wait for it, and return its final status."""
        request = self.assignment(permission_set_arn, group_id, account)
        request_id = self.sso("DeleteAccountAssignment", **request)["AccountAssignmentDeletionStatus"][
            "RequestId"
        ]
        self.wait()
        return self.sso(
            "DescribeAccountAssignmentDeletionStatus", AccountAssignmentDeletionRequestId=request_id
        )["AccountAssignmentDeletionStatus"]

    def creation_status(self, request_id: str) -> dict[str, Any]:
        return self.sso(
            "DescribeAccountAssignmentCreationStatus", AccountAssignmentCreationRequestId=request_id
        )["AccountAssignmentCreationStatus"]
