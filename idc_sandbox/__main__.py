"""``python -m idc_sandbox``: start, find, stop and reset a sandbox.

Each command imports what it alone needs: ``status`` and ``env`` must answer at once.
"""

from __future__ import annotations

import argparse
import json
import shlex
import socket
import sys
from pathlib import Path

from idc_sandbox.errors import SandboxStartError
from idc_sandbox.loopback import DEFAULT_PORT, RunningSandbox, find_sandbox, listen, page_links
from idc_sandbox.state_folder import StateFolder, cannot_use, default_path

COMMAND = "python -m idc_sandbox"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status: 0, or 1 when it could not be done or nothing runs."""
    options = _parser().parse_args(arguments)
    options.is_alone = arguments is None
    folder = StateFolder(Path(options.state) if options.state else default_path())
    try:
        return int(options.command(options, folder))
    except SandboxStartError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {cannot_use(Path(error.filename or folder.path), error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="A local Identity Center that AWS clients take for AWS. It listens on 127.0.0.1 only.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(
        commands,
        _start,
        "start",
        "start it in the background, or find the one that runs",
        "port",
        "seed",
        "public",
        "json",
    )
    _add(commands, _stop, "stop", "stop it; its state stays", "json")
    _add(commands, _status, "status", "tell whether it runs, and where", "json")
    _add(commands, _reset, "reset", "stop it and start over with empty state", "seed", "json")
    _add(commands, _env, "env", "print the variables that point AWS clients at it", "json")
    _add(
        commands,
        _pages,
        "pages",
        "print the addresses of its web pages, with links that open mailbox and settings once, in 10 minutes",
        "address",
        "json",
    )
    _add(
        commands,
        _jupyter,
        "jupyter",
        "print the variables that let a Jupyter Server show its web pages, through jupyter-server-proxy",
        "json",
    )
    _add(commands, _serve, "serve", "serve in the foreground", "port", "seed", "public", "listener")
    return parser


def _add(commands: argparse._SubParsersAction, command: object, name: str, text: str, *options: str) -> None:
    parser = commands.add_parser(name, help=text, description=f"{text.capitalize()}.")
    parser.set_defaults(command=command)
    state_help = "the folder that holds its state (default: $IDC_SANDBOX_STATE, or your user's state folder)"
    parser.add_argument("--state", metavar="DIR", help=state_help)
    if "port" in options:
        port_help = f"default: {DEFAULT_PORT}; 0 takes any free one"
        parser.add_argument("--port", type=_port, metavar="N", help=port_help)
    if "seed" in options:
        parser.add_argument(
            "--seed", type=_seed, metavar="N", help="for new state: the same seed gives the same ids"
        )
    if "public" in options:
        public_help = "where a proxy shows the web pages, such as https://HOST/user/ana/proxy/8723"
        parser.add_argument("--public-url", metavar="URL", help=public_help)
        frame_help = "an origin whose pages may frame them, such as http://localhost:8888; repeatable"
        parser.add_argument(
            "--frame-ancestor", metavar="ORIGIN", action="append", default=[], help=frame_help
        )
    if "address" in options:
        parser.add_argument("--address", metavar="EMAIL", help="open this mailbox only (default: all)")
    if "json" in options:
        parser.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    if "listener" in options:
        # What `start` hands over: the socket that clients reach, and its lock until the server has its own.
        for option in ("--listener", "--start-lock"):
            parser.add_argument(option, type=int, help=argparse.SUPPRESS)


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


def _start(options: argparse.Namespace, folder: StateFolder) -> int:
    from idc_sandbox import launcher  # noqa: PLC0415

    sandbox = launcher.start(
        folder,
        port=options.port,
        seed=options.seed,
        public_url=options.public_url,
        frame_ancestors=options.frame_ancestor,
        is_alone=options.is_alone,
        run_in_fork=main,
    )
    if options.json:
        print(json.dumps(sandbox._asdict()))
    else:
        print(_sentence(sandbox))
        print(
            f'Point a shell at it with: eval "$({COMMAND} env --state {shlex.quote(sandbox.state_folder)})"'
        )
    return 0


def _sentence(sandbox: RunningSandbox) -> str:
    place = f"process {sandbox.pid}, state in {sandbox.state_folder}"
    return f"The sandbox runs at {sandbox.endpoint_url} ({place})."


def _status(options: argparse.Namespace, folder: StateFolder) -> int:
    sandbox = find_sandbox(folder)
    if options.json:
        about = sandbox._asdict() if sandbox else {"state_folder": str(folder.path)}
        print(json.dumps({"running": sandbox is not None, **about}))
    elif sandbox:
        print(_sentence(sandbox))
    else:
        print(_nothing_runs(folder))
    return 0 if sandbox else 1


def _nothing_runs(folder: StateFolder) -> str:
    state = shlex.quote(str(folder.path))
    return f"no sandbox runs with state in {state}. Start one with: {COMMAND} start --state {state}"


def _env(options: argparse.Namespace, folder: StateFolder) -> int:
    from idc_sandbox.environment import environment, variables_to_unset  # noqa: PLC0415

    sandbox = find_sandbox(folder)
    if sandbox is None:
        raise SandboxStartError(_nothing_runs(folder))
    variables = environment(sandbox)
    if options.json:
        print(json.dumps(variables))
        return 0
    print(f"unset {' '.join(variables_to_unset(variables))}")
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _pages(options: argparse.Namespace, folder: StateFolder) -> int:
    sandbox = find_sandbox(folder)
    links = sandbox and page_links(sandbox, address=options.address)
    if links is None:
        raise SandboxStartError(_nothing_runs(folder))
    if options.json:
        print(json.dumps(links))
        return 0
    for name in ("portal_url", "mailbox_url", "settings_url"):
        print(f"{name.removesuffix('_url'):<9} {links[name]}")
    return 0


def _jupyter(options: argparse.Namespace, _folder: StateFolder) -> int:
    from idc_sandbox import jupyter  # noqa: PLC0415

    variables = jupyter.jupyter_environment()
    if options.json:
        print(json.dumps(variables))
        return 0
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _stop(options: argparse.Namespace, folder: StateFolder) -> int:
    from idc_sandbox import launcher  # noqa: PLC0415

    stopped = launcher.stop(folder)
    if options.json:
        print(json.dumps({"stopped": stopped}))
    else:
        print("The sandbox is stopped; its state is kept." if stopped else "No sandbox was running.")
    return 0


def _reset(options: argparse.Namespace, folder: StateFolder) -> int:
    from idc_sandbox import launcher  # noqa: PLC0415

    deleted = launcher.reset(folder, seed=options.seed)
    if options.json:
        print(json.dumps({"deleted": deleted, "seed": launcher.state_seed(folder)}))
    else:
        print(f"The state in {folder.path} is empty again (seed {launcher.state_seed(folder)}).")
        print("It has new keys: open new terminals, and restart the kernels of notebooks that are open.")
    return 0


def _serve(options: argparse.Namespace, folder: StateFolder) -> int:
    from idc_sandbox.launcher import require_seed  # noqa: PLC0415
    from idc_sandbox.server import serve  # noqa: PLC0415

    in_foreground = options.listener is None
    if in_foreground:  # otherwise `start` has prepared the folder, holds its lock, and waits for us
        folder.prepare()
    require_seed(folder, options.seed)
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
        say=_say if in_foreground else None,
        start_lock=options.start_lock,
    )
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
