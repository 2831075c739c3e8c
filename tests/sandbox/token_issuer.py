"""A trusted token issuer on this machine: it publishes its keys, and signs what a test wants."""

from __future__ import annotations

import functools
import http.server
import json
import threading
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


@functools.cache
def _first_key() -> rsa.RSAPrivateKey:
    """Return what every issuer signs with at first: a key takes longer to make than most tests."""
    return rsa.generate_private_key(65_537, 2048)


class TokenIssuer:
    """An issuer at an address of its own.

    Attributes
    ----------
    url
        Its issuer URL.
    answers
        What it answers, by path; a test may change it.
    asked
        The paths that were asked for.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, tuple[int, bytes]] = {}
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                status, body = issuer.answers.get(self.path, (404, b""))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if status == 302:
                    self.send_header("Location", body.decode())
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # It looks that often whether it is to end, and its closing waits for that.
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.answer("/.well-known/openid-configuration", {"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
        self._sign_with("one", _first_key())

    def answer(self, path: str, value: Any) -> None:
        """Answer a path with a JSON value from now on."""
        self.answers[path] = (200, json.dumps(value).encode())

    def replace_key(self, key_id: str) -> None:
        """Sign with a new key from now on, and publish it alone."""
        self._sign_with(key_id, rsa.generate_private_key(65_537, 2048))

    def _sign_with(self, key_id: str, key: rsa.RSAPrivateKey) -> None:
        self.key_id, self.key = key_id, key
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        self.answer("/keys", {"keys": [public | {"kid": key_id, "alg": "RS256", "use": "sig"}]})

    def sign(self, key: Any = None, algorithm: str = "RS256", kid: Any = "", **claims: Any) -> str:
        """Return an assertion about ana for the audience ``reports``; a claim that is None is left out."""
        given = {
            "iss": self.url,
            "sub": "subject-of-ana",
            "aud": "reports",
            "email": "ana@example.com",
            "exp": int(time.time()) + 600,
        } | claims
        kept = {name: value for name, value in given.items() if value is not None}
        headers = {} if kid is None else {"kid": kid or self.key_id}
        return jwt.encode(kept, key or self.key, algorithm, headers=headers)

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
