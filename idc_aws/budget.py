"""How many calls a plan takes at AWS, and how long they take at AWS's pace: computed, nothing is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from idc_aws.assignments import WINDOW
from idc_aws.changes import Action, Change, State
from idc_aws.clients import AWS_RATE_PER_S
from idc_aws.connection import Connection
from idc_aws.identity_store import MOST_ON_A_PAGE, list_page_limit, page_count
from idc_aws.permission_sets import DESCRIBED_FIELDS, PROVISIONED_FIELDS
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
_PROVISIONING = (
    "ListAccountsForProvisionedPermissionSet",
    "ProvisionPermissionSet",
    "DescribePermissionSetProvisioningStatus",
    "ListAccountsForProvisionedPermissionSet",
)
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


def reading_budget(changes: Iterable[Change], sizes: Sizes = Sizes(), *, applied: bool = False) -> Budget:
    """Return the calls that planning these changes takes in one look, or checking them when they are applied.

    Parameters
    ----------
    changes
        All lines of a plan, also those that are unchanged.
    sizes
        What there is on the target beside the plan, as `known_sizes`.
    applied
        Whether what the plan creates is there by then.
    """
    return Budget(_Reading(list(changes), sizes, applied).count())


@dataclass
class _Reading:
    changes: Sequence[Change]
    sizes: Sizes
    applied: bool
    calls: Counter[str] = field(default_factory=Counter)
    listed: set[str] = field(default_factory=set)

    def count(self) -> Counter[str]:
        self._sets(self._of("permission_set"))
        groups, users = self._of("group"), self._of("user")
        self._names("GROUP", len(groups), describes=True)
        self._assignments(self._of("account_assignment"))
        self._names("USER", len(users), describes=True)
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

    def _missing(self, kind: str) -> set[str]:
        planned = self._of(kind)
        return {one.key for one in planned} - {one.key for one in self._there(planned)}

    def _size(self, kind: str, known: int) -> int:
        """Return how many of a kind there are: at least those of the plan."""
        planned = self._of(kind)
        made = [one for one in planned if one.action is Action.CREATE] if self.applied else []
        return max(known + len(made), len(self._there(planned)))

    def _names(self, principal_type: str, number: int, *, describes: bool = False) -> None:
        if not number or principal_type in self.listed:
            return
        self.listed.add(principal_type)  # within one look it is not asked for again
        known = self.sizes.users if principal_type == "USER" else self.sizes.groups
        size = self._size(principal_type.lower(), known)
        is_known = bool(self.sizes.users or self.sizes.groups)
        self.calls += _finding(principal_type, number, size, is_known=is_known, describes=describes)

    def _sets(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        there = len(self._there(changes))
        self._list_sets()
        # A name that is not known yet is read by the call that describes its set.
        self.calls.update({f"sso-admin:{operation}": there for operation in _READ_OF_A_SET})

    def _list_sets(self) -> None:
        if "sets" not in self.listed:
            number = self._size("permission_set", self.sizes.permission_sets)
            self.calls["sso-admin:ListPermissionSets"] += max(page_count(number), 1)
            self.listed.add("sets")

    def _assignments(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        states = [_state(one) for one in changes]
        self._list_sets()
        self.calls["organizations:ListAccounts"] += page_count(self.sizes.accounts, _ACCOUNTS_ON_A_PAGE)
        self.calls.update(self.sizes.unit_calls)
        for kind in ("GROUP", "USER"):
            named = {one["principal_name"] for one in states if one["principal_type"] == kind}
            self._names(kind, len(named))
        missing = {"GROUP": self._missing("group"), "USER": self._missing("user")}
        no_set = self._missing("permission_set")
        readable = [
            one
            for one in states
            if one["principal_name"] not in missing[one["principal_type"]]
            and one["permission_set"] not in no_set
        ]
        pairs = {(one["permission_set"], one["account_id"]) for one in readable}
        principals = {(one["principal_type"], one["principal_name"]) for one in readable}
        if len(principals) < len(pairs):
            self.calls["sso-admin:ListAccountAssignmentsForPrincipal"] += len(principals)
        else:
            self.calls["sso-admin:ListAccountAssignments"] += len(pairs)

    def _memberships(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        states = [_state(one) for one in changes]
        users, groups = ({one[name] for one in states} for name in ("user_name", "group"))
        self._names("USER", len(users))
        self._names("GROUP", len(groups))
        no_user, no_group = self._missing("user"), self._missing("group")
        wanted: Counter[str] = Counter()
        there: Counter[str] = Counter()
        members = set()
        for change, state in zip(changes, states, strict=True):
            if state["user_name"] not in no_user and state["group"] not in no_group:
                wanted[state["group"]] += 1
                there[state["group"]] += bool(self._there([change]))
                members.add(state["user_name"])
        if sum(map(page_count, wanted.values())) <= len(members):
            number = sum(max(page_count(there[group]), 1) for group in wanted)
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


def _state(change: Change) -> State:
    return change.after or change.before or {}


def _finding(
    principal_type: str, number: int, size: int, *, is_known: bool = True, describes: bool = False
) -> Counter[str]:
    """Return the calls that find so many names among so many: by a list, unless asking takes fewer calls."""
    if not number:
        return Counter()
    noun, calls, pages = principal_type.capitalize(), number * (1 + describes), max(page_count(size), 1)
    most = list_page_limit(calls, (pages, True) if is_known else (0, False))
    found = Counter({f"identitystore:List{noun}s": min(pages, most)})
    if pages > most:
        found[f"identitystore:Get{noun}Id"] += number
        found[f"identitystore:Describe{noun}"] += number * describes
    return found


def _before_writing(principal_type: str, number: int, size: int) -> Counter[str]:
    return _finding(principal_type, number, max(number, size), is_known=bool(size))


def _by_action(changes: Iterable[Change]) -> Counter[Action]:
    return Counter(change.action for change in changes)


def _write_principals(principal_type: str, changes: Sequence[Change], size: int) -> Counter[str]:
    of, noun = _by_action(changes), principal_type.capitalize()
    found = _before_writing(principal_type, of[Action.UPDATE], size)
    for action, verb in ((Action.CREATE, "Create"), (Action.UPDATE, "Update"), (Action.DELETE, "Delete")):
        found[f"identitystore:{verb}{noun}"] += of[action]
    found["sso-admin:ListAccountAssignmentsForPrincipal"] += of[Action.DELETE]
    return found


def _write_users(changes: Sequence[Change], sizes: Sizes) -> Counter[str]:
    of, found = _by_action(changes), _write_principals("USER", changes, sizes.users)
    found["identitystore:DescribeUser"] += of[Action.UPDATE]
    found["identitystore:ListGroupMembershipsForMember"] += of[Action.DELETE]
    return found


def _write_groups(changes: Sequence[Change], sizes: Sizes) -> Counter[str]:
    found = _write_principals("GROUP", changes, sizes.groups)
    found["identitystore:ListGroupMemberships"] += _by_action(changes)[Action.DELETE]
    return found


def _write_memberships(changes: Sequence[Change], sizes: Sizes) -> Counter[str]:
    states = [_state(one) for one in changes if one.action is Action.CREATE]
    found = _before_writing("USER", len({one["user_name"] for one in states}), sizes.users)
    found += _before_writing("GROUP", len({one["group"] for one in states}), sizes.groups)
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
            differing = {name for name in {**before, **after} if before.get(name) != after.get(name)}
            found.update(("ListPermissionSets", *_READ_OF_A_SET))
            found["UpdatePermissionSet"] += not differing.isdisjoint(DESCRIBED_FIELDS)
            if not differing.isdisjoint(PROVISIONED_FIELDS):
                found.update(_PROVISIONING)
    return Counter({f"sso-admin:{operation}": number for operation, number in found.items() if number})


def _write_assignments(changes: Sequence[Change], sizes: Sizes) -> Counter[str]:
    found: Counter[str] = Counter()
    creations = [_state(one) for one in changes if one.action is Action.CREATE]
    if creations:
        found["sso-admin:ListPermissionSets"] += max(page_count(sizes.permission_sets), 1)
    for kind, size in (("GROUP", sizes.groups), ("USER", sizes.users)):
        names = {one["principal_name"] for one in creations if one["principal_type"] == kind}
        found += _before_writing(kind, len(names), size)
    for action, verb, word in ((Action.CREATE, "Create", "Creation"), (Action.DELETE, "Delete", "Deletion")):
        number = _by_action(changes)[action]
        found[f"sso-admin:{verb}AccountAssignment"] += number
        found[f"sso-admin:ListAccountAssignment{word}Status"] += page_count(number, WINDOW)
    return found


_WRITING = {
    "permission_set": _write_sets,
    "group": _write_groups,
    "account_assignment": _write_assignments,
    "user": _write_users,
    "group_membership": _write_memberships,
}
