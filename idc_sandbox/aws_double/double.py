"""What the rest of the sandbox calls: moto's services as one durable double of AWS."""

from __future__ import annotations

import sqlite3
from typing import Any

from idc_sandbox import clock
from idc_sandbox.aws_double import (
    access_keys,
    access_policies,
    moto_settings,
    organization,
    reserved_roles,
    session_keys,
)
from idc_sandbox.aws_double.administrator import (
    MANAGEMENT_ACCOUNT_ID,
    new_administrator,
    read_administrator,
    state_number,
)
from idc_sandbox.aws_double.application import prepare_applications
from idc_sandbox.aws_double.exchange import Exchange
from idc_sandbox.aws_double.managed_policies import is_aws_managed_policy
from idc_sandbox.aws_double.memory import SERVICES, Memory
from idc_sandbox.aws_double.moto_requests import check_request
from idc_sandbox.aws_double.reserved_roles import ReservedRole
from idc_sandbox.context import AccessPolicies, Caller, IssuedKey, Signature
from idc_sandbox.errors import ServiceError
from idc_sandbox.messages import Request, Response
from idc_sandbox.operation_names import is_for_service
from idc_sandbox.store import Store


class AwsDouble:
    """moto's sts, iam, organizations and s3 behind the sandbox's port.

    One process serves one sandbox at a time: moto's memory is global, and the double that is asked takes it
    over.

    Parameters
    ----------
    store
        Holds moto's memory too. A new one gets an organization and an administrator. Writes.

    Raises
    ------
    SandboxStartError
        When the state was written by another version of moto, or cannot be read.
    """

    management_account_id = MANAGEMENT_ACCOUNT_ID

    def __init__(self, store: Store) -> None:
        moto_settings.apply()
        self.store = store
        self._memory = Memory(store.seed)
        self._synchronize()

    def handle(self, request: Request, signature: Signature) -> Response:
        """Answer a request with moto, and save what it changed in the current transaction.

        Raises
        ------
        ServiceError
            ``AccessDeniedException`` when the caller's policies do not allow it, and
            ``UnknownOperationException`` for any service but the four.
        """
        if signature.service_name not in SERVICES:
            raise ServiceError(
                "UnknownOperationException",
                f"The sandbox does not answer the service {signature.service_name!r}; it answers sso, "
                f"identitystore, {', '.join(SERVICES)}.",
            )
        if not is_for_service(request, signature.service_name):
            raise ServiceError(
                "UnknownOperationException",
                f"The request names no operation of {signature.service_name}.",
            )
        check_request(request, signature.service_name)
        with self.store.transaction() as connection:
            self._synchronize()
            return Exchange(self, self._memory, connection, request, signature).run()

    def prepare(self) -> None:
        """Make everything ready that the first request to each of moto's services would wait for."""
        prepare_applications()

    def save(self, *service_names: str) -> None:
        """Write the memory of some of moto's services into the current transaction."""
        with self.store.transaction() as connection:
            self._memory.save(connection, *service_names)

    def account_ids(self) -> set[str]:
        """Return the ACTIVE accounts of the organization, the management account included."""
        self._synchronize()
        return organization.active_account_ids()

    def closed_account_ids(self) -> set[str]:
        """Return the accounts of the organization that are not ACTIVE."""
        self._synchronize()
        return organization.closed_account_ids()

    def account_name(self, account_id: str) -> str | None:
        """Return an account's name, or None when the organization has no such account."""
        self._synchronize()
        return organization.account_name(account_id)

    def describe_account(self, account_id: str) -> tuple[str, str, str] | None:
        """Return id, name and e-mail address of an account, or None for one that is not there."""
        self._synchronize()
        return organization.describe_account(account_id)

    def delegated_administrators(self, service_principal: str) -> set[str]:
        """Return the delegated administrators of a service such as ``sso.amazonaws.com``."""
        self._synchronize()
        return organization.delegated_administrators(service_principal)

    def enable_trusted_access(self, service_principal: str) -> None:
        """Let a service work in all accounts, as enabling Identity Center does. Writes."""
        with self.store.transaction() as connection, self._memory.change(connection, "organizations"):
            organization.backend().enable_aws_service_access(ServicePrincipal=service_principal)

    def administrator_credentials(self) -> tuple[str, str]:
        """Return access key id and secret of the sandbox's administrator.

        Raises
        ------
        LookupError
            When somebody has deleted that IAM user or its key.
        """
        self._synchronize()
        return access_keys.administrator_key(self.management_account_id)

    def secret_of(self, access_key_id: str) -> IssuedKey | None:
        """Return an issued access key, expired ones included; None when it is unknown or inactive."""
        self._synchronize()
        return access_keys.find_key(access_key_id)

    def access_policies(self, caller: Caller) -> AccessPolicies:
        """Return the policies that decide what a caller may do."""
        self._synchronize()
        return access_policies.collect(caller, self.now())

    def trust_document(self, role_arn: str) -> str | None:
        """Return a role's trust policy (JSON text), or None when there is no such role."""
        self._synchronize()
        return access_policies.trust_document(role_arn)

    def now(self) -> float:
        """Return the sandbox's time, epoch seconds."""
        with self.store.transaction() as connection:
            return clock.now(connection)

    def is_managed_policy(self, policy_arn: str) -> bool:
        """Tell whether AWS has a managed policy of this ARN."""
        return is_aws_managed_policy(policy_arn)

    def customer_managed_policy_exists(self, account_id: str, path: str, name: str) -> bool:
        """Tell whether an account has a customer managed policy of this path and name."""
        self._synchronize()
        policy_arn = reserved_roles.customer_managed_policy_arn(account_id, path, name)
        return policy_arn in reserved_roles.backend_of(account_id).managed_policies

    def create_reserved_role(self, account_id: str, **wanted: Any) -> str:
        """Make the role of a permission set in an account, and return its ARN. Writes.

        Parameters
        ----------
        wanted
            The members of `ReservedRole`.

        Raises
        ------
        ServiceError
            ``ResourceNotFoundException`` when a policy does not exist in the account.
        """
        with self.store.transaction() as connection, self._memory.change(connection, "iam"):
            return reserved_roles.create(account_id, ReservedRole(**wanted))

    def update_reserved_role(self, account_id: str, **wanted: Any) -> str:
        """Make a role what its permission set says now; as `create_reserved_role`. Writes."""
        with self.store.transaction() as connection, self._memory.change(connection, "iam"):
            return reserved_roles.update(account_id, ReservedRole(**wanted))

    def delete_reserved_role(self, account_id: str, role_name: str) -> None:
        """Delete the role of a permission set from an account, if it is there. Writes."""
        with self.store.transaction() as connection, self._memory.change(connection, "iam"):
            reserved_roles.delete(account_id, role_name)

    def assume_reserved_role(
        self, account_id: str, role_name: str, *, session_name: str, duration_s: int, carried: dict[str, str]
    ) -> tuple[str, str, str, float] | None:
        """Return keys of a permission set's role, or None when the account has no such role. Writes.

        Parameters
        ----------
        carried
            Condition keys that policies see of this session, in lower case, with their values.

        Returns
        -------
        tuple
            Access key id, secret, session token, and when they expire: epoch seconds of the sandbox's clock.
        """
        with self.store.transaction() as connection:
            self._synchronize()
            role_arn = reserved_roles.find_role_arn(account_id, role_name)
            if role_arn is None:
                return None
            with self._memory.change(connection, "sts", "iam"):
                access_keys.forget_long_expired(self.now())
                return session_keys.assume_role(role_arn, session_name, duration_s, carried)

    def list_reserved_roles(self, account_id: str) -> list[str]:
        """Return the names of an account's ``AWSReservedSSO_`` roles, sorted."""
        self._synchronize()
        return reserved_roles.names(account_id)

    def _synchronize(self) -> None:
        with self.store.transaction() as connection:
            self._memory.synchronize(connection)
            if state_number(connection) == 0:  # a new state, or one whose first transaction was rolled back
                self._begin(connection)

    def _begin(self, connection: sqlite3.Connection) -> None:
        administrator = read_administrator(connection) or new_administrator(self.store.seed)
        with self._memory.change(connection, *SERVICES):
            organization.create_organization()
            access_keys.create_administrator(self.management_account_id, administrator)
