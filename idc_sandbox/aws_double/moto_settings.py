"""What has to differ from a stock moto, applied once a process.

- its clock follows the sandbox's, and its ids follow the sandbox's seed; secrets follow neither: they are
random
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
import moto.iam.models
import moto.organizations.models
import moto.organizations.utils
import moto.s3.models
import moto.settings
import moto.sts.models
import moto.sts.responses
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.common_models import BaseModel
from moto.core.responses import BaseResponse
from moto.iam.access_control import PermissionResult
from moto.moto_api._internal import mock_random

from idc_sandbox.aws_double import session_keys
from idc_sandbox.aws_double.managed_policies import ManagedPolicies

_ADMINISTRATOR_ACCESS = "arn:aws:iam::aws:policy/AdministratorAccess"


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
        Called before an action with its name (``"iam:CreateUser"``), moto's response object and the
        resource's ARN; raises to refuse.
    """

    clock_offset_s: float = 0.0
    account_id: str = ""
    access_key_id: str = field(default="", repr=False)
    region: str = "us-east-1"
    authorize: Callable[[str, Any, str], None] | None = field(default=None, repr=False)


current = CurrentRequest()


@functools.cache
def apply() -> None:
    """Change moto; the second call does nothing."""
    os.environ.pop("MOTO_ACCOUNT_ID", None)  # it would override every caller's account
    moto.settings.S3_IGNORE_SUBDOMAIN_BUCKETNAME = True  # no bucket's name stands before the sandbox's host
    # Stock moto keeps every object that ever was, for a page of its own that cannot be reached here.
    _replace(BaseModel, "__new__", lambda model, *_arguments, **_options: object.__new__(model))
    _set_clock()
    _set_request_identity()
    _set_iam()
    _set_sts()
    _set_organizations()
    # Policies of buckets are read by the sandbox; moto reads them without principals and conditions.
    _replace(moto.s3.models.FakeBucket, "get_permission", lambda *_asked: PermissionResult.NEUTRAL)
    moto.s3.models.FakeKey.disposed = True  # one whose reading failed half-way has no file to close
    _after_init(moto.s3.models.FakeBucket, _set_creation_date)
    _after_init(moto.s3.models.FakeMultipart, _set_upload_id)


def sandbox_utcnow() -> datetime.datetime:
    """Return the sandbox's time as moto wants it: UTC, without a zone."""
    moment = datetime.datetime.fromtimestamp(time.time() + current.clock_offset_s, datetime.UTC)
    return moment.replace(tzinfo=None)


def _replace(owner: Any, name: str, value: Any) -> None:
    """Replace an attribute of moto's; one that a new moto no longer has is a defect, seen at the start."""
    if not hasattr(owner, name):
        raise AttributeError(
            f"moto {moto.__version__} has no {owner.__name__}.{name} for the sandbox to replace"
        )
    setattr(owner, name, value)


def _set_clock() -> None:
    stock_utcnow = moto.core.utils.utcnow
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.") and getattr(module, "utcnow", None) is stock_utcnow:
            _replace(module, "utcnow", sandbox_utcnow)


def _set_request_identity() -> None:
    def authorize(self: Any, _iam_request_class: type, resource: str = "*") -> None:
        if current.authorize is None:
            raise RuntimeError("moto was called from outside of the sandbox's double")
        action = self._get_action()
        name = action[0] if isinstance(action, list) else action
        current.authorize(f"{self.service_name}:{name}", self, resource)

    _replace(ActionAuthenticatorMixin, "_authenticate_and_authorize_action", authorize)
    _replace(BaseResponse, "get_current_account", lambda _self: current.account_id)
    _replace(BaseResponse, "get_access_key", lambda _self: current.access_key_id)
    _replace(BaseResponse, "get_region_from_url", lambda _self, _request, _url: current.region)


def _random_secret(length: int) -> str:
    """Return a secret from the operating system: whoever knows the seed must not know the keys."""
    alphabet = string.ascii_letters + string.digits + "+/"
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _set_iam() -> None:
    backend = moto.iam.models.IAMBackend
    _replace(moto.iam.models, "random_alphanumeric", _random_secret)
    _replace(backend, "_init_aws_policies", lambda _self: [])
    _replace(backend, "_init_managed_policies", lambda self: ManagedPolicies(self.account_id))
    # A property, so that the list is made when it is read; moto assigns the empty one to it.
    backend.aws_managed_policies = property(  # type: ignore[assignment]
        lambda self: self.managed_policies.aws_policies(), lambda _self, _value: None
    )


def _set_sts() -> None:
    responses = moto.sts.responses.TokenResponse
    _replace(responses, "get_session_token", session_keys.get_session_token)
    _replace(responses, "get_federation_token", session_keys.get_federation_token)
    _replace(moto.sts.models.STSBackend, "get_caller_identity", session_keys.get_caller_identity)
    _after_init(moto.sts.models.AssumedRole, _set_issue_time)


def _set_organizations() -> None:
    services = moto.organizations.models.FakeDelegatedAdministrator.SUPPORTED_SERVICES
    services.append("sso.amazonaws.com")
    # Stock moto pages by the time of joining, and loses accounts that were made in the same moment.
    moto.organizations.utils.PAGINATION_MODEL["list_accounts"]["unique_attribute"] = "Id"
    _after_init(moto.organizations.models.FakeAccount, _let_administrators_in)


def _let_administrators_in(account: Any) -> None:
    """Give a new member's access role the policy that it has at AWS; moto leaves it without any."""
    backend = moto.iam.models.iam_backends[account.id]["aws"]
    policy = backend.managed_policies[_ADMINISTRATOR_ACCESS]
    for (
        role
    ) in backend.roles.values():  # a new account has this role alone, under a name of the caller's choice
        policy.attach_to(role)


def _set_issue_time(session: Any) -> None:
    session.sandbox_issued_at = sandbox_utcnow().replace(tzinfo=datetime.UTC, microsecond=0).isoformat()


def _set_creation_date(bucket: Any) -> None:
    bucket.creation_date = sandbox_utcnow().replace(tzinfo=datetime.UTC)


def _set_upload_id(upload: Any) -> None:
    upload.id = mock_random.get_random_string(64)


def _after_init(model: Any, action: Callable[[Any], None]) -> None:
    """Run an action on each new object of one of moto's classes; one read from a snapshot is not new."""
    stock_init = model.__init__

    @functools.wraps(stock_init)
    def init(self: Any, *arguments: Any, **options: Any) -> None:
        stock_init(self, *arguments, **options)
        action(self)

    model.__init__ = init
