"""Finds the sandbox that runs with a state folder, without starting a process.

The state folder is where the sandbox tells of itself: ``server.json`` says where it listens, ``secrets.json``
holds what opens it. Whatever listens there has to prove first that it knows the folder's secret.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import secrets
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

_HOST = "127.0.0.1"
_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class SandboxAddress:
    """A sandbox that answers, and what is needed to use it.

    Attributes
    ----------
    endpoint_url, port, pid, state_folder
        Where it listens (loopback only), which process it is, and where its state is.
    region, account_id
        The Region it starts in and its organization's management account.
    access_key_id, secret_access_key
        The sandbox administrator's key; worth nothing outside of this sandbox.
    control_secret
        Opens the sandbox's own endpoint, under ``/_sandbox/``.
    started
        When, ISO 8601 in UTC.
    state_id
        Which state it serves: a reset makes another one, though ids in it come back.
    """

    endpoint_url: str
    port: int
    pid: int
    state_folder: str
    region: str
    account_id: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    control_secret: str = field(repr=False)
    started: str
    state_id: str


def default_state_folder() -> Path:
    """Return the standing sandbox's folder: ``$IDC_SANDBOX_STATE``, or the platform's place for it."""
    named = os.environ.get("IDC_SANDBOX_STATE")
    if named:
        return Path(named).expanduser()
    import platformdirs  # noqa: PLC0415  only who needs it pays for it

    return Path(platformdirs.user_state_dir("idc-sandbox"))


def find_sandbox(state_folder: str | Path | None = None) -> SandboxAddress | None:
    """Return the sandbox that runs with a state folder, or None; starts and writes nothing.

    Parameters
    ----------
    state_folder
        None: the standing sandbox's.
    """
    folder = (Path(state_folder) if state_folder is not None else default_state_folder()).absolute()
    if not _is_ours(folder):
        return None
    known = {**_object_in(folder / "server.json"), **_object_in(folder / "secrets.json")}
    known |= {"state_folder": str(folder), "endpoint_url": f"http://{_HOST}:{known.get('port')}"}
    try:
        address = SandboxAddress(**{wanted.name: known[wanted.name] for wanted in fields(SandboxAddress)})
    except KeyError:  # it never ran, or another version wrote it: its own command line knows more
        return None
    return address if _lives(address.pid) and _proves(address.port, known.get("health_key")) else None


def _is_ours(folder: Path) -> bool:
    # Somebody else's folder could lead us to somebody else's server.
    try:
        return folder.stat().st_uid == os.geteuid()
    except OSError:
        return False


def _object_in(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _proves(port: int, health_key: Any) -> bool:
    """Return whether what listens answers a challenge as only who knows the folder's health key can."""
    if not isinstance(health_key, str) or not health_key:
        return False
    challenge = secrets.token_hex(16)
    expected = hmac.new(health_key.encode(), f"{port} {challenge}".encode(), hashlib.sha256).hexdigest()
    connection = http.client.HTTPConnection(_HOST, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", f"/_sandbox/health?challenge={challenge}")
        proof = json.loads(connection.getresponse().read())["proof"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False
    finally:
        connection.close()
    return isinstance(proof, str) and hmac.compare_digest(proof.encode(), expected.encode())
