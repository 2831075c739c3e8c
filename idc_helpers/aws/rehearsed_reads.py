"""What a read answers in a rehearsal: what AWS answers, as if the calls that were not sent had been made."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from idc_helpers.aws.rehearsed_answers import modelled_answer
from idc_helpers.aws.watching import Call

_IDS = ("InstanceArn", "PermissionSetArn", "UserId", "GroupId", "MembershipId")
_DELETIONS = {
    "DeleteInstance": "InstanceArn",
    "DeletePermissionSet": "PermissionSetArn",
    "DeleteUser": "UserId",
    "DeleteGroup": "GroupId",
    "DeleteGroupMembership": "MembershipId",
}
_LOOKED_UP = {
    "GetUserId": ("CreateUser", "UserName", "UserId"),
    "GetGroupId": ("CreateGroup", "DisplayName", "GroupId"),
}
_ASSIGNMENT = ("PrincipalId", "PermissionSetArn")
_ATTRIBUTES = "InstanceAccessControlAttributeConfiguration"


class RehearsedReads:
    """Reads after writes that were not sent.

    Parameters
    ----------
    calls
        The writes so far; the list grows while the rehearsal goes on.
    """

    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls = calls
        # Nothing is written meanwhile, so what was read once stays so.
        self._known: dict[str, Any] = {}

    def answer(self, client: Any, operation_name: str, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer of one call that reads.

        Raises
        ------
        ClientError
            As AWS raises it.
        """
        made = self._made_by_a_call(operation_name, request)
        if made is not None:
            return made
        is_deleted = operation_name == f"Describe{_ATTRIBUTES}" and any(
            call.operation_name == f"Delete{_ATTRIBUTES}" for call in self._calls
        )
        if is_deleted:
            raise _deleted_before(operation_name)
        if self._is_of_the_rehearsal(request) or self._is_waited_for(operation_name):
            shape = client.meta.service_model.operation_model(operation_name).output_shape
            return modelled_answer(shape, len(self._calls))[0]
        method = next(
            key for key, name in client.meta.method_to_api_mapping.items() if name == operation_name
        )
        answer: dict[str, Any] = self._once(
            operation_name, request, lambda: getattr(client, method)(**request)
        )
        self._refuse_deleted(operation_name, answer)
        return self._described_anew(operation_name, request, answer)

    def pages(self, client: Any, method_name: str, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the pages of a list, without what was deleted."""
        if self._is_of_the_rehearsal(request) or self._is_provisioned_anew(request):
            return
        found = self._once(
            method_name, request, lambda: list(client.get_paginator(method_name).paginate(**request))
        )
        for page in found:
            yield {
                name: [item for item in part if not self._is_deleted(item, request)]
                if isinstance(part, list)
                else part
                for name, part in page.items()
            }

    def _once(self, name: str, request: dict[str, Any], read: Callable[[], Any]) -> Any:
        key = f"{name} {json.dumps(request, sort_keys=True, default=str)}"
        if key not in self._known:
            self._known[key] = read()
        return copy.deepcopy(self._known[key])

    def _made(self) -> set[str]:
        return {placeholder for call in self._calls for placeholder in call.makes}

    def _is_of_the_rehearsal(self, request: dict[str, Any]) -> bool:
        made = self._made()
        return any(isinstance(value, str) and value in made for value in request.values())

    def _made_by_a_call(self, operation_name: str, request: dict[str, Any]) -> dict[str, Any] | None:
        if operation_name not in _LOOKED_UP:
            return None
        creation, name, id_name = _LOOKED_UP[operation_name]
        wanted = request["AlternateIdentifier"]["UniqueAttribute"]["AttributeValue"]
        for call in self._calls:
            if call.operation_name == creation and call.request.get(name) == wanted:
                return {id_name: next(made for made, place in call.makes.items() if place == id_name)}
        return None

    def _is_waited_for(self, operation_name: str) -> bool:
        written = {f"Create{_ATTRIBUTES}", f"Update{_ATTRIBUTES}"}
        return operation_name == f"Describe{_ATTRIBUTES}" and any(
            call.operation_name in written for call in self._calls
        )

    def _is_provisioned_anew(self, request: dict[str, Any]) -> bool:
        return request.get("ProvisioningStatus") == "LATEST_PERMISSION_SET_NOT_PROVISIONED" and any(
            call.operation_name == "ProvisionPermissionSet"
            and call.request["PermissionSetArn"] == request["PermissionSetArn"]
            for call in self._calls
        )

    def _deleted(self) -> set[str]:
        return {
            call.request[_DELETIONS[call.operation_name]]
            for call in self._calls
            if call.operation_name in _DELETIONS
        }

    def _is_deleted(self, item: Any, request: dict[str, Any]) -> bool:
        deleted = self._deleted()
        if isinstance(item, str):
            return item in deleted
        if any(item.get(name) in deleted for name in _IDS):
            return True
        account_id = item.get("AccountId", request.get("AccountId"))
        assignment = [account_id, *(item.get(name, request.get(name)) for name in _ASSIGNMENT)]
        return any(
            call.operation_name == "DeleteAccountAssignment"
            and [call.request["TargetId"], *(call.request[name] for name in _ASSIGNMENT)] == assignment
            for call in self._calls
        )

    def _refuse_deleted(self, operation_name: str, answer: dict[str, Any]) -> None:
        if any(answer.get(name) in self._deleted() for name in _IDS):
            raise _deleted_before(operation_name)

    def _described_anew(
        self, operation_name: str, request: dict[str, Any], answer: dict[str, Any]
    ) -> dict[str, Any]:
        if operation_name == "DescribePermissionSet":
            for call in self._calls:
                if (
                    call.operation_name == "UpdatePermissionSet"
                    and call.request["PermissionSetArn"] == request["PermissionSetArn"]
                ):
                    for name in ("Description", "RelayState"):
                        answer["PermissionSet"][name] = call.request.get(name)
        return answer


def _deleted_before(operation_name: str) -> ClientError:
    error = {"Code": "ResourceNotFoundException", "Message": "a call before this one deletes it"}
    return ClientError({"Error": error}, operation_name)
