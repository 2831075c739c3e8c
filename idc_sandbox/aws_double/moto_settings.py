"""What has to differ from a stock moto, applied once a process.

- its clock follows the sandbox's, and its ids follow the sandbox's seed; secrets follow neither, they are random
- the caller and the Region are those that the sandbox has authenticated, never what a header claims
- permissions are decided by the sandbox (see `idc_sandbox.authorization`), before moto acts
- AWS's managed policies are made on demand (see `managed_policies`)
"""

from __future__ import annotations

import datetime
import functools
import os
import secrets
import string
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import moto.core.utils

_stock_utcnow = moto.core.utils.utcnow


@dataclass
class CurrentRequest:
    """What moto works on now; one at a time, because the store's lock is held.

    Attributes
    ----------
    clock_offset_s
        Seconds by which the sandbox's clock is ahead.
    account_id, access_key_id, region
        Of the caller.
    authorize
        Called before an action with its name (``"iam:CreateUser"``), moto's response object and the resource's ARN;
        raises to refuse.
    """

    clock_offset_s: float = 0.0
    account_id: str = ""
    access_key_id: str = ""
    region: str = "us-east-1"
    authorize: Callable[[str, Any, str], None] | None = field(default=None, repr=False)


current = CurrentRequest()


def sandbox_utcnow() -> datetime.datetime:
    """Return the sandbox's time as moto wants it: UTC, without a zone."""
    moment = datetime.datetime.fromtimestamp(time.time() + current.clock_offset_s, datetime.UTC)
    return moment.replace(tzinfo=None)


@functools.cache
def apply() -> None:
    """Change moto; the second call does nothing."""
    os.environ.pop("MOTO_ACCOUNT_ID", None)  # it would override every caller's account
    _set_clock()
    _set_request_identity()
    _set_secrets()
    _set_iam()
    _set_organizations()
    _set_s3()


def _set_clock() -> None:
    moto.core.utils.utcnow = sandbox_utcnow
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.") and getattr(module, "utcnow", None) is _stock_utcnow:
            module.utcnow = sandbox_utcnow  # type: ignore[attr-defined]


def _set_request_identity() -> None:
    from moto.core.authorization import ActionAuthenticatorMixin
    from moto.core.responses import BaseResponse

    def authorize(self: Any, iam_request_class: type, resource: str = "*") -> None:
        if current.authorize is None:
            raise RuntimeError("moto was called from outside of the sandbox's double")
        action = self._get_action()
        name = action[0] if isinstance(action, list) else action
        current.authorize(f"{self.service_name}:{name}", self, resource)

    ActionAuthenticatorMixin._authenticate_and_authorize_action = authorize
    BaseResponse.get_current_account = lambda _self: current.account_id
    BaseResponse.get_access_key = lambda _self: current.access_key_id
    BaseResponse.get_region_from_url = lambda _self, _request, _url: current.region


def _random_secret(length: int) -> str:
    alphabet = string.ascii_letters + string.digits + "+/"
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _set_secrets() -> None:
    """Draw secrets from the operating system: whoever knows the seed must not know the keys."""
    import moto.iam.models

    moto.iam.models.random_alphanumeric = _random_secret


def _set_iam() -> None:
    from moto.iam.models import IAMBackend

    from idc_sandbox.aws_double.managed_policies import ManagedPolicies

    IAMBackend._init_aws_policies = lambda _self: []
    IAMBackend._init_managed_policies = lambda self: ManagedPolicies(self.account_id)
    IAMBackend.aws_managed_policies = property(_aws_managed_policies, lambda _self, _value: None)


def _aws_managed_policies(backend: Any) -> list[Any]:
    from moto.iam.models import AWSManagedPolicy

    return [policy for policy in backend.managed_policies.values() if isinstance(policy, AWSManagedPolicy)]


def _set_organizations() -> None:
    from moto.organizations import models, utils

    services = models.FakeDelegatedAdministrator.SUPPORTED_SERVICES
    if "sso.amazonaws.com" not in services:
        services.append("sso.amazonaws.com")
    # Stock moto pages by the time of joining, and loses accounts that were made in the same moment.
    utils.PAGINATION_MODEL["list_accounts"]["unique_attribute"] = "Id"
    _after_init(models.FakeAccount, _let_administrators_in)


def _let_administrators_in(account: Any) -> None:
    """Give a new member's access role the policy that it has at AWS; moto leaves it without any."""
    from moto.iam.models import iam_backends

    backend = iam_backends[account.id]["aws"]
    policy = backend.managed_policies["arn:aws:iam::aws:policy/AdministratorAccess"]
    for role in backend.roles.values():  # a new account has this role alone, under a name of the caller's choice
        policy.attach_to(role)


def _set_s3() -> None:
    from moto import settings
    from moto.moto_api._internal import mock_random
    from moto.s3 import models

    settings.S3_IGNORE_SUBDOMAIN_BUCKETNAME = True  # the sandbox is no domain with bucket names before it

    def set_creation_date(bucket: Any) -> None:
        bucket.creation_date = sandbox_utcnow().replace(tzinfo=datetime.UTC)

    def set_upload_id(upload: Any) -> None:
        upload.id = mock_random.get_random_string(64)

    _after_init(models.FakeBucket, set_creation_date)
    _after_init(models.FakeMultipart, set_upload_id)


def _after_init(model: type, action: Callable[[Any], None]) -> None:
    """Run an action on each new object of one of moto's classes; one read from a snapshot is not new."""
    stock_init = model.__init__  # type: ignore[misc]

    @functools.wraps(stock_init)
    def init(self: Any, *arguments: Any, **options: Any) -> None:
        stock_init(self, *arguments, **options)
        action(self)

    model.__init__ = init  # type: ignore[misc]
