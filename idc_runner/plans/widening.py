"""What gives more access than before, and which kinds of that have to be accepted."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from idc_aws.access import (
    list_assignments_of_principals,
    list_permission_sets,
    list_provisioned_accounts,
)
from idc_aws.calls import grouped
from idc_aws.changes import Action, State
from idc_aws.connection import Connection, management_account_id
from idc_aws.errors import AccessDeniedError, KitError, ParametersError, Problem
from idc_aws.files import explained, read_table
from idc_aws.identifiers import cut_list, did_you_mean, parse_duration
from idc_aws.identity_store import find_principal_ids
from idc_aws.permission_sets import PermissionSets
from idc_runner.plans.document import PlannedChange, Widening

LEVELS = ("accept", "name", "off")


@dataclass(frozen=True)
class Rules:
    """What each rule asks for, and the lists that rules look into."""

    levels: Mapping[str, str]
    administrators: frozenset[str]
    escalations: Mapping[str, tuple[str, ...]]
    """The actions of each way to more rights."""


def read_rules(path: Path | None = None) -> Rules:
    """Return the kit's rules, with those of a file in their place; names all that is wrong in it at once."""
    table = _usual()
    if path is None:
        return _rules(table)
    with explained(f"the rules {str(path)!r} cannot be read", "Check the path."):
        data = path.read_bytes()
    try:
        own = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise ParametersError(
            [Problem(str(path), None, "", f"it is not TOML: {error}", "Correct it.")]
        ) from error
    if problems := [Problem(str(path), None, *each) for each in _wrong_with(own, table)]:
        raise ParametersError(problems)
    return _rules({section: {**values, **own.get(section, {})} for section, values in table.items()})


@cache
def _usual() -> dict[str, Any]:
    return read_table("plan_rules", "idc_runner")


def _rules(table: Mapping[str, Any]) -> Rules:
    ways = {name: tuple(actions) for name, actions in table["escalations"].items()}
    return Rules(table["rules"], frozenset(table["administrators"]["policies"]), ways)


def _wrong_with(own: Mapping[str, Any], usual: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return path, message and remedy of everything that is wrong in rules of one's own."""
    found = []
    for section, values in own.items():
        if section not in usual:
            remedy = did_you_mean(section, usual) or f"There are: {', '.join(usual)}."
            found.append((section, "is not a section of rules", remedy))
        elif not isinstance(values, dict):
            found.append((section, f"{values!r:.60} is not a section", f"Write [{section}], then its lines."))
        elif section == "rules":
            found += [
                each for name, level in values.items() for each in _wrong_rule(name, level, usual[section])
            ]
        else:
            remedy = 'Write a list of texts, such as ["AdministratorAccess"].'
            found += [
                (f"{section}.{name}", f"{value!r:.60} is not a list of texts", remedy)
                for name, value in values.items()
                if not isinstance(value, list) or not all(isinstance(each, str) for each in value)
            ]
    return found


def _wrong_rule(name: str, level: Any, usual: Mapping[str, str]) -> list[tuple[str, str, str]]:
    if name not in usual:
        remedy = did_you_mean(name, usual) or f"There are: {', '.join(usual)}."
        return [(f"rules.{name}", "is not a rule", remedy)]
    if level not in LEVELS:
        return [
            (
                f"rules.{name}",
                f"{level!r:.60} is not what a rule can ask for",
                f"Write one of: {', '.join(LEVELS)}.",
            )
        ]
    return []


_READS = ("list", "get", "describe", "batchget", "search", "lookup", "view", "query", "scan", "select")
_MOST_NAMED = 6
Found = tuple[str, str]
"""A rule, and words."""


class Grant(NamedTuple):
    """One statement of a policy: what it means, each list in lower case or as it is written."""

    actions: tuple[str, ...]
    not_actions: frozenset[str]
    resources: tuple[str, ...]
    not_resources: frozenset[str]
    condition: str


def grants_of(policy: Any, effect: str) -> list[Grant]:
    """Return the statements of a policy that have an effect."""
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    return [
        _grant(statement)
        for statement in _listed(statements)
        if isinstance(statement, dict) and statement.get("Effect") == effect
    ]


def _grant(statement: Mapping[str, Any]) -> Grant:
    return Grant(
        tuple(str(each).lower() for each in _listed(statement.get("Action", "*"))),
        frozenset(str(each).lower() for each in _listed(statement.get("NotAction"))),
        tuple(str(each) for each in _listed(statement.get("Resource", "*"))),
        frozenset(str(each) for each in _listed(statement.get("NotResource"))),
        json.dumps(statement.get("Condition") or {}, sort_keys=True),
    )


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


@lru_cache(maxsize=65_536)
def pattern_covers(wide: str, narrow: str) -> bool:
    """Tell whether a pattern with ``*`` and ``?`` surely matches all that another one matches."""
    if wide in ("*", narrow):
        return True
    if "*" not in wide and "?" not in wide:
        return False
    return _pattern(wide).fullmatch(narrow) is not None


@lru_cache(maxsize=4096)
def _pattern(wide: str) -> re.Pattern[str]:
    # A star of the narrow one may be many characters: only a star of the wide one covers it.
    parts = {"*": ".*", "?": "[^*]"}
    return re.compile("".join(parts.get(each) or re.escape(each) for each in wide), re.DOTALL)


def _is_covered(action: str, resource: str, grant: Grant, by: Iterable[Grant]) -> bool:
    return any(
        other.not_actions <= grant.not_actions
        and other.not_resources <= grant.not_resources
        and other.condition in ("{}", grant.condition)
        and any(pattern_covers(each, action) for each in other.actions)
        and any(pattern_covers(each, resource) for each in other.resources)
        for other in by
    )


def _new(grant: Grant, before: Sequence[Grant]) -> list[tuple[str, str]]:
    """Return the pairs of action and resource of a statement that were not allowed before."""
    return [
        (action, resource)
        for action in grant.actions
        for resource in grant.resources
        if not _is_covered(action, resource, grant, before)
    ]


def policy_findings(before: Any, after: Any, rules: Rules) -> Iterator[Found]:
    """Yield what a policy allows that the earlier one did not, by rule; each rule at most once."""
    old, new = grants_of(before, "Allow"), grants_of(after, "Allow")
    pairs = [pair for grant in new for pair in _new(grant, old)]
    actions = list(dict.fromkeys(action for action, _ in pairs))
    negations = [grant for grant in new if (grant.not_actions or grant.not_resources) and grant not in old]
    if any(action == "*" for grant in negations for action, _ in _new(grant, old)):
        yield "not_action", "allows everything but what is listed (NotAction or NotResource)"
    elif "*" in actions:
        yield "all_actions", f"allows every action{_on(pairs, '*')}"
    services = [action for action in actions if re.fullmatch(r"[^*?:]+:\*", action)]
    if services:
        yield "wildcard_action", f"allows {_named(services)}"
    anywhere = [
        action for action, resource in pairs if resource == "*" and not _only_reads(action) and action != "*"
    ]
    if anywhere:
        yield "wildcard_resource", f"allows {_named(dict.fromkeys(anywhere))} on every resource"
    passing = [pair for pair in pairs if pair[0] != "*" and pattern_covers(pair[0], "iam:passrole")]
    if passing:
        yield (
            "pass_role",
            f"allows iam:PassRole on {_named(dict.fromkeys(resource for _, resource in passing))}",
        )
    narrow = [action for action in actions if action != "*"]
    ways = [
        f"{way} ({', '.join(needed)})"
        for way, needed in rules.escalations.items()
        if any(pattern_covers(action, each.lower()) for each in needed for action in narrow)
        and all(
            any(pattern_covers(action, each.lower()) for grant in new for action in grant.actions)
            for each in needed
        )
    ]
    if ways:
        yield "privilege_escalation", f"allows ways to more rights: {_named(ways)}"
    left = grants_of(after, "Deny")
    if any(_new(deny, left) for deny in grants_of(before, "Deny")):
        yield "deny_removed", "denies less than before"


def _only_reads(action: str) -> bool:
    return action.partition(":")[2].startswith(_READS)


def _on(pairs: Iterable[tuple[str, str]], wanted: str) -> str:
    resources = list(dict.fromkeys(resource for action, resource in pairs if action == wanted))
    return "" if resources == ["*"] else f" on {_named(resources)}"


def _named(words: Iterable[str]) -> str:
    return cut_list(words, _MOST_NAMED)


def set_findings(before: State, after: State, rules: Rules) -> Iterator[Found]:
    """Yield what a permission set gives that it did not give before, by rule."""
    gained = [name for name in _policy_names(after) if name not in _policy_names(before)]
    if strong := [name for name in gained if name in rules.administrators]:
        yield "administrator_policy", f"gets {_named(strong)}"
    if others := [name for name in gained if name not in rules.administrators]:
        yield "managed_policy", f"gets {_named(others)}, whose content AWS decides and is not read here"
    held = before.get("customer_managed_policies") or []
    new = [policy for policy in after.get("customer_managed_policies") or [] if policy not in held]
    if new:
        names = _named(f"{policy.get('path', '/')}{policy['name']}" for policy in new)
        yield (
            "customer_managed_policy",
            f"gets {names}, whose content is in each account and is not read here",
        )
    yield from policy_findings(before.get("inline_policy"), after.get("inline_policy"), rules)
    boundary = before.get("permissions_boundary")
    if boundary and after.get("permissions_boundary") != boundary:
        word = "gets another" if after.get("permissions_boundary") else "loses its"
        yield "boundary_removed", f"{word} permissions boundary"
    earlier, later = (_length(state.get("session_duration")) for state in (before, after))
    if earlier and later > earlier:
        yield "longer_session", "has a longer session"


def _length(duration: Any) -> float:
    try:
        return parse_duration(str(duration)).total_seconds()
    except KitError:
        return 0


def _policy_names(state: State) -> list[str]:
    return [str(arn).rpartition("/")[2] for arn in state.get("managed_policies") or []]


def is_administrators(state: State, rules: Rules) -> bool:
    """Tell whether a permission set gives all rights, or the means to take them."""
    over_iam = any(
        _gives_all_of_iam(grant) and "*" in grant.resources
        for grant in grants_of(state.get("inline_policy"), "Allow")
    )
    return over_iam or any(name in rules.administrators for name in _policy_names(state))


def _gives_all_of_iam(grant: Grant) -> bool:
    """Tell whether a statement allows all of IAM: who may do that takes every other right."""
    left_out = any(each.partition(":")[0] in ("*", "iam") for each in grant.not_actions)
    return not left_out and any(pattern_covers(each, "iam:*") for each in grant.actions)


def find_widenings(
    connection: Connection, changes: Iterable[PlannedChange], rules: Rules
) -> tuple[Widening, ...]:
    """Return what of some changes gives more access than before; reads what they name and do not hold."""
    every = list(changes)
    sets = {
        each.change.key: each.change.after or {} for each in every if each.change.kind == "permission_set"
    }
    joined = {
        each.change.after["group"]
        for each in every
        if each.change.kind == "group_membership" and each.change.writes and each.change.after
    }
    look = _Look(connection, rules, sets, _sets_of_groups(every), joined)
    found = [
        Widening(rule, rules.levels[rule] == "accept", each.change.kind, each.change.key, words)
        for each in every
        if each.change.writes
        for rule, words in look.at(each)
        if rules.levels[rule] != "off"
    ]
    return tuple(dict.fromkeys(found))


def _sets_of_groups(changes: Iterable[PlannedChange]) -> dict[str, list[str]]:
    """Return the permission sets that groups have, or will have, as far as the scenario says."""
    wanted = [each.wanted for each in changes if each.change.kind == "account_assignment"]
    of_groups = (state for state in wanted if state.get("principal_type") == "GROUP")
    return grouped((state["principal_name"], state["permission_set"]) for state in of_groups)


@dataclass
class _Look:
    """Looks at changes, with the states of the permission sets that they name."""

    connection: Connection
    rules: Rules
    sets: dict[str, State]
    sets_of_groups: Mapping[str, Sequence[str]]
    joined: Collection[str]

    def at(self, planned: PlannedChange) -> Iterator[Found]:
        change = planned.change
        before, after = change.before or {}, change.after or {}
        if change.kind == "permission_set":
            yield from set_findings(before, after, self.rules)
            yield from self._already_assigned(planned)
        elif change.kind == "account_assignment" and change.action is Action.CREATE:
            yield from self._assignment(after)
        elif change.kind == "group_membership":
            yield from self._joins(after["group"])
        elif change.kind == "delegated_administrator":
            yield "delegated_administrator", "may administer Identity Center from now on"

    def _joins(self, group: str) -> Iterator[Found]:
        there = self._sets_there
        names = dict.fromkeys([*self.sets_of_groups.get(group, ()), *(there or {}).get(group, ())])
        if strong := [name for name in names if is_administrators(self._state_of(name), self.rules)]:
            yield "administrator_membership", f"joins a group that has {_named(strong)}"
        elif there is None:
            words = "joins a group; what else it has cannot be read with these credentials"
            yield "administrator_membership", words

    @cached_property
    def _sets_there(self) -> dict[str, list[str]] | None:
        """The permission sets that the groups have on the target; None: they may not be read."""
        if self.connection.instance_or_none() is None:
            return {}
        ids = find_principal_ids(self.connection, sorted(("GROUP", name) for name in self.joined))
        name_of = {identifier: name for (_, name), identifier in ids.items()}
        if not name_of:
            return {}
        try:
            rows = list_assignments_of_principals(self.connection, [("GROUP", one) for one in name_of])
            sets = {arn: name for name, arn in list_permission_sets(self.connection).items()}
        except AccessDeniedError:
            return None  # only the management account reads by principal
        return grouped((name_of[row.principal_id], sets[row.permission_set_arn]) for row in rows)

    def _assignment(self, state: State) -> Iterator[Found]:
        if state["principal_type"] == "USER":
            yield "direct_user_assignment", "gives access to one person, not to a group"
        in_charge = management_account_id(self.connection)
        if state["account_id"] not in (in_charge, "") and in_charge:
            return
        if is_administrators(self._state_of(state["permission_set"]), self.rules):
            words = "is an administrator's set in the management account"
            yield "administrator_in_management_account", words if in_charge else f"may be: {_UNKNOWN}"

    def _already_assigned(self, planned: PlannedChange) -> Iterator[Found]:
        """Yield that a set becomes an administrator's that the management account has already."""
        before, after = planned.change.before, planned.change.after or {}
        cannot_become = before is None or is_administrators(before, self.rules)
        if cannot_become or not is_administrators(after, self.rules):
            return
        arn = list_permission_sets(self.connection).get(planned.change.key)
        accounts = list_provisioned_accounts(self.connection, arn) if arn else []
        if management_account_id(self.connection) in accounts:
            words = "becomes an administrator's set, and the management account has it"
            yield "administrator_in_management_account", words

    def _state_of(self, name: str) -> State:
        """Return the state that a permission set will have: the plan's, or else the one that it has."""
        if name not in self.sets:
            self.sets[name] = PermissionSets(self.connection).read([name]).get(name, {})
        return self.sets[name]


_UNKNOWN = "which one the management account is cannot be read with these credentials"
