"""Policies that a permission set carries: by name, by reference, and written out."""

from __future__ import annotations

import json
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from idc_helpers.errors import InvalidValueError
from idc_helpers.managed_policies import managed_policy_arn
from idc_helpers.models.base import Model, Refusal, refuse
from idc_helpers.models.texts import PolicyName, TextRule, shortened

MOST_POLICY_CHARACTERS = 10_240  # blanks do not count
MOST_POLICY_BYTES = 32_768

PolicyPath = Annotated[
    str,
    TextRule(
        "a policy's path", 512, "letters, digits and . , + @ = _ - between slashes", r"[A-Za-z0-9.,+@=_/-]"
    ),
]


def _slashes_around(path: str) -> str:
    if not (path.startswith("/") and path.endswith("/")) or "//" in path:
        raise InvalidValueError(
            f"{path!r} is not a policy's path",
            remedy="Start and end it with one slash, such as '/' or '/finance/'.",
        )
    return path


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for position, (key, _) in enumerate(pairs):
        if key in [earlier for earlier, _ in pairs[:position]]:
            raise InvalidValueError(
                f"an inline policy with {key!r} twice in one object",
                remedy="Keep one: AWS would silently drop the other.",
            )
    return dict(pairs)


def _read_policy(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as error:
        raise InvalidValueError(
            f"{shortened(value)} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            remedy="Write the policy as a YAML mapping, or mend the JSON.",
        ) from error


def inline_policy_text(policy: dict[str, Any]) -> str:
    """Return the text of a policy as it is sent to AWS: JSON without blanks between its parts.

    Parameters
    ----------
    policy
        The policy document.
    """
    return json.dumps(policy, separators=(",", ":"))


def _checked_policy(value: object) -> object:
    policy = _read_policy(value)
    if not isinstance(policy, dict):
        raise InvalidValueError(
            f"{shortened(value)} is not a policy document",
            remedy="Write a mapping with Version and Statement.",
        )
    _check_statements(policy.get("Statement"))
    try:
        text = inline_policy_text(policy)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(
            f"a policy that cannot be written as JSON: {error}",
            remedy="Use text, numbers, lists and mappings only.",
        ) from error
    characters = len("".join(text.split()))
    if characters > MOST_POLICY_CHARACTERS or len(text) > MOST_POLICY_BYTES:
        raise InvalidValueError(
            f"an inline policy of {characters} characters is too long",
            remedy=f"At most {MOST_POLICY_CHARACTERS} fit, blanks apart: move parts to managed policies.",
        )
    return policy


def _check_statements(statements: object) -> None:
    listed = [statements] if isinstance(statements, dict) else statements
    if not isinstance(listed, list) or not listed or not all(isinstance(part, dict) for part in listed):
        raise InvalidValueError(
            f"a policy document needs a Statement; found {shortened(statements)}",
            remedy="Write 'Statement:' with a list of statements, each with Effect, Action and Resource.",
        )
    for part in listed:
        if part.get("Effect") not in ("Allow", "Deny"):
            raise InvalidValueError(
                f"a statement has the Effect {part.get('Effect')!r}", remedy="Write 'Allow' or 'Deny'."
            )


ManagedPolicyArn = Annotated[
    str,
    AfterValidator(managed_policy_arn),
    Field(json_schema_extra={"examples": ["ReadOnlyAccess", "Billing"]}),
]
InlinePolicy = Annotated[
    dict[str, Any],
    BeforeValidator(_checked_policy),
    WithJsonSchema(
        {"anyOf": [{"type": "object", "required": ["Statement"]}, {"type": "string", "minLength": 1}]}
    ),
]


class CustomerManagedPolicy(Model):
    """A policy of your own, by name; it must exist in every account that the permission set is used in.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CustomerManagedPolicyReference.html
    """

    name: PolicyName = Field(description="The policy's name; upper and lower case matter.")
    path: Annotated[PolicyPath, AfterValidator(_slashes_around)] = Field(
        default="/", description="The policy's path; '/' where you never gave it one."
    )


class PermissionsBoundary(Model):
    """The most that a permission set may ever allow: an AWS managed policy, or one of your own.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_PermissionsBoundary.html
    """

    managed_policy: ManagedPolicyArn | None = Field(
        default=None, description="An AWS managed policy, by name or ARN."
    )
    customer_managed_policy: CustomerManagedPolicy | None = Field(
        default=None, description="A policy of your own."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [
            policy for policy in (self.managed_policy, self.customer_managed_policy) if policy is not None
        ]
        if len(given) != 1:
            found = "both" if given else "neither"
            message = f"a permissions boundary is one policy; found {found}"
            refuse([Refusal((), message, "Give managed_policy or customer_managed_policy, not both.", found)])
        return self
