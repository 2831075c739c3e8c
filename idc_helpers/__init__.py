"""Runbooks that set up AWS IAM Identity Center, on AWS or in a local sandbox."""

from __future__ import annotations

__version__ = "0.1.0"
