"""From a command to the first answer: a sandbox cold, forked from a preloaded process, and moto's server."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_FIRST = {
    "sso": ("application/x-amz-json-1.1", "SWBExternalService.ListInstances", b"{}"),
    "sts": ("application/x-www-form-urlencoded", "", b"Action=GetCallerIdentity&Version=2011-06-15"),
}
# Forks a child for each line that it reads and lets it run the sandbox's command line, as a runner does.
_PRELOADED = """
import gc, os, sys
from idc_sandbox import launcher
launcher.preload()
gc.freeze()
print("ready", flush=True)
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        from idc_sandbox.__main__ import main
        status = main(line.split())
        sys.stdout.flush()
        os._exit(status)
    os.waitpid(pid, 0)
"""


class Start(NamedTuple):
    """How long a start took: on the clock, and in seconds of processor time of the server."""

    wall_s: float
    processor_s: float


def answer(endpoint_url: str, key: str, secret: str, service: str) -> bytes:
    """Send the first call of a service, signed, and return its answer."""
    content_type, target, body = _FIRST[service]
    headers = {"Content-Type": content_type, **({"X-Amz-Target": target} if target else {})}
    request = AWSRequest("POST", f"{endpoint_url}/", data=body, headers=headers)
    SigV4Auth(Credentials(key, secret), service, "us-east-1").add_auth(request)
    signed = urllib.request.Request(f"{endpoint_url}/", data=body, headers=dict(request.headers.items()))
    with urllib.request.urlopen(signed) as response:
        return bytes(response.read())


def start_sandbox(python: str, state: Path) -> dict[str, Any]:
    """Start the sandbox of a Python's packages with new state, and return what it says of itself."""
    command = [python, "-m", "idc_sandbox", "start", "--state", str(state), "--port", "0", "--json"]
    about: dict[str, Any] = json.loads(
        # Elsewhere, or else a checkout that one is in would come before the Python's own packages.
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=state.parent).stdout
    )
    return about


def cold(python: str, service: str) -> Start:
    """Start a sandbox with new state as a person does, and ask it once."""
    with tempfile.TemporaryDirectory(prefix="idc-benchmark-") as name:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        about = start_sandbox(python, Path(name) / "state")
        _ask(about, service)
        wall_s = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        launcher_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        result = Start(wall_s, _processor_s(about["pid"]) + launcher_s)
        stop(Path(name) / "state")
        return result


def forked(process: subprocess.Popen[str], service: str) -> Start:
    """Have a preloaded process fork a sandbox with new state, and ask it once."""
    with tempfile.TemporaryDirectory(prefix="idc-benchmark-") as name:
        assert process.stdin is not None
        assert process.stdout is not None
        start = time.perf_counter()
        print(f"start --state {name}/state --port 0 --json", file=process.stdin, flush=True)
        about = json.loads(process.stdout.readline())
        _ask(about, service)
        result = Start(time.perf_counter() - start, _processor_s(about["pid"]))
        stop(Path(name) / "state")
        return result


@contextmanager
def preloaded(python: str) -> Iterator[subprocess.Popen[str]]:
    """Hold a preloaded process of a Python's packages for the length of a block."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(
        [python, "-c", _PRELOADED], text=True, cwd=tempfile.gettempdir(), **pipes
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        yield process
        process.stdin.close()


def moto() -> Start:
    """Start moto's own server and ask it once who the caller is."""
    start = time.perf_counter()
    with moto_server() as (endpoint_url, process):
        answer(endpoint_url, "AKIAIOSFODNN7EXAMPLE", "none", "sts")
        return Start(time.perf_counter() - start, _processor_s(process.pid))


@contextmanager
def moto_server() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Hold a plain moto server for the length of a block; yields where it listens, and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("moto_server")), "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.002)
        else:
            return
    raise SystemExit("moto_server ended at once")


def stop(state: Path) -> None:
    """Stop the sandbox of a state folder."""
    subprocess.run(
        [sys.executable, "-m", "idc_sandbox", "stop", "--state", str(state)], check=True, capture_output=True
    )


def _ask(about: dict[str, str], service: str) -> None:
    answer(about["endpoint_url"], about["access_key_id"], about["secret_access_key"], service)


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
