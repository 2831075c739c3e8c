"""The sandbox's certificate for loopback, for clients that send a bearer token over TLS alone."""

from __future__ import annotations

import datetime
import functools
import os
import shutil
import ssl
import tempfile
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idc_sandbox.state_folder import CERTIFICATES_NAME, cannot_use

if TYPE_CHECKING:
    from cryptography import x509

AUTHORITY_NAME, _SERVER_NAME = "ca.pem", "server.pem"
_LIFETIME = datetime.timedelta(days=3_650)
_CLOCK_TOLERANCE = datetime.timedelta(days=1)
_NAMES = ("localhost",)
_ADDRESSES = ("127.0.0.1", "::1")


def ensure_certificates(folder: Path) -> Path:
    """Return the file with the certificate authority of a state folder; made when it is not there. Writes.

    The authority's own key is thrown away once it has signed the server's certificate, and its certificate is
    limited to loopback: whoever trusts it trusts nothing else.
    """
    made = folder / CERTIFICATES_NAME
    if not (made / AUTHORITY_NAME).exists():
        try:
            _make(folder, made)
        except OSError as error:
            raise cannot_use(made, error) from error
    return made / AUTHORITY_NAME


def _make(folder: Path, made: Path) -> None:
    # Whole or not at all: a program that reads the environment and the server may both make it now.
    unfinished = Path(tempfile.mkdtemp(prefix=f".{CERTIFICATES_NAME}-", dir=folder))
    try:
        authority, server = _sign()
        for name, text in ((AUTHORITY_NAME, authority), (_SERVER_NAME, server)):
            descriptor = os.open(unfinished / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
        try:
            unfinished.rename(made)
        except OSError:
            if not (made / AUTHORITY_NAME).exists():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@functools.cache
def tls_context(folder: Path) -> ssl.SSLContext:
    """Return what the server speaks TLS with."""
    ensure_certificates(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / CERTIFICATES_NAME / _SERVER_NAME)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _sign() -> tuple[bytes, bytes]:
    """Return the authority's certificate, and the server's certificate with its key, as PEM."""
    from cryptography import x509  # noqa: PLC0415  only who speaks TLS waits for it
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = _name(x509, "Identity Center sandbox, loopback only")
    permitted = [
        *(x509.DNSName(name) for name in _NAMES),
        *(x509.IPAddress(ip_network(address)) for address in _ADDRESSES),
    ]
    names = [
        *(x509.DNSName(name) for name in _NAMES),
        *(x509.IPAddress(ip_address(address)) for address in _ADDRESSES),
    ]
    authority_id = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = _certificate(
        authority_key.public_key(),
        authority_key,
        subject=authority_name,
        issuer=authority_name,
        critical=[
            x509.BasicConstraints(ca=True, path_length=0),
            x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None),
            _usage(x509, key_cert_sign=True),
        ],
        others=[authority_id],
    )
    server = _certificate(
        server_key.public_key(),
        authority_key,
        subject=_name(x509, "localhost"),
        issuer=authority_name,
        critical=[x509.BasicConstraints(ca=False, path_length=None), _usage(x509, digital_signature=True)],
        others=[
            x509.SubjectAlternativeName(names),
            x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]),
            x509.SubjectKeyIdentifier.from_public_key(server_key.public_key()),
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_id),
        ],
    )
    key = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = serialization.Encoding.PEM
    return authority.public_bytes(pem), key + server.public_bytes(pem)


def _name(x509: Any, text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _usage(x509: Any, **used: bool) -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**(dict.fromkeys(names, False) | used))


def _certificate(
    public_key: Any, signing_key: Any, *, subject: Any, issuer: Any, critical: list[Any], others: list[Any]
) -> x509.Certificate:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415

    # By the machine's time: clients know no other.
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_TOLERANCE)
        .not_valid_after(now + _LIFETIME)
    )
    for extensions, is_critical in ((critical, True), (others, False)):
        for extension in extensions:
            builder = builder.add_extension(extension, critical=is_critical)
    return builder.sign(signing_key, hashes.SHA256())
