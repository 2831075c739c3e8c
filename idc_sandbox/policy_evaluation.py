"""Whether policies allow an action: IAM's rules, without knowing where policies come from.

An explicit Deny wins, an Allow is needed, nothing is allowed by default. Elements that the sandbox knows:
Effect, Action, NotAction, Resource, NotResource and Condition with IAM's operators.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from idc_sandbox.json_documents import parse_json
from idc_sandbox.policy_conditions import conditions_hold
from idc_sandbox.policy_patterns import substitute, wildcard_match


class Decision(enum.Enum):
    """What policies say to a request."""

    ALLOWED = "allowed"
    DENIED = "denied explicitly"
    NOT_ALLOWED = "not allowed"


@dataclass(frozen=True)
class AccessRequest:
    """A question to policies.

    Attributes
    ----------
    action
        Such as ``"s3:PutObject"``; its case does not matter.
    resource
        ARN; ``"*"`` when an action knows none: then only statements for all resources fit.
    context
        Condition keys in lower case, such as ``"aws:principalarn"``, with their value or values.
    """

    action: str
    resource: str = "*"
    context: dict[str, str | list[str]] = field(default_factory=dict)


def evaluate(documents: Iterable[str], request: AccessRequest) -> Decision:
    """Return what policy documents (JSON text) say together; one that is no policy says nothing."""
    return evaluate_statements(
        [statement for document in documents for statement in statements_of(document)], request
    )


def evaluate_statements(statements: Iterable[dict[str, Any]], request: AccessRequest) -> Decision:
    """Return what statements of policies say together."""
    effects = [statement.get("Effect") for statement in statements if _applies(statement, request)]
    if "Deny" in effects:
        return Decision.DENIED
    return Decision.ALLOWED if "Allow" in effects else Decision.NOT_ALLOWED


@functools.lru_cache(maxsize=512)
def statements_of(document: str) -> list[dict[str, Any]]:
    """Return the statements of a policy document (JSON text); none when it is no policy."""
    try:
        parsed = parse_json(document)
    except ValueError:
        return []
    statements = parsed.get("Statement", []) if isinstance(parsed, dict) else []
    return [statement for statement in as_list(statements) if isinstance(statement, dict)]


def _applies(statement: dict[str, Any], request: AccessRequest) -> bool:
    return (
        _action_fits(statement, request.action)
        and _resource_fits(statement, request)
        and conditions_hold(statement.get("Condition", {}), request.context)
    )


def _action_fits(statement: dict[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return not any(wildcard_match(pattern, action) for pattern in as_list(statement["NotAction"]))
    return any(wildcard_match(pattern, action) for pattern in as_list(statement.get("Action", [])))


def _resource_fits(statement: dict[str, Any], request: AccessRequest) -> bool:
    def fits(patterns: Any) -> bool:
        return any(
            wildcard_match(substitute(str(pattern), request.context), request.resource, ignore_case=False)
            for pattern in as_list(patterns)
        )

    if "NotResource" in statement:
        return not fits(statement["NotResource"])
    if "Resource" not in statement:
        return "Principal" in statement  # a trust policy is about the role that it belongs to
    return fits(statement["Resource"])


def as_list(value: Any) -> list[Any]:
    """Return a policy element that may stand alone or in a list as a list."""
    return value if isinstance(value, list) else [value]
