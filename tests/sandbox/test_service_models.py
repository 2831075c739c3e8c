"""Our reader of botocore's service models says what botocore's own classes say."""

import botocore.session
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from idc_sandbox.wire import registry
from idc_sandbox.wire.models import service_model

SERVICES = (
    *("sso-admin", "identitystore", "sso-oidc", "sso"),
    *("signin", "account-access", "account-access-runtime"),
    "athena",
)
SESSION = botocore.session.Session()


def described(shape, depth=0):
    """Return everything that the sandbox reads of a shape, as plain data; deep enough for any request."""
    if shape is None or depth > 6:
        return None
    traits = {
        name: shape.metadata.get(name) for name in ("min", "max", "pattern", "enum", "required", "error")
    }
    where = {name: shape.serialization.get(name) for name in ("location", "name", "payload")}
    parts = {
        "structure": lambda: {name: described(part, depth + 1) for name, part in shape.members.items()},
        "list": lambda: described(shape.member, depth + 1),
        "map": lambda: (described(shape.key, depth + 1), described(shape.value, depth + 1)),
    }
    inner = parts.get(shape.type_name, lambda: None)()
    flags = [bool(getattr(shape, name, False)) for name in ("is_document_type", "is_tagged_union")]
    return shape.name, shape.type_name, list(shape.required_members), traits, where, flags, inner


@pytest.mark.parametrize("service_name", SERVICES)
def test_operations_and_their_types_are_botocores(service_name):
    ours, theirs = service_model(service_name), SESSION.get_service_model(service_name)
    assert ours.operation_names == list(theirs.operation_names)
    for name in ours.operation_names:
        one, other = ours.operation_model(name), theirs.operation_model(name)
        assert (one.name, one.auth_type) == (other.name, other.auth_type)
        assert {key: one.http[key] for key in ("method", "requestUri")} == {
            key: other.http[key] for key in ("method", "requestUri")
        }
        assert described(one.input_shape) == described(other.input_shape)
        assert described(one.output_shape) == described(other.output_shape)
        assert [shape.name for shape in one.error_shapes] == [shape.name for shape in other.error_shapes]


def required_parts(operation):
    shape = operation.input_shape
    return (
        {name: shape.members[name].serialization.get("name") for name in shape.required_members}
        if shape
        else {}
    )


def test_the_routes_of_s3_are_botocores():
    # From the file: botocore changes the addresses of a model that a client was made of.
    theirs = ServiceModel(Loader().load_service_model("s3", "service-2"), "s3")
    ours = service_model("s3")
    assert ours.operation_names == list(theirs.operation_names)
    for one, other in (
        (ours.operation_model(name), theirs.operation_model(name)) for name in ours.operation_names
    ):
        assert one.http["requestUri"] == other.http["requestUri"]
        assert required_parts(one) == required_parts(other)


def test_a_type_is_found_by_its_name():
    assert service_model("identitystore").shape_for("SensitiveStringType").metadata["max"] == 1024
    with pytest.raises(KeyError):
        service_model("identitystore").shape_for("NoSuchType")


def test_a_service_that_botocore_does_not_have_is_named():
    with pytest.raises(LookupError, match="'no-such-service'"):
        service_model("no-such-service")


def test_every_handler_is_of_an_operation_that_the_model_has():
    for service_name in (*SERVICES, "athena", "glue"):
        answered = [name for service, name in registry.handlers() if service == service_name]
        assert answered
        assert set(answered) <= set(service_model(service_name).operation_names)
