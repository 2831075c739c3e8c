"""pytest's fixture ``identity_center``; docs/testing.md says what it gives."""

# Every test run where the kit is installed loads it: it imports pytest alone, and does nothing until asked.

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from idc_sandbox.testing import IdentityCenter, Sandboxes

_SCOPE = "identity_center_scope"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting for how long one fresh Identity Center is used."""
    parser.addini(
        _SCOPE,
        "how long tests share one Identity Center before the next begins afresh: "
        "function (the default), class, module, package or session",
        default="function",
    )


def _scope(fixture_name: str, config: pytest.Config) -> Any:  # noqa: ARG001  pytest gives it by name
    return config.getini(_SCOPE)


@pytest.fixture(scope="session")
def identity_center_seed() -> Any:
    """Return what each Identity Center begins with; yours gives a mapping, or a YAML or JSON file's path."""
    return {}


@pytest.fixture(scope="session")
def _identity_center_sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    from idc_sandbox.testing import Sandboxes  # noqa: PLC0415

    sandboxes = Sandboxes(tmp_path_factory.mktemp("identity_center"))
    try:
        yield sandboxes
    finally:
        sandboxes.stop()


@pytest.fixture(scope=_scope)
def identity_center(
    _identity_center_sandboxes: Sandboxes, identity_center_seed: Any
) -> Iterator[IdentityCenter]:
    """Return a fresh Identity Center on this machine, to which the environment leads AWS's clients."""
    import boto3  # noqa: PLC0415

    from idc_sandbox.testing import read_seed  # noqa: PLC0415

    center = _identity_center_sandboxes.of(read_seed(identity_center_seed).get("organization"))
    with pytest.MonkeyPatch.context() as patch, center.fresh(identity_center_seed):
        patch.setattr(boto3, "DEFAULT_SESSION", None)  # one from before has another environment's keys
        yield center
