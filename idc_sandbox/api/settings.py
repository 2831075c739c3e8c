"""The settings that the console offers, their models, their values, and what SAML 2.0 exchanges."""

from __future__ import annotations

import base64
import datetime
import difflib
import json
import re
import sqlite3
import uuid
from typing import Annotated, Any, Literal
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError, model_validator

from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, conflict, validation_error

SHORTEST_SESSION = datetime.timedelta(minutes=15)
LONGEST_SESSION = datetime.timedelta(days=90)
_DURATION = re.compile(r"P(?=.)(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?", re.ASCII)


def _session_duration(text: str) -> str:
    """Return an ISO 8601 duration unchanged after a check of its form and bounds."""
    if _DURATION.fullmatch(text) is None:
        raise ValueError("write a duration like PT8H, PT90M or P7D")
    length = TypeAdapter(datetime.timedelta).validate_python(text)
    if not SHORTEST_SESSION <= length <= LONGEST_SESSION:
        raise ValueError("a session lasts from 15 minutes (PT15M) to 90 days (P90D)")
    return text


def _subdomain(text: str) -> str:
    """Return a portal's subdomain unchanged after a check of its form."""
    # UNCONFIRMED: that of AWS Directory Service's aliases, which come before ``awsapps.com`` too,
    # https://docs.aws.amazon.com/directoryservice/latest/devguide/API_CreateAlias.html
    if len(text) > 62 or re.fullmatch(r"(?!d-)[a-z0-9]+(-+[a-z0-9]+)*", text, re.ASCII) is None:
        raise ValueError(
            f"{text[:64]!r}: use at most 62 lower-case letters, digits and inner hyphens, not 'd-' first"
        )
    return text


SessionDuration = Annotated[str, Field(max_length=32), AfterValidator(_session_duration)]


class Setting(BaseModel, extra="forbid", strict=True):
    """One box of the console's settings pages."""


class AccessPortal(Setting):
    """Where users sign in."""

    subdomain: Annotated[str, AfterValidator(_subdomain)] | None = None


class StandardAuthentication(Setting):
    """What happens when a user whom the API created, and who has no password, signs in for the first time."""

    send_email_otp: bool = False


class MultiFactorAuthentication(Setting):
    """When users prove a second time who they are, by what, and what happens to those who have no device."""

    prompt: Literal["context-aware", "always-on", "never"] = "always-on"
    allowed_types: list[Literal["security-keys-and-built-in-authenticators", "authenticator-apps"]] = [
        "authenticator-apps",
        "security-keys-and-built-in-authenticators",
    ]
    user_without_device: Literal["require-registration", "require-email-otp", "block", "allow"] = (
        "require-registration"
    )
    users_manage_own_devices: bool = True

    @model_validator(mode="after")
    def _hold_together(self) -> MultiFactorAuthentication:
        if not self.allowed_types and self.prompt != "never":
            raise ValueError("at least one of allowed_types must be chosen while users are prompted")
        if len(set(self.allowed_types)) < len(self.allowed_types):
            raise ValueError("allowed_types names one type twice")
        self.allowed_types.sort()  # boxes that are ticked have no order: equal settings look equal
        # As in the console, where choosing the one ticks the other and greys it out.
        if self.user_without_device == "require-registration":
            self.users_manage_own_devices = True
        return self


class Sessions(Setting):
    """How long people stay signed in to the access portal, and their jobs run in the background."""

    user_interactive: SessionDuration = "PT8H"
    user_background: SessionDuration = "P7D"
    user_background_enabled: bool = True
    # UNCONFIRMED: at AWS on or off by the age of the instance; a fresh one has them on here.
    kiro_extended: bool = True


class AccountInstances(Setting):
    """Whether member accounts may create instances; on in organizations that started after 15 Nov 2023."""

    enabled: bool = True


MODEL_OF_SETTING: dict[str, type[Setting]] = {
    "access_portal": AccessPortal,
    "standard_authentication": StandardAuthentication,
    "multi_factor_authentication": MultiFactorAuthentication,
    "sessions": Sessions,
    "account_instances": AccountInstances,
}


DIRECTORY, ACTIVE_DIRECTORY = "identity_center_directory", "active_directory"
EXTERNAL = "external_identity_provider"

# type -> how users prove who they are, how they get in
_METHODS_OF_SOURCE = {
    DIRECTORY: ("password", "direct"),
    ACTIVE_DIRECTORY: ("active_directory", "manual"),
    EXTERNAL: ("saml_2_0", "manual"),
}
SOURCE_LABELS = {
    DIRECTORY: "Identity Center directory",
    ACTIVE_DIRECTORY: "Active Directory",
    EXTERNAL: "External identity provider",
}

# Where users prove elsewhere who they are, the console has no such box.
_SOURCES_OF_SETTING = {
    "standard_authentication": (DIRECTORY,),
    "multi_factor_authentication": (DIRECTORY, ACTIVE_DIRECTORY),
}


def read_settings(context: Context, instance: sqlite3.Row) -> dict[str, Any]:
    """Return all settings of an instance with their values, defaults included."""
    shown = {
        name: read_setting(context, instance, name) if _is_shown(context, instance, name) else None
        for name in MODEL_OF_SETTING
    }
    return {
        "instance_arn": instance["instance_arn"],
        "identity_source": read_identity_source(context, instance),
        **shown,
    }


def read_setting(context: Context, instance: sqlite3.Row, name: str) -> dict[str, Any]:
    """Return the values of one setting; the access portal with its addresses."""
    values = MODEL_OF_SETTING[name].model_validate(read_stored(context, instance, name)).model_dump()
    return values | _portal_addresses(instance, values["subdomain"]) if name == "access_portal" else values


def read_identity_source(context: Context, instance: sqlite3.Row) -> dict[str, Any]:
    """Return where users come from, how they prove who they are and how they get in."""
    stored = read_stored(context, instance, "identity_source")
    source = stored.get("type", DIRECTORY)
    authentication_method, provisioning_method = _METHODS_OF_SOURCE[source]
    shown = {
        "type": source,
        "authentication_method": authentication_method,
        "provisioning_method": provisioning_method,
    }
    if "identity_provider" in stored:
        shown["identity_provider"] = stored["identity_provider"]
    return shown


def write_setting(
    context: Context, instance: sqlite3.Row, name: str, values: dict[str, Any]
) -> dict[str, Any]:
    """Change the values of one setting that are given, and return all of them."""
    model = MODEL_OF_SETTING.get(name)
    if model is None:
        raise _unknown_setting(name)
    if not _is_shown(context, instance, name):
        raise validation_error(
            f"The setting {name!r} does not exist for the instance {instance['instance_arn']!r}, which is of "
            f"kind {instance['kind']!r} with the identity source "
            f"{read_identity_source(context, instance)['type']!r}."
        )
    before = model().model_dump() | read_stored(context, instance, name)
    try:
        after = model.model_validate(before | values).model_dump()
    except ValidationError as error:
        problems = [
            f"There is no {one['loc'][0]!r} in {name}; there are {', '.join(model.model_fields)}."
            if one["type"] == "extra_forbidden"
            else f"Value {one['input']!r} at {'.'.join(map(str, (name, *one['loc'])))!r}: "
            f"{one['msg'].removeprefix('Value error, ')}"
            for one in error.errors()
        ]
        raise validation_error("; ".join(problems)) from error
    if name == "access_portal" and values:
        _refuse_subdomain(context, before["subdomain"], after["subdomain"])
    if name == "account_instances" and before["enabled"] and not after["enabled"]:
        raise conflict(
            "Account instances are enabled, which cannot be undone; deny sso:CreateInstance in an SCP "
            "instead."
        )
    write_stored(context, instance, name, after)
    return read_setting(context, instance, name)


def read_stored(context: Context, instance: sqlite3.Row, name: str) -> dict[str, Any]:
    """Return what was written of a setting, or an empty object."""
    row = context.find("console_setting", instance_arn=instance["instance_arn"], name=name)
    return json.loads(row["value_json"]) if row else {}


def write_stored(context: Context, instance: sqlite3.Row, name: str, values: dict[str, Any]) -> None:
    """Write a setting's values in place of what was written of it."""
    key = {"instance_arn": instance["instance_arn"], "name": name}
    context.replace("console_setting", **key, value_json=json.dumps(values))


def _is_shown(context: Context, instance: sqlite3.Row, name: str) -> bool:
    if name == "account_instances":
        return bool(instance["kind"] == "ORGANIZATION")
    return read_identity_source(context, instance)["type"] in _SOURCES_OF_SETTING.get(name, SOURCE_LABELS)


def _portal_addresses(instance: sqlite3.Row, subdomain: str | None) -> dict[str, Any]:
    url = f"https://{subdomain or instance['identity_store_id']}.awsapps.com/start"
    instance_id = instance["instance_arn"].rpartition("/")[2]
    return {
        "url": url,
        "urls": {"ipv4": url, "dual_stack": f"https://{instance_id}.portal.{instance['region']}.app.aws"},
    }


def _refuse_subdomain(context: Context, before: str | None, after: str | None) -> None:
    if before is not None:
        raise conflict(
            f"The access portal has the subdomain {before!r}, which can be chosen once and not changed."
        )
    if after is None:
        raise validation_error("A subdomain is needed, such as 'practice-portal'; found None.")
    taken = context.row(
        "SELECT 1 FROM console_setting"
        " WHERE name = 'access_portal' AND json_extract(value_json, '$.subdomain') = ?",
        after,
    )
    if taken:
        raise conflict(f"The subdomain {after!r} is taken by another instance; choose another.")


def _unknown_setting(name: str) -> ServiceError:
    if name == "identity_source":
        return validation_error(
            "The identity source is changed with POST identity-source, because it may delete users."
        )
    near = difflib.get_close_matches(name, MODEL_OF_SETTING, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return validation_error(f"There is no setting {name!r}; there are {', '.join(MODEL_OF_SETTING)}.{hint}")


# Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/how-to-connect-idp.html,
# https://docs.oasis-open.org/security/saml/v2.0/saml-metadata-2.0-os.pdf
# The sandbox has no identity provider: it keeps what was exchanged, and sends nobody anywhere.
LARGEST_METADATA = 75_000
_METADATA, _SIGNATURE = "{urn:oasis:names:tc:SAML:2.0:metadata}", "{http://www.w3.org/2000/09/xmldsig#}"
_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_FIELDS = {"sign_in_url": "IdP sign-in URL", "issuer_url": "IdP issuer URL", "certificate": "IdP certificate"}
_SERVICE_PROVIDER = """<?xml version="1.0" encoding="UTF-8"?>
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID={issuer_url}>
  <SPSSODescriptor WantAssertionsSigned="true"
                   protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</NameIDFormat>
    <AssertionConsumerService Binding="{binding}" Location={acs_url} index="0" isDefault="true"/>
  </SPSSODescriptor>
</EntityDescriptor>
"""


def service_provider(instance: dict[str, Any], portal_url: str) -> dict[str, str]:
    """Return what an identity provider needs to know of an instance, as ListInstances shows it."""
    region, store_id = instance["PrimaryRegion"], instance["IdentityStoreId"]
    tenant = uuid.uuid5(uuid.NAMESPACE_URL, instance["InstanceArn"])
    return {
        "sign_in_url": portal_url,
        "acs_url": f"https://{region}.signin.aws/platform/saml/acs/{tenant}",
        "issuer_url": f"https://{region}.signin.aws.amazon.com/platform/saml/{store_id}",
    }


def service_provider_metadata(known: dict[str, str]) -> str:
    """Return the same as a metadata file."""
    named = {name: quoteattr(value) for name, value in known.items()}
    return _SERVICE_PROVIDER.format(binding=_POST, **named)


def identity_provider(given: dict[str, Any]) -> dict[str, str]:
    """Return sign-in URL, issuer URL and certificate of an identity provider, given as file or one by one."""
    values = {name: str(given.get(name) or "").strip() for name in ("metadata", *_FIELDS)}
    if metadata := values.pop("metadata"):
        values = _read_metadata(metadata)
    for name, label in _FIELDS.items():
        if not values[name]:
            raise validation_error(f"{label} is missing. Give the metadata file, or all three values.")
    if not values["sign_in_url"].startswith("https://"):
        raise validation_error(f"{_FIELDS['sign_in_url']} must begin with https://.")
    if len(values["issuer_url"]) > 1024 or len(values["sign_in_url"]) > 2048:
        raise validation_error("An address of the identity provider is too long.")
    return values | {"certificate": _certificate(values["certificate"])}


def _read_metadata(text: str) -> dict[str, str]:
    # Entities are what XML attacks are made of: they need a document type, and no metadata needs one.
    if len(text) > LARGEST_METADATA or "<!DOCTYPE" in text:
        raise validation_error(
            f"IdP SAML metadata must be at most {LARGEST_METADATA:,} characters, without a DOCTYPE."
        )
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  no document type, see above
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise validation_error(f"IdP SAML metadata is no XML: {error}.") from error
    described = root.find(f"{_METADATA}IDPSSODescriptor")
    if root.tag != f"{_METADATA}EntityDescriptor" or described is None:
        wrong = " It describes a service provider, such as Identity Center itself." if "SPSSO" in text else ""
        raise validation_error(f"IdP SAML metadata describes no identity provider (IDPSSODescriptor).{wrong}")
    services = described.findall(f"{_METADATA}SingleSignOnService")
    services.sort(key=lambda one: one.get("Binding") != _POST)
    keys = [one for one in described.findall(f"{_METADATA}KeyDescriptor") if one.get("use") != "encryption"]
    certificates = [one for key in keys for one in key.iter(f"{_SIGNATURE}X509Certificate")]
    return {
        "sign_in_url": services[0].get("Location", "") if services else "",
        "issuer_url": root.get("entityID", ""),
        "certificate": certificates[0].text or "" if certificates else "",
    }


def _certificate(text: str) -> str:
    """Return a certificate in PEM, whether it came so or as base64 alone."""
    from cryptography import x509  # noqa: PLC0415  no start of the sandbox waits for it
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    try:
        inner = re.sub(r"-----(BEGIN|END) CERTIFICATE-----|\s", "", text)
        certificate = x509.load_der_x509_certificate(base64.b64decode(inner, validate=True))
    except (ValueError, x509.InvalidVersion) as error:
        raise validation_error("IdP certificate is no X.509 certificate.") from error
    return certificate.public_bytes(Encoding.PEM).decode()


def certificate_expiry(pem: str) -> float:
    """Return until when a certificate is valid, in seconds since 1970."""
    from cryptography import x509  # noqa: PLC0415

    return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc.timestamp()
