"""How a command line gets its token, as a conversation: with a device code, or with an authorization code.

Sources: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html,
https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from idc_helpers.aws.profiles import SCOPE, SsoProfile
from idc_helpers.aws.sign_in_trace import SignInTrace, read_sign_in_trace
from idc_helpers.display.command_line_step import CommandLineStep
from idc_helpers.display.sequences import Message, Sequence
from idc_helpers.errors import InvalidValueError
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.suggestions import did_you_mean

_YOU, _BROWSER, _CLI, _SERVICE = "You", "Browser", "AWS CLI", "IAM Identity Center"
_LANES = (_YOU, _BROWSER, _CLI, _SERVICE)
_CALLBACK = "http://127.0.0.1:PORT/oauth/callback"
_HIDDEN = "(stays in the CLI: a secret)"
_SPENT = "User codes are spent once they are allowed. Of secrets nothing, or only the start, is shown."


@dataclass(frozen=True)
class _Ids:
    """What a conversation names: real where it took place, said in words where it did not."""

    region: str
    start_url: str
    client_id: str
    user_code: str
    token: str
    account_id: str
    role_name: str


def sign_in_conversation(
    context: RunContext, command_line: CommandLineStep | None = None, grant: str = "device_code"
) -> Sequence:
    """Return a sign-in of the AWS CLI as a sequence diagram; reads the token file, and calls nobody.

    Parameters
    ----------
    command_line
        Notebook 10's, for the real ids; None: what each of them is, in words.
    grant
        ``"device_code"`` or ``"authorization_code"`` (with PKCE).

    Raises
    ------
    InvalidValueError
        For another grant.
    """
    if grant not in _GRANTS:
        raise InvalidValueError(
            f"there is no grant {grant!r}. {did_you_mean(grant, _GRANTS)}".rstrip(),
            remedy=f"One of: {', '.join(_GRANTS)}.",
        )
    caption, messages = _GRANTS[grant]
    ids = _ids(context, command_line)
    return Sequence(caption, _LANES, (*messages(ids), *_credentials(ids)), _SPENT)


def _ids(context: RunContext, command_line: CommandLineStep | None) -> _Ids:
    profile, trace = _happened(command_line)
    return _Ids(
        region=profile.sso_region if profile else context.connection.region,
        start_url=profile.start_url if profile else "your access portal's address",
        client_id=trace.client_id or "an id for this CLI, for 90 days",
        user_code=trace.user_code or "eight letters, such as ABCD-EFGH",
        token=trace.token_start or _HIDDEN,
        account_id=profile.account_id if profile else "the account that you choose",
        role_name=profile.role_name if profile else "the permission set that you choose",
    )


def _happened(command_line: CommandLineStep | None) -> tuple[SsoProfile | None, SignInTrace]:
    """Return the profile that signed in, and what may be seen of that; in mode plan and on AWS nothing."""
    if command_line is None or not command_line.is_live:
        return None, SignInTrace()
    profile = command_line.profile
    folder = command_line.terminal.token_folder
    return profile, read_sign_in_trace(folder, profile, command_line.last_user_code)


def _device_code(ids: _Ids) -> tuple[Message, ...]:
    return (
        *_registration(ids, "device_code, refresh_token"),
        Message(_CLI, _SERVICE, "StartDeviceAuthorization", (("startUrl", ids.start_url),)),
        Message(
            _SERVICE,
            _CLI,
            "two codes: one for people, one for the CLI",
            (("userCode", ids.user_code), ("deviceCode", _HIDDEN)),
        ),
        Message(_CLI, _YOU, "shows the code and a link", (("code", ids.user_code),)),
        Message(_YOU, _BROWSER, "open the link, on any machine"),
        Message(_BROWSER, _SERVICE, "sign in: user name, password, second factor"),
        Message(_SERVICE, _BROWSER, "shows the same code, and asks", (("code", ids.user_code),)),
        Message(_YOU, _BROWSER, "compare, then Allow access"),
        Message(
            _CLI,
            _SERVICE,
            "CreateToken, again and again: AuthorizationPendingException until you allow",
        ),
        _token(ids),
    )


def _authorization_code(ids: _Ids) -> tuple[Message, ...]:
    return (
        *_registration(ids, "authorization_code, refresh_token"),
        Message(
            _CLI,
            _CLI,
            "invents a code verifier, and listens on your machine",
            (("codeVerifier", _HIDDEN), ("redirectUri", _CALLBACK)),
        ),
        Message(
            _CLI,
            _BROWSER,
            "opens the authorization endpoint, with the verifier's hash",
            (
                ("endpoint", f"https://oidc.{ids.region}.amazonaws.com/authorize"),
                ("client_id", ids.client_id),
                ("code_challenge_method", "S256"),
            ),
        ),
        Message(_BROWSER, _SERVICE, "sign in: user name, password, second factor"),
        Message(_YOU, _BROWSER, "Allow access"),
        Message(_SERVICE, _BROWSER, "sends the browser back to your machine, with a code that is good once"),
        Message(_BROWSER, _CLI, "the code, and the state: it must be the one that was sent"),
        Message(
            _CLI,
            _SERVICE,
            "CreateToken with code and verifier: a thief of the code has no verifier",
        ),
        _token(ids),
    )


def _registration(ids: _Ids, grant_types: str) -> tuple[Message, ...]:
    return (
        Message(_CLI, _SERVICE, "RegisterClient", (("grantTypes", grant_types), ("scopes", SCOPE))),
        Message(_SERVICE, _CLI, "a client", (("clientId", ids.client_id), ("clientSecret", _HIDDEN))),
    )


def _token(ids: _Ids) -> Message:
    values = (("accessToken", ids.token), ("refreshToken", _HIDDEN))
    return Message(_SERVICE, _CLI, "the token: who you are, and nothing of your password", values)


def _credentials(ids: _Ids) -> tuple[Message, ...]:
    chosen = (("accountId", ids.account_id), ("roleName", ids.role_name))
    return (
        Message(_CLI, _SERVICE, "GetRoleCredentials with the token, whenever a command needs keys", chosen),
        Message(_SERVICE, _CLI, "temporary keys: an id that starts with ASIA, a secret, a session token"),
    )


_GRANTS: dict[str, tuple[str, Callable[[_Ids], tuple[Message, ...]]]] = {
    "device_code": ("Sign-in with a device code", _device_code),
    "authorization_code": ("Sign-in with an authorization code and PKCE", _authorization_code),
}
