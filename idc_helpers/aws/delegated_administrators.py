"""Delegated administration: a member account that may administer Identity Center.

Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/delegated-admin.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from botocore.exceptions import ClientError
from typing_extensions import override

from idc_helpers.aws.calls import Writer, pages
from idc_helpers.aws.failures import error_code
from idc_helpers.aws.resource import OneByOne
from idc_helpers.changes import State, Use

SERVICE_PRINCIPAL = "sso.amazonaws.com"
_SETTLED = ("AccountAlreadyRegisteredException", "AccountNotRegisteredException")


class DelegatedAdministrators(OneByOne):
    """The delegated administrators of Identity Center, by account id.

    A state has ``service_principal``. Only the management account may write.
    """

    kind: ClassVar[str] = "delegated_administrator"

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        organizations = self._connection.client("organizations")
        try:
            listed = pages(
                organizations,
                "list_delegated_administrators",
                "DelegatedAdministrators",
                ServicePrincipal=SERVICE_PRINCIPAL,
            )
            found = {entry["Id"] for entry in listed}
        except ClientError as error:
            if error_code(error) != "AWSOrganizationsNotInUseException":
                raise
            found = set()
        return {key: {"service_principal": SERVICE_PRINCIPAL} for key in keys if key in found}

    @override
    def _identifier(self, key: str) -> str | None:
        return key if key in self._read([key]) else None

    @override
    def _read_one(self, key: str, identifier: str) -> State | None:
        return None  # it has no id but its account's

    @override
    def _uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool
    ) -> dict[str, list[Use]]:
        return {}  # what a delegated administrator made stays when the delegation ends

    @override
    def _create(self, key: str, state: State, writer: Writer) -> str:
        self._send("register_delegated_administrator", key, writer)
        return key

    @override
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        # The service principal is the only field, and there is one of Identity Center.
        return key

    @override
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        self._send("deregister_delegated_administrator", identifier, writer)

    def _send(self, operation: str, account_id: str, writer: Writer) -> None:
        call = getattr(self._connection.client("organizations"), operation)
        try:
            writer.send(call, AccountId=account_id, ServicePrincipal=SERVICE_PRINCIPAL)
        except ClientError as error:
            # It is as wanted already.
            if error_code(error) not in _SETTLED:
                raise
