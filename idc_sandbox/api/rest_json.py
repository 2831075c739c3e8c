"""The protocol of the services that a person's client calls: rest-json, by botocore's models.

An operation is known by method, path and the constants in its query. Its input lies in headers, query and
body; errors carry their name in ``x-amzn-ErrorType`` and in the body, because clients look in either.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from idc_sandbox.api import registry
from idc_sandbox.context import Context
from idc_sandbox.errors import LastingRefusal, ServiceError
from idc_sandbox.json_documents import parse_json
from idc_sandbox.messages import Request, Response
from idc_sandbox.protocols import new_request_id
from idc_sandbox.service_models import OperationModel, Shape, service_model

CONTENT_TYPE = "application/json"
_LARGEST_BODY = 1024 * 1024
# boto3's name -> the prefix of its IAM actions, which is its signing name but for the portal's
_IAM_PREFIX_OF_SERVICE = {"sso-oidc": "sso-oauth", "sso": "sso"}
# What the models do not name, in words that these services have.
_SYNONYMS = {
    "ValidationException": "InvalidRequestException",
    "SerializationException": "InvalidRequestException",
}


@dataclass(frozen=True)
class RestOperation:
    """An operation that a request means.

    Attributes
    ----------
    service_name
        boto3's name: ``"sso-oidc"`` or ``"sso"`` (the portal).
    """

    service_name: str
    model: OperationModel

    @property
    def is_signed(self) -> bool:
        """Whether AWS asks for a signature."""
        return self.model.auth_type != "none"

    @property
    def iam_prefix(self) -> str:
        """The prefix of the service's IAM actions."""
        return _IAM_PREFIX_OF_SERVICE[self.service_name]


def find_rest_operation(request: Request) -> RestOperation | None:
    """Return the operation that a request means, or None when it is another service's."""
    if "x-amz-target" in request.headers or _is_for_another_service(request):
        return None
    path = unquote(request.path).rstrip("/")
    query = set(parse_qsl(request.query, keep_blank_values=True))
    fitting = [
        (len(constants), operation)
        for method, wanted_path, constants, operation in _routes()
        if method == request.method and wanted_path == path and constants <= query
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def call_rest_operation(context: Context, operation: RestOperation, request: Request) -> dict[str, Any]:
    """Read an operation's input, hold it against the model, let its handler answer.

    Raises
    ------
    ServiceError
        Under the names that the operation models; `LastingRefusal` when the transaction is to be kept.
    """
    try:
        return registry.call_operation(
            context, operation.service_name, operation.model, _read_input(operation, request)
        )
    except LastingRefusal:
        raise
    except ServiceError as error:
        code = _SYNONYMS.get(error.code, error.code)
        raise ServiceError(code, error.message, status=error.status) from error


def response(body: Any) -> Response:
    """Return an answer; no client, proxy or browser may keep it."""
    headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(200, headers, json.dumps(body).encode())


def rest_error_response(error: ServiceError, operation: RestOperation) -> Response:
    """Return a refusal, with the HTTP status that the model gives it."""
    shapes = {shape.name: shape for shape in operation.model.error_shapes}
    shape = shapes.get(error.code)
    status = shape.metadata.get("error", {}).get("httpStatusCode", error.status) if shape else error.status
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Cache-Control": "no-store",
        "x-amzn-ErrorType": error.code,
        "x-amzn-RequestId": new_request_id(),
    }
    body = {"__type": error.code, "message": error.message}
    if operation.service_name == "sso-oidc":
        body |= {"error": _oauth_name(error.code), "error_description": error.message}
    return Response(status, headers, json.dumps(body).encode())


def _is_for_another_service(request: Request) -> bool:
    """Tell whether a signature says so: an S3 bucket may be named ``token``."""
    authorization = request.headers.get("authorization", "")
    scope = authorization.partition("Credential=")[2].split(",")[0].split("/")
    is_signed = len(scope) >= 5 or "X-Amz-Credential" in request.query or "AWSAccessKeyId" in request.query
    return is_signed and (len(scope) < 5 or scope[-2] not in ("sso-oauth", "awsssoportal", "sso-portal"))


@functools.cache
def _routes() -> list[tuple[str, str, set[tuple[str, str]], RestOperation]]:
    routes = []
    for service_name in _IAM_PREFIX_OF_SERVICE:
        model = service_model(service_name)
        for name in model.operation_names:
            operation = model.operation_model(name)
            path, _, query = operation.http["requestUri"].partition("?")
            constants = set(parse_qsl(query, keep_blank_values=True))
            routes.append((operation.http["method"], path, constants, RestOperation(service_name, operation)))
    return routes


def _read_input(operation: RestOperation, request: Request) -> dict[str, Any]:
    shape = operation.model.input_shape
    if shape is None:
        return {}
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    body = _json_object(request.body)
    values: dict[str, Any] = {}
    for name, member in shape.members.items():
        key = member.serialization.get("name", name)
        match member.serialization.get("location"):
            case "header":
                values[name] = _from_text(member, request.headers.get(key.lower()))
            case "querystring":
                values[name] = _from_text(member, query.get(key))
            case _:
                values[name] = body.get(key)
    return {name: value for name, value in values.items() if value is not None}


def _from_text(member: Shape, text: str | None) -> Any:
    if text is None or member.type_name not in ("integer", "long"):
        return text
    # What is no number is left to the model's check, which says so.
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text


def _json_object(body: bytes) -> dict[str, Any]:
    if len(body) > _LARGEST_BODY:
        raise ServiceError("InvalidRequestException", f"The body has more than {_LARGEST_BODY} bytes.")
    try:
        value = parse_json(body or b"{}")
    except ValueError:
        raise ServiceError("InvalidRequestException", "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise ServiceError(
            "InvalidRequestException", f"The body must be a JSON object, found {type(value).__name__}."
        )
    return value


def _oauth_name(code: str) -> str:
    """Return OAuth's name of an error: ``authorization_pending`` for AuthorizationPendingException."""
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z]|$)|[A-Z][a-z]+", code.removesuffix("Exception"))
    name = "_".join(words).lower()
    return {"internal_server": "server_error"}.get(name, name)
