import os
import socket
import stat
from pathlib import Path

import pytest

from idc_aws.signin.terminal import find_command_line
from idc_runner import checkup
from idc_runner.checkup import Finding
from idc_sandbox.loopback import DEFAULT_PORT

KIT = Path(__file__).parents[3]


def test_a_remedy_stands_below_its_finding():
    found = [
        Finding("ok", "Python", "3.11"),
        Finding("warn", "AWS CLI", "not found", "Install it.\nSee there."),
    ]
    assert "\n".join(map(str, found)).splitlines() == [
        "ok    Python: 3.11",
        "warn  AWS CLI: not found",
        "      → Install it.",
        "      → See there.",
    ]


@pytest.mark.parametrize(("version", "status"), [((3, 10, 9), "fail"), ((3, 11, 0), "ok"), ((4, 0, 0), "ok")])
def test_an_old_python_is_a_failure(version, status):
    assert checkup.python_finding(version, "/usr/bin/python3").status == status


@pytest.mark.parametrize(
    ("says", "status", "words"),
    [
        ("aws-cli/2.36.7 Python/3.13", "ok", "2.36.7"),
        ("aws-cli/2.9.19 Python/3.11", "warn", "is older than 2.13"),
        ("aws-cli/2.4.0 Python/3.11", "warn", "needs 2.9 or newer"),
        ("aws-cli/1.45.11 Python/3.11", "warn", "version 1 has neither"),
        ("something else", "warn", "There is no AWS CLI on the path."),
    ],
)
def test_the_aws_cli_is_judged_by_its_version(tmp_path, monkeypatch, says, status, words):
    program = tmp_path / "aws"
    program.write_text(f"#!/bin/sh\necho '{says}'\n", "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/nowhere")
    finding = checkup.aws_cli_finding()
    assert (finding.status, words in f"{finding.detail} {finding.remedy}") == (status, True)
    assert bool(finding.remedy) == (status != "ok")


def test_no_aws_cli_is_said_with_where_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = checkup.aws_cli_finding()
    assert (finding.status, finding.detail) == ("warn", "none that can sign in")
    assert "https://docs.aws.amazon.com/cli/" in finding.remedy


def test_the_aws_cli_is_the_one_that_notebook_10_finds_behind_one_that_cannot_sign_in(tmp_path, monkeypatch):
    for name, version in (("a", "1.45.11"), ("b", "2.36.7")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "aws").write_text(f"#!/bin/sh\necho 'aws-cli/{version} Python/3.11'\n", "utf-8")
        (tmp_path / name / "aws").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'a'}{os.pathsep}{tmp_path / 'b'}")
    finding = checkup.aws_cli_finding()
    notebook_10 = find_command_line()
    assert finding.detail == f"AWS CLI 2.36.7 ({notebook_10.program})"
    assert (finding.status, f"type {notebook_10.program}" in finding.remedy) == ("warn", True)


def test_the_port_is_the_one_that_the_sandbox_takes():
    assert checkup.SANDBOX_PORT == DEFAULT_PORT


def test_a_port_that_something_else_holds_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("IDC_SANDBOX_STATE", str(tmp_path / "sandbox"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr(checkup, "SANDBOX_PORT", port)
        taken = checkup.sandbox_finding()
    assert taken.status == "warn"
    assert f"port {port} is in use by something else" in taken.detail
    free = checkup.sandbox_finding()
    assert free.status == "ok"
    assert f"port {port} is free" in free.detail
    assert not (tmp_path / "sandbox").exists()


def test_a_place_outside_of_the_kit_is_as_good_as_any(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finding = checkup.folder_finding()
    assert (finding.status, finding.detail) == ("ok", str(KIT))
