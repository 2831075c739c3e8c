"""Commands of an AWS CLI that is a script of Python: as forks they are what they are as programs."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE_S, is_gone, until

from idc_aws.project import FORKS_VARIABLE
from idc_aws.signin import commands
from idc_aws.signin.commands import CommandForks, run_command, start_at_terminal, start_command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands are forked on Linux")

SCRIPT = """#!{python}
import sys
import os
if os.environ.get("LC_CTYPE", "") == "UTF-8":
    os.environ["LC_CTYPE"] = "en_US.UTF-8"
import awscli.clidriver
def main():
    return awscli.clidriver.main()
if __name__ == "__main__":
    sys.exit(main())
"""
# What the CLI does when it is imported, and what a command of this one does: it runs its first argument.
DRIVER = """
import os, sys
AT_IMPORT = os.path.expanduser("~")
os.environ["SET_BY_IMPORT"] = AT_IMPORT
print(os.getpid(), file=open({imports!r}, "a"))
def main():
    import atexit, json, signal, threading, time
    return eval(compile(sys.argv[1], "command", "exec"), globals() | locals())
"""
SHOW = """
def state():
    streams = [sys.stdin, sys.stdout, sys.stderr]
    texts = [[each.encoding, each.errors, each.line_buffering, each.isatty()] for each in streams]
    handlers = [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM)]
    main = sys.modules["__main__"]
    return dict(environment=dict(os.environ), words=sys.argv, folder=os.getcwd(), path=sys.path, texts=texts,
        handlers=handlers, home=AT_IMPORT, leads=os.getsid(0) == os.getpid(), name=main.__name__,
        file=main.__file__, files=sorted(os.listdir("/proc/self/fd"))[:-1], threads=threading.active_count())
print(json.dumps(state()))
"""


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Return an AWS CLI that is a script of Python, and the environment of its commands."""
    package = tmp_path / "cli" / "awscli"
    package.mkdir(parents=True)
    for name in ("__init__", "handlers"):
        (package / f"{name}.py").touch()
    (package / "clidriver.py").write_text(DRIVER.format(imports=str(tmp_path / "imports")))
    program = package.parent / "aws"
    program.write_text(SCRIPT.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.delenv(FORKS_VARIABLE, raising=False)
    monkeypatch.setattr(commands, "_READY_S", PATIENCE_S)
    environment = {**os.environ, "HOME": str(tmp_path), "IDC_RUN_FOLDER": "a", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONUNBUFFERED", None)
    return str(program), environment


@pytest.fixture
def forks(cli, monkeypatch):
    """Let commands be forks, and return the process of which they are."""
    begun = CommandForks(*cli)
    monkeypatch.setenv(FORKS_VARIABLE, begun.variables[FORKS_VARIABLE])
    yield begun
    begun.close()


def imports(tmp_path):
    """Return the processes that have imported the CLI."""
    return [int(line) for line in (tmp_path / "imports").read_text().split()]


def ran(cli, script, **variables):
    program, environment = cli
    return run_command([program, script], environment=environment | variables, timeout_s=PATIENCE_S)


def both_ways(run, monkeypatch):
    """Return what a function returns with forks, and without."""
    forked = run()
    monkeypatch.delenv(FORKS_VARIABLE)
    return forked, run()


def test_a_fork_has_the_environment_words_folder_and_streams_of_a_program(cli, forks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "cli")
    forked, plain = both_ways(lambda: ran(cli, SHOW, BROWSER="b", IDC_RUN_FOLDER="other"), monkeypatch)
    found, expected = json.loads(forked.stdout), json.loads(plain.stdout)
    assert found["environment"]["BROWSER"] == "b"
    assert found["environment"]["SET_BY_IMPORT"] == found["home"] == str(tmp_path)
    # A program has the session of who starts it; the fork has one of its own, so that it ends as a whole.
    assert (found.pop("leads"), expected.pop("leads")) == (True, False)
    assert found == expected
    assert len(set(imports(tmp_path))) == 2, "each way has imported once"


ENDS = [
    ("return_value = 0", 0),
    ("sys.exit(253)", 253),
    ("sys.exit(-1)", 255),
    ("print('half a line', end=''); sys.exit('words')", 1),
    ("raise ZeroDivisionError('oh')", 1),
    ("os.kill(os.getpid(), signal.SIGTERM)", -15),
    ("atexit.register(print, 'at the end'); sys.exit(3)", 3),
    ("threading.Thread(target=lambda: (time.sleep(0.1), print('a thread'))).start()", 0),
    ("print(os.read(0, 10)); print('é', file=sys.stderr)", 0),
]


@pytest.mark.parametrize(("script", "status"), ENDS)
def test_a_fork_ends_and_speaks_as_a_program(cli, forks, monkeypatch, script, status):
    forked, plain = both_ways(lambda: ran(cli, script), monkeypatch)
    assert (forked.returncode, forked.stdout) == (plain.returncode, plain.stdout)
    assert forked.returncode == status
    last = [each.stderr.splitlines()[-1:] for each in (forked, plain)]
    assert last[0] == last[1]


def test_the_cli_is_imported_once(cli, forks, tmp_path):
    numbers = {ran(cli, "print(os.getpid())").stdout for _ in range(3)}
    assert len(numbers) == 3
    assert len(imports(tmp_path)) == 1


TERMINAL = """
size, tty = os.get_terminal_size(), os.open("/dev/tty", os.O_RDWR)
own = [os.getsid(0), os.tcgetpgrp(tty)] == [os.getpid()] * 2
print(f"<{size.lines} {size.columns} {own} {sys.stdout.line_buffering}>")
print("said " + input("name? "))
"""


def test_a_terminal_is_the_command_s_own(cli, forks, monkeypatch):
    def typed():
        program, environment = cli
        command, screen = start_at_terminal([program, TERMINAL], environment=environment, size=(61, 201))
        said = b""
        while not said.endswith(b"name? "):
            said += os.read(screen, 1000)
        os.write(screen, b"ana\n")
        status = command.wait(PATIENCE_S)
        with contextlib.suppress(OSError):  # nobody has the terminal any more
            while True:
                said += os.read(screen, 1000)
        os.close(screen)
        return status, said.decode().splitlines()

    forked, plain = both_ways(typed, monkeypatch)
    assert forked == plain
    status, lines = forked
    assert (status, lines) == (0, ["<61 201 True True>", "name? ana", "said ana"])


def as_program(cli, tmp_path, **variables):
    """Return whether a command runs as a program: its own process imports, and it runs once."""
    done = ran(cli, "print(os.getpid())", **variables)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) in imports(tmp_path)


def other_home(cli, forks, patch):
    return {"HOME": "/nowhere"}


def more_of_aws(cli, forks, patch):
    return {"AWS_REGION": "eu-west-1"}


def changed(cli, forks, patch):
    os.utime(cli[0], (1, 1))


def ended(cli, forks, patch):
    forks._process.kill()
    forks._process.wait()


def other_program(cli, forks, patch):
    program, address = json.loads(forks.variables[FORKS_VARIABLE])
    patch.setenv(FORKS_VARIABLE, json.dumps([f"{program}2", address]))


def somebody_elses(cli, forks, patch):
    patch.setattr(commands.os, "geteuid", lambda: 12345)


def no_room(cli, forks, patch):
    return {"IDC_LARGE": "x" * 100_000, "IDC_LARGER": "x" * 100_000, "IDC_LARGEST": "x" * 100_000}


ODD = [other_home, more_of_aws, changed, ended, other_program, somebody_elses, no_room]


@pytest.mark.parametrize("odd", ODD)
def test_whatever_is_odd_starts_as_a_program(cli, forks, tmp_path, monkeypatch, odd):
    assert not as_program(cli, tmp_path)
    variables = odd(cli, forks, monkeypatch) or {}
    assert as_program(cli, tmp_path, **variables)


BAD_IMPORTS = {
    "late": "import time; time.sleep(60 if len(sys.argv) == 1 else 0)",
    "no import": "assert len(sys.argv) > 1",
    "a thread": """
import threading
if len(sys.argv) == 1:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
""",
}


@pytest.mark.parametrize("kind", BAD_IMPORTS)
def test_a_process_that_is_not_ready_forks_nothing(cli, tmp_path, monkeypatch, kind):
    driver = tmp_path / "cli" / "awscli" / "clidriver.py"
    driver.write_text(f"{driver.read_text()}\n{BAD_IMPORTS[kind]}\n")
    monkeypatch.setattr(commands, "_READY_S", 0.1 if kind == "late" else PATIENCE_S)
    begun = CommandForks(*cli)
    monkeypatch.setenv(FORKS_VARIABLE, begun.variables[FORKS_VARIABLE])
    assert as_program(cli, tmp_path)
    begun.close()


# The process looks for forks that have ended: here only after one of them has.
LOOKS_LATE = """
look = os.waitpid
def late(pid, options):
    if pid == -1:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    return look(pid, options)
os.waitpid = late
"""


def test_a_client_that_leaves_at_once_does_not_end_the_process(cli, tmp_path, monkeypatch):
    driver = tmp_path / "cli" / "awscli" / "clidriver.py"
    driver.write_text(f"{driver.read_text()}{LOOKS_LATE}")
    begun = CommandForks(*cli)
    monkeypatch.setenv(FORKS_VARIABLE, begun.variables[FORKS_VARIABLE])
    _, address = json.loads(begun.variables[FORKS_VARIABLE])
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(f"\0{address}")
    assert not as_program(cli, tmp_path)
    begun.close()


def test_what_is_no_script_of_an_aws_cli_gets_no_process(cli, tmp_path):
    program, environment = cli
    text = Path(program).read_text()
    for number, other in enumerate(
        ["", "#!/bin/sh\n", "\x7fELF\n", text.replace("awscli", "other"), text[2:]]
    ):
        path = tmp_path / str(number)
        path.write_text(other)
        begun = CommandForks(str(path), environment)
        assert (begun.variables, begun._process) == ({}, None)
        begun.close()
    assert CommandForks(str(tmp_path / "none"), environment).variables == {}


@pytest.mark.parametrize("first", ["#!/usr/bin/env {}", "#!{} -sP", "#! {} -s"])
def test_the_script_s_first_line_says_what_runs_it(cli, tmp_path, monkeypatch, first):
    program, environment = cli
    text = Path(program).read_text().split("\n", 1)[1]
    Path(program).write_text(f"{first.format(sys.executable)}\n{text}")
    # Without its own folder on the path, as -P has it, the CLI is found as any package is.
    variables = {**environment, "PYTHONPATH": str(tmp_path / "cli")}
    begun = CommandForks(program, variables)
    monkeypatch.setenv(FORKS_VARIABLE, begun.variables[FORKS_VARIABLE])
    show = "print(sys.path, sys.flags.no_user_site, sys.flags.safe_path)"
    forked, plain = both_ways(lambda: ran((program, variables), show).stdout, monkeypatch)
    begun.close()
    assert forked == plain


WAITS = "print(os.getpid(), file=open({!r}, 'w'), flush=True); time.sleep(1000)"


def waiting(cli, tmp_path):
    """Return a command that waits, and its process."""
    program, environment = cli
    path = tmp_path / "waits"
    with open(os.devnull, "r+") as nothing:  # noqa: PTH123
        streams = [nothing.fileno()] * 3
        words = [program, WAITS.format(str(path))]
        command = start_command(words, environment=environment, streams=streams)
    return command, int(until(lambda: path.exists() and path.read_text()))


def test_a_command_that_is_killed_is_gone_and_says_so(cli, forks, tmp_path):
    command, pid = waiting(cli, tmp_path)
    assert pid not in imports(tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        command.wait(0.01)
    command.kill()
    assert (command.wait(), command.wait()) == (-9, -9)
    assert is_gone(pid)
    command.kill()


def test_nothing_is_left_of_the_process_and_its_commands(cli, forks, tmp_path):
    command, pid = waiting(cli, tmp_path)
    forks.close()
    assert command.wait() == -9
    until(lambda: is_gone(pid))


OWNER = """
import os, sys, time
from idc_aws.signin.commands import CommandForks, start_command
forks = CommandForks(sys.argv[1], dict(os.environ))
os.environ.update(forks.variables)
nothing = os.open(os.devnull, os.O_RDWR)
command = start_command(sys.argv[1:3], environment=os.environ, streams=[nothing] * 3)
time.sleep(1000)
"""


def test_kill_9_of_who_started_it_leaves_nothing(cli, tmp_path):
    program, environment = cli
    path = tmp_path / "waits"
    words = [sys.executable, "-c", OWNER, program, WAITS.format(str(path))]
    owner = subprocess.Popen(words, env=environment)
    pid = int(until(lambda: path.exists() and path.read_text()))
    (server,) = imports(tmp_path)
    assert pid != server
    owner.kill()
    owner.wait()
    until(lambda: is_gone(pid) and is_gone(server))


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="the system has no files in memory")
def test_what_a_command_says_is_on_no_disk(cli, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    said = ran(cli, "import os; print(os.readlink('/proc/self/fd/1'), os.readlink('/proc/self/fd/2'))")
    assert said.stdout.split() == ["/memfd:said", "(deleted)"] * 2


def test_a_command_that_is_only_asked_whether_it_has_ended_goes_on():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = commands._ForkedCommand(["aws"], ours)
        with pytest.raises(subprocess.TimeoutExpired):
            command.wait(0)
        theirs.send(b"3")
        assert command.wait(0) == 3
