"""AWS's refusals in the kit's words, missing and expired credentials among them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from idc_aws import errors
from idc_aws.changes import Change, act_in_words
from idc_aws.errors import (
    AccessDeniedError,
    AccountInstanceError,
    ConfigFileError,
    CredentialsError,
    InvalidValueError,
    KitError,
    NotFoundError,
    SandboxError,
    TargetError,
    WriteFailedError,
)
from idc_aws.files import read_table
from idc_aws.identifiers import did_you_mean, identity_center_regions
from idc_aws.signin.config_file import ConfigFile, config_path, credentials_path, read_config

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
    """Return the error for credentials that are missing, refused, expired or wrongly configured."""
    if isinstance(error, _FROM_FILES):
        try:
            _files()
        except ConfigFileError as unreadable:
            return CredentialsError(unreadable.message, remedy=unreadable.remedy)
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


_PERMISSION_PREFIXES = {"sso-admin": "sso"}
_UNREACHABLE = (exceptions.HTTPClientError, exceptions.ConnectionError)
_REFUSALS: dict[str, dict[str, Any]] = read_table("aws_refusals")
_KIND_OF_CODE = {code: kind for kind, refusal in _REFUSALS.items() for code in refusal["codes"]}


@dataclass
class Failures:
    """Knows who calls what, so that a refusal can be told in full."""

    target: str
    region: str
    profile: str | None = None
    endpoint_url: str = ""
    principal_arn: str = ""

    def explain(self, error: Exception, service_name: str, operation_name: str) -> KitError | None:
        """Return the kit's error for a failed call, or None where the calling code decides."""
        if isinstance(error, ClientError):
            return self._explain_refusal(error, service_name, operation_name)
        if isinstance(error, _UNREACHABLE):
            return self.unreachable(error)
        if isinstance(error, CREDENTIAL_ERRORS):
            return self.credentials_error(str(error), error)
        return None

    def _explain_refusal(self, error: ClientError, service_name: str, operation_name: str) -> KitError | None:
        code, message = error_code(error), error_message(error)
        if "scoped to a valid Region" in message:
            return self._no_such_region()
        kind = _KIND_OF_CODE.get(code, "")
        if code == "ValidationException" and "not supported for account instances" in message:
            kind = "account_instance"
        if kind == "denied":
            return self._access_denied(message, service_name, operation_name)
        if not kind:
            return None
        refusal = _REFUSALS[kind]
        found = refusal["message"].format(code=code, message=message, operation_name=operation_name)
        if "error" not in refusal:
            return self.credentials_error(found)
        kit_error: type[KitError] = getattr(errors, refusal["error"])
        return kit_error(found, remedy=refusal["remedy"], link=refusal.get("link", ""))

    def _access_denied(self, message: str, service_name: str, operation_name: str) -> AccessDeniedError:
        permission = f"{_PERMISSION_PREFIXES.get(service_name, service_name)}:{operation_name}"
        principal = f"{self.principal_arn!r}" if self.principal_arn else "the caller"
        remedy = f"Ask for the permission {permission!r}; `idc doctor` lists all that are missing."
        if service_name == "sso-admin" and not operation_name.startswith(("List", "Describe", "Get")):
            remedy += (
                " A delegated administrator cannot change what is used in the management account: work from"
                " there, or keep separate permission sets for it."
            )
        return AccessDeniedError(f"{principal} may not {permission}: {message}", remedy=remedy)

    def credentials_error(self, found: str, error: Exception | None = None) -> CredentialsError:
        """Return the error for missing, refused or expired credentials, with what to do about them."""
        if self.target == "sandbox":
            return CredentialsError(
                f"the sandbox at {self.endpoint_url} refused its own administrator: {found}",
                remedy="It was reset while this kernel was connected: connect again.",
            )
        return explain_credentials(found, error, self.profile)

    def _no_such_region(self) -> TargetError:
        return TargetError(
            f"AWS has no Region {self.region!r}",
            remedy=f"{self._nearest_region()}Set `region` to the home Region of Identity Center.",
        )

    def _nearest_region(self) -> str:
        """Return a question that offers a Region for one that is not known, with a space after it."""
        regions = identity_center_regions()
        nearest = "" if self.region in regions else did_you_mean(self.region, regions)
        return nearest and f"{nearest} "

    def misconfigured(self, error: Exception) -> TargetError:
        """Return the error for a setting with which no client can be made."""
        return TargetError(
            f"no client of AWS can be made here: {error}",
            remedy="Correct that setting in the AWS config file, or the variable AWS_… that makes it.",
        )

    def unreachable(self, error: Exception) -> TargetError:
        """Return the error for a target that does not answer."""
        if self.target == "sandbox":
            return SandboxError.of_silence(self.endpoint_url, error)
        return TargetError(
            f"AWS does not answer in Region {self.region!r}: {error}",
            remedy=f"{self._nearest_region()}"
            "Check the network, the proxy, and that `region` is a Region of AWS.",
        )


def is_refusal(error: Exception) -> bool:
    """Tell whether AWS surely did nothing of a call that failed."""
    said = error if isinstance(error, ClientError) else error.__cause__
    if isinstance(said, ClientError) and said.response.get("ResponseMetadata", {}).get("RetryAttempts", 0):
        # An attempt whose answer was lost may have written; the next one then meets a conflict with it, or
        # keys that have ended meanwhile.
        return False
    if isinstance(error, ClientError):
        return _KIND_OF_CODE.get(error_code(error)) != "failed_at_aws"
    return isinstance(error, (AccessDeniedError, AccountInstanceError, CredentialsError))


@contextmanager
def failed_write(change: Change) -> Iterator[None]:
    """Turn what AWS refuses within the block into an error that names the change."""
    try:
        yield
    except ClientError as error:
        raise WriteFailedError(
            f"{_what(change)} was refused: {words_of_refusal(error)}",
            remedy="Fix what AWS reports, then plan and apply again: completed work is kept.",
        ) from error
    except BotoCoreError as error:
        raise WriteFailedError(f"{_what(change)} could not be sent: {error}") from error


def _what(change: Change) -> str:
    return act_in_words(change.action, change.kind, change.key)


@contextmanager
def failed_read(what: str) -> Iterator[None]:
    """Turn what AWS refuses within the block into an error of the kit that says what was being read."""
    try:
        yield
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            raise NotFoundError(
                f"{what} could not be read: {error_message(error)}", remedy="Run again."
            ) from error
        kind = InvalidValueError if error_code(error) == "ValidationException" else TargetError
        raise kind(f"{what} could not be read: {words_of_refusal(error)}") from error
    except exceptions.ParamValidationError as error:
        raise InvalidValueError(f"{what} could not be read: {error}") from error
    except BotoCoreError as error:
        raise TargetError(f"{what} could not be read: {error}") from error


def words_of_refusal(error: ClientError) -> str:
    """Return code, message and request id of a refusal: what AWS support asks for."""
    request_id = error.response.get("ResponseMetadata", {}).get("RequestId", "")
    return f"{error_code(error)}: {error_message(error)}" + (f" (request {request_id})" if request_id else "")


def error_code(error: ClientError) -> str:
    """Return AWS's code of a refusal, such as ``"ResourceNotFoundException"``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    """Return AWS's words of a refusal."""
    details: dict[str, Any] = error.response.get("Error", {})
    return str(details.get("Message") or error)
