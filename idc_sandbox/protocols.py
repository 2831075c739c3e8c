"""Refusals in the protocol that a client speaks: JSON, query XML (sts, iam) or S3's XML.

The three have different names for the same trouble; a refusal is raised with one of them and translated here.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from idc_sandbox.errors import ServiceError
from idc_sandbox.messages import Request, Response
from idc_sandbox.operation_names import is_query_request

JSON_CONTENT_TYPE = "application/x-amz-json-1.1"

# Codes of one meaning: (JSON, query XML, S3) and the HTTP status in each.
_SYNONYMS: list[tuple[tuple[str, str, str], tuple[int, int, int]]] = [
    (("MissingAuthenticationTokenException", "MissingAuthenticationToken", "AccessDenied"), (400, 403, 403)),
    (("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"), (400, 403, 403)),
    (("InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch"), (400, 403, 403)),
    (
        ("IncompleteSignatureException", "IncompleteSignature", "AuthorizationHeaderMalformed"),
        (400, 400, 400),
    ),
    (("ExpiredTokenException", "ExpiredToken", "ExpiredToken"), (400, 403, 400)),
    (("InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"), (400, 403, 403)),
    (("AccessDeniedException", "AccessDenied", "AccessDenied"), (400, 403, 403)),
    (("InternalServerException", "InternalFailure", "InternalError"), (500, 500, 500)),
    (("ValidationException", "ValidationError", "InvalidArgument"), (400, 400, 400)),
    (("UnknownOperationException", "InvalidAction", "NotImplemented"), (400, 400, 501)),
]
_JSON, _QUERY, _S3 = range(3)


def new_request_id() -> str:
    """Return a request id; a request's id is no state, so it is random."""
    return str(uuid.uuid4())


def with_request_id(response: Response) -> Response:
    """Return an answer that carries ``x-amzn-RequestId``."""
    if any(name.lower() == "x-amzn-requestid" for name in response.headers):
        return response
    return replace(response, headers={**response.headers, "x-amzn-RequestId": new_request_id()})


def json_response(body: Any, *, status: int = 200) -> Response:
    """Return an answer of a JSON 1.1 service."""
    return Response(status, {"Content-Type": JSON_CONTENT_TYPE}, json.dumps(body).encode())


def error_response(error: ServiceError, request: Request) -> Response:
    """Return a refusal in the protocol of the request, under the code that this protocol has for it.

    A ``HEAD`` request gets status and headers only.
    """
    protocol = _protocol_of(request)
    code, status = _translate(error, protocol)
    request_id = new_request_id()
    if protocol == _JSON:
        members = {"RequestId": request_id} if _has_request_id(request) else {}
        response = _json_error(error, code, status, members)
    else:
        text = (
            _query_error(error, code, status, request_id)
            if protocol == _QUERY
            else _s3_error(error, code, request.path, request_id)
        )
        response = Response(status, {"Content-Type": "text/xml"}, text.encode("utf-8", "replace"))
    headers = {**response.headers, "x-amzn-RequestId": request_id}
    if protocol == _S3:
        headers["x-amz-request-id"] = request_id
    return Response(response.status, headers, b"" if request.method == "HEAD" else response.body)


def _translate(error: ServiceError, protocol: int) -> tuple[str, int]:
    for codes, statuses in _SYNONYMS:
        if error.code in codes:
            return codes[protocol], statuses[protocol]
    return error.code, error.status


def _protocol_of(request: Request) -> int:
    if "x-amz-target" in request.headers:
        return _JSON
    if is_query_request(request):
        return _QUERY
    service = _signing_name(request)
    if service in ("sts", "iam"):
        return _QUERY
    return _S3 if service in ("", "s3") else _JSON


def _signing_name(request: Request) -> str:
    """Return the service in the signature's scope, KEY/DATE/REGION/SERVICE/aws4_request, or an empty text."""
    credential = parse_qs(request.query).get("X-Amz-Credential", [""])[0]
    _, found, rest = request.headers.get("authorization", "").partition("Credential=")
    scope = (rest.split(",")[0] if found else credential).split("/")
    return scope[-2] if len(scope) >= 5 else ""


def _has_request_id(request: Request) -> bool:
    """Tell whether the service models a request id in the body of its errors: identitystore alone does."""
    return request.headers.get("x-amz-target", "").startswith("AWSIdentityStore.")


def _json_error(error: ServiceError, code: str, status: int, more: dict[str, str]) -> Response:
    members = {name: value for name, value in error.members.items() if value is not None} | more
    body = {"__type": code, "Message": error.message, **members}
    response = json_response(body, status=status)
    return replace(response, headers={**response.headers, "x-amzn-ErrorType": code})


def _xml(text: str) -> str:
    """Return text as XML, without the characters that XML cannot hold."""
    return escape("".join(character for character in text if character >= " " or character in "\t\n\r"))


def _query_error(error: ServiceError, code: str, status: int, request_id: str) -> str:
    fault = "Sender" if status < 500 else "Receiver"
    return (
        f"<ErrorResponse><Error><Type>{fault}</Type><Code>{_xml(code)}</Code>"
        f"<Message>{_xml(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def _s3_error(error: ServiceError, code: str, path: str, request_id: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{_xml(code)}</Code><Message>{_xml(error.message)}</Message>"
        f"<Resource>{_xml(path)}</Resource><RequestId>{request_id}</RequestId></Error>"
    )
