"""A persona as a process: ``python -m idc_sandbox.persona BASE_URL USER_NAME --memory FILE``.

A line of standard input is one JSON object, ``{"do": "sign_in", "with": {…}}``; a line of standard output
answers it, ``{"result": …}`` or ``{"error": "…"}``. It ends with its input. Password and authenticator app
stay in the process, and in the memory file, which only its owner can read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from idc_sandbox.persona.browser import PersonaError
from idc_sandbox.persona.person import Persona
from idc_sandbox.state_folder import read_object, write_private


def main(arguments: list[str] | None = None) -> int:
    """Answer requests until the input ends; return 0."""
    parser = argparse.ArgumentParser(prog="python -m idc_sandbox.persona", description=__doc__)
    parser.add_argument("base_url", help="where the pages are, such as http://localhost:8723")
    parser.add_argument("user_name", help="who it is")
    parser.add_argument("--memory", type=Path, metavar="FILE", help="where it keeps what it has in mind")
    options = parser.parse_args(arguments)
    answer_requests(Persona(options.base_url, options.user_name), sys.stdin, sys.stdout, options.memory)
    return 0


def answer_requests(
    persona: Persona, requests: Iterable[str], answers: TextIO, memory: Path | None = None
) -> None:
    """Answer each line of requests with a line; what the persona has in mind is kept before each answer."""
    if memory is not None:
        memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        persona.recall(read_object(memory) or {})
    for line in requests:
        if line.strip():
            answer = _answer(persona, line)
            if memory is not None:
                write_private(memory, persona.memory)
            print(json.dumps(answer), file=answers, flush=True)


def _answer(persona: Persona, line: str) -> dict[str, Any]:
    try:
        request = json.loads(line)
        return {"result": persona.call(str(request["do"]), **request.get("with", {}))}
    except PersonaError as error:
        return {"error": str(error)}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        return {"error": f"this is not a request: {type(error).__name__}; send {{'do': …, 'with': {{…}}}}"}


if __name__ == "__main__":
    sys.exit(main())
