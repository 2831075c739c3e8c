"""A persona as a process: ``python -m idc_sandbox.persona BASE_URL USER_NAME``.

A line of standard input is one JSON object, ``{"do": "sign_in", "with": {…}}``; a line of standard output answers
it, ``{"result": …}`` or ``{"error": "…"}``. It ends with its input. Passwords and the authenticator app's key never
leave the process.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from idc_sandbox.persona.person import Persona, PersonaError


def main(arguments: list[str] | None = None) -> int:
    """Answer requests until the input ends; return 0."""
    parser = argparse.ArgumentParser(prog="python -m idc_sandbox.persona", description=__doc__)
    parser.add_argument("base_url", help="where the pages are, such as http://localhost:8723")
    parser.add_argument("user_name", help="who it is")
    options = parser.parse_args(arguments)
    serve(Persona(options.base_url, options.user_name), sys.stdin, sys.stdout)
    return 0


def serve(persona: Persona, requests: Iterable[str], answers: TextIO) -> None:
    """Answer each line of requests with a line."""
    for line in requests:
        if line.strip():
            print(json.dumps(_answer(persona, line)), file=answers, flush=True)


def _answer(persona: Persona, line: str) -> dict[str, Any]:
    try:
        request = json.loads(line)
        return {"result": persona.call(str(request["do"]), **request.get("with", {}))}
    except PersonaError as error:
        return {"error": str(error)}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        return {"error": f"this is no request: {type(error).__name__}; send {{'do': …, 'with': {{…}}}}"}


if __name__ == "__main__":
    sys.exit(main())
