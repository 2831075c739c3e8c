"""What is wrong with the user's own AWS credentials, and what to do: it depends on where they come from.

Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-authentication.html
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from botocore import exceptions

from idc_helpers.aws.config_file import ConfigFile, config_path, credentials_path, read_config
from idc_helpers.errors import ConfigFileError, CredentialsError
from idc_helpers.suggestions import did_you_mean

_LINK = "https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html"
_NEVER_SIGNED_IN = (exceptions.SSOTokenLoadError, exceptions.LoginTokenLoadError)
_BY_SSO = (exceptions.SSOError, exceptions.TokenRetrievalError, exceptions.NoAuthTokenError)
_FROM_FILES = (exceptions.ConfigParseError, exceptions.ProfileNotFound, exceptions.NoCredentialsError)
_CORRECT = "Correct the profile in the AWS config file, or name another one with `profile`."
_REMEDIES: dict[type[Exception], str] = {
    exceptions.ConfigParseError: "Correct the file.",
    exceptions.PartialCredentialsError: "Set both keys in that place, or neither.",
    exceptions.MissingDependencyException: "Install it, or name a profile of another kind with `profile`.",
    exceptions.InvalidConfigError: _CORRECT,
    OSError: _CORRECT,  # the program that credential_process names
}
_NOBODY_TYPES = (EOFError, RuntimeError)  # the input ended; a kernel without a person says RuntimeError
_BY_MFA = (
    "Get keys in a terminal (`aws configure export-credentials --format env` prints them) and run with"
    " those, or name a profile that signs in (`aws configure sso`) with `profile`."
)
_KEYS_OF_PROFILE = ("aws_access_key_id", "aws_secret_access_key")
_SET_UP = "Set it up with `aws configure sso`, or name another one with `profile`{}."

CREDENTIAL_ERRORS = (
    *_BY_SSO,
    *_FROM_FILES,
    *_REMEDIES,
    exceptions.LoginError,
    exceptions.CredentialRetrievalError,
)


def explain_credentials(found: str, error: Exception | None, profile: str | None) -> CredentialsError:
    """Return the error for credentials that are missing, refused, expired or wrongly configured.

    Parameters
    ----------
    found
        What the client said.
    error
        What it raised; None: AWS refused the credentials.
    profile
        As given to `connect`.
    """
    if isinstance(error, _FROM_FILES) and (unreadable := _unreadable()):
        return unreadable
    if isinstance(error, exceptions.ProfileNotFound):
        return _no_such_profile(profile)
    if isinstance(error, exceptions.NoCredentialsError):
        return _nothing_found(profile)
    if isinstance(error, _NOBODY_TYPES) and "mfa_serial" in _profiles().get(_named(profile)[0], {}):
        return CredentialsError("an MFA code is asked for, and nobody can type it here", remedy=_BY_MFA)
    for kind, remedy in _REMEDIES.items():
        if isinstance(error, kind):
            return CredentialsError(found, remedy=remedy)
    way = "aws sso login" if isinstance(error, _BY_SSO) else ""
    way = "aws login" if isinstance(error, exceptions.LoginError) else way
    again = "" if isinstance(error, _NEVER_SIGNED_IN) else " again"
    return CredentialsError(found, remedy=_renewal(profile, way, again), link=_LINK if "sso" in way else "")


def _named(profile: str | None) -> tuple[str, str]:
    """Return which profile counts, and the variable that names it, if one does."""
    for variable in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE") if profile is None else ():
        if os.environ.get(variable):
            return os.environ[variable], variable
    return profile or "default", ""


def _unreadable() -> CredentialsError | None:
    """Return the error for a config or credentials file that AWS's tools cannot read, or None."""
    try:
        _files()
    except ConfigFileError as error:
        return CredentialsError(error.message, remedy=error.remedy)
    return None


def _files() -> tuple[ConfigFile, ConfigFile]:
    return read_config(config_path()), read_config(credentials_path())


def _profiles() -> dict[str, Mapping[str, Any]]:
    try:
        config, credentials = _files()
    except ConfigFileError:
        return {}
    names = [*config.profiles, *credentials.sections]
    return {name: config.profiles.get(name, {}) | credentials.sections.get(name, {}) for name in names}


def _others() -> str:
    names = list(_profiles())
    return f" (there are: {', '.join(names)})" if names else ""


def _no_such_profile(profile: str | None) -> CredentialsError:
    name, variable = _named(profile)
    origin = f", which {variable} names," if variable else ""
    message = f"the AWS profile {name!r}{origin} is not in {str(config_path())!r}."
    hint = did_you_mean(name, _profiles())
    remedy = _SET_UP.format(_others())
    return CredentialsError(f"{message} {hint}".strip(), remedy=remedy)


def _nothing_found(profile: str | None) -> CredentialsError:
    name, variable = _named(profile)
    if profile is not None or variable:
        found = f"the AWS profile {name!r} has no way to get credentials: neither keys nor a sign-in"
        return CredentialsError(found, remedy=_SET_UP.format(_others()))
    found = "there are no AWS credentials: none in the environment, and none in the profile 'default'"
    remedy = f"Name a profile with `profile`{_others()}; `aws configure sso` makes one."
    return CredentialsError(found, remedy=remedy, link=_LINK)


def _renewal(profile: str | None, way: str, again: str) -> str:
    """Return what to do about credentials that were there and are not good any more."""
    if not way and profile is None and os.environ.get("AWS_ACCESS_KEY_ID"):
        return (
            "These keys are in the environment (AWS_ACCESS_KEY_ID): set new ones, or unset them and name a"
            " profile with `profile`."
        )
    name = _named(profile)[0]
    keys = _profiles().get(name, {})
    if not way and "sso_account_id" in keys:
        way = "aws sso login"
    if not way and "login_session" in keys:
        way = "aws login"
    if way:
        option = "" if name == "default" else f" --profile {name}"
        return f"Sign in{again}: run `{way}{option}` in a terminal, then try again."
    if source := keys.get("source_profile"):
        return f"Profile {name!r} gets its role through {source!r}: check that profile."
    if program := keys.get("credential_process"):
        words = f"Profile {name!r} gets its keys from {str(program).split()[0]!r}"
        return f"{words} (credential_process): check that program."
    if any(key in keys for key in _KEYS_OF_PROFILE):
        return f"The keys of profile {name!r} are in a file: replace them, or name another with `profile`."
    return "Renew the credentials where they come from, or name a profile with `profile`."
