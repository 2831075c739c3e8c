"""Which operation a request means, in the protocol that it speaks.

JSON services name it in ``X-Amz-Target``, query services in ``Action``; S3 names none: there botocore's model
tells, by method, path and the parameters that an operation cannot do without.
"""

from __future__ import annotations

import functools
from urllib.parse import parse_qs, urlsplit

from idc_sandbox.messages import Request
from idc_sandbox.service_models import OperationModel, service_model


def form_parameters(request: Request) -> dict[str, str]:
    """Return the first value of each parameter of a query-protocol request, from query or form body."""
    text = request.query
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        text = f"{text}&{request.body.decode('utf-8', 'replace')}"
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


def is_query_request(request: Request) -> bool:
    """Tell whether a request is one of the query protocol, which sts and iam speak."""
    return request.path == "/" and request.method in ("GET", "POST") and "Action" in form_parameters(request)


def is_for_service(request: Request, service_name: str) -> bool:
    """Tell whether a request names an operation of one of moto's services, as each of them wants it named.

    Any request may be one to S3, whose operations have no names.
    """
    if service_name == "s3":
        return True
    if service_name == "organizations":
        name = request.headers.get("x-amz-target", "").rpartition(".")[2]
    else:
        name = form_parameters(request).get("Action", "") if is_query_request(request) else ""
    return name in service_model(service_name).operation_names


def operation_name(request: Request, service_name: str) -> str:
    """Return the API's name of the operation that a request means; empty when none can be made out."""
    target = request.headers.get("x-amz-target")
    if target:
        return target.rpartition(".")[2]
    if service_name == "s3":
        return _s3_operation_name(request)
    return form_parameters(request).get("Action", "")


def _s3_operation_name(request: Request) -> str:
    depth = _depth(request.path)
    names = {name.lower() for name in parse_qs(request.query, keep_blank_values=True)} | set(request.headers)
    literals = set(request.query.lower().split("&"))
    best, best_count = "", -1
    for name, method, wanted_depth, needed, constants in _s3_routes():
        fits = (
            method == request.method
            and wanted_depth == depth
            and needed <= names
            and constants <= literals | names
        )
        if fits and len(needed) + len(constants) > best_count:
            best, best_count = name, len(needed) + len(constants)
    return best


@functools.cache
def _s3_routes() -> list[tuple[str, str, int, set[str], set[str]]]:
    model = service_model("s3")
    return [_s3_route(model.operation_model(name)) for name in model.operation_names]


def _s3_route(operation: OperationModel) -> tuple[str, str, int, set[str], set[str]]:
    uri = urlsplit(operation.http["requestUri"])
    constants = {part.lower() for part in uri.query.split("&") if part and not part.startswith("x-id=")}
    shape = operation.input_shape
    required = [shape.members[name].serialization for name in shape.required_members] if shape else []
    needed = {part["name"].lower() for part in required if part.get("location") in ("querystring", "header")}
    return operation.name, operation.http["method"], _depth(uri.path), needed, constants


def _depth(path: str) -> int:
    """Return 0 for the service, 1 for a bucket, 2 for a key."""
    bucket, _, key = path.lstrip("/").partition("/")
    return 2 if key else int(bool(bucket))
