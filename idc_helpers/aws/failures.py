"""AWS's refusals in the kit's words: what failed, for whom, and what to do next.

Refusals that calling code decides on (``ResourceNotFoundException``, ``ConflictException``,
``ValidationException``, quotas) pass through; `failed_write` and `failed_read` turn what is left of them
into errors of the kit at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from idc_helpers.aws.credential_failures import CREDENTIAL_ERRORS, explain_credentials
from idc_helpers.changes import Change
from idc_helpers.errors import (
    AccessDeniedError,
    AccountInstanceError,
    CredentialsError,
    InvalidValueError,
    KitError,
    NotFoundError,
    SandboxError,
    TargetError,
    ThrottledError,
    WriteFailedError,
)

_PERMISSION_PREFIXES = {"sso-admin": "sso"}
_DENIED = {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "AuthorizationError"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_REFUSED_KEY = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
}
_THROTTLED = {
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
}
_FAILED_AT_AWS = {
    "InternalServerException",
    "InternalFailure",
    "InternalError",
    "ServiceUnavailable",
    "ServiceException",
}
_UNREACHABLE = (exceptions.HTTPClientError, exceptions.ConnectionError)
_LIMITS_LINK = "https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html"


@dataclass
class Failures:
    """Knows who calls what, so that a refusal can be told in full.

    Attributes
    ----------
    target, region, profile
        As given to `connect`.
    endpoint_url
        The sandbox's address; empty on AWS.
    principal_arn
        The caller's, once it is known.
    """

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
        found: KitError | None = None
        if code in _DENIED:
            found = self._access_denied(message, service_name, operation_name)
        elif code in _EXPIRED:
            found = self.credentials_error(f"the credentials have expired ({message})")
        elif code in _REFUSED_KEY:
            found = self.credentials_error(f"AWS does not accept the credentials: {code}: {message}")
        elif code in _THROTTLED:
            found = _throttled(operation_name, code, message)
        elif code in _FAILED_AT_AWS:
            found = TargetError(
                f"AWS failed while it answered {operation_name}: {code}: {message}",
                remedy="Run again: what is done is kept.",
            )
        elif code == "ValidationException" and "not supported for account instances" in message:
            found = account_instance_error(f"{operation_name}: {message}")
        return found

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

    def misconfigured(self, error: Exception) -> TargetError:
        """Return the error for a setting with which no client can be made."""
        return TargetError(
            f"no client of AWS can be made here: {error}",
            remedy="Correct that setting in the AWS config file, or the variable AWS_… that makes it.",
        )

    def unreachable(self, error: Exception) -> TargetError:
        """Return the error for a target that does not answer."""
        if self.target == "sandbox":
            return SandboxError(
                f"the sandbox at {self.endpoint_url} stopped answering ({type(error).__name__})",
                remedy="Connect again, which starts it, and run again: what is done is kept.",
            )
        return TargetError(
            f"AWS does not answer in Region {self.region!r}: {error}",
            remedy="Check the network, the proxy, and that `region` is a Region of AWS.",
        )


def _throttled(operation_name: str, code: str, message: str) -> ThrottledError:
    return ThrottledError(
        f"AWS answered {operation_name} with {code!r} after all retries: {message}",
        remedy="Others use the account's request rate too: run again in a while, what is done is kept.",
        link=_LIMITS_LINK,
    )


def account_instance_error(found: str) -> AccountInstanceError:
    """Return the error for asking an account instance for what it cannot do."""
    return AccountInstanceError(
        found,
        remedy="An account instance has neither permission sets nor account assignments: enable an "
        "organization instance from the management account (notebook 01).",
        link="https://docs.aws.amazon.com/singlesignon/latest/userguide/identity-center-instances.html",
    )


def is_refusal(error: Exception) -> bool:
    """Tell whether AWS surely did nothing of a call that failed.

    Not so when it failed inside AWS, when no answer came, and when botocore had tried more than once: an
    attempt whose answer was lost may have written, and the next one then meets a conflict with it.
    """
    if isinstance(error, ClientError):
        attempts = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        return not attempts and error_code(error) not in _FAILED_AT_AWS
    return isinstance(error, (AccessDeniedError, AccountInstanceError, CredentialsError))


@contextmanager
def failed_write(change: Change) -> Iterator[None]:
    """Turn what AWS refuses within the block into an error that names the change.

    Raises
    ------
    WriteFailedError
        In place of a ``ClientError`` or another error of botocore; errors of the kit pass.
    """
    try:
        yield
    except ClientError as error:
        raise WriteFailedError(
            f"{_what(change)} was refused: {in_words(error)}",
            remedy="Fix what AWS reports, then plan and apply again: what is done is kept.",
        ) from error
    except BotoCoreError as error:
        raise WriteFailedError(f"{_what(change)} could not be sent: {error}") from error


def _what(change: Change) -> str:
    return f"{change.action.value} {change.kind.replace('_', ' ')} {change.key!r}"


@contextmanager
def failed_read(what: str) -> Iterator[None]:
    """Turn what AWS refuses within the block into an error of the kit that says what was being read.

    Raises
    ------
    NotFoundError
        When what was asked for does not exist.
    InvalidValueError
        When it cannot exist, because no such name or id is possible.
    TargetError
        For any other refusal that no other error names; errors of the kit pass.
    """
    try:
        yield
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            raise NotFoundError(
                f"{what} could not be read: {error_message(error)}", remedy="Run again."
            ) from error
        kind = InvalidValueError if error_code(error) == "ValidationException" else TargetError
        raise kind(f"{what} could not be read: {in_words(error)}") from error
    except exceptions.ParamValidationError as error:
        raise InvalidValueError(f"{what} could not be read: {error}") from error
    except BotoCoreError as error:
        raise TargetError(f"{what} could not be read: {error}") from error


def in_words(error: ClientError) -> str:
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
