"""``idc sandbox …``: the local Identity Center, spoken to as the process that it is."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="The local Identity Center that AWS clients take for AWS. It listens on 127.0.0.1 only.",
    no_args_is_help=True,
)

_State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        help="Its state. [default: $IDC_SANDBOX_STATE, else your user's state folder]",
    ),
]
_Port = Annotated[
    int | None, typer.Option("--port", metavar="N", help="Its port; 0 takes any free one.", min=0, max=65535)
]
_Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", help="For new state: the same seed gives the same ids.", min=0),
]
_PublicUrl = Annotated[
    str | None,
    typer.Option(
        "--public-url",
        metavar="URL",
        help="Where a proxy shows its web pages, such as https://HOST/user/ana/proxy/8723.",
    ),
]
_FrameAncestor = Annotated[
    list[str] | None,
    typer.Option(
        "--frame-ancestor",
        metavar="ORIGIN",
        help="An origin whose pages may frame them, such as http://localhost:8888; repeatable.",
    ),
]
_Organization = Annotated[
    Path | None,
    typer.Option(
        "--organization",
        metavar="FILE",
        help="For new state: its units and accounts, YAML or JSON, such as recipes/organization.yaml.",
    ),
]
_Address = Annotated[
    str | None,
    typer.Option("--address", metavar="EMAIL", help="Open this mailbox only. [default: all of them]"),
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]


def _call(verb: str, as_json: bool, *words: str, **options: object) -> None:
    from idc_aws.sandbox import sandbox_command  # noqa: PLC0415 -- `idc --help` does without

    given = [
        f"--{name.replace('_', '-')}={value}"  # in one word: a value may begin with a dash
        for name, values in options.items()
        for value in (values if isinstance(values, list) else [values])
        if value is not None
    ]
    command = sandbox_command(verb, *given, *words, *(["--json"] if as_json else []))
    raise typer.Exit(subprocess.run(command, check=False).returncode)


@app.command()
def start(
    state: _State = None,
    port: _Port = None,
    seed: _Seed = None,
    *,
    public_url: _PublicUrl = None,
    frame_ancestor: _FrameAncestor = None,
    organization: _Organization = None,
    as_json: _Json = False,
) -> None:
    """Start it in the background, or find the one that runs."""
    options = {"port": port, "seed": seed, "public_url": public_url, "frame_ancestor": frame_ancestor}
    _call("start", as_json, state=state, organization=organization, **options)


@app.command()
def pages(state: _State = None, address: _Address = None, as_json: _Json = False) -> None:
    """Print the addresses of its web pages. Those of mailbox, phone and console work once, for 10 minutes."""
    _call("pages", as_json, state=state, address=address)


@app.command()
def jupyter(as_json: _Json = False) -> None:
    """Print the variables with which a Jupyter Server shows its pages. Use: eval "$(idc sandbox jupyter)"."""
    _call("jupyter", as_json)


@app.command()
def stop(state: _State = None, as_json: _Json = False) -> None:
    """Stop it; its state stays for the next start."""
    _call("stop", as_json, state=state)


@app.command()
def status(state: _State = None, as_json: _Json = False) -> None:
    """Say whether it runs, and where; exit status 1 if not."""
    _call("status", as_json, state=state)


@app.command()
def reset(state: _State = None, seed: _Seed = None, as_json: _Json = False) -> None:
    """Stop it and delete its state. The next start begins with nothing."""
    _call("reset", as_json, state=state, seed=seed)


@app.command()
def clock(
    state: _State = None,
    advance: Annotated[
        str | None,
        typer.Option("--advance", metavar="DURATION", help="How far ahead: 300 seconds, or 90s, 5m, 2h, 7d."),
    ] = None,
    *,
    reset: Annotated[bool, typer.Option("--reset", help="Back to this machine's time.")] = False,
    as_json: _Json = False,
) -> None:
    """Show its clock, or move it ahead. So you see things expire, or a trail delivered."""
    _call("clock", as_json, *(["--reset"] if reset else []), state=state, advance=advance)


@app.command()
def switches(
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=VALUE]...", help="JSON, or 'default'; without one, all are shown."),
    ] = None,
    *,
    state: _State = None,
    as_json: _Json = False,
) -> None:
    """Show its switches, or set some. They are for faults, latency and the like (docs/sandbox.md)."""
    _call("switches", as_json, *(values or []), state=state)


@app.command()
def env(state: _State = None, as_json: _Json = False) -> None:
    """Print the variables that point AWS clients at it. Use: eval "$(idc sandbox env)"."""
    _call("env", as_json, state=state)
