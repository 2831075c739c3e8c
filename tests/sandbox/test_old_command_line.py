"""Endpoint rules for an AWS CLI v2 that ignores AWS_ENDPOINT_URL, and who gets them."""

from __future__ import annotations

import json

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
    assert is_old_command_line(program(tmp_path / "bin", version)) is is_old


def test_a_v1_before_it_does_not_count(tmp_path):
    path = ":".join([program(tmp_path / "a", "1.45.11"), program(tmp_path / "b", "2.9.19")])
    assert is_old_command_line(path)
    assert not is_old_command_line(str(tmp_path / "a"))


def test_every_rule_leads_to_the_sandbox(tmp_path):
    overlay = write_overlay(tmp_path, "http://127.0.0.1:8723")
    files = list(overlay.rglob("endpoint-rule-set-1.json"))
    assert {path.parts[-3] for path in files} >= {"sso", "sso-oidc", "sts", "s3", "sso-admin"}
    for path in files:
        for rule in json.loads(path.read_text())["rules"]:
            assert rule["endpoint"]["url"].startswith("http://127.0.0.1:8723")
