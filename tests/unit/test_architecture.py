"""Imports go one way; each outside library has one home: the house stays as drawn in docs/architecture.md."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What a package may import of the others.
BELOW = {
    "idc_aws": (),
    "idc_helpers": ("idc_aws",),
    "idc_runner": ("idc_aws", "idc_helpers"),
    "idc_sandbox": (),
}
PACKAGES = tuple(BELOW)
# Where an outside library may be imported, besides in idc_sandbox, which has its own.
HOMES = {
    "boto3": ("idc_aws/",),
    "botocore": ("idc_aws/",),
    "pandas": ("idc_helpers/notebook/frames.py",),
    "ipywidgets": ("idc_helpers/notebook/forms/",),
    "papermill": ("idc_runner/",),
}


def modules(*packages):
    """Return the module's names with their files."""
    found = {}
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imported(path):
    """Return what a file imports anywhere: late and for types only too."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += (f"{node.module}.{alias.name}" for alias in node.names)
            found.append(str(node.module))
    return found


def test_imports_go_one_way():
    refused = [
        f"{name} imports {other}"
        for name, path in modules(*PACKAGES).items()
        for other in imported(path)
        if (package := other.split(".")[0]) in PACKAGES
        and package not in (name.split(".")[0], *BELOW[name.split(".")[0]])
    ]
    assert refused == []


def import_graph():
    """Return for each module those that it imports; a package only where a name of its own is taken."""
    names = modules(*PACKAGES)
    return {name: set(_taken(path, names)) - {name} for name, path in names.items()}


def _taken(path, names):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom):
            full = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (one if one in names else node.module for one in full if node.module in names)


def circles(graph):
    """Return the sets of modules that import each other in a circle."""
    reachable = {name: set() for name in graph}

    def walk(start):
        waiting = [start]
        while waiting:
            for other in graph[waiting.pop()] - reachable[start]:
                reachable[start].add(other)
                waiting.append(other)

    for name in graph:
        walk(name)
    found = {
        frozenset({name} | {other for other in reachable[name] if name in reachable[other]})
        for name in graph
        if name in reachable[name]
    }
    return sorted(sorted(circle) for circle in found)


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_no_import_circle():
    assert circles(import_graph()) == []


@pytest.mark.parametrize("library", HOMES)
def test_each_library_has_one_home(library):
    users = [
        path.relative_to(ROOT).as_posix()
        for path in modules("idc_aws", "idc_helpers", "idc_runner").values()
        if any(name.split(".")[0] == library for name in imported(path))
    ]
    assert users
    assert [user for user in users if not user.startswith(HOMES[library])] == []


def public_names(path):
    """Yield the names that a module defines for others."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            targets = [node.name]
        elif isinstance(node, ast.Assign):
            targets = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            targets = [node.target.id]
        else:
            continue
        yield from (name for name in targets if not name.startswith("_"))


# A type variable, a logger and what a program is started by have the same name wherever they are.
OF_EACH_MODULE = {"P", "R", "T", "app", "logger", "main"}


def test_no_public_name_is_in_two_modules_of_a_package():
    for package in PACKAGES:
        homes = {}
        for module, path in modules(package).items():
            for name in public_names(path):
                homes.setdefault(name, []).append(module)
        twice = {name: found for name, found in homes.items() if len(found) > 1}
        assert {name: found for name, found in twice.items() if name not in OF_EACH_MODULE} == {}


def offered(package):
    """Return what a package's `__all__` offers."""
    module = importlib.import_module(package)
    return {name: getattr(module, name) for name in module.__all__}


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_offers_is_a_list_of_names_in_its_text(package):
    # Type checkers read no other: for them, `from idc_aws import connect` would name nothing that is public.
    tree = ast.parse((ROOT / package / "__init__.py").read_text("utf-8"))
    (listed,) = (each.value for each in tree.body if ast.unparse(each).startswith("__all__ = "))
    assert ast.literal_eval(listed) == list(offered(package))


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_offers_is_in_its_table_of_the_docs(package):
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    table = page.partition(f"| `{package}` | What it is |")[2].partition("\n\n")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    documented = [name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(documented) == sorted(offered(package))


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_offers_has_a_full_docstring(package):
    assert [name for name, one in offered(package).items() if not is_fully_documented(one)] == []


def is_fully_documented(one):
    """Return whether a docstring goes on after its first line, and names each parameter of a function.

    A model of pydantic's describes its fields one by one.
    """
    if hasattr(one, "model_fields"):
        return all(field.description for field in one.model_fields.values())
    text = inspect.cleandoc((vars(one).get("__doc__") if inspect.isclass(one) else one.__doc__) or "")
    if "\n\n" not in text:
        return False
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w+\n-+\n|\Z)", text, re.MULTILINE | re.DOTALL)
    named = re.findall(r"^\S.*$", section[1], re.MULTILINE) if section else []
    documented = set(re.findall(r"\w+", " ".join(named)))
    return inspect.isclass(one) or documented >= set(inspect.signature(one).parameters)


@pytest.mark.parametrize(
    ("section", "is_full"),
    [("known\n    A word; unknown.", False), ("known, unknown\n    Two.", True), ("", False)],
)
def test_a_full_docstring_names_each_parameter(section, is_full):
    def act(known, unknown): ...

    act.__doc__ = f"Act.\n\nParameters\n----------\n{section}\n\nRaises\n------\nunknown\n    Never.\n"
    assert is_fully_documented(act) == is_full


def test_importing_a_package_imports_nothing_slow():
    script = "import sys, idc_aws; print('boto3' in sys.modules or 'pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_what_is_shown_takes_its_colours_from_the_theme_and_loads_nothing():
    sheets = list((ROOT / "idc_helpers/data").glob("*.css"))
    assert sheets
    for path in (*modules("idc_helpers/notebook").values(), *sheets):
        text = path.read_text("utf-8")
        own_colours = re.sub(r"var\(--[\w-]+,\s*#[0-9a-fA-F]{3,8}\)", "", text)
        # A colour of our own is only the fallback of the theme: dark themes would hide what is written on it.
        assert not re.search(r"[:( ]#[0-9a-fA-F]{3,8}\b", own_colours), (
            f"{path}: a colour that no theme can change"
        )
