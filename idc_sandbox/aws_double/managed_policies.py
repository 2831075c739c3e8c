"""AWS's 1,582 managed policies, made when they are asked for.

moto makes all of them for every account, which costs a fifth of a second and four megabytes of state each.
Here an account starts with none, gets one by its ARN, and all of them only when a list is wanted.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, ManagedPolicy

_PREFIX = "arn:aws:iam::aws:policy"


@functools.cache
def _definitions() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return name and definition of each policy by its ARN."""
    policies = json.loads(aws_managed_policies_data)
    return {f"{_PREFIX}{data['Path']}{name}": (name, data) for name, data in policies.items()}


def is_aws_managed_policy(policy_arn: str) -> bool:
    """Tell whether AWS has a managed policy of this ARN, paths such as ``job-function/`` included."""
    return policy_arn in _definitions()


@functools.cache
def _policy_id(policy_arn: str) -> str:
    digest = hashlib.sha256(policy_arn.encode()).digest()
    return f"ANPA{base64.b32encode(digest).decode()[:17]}"


def restore_aws_policy(account_id: str, policy_arn: str) -> AWSManagedPolicy:
    """Return an account's own copy of one of AWS's policies, as yet unattached."""
    name, data = _definitions()[policy_arn]
    policy = AWSManagedPolicy.from_data(name, account_id, "aws", data)
    policy.id = _policy_id(policy_arn)  # moto's is random, and would shift the ids drawn after it
    return policy


class ManagedPolicies(dict[str, ManagedPolicy]):
    """An account's managed policies by ARN: AWS's, made on demand, and the customer's own."""

    def __init__(self, account_id: str, items: Iterable[tuple[str, ManagedPolicy]] = ()) -> None:
        super().__init__(items)
        self._account_id = account_id
        self._is_complete = False

    def __missing__(self, policy_arn: str) -> ManagedPolicy:
        if not is_aws_managed_policy(policy_arn):
            raise KeyError(policy_arn)
        policy = restore_aws_policy(self._account_id, policy_arn)
        self[policy_arn] = policy
        return policy

    def __contains__(self, policy_arn: object) -> bool:
        return super().__contains__(policy_arn) or (
            isinstance(policy_arn, str) and is_aws_managed_policy(policy_arn)
        )

    def get(self, policy_arn: str, default: Any = None) -> Any:
        """Return a policy by its ARN, or the default."""
        return self[policy_arn] if policy_arn in self else default  # noqa: SIM401  it is the get itself

    def __iter__(self) -> Iterator[str]:
        self._complete()
        return super().__iter__()

    def __len__(self) -> int:
        self._complete()
        return super().__len__()

    def keys(self) -> Any:
        """Return all ARNs."""
        self._complete()
        return super().keys()

    def values(self) -> Any:
        """Return all policies."""
        self._complete()
        return super().values()

    def items(self) -> Any:
        """Return all ARNs and policies."""
        self._complete()
        return super().items()

    def aws_policies(self) -> list[ManagedPolicy]:
        """Return AWS's policies, without the customer's."""
        return [policy for policy in self.values() if isinstance(policy, AWSManagedPolicy)]

    def _complete(self) -> None:
        if not self._is_complete:
            for policy_arn in _definitions():
                if not super().__contains__(policy_arn):
                    self[policy_arn] = restore_aws_policy(self._account_id, policy_arn)
            self._is_complete = True

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep what differs from AWS's catalogue: the customer's policies, and those that are attached."""
        kept = {
            policy_arn: policy
            for policy_arn, policy in super().items()
            if policy.attachment_count or not isinstance(policy, AWSManagedPolicy)
        }
        return ManagedPolicies, (self._account_id, ()), None, None, iter(kept.items())
