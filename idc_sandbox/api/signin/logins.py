"""The browser's half of ``aws login``: who may allow it, the code that it gives, and its sessions."""

# Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html
from __future__ import annotations

import base64
import json
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from idc_sandbox.api.oidc.clients import code_problems, is_redirect_uri
from idc_sandbox.api.portal import RoleCredentials, carried_keys, require_portal_role, role_session_name
from idc_sandbox.context import Caller, Context
from idc_sandbox.errors import access_denied, not_found
from idc_sandbox.sign_in.people import Person, digest, new_token, refuse_unsafe, waiting_time
from idc_sandbox.trail.people import record_event
from idc_sandbox.trail.records import caller_identity
from idc_sandbox.wire.permissions import require_permission
from idc_sandbox.wire.registry import Listing, operation

LOGIN_CODE_LIFETIME_S = 600  # UNCONFIRMED at AWS
LONGEST_LOGIN_S = 12 * 3_600
KEYS_LIFETIME_S = 900
SAME_DEVICE, CROSS_DEVICE = (f"arn:aws:signin:::devtools/{kind}" for kind in ("same-device", "cross-device"))
_CONFIRMATION_PATH = "/v1/sessions/confirmation"
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
    """Whose keys a login gives: an IAM user's, or those of a role that a person has."""

    account_id: str
    name: str
    session_name: str | None = None  # of a role's sessions; None: a user
    # the condition keys that policies see of a role's sessions
    carried: dict[str, str] = field(default_factory=dict)
    longest_s: int = LONGEST_LOGIN_S

    @property
    def arn(self) -> str:
        """The user or role, without a path: so the session API names it."""
        kind = "user" if self.session_name is None else "role"
        return f"arn:aws:iam::{self.account_id}:{kind}/{self.name}"


def check_login(parameters: Mapping[str, str]) -> LoginRequest:
    """Return what the query of ``/v1/authorize`` asks for."""
    request = LoginRequest(
        parameters.get("client_id", ""),
        parameters.get("redirect_uri", ""),
        parameters.get("state", ""),
        parameters.get("code_challenge", ""),
    )
    problems = code_problems(parameters, "SHA-256")
    if request.client_id not in (SAME_DEVICE, CROSS_DEVICE):
        problems.append(f"client_id must be {SAME_DEVICE} or {CROSS_DEVICE}")
    elif request.is_remote and not _is_confirmation(request.redirect_uri):
        problems.append(f"redirect_uri must be {_CONFIRMATION_PATH} of this sandbox")
    elif not request.is_remote and not is_redirect_uri(request.redirect_uri):
        problems.append("redirect_uri must be http://127.0.0.1:PORT/oauth/callback")
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


def issue_keys(context: Context, principal: LoginPrincipal, duration_s: int) -> RoleCredentials | None:
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
    return None if issued is None else RoleCredentials(*issued)


def password_hash_of(context: Context, principal: LoginPrincipal, salt: str) -> str | None:
    """Return what tells whether a user's password is still the one of the login; None for a role."""
    if principal.session_name is not None:
        return None
    profile = context.double.login_profile(principal.account_id, principal.name)
    return "gone" if profile is None else digest(f"{salt} {profile.password}")


def require_login_permission(
    context: Context,
    principal: LoginPrincipal,
    action: str,
    client_id: str,
    keys: RoleCredentials | None = None,
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


# Source: https://docs.aws.amazon.com/signin/latest/APIReference/API_ListSessions.html
_MEMBERS = ("sessionArn", "principalArn", "role", "status", "clientId", "clientType", "issuedAt", "expiresAt")


@operation("signin", "ListSessions")
def list_login_sessions(context: Context, request: dict[str, Any]) -> Listing:
    """List the sessions of a principal, newest last; one that has expired is no longer listed."""
    rows = [row for row in _sessions(context, request) if _fits(row, request)]
    return Listing(
        rows,
        lambda row: f"{row['created_at']:020.6f} {row['session_arn']}",
        lambda row: {name: value for name, value in _described(row).items() if name in _MEMBERS},
    )


@operation("signin", "GetSession")
def get_login_session(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Describe one session; another principal's is not there."""
    for row in _sessions(context, request):
        if row["session_arn"] == request["sessionArn"]:
            return _described(row)
    raise not_found(_no_session(request["sessionArn"]))


@operation("signin", "BatchRevokeSessions")
def revoke_login_sessions(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Let sessions never be refreshed again; keys that are out live on for their minutes."""
    found = {row["session_arn"]: row for row in _sessions(context, request)}
    revoked, errors = [], []
    for arn in dict.fromkeys(request["sessionArns"]):
        if arn not in found:  # the code is UNCONFIRMED
            errors.append(
                {"sessionArn": arn, "code": "ResourceNotFoundException", "message": _no_session(arn)}
            )
            continue
        if found[arn]["ended_at"] is None:
            context.update("login_session", found[arn], ended_at=context.now)
        revoked.append({"sessionArn": arn})
    return {"revokedSessions": revoked, "errors": errors}


def _no_session(arn: str) -> str:
    return f"There is no session {arn[:256]!r} of this principal. ListSessions names those that there are."


def _sessions(context: Context, request: dict[str, Any]) -> list[sqlite3.Row]:
    """Return the sessions, of who is asked for, that go on or were revoked before their end."""
    wanted = request.get("principalArn") or _own_arn(context)
    account_id = wanted.split(":")[4]
    if account_id != context.caller.account_id:
        raise access_denied(
            f"{wanted!r} is not of your account {context.caller.account_id}: ask in the account itself."
        )
    rows = context.rows(
        "SELECT * FROM login_session WHERE account_id = ? AND key_thumbprint IS NOT NULL AND expires_at > ?",
        account_id,
        context.now,
    )
    return [row for row in rows if wanted.endswith(":*") or row["principal_arn"] == wanted]


def _own_arn(context: Context) -> str:
    """Return the caller as sessions name it: a user or a role, without a path."""
    account_id, (kind, *parts) = (
        context.caller.account_id,
        context.caller.principal_arn.split(":", 5)[5].split("/"),
    )
    name = parts[0] if kind == "assumed-role" else parts[-1] if parts else ""
    return f"arn:aws:iam::{account_id}:{'role' if kind == 'assumed-role' else kind}/{name}".rstrip("/")


def _fits(row: sqlite3.Row, request: dict[str, Any]) -> bool:
    issued_at = int(row["created_at"])
    return (
        request.get("status") in (None, _status(row))
        and request.get("clientId") in (None, row["client_id"])
        and issued_at >= request.get("issuedAfter", issued_at)
        and issued_at < request.get("issuedBefore", issued_at + 1)
    )


def _status(row: sqlite3.Row) -> str:
    return "ACTIVE" if row["ended_at"] is None else "REVOKED"


def _described(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "sessionArn": row["session_arn"],
        "principalArn": row["principal_arn"],
        "role": row["principal_arn"] if ":role/" in row["principal_arn"] else None,
        "status": _status(row),
        "clientId": row["client_id"],
        "clientType": "CLI",
        "issuedAt": int(row["created_at"]),
        "expiresAt": int(row["expires_at"]),
        "lastUsedAt": None if row["last_used_at"] is None else int(row["last_used_at"]),
        "issuedInRegion": row["region"],
        "userAgent": row["user_agent"],
    }
