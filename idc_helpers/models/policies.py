"""Policies that a permission set carries: by name, by reference, and written out."""

from __future__ import annotations

import json
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from idc_helpers.errors import InvalidValueError
from idc_helpers.managed_policies import managed_policy_arn
from idc_helpers.models.base import Model, Refusal, refuse
from idc_helpers.models.policy_grammar import policy_refusals
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


def _no_constant(name: str) -> None:
    raise InvalidValueError(f"{name} is not a number in JSON", remedy="Write a number or a text.")


def policy_from_text(text: str) -> dict[str, Any]:
    """Return the policy that a text in JSON holds; what it says is not looked at.

    Raises
    ------
    InvalidValueError
        The text is not JSON, not an object, or has a key twice in one object.
    """
    try:
        policy = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InvalidValueError(
            f"{shortened(text)} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            remedy="Write the policy as a YAML mapping, or fix the JSON.",
        ) from error
    except RecursionError as error:
        raise _too_deep() from error
    return _mapping(policy)


def _mapping(policy: object) -> dict[str, Any]:
    if not isinstance(policy, dict):
        raise InvalidValueError(
            f"{shortened(policy)} is not a policy document",
            remedy="Write a mapping with Version and Statement.",
        )
    return policy


def _too_deep() -> InvalidValueError:
    return InvalidValueError("a policy is nested too deeply", remedy="A policy has five levels at most.")


def inline_policy_text(policy: dict[str, Any]) -> str:
    """Return the text of a policy as it is sent to AWS: JSON without blanks between its parts.

    Parameters
    ----------
    policy
        The policy document.
    """
    return json.dumps(policy, separators=(",", ":"), ensure_ascii=False)


def inline_policy_size(text: str) -> int:
    """Return how much of AWS's room a policy's text takes: bytes in UTF-8, blanks apart."""
    return len("".join(text.split()).encode())


def _checked_policy(value: object) -> object:
    try:
        policy = policy_from_text(value) if isinstance(value, str) else _mapping(value)
        refuse(policy_refusals(policy))
    except RecursionError as error:
        raise _too_deep() from error
    text = inline_policy_text(policy)
    size = inline_policy_size(text)
    if size > MOST_POLICY_CHARACTERS or len(text) > MOST_POLICY_BYTES:
        raise InvalidValueError(
            f"an inline policy of {size} characters is too long",
            remedy=f"At most {MOST_POLICY_CHARACTERS} fit, blanks apart: move parts to managed policies.",
        )
    return policy


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
