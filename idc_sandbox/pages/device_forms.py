"""What the forms for registering an MFA device show."""

from __future__ import annotations

import segno


def qr_picture(uri: str) -> str:
    """Return the QR code of an authenticator app's key as an SVG in a ``data:`` address."""
    # Dark on light whatever the page's colours are: cameras want it so.
    return segno.make(uri, error="m").svg_data_uri(scale=5, border=4, dark="#000", light="#fff")
