"""The environment that points AWS clients at a sandbox, with the certificate that they trust."""

from __future__ import annotations

import datetime
import functools
import json
import os
import shutil
import ssl
import tempfile
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from idc_sandbox.loopback import RunningSandbox
from idc_sandbox.packaged import packaged_text
from idc_sandbox.state_folder import CERTIFICATES_NAME, HOME_NAME, cannot_use
from idc_sandbox.wire.models import data_folders

if TYPE_CHECKING:
    from cryptography import x509


AUTHORITY_NAME, _SERVER_NAME = "ca.pem", "server.pem"
_LIFETIME = datetime.timedelta(days=3_650)
_CLOCK_TOLERANCE = datetime.timedelta(days=1)
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
    localhost = x509.DNSName("localhost")
    permitted = [localhost, *(x509.IPAddress(ip_network(address)) for address in _ADDRESSES)]
    names = [localhost, *(x509.IPAddress(ip_address(address)) for address in _ADDRESSES)]
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


OVERLAY_NAME = "aws_data"
_RULES = "endpoint-rule-set-1.json"
_GLOBAL = ("iam", "organizations")


def write_endpoint_rules(folder: Path, endpoint_url: str) -> Path:
    """Write endpoint rules that lead to a sandbox, and return the folder for ``AWS_DATA_PATH``. Writes."""
    overlay = folder / OVERLAY_NAME
    found = [path.parts for folder in data_folders() for path in folder.glob(f"*/*/{_RULES}.gz")]
    services = sorted({(service, version) for *_, service, version, _ in found})
    mark = overlay / "written_for.json"
    wanted = json.dumps([endpoint_url, services])
    if mark.exists() and mark.read_text("utf-8") == wanted:
        return overlay
    templates = json.loads(packaged_text("data/endpoint_rules.json"))
    for service, version in services:
        kind = "s3" if service == "s3" else "global" if service in _GLOBAL else "regional"
        rules = Template(json.dumps(templates[kind])).substitute(endpoint_url=endpoint_url, service=service)
        path = overlay / service / version / _RULES
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rules, "utf-8")
    mark.write_text(wanted, "utf-8")
    return overlay


UNSET_VARIABLES = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)
_LOOPBACK = "localhost,127.0.0.1,::1"


def environment(sandbox: RunningSandbox) -> dict[str, str]:
    """Return the environment variables that point an AWS client at a sandbox, and at nothing else. Writes."""
    # Shared configuration and credentials files are replaced, so that no profile of the user's leads a client
    # out of the sandbox; every other ``AWS_`` variable must be unset as well (`variables_to_unset`). ``HOME``
    # is the sandbox's own, because clients keep tokens below it whatever the other variables say, and send
    # all of them where ``aws sso logout`` leads; below it `idc` would look for another state folder.
    # What still asks for another host, such as a client that was given one, goes to the sandbox as a proxy,
    # which refuses it: nothing reaches AWS.
    folder = Path(sandbox.state_folder)
    home = folder / HOME_NAME
    (home / ".aws").mkdir(mode=0o700, parents=True, exist_ok=True)
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), sandbox.endpoint_url)
    proxies["NO_PROXY"] = _LOOPBACK
    return {
        "HOME": str(home),
        "IDC_SANDBOX_STATE": str(folder),
        "AWS_ENDPOINT_URL": sandbox.endpoint_url,
        "AWS_DATA_PATH": str(write_endpoint_rules(folder, sandbox.endpoint_url)),
        # Clients send this service's bearer token over TLS alone, and to nobody whom they do not know.
        "AWS_ENDPOINT_URL_ACCOUNT_ACCESS_RUNTIME": sandbox.endpoint_url.replace("http:", "https:", 1),
        "AWS_CA_BUNDLE": str(ensure_certificates(folder)),
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",  # a name before 127.0.0.1 would be looked up elsewhere
        "AWS_ACCESS_KEY_ID": sandbox.access_key_id,
        "AWS_SECRET_ACCESS_KEY": sandbox.secret_access_key,
        "AWS_REGION": sandbox.region,
        "AWS_DEFAULT_REGION": sandbox.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws" / "credentials"),
        # Programs read one writing or the other, and the lower case first.
        **proxies,
        **{name.lower(): value for name, value in proxies.items()},
    }


def variables_to_unset(variables: Mapping[str, str], inherited: Mapping[str, str] = os.environ) -> list[str]:
    """Return the AWS variables that a terminal may have and that must not lead its clients elsewhere."""
    # Such as ``AWS_ENDPOINT_URL_S3``, which goes before ``AWS_ENDPOINT_URL``, or a container's credentials.
    inherited_names = [name for name in inherited if name.startswith("AWS_") and name.isidentifier()]
    return sorted({*UNSET_VARIABLES, *inherited_names} - set(variables))
