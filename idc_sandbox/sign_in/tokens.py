"""Secrets that open a door, and what is kept of them: from the operating system, never from the seed."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def new_token() -> str:
    """Return 43 random characters that fit into a URL or a cookie."""
    return secrets.token_urlsafe(32)


def new_code() -> str:
    """Return six random digits, as a person types them."""
    return f"{secrets.randbelow(1_000_000):06d}"


def digest(token: str) -> str:
    """Return what is kept of a token: 64 hex digits. Any text will do, also one that UTF-8 cannot write."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def matches(token: str, kept: str | None) -> bool:
    """Tell whether a token is the one of which `kept` was kept; takes as long either way."""
    return kept is not None and hmac.compare_digest(digest(token), kept)


def clean_text(text: str, longest: int) -> str:
    """Return what a person typed, fit to be kept and shown: cut, without control characters."""
    kept = "".join(character for character in text[: longest * 2] if character.isprintable())
    return kept.encode("utf-8", "ignore").decode("utf-8").strip()[:longest]
