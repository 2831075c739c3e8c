"""``python -m idc_sandbox``: start, find, stop and reset a sandbox."""

from __future__ import annotations

import argparse
import datetime
import json
import re
import shlex
import signal
import socket
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from idc_sandbox.errors import SandboxStartError, ServiceError
from idc_sandbox.loopback import DEFAULT_PORT, RunningSandbox, control, find_sandbox, listen, page_links
from idc_sandbox.state_folder import StateFolder, cannot_use, default_path

# Each command imports what it alone needs: ``status`` and ``env`` must answer at once.

COMMAND = "python -m idc_sandbox"
TYPED = "idc sandbox"  # the same as people type it


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as all commands do: `idc sandbox` hands its words over to this one."""

    def error(self, message: str) -> NoReturn:
        say = message.removeprefix("argument ")
        self.exit(2, f"error: {say}\nFor help: {self.prog} --help\n")


class _Answer(NamedTuple):
    """What a command says: to a program, and to a person."""

    values: Mapping[str, Any]
    text: str
    status: int = 0


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status: 0, or 1 when it could not be done or nothing runs."""
    options = _PARSER.parse_args(arguments)
    options.is_alone = arguments is None
    folder = StateFolder(Path(options.state) if options.state else default_path())
    try:
        answer: _Answer | None = options.command(options, folder)
    except (SandboxStartError, ServiceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {cannot_use(Path(error.filename or folder.path), error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if answer is None:
        return 0
    print(json.dumps(answer.values) if options.json else answer.text, flush=True)
    if getattr(options, "until_eof", False):
        return _hold(folder)
    return answer.status


def _parser() -> argparse.ArgumentParser:
    options: dict[str, dict[str, Any]] = {
        "--state": {
            "metavar": "DIR",
            "help": "the folder that holds its state "
            "(default: $IDC_SANDBOX_STATE, or your user's state folder)",
        },
        "--port": {"type": _port, "metavar": "N", "help": f"default: {DEFAULT_PORT}; 0 takes any free one"},
        "--seed": {
            "type": _seed,
            "metavar": "N",
            "help": "for new state: the same seed gives the same ids",
        },
        "--public-url": {
            "metavar": "URL",
            "help": "where a proxy shows the web pages, such as https://HOST/user/ana/proxy/8723",
        },
        "--frame-ancestor": {
            "metavar": "ORIGIN",
            "action": "append",
            "default": [],
            "help": "an origin whose pages may frame them, such as http://localhost:8888; repeatable",
        },
        "--organization": {
            "type": Path,
            "metavar": "FILE",
            "help": "for new state: its units and accounts, YAML or JSON (docs/sandbox.md)",
        },
        "--until-eof": {
            "action": "store_true",
            "help": "stay, and stop the sandbox when standard input ends: for programs that test with it",
        },
        "--address": {"metavar": "EMAIL", "help": "open this mailbox only (default: all)"},
        "--advance": {
            "type": _duration,
            "metavar": "DURATION",
            "help": "how far ahead: 300 seconds, or 90s, 5m, 2h, 7d",
        },
        "--reset": {"action": "store_true", "help": "back to this machine's time"},
        "values": {
            "nargs": "*",
            "type": _switch,
            "metavar": "NAME=VALUE",
            "help": "JSON, or 'default'; without one, show all",
        },
        "--json": {"action": "store_true", "help": "print one JSON object, for programs"},
        # What `start` hands over: the socket that clients reach, and its lock until the server has its own.
        "--listener": {"type": int, "help": argparse.SUPPRESS},
        "--start-lock": {"type": int, "help": argparse.SUPPRESS},
    }
    parser = _Parser(
        prog=COMMAND,
        description="A local Identity Center that AWS clients take for AWS. It listens on 127.0.0.1 only.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command, taken in (
        (_start, "--port --seed --public-url --frame-ancestor --organization --until-eof --json"),
        (_stop, "--json"),
        (_status, "--json"),
        (_reset, "--seed --json"),
        (_env, "--json"),
        (_pages, "--address --json"),
        (_jupyter, "--json"),
        (_clock, "--advance --reset --json"),
        (_switches, "values --json"),
        (_serve, "--port --seed --public-url --frame-ancestor --organization --listener --start-lock"),
    ):
        about = str(command.__doc__).removesuffix(".")
        one = commands.add_parser(
            command.__name__.removeprefix("_"),
            help=f"{about[0].lower()}{about[1:]}",
            description=f"{about}.",
        )
        one.set_defaults(command=command)
        for option in ("--state", *taken.split()):
            one.add_argument(option, **options[option])
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 0 to 65535")
    return int(text)


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a seed: give a whole number from 0 with at most 18 digits"
        )
    return int(text)


_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def _duration(text: str) -> float:
    found = re.fullmatch(r"(\d{1,20}(?:\.\d{1,3})?)([smhd]?)", text, re.ASCII)
    if found is None or not float(found[1]):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a length of time: give seconds, or a number with s, m, h or d, such as 5m"
        )
    return float(found[1]) * _SECONDS[found[2]]


def _switch(text: str) -> tuple[str, Any]:
    """Return a switch's name and value; None sets the default."""
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} sets no switch: write NAME=VALUE, such as latency_s=0.5")
    try:
        return name, None if value == "default" else json.loads(value)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"the value of {name} is not JSON: {value!r}. Write a number, true, false, a list such as "
            "'[\"reason\"]', or default"
        ) from None


def _start(options: argparse.Namespace, folder: StateFolder) -> _Answer:
    """Start it in the background, or find the one that runs."""
    from idc_sandbox import launcher  # noqa: PLC0415

    sandbox = launcher.start(
        folder,
        port=options.port,
        seed=options.seed,
        public_url=options.public_url,
        frame_ancestors=options.frame_ancestor,
        organization=options.organization,
        is_alone=options.is_alone,
        run_in_fork=main,
    )
    command = f'eval "$({_typed("env", folder)})"'
    return _Answer(sandbox._asdict(), f"{_sentence(sandbox)}\nPoint a shell at it with: {command}")


def _hold(folder: StateFolder) -> int:
    """Stop the sandbox when standard input ends, as it does with whoever holds it, or at a signal."""
    from idc_sandbox import launcher  # noqa: PLC0415

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    try:
        sys.stdin.buffer.read()
    finally:
        launcher.stop(folder)
    return 0


def _typed(command: str, folder: StateFolder) -> str:
    """Return what a person types for a command; the folder is named where it is not the one found without."""
    path = folder.path.absolute()
    state = "" if path == default_path().absolute() else f" --state {shlex.quote(str(path))}"
    return f"{TYPED} {command}{state}"


def _sentence(sandbox: RunningSandbox) -> str:
    place = f"process {sandbox.pid}, state in {sandbox.state_folder}"
    return f"The sandbox runs at {sandbox.endpoint_url} ({place})."


def _status(_options: argparse.Namespace, folder: StateFolder) -> _Answer:
    """Tell whether it runs, and where."""
    sandbox = find_sandbox(folder)
    if sandbox is None:
        text = _nothing_runs(folder)
        return _Answer(
            {"running": False, "state_folder": str(folder.path)}, f"{text[0].upper()}{text[1:]}", 1
        )
    return _Answer({"running": True, **sandbox._asdict()}, _sentence(sandbox))


def _nothing_runs(folder: StateFolder) -> str:
    return f"no sandbox runs with state in {folder.path}. Start one with: {_typed('start', folder)}"


def _found(folder: StateFolder) -> RunningSandbox:
    sandbox = find_sandbox(folder)
    if sandbox is None:
        raise SandboxStartError(_nothing_runs(folder))
    return sandbox


def _env(options: argparse.Namespace, folder: StateFolder) -> _Answer:
    """Print the variables that point AWS clients at it."""
    from idc_sandbox.environment import environment, variables_to_unset  # noqa: PLC0415

    sandbox = find_sandbox(folder)
    if sandbox is None:
        if not options.json:
            print("false")  # `eval` of nothing would succeed, and a script go on with the keys of AWS
        raise SandboxStartError(_nothing_runs(folder))
    variables = environment(sandbox)
    return _Answer(variables, f"unset {' '.join(variables_to_unset(variables))}\n{_exports(variables)}")


def _exports(variables: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def _pages(options: argparse.Namespace, folder: StateFolder) -> _Answer:
    """Print the addresses of its web pages, with links that work once for mailbox, phone and console."""
    links = page_links(_found(folder), address=options.address)
    if links is None:
        raise SandboxStartError(_nothing_runs(folder))
    names = ("portal_url", "mailbox_url", "phone_url", "console_url")
    return _Answer(links, "\n".join(f"{name.removesuffix('_url'):<9} {links[name]}" for name in names))


def _jupyter(_options: argparse.Namespace, _folder: StateFolder) -> _Answer:
    """Print the variables that let a Jupyter Server show its web pages, through jupyter-server-proxy."""
    from idc_sandbox.jupyter import jupyter_environment  # noqa: PLC0415

    variables = jupyter_environment()
    return _Answer(variables, _exports(variables))


def _clock(options: argparse.Namespace, folder: StateFolder) -> _Answer:
    """Show its clock, or move it ahead: to see things expire, or a trail delivered."""
    if options.advance and options.reset:
        raise SandboxStartError("give --advance or --reset, not both.")
    body = {"reset": True} if options.reset else {"advance_s": options.advance} if options.advance else None
    clock = control(_found(folder), "GET" if body is None else "POST", "clock", body)
    moment = datetime.datetime.fromtimestamp(clock["now"], datetime.UTC).isoformat(" ", "seconds")
    ahead = datetime.timedelta(seconds=round(clock["offset_s"]))
    text = f"Its clock says {moment}" + (f", {ahead} ahead of this machine's." if ahead else ".")
    return _Answer(clock, text)


def _switches(options: argparse.Namespace, folder: StateFolder) -> _Answer:
    """Show its switches, or set some: faults, latency and the like (docs/sandbox.md)."""
    wanted = dict(options.values)
    switches = control(_found(folder), "PUT" if wanted else "GET", "switches", wanted or None)
    lines = [f"{name}={json.dumps(value)}" for name, value in switches.items()]
    return _Answer(switches, "\n".join(lines))


def _stop(_options: argparse.Namespace, folder: StateFolder) -> _Answer:
    """Stop it; its state stays."""
    from idc_sandbox import launcher  # noqa: PLC0415

    stopped = launcher.stop(folder)
    text = "The sandbox is stopped; its state is kept." if stopped else "No sandbox was running."
    return _Answer({"stopped": stopped}, text)


def _reset(options: argparse.Namespace, folder: StateFolder) -> _Answer:
    """Stop it and start over with empty state."""
    from idc_sandbox import launcher  # noqa: PLC0415

    deleted, seed = launcher.reset(folder, seed=options.seed), launcher.state_seed(folder)
    return _Answer(
        {"deleted": deleted, "seed": seed},
        f"The state in {folder.path} is empty again (seed {seed}).\n"
        "It has new keys: open new terminals, and restart the kernels of notebooks that are open.",
    )


def _serve(options: argparse.Namespace, folder: StateFolder) -> None:
    """Serve in the foreground."""
    from idc_sandbox.launcher import require_organization, require_seed  # noqa: PLC0415
    from idc_sandbox.organization import read_organization  # noqa: PLC0415
    from idc_sandbox.server import serve  # noqa: PLC0415

    in_foreground = options.listener is None
    if in_foreground:  # otherwise `start` has prepared the folder, holds its lock, and waits for us
        folder.prepare()
    require_seed(folder, options.seed)
    wanted = None if options.organization is None else read_organization(options.organization)
    require_organization(folder, wanted)
    if in_foreground:
        listener = listen(DEFAULT_PORT if options.port is None else options.port)
    else:
        listener = socket.socket(fileno=options.listener)
    serve(
        folder,
        listener,
        seed=options.seed,
        public_url=options.public_url,
        frame_ancestors=options.frame_ancestor,
        organization=wanted,
        say=partial(print, file=sys.stderr, flush=True) if in_foreground else None,
        start_lock=options.start_lock,
    )


_PARSER = _parser()  # made once: the server's process is a fork of the one that starts it, and has it

if __name__ == "__main__":
    sys.exit(main())
