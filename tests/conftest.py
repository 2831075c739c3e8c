"""What holds for every test: nothing is timed, because a slow machine must not fail a test."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
