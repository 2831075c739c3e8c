"""Generated companies, and an AWS in memory that counts its calls: large ones are planned in no time."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError

from idc_aws.clients import Clients, Page
from idc_aws.connection import Caller, Connection
from idc_aws.scenario.reading import validate_scenario

MANAGEMENT = "111122223333"
INSTANCE_ARN = "arn:aws:sso:::instance/ssoins-1111222233334444"


@dataclass(frozen=True)
class Company:
    """How large a company is; the same sizes and seed give the same company."""

    accounts: int = 10
    permission_sets: int = 5
    groups: int = 8
    users: int = 50
    assignments: int = 40
    groups_of_a_user: int = 2
    seed: int = 7

    @cached_property
    def account_ids(self) -> list[str]:
        """Ids of the member accounts."""
        return [f"{500000000000 + number:012d}" for number in range(self.accounts)]

    @cached_property
    def scenario(self) -> dict[str, Any]:
        """What a scenario file of it says."""
        pick = random.Random(self.seed)
        groups = [f"Team {number:03d}" for number in range(self.groups)]
        sets = [f"Access{number:03d}" for number in range(self.permission_sets)]
        places = list(itertools.product(groups, sets, self.account_ids))
        chosen = pick.sample(places, min(self.assignments, len(places)))
        accounts_of: dict[tuple[str, str], list[str]] = {}
        for group, permission_set, account_id in sorted(chosen):
            accounts_of.setdefault((group, permission_set), []).append(account_id)
        return {
            "target": "aws",
            "mode": "apply",
            "expected_account": MANAGEMENT,
            "permission_sets": [
                {
                    "name": name,
                    "description": f"Access {name}",
                    "session_duration": "PT4H",
                    "managed_policies": ["ReadOnlyAccess"],
                    "tags": {"Purpose": "company"},
                }
                for name in sets
            ],
            "groups": [{"display_name": name, "description": f"Members of {name}"} for name in groups],
            "users": [
                self._user(number, pick.sample(groups, self._of_a_user)) for number in range(self.users)
            ],
            "account_assignments": [
                {"group": group, "permission_set": permission_set, "accounts": accounts}
                for (group, permission_set), accounts in accounts_of.items()
            ],
        }

    @property
    def _of_a_user(self) -> int:
        return min(self.groups_of_a_user, self.groups)

    def _user(self, number: int, groups: list[str]) -> dict[str, Any]:
        return {
            "user_name": f"person{number:05d}",
            "given_name": f"Given{number}",
            "family_name": f"Family{number}",
            "display_name": f"Given{number} Family{number}",
            "email": f"person{number:05d}@example.com",
            "title": "Engineer",
            "enterprise": {"employee_number": f"{number:06d}", "cost_center": f"CC{number % 30}"},
            "groups": groups,
        }

    def connection(self, clients: MemoryClients | None = None) -> Connection:
        """Return a connection to an AWS in memory, which holds the company's accounts and nothing else."""
        clients = clients or MemoryClients(self.account_ids)
        caller = Caller(MANAGEMENT, f"arn:aws:iam::{MANAGEMENT}:user/ana", "AIDA1")
        return Connection("aws", "us-east-1", caller, clients)

    def validated(self) -> Any:
        """Return the scenario as the kit reads it."""
        return validate_scenario(self.scenario, source="company")


@cache
def _model(service_name: str) -> Any:
    return botocore.session.Session().get_service_model(service_name)


@cache
def _operations(service_name: str) -> dict[str, Any]:
    model = _model(service_name)
    return {xform_name(name): model.operation_model(name) for name in model.operation_names}


def refusal(code: str, operation: str) -> ClientError:
    """Return an error that AWS answers."""
    return ClientError({"Error": {"Code": code, "Message": "refused in memory"}}, operation)


Pair = tuple[str, str]


@dataclass
class MemoryClients(Clients):
    """Answers in place of AWS, page by page, and counts the calls by service and operation."""

    account_ids: list[str]
    page_size: int = 100
    calls: Counter[str] = field(default_factory=Counter)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    memberships: dict[Pair, str] = field(default_factory=dict)
    permission_sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    assignments: dict[tuple[str, str], dict[Pair, None]] = field(default_factory=dict)
    _requests: dict[str, dict[str, str]] = field(default_factory=dict)
    _number: Any = field(default_factory=lambda: itertools.count(1))

    def operation(self, service_name: str, method_name: str) -> Any:
        return _operations(service_name)[method_name]

    def _call(self, service_name: str, method_name: str, request: Any) -> dict[str, Any]:
        self._count(service_name, method_name)
        answer = getattr(self, f"do_{method_name}")(**request)
        return {**(answer or {}), "ResponseMetadata": {"RequestId": "memory"}}

    def _pages(self, service_name: str, method_name: str, request: Any) -> Any:
        entries = None
        size = 20 if service_name == "organizations" else self.page_size
        for start in itertools.count(0, size):
            self._count(service_name, method_name)
            if entries is None:
                entries = list(getattr(self, f"do_{method_name}")(**request))
            yield Page(entries[start : start + size], len(entries) <= start + size)
            if len(entries) <= start + size:
                return

    def _count(self, service_name: str, method_name: str) -> None:
        self.calls[f"{service_name}:{self.operation(service_name, method_name).name}"] += 1

    def _id(self) -> str:
        return f"{next(self._number):08d}-2222-4333-8444-555555555555"

    def do_list_instances(self, **_: Any) -> Any:
        return [
            {
                "InstanceArn": INSTANCE_ARN,
                "IdentityStoreId": "d-1234567890",
                "OwnerAccountId": MANAGEMENT,
                "Status": "ACTIVE",
                "PrimaryRegion": "us-east-1",
            }
        ]

    def do_describe_organization(self, **_: Any) -> Any:
        return {"Organization": {"Id": "o-1", "MasterAccountId": MANAGEMENT}}

    def do_list_accounts(self, **_: Any) -> Any:
        return [{"Id": one, "Name": f"Account {one}", "Status": "ACTIVE"} for one in self.account_ids]

    def do_list_users(self, **_: Any) -> Any:
        return self.users.values()

    def do_list_groups(self, **_: Any) -> Any:
        return self.groups.values()

    @staticmethod
    def _named(things: Any, field_name: str, asked: Any, id_name: str) -> Any:
        name = asked["UniqueAttribute"]["AttributeValue"]
        for one in things.values():
            if one[field_name] == name:
                return {id_name: one[id_name]}
        raise refusal("ResourceNotFoundException", id_name)

    def do_get_user_id(self, AlternateIdentifier: Any, **_: Any) -> Any:
        return self._named(self.users, "UserName", AlternateIdentifier, "UserId")

    def do_get_group_id(self, AlternateIdentifier: Any, **_: Any) -> Any:
        return self._named(self.groups, "DisplayName", AlternateIdentifier, "GroupId")

    @staticmethod
    def _there(things: Any, key: Any) -> Any:
        if key not in things:
            raise refusal("ResourceNotFoundException", "Describe")
        return things[key]

    def do_describe_user(self, UserId: str, **_: Any) -> Any:
        return self._there(self.users, UserId)

    def do_describe_group(self, GroupId: str, **_: Any) -> Any:
        return self._there(self.groups, GroupId)

    def do_create_user(self, **user: Any) -> Any:
        one = self._id()
        self.users[one] = {**user, "UserId": one, "Revision": "1", "UserStatus": "ENABLED"}
        return {"UserId": one}

    def do_create_group(self, **group: Any) -> Any:
        one = self._id()
        self.groups[one] = {**group, "GroupId": one}
        return {"GroupId": one}

    def do_update_user(self, UserId: str, Operations: Any, **_: Any) -> Any:
        for one in Operations:
            self.users[UserId][one["AttributePath"].title()] = one.get("AttributeValue")

    def do_update_group(self, GroupId: str, Operations: Any, **_: Any) -> Any:
        for one in Operations:
            self.groups[GroupId][one["AttributePath"].title()] = one.get("AttributeValue")

    def do_delete_user(self, UserId: str, **_: Any) -> Any:
        self._there(self.users, UserId)
        del self.users[UserId]
        self.memberships = {pair: one for pair, one in self.memberships.items() if pair[0] != UserId}

    def do_delete_group(self, GroupId: str, **_: Any) -> Any:
        self._there(self.groups, GroupId)
        del self.groups[GroupId]
        self.memberships = {pair: one for pair, one in self.memberships.items() if pair[1] != GroupId}

    def _memberships(self, place: int, value: str) -> Any:
        return [
            {"GroupId": pair[1], "MemberId": {"UserId": pair[0]}, "MembershipId": one}
            for pair, one in list(self.memberships.items())
            if pair[place] == value
        ]

    def do_list_group_memberships(self, GroupId: str, **_: Any) -> Any:
        return self._memberships(1, GroupId)

    def do_list_group_memberships_for_member(self, MemberId: Any, **_: Any) -> Any:
        return self._memberships(0, MemberId["UserId"])

    def do_is_member_in_groups(self, MemberId: Any, GroupIds: Any, **_: Any) -> Any:
        there = [(one, (MemberId["UserId"], one) in self.memberships) for one in GroupIds]
        return {"Results": [{"GroupId": one, "MembershipExists": is_there} for one, is_there in there]}

    def do_get_group_membership_id(self, MemberId: Any, GroupId: str, **_: Any) -> Any:
        return {"MembershipId": self._there(self.memberships, (MemberId["UserId"], GroupId))}

    def do_create_group_membership(self, MemberId: Any, GroupId: str, **_: Any) -> Any:
        one = self.memberships[MemberId["UserId"], GroupId] = self._id()
        return {"MembershipId": one}

    def do_delete_group_membership(self, MembershipId: str, **_: Any) -> Any:
        self.memberships = {pair: one for pair, one in self.memberships.items() if one != MembershipId}

    def do_list_permission_sets(self, **_: Any) -> Any:
        return list(self.permission_sets)

    def do_describe_permission_set(self, PermissionSetArn: str, **_: Any) -> Any:
        return {"PermissionSet": self._there(self.permission_sets, PermissionSetArn)["described"]}

    def do_list_managed_policies_in_permission_set(self, PermissionSetArn: str, **_: Any) -> Any:
        return [{"Arn": arn} for arn in self.permission_sets[PermissionSetArn]["policies"]]

    def do_list_customer_managed_policy_references_in_permission_set(self, **_: Any) -> Any:
        return []

    def do_get_inline_policy_for_permission_set(self, **_: Any) -> Any:
        return {"InlinePolicy": ""}

    def do_get_permissions_boundary_for_permission_set(self, **_: Any) -> Any:
        raise refusal("ResourceNotFoundException", "GetPermissionsBoundaryForPermissionSet")

    def do_list_tags_for_resource(self, ResourceArn: str, **_: Any) -> Any:
        return self.permission_sets.get(ResourceArn, {"tags": []})["tags"]  # the instance has none

    def do_list_accounts_for_provisioned_permission_set(
        self, PermissionSetArn: str, ProvisioningStatus: str = "", **_: Any
    ) -> Any:
        return (
            []
            if ProvisioningStatus
            else [pair[1] for pair in self.assignments if pair[0] == PermissionSetArn]
        )

    def do_create_permission_set(self, Name: str, Tags: Any = (), **described: Any) -> Any:
        arn = f"arn:aws:sso:::permissionSet/ssoins-1111222233334444/ps-{next(self._number):016d}"
        described = {"Name": Name, "PermissionSetArn": arn, **described}
        self.permission_sets[arn] = {"described": described, "policies": [], "tags": list(Tags)}
        return {"PermissionSet": described}

    def do_update_permission_set(self, PermissionSetArn: str, **described: Any) -> Any:
        self.permission_sets[PermissionSetArn]["described"].update(described)

    def do_attach_managed_policy_to_permission_set(
        self, PermissionSetArn: str, ManagedPolicyArn: str, **_: Any
    ) -> Any:
        self.permission_sets[PermissionSetArn]["policies"].append(ManagedPolicyArn)

    def do_delete_permission_set(self, PermissionSetArn: str, **_: Any) -> Any:
        self._there(self.permission_sets, PermissionSetArn)
        del self.permission_sets[PermissionSetArn]

    def do_list_account_assignments(self, PermissionSetArn: str, AccountId: str, **_: Any) -> Any:
        return [
            {"PrincipalType": kind, "PrincipalId": one}
            for kind, one in self.assignments.get((PermissionSetArn, AccountId), ())
        ]

    def do_list_account_assignments_for_principal(
        self, PrincipalId: str, PrincipalType: str, **_: Any
    ) -> Any:
        return [
            {"PermissionSetArn": arn, "AccountId": account_id, "PrincipalId": PrincipalId}
            for (arn, account_id), principals in list(self.assignments.items())
            if (PrincipalType, PrincipalId) in principals
        ]

    def _started(self, word: str) -> Any:
        one = self._id()
        self._requests.setdefault(word, {})[one] = "IN_PROGRESS"
        return {f"AccountAssignment{word}Status": {"Status": "IN_PROGRESS", "RequestId": one}}

    def do_create_account_assignment(
        self, PermissionSetArn: str, TargetId: str, PrincipalType: str, PrincipalId: str, **_: Any
    ) -> Any:
        self.assignments.setdefault((PermissionSetArn, TargetId), {})[PrincipalType, PrincipalId] = None
        return self._started("Creation")

    def do_delete_account_assignment(
        self, PermissionSetArn: str, TargetId: str, PrincipalType: str, PrincipalId: str, **_: Any
    ) -> Any:
        there = self._there(self.assignments, (PermissionSetArn, TargetId))
        del there[PrincipalType, PrincipalId]
        if not there:
            del self.assignments[PermissionSetArn, TargetId]
        return self._started("Deletion")

    def _statuses(self, word: str, MaxResults: int = 100, NextToken: str = "0", **_: Any) -> Any:
        # All that was under way has ended when it is looked at.
        ended = self._requests[word] = dict.fromkeys(self._requests.get(word, ()), "SUCCEEDED")
        start, end = int(NextToken), int(NextToken) + MaxResults
        listed = [{"RequestId": one, "Status": status} for one, status in ended.items()]
        token = {"NextToken": str(end)} if end < len(listed) else {}
        return {"Statuses": listed[start:end], **token}

    def do_list_account_assignment_creation_status(self, **asked: Any) -> Any:
        return self._statuses("Creation", **asked)

    def do_list_account_assignment_deletion_status(self, **asked: Any) -> Any:
        return self._statuses("Deletion", **asked)

    def do_list_applications(self, **_: Any) -> Any:
        return []
