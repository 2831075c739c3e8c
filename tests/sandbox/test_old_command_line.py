"""Endpoint rules for an AWS CLI v2 that ignores AWS_ENDPOINT_URL, and who gets them."""

from __future__ import annotations

import json
import os

import pytest

from idc_sandbox.old_command_line import is_old_command_line, write_overlay


def program(folder, version):
    folder.mkdir()
    path = folder / "aws"
    path.write_text(f"#!/bin/sh\necho 'aws-cli/{version} Python/3.11 Linux'\n")
    path.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("version", "is_old"), [("2.9.19", True), ("2.12.9", True), ("2.13.0", False), ("2.36.7", False)]
)
def test_old_is_a_v2_below_2_13(tmp_path, version, is_old):
    assert is_old_command_line(tmp_path, program(tmp_path / "bin", version)) is is_old


def test_a_v1_before_it_does_not_count(tmp_path):
    path = ":".join([program(tmp_path / "a", "1.45.11"), program(tmp_path / "b", "2.9.19")])
    assert is_old_command_line(tmp_path, path)
    assert not is_old_command_line(tmp_path, str(tmp_path / "a"))


def test_a_program_is_asked_once_and_again_when_it_is_another_file(tmp_path):
    path = program(tmp_path / "bin", "2.9.19")
    asked = tmp_path / "asked"
    aws = tmp_path / "bin" / "aws"
    aws.write_text(f"{aws.read_text()}echo >>{asked}\n")
    assert is_old_command_line(tmp_path, path)
    assert is_old_command_line(tmp_path, path)
    assert asked.read_text() == "\n"
    newer = program(tmp_path / "newer", "2.36.7")
    (tmp_path / "newer" / "aws").replace(aws)
    assert not is_old_command_line(tmp_path, path)
    assert not is_old_command_line(tmp_path, newer)


def test_a_program_that_says_nothing_is_asked_again(tmp_path):
    path = program(tmp_path / "bin", "2.9.19")
    aws = tmp_path / "bin" / "aws"
    text = aws.read_text()
    aws.write_text("#!/bin/sh\nexit 1\n")
    status = aws.stat()
    assert not is_old_command_line(tmp_path, path)
    aws.write_text(text)
    os.utime(aws, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert is_old_command_line(tmp_path, path)


def test_every_rule_leads_to_the_sandbox(tmp_path):
    overlay = write_overlay(tmp_path, "http://127.0.0.1:8723")
    files = list(overlay.rglob("endpoint-rule-set-1.json"))
    assert {path.parts[-3] for path in files} >= {"sso", "sso-oidc", "sts", "s3", "sso-admin"}
    for path in files:
        for rule in json.loads(path.read_text())["rules"]:
            assert rule["endpoint"]["url"].startswith("http://127.0.0.1:8723")
