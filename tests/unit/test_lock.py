"""The locks hold all that is asked for and what it needs, with hashes, and no trace of one machine."""

import itertools
import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

KIT = Path(__file__).parents[2]
PROJECT = tomllib.loads((KIT / "pyproject.toml").read_text("utf-8"))
LOCKS = ("requirements.lock", "requirements-test.lock")
PIN = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[^ ;]+)(?: ; (?P<marker>[^\\]+?))?"
    r"(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n"
)
SYSTEMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    "windows": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
}
PYTHONS = ("3.11.9", "3.12.4", "3.13.1", "3.14.0")


def text_of(lock):
    return (KIT / lock).read_text("utf-8")


def pins(lock, environment=None):
    """Return the version of each package that a lock installs in an environment; None: of every pin."""
    found = {}
    for match in PIN.finditer(text_of(lock)):
        if environment is None or not match["marker"] or Marker(match["marker"]).evaluate(environment):
            found.setdefault(match["name"], []).append(match["version"])
    return found


def requirements_of(lock):
    """Return what is asked for: what users need, what the kit is built with, and for tests their extra."""
    lines = [line.partition("#")[0].strip() for line in (KIT / "requirements.txt").read_text().splitlines()]
    wanted = [*filter(None, lines), *PROJECT["build-system"]["requires"]]
    if lock == "requirements-test.lock":
        wanted += PROJECT["project"]["optional-dependencies"]["test"]
    return [Requirement(line) for line in wanted]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_pins_with_hashes_and_nothing_else(lock):
    rest = PIN.sub("", text_of(lock))
    assert [line for line in rest.splitlines() if not line.startswith("#")] == []
    # No index, no mirror, no folder of the machine that made it.
    assert not re.search(r"https?:|file:|--(index|extra|find|trusted)|(^|\s)/\w", text_of(lock))


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_that_is_asked_for_is_locked_once(lock):
    for system, python in itertools.product(SYSTEMS, PYTHONS):
        environment = {
            **SYSTEMS[system],
            "python_full_version": python,
            "python_version": python.rpartition(".")[0],
            "platform_python_implementation": "CPython",
            "implementation_name": "cpython",
            "extra": "",
        }
        locked = pins(lock, environment)
        assert {name: versions for name, versions in locked.items() if len(versions) > 1} == {}, environment
        for wanted in requirements_of(lock):
            version = locked[canonicalize_name(wanted.name)][0]
            assert wanted.specifier.contains(version), f"{wanted} is locked at {version}: run `make lock`"


def test_the_tests_lock_has_the_users_versions():
    users, tests = (pins(lock) for lock in LOCKS)
    assert {name: tests.get(name) for name in users} == users


@pytest.mark.parametrize("lock", LOCKS)
def test_what_a_locked_package_needs_is_locked_too(lock):
    """pip installs a lock without looking for more: what it lacked would be missed at the first import."""
    locked, seen, todo = pins(lock), set(), requirements_of(lock)
    while todo:
        name = canonicalize_name(todo.pop().name)
        assert name in locked, f"{name} is needed and not in {lock}: run `make lock`"
        if name not in seen:
            seen.add(name)
            needs = map(Requirement, distribution(name).requires or [])
            todo += [need for need in needs if not need.marker or need.marker.evaluate({"extra": ""})]
    assert len(seen) > 100
