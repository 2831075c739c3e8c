"""AWS's protocols by botocore's models: which operation a request means, and how an answer is written."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import escape
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import orjson

from idc_sandbox.errors import LastingRefusal, Request, Response, ServiceError, json_object, validation_error
from idc_sandbox.wire.models import OperationModel, Shape, service_model
from idc_sandbox.wire.registry import SIGNING_NAMES

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def query_parameters(request: Request) -> dict[str, str]:
    """Return the first value of each parameter of a request's query."""
    return {name: values[0] for name, values in parse_qs(request.query, keep_blank_values=True).items()}


def form_values(shape: Shape, parameters: dict[str, str]) -> dict[str, Any]:
    """Return what a query-protocol request's parameters say of its input shape."""
    return _read_form(shape, "", parameters) or {}


def _read_form(shape: Shape, path: str, parameters: dict[str, str]) -> Any:
    """Return what parameters such as ``Tags.member.1.Key`` say of a shape; None when they say nothing."""
    below = f"{path}." if path else ""
    if shape.type_name == "structure":
        if path and not any(name.startswith(below) for name in parameters):
            return None
        members = {
            name: _read_form(member, below + member.serialization.get("name", name), parameters)
            for name, member in shape.members.items()
        }
        return {name: value for name, value in members.items() if value is not None}
    if shape.type_name == "list":
        item = re.compile(rf"{re.escape(below)}member\.([0-9]{{1,6}})(?:\.|$)")
        found = {int(match[1]) for name in parameters if (match := item.match(name))}
        values = [_read_form(shape.member, f"{below}member.{number}", parameters) for number in sorted(found)]
        return values or None
    return None if shape.type_name in ("timestamp", "blob", "map") else _of_type(shape, parameters.get(path))


def read_xml(shape: Shape, body: bytes, operation_name: str) -> dict[str, Any]:
    """Return what an answer of moto's in the query protocol says of its output shape."""
    from xml.etree import ElementTree  # noqa: PLC0415  only moto's answers are XML

    result = _children(ElementTree.fromstring(body)).get(f"{operation_name}Result")  # noqa: S314
    return {} if result is None else _read_element(shape, result) or {}


def _children(element: Element) -> dict[str, Element]:
    """Return what is inside an element by name, without the namespace."""
    return {child.tag.rpartition("}")[2]: child for child in element}


def _read_element(shape: Shape, element: Element) -> Any:
    """Return what an element says of a shape; None when it is empty."""
    if shape.type_name == "structure":
        children = _children(element)
        named = {name: member.serialization.get("name", name) for name, member in shape.members.items()}
        return {
            name: value
            for name, wire_name in named.items()
            if wire_name in children
            and (value := _read_element(shape.members[name], children[wire_name])) is not None
        } or None
    if shape.type_name == "list":
        return [_read_element(shape.member, item) for item in element] or None
    text = (element.text or "").strip()
    return _of_type(shape, text) if text else None


def _of_type(shape: Shape, text: str | None) -> Any:
    """Return what a text says of a plain shape; what is not of its type is left to the model's check."""
    if text is None:
        return None
    if shape.type_name in ("integer", "long"):
        return int(text) if re.fullmatch("-?[0-9]{1,18}", text) else text
    return {"true": True, "false": False}.get(text, text) if shape.type_name == "boolean" else text


def is_query_request(request: Request) -> bool:
    """Tell whether a request is one of the query protocol, which sts and iam speak."""
    return request.path == "/" and request.method in ("GET", "POST") and "Action" in request.form


def is_for_service(request: Request, service_name: str) -> bool:
    """Tell whether a request names an operation of one of moto's services, as each of them wants it named."""
    if service_name == "s3":
        return True  # any request may be one: its operations have no names
    if service_name == "organizations":
        name = request.headers.get("x-amz-target", "").rpartition(".")[2]
    else:
        name = request.form.get("Action", "") if is_query_request(request) else ""
    return name in service_model(service_name).operation_names


def operation_name(request: Request, service_name: str) -> str:
    """Return the API's name of the operation that a request means; empty when none can be made out."""
    target = request.headers.get("x-amz-target")
    if target:
        return target.rpartition(".")[2]
    if service_name == "s3":
        return _s3_operation_name(request)
    return request.form.get("Action", "")


def _s3_operation_name(request: Request) -> str:
    depth = _depth(request.path)
    names = {name.lower() for name in parse_qs(request.query, keep_blank_values=True)} | set(request.headers)
    literals = set(request.query.lower().split("&"))
    fitting = [
        (len(needed) + len(constants), name)
        for name, method, wanted_depth, needed, constants in _s3_routes()
        if (method, wanted_depth) == (request.method, depth)
        and needed <= names
        and constants <= literals | names
    ]
    return max(fitting, key=itemgetter(0), default=(0, ""))[1]


@functools.cache
def _s3_routes() -> list[tuple[str, str, int, set[str], set[str]]]:
    """Return name, method, depth, needed parameters and constants in the query of S3's operations."""
    model, routes = service_model("s3"), []
    for name in model.operation_names:
        operation = model.operation_model(name)
        uri, shape = urlsplit(operation.http["requestUri"]), operation.input_shape
        constants = {part.lower() for part in uri.query.split("&") if part and not part.startswith("x-id=")}
        parts = [shape.members[member].serialization for member in shape.required_members] if shape else []
        needed = {part["name"].lower() for part in parts if part.get("location") in ("querystring", "header")}
        routes.append((name, operation.http["method"], _depth(uri.path), needed, constants))
    return routes


def _depth(path: str) -> int:
    """Return 0 for the service, 1 for a bucket, 2 for a key."""
    bucket, _, key = path.lstrip("/").partition("/")
    return 2 if key else int(bool(bucket))


JSON_CONTENT_TYPE = "application/x-amz-json-1.1"

# Codes of one meaning: (JSON, query XML, S3) and the HTTP status in each.
_ERROR_SYNONYMS: list[tuple[tuple[str, str, str], tuple[int, int, int]]] = [
    (("MissingAuthenticationTokenException", "MissingAuthenticationToken", "AccessDenied"), (400, 403, 403)),
    (("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"), (400, 403, 403)),
    (("InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch"), (400, 403, 403)),
    (("IncompleteSignatureException", "IncompleteSignature", "AuthorizationHeaderMalformed"), (400,) * 3),
    (("ExpiredTokenException", "ExpiredToken", "ExpiredToken"), (400, 403, 400)),
    (("InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"), (400, 403, 403)),
    (("AccessDeniedException", "AccessDenied", "AccessDenied"), (400, 403, 403)),
    (("InternalServerException", "InternalFailure", "InternalError"), (500, 500, 500)),
    (("ValidationException", "ValidationError", "InvalidArgument"), (400, 400, 400)),
    (("UnknownOperationException", "InvalidAction", "NotImplemented"), (400, 400, 501)),
]
_JSON, _QUERY, _S3 = range(3)
# What services call a ValidationException that have none.
_INVALID_OF_TARGET = {"AmazonAthena": "InvalidRequestException", "AWSGlue": "InvalidInputException"}


def new_uuid() -> str:
    """Return a random UUID (version 4), as requests and events have; `uuid` takes three times as long."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def with_request_id(response: Response) -> Response:
    """Return an answer that carries ``x-amzn-RequestId``."""
    if any(name.lower() == "x-amzn-requestid" for name in response.headers):
        return response
    return replace(response, headers={**response.headers, "x-amzn-RequestId": new_uuid()})


def json_bytes(body: Any) -> bytes:
    """Return a body; for a list of a hundred, the standard library takes a third of the call."""
    try:
        return orjson.dumps(body)
    except TypeError:  # half of a surrogate pair, or a number of more than 64 bits
        return json.dumps(body).encode()


def json_response(body: Any) -> Response:
    """Return an answer of a JSON 1.1 service."""
    return Response(200, {"Content-Type": JSON_CONTENT_TYPE}, json_bytes(body))


def service_error_response(error: ServiceError, request: Request) -> Response:
    """Return a refusal in the protocol of the request, under the code that this protocol has for it."""
    protocol = _protocol_of(request)
    code, status = next(
        ((codes[protocol], statuses[protocol]) for codes, statuses in _ERROR_SYNONYMS if error.code in codes),
        (error.code, error.status),
    )
    request_id = new_uuid()
    headers = {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}
    if protocol == _JSON:
        headers |= {"Content-Type": JSON_CONTENT_TYPE, "x-amzn-ErrorType": code}
        members = {name: value for name, value in error.members.items() if value is not None}
        target = request.headers.get("x-amz-target", "").partition(".")[0]
        if target == "AWSIdentityStore":
            members["RequestId"] = request_id  # modeled by identitystore alone
        if code == "ValidationException" and target in _INVALID_OF_TARGET:
            code = headers["x-amzn-ErrorType"] = _INVALID_OF_TARGET[target]
        if target == "AmazonAthena" and code == _INVALID_OF_TARGET[target]:
            members.setdefault("AthenaErrorCode", "INVALID_INPUT")
        text = json.dumps({"__type": code, "Message": error.message, **members})
    elif protocol == _QUERY:
        fault = "Sender" if status < 500 else "Receiver"
        text = (
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{_xml(code)}</Code>"
            f"<Message>{_xml(error.message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    else:
        headers["x-amz-request-id"] = request_id
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{_xml(code)}</Code><Message>{_xml(error.message)}</Message>"
            f"<Resource>{_xml(request.path)}</Resource><RequestId>{request_id}</RequestId></Error>"
        )
    return Response(status, headers, b"" if request.method == "HEAD" else text.encode("utf-8", "replace"))


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


def _xml(text: str) -> str:
    """Return text as XML, without the characters that XML cannot hold."""
    return escape("".join(one for one in text if one >= " " or one in "\t\n\r"), quote=False)


CONTENT_TYPE = "application/json"
_LARGEST_BODY = 1024 * 1024
_SERVICES_OF_SCOPE = {
    "sso-oauth": ("sso-oidc",),
    "awsssoportal": ("sso",),
    "sso-portal": ("sso",),
    "signin": ("signin",),
    "account-access": ("account-access",),
}
# What the models do not name, in words that these services have.
_SYNONYMS = {
    "ValidationException": "InvalidRequestException",
    "SerializationException": "InvalidRequestException",
}
_SIGNIN_ERROR_OF_CODE = {
    "AccessDeniedException": "INSUFFICIENT_PERMISSIONS",
    "ResourceNotFoundException": "RESOURCE_NOT_FOUND",
    "InternalServerException": "server_error",
    "TooManyRequestsError": "rate_exceeded",
}


@dataclass(frozen=True)
class RestOperation:
    """An operation that a request means: its service, the prefix of that service's IAM actions, its model."""

    service_name: str
    iam_prefix: str
    model: OperationModel
    path: re.Pattern[str]
    is_signed: bool


def find_rest_operation(request: Request) -> RestOperation | None:
    """Return the operation that a request means, or None when it is another service's."""
    if "x-amz-target" in request.headers:
        return None
    path = request.path.rstrip("/")
    query = set(parse_qsl(request.query, keep_blank_values=True))
    fitting = [
        (len(constants), operation)
        for service_name in _services_of(request)
        for constants, operation in _routes(service_name)
        if operation.model.http["method"] == request.method
        and operation.path.fullmatch(path)
        and constants <= query
    ]
    return max(fitting, key=itemgetter(0), default=(0, None))[1]


def read_rest_input(operation: RestOperation, request: Request) -> dict[str, Any]:
    """Return an operation's input from path, query, headers and body, as yet unchecked."""
    shape = operation.model.input_shape
    if shape is None:
        return {}
    query = parse_qs(request.query, keep_blank_values=True)
    if len(request.body) > _LARGEST_BODY:
        raise validation_error(f"The body has more than {_LARGEST_BODY} bytes.")
    body = json_object(request.body, "ValidationException")
    found = operation.path.fullmatch(request.path.rstrip("/"))
    labels = found.groupdict() if found else {}
    values: dict[str, Any] = {}
    for name, member in shape.members.items():
        key = member.serialization.get("name", name)
        match member.serialization.get("location"):
            case "header":
                values[name] = _of_type(member, request.headers.get(key.lower()))
            case "querystring" if member.type_name == "list":
                values[name] = query.get(key)
            case "querystring":
                values[name] = _of_type(member, query.get(key, [None])[-1])
            case "uri":
                values[name] = unquote(labels.get(key, ""))
            case _:
                values[name] = body if name == shape.serialization.get("payload") else body.get(key)
    return {name: value for name, value in values.items() if value is not None}


@contextmanager
def in_words_of(operation: RestOperation) -> Iterator[None]:
    """Let a refusal have a code that the operation's model names, where it has one of the same meaning."""
    try:
        yield
    except LastingRefusal:
        raise
    except ServiceError as error:
        modelled = {shape.name for shape in operation.model.error_shapes}
        code = _SYNONYMS.get(error.code)
        if error.code in modelled or code not in modelled:
            raise
        raise ServiceError(code, error.message, status=error.status, **error.members) from error


def rest_response(operation: RestOperation, answer: dict[str, Any]) -> Response:
    """Return an operation's answer, with the HTTP status that the model gives it."""
    shape = operation.model.output_shape
    payload = shape.serialization.get("payload") if shape is not None else None
    body = answer.get(payload, {}) if payload else answer
    status = int(operation.model.http.get("responseCode", 200))
    return response(body) if status == 200 else replace(response(body), status=status, body=b"")


def response(body: Any) -> Response:
    """Return an answer; no client, proxy or browser may keep it."""
    headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(200, headers, json_bytes(body))


def rest_error_response(error: ServiceError, operation: RestOperation) -> Response:
    """Return a refusal, with the HTTP status that the model gives it."""
    shapes = {shape.name: shape for shape in operation.model.error_shapes}
    shape = shapes.get(error.code)
    status = shape.metadata.get("error", {}).get("httpStatusCode", error.status) if shape else error.status
    if error.code == "AccessDeniedException" and operation.service_name != "sso-oidc":
        status = 403  # some operations' models leave it open
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Cache-Control": "no-store",
        "x-amzn-ErrorType": error.code,
        "x-amzn-RequestId": new_uuid(),
    }
    body = {"__type": error.code, "message": error.message}
    if operation.service_name == "signin":
        body = {
            "error": error.members.get("error") or _SIGNIN_ERROR_OF_CODE.get(error.code, "INVALID_REQUEST")
        }
        body["message"] = error.message
    if operation.service_name == "sso-oidc":
        body |= {"error": _oauth_name(error.code), "error_description": error.message}
    return Response(status, headers, json.dumps(body).encode())


def _services_of(request: Request) -> tuple[str, ...]:
    """Return the services that a request may be for; a signature says it: a bucket may be named ``token``."""
    # Only their models are read: the first request of an S3 client does not wait for all.
    if "X-Amz-Credential" in request.query or "AWSAccessKeyId" in request.query:
        return ()
    if scope := _signing_name(request):
        return _SERVICES_OF_SCOPE.get(scope, ())
    if request.headers.get("authorization", "").startswith("Bearer "):
        return ("account-access-runtime",)
    return ("signin",) if request.path.startswith("/v1/") else ("sso-oidc", "sso")


@functools.cache
def _routes(service_name: str) -> list[tuple[set[tuple[str, str]], RestOperation]]:
    """Return the constants of the query, and the operation, of all of a service's operations."""
    model, routes = service_model(service_name), []
    for name in model.operation_names:
        one = model.operation_model(name)
        path, _, query = one.http["requestUri"].partition("?")
        # What stands for a value is percent-encoded: an ARN in a path has no slash.
        pattern = re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path), flags=re.ASCII))
        is_signed = model.signature_version == "v4" and one.auth_type != "none"
        prefix = SIGNING_NAMES[service_name]
        operation = RestOperation(service_name, prefix, one, pattern, is_signed)
        routes.append((set(parse_qsl(query, keep_blank_values=True)), operation))
    return routes


def _oauth_name(code: str) -> str:
    """Return OAuth's name of an error: ``authorization_pending`` for AuthorizationPendingException."""
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z]|$)|[A-Z][a-z]+", code.removesuffix("Exception"))
    name = "_".join(words).lower()
    return {"internal_server": "server_error"}.get(name, name)
