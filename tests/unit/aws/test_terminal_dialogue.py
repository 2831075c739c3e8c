"""A program at prompts as the AWS CLI's: when answers are typed, and how long its browser stays open."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest
from patience import is_gone, until

from idc_aws.errors import RunFailedError
from idc_aws.signin import terminal
from idc_aws.signin.profiles import SsoProfile
from idc_aws.signin.terminal import CommandLine, Terminal, begin_login_of, configure_sso, sso_login

PROFILE = SsoProfile(
    profile_name="practice",
    session_name="practice",
    start_url="https://practice.awsapps.com/start",
    sso_region="us-east-1",
    account_id="333344445555",
    role_name="ReadOnlyAccess",
    region="eu-west-1",
)

# What it has in common with the AWS CLI: a prompt is painted first, and only then are keys read one by one;
# what was typed before is lost. The code is shown, then a browser opened and waited for.
SIGN_IN = """
import os, pathlib, sys, webbrowser
here = pathlib.Path(os.environ["HERE"])
print("Then enter the code:\\n\\nABCD-EFGH", flush=True)
opened = webbrowser.open_new_tab("http://localhost/start/device?user_code=ABCD-EFGH")
print(opened, (here / "answered").exists(), file=(here / "seen").open("a"))
"""
PROMPTS = """
import re, termios, time, tty

def keys():
    before = termios.tcgetattr(0)
    time.sleep(0.05)
    termios.tcflush(0, termios.TCIFLUSH)
    tty.setraw(0)
    typed = ""
    while not re.search("[\\r\\n]$", typed):
        typed += os.read(0, 100).decode()
    termios.tcsetattr(0, termios.TCSANOW, before)
    print(repr(typed), file=(here / "typed").open("a"))

def ask(prompt):
    print(prompt, end="", flush=True)
    keys()

def menu(question, entries):
    print(question)
    rows = [f"  {entry}\\n" for entry in entries]
    print("\\x1b[?25l> " + "".join(rows).lstrip() + "\\x1b[?25h", end="", flush=True)
    keys()
"""
CONFIGURE = """
ask("SSO session name (Recommended): ")
ask("SSO start URL [None]: ")
ask("SSO region [None]: ")
ask("SSO registration scopes [sso:account:access]: ")
{sign_in}
menu("There are 3 AWS accounts available to you.", ["A (111122223333)", "B (333344445555)", "C (666)"])
menu("There are 2 roles available to you.", ["ReadOnlyAccess", "Other"])
ask("CLI default client Region [None]: ")
ask("CLI default output format [None]: ")
ask("CLI profile name [x]: ")
"""


@pytest.fixture
def place(tmp_path):
    """Return what makes a terminal whose `aws` is a script of Python."""

    def make(script):
        program = tmp_path / "aws"
        program.write_text(f"#!{sys.executable}\n{script}")
        program.chmod(0o755)
        variables = {**os.environ, "HERE": str(tmp_path), "HOME": str(tmp_path), "TERM": "dumb"}
        variables["AWS_CONFIG_FILE"] = str(tmp_path / "config")
        command_line = CommandLine(str(program), (2, 9, 19))
        return Terminal(variables, lambda: command_line)

    return make


def answering(folder: Path):
    def approve(code):
        assert code == "ABCD-EFGH"
        (folder / "answered").touch()

    return approve


def test_the_browser_stays_open_until_the_person_has_answered(place, tmp_path):
    assert sso_login(place(SIGN_IN), "practice", answering(tmp_path))
    assert (tmp_path / "seen").read_text() == "True True\n"


def test_a_login_that_is_begun_ahead_is_started_once_and_signs_nobody_in_by_itself(place, tmp_path):
    terminal = place(SIGN_IN.replace('print("Then', '(here / "starts").open("a").write("1")\nprint("Then'))
    begun = begin_login_of(terminal, "practice")
    until((tmp_path / "starts").exists)
    assert not (tmp_path / "seen").exists()
    assert sso_login(terminal, "practice", answering(tmp_path), begun)
    assert (tmp_path / "seen").read_text() == "True True\n"
    assert (tmp_path / "starts").read_text() == "1"


def test_a_login_that_is_begun_and_not_wanted_leaves_no_process(place):
    begun = begin_login_of(place(SIGN_IN), "practice")
    begun.end()
    assert is_gone(begun.dialogue.child.pid)


def test_nothing_of_the_browser_is_left_when_the_person_cannot_answer(place, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    def deny(code):
        raise RunFailedError("nobody is there", remedy="")

    with pytest.raises(RunFailedError, match="nobody is there"):
        sso_login(place(SIGN_IN), "practice", deny)
    assert not list(temporary.iterdir())


def test_each_answer_is_typed_when_it_is_read_and_a_menu_by_its_keys(place, tmp_path):
    script = SIGN_IN.splitlines()[1:3]
    script = "\n".join(script) + PROMPTS + CONFIGURE.format(sign_in="\n".join(SIGN_IN.splitlines()[3:]))
    steps = configure_sso(place(script), PROFILE, answering(tmp_path))
    assert dict(steps)["account"] == "333344445555 (of 3)"
    typed = [line.strip("'").removesuffix("\\n").removesuffix("\\r") for line in _lines(tmp_path / "typed")]
    assert typed == [
        "practice",
        PROFILE.start_url,
        "us-east-1",
        "sso:account:access",
        "\\x1b[B",
        "",
        "eu-west-1",
        "json",
        "practice",
    ]


def _lines(path):
    return path.read_text().splitlines()


def test_what_fails_at_its_end_is_said(place, tmp_path):
    script = SIGN_IN + "\nprint('the token was refused')\nsys.exit(3)\n"
    with pytest.raises(RunFailedError, match=r"ended with status 3: 'the token was refused'"):
        sso_login(place(script), "practice", answering(tmp_path))


def test_who_leaves_the_terminal_and_does_not_end_is_said(place, tmp_path, monkeypatch):
    monkeypatch.setattr(terminal, "_TIMEOUT_S", 3)
    leaves = "\nimport os, time\nfor stream in (0, 1, 2):\n    os.close(stream)\ntime.sleep(60)\n"
    with pytest.raises(RunFailedError, match="closed its terminal and did not end within 3 s"):
        sso_login(place(SIGN_IN + leaves), "practice", answering(tmp_path))
