"""Requests to moto's services, held against AWS's models first; and what moto's own errors mean.

moto expects what boto3 sends. Whoever sends something else gets AWS's refusal, and not moto's traceback.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from types import TracebackType
from typing import Any

from idc_sandbox.errors import ServiceError
from idc_sandbox.json_documents import parse_json
from idc_sandbox.messages import Request
from idc_sandbox.model_validation import validate_request
from idc_sandbox.operation_names import form_parameters, operation_name
from idc_sandbox.service_models import ListShape, Shape, StructureShape, service_model

_HERE = str(Path(__file__).parent.parent)
_POLICIES = {"PolicyDocument", "AssumeRolePolicyDocument", "Policy", "Content"}
_NUMBERS = ("integer", "long")
_INVALID = {"organizations": "InvalidInputException", "iam": "InvalidInput"}
logger = logging.getLogger(__name__)


def check_request(request: Request, service_name: str) -> None:
    """Refuse a request to organizations, iam or sts that breaks its operation's model.

    Raises
    ------
    ServiceError
        ``ValidationException`` or ``SerializationException``.
    """
    if service_name == "s3":
        return  # its operations share paths; what is wrong shows in moto
    operation = service_model(service_name).operation_model(operation_name(request, service_name))
    if service_name == "organizations":
        values = _json_object(request.body)
    else:
        values = _read(operation.input_shape, "", form_parameters(request)) or {}
    validate_request(operation, values)
    for name in _POLICIES & values.keys():
        _check_depth(values[name], service_name)


def _check_depth(document: str, service_name: str) -> None:
    """Refuse a policy that nothing could read again; moto refuses all others that are none."""
    try:
        parse_json(document)
    except ValueError as error:
        suffix = "Exception" if service_name == "organizations" else ""
        message = f"Syntax errors in policy. It is not JSON: {error}."
        raise ServiceError(f"MalformedPolicyDocument{suffix}", message) from None


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = parse_json(body or b"{}")
    except ValueError as error:
        raise ServiceError("SerializationException", f"The body is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise ServiceError("SerializationException", "The body must be a JSON object.")
    return value


def _read(shape: Shape | None, path: str, parameters: dict[str, str]) -> Any:
    """Return what parameters such as ``Tags.member.1.Key`` say of a shape; None when they say nothing."""
    below = f"{path}." if path else ""
    if isinstance(shape, StructureShape):
        if path and not any(name.startswith(below) for name in parameters):
            return None
        members = {
            name: _read(member, below + member.serialization.get("name", name), parameters)
            for name, member in shape.members.items()
        }
        return {name: value for name, value in members.items() if value is not None}
    if isinstance(shape, ListShape):
        item = re.compile(rf"{re.escape(below)}member\.([0-9]{{1,6}})(?:\.|$)")
        found = {int(match[1]) for name in parameters if (match := item.match(name))}
        values = [_read(shape.member, f"{below}member.{number}", parameters) for number in sorted(found)]
        return values or None
    text = parameters.get(path)
    if shape is None or text is None or shape.type_name in ("timestamp", "blob", "map"):
        return None
    if shape.type_name in _NUMBERS:
        return int(text) if re.fullmatch("-?[0-9]{1,18}", text) else text
    return {"true": True, "false": False}.get(text, text) if shape.type_name == "boolean" else text


def refusal_for(error: Exception, request: Request, service_name: str) -> ServiceError:
    """Return what AWS says to a request of which moto makes an error that it did not mean to.

    An error of the sandbox's own is raised again: it is a defect.
    """
    if _is_ours(error.__traceback__):
        raise error
    logger.warning("moto's %s could not read a request", service_name, exc_info=error)
    reason = "The sandbox could not read the request as one of this operation"
    if service_name != "s3":
        code = {"organizations": "InvalidInputException", "iam": "InvalidInput"}.get(
            service_name, "ValidationError"
        )
        return ServiceError(code, f"{reason}: check its parameters ({type(error).__name__}).")
    if request.body.lstrip()[:1] == b"<" or type(error).__name__ == "ExpatError":
        message = "The XML you provided was not well-formed or did not validate against our published schema"
        return ServiceError("MalformedXML", message)
    return ServiceError("InvalidArgument", f"{reason}: check its query and headers ({type(error).__name__}).")


def _is_ours(traceback: TracebackType | None) -> bool:
    """Tell whether an error arose in the sandbox's code, and not in moto's that it called."""
    ours = False
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if name.startswith(_HERE):
            ours = True
        elif "/moto/" in name:
            ours = False
        traceback = traceback.tb_next
    return ours
