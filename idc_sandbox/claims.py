"""What a request says about its signature: read from headers or URL, and held against what it asks for.

Nothing of it is believed here; `idc_sandbox.authentication` checks the signature. All of AWS's services share
one port, so a request itself says which service it is for, and its signature must be for that one.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from idc_sandbox.errors import ServiceError
from idc_sandbox.messages import Request
from idc_sandbox.operation_names import form_parameters, is_query_request
from idc_sandbox.service_models import region_names
from idc_sandbox.signatures import ALGORITHM, Claim

LONGEST_URL_S = 7 * 86_400
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_HEADER_PARTS = ("Credential", "Signature", "SignedHeaders")
_SERVICE_OF_TARGET = {
    "SWBExternalService": "sso",
    "AWSIdentityStore": "identitystore",
    "AWSOrganizationsV20161128": "organizations",
}
_SERVICE_OF_VERSION = {"2011-06-15": "sts", "2010-05-08": "iam"}
_ANSWERED = {*_SERVICE_OF_TARGET.values(), *_SERVICE_OF_VERSION.values(), "s3"}
# Clients sign these with `aws-global` where an endpoint is given to them; AWS's own endpoints are us-east-1.
_GLOBAL_SERVICES = ("iam", "organizations", "sts")


def header_claim(request: Request, authorization: str) -> Claim:
    """Return the claim of an ``Authorization`` header.

    Raises
    ------
    ServiceError
        ``IncompleteSignatureException`` that names everything that is missing or malformed.
    """
    fields = authorization.removeprefix(ALGORITHM).split(",")
    parts = dict(field.strip().partition("=")[::2] for field in fields if "=" in field)
    missing = [name for name in _HEADER_PARTS if not parts.get(name)]
    problems = [f"Authorization header requires '{name}' parameter." for name in missing]
    timestamp = request.headers.get("x-amz-date") or _timestamp_of_date(request.headers.get("date"))
    if timestamp is None:
        problems.append(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    if problems:
        raise _incomplete(" ".join(problems))
    return _claim(
        parts["Credential"],
        signed_headers=parts["SignedHeaders"].split(";"),
        signature=parts["Signature"],
        timestamp=timestamp or "",
        session_token=request.headers.get("x-amz-security-token"),
    )


def url_claim(parameters: dict[str, str]) -> Claim:
    """Return the claim of a signed URL; `parameters` are those of its query.

    Raises
    ------
    ServiceError
        ``AuthorizationQueryParametersError`` for a life that is no number of seconds up to a week, and as
        `header_claim`.
    """
    expires = parameters.get("X-Amz-Expires", "")
    if not re.fullmatch("[0-9]{1,6}", expires) or not 1 <= int(expires) <= LONGEST_URL_S:
        raise ServiceError(
            "AuthorizationQueryParametersError",
            f"X-Amz-Expires must be a number of seconds from 1 to {LONGEST_URL_S}, found {expires!r}.",
        )
    names = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")
    if missing := [name for name in names if not parameters.get(name)]:
        raise _incomplete(" ".join(f"AWS query-string parameters must include '{name}'." for name in missing))
    return _claim(
        parameters["X-Amz-Credential"],
        signed_headers=parameters["X-Amz-SignedHeaders"].split(";"),
        signature=parameters["X-Amz-Signature"],
        timestamp=parameters["X-Amz-Date"],
        session_token=parameters.get("X-Amz-Security-Token"),
        expires_s=int(expires),
    )


def _timestamp_of_date(date: str | None) -> str | None:
    """Return what a client signs for a ``Date`` header, which stands in for X-Amz-Date."""
    try:
        return parsedate_to_datetime(date or "").astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        return None


def _claim(credential: str, *, timestamp: str, **parts: Any) -> Claim:
    scope = credential.split("/")
    if len(scope) != 5:
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got {credential!r}."
        )
    access_key_id, date, region, service_name, terminator = scope
    if terminator != "aws4_request":
        raise _incomplete(
            f"Credential should be scoped with a valid terminator: 'aws4_request', not {terminator!r}."
        )
    if not _TIMESTAMP.fullmatch(timestamp):
        raise _incomplete(
            f"Date must be in ISO-8601 'basic format'. Got {timestamp!r}; it looks like 20260131T235959Z."
        )
    if date != timestamp[:8]:
        raise _incomplete(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"{date!r} != {timestamp[:8]!r}, from {timestamp!r}."
        )
    return Claim(access_key_id, date, region, service_name, timestamp=timestamp, **parts)


def _incomplete(message: str) -> ServiceError:
    return ServiceError("IncompleteSignatureException", message)


def signed_region(claim: Claim) -> str:
    """Return the Region that a claim is for."""
    is_global = claim.region == "aws-global" and claim.service_name in _GLOBAL_SERVICES
    return "us-east-1" if is_global else claim.region


def require_scope(claim: Claim, request: Request, service_name: str | None = None) -> None:
    """Refuse a signature for another service than the one that a request asks, or for no Region of AWS's.

    An existing Region is that of the endpoint: the sandbox's port stands for those of all Regions. AWS's own
    iam and organizations take us-east-1 only; clients that are given an endpoint sign them for their own.

    Parameters
    ----------
    service_name
        The service's name in signatures; None: what the request itself says.

    Raises
    ------
    ServiceError
        ``InvalidSignatureException``, or for S3 ``AuthorizationHeaderMalformed``, in AWS's words.
    """
    wanted = service_name or addressed_service(request, claim.service_name)
    require_service(claim.service_name, wanted)
    if signed_region(claim) in region_names():
        return
    if wanted == "s3":
        raise ServiceError(
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; the region '{claim.region}' is wrong; expecting "
            "'us-east-1' or another Region of AWS's.",
        )
    message = f"Credential should be scoped to a valid Region, not '{claim.region}'."
    raise ServiceError("InvalidSignatureException", message)


def require_service(signed_service: str, wanted: str) -> None:
    """Refuse a signature for one service where another is asked."""
    if signed_service != wanted:
        message = f"Credential should be scoped to correct service: '{wanted}'."
        raise ServiceError("InvalidSignatureException", message)


def addressed_service(request: Request, signed_service: str) -> str:
    """Return the signing name of the service that a request is for.

    JSON services are named by ``X-Amz-Target``, query services by the API version beside ``Action``. What
    names none, or one that the sandbox does not know, is as signed.
    """
    target = request.headers.get("x-amz-target", "").partition(".")[0]
    if target in _SERVICE_OF_TARGET:
        return _SERVICE_OF_TARGET[target]
    if signed_service in _ANSWERED and is_query_request(request):
        return _SERVICE_OF_VERSION.get(form_parameters(request).get("Version", ""), signed_service)
    return signed_service
