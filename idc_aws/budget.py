"""How many calls a plan takes at AWS, and how long they take at AWS's pace: computed, nothing is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from idc_aws.assignments import WINDOW
from idc_aws.changes import Action, Change, State
from idc_aws.clients import AWS_RATE_PER_S
from idc_aws.connection import Connection
from idc_aws.identity_store import MOST_ON_A_PAGE, list_page_limit
from idc_aws.units import unit_calls

_ACCOUNTS_ON_A_PAGE = 20
_MOST_USERS = 200_000  # AWS's quota: for a list that was not read to its end
_READ_OF_A_SET = (
    "DescribePermissionSet",
    "ListManagedPoliciesInPermissionSet",
    "ListCustomerManagedPolicyReferencesInPermissionSet",
    "GetInlinePolicyForPermissionSet",
    "GetPermissionsBoundaryForPermissionSet",
    "ListTagsForResource",
    "ListAccountsForProvisionedPermissionSet",
)
_POLICIES = {
    "managed_policies": "AttachManagedPolicyToPermissionSet",
    "customer_managed_policies": "AttachCustomerManagedPolicyReferenceToPermissionSet",
}
_TEXTS = {
    "inline_policy": "PutInlinePolicyToPermissionSet",
    "permissions_boundary": "PutPermissionsBoundaryToPermissionSet",
}


@dataclass(frozen=True)
class Budget:
    """Calls by service and operation, such as ``{"identitystore:CreateUser": 40}``."""

    calls: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Budget) -> Budget:
        return Budget(Counter(self.calls) + Counter(other.calls))

    @property
    def total(self) -> int:
        """How many calls these are."""
        return sum(self.calls.values())

    @property
    def duration_s(self) -> float:
        """How long AWS lets them take: the slowest limit decides."""
        # Of sso-admin in all, of the identity store for each operation: as `clients.Pacing` spaces them.
        limits: Counter[str] = Counter()
        for operation, number in self.calls.items():
            service_name = operation.partition(":")[0]
            if service_name in ("sso-admin", "identitystore"):
                limits[service_name if service_name == "sso-admin" else operation] += number
        return max(limits.values(), default=0) / AWS_RATE_PER_S

    def __str__(self) -> str:
        calls = "1 call" if self.total == 1 else f"{self.total:,} calls"
        return f"{calls}, {_format_length(self.duration_s)} at AWS's {AWS_RATE_PER_S:g} a second"


def _format_length(duration_s: float) -> str:
    if duration_s < 1:
        return "less than a second"
    return f"about {duration_s:.0f} s" if duration_s < 120 else f"about {duration_s / 60:.0f} min"


@dataclass(frozen=True)
class Sizes:
    """How much there is on the target; what nobody has counted is 0, and at least what a plan names."""

    users: int = 0
    groups: int = 0
    permission_sets: int = 0
    accounts: int = 0
    unit_calls: Mapping[str, int] = field(default_factory=dict)
    """The calls that find what organizational units and tags stand for."""


def known_sizes(connection: Connection) -> Sizes:
    """Return what this connection has counted on its way; calls nothing."""
    pages: Mapping[str, tuple[int, bool]] = connection.cache.get("pages of a directory", {})
    counted = {
        kind: number * MOST_ON_A_PAGE if is_whole else _MOST_USERS
        for kind, (number, is_whole) in pages.items()
    }
    return Sizes(
        counted.get("USER", 0),
        counted.get("GROUP", 0),
        len(connection.cache.get("permission_set_names", ())),
        len(connection.cache.get("accounts", ())),
        unit_calls(connection),
    )


def reading_budget(
    changes: Iterable[Change], sizes: Sizes = Sizes(), *, applied: bool = False, names_known: bool = True
) -> Budget:
    """Return the calls that planning these changes takes in one look, or checking them when they are applied.

    Parameters
    ----------
    changes
        All lines of a plan, also those that are unchanged.
    sizes
        What there is on the target beside the plan, as `known_sizes`.
    applied
        Whether what the plan creates is there by then.
    names_known
        Whether the connection has read the names of the permission sets before.
    """
    return Budget(_Reading(list(changes), sizes, applied, names_known).count())


@dataclass
class _Reading:
    changes: Sequence[Change]
    sizes: Sizes
    applied: bool
    names_known: bool
    calls: Counter[str] = field(default_factory=Counter)
    listed: set[str] = field(default_factory=set)

    def count(self) -> Counter[str]:
        self._sets(self._of("permission_set"))
        self._principals("GROUP", self._of("group"))
        self._assignments(self._of("account_assignment"))
        self._principals("USER", self._of("user"))
        self._memberships(self._of("group_membership"))
        kinds = {change.kind for change in self.changes}
        if "access_control_attributes" in kinds:
            self.calls["sso-admin:DescribeInstanceAccessControlAttributeConfiguration"] += 1
        if "delegated_administrator" in kinds:
            self.calls["organizations:ListDelegatedAdministrators"] += 1
        if "instance" in kinds:
            self.calls["sso-admin:ListInstances"] += 1
            self.calls["sso-admin:ListTagsForResource"] += len(self._there(self._of("instance")))
        return +self.calls

    def _of(self, kind: str) -> list[Change]:
        return [change for change in self.changes if change.kind == kind]

    def _there(self, changes: Iterable[Change]) -> list[Change]:
        return [one for one in changes if (one.after if self.applied else one.before) is not None]

    def _size(self, principal_type: str) -> int:
        """Return how many users or groups there are: at least those of the plan."""
        kind, known = ("user", self.sizes.users) if principal_type == "USER" else ("group", self.sizes.groups)
        planned = self._of(kind)
        made = [one for one in planned if one.action is Action.CREATE] if self.applied else []
        return max(known + len(made), len(self._there(planned)))

    def _names(self, principal_type: str, number: int, calls: int) -> None:
        """Count how names become ids or states: by a list, unless asking takes fewer calls."""
        if not number or principal_type in self.listed:
            return
        noun = principal_type.capitalize()
        pages = max(_pages(self._size(principal_type)), 1)
        most = list_page_limit(calls, (pages, True) if self.sizes.users or self.sizes.groups else (0, False))
        self.calls[f"identitystore:List{noun}s"] += min(pages, most)
        self.listed.add(principal_type)  # within one look it is not asked for again
        if pages <= most:
            return
        self.calls[f"identitystore:Get{noun}Id"] += number
        if calls > number:
            self.calls[f"identitystore:Describe{noun}"] += number

    def _principals(self, principal_type: str, changes: Sequence[Change]) -> None:
        self._names(principal_type, len(changes), 2 * len(changes))

    def _sets(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        there = len(self._there(changes))
        self._list_sets(there, len(changes))
        self.calls.update({f"sso-admin:{operation}": there for operation in _READ_OF_A_SET[1:]})
        # A name that is not known yet is read by the same call.
        named = max(self._sets_there(), there) if not self.names_known else there
        self.calls["sso-admin:DescribePermissionSet"] += named

    def _sets_there(self) -> int:
        made = [one for one in self._of("permission_set") if one.action is Action.CREATE]
        return self.sizes.permission_sets + (len(made) if self.applied else 0)

    def _list_sets(self, *numbers: int) -> None:
        if "sets" not in self.listed:
            self.calls["sso-admin:ListPermissionSets"] += _pages(max(self._sets_there(), 1, *numbers))
            self.listed.add("sets")

    def _assignments(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        states = [_state(one) for one in changes]
        if not self._of("permission_set") and not self.names_known:
            self.calls["sso-admin:DescribePermissionSet"] += self._sets_there()
        self._list_sets()
        self.calls["organizations:ListAccounts"] += _pages(self.sizes.accounts, _ACCOUNTS_ON_A_PAGE)
        self.calls.update(self.sizes.unit_calls)
        principals = {(one["principal_type"], one["principal_name"]) for one in states}
        for kind in ("GROUP", "USER"):
            number = sum(principal[0] == kind for principal in principals)
            self._names(kind, number, number)
        missing = self._missing("group", "GROUP") | self._missing("user", "USER")
        no_set = {key for _, key in self._missing("permission_set", "")}
        readable = [
            one
            for one in states
            if (one["principal_type"], one["principal_name"]) not in missing
            and one["permission_set"] not in no_set
        ]
        pairs = {(one["permission_set"], one["account_id"]) for one in readable}
        of_principals = {(one["principal_type"], one["principal_name"]) for one in readable}
        if len(of_principals) < len(pairs):
            self.calls["sso-admin:ListAccountAssignmentsForPrincipal"] += len(of_principals)
        else:
            self.calls["sso-admin:ListAccountAssignments"] += len(pairs)

    def _missing(self, kind: str, principal_type: str) -> set[tuple[str, str]]:
        planned = self._of(kind)
        there = {one.key for one in self._there(planned)}
        return {(principal_type, one.key) for one in planned if one.key not in there}

    def _memberships(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        states = [_state(one) for one in changes]
        users, groups = ({one[name] for one in states} for name in ("user_name", "group"))
        self._names("USER", len(users), len(users))
        self._names("GROUP", len(groups), len(groups))
        no_user = {key for _, key in self._missing("user", "")}
        no_group = {key for _, key in self._missing("group", "")}
        if not self.sizes.groups and not self._of("group"):
            no_group = set()
        wanted: Counter[str] = Counter()
        there: Counter[str] = Counter()
        members = set()
        for change, state in zip(changes, states, strict=True):
            if state["user_name"] not in no_user and state["group"] not in no_group:
                wanted[state["group"]] += 1
                there[state["group"]] += bool(self._there([change]))
                members.add(state["user_name"])
        if sum(map(_pages, wanted.values())) <= len(members):
            number = sum(max(_pages(there[group]), 1) for group in wanted)
            self.calls["identitystore:ListGroupMemberships"] += number
        else:
            self.calls["identitystore:IsMemberInGroups"] += len(members)


def writing_budget(changes: Iterable[Change], sizes: Sizes = Sizes()) -> Budget:
    """Return the calls that applying these changes takes; `sizes` as for `reading_budget`.

    How often AWS is asked whether assignments have ended depends on AWS: once for each window is counted.
    """
    writing = [change for change in changes if change.writes]
    calls: Counter[str] = Counter()
    for kind, count in _WRITING.items():
        of_kind = [change for change in writing if change.kind == kind]
        if of_kind:
            calls += count(of_kind, sizes)
    return Budget(calls)


def _pages(number: int, size: int = MOST_ON_A_PAGE) -> int:
    return -(-number // size)


def _state(change: Change) -> State:
    return change.after or change.before or {}


def _lookup(noun: str, number: int, size: int) -> Counter[str]:
    """Return the calls that find the ids of so many names before they are written."""
    if not number:
        return Counter()
    pages = max(_pages(max(number, size)), 1)
    if pages <= number // 2:
        return Counter({f"identitystore:List{noun}s": pages})
    return Counter({f"identitystore:List{noun}s": number // 2, f"identitystore:Get{noun}Id": number})


def _by_action(changes: Iterable[Change]) -> Counter[Action]:
    return Counter(change.action for change in changes)


def _write_users(changes: Sequence[Change], sizes: Sizes) -> Counter[str]:
    of = _by_action(changes)
    found = _lookup("User", of[Action.UPDATE], sizes.users)
    found["identitystore:CreateUser"] += of[Action.CREATE]
    found["identitystore:DescribeUser"] += of[Action.UPDATE]
    found["identitystore:UpdateUser"] += of[Action.UPDATE]
    found["identitystore:ListGroupMembershipsForMember"] += of[Action.DELETE]
    found["sso-admin:ListAccountAssignmentsForPrincipal"] += of[Action.DELETE]
    found["identitystore:DeleteUser"] += of[Action.DELETE]
    return found


def _write_groups(changes: Sequence[Change], sizes: Sizes) -> Counter[str]:
    of = _by_action(changes)
    found = _lookup("Group", of[Action.UPDATE], sizes.groups)
    found["identitystore:CreateGroup"] += of[Action.CREATE]
    found["identitystore:UpdateGroup"] += of[Action.UPDATE]
    found["identitystore:ListGroupMemberships"] += of[Action.DELETE]
    found["sso-admin:ListAccountAssignmentsForPrincipal"] += of[Action.DELETE]
    found["identitystore:DeleteGroup"] += of[Action.DELETE]
    return found


def _write_memberships(changes: Sequence[Change], sizes: Sizes) -> Counter[str]:
    states = [_state(one) for one in changes if one.action is Action.CREATE]
    found = _lookup("User", len({one["user_name"] for one in states}), sizes.users)
    found += _lookup("Group", len({one["group"] for one in states}), sizes.groups)
    found["identitystore:CreateGroupMembership"] += len(states)
    found["identitystore:DeleteGroupMembership"] += _by_action(changes)[Action.DELETE]
    return found


def _write_sets(changes: Sequence[Change], _sizes: Sizes) -> Counter[str]:
    found: Counter[str] = Counter()
    for change in changes:
        before, after = change.before or {}, change.after or {}
        if change.action is Action.DELETE:
            found["ListAccountsForProvisionedPermissionSet"] += 1
            found["DeletePermissionSet"] += 1
            continue
        for name, operation in _POLICIES.items():
            old, new = before.get(name) or [], after.get(name) or []
            found[operation] += sum(one not in old for one in new)
            found[operation.replace("Attach", "Detach").replace("ToPer", "FromPer")] += sum(
                one not in new for one in old
            )
        for name, operation in _TEXTS.items():
            if after.get(name) and after.get(name) != before.get(name):
                found[operation] += 1
        if change.action is Action.CREATE:
            found["CreatePermissionSet"] += 1
        else:
            found.update(("ListPermissionSets", "UpdatePermissionSet", *_READ_OF_A_SET))
            found.update(("ListAccountsForProvisionedPermissionSet", "ProvisionPermissionSet"))
            found.update(
                ("DescribePermissionSetProvisioningStatus", "ListAccountsForProvisionedPermissionSet")
            )
    return Counter({f"sso-admin:{operation}": number for operation, number in found.items() if number})


def _write_assignments(changes: Sequence[Change], sizes: Sizes) -> Counter[str]:
    found: Counter[str] = Counter()
    creations = [_state(one) for one in changes if one.action is Action.CREATE]
    if creations:
        found["sso-admin:ListPermissionSets"] += max(_pages(sizes.permission_sets), 1)
    for noun, size in (("Group", sizes.groups), ("User", sizes.users)):
        names = {one["principal_name"] for one in creations if one["principal_type"] == noun.upper()}
        found += _lookup(noun, len(names), size)
    for action, verb, word in ((Action.CREATE, "Create", "Creation"), (Action.DELETE, "Delete", "Deletion")):
        number = _by_action(changes)[action]
        found[f"sso-admin:{verb}AccountAssignment"] += number
        found[f"sso-admin:ListAccountAssignment{word}Status"] += _pages(number, WINDOW)
    return found


_WRITING = {
    "permission_set": _write_sets,
    "group": _write_groups,
    "account_assignment": _write_assignments,
    "user": _write_users,
    "group_membership": _write_memberships,
}
