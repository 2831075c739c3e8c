"""Batches on a real scheduler with real worker processes, one of which is killed while it works."""

import datetime
import importlib
import io
import ipaddress
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dask
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from patience import PATIENCE_S, until
from tiny_batch import KIT, make_batch

from idc_aws.errors import InvalidValueError, RunFailedError
from idc_runner.batch.batch import BatchRequest, run_batch
from idc_runner.batch.cluster import cluster_client

# Notebooks of one cell each; the first attempt of the one called `waits` never ends by itself.
NOTEBOOK = """\
import os, time
from pathlib import Path
here = Path(run_folder)
with (here.parent.parent / "attempts.txt").open("a") as file:
    file.write(f"{here.name} {os.getppid()} {os.environ.get('IDC_PACING_MACHINES')}\\n")
if here.name == "waits" and not (here.parent.parent / "killed").exists():
    time.sleep(600)
"""


def ended(process):
    process.send_signal(signal.SIGINT)
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# In place of a sandbox, which these jobs do not use.
WITHOUT_TARGET = """\
from idc_runner.batch import workers
workers._target = lambda prepared, state: ("nowhere", "")
"""


def address_in(file):
    """Return the address that a scheduler wrote; none while its file is absent or half-written."""
    try:
        return json.loads(file.read_text("utf-8"))["address"]
    except (FileNotFoundError, json.JSONDecodeError):
        return None


@contextmanager
def cluster(folder, environment, protocol="tcp", workers=2):
    """Run a scheduler and workers as people start them; yield the scheduler's address."""
    file, preload = folder / "scheduler.json", folder / "without_target.py"
    preload.write_text(WITHOUT_TARGET, "utf-8")
    common = ["--scheduler-file", str(file), "--protocol", protocol, "--host", "127.0.0.1"]
    local = ["--local-directory", str(folder), "--preload", str(preload)]
    commands = [
        ["scheduler", "--port", "0", "--no-dashboard", *common],
        ["worker", "--nthreads", "1", "--nworkers", str(workers), "--no-dashboard", *local, *common],
    ]
    processes = []
    try:
        for words in commands:
            with (folder / f"{words[0]}.log").open("wb") as log:
                command = [sys.executable, "-m", "dask", *words]
                variables = {**os.environ, "PYTHONPATH": str(KIT), **environment}
                processes.append(subprocess.Popen(command, env=variables, stdout=log, stderr=log))
            address = until(lambda: address_in(file), "the scheduler's start")
        yield address
    finally:
        for process in reversed(processes):
            ended(process)


def batch_of(folder, names):
    """Return the request for a table of jobs that run one tiny notebook."""
    project, table = make_batch(folder, NOTEBOOK, names)
    return BatchRequest(project, table, out=folder / "out")


def counted(out):
    lines = (out / "journal.jsonl").read_text("utf-8").splitlines()
    return sorted(json.loads(line)["job"] for line in lines)


def attempts(out):
    path = out / "attempts.txt"
    return [line.split() for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def parent_of(pid):
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("PPid:"):
            return int(line.split()[1])
    raise AssertionError(pid)


def test_a_worker_that_is_killed_loses_nothing(tmp_path):
    names = ["waits", "j0", "j1", "j2"]
    request, out = batch_of(tmp_path, names), tmp_path / "out"

    def kill_the_one_that_waits():
        preloaded = until(lambda: next((int(a[1]) for a in attempts(out) if a[0] == "waits"), None))
        worker = parent_of(preloaded)
        (out / "killed").touch()
        os.kill(worker, signal.SIGKILL)
        return preloaded

    with cluster(tmp_path, {}) as address, ThreadPoolExecutor() as threads:
        killed = threads.submit(kill_the_one_that_waits)
        log = io.StringIO()
        outcome = run_batch(replace(request, scheduler=address), log)
        assert outcome.exit_status == 0, log.getvalue()
        until(lambda: not Path(f"/proc/{killed.result()}").exists())
    assert counted(out) == sorted(names)
    done = [name for name, *_ in attempts(out)]
    assert done.count("waits") == 2
    assert {machines for *_, machines in attempts(out)} == {"1"}
    assert all((out / "jobs" / name / "index.html").exists() for name in names)
    assert not [path for path in out.rglob(".*") if path.is_file()]


def certificate(folder):
    """Make a key and a certificate that signs itself, for the host 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "batch")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "tls.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return {
        "ca-file": str(folder / "tls.crt"),
        **{
            f"{who}.{what}": str(folder / f"tls.{ending}")
            for who in ("scheduler", "worker", "client")
            for what, ending in (("cert", "crt"), ("key", "key"))
        },
    }


def test_a_cluster_that_speaks_tls_is_reached_as_dasks_configuration_says(tmp_path):
    request = batch_of(tmp_path, ["one"])
    importlib.import_module("distributed")  # its configuration is there once it is
    settings = certificate(tmp_path)
    variables = {
        f"DASK_DISTRIBUTED__COMM__TLS__{key.replace('.', '__').replace('-', '_').upper()}": value
        for key, value in settings.items()
    }
    with cluster(tmp_path, variables, "tls", workers=1) as address:
        assert address.startswith("tls://")
        with dask.config.set({f"distributed.comm.tls.{key}": value for key, value in settings.items()}):
            outcome = run_batch(replace(request, scheduler=address), io.StringIO())
        with pytest.raises(RunFailedError, match="does not answer"), cluster_client(address):
            pass
    assert outcome.exit_status == 0
    assert counted(tmp_path / "out") == ["one"]


def test_a_scheduler_that_does_not_answer_is_said_in_words(monkeypatch):
    monkeypatch.setattr("idc_runner.batch.cluster._CONNECT_S", 1)
    with pytest.raises(RunFailedError, match="does not answer"), cluster_client("tcp://127.0.0.1:9"):
        pass


@pytest.mark.parametrize("address", ["127.0.0.1:8786", "http://x:1", "tcp://"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(InvalidValueError, match="not the address"), cluster_client(address):
        pass


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(RunFailedError, match=r"\[cluster\]"), cluster_client("tcp://127.0.0.1:9"):
        pass
