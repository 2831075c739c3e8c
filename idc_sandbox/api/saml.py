"""What Identity Center and an identity provider tell each other before people sign in by SAML 2.0."""

# Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/how-to-connect-idp.html,
# https://docs.oasis-open.org/security/saml/v2.0/saml-metadata-2.0-os.pdf
# The sandbox has no identity provider: it keeps what was exchanged, and sends nobody anywhere.

from __future__ import annotations

import base64
import re
import uuid
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from idc_sandbox.errors import validation_error

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
