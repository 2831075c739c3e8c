"""The grammar of IAM's policies, as far as an inline policy of a permission set goes: pure, no call.

Refused is only what the grammar forbids, or what IAM is known to answer ``MalformedPolicyDocument`` to. Which
actions and services exist changes every week, so that is `idc_helpers.policy_advice`, which only warns.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from idc_helpers.models.base import Location, Refusal
from idc_helpers.models.policy_conditions import condition_refusals, entries_of, text_refusals
from idc_helpers.models.texts import shortened
from idc_helpers.suggestions import did_you_mean

VERSIONS = ("2012-10-17", "2008-10-17")
EFFECTS = ("Allow", "Deny")
POLICY_KEYS = ("Version", "Id", "Statement")
STATEMENT_KEYS = (
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)
_SID = re.compile(r"[A-Za-z0-9]*")
_SERVICE = re.compile(r"[A-Za-z0-9.-]+")
_ACTION_NAME = re.compile(r"[A-Za-z0-9*?_.-]+")
_PARTITION = re.compile(r"\*|aws(-[a-z]+)*")
_LEAST_COLONS = 5


def policy_refusals(policy: Mapping[Any, Any]) -> list[Refusal]:
    """Return everything that the grammar forbids in a policy, each at its place in it; empty: it is one.

    Parameters
    ----------
    policy
        The document as data: mappings, lists, texts, numbers, booleans.
    """
    return [*_top(policy), *_statements(policy)]


def statements_of(policy: Mapping[Any, Any]) -> Iterator[tuple[Location, Mapping[Any, Any]]]:
    """Yield each statement that is a mapping, with its place; one alone needs no list."""
    found = policy.get("Statement")
    if isinstance(found, Mapping):
        yield ("Statement",), found
    elif isinstance(found, list):
        yield from (
            (("Statement", number), one) for number, one in enumerate(found) if isinstance(one, Mapping)
        )


def _top(policy: Mapping[Any, Any]) -> Iterator[Refusal]:
    yield from _unknown_keys(policy, (), POLICY_KEYS, "a policy")
    version = policy.get("Version", VERSIONS[0])
    if version not in VERSIONS:
        message = f"{shortened(version)} is not a version of the policy language"
        yield Refusal(("Version",), message, f"Write '{VERSIONS[0]}'.", version)
    if "Id" in policy:
        yield from text_refusals(policy["Id"], ("Id",), "an Id")
    statements = policy.get("Statement")
    if not (isinstance(statements, Mapping) or (isinstance(statements, list) and statements)):
        at = ("Statement",) if "Statement" in policy else ()
        remedy = "Write 'Statement:' with a list of statements, each with Effect, Action and Resource."
        yield Refusal(
            at, f"a policy document needs a Statement; found {shortened(statements)}", remedy, statements
        )


def _statements(policy: Mapping[Any, Any]) -> Iterator[Refusal]:
    statements = policy.get("Statement")
    for number, one in enumerate(statements if isinstance(statements, list) else []):
        if not isinstance(one, Mapping):
            message = f"{shortened(one)} is not a statement"
            yield Refusal(
                ("Statement", number), message, "Write a mapping with Effect, Action and Resource.", one
            )
    sids: dict[str, Location] = {}
    for location, statement in statements_of(policy):
        yield from _statement(statement, location)
        sid = statement.get("Sid")
        if isinstance(sid, str) and sid and sids.setdefault(sid, location) != location:
            message = f"the Sid {shortened(sid)} is used twice in this policy"
            yield Refusal((*location, "Sid"), message, "Give each statement a Sid of its own, or none.", sid)


def _statement(statement: Mapping[Any, Any], location: Location) -> Iterator[Refusal]:
    yield from _principals(statement, location)
    yield from _unknown_keys(
        statement, location, STATEMENT_KEYS, "a statement", ("Principal", "NotPrincipal")
    )
    yield from _sid(statement, location)
    yield from _effect(statement, location)
    yield from _one_of(statement, location, "Action", _action)
    yield from _one_of(statement, location, "Resource", _resource)
    if "Condition" in statement:
        yield from condition_refusals(statement["Condition"], (*location, "Condition"))


def _principals(statement: Mapping[Any, Any], location: Location) -> Iterator[Refusal]:
    for key in ("Principal", "NotPrincipal"):
        if key in statement:
            message = f"a statement of a permission set cannot have a {key}"
            remedy = f"Remove {key}: the policy belongs to those to whom the permission set is assigned."
            yield Refusal((*location, key), message, remedy, statement[key])


def _unknown_keys(
    found: Mapping[Any, Any],
    location: Location,
    known: tuple[str, ...],
    where: str,
    elsewhere: tuple[str, ...] = (),
) -> Iterator[Refusal]:
    for key in found:
        if key not in known and key not in elsewhere:
            remedy = did_you_mean(str(key), known) or f"Known in {where}: {', '.join(known)}."
            yield Refusal((*location, str(key)), f"unknown key {shortened(key)} in {where}", remedy, key)


def _sid(statement: Mapping[Any, Any], location: Location) -> Iterator[Refusal]:
    sid = statement.get("Sid", "")
    if not isinstance(sid, str):
        yield from text_refusals(sid, (*location, "Sid"), "a Sid")
    elif _SID.fullmatch(sid) is None:
        odd = next(character for character in sid if _SID.fullmatch(character) is None)
        message = f"the Sid {shortened(sid)} holds {odd!r}"
        yield Refusal((*location, "Sid"), message, "Use the letters a to z and A to Z and digits only.", sid)


def _effect(statement: Mapping[Any, Any], location: Location) -> Iterator[Refusal]:
    effect = statement.get("Effect")
    if effect in EFFECTS:
        return
    if "Effect" not in statement:
        yield Refusal(location, "a statement needs an Effect; there is none", "Add Effect: Allow or Deny.")
        return
    remedy = f"{did_you_mean(str(effect), EFFECTS)} Write 'Allow' or 'Deny'; upper and lower case matter."
    yield Refusal(
        (*location, "Effect"), f"a statement has the Effect {shortened(effect)}", remedy.strip(), effect
    )


def _one_of(statement: Mapping[Any, Any], location: Location, name: str, check: Any) -> Iterator[Refusal]:
    given = [key for key in (name, f"Not{name}") if key in statement]
    if len(given) != 1:
        found = "both" if given else "neither"
        message = f"a statement needs one of {name} and Not{name}; found {found}"
        yield Refusal(location, message, f"Write '{name}:'." if not given else "Keep one of the two.", found)
    for key in given:
        entries = entries_of(statement[key], (*location, key))
        if not entries:
            message = f"{key} is an empty list"
            yield Refusal((*location, key), message, f"Name at least one, or write {key}: '*'.", [])
        for place, entry in entries:
            odd = [*text_refusals(entry, place, f"an entry of {key}")]
            yield from odd or check(entry, place)


def _action(action: str, location: Location) -> Iterator[Refusal]:
    service, colon, name = action.partition(":")
    if action == "*":
        return
    if not colon:
        message, remedy = f"the action {shortened(action)} names no service", _with_service(action)
    elif ":" in name:
        message = f"the action {shortened(action)} has more than one colon"
        remedy = f"Write {service + ':' + name.rpartition(':')[2]!r}."
    elif "*" in service or "?" in service:
        message = f"the action {shortened(action)} has a wildcard in its service"
        remedy = "Name each service, as in 's3:Get*'; '*' alone means every action."
    elif _SERVICE.fullmatch(service) is None or _ACTION_NAME.fullmatch(name) is None:
        message = f"{shortened(action)} is not an action"
        remedy = "Write service, colon and action, without blanks: 's3:GetObject', 'ec2:Describe*'."
    else:
        return
    yield Refusal(location, message, remedy, action)


def _with_service(action: str) -> str:
    from idc_helpers.policy_advice import with_service  # noqa: PLC0415  it reads what actions there are

    return f"{with_service(action)} Write it as 's3:GetObject'.".lstrip()


def _resource(resource: str, location: Location) -> Iterator[Refusal]:
    if resource == "*":
        return
    arn, *parts = resource.split(":")
    if arn != "arn" or not parts:
        message = f"the Resource {shortened(resource)} is neither an ARN nor '*'"
        remedy = f"Write an ARN such as 'arn:aws:s3:::{resource.strip('/') or 'name'}', or '*'."
    elif _PARTITION.fullmatch(parts[0]) is None:
        message = f"the Resource {shortened(resource)} has {parts[0]!r} where the partition belongs"
        remedy = "Write 'aws' (or 'aws-cn', 'aws-us-gov', or '*')."
    elif len(parts) < 2 or _SERVICE.fullmatch(parts[1]) is None:
        message = f"the Resource {shortened(resource)} does not name its service"
        remedy = "Write it without wildcards: 'arn:aws:s3:::bucket/*'; '*' alone means every resource."
    elif "::" in resource and resource.count(":") < _LEAST_COLONS:
        message = f"the Resource {shortened(resource)} has too few parts for an ARN"
        remedy = "Write arn:partition:service:Region:account:resource; Region and account may be empty."
    else:
        return
    yield Refusal(location, message, remedy, resource)
