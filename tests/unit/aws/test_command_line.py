"""Which AWS CLI is found, and what is said of it."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import Future

import pytest

from idc_aws.errors import CredentialsError, SandboxError
from idc_aws.signin import terminal
from idc_aws.signin.terminal import (
    CommandLine,
    advice,
    find_command_line,
    find_command_lines,
    known_versions,
    word_in_terminal,
)


def program(folder, version):
    folder.mkdir()
    path = folder / "aws"
    path.write_text(f"#!/bin/sh\necho 'aws-cli/{version} Python/3.11 Linux'\n")
    path.chmod(0o755)
    return str(folder)


def path_of(*folders):
    return os.pathsep.join(folders)


def test_the_first_that_can_sign_in_is_taken(tmp_path):
    folders = [program(tmp_path / name, version) for name, version in (("a", "1.45.11"), ("b", "2.36.7"))]
    found = find_command_line(path_of(*folders))
    assert found is not None
    assert (found.version, found.program) == ((2, 36, 7), str(tmp_path / "b" / "aws"))


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.45.11", "version 1 has neither"),
        ("2.4.0", "needs 2.9"),
        ("2.9.19", "AWS_DATA_PATH"),
        ("2.15.0", "device code"),
        ("2.36.7", "PKCE"),
    ],
)
def test_what_is_said(tmp_path, version, words):
    assert words in advice(find_command_lines(program(tmp_path / "bin", version)))


def test_what_stands_before_it_on_the_path_is_named_with_what_to_type_instead(tmp_path):
    first, second = (
        program(tmp_path / name, version) for name, version in (("a", "1.45.11"), ("b", "2.36.7"))
    )
    found = find_command_lines(path_of(first, second))
    usable = str(tmp_path / "b" / "aws")
    assert advice(found).startswith(
        "The first aws on the path is AWS CLI 1.45.11, which cannot sign in: in a"
    )
    assert (word_in_terminal(found), usable in advice(found)) == (usable, True)
    assert word_in_terminal(find_command_lines(path_of(second, first))) == "aws"
    assert word_in_terminal([]) == "aws"


def test_none_is_said_with_the_remedy(tmp_path):
    assert find_command_lines(str(tmp_path)) == []
    assert "no AWS CLI on the path" in advice([])
    assert "getting-started-install" in advice([])


def test_a_broken_program_is_passed_over(tmp_path):
    folder = program(tmp_path / "bin", "2.36.7")
    (tmp_path / "bin" / "aws").write_text("#!/bin/sh\nexit 3\n")
    assert find_command_line(folder) is None


def test_a_process_that_is_started_knows_the_versions_that_were_asked_for(tmp_path, monkeypatch):
    told = tmp_path / "asked"
    folder = program(tmp_path / "bin", "2.36.7")
    path = tmp_path / "bin" / "aws"
    path.write_text(f"{path.read_text()}echo asked >> {told}\n")
    monkeypatch.setattr(terminal, "_asked", {})
    first = find_command_lines(folder)
    (name, text), *_ = known_versions().items()
    monkeypatch.setenv(name, text)
    monkeypatch.setattr(terminal, "_asked", {})  # as in the process that is started
    assert (find_command_lines(folder), told.read_text()) == (first, "asked\n")
    path.write_text(path.read_text().replace("2.36.7", "1.45.11"))
    monkeypatch.setattr(terminal, "_asked", {})
    assert find_command_line(folder) is None, "another file is asked again"


def test_a_version_that_is_not_answered_yet_is_not_handed_on(tmp_path, monkeypatch):
    monkeypatch.setattr(terminal, "_asked", {})
    assert known_versions() == {}
    monkeypatch.setattr(terminal, "_asked", {("/usr/bin/aws", 1, 2): Future()})
    assert known_versions() == {}


def test_a_sandbox_that_does_not_say_what_a_terminal_needs_is_told_of_in_words(monkeypatch):
    def wait_in_vain(module, arguments, *, timeout_s):
        raise subprocess.TimeoutExpired([module, *arguments], timeout_s)

    monkeypatch.setattr("idc_aws.sandbox.run_module", wait_in_vain)
    with pytest.raises(SandboxError, match="did not answer within"):
        terminal.terminal_of(None)


@pytest.mark.parametrize(("has_one", "who"), [(True, "the AWS CLI"), (False, "boto3")])
def test_a_call_that_takes_too_long_is_told_of_in_words(monkeypatch, has_one, who):
    def wait_in_vain(*given, timeout_s, **_more):
        raise subprocess.TimeoutExpired([*given], timeout_s)

    for name in ("run_command", "run_module"):
        monkeypatch.setattr(terminal, name, wait_in_vain)
    command_line = CommandLine("/usr/bin/aws", (2, 15, 0)) if has_one else None
    place = terminal.Terminal({}, lambda: command_line, "AKIDEXAMPLE")
    with pytest.raises(CredentialsError, match=f"^{who} did not answer within 120 s"):
        place.call("sts", "get-caller-identity", profile="practice")
