"""What has to differ from a stock moto: clock, ids, secrets, permissions, managed policies, session keys."""

from __future__ import annotations

import base64
import datetime
import functools
import hashlib
import json
import os
import secrets
import string
import sys
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import moto.core.utils
import moto.iam.models
import moto.settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.common_models import BaseModel
from moto.core.responses import ActionResult, BaseResponse
from moto.iam.access_control import PermissionResult
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend, ManagedPolicy, iam_backends
from moto.iam.policy_validation import IAMTrustPolicyDocumentValidator
from moto.moto_api._internal import mock_random
from moto.organizations.exceptions import ConstraintViolationException
from moto.organizations.models import (
    FakeAccount,
    FakeDelegatedAdministrator,
    FakeServiceAccess,
    OrganizationsBackend,
)
from moto.organizations.utils import PAGINATION_MODEL
from moto.s3.models import FakeBucket, FakeKey, FakeMultipart
from moto.sts.models import AssumedRole, STSBackend, sts_backends
from moto.sts.responses import TokenResponse

from idc_sandbox.aws_double import accounts
from idc_sandbox.context import ACCOUNT_ACCESS_SERVICE, IDENTITY_CENTER, Caller, LoginProfile
from idc_sandbox.errors import ServiceError, access_denied, parse_json
from idc_sandbox.wire.policies import policy_problem

_PREFIX = "arn:aws:iam::aws:policy"


@functools.cache
def _definitions() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return name and definition of each policy by its ARN."""
    policies = json.loads(aws_managed_policies_data)
    return {f"{_PREFIX}{data['Path']}{name}": (name, data) for name, data in policies.items()}


def is_aws_managed_policy(policy_arn: str) -> bool:
    """Tell whether AWS has a managed policy of this ARN, paths such as ``job-function/`` included."""
    return policy_arn in _definitions()


def aws_managed_policy_arns() -> list[str]:
    """Return the ARNs of all of AWS's managed policies, by name."""
    return sorted(_definitions(), key=lambda arn: _definitions()[arn][0].casefold())


@functools.cache
def _policy_id(policy_arn: str) -> str:
    digest = hashlib.sha256(policy_arn.encode()).digest()
    return f"ANPA{base64.b32encode(digest).decode()[:17]}"


@functools.cache
def _document(policy_arn: str) -> str:
    return json.dumps(_definitions()[policy_arn][1]["Document"])


def restore_aws_policy(account_id: str, policy_arn: str) -> AWSManagedPolicy:
    """Return an account's own copy of one of AWS's policies, as yet unattached."""
    name, data = _definitions()[policy_arn]
    policy = AWSManagedPolicy.from_data(name, account_id, "aws", {**data, "Document": None})
    policy.versions[0].document = _document(policy_arn)  # moto writes it anew for each account
    policy.id = _policy_id(policy_arn)  # moto's is random, and would shift the ids drawn after it
    return policy


class ManagedPolicies(MutableMapping[str, ManagedPolicy]):
    """An account's managed policies by ARN: AWS's, made on demand, and the customer's own."""

    def __init__(self, account_id: str, items: Iterable[tuple[str, ManagedPolicy]] = ()) -> None:
        self._account_id = account_id
        self._made = dict(items)

    def __getitem__(self, policy_arn: str) -> ManagedPolicy:
        if policy_arn not in self._made and is_aws_managed_policy(policy_arn):
            self._made[policy_arn] = restore_aws_policy(self._account_id, policy_arn)
        return self._made[policy_arn]

    def __contains__(self, policy_arn: object) -> bool:
        # The inherited one makes the policy, and so draws from moto's random.
        return policy_arn in self._made or policy_arn in _definitions()

    def __setitem__(self, policy_arn: str, policy: ManagedPolicy) -> None:
        self._made[policy_arn] = policy

    def __delitem__(self, policy_arn: str) -> None:
        del self._made[policy_arn]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._made, **_definitions()})

    def __len__(self) -> int:
        return len({**self._made, **_definitions()})

    def aws_policies(self) -> list[ManagedPolicy]:
        """Return AWS's policies, without the customer's."""
        return [policy for policy in self.values() if isinstance(policy, AWSManagedPolicy)]

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep what differs from AWS's catalogue: the customer's policies, and those that are attached."""
        kept = {
            policy_arn: policy
            for policy_arn, policy in self._made.items()
            if policy.attachment_count or not isinstance(policy, AWSManagedPolicy)
        }
        return ManagedPolicies, (self._account_id, ()), None, None, iter(kept.items())


# Temporary keys of an IAM user: GetSessionToken and GetFederationToken.
# Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html and the pages beside it

_HOUR_S = 3_600
_NO_PERMISSIONS = '{"Version": "2012-10-17", "Statement": []}'
_stock_caller_identity = STSBackend.get_caller_identity


def get_session_token(response: Any) -> ActionResult:
    """Answer with keys that may do what the user may do."""
    user = _calling_user(response, "GetSessionToken")
    duration_s = response._get_int_param("DurationSeconds", 43_200)
    return ActionResult({"Credentials": _issue(user, duration_s, user.arn, policy=None)})


def get_federation_token(response: Any) -> ActionResult:
    """Answer with keys that may do what both the user and the policy in the request allow."""
    user = _calling_user(response, "GetFederationToken")
    name = response._get_param("Name")
    principal_arn = f"arn:aws:sts::{user.account_id}:federated-user/{name}"
    policy = response._get_param("Policy") or _NO_PERMISSIONS
    duration_s = response._get_int_param("DurationSeconds", 43_200)
    session = _issue(user, duration_s, principal_arn, policy=policy)
    federated = {"FederatedUserId": f"{user.account_id}:{name}", "Arn": principal_arn}
    return ActionResult({"Credentials": session, "FederatedUser": federated, "PackedPolicySize": 6})


def get_caller_identity(backend: STSBackend, access_key_id: str, region: str) -> tuple[str, str, str]:
    """Return user id, ARN and account of a caller; a user's temporary keys are the user's still."""
    session = accounts.find_issued_session(access_key_id, backend.account_id)
    principal_arn = getattr(session, "sandbox_principal_arn", None)
    if session is None or principal_arn is None:
        return _stock_caller_identity(backend, access_key_id, region)
    user = iam_backends[backend.account_id]["aws"].users.get(session.session_name)
    return user.id if user is not None else "", principal_arn, backend.account_id


def check_policy(parameters: dict[str, list[str]]) -> None:
    """Refuse a session policy that is none, or that the sandbox would not hold the session to."""
    if any(name.startswith("PolicyArns.") for name in parameters):
        raise ServiceError(
            "ValidationError",
            "The sandbox does not know PolicyArns of a session: send what they allow as Policy.",
        )
    if any(name.startswith("ProvidedContexts.") for name in parameters):
        raise ServiceError(
            "ValidationError",
            "The sandbox has no identity-enhanced sessions: it does not know ProvidedContexts. Call without.",
        )
    if not (text := parameters.get("Policy", [""])[0]):
        return
    try:
        problem = policy_problem(parse_json(text))
    except ValueError as error:
        problem = f"It is not JSON: {error}."
    if problem:
        raise ServiceError("MalformedPolicyDocument", problem)


def check_duration(caller: Caller, role_arn: str, parameters: dict[str, list[str]]) -> None:
    """Refuse a session that is to last longer than its role's may, or one begun by another role may."""
    # Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    duration_s = int(parameters.get("DurationSeconds", ["0"])[0])
    longest_s = accounts.longest_session_s(role_arn) or _HOUR_S
    start = "The requested DurationSeconds exceeds the"
    if ":assumed-role/" in caller.principal_arn and duration_s > _HOUR_S:
        raise ServiceError(
            "ValidationError", f"{start} 1 hour session limit for roles assumed by role chaining."
        )
    if duration_s > longest_s:
        raise ServiceError("ValidationError", f"{start} MaxSessionDuration set for this role.")


def assume_role(
    role_arn: str, session_name: str, duration_s: int, carried: dict[str, str]
) -> tuple[str, str, str, float]:
    """Return new keys of a role, with condition keys: access key id, secret, session token, expiry."""
    backend = sts_backends[role_arn.split(":")[4]]["aws"]
    session = backend.assume_role("us-east-1", session_name, role_arn, "", duration_s, "")
    vars(session)["sandbox_context"] = carried
    return _keys_of(session)


def login_profile(account_id: str, user_name: str) -> LoginProfile | None:
    """Return the console password of an IAM user, or None when there is no such user or password."""
    user = _find_user(account_id, user_name)
    if user is None or not user.password:
        return None
    return LoginProfile(user.password, bool(user.password_reset_required))


def issue_user_keys(account_id: str, user_name: str, duration_s: int) -> tuple[str, str, str, float] | None:
    """Return temporary keys that may do what a user may do, as `assume_role` does for a role."""
    user = _find_user(account_id, user_name)
    return None if user is None else _keys_of(_issue(user, duration_s, user.arn, policy=None))


def _keys_of(session: AssumedRole) -> tuple[str, str, str, float]:
    expires_at = accounts.expiry_s(session)
    return session.access_key_id, session.secret_access_key, session.session_token, expires_at


def _find_user(account_id: str, user_name: str) -> Any:
    return iam_backends[account_id]["aws"].users.get(user_name) if account_id in iam_backends else None


def _calling_user(response: Any, action: str) -> Any:
    key = iam_backends[response.current_account]["aws"].access_keys[response.get_access_key()]
    if key.user_name is None:
        raise access_denied(f"Cannot call {action} with session credentials")
    return iam_backends[response.current_account]["aws"].users[key.user_name]


def _issue(user: Any, duration_s: int, principal_arn: str, *, policy: str | None) -> AssumedRole:
    access_key = iam_backends[user.account_id]["aws"].create_temp_access_key()
    session = AssumedRole(
        account_id=user.account_id,
        region_name="us-east-1",
        access_key=access_key,
        role_session_name=user.name,
        role_arn=user.arn,
        policy=policy or "",
        duration=duration_s,
        external_id="",
    )
    vars(session)["sandbox_principal_arn"] = principal_arn  # moto itself knows sessions of roles only
    sts_backends[user.account_id]["aws"].assumed_roles.append(session)
    return session


@dataclass
class CurrentRequest:
    """What moto works on now; one at a time, because the store's lock is held."""

    clock_offset_s: float = 0.0
    account_id: str = ""
    access_key_id: str = field(default="", repr=False)
    region: str = "us-east-1"
    authorize: Callable[[str, Any, str], None] | None = field(default=None, repr=False)


current = CurrentRequest()


def sandbox_utcnow() -> datetime.datetime:
    """Return the sandbox's time as moto wants it: UTC, without a zone."""
    moment = datetime.datetime.fromtimestamp(time.time() + current.clock_offset_s, datetime.UTC)
    return moment.replace(tzinfo=None)


def _zoned_now() -> datetime.datetime:
    return sandbox_utcnow().replace(tzinfo=datetime.UTC)


def _random_secret(length: int) -> str:
    """Return a secret from the operating system: the one who knows the seed must not know the keys."""
    alphabet = string.ascii_letters + string.digits + "+/"
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _authorize(response: Any, _iam_request_class: type, resource: str = "*") -> None:
    if current.authorize is None:
        raise RuntimeError("moto was called from outside of the sandbox's double")
    action = response._get_action()
    name = action[0] if isinstance(action, list) else action
    current.authorize(f"{response.service_name}:{name}", response, resource)


def _let_administrators_in(account: Any) -> None:
    """Give a new member's access role the policy that it has at AWS; moto leaves it without any."""
    backend = iam_backends[account.id]["aws"]
    policy = backend.managed_policies[accounts.ADMINISTRATOR_POLICY]
    for role in backend.roles.values():  # there is this role alone, under a name of the caller's choice
        policy.attach_to(role)


def _sets(name: str, make: Callable[[], Any]) -> Callable[[Any], None]:
    """Return what gives an object an attribute."""
    return lambda model: setattr(model, name, make())


_stock_register = OrganizationsBackend.register_delegated_administrator


def _register_delegated_administrator(backend: OrganizationsBackend, **asked: str) -> None:
    """Register a delegated administrator; Identity Center has one at a time, and never management."""
    # Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/delegated-admin.html
    account_id, service = asked["AccountId"], asked["ServicePrincipal"]
    if account_id == backend.account_id:  # stock moto says this in AWS's older words
        raise ConstraintViolationException(
            "You cannot register management account/yourself as delegated administrator for your"
            " organization."
        )
    if service == IDENTITY_CENTER and accounts.delegated_administrators(service) - {account_id}:
        raise ConstraintViolationException(
            "You have exceeded the allowed number of delegated administrators for the delegated service."
        )  # the words are UNCONFIRMED
    try:
        _stock_register(backend, **asked)
    finally:  # stock moto keeps, and lists, an account whose service it has just refused
        backend.admins[:] = [admin for admin in backend.admins if admin.services]


_stock_trust_action = IAMTrustPolicyDocumentValidator._validate_trust_policy_action


def _check_trust_action(action: str) -> None:
    """Take what a trust policy may allow at AWS; stock moto knows neither sts:SetContext nor wildcards."""
    if action not in ("*", "sts:*", "sts:SetContext"):
        _stock_trust_action(action)


_REPLACED: tuple[tuple[Any, str, Any], ...] = (
    # Stock moto keeps every object that ever was, for a page of its own that cannot be reached here.
    (BaseModel, "__new__", lambda model, *_arguments, **_options: object.__new__(model)),
    (ActionAuthenticatorMixin, "_authenticate_and_authorize_action", _authorize),
    (BaseResponse, "get_current_account", lambda _self: current.account_id),
    (BaseResponse, "get_access_key", lambda _self: current.access_key_id),
    (BaseResponse, "get_region_from_url", lambda _self, _request, _url: current.region),
    (moto.iam.models, "random_alphanumeric", _random_secret),
    (IAMBackend, "_init_aws_policies", lambda _self: []),
    (IAMBackend, "_init_managed_policies", lambda self: ManagedPolicies(self.account_id)),
    (TokenResponse, "get_session_token", get_session_token),
    (TokenResponse, "get_federation_token", get_federation_token),
    (STSBackend, "get_caller_identity", get_caller_identity),
    (OrganizationsBackend, "register_delegated_administrator", _register_delegated_administrator),
    (IAMTrustPolicyDocumentValidator, "_validate_trust_policy_action", staticmethod(_check_trust_action)),
    # Policies of buckets are read by the sandbox; moto reads them without principals and conditions.
    (FakeBucket, "get_permission", lambda *_asked: PermissionResult.NEUTRAL),
)
# What is done to each new object; one read from a snapshot is not new.
_AFTER_INIT: tuple[tuple[Any, Callable[[Any], None]], ...] = (
    (FakeAccount, _let_administrators_in),
    (AssumedRole, _sets("sandbox_issued_at", lambda: _zoned_now().isoformat(timespec="seconds"))),
    (FakeBucket, _sets("creation_date", _zoned_now)),
    (FakeMultipart, _sets("id", lambda: mock_random.get_random_string(64))),
)


@functools.cache
def apply() -> None:
    """Change moto; the second call does nothing."""
    os.environ.pop("MOTO_ACCOUNT_ID", None)  # it would override every caller's account
    moto.settings.S3_IGNORE_SUBDOMAIN_BUCKETNAME = True  # no bucket's name stands before the sandbox's host
    FakeKey.disposed = True  # one whose reading failed half-way has no file to close
    FakeDelegatedAdministrator.SUPPORTED_SERVICES.extend((IDENTITY_CENTER, ACCOUNT_ACCESS_SERVICE))
    FakeServiceAccess.TRUSTED_SERVICES.append(ACCOUNT_ACCESS_SERVICE)
    # Stock moto pages by the time of joining, and loses accounts that were made in the same moment.
    PAGINATION_MODEL["list_accounts"]["unique_attribute"] = "Id"
    # A property, so that the list is made when it is read; moto assigns the empty one to it.
    IAMBackend.aws_managed_policies = property(  # type: ignore[assignment]
        lambda self: self.managed_policies.aws_policies(), lambda _self, _value: None
    )
    stock_utcnow = moto.core.utils.utcnow
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("moto.")]
    clocks = [module for module in modules if getattr(module, "utcnow", None) is stock_utcnow]
    for owner, name, value in (*_REPLACED, *((module, "utcnow", sandbox_utcnow) for module in clocks)):
        if not hasattr(owner, name):  # a defect, seen at the start
            raise AttributeError(
                f"moto {moto.__version__} has no {owner.__name__}.{name} for the sandbox to replace"
            )
        setattr(owner, name, value)
    for model, action in _AFTER_INIT:
        model.__init__ = _followed_by(model.__init__, action)


def _followed_by(stock_init: Callable[..., None], action: Callable[[Any], None]) -> Callable[..., None]:
    @functools.wraps(stock_init)
    def init(self: Any, *arguments: Any, **options: Any) -> None:
        stock_init(self, *arguments, **options)
        action(self)

    return init
