"""The browser's half of ``aws login``: what the page checks, who may allow it, and the code that it gives."""

# Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html
from __future__ import annotations

import base64
import json
import re
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from urllib.parse import urlencode, urlsplit

from idc_sandbox.api.oidc.clients import is_redirect_uri
from idc_sandbox.api.portal import carried_keys, require_portal_role, role_session_name
from idc_sandbox.context import Caller, Context
from idc_sandbox.sign_in.people import Person, digest, new_token, refuse_unsafe, waiting_time
from idc_sandbox.trail.people import record_event
from idc_sandbox.trail.records import caller_identity
from idc_sandbox.wire.permissions import require_permission

LOGIN_CODE_LIFETIME_S = 600  # UNCONFIRMED at AWS
LONGEST_LOGIN_S = 12 * 3_600
KEYS_LIFETIME_S = 900
SAME_DEVICE, CROSS_DEVICE = (f"arn:aws:signin:::devtools/{kind}" for kind in ("same-device", "cross-device"))
_CONFIRMATION_PATH = "/v1/sessions/confirmation"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST_STATE = 512
_TOLD_NOTHING = (
    "Account, user name or password is not right. Only IAM users with a console password sign in here."
)


@dataclass(frozen=True)
class LoginRequest:
    """An ``aws login`` that waits for its person."""

    client_id: str
    redirect_uri: str
    state: str
    code_challenge: str

    @property
    def is_remote(self) -> bool:
        """Whether the program is on another machine, so that the person carries the code there."""
        return self.client_id == CROSS_DEVICE


@dataclass(frozen=True)
class LoginPrincipal:
    """Whose keys a login gives: an IAM user's, or those of a role that a person has.

    Attributes
    ----------
    session_name
        Of a role's sessions; None: a user.
    carried
        The condition keys that policies see of a role's sessions.
    """

    account_id: str
    name: str
    session_name: str | None = None
    carried: dict[str, str] = field(default_factory=dict)
    longest_s: int = LONGEST_LOGIN_S

    @property
    def arn(self) -> str:
        """The user or role, without a path: so the session API names it."""
        kind = "user" if self.session_name is None else "role"
        return f"arn:aws:iam::{self.account_id}:{kind}/{self.name}"


@dataclass(frozen=True)
class LoginKeys:
    """Keys of a principal, good for some minutes."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: float


def check_login(parameters: Mapping[str, str]) -> LoginRequest:
    """Return what the query of ``/v1/authorize`` asks for."""
    request = LoginRequest(
        parameters.get("client_id", ""),
        parameters.get("redirect_uri", ""),
        parameters.get("state", ""),
        parameters.get("code_challenge", ""),
    )
    problems = []
    if request.client_id not in (SAME_DEVICE, CROSS_DEVICE):
        problems.append(f"client_id must be {SAME_DEVICE} or {CROSS_DEVICE}")
    elif request.is_remote and not _is_confirmation(request.redirect_uri):
        problems.append(f"redirect_uri must be {_CONFIRMATION_PATH} of this sandbox")
    elif not request.is_remote and not is_redirect_uri(request.redirect_uri):
        problems.append("redirect_uri must be http://127.0.0.1:PORT/oauth/callback")
    if parameters.get("response_type") != "code":
        problems.append("response_type must be code")
    if parameters.get("code_challenge_method") != "SHA-256":
        problems.append("code_challenge_method must be SHA-256")
    if not _CHALLENGE.fullmatch(request.code_challenge):
        problems.append("code_challenge must be 43 characters of base64url")
    if not 0 < len(request.state) <= _LONGEST_STATE:
        problems.append(f"state must have 1 to {_LONGEST_STATE} characters")
    if problems:
        raise refuse_unsafe(problems)
    return request


def _is_confirmation(uri: str) -> bool:
    """Tell whether an address is that of the page that shows a code; nothing is ever sent there."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return (parts.scheme, parts.path, parts.query) in (
        (scheme, _CONFIRMATION_PATH, "") for scheme in ("http", "https")
    )


def sign_in_user(
    context: Context, account_id: str, user_name: str, password: str, *, client: str
) -> LoginPrincipal | str:
    """Return the IAM user who has given the right password, or what to tell the person. Writes."""
    # argon2 comes with it: only who types a password waits for that, not every start of the sandbox.
    from idc_sandbox.sign_in import passwords  # noqa: PLC0415

    # No refusal: the failure that was counted would be undone with it.
    tried = f"iam/{account_id}/{user_name}"
    if (seconds := passwords.waiting_s(context, tried, client)) > 0:
        return f"There were too many failed attempts. Wait {waiting_time(seconds)}, then try again."
    profile = context.double.login_profile(account_id, user_name)
    # Compared as digests, so that the time says nothing; without a user with something that none can type.
    kept = secrets.token_hex() if profile is None else profile.password
    if not secrets.compare_digest(digest(kept), digest(password)) or profile is None:
        passwords.note_failure(context, tried, client)
        return _TOLD_NOTHING
    if profile.must_change:
        return "This password must be changed first, with iam:ChangePassword or iam:UpdateLoginProfile."
    passwords.forget_failures(context, tried)
    return LoginPrincipal(account_id, user_name)


def role_of_person(
    context: Context, person: Person, account_id: str, permission_set_name: str
) -> LoginPrincipal:
    """Return the role that a person has in an account by a permission set."""
    role = require_portal_role(context, person.user_id, account_id, permission_set_name)
    return LoginPrincipal(
        account_id,
        role.role_name,
        role_session_name(person.user_name),
        carried_keys(context, person),
        min(role.session_duration_s, LONGEST_LOGIN_S),
    )


def approve_login(context: Context, request: LoginRequest, principal: LoginPrincipal) -> str:
    """Return a code that is good once, for ten minutes; the principal must be allowed to. Writes."""
    require_login_permission(context, principal, "AuthorizeOAuth2Access", request.client_id)
    asked = {"client_id": request.client_id, "redirect_uri": request.redirect_uri, "response_type": "code"}
    record_event(
        context,
        "AuthorizeOAuth2Access",
        "signin",
        context.event["userIdentity"],
        eventType="AwsApiCall",
        requestParameters=asked,
    )
    now, code = context.now, new_token()
    context.execute("DELETE FROM login_session WHERE expires_at <= ?", now - 86_400)
    session_id = context.ids.uuid("login_session")
    context.insert(
        "login_session",
        session_arn=f"arn:aws:signin:{context.region}:{principal.account_id}:session/{session_id}",
        account_id=principal.account_id,
        principal_arn=principal.arn,
        principal_json=json.dumps(asdict(principal)),
        client_id=request.client_id,
        redirect_uri=request.redirect_uri,
        code_hash=digest(code),
        code_challenge=request.code_challenge,
        code_expires_at=now + LOGIN_CODE_LIFETIME_S,
        password_hash=password_hash_of(context, principal, session_id),
        chain_secret=secrets.token_hex(32),
        created_at=now,
        expires_at=now + principal.longest_s,
        region=context.region,
    )
    return code


def where_login_leads(request: LoginRequest, **answer: str) -> str:
    """Return where the browser goes with an answer: to the program that listens on the same machine."""
    return f"{request.redirect_uri}?{urlencode({**answer, 'state': request.state})}"


def code_to_carry(request: LoginRequest, code: str) -> str:
    """Return what a person copies into ``aws login --remote``: state and code in one."""
    return base64.b64encode(urlencode({"state": request.state, "code": code}).encode()).decode()


def principal_of(row: sqlite3.Row) -> LoginPrincipal:
    """Return whose a login session is."""
    return LoginPrincipal(**json.loads(row["principal_json"]))


def issue_keys(context: Context, principal: LoginPrincipal, duration_s: int) -> LoginKeys | None:
    """Return new keys of a principal, or None when the user or role is gone. Writes."""
    if principal.session_name is None:
        issued = context.double.issue_user_keys(principal.account_id, principal.name, duration_s)
    else:
        issued = context.double.assume_reserved_role(
            principal.account_id,
            principal.name,
            session_name=principal.session_name,
            duration_s=duration_s,
            carried=principal.carried,
        )
    return None if issued is None else LoginKeys(*issued)


def password_hash_of(context: Context, principal: LoginPrincipal, salt: str) -> str | None:
    """Return what tells whether a user's password is still the one of the login; None for a role."""
    if principal.session_name is not None:
        return None
    profile = context.double.login_profile(principal.account_id, principal.name)
    return "gone" if profile is None else digest(f"{salt} {profile.password}")


def require_login_permission(
    context: Context, principal: LoginPrincipal, action: str, client_id: str, keys: LoginKeys | None = None
) -> None:
    """Refuse a principal whose policies do not allow a login, or this kind of it."""
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssignin.html
    keys = keys or issue_keys(context, principal, KEYS_LIFETIME_S)
    issued = context.double.secret_of(keys.access_key_id) if keys is not None else None
    nobody = Caller(principal.account_id, principal.arn, "")  # who is gone has no policies: refused
    caller = issued.caller if issued is not None else nobody
    context.event["userIdentity"] = caller_identity(caller, context.double.access_policies(caller).context)
    kind = "remote" if client_id == CROSS_DEVICE else "localhost"
    resource = f"arn:aws:signin:{context.region}:{principal.account_id}:oauth2/public-client/{kind}"
    require_permission(
        context.double,
        caller,
        f"signin:{action}",
        resource,
        keys={"signin:oauthclientid": client_id},
    )
