"""AWS's patterns are Java's: letters and digits are ASCII, where a pattern does not say \\p{L} or \\p{N}."""

import ast
import re
from pathlib import Path

import pytest

from idc_aws.errors import ParametersError
from idc_aws.scenario.reading import validate_scenario
from idc_sandbox.wire.models import _compiled, service_model

ROOT = Path(__file__).parents[2]
SERVICES = (
    *("sso-admin", "identitystore", "sso-oidc", "sso", "organizations"),
    *("signin", "account-access", "account-access-runtime"),
)
# These look for words and numbers of people, in any script.
OF_PEOPLE = {
    "scrubbing.py",
    "secrets.py",
    "outputs.py",
}
ODD = ("ünï", "４", "１１１１２２２２３３３３", "PT４H", "é", "ª", "\u0660", "Ａ", "ſ", "K")


def patterns_of_ours():
    for package in ("idc_aws", "idc_helpers", "idc_runner", "idc_sandbox"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.name not in OF_PEOPLE:
                yield from ((path.relative_to(ROOT), call) for call in regular_expressions(path))


def regular_expressions(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).startswith("re."):
            yield node


def is_wide(call):
    """Tell whether a pattern names digits, letters or words, and takes them of all scripts."""
    written = ast.unparse(call.args[0])
    names_some = re.search(r"\\\\?[dDwWb]", written) is not None
    ignores_case = "IGNORECASE" in ast.unparse(call) or "(?i" in written
    return (names_some or (ignores_case and "a-z" in written)) and "ASCII" not in ast.unparse(call)


def test_every_pattern_of_ours_is_ascii():
    wide = [
        f"{path}:{call.lineno}: {ast.unparse(call)}" for path, call in patterns_of_ours() if is_wide(call)
    ]
    assert wide == []


def patterns_of_aws():
    shapes = ((name, shape) for name in SERVICES for shape in shapes_of(name))
    return sorted({(name, pattern) for name, shape in shapes if (pattern := shape.metadata.get("pattern"))})


PARTS = {"list": ("member",), "map": ("key", "value")}


def shapes_of(name):
    model = service_model(name)
    found, waiting = (
        {},
        [
            shape
            for operation in model.operation_names
            for at in (model.operation_model(operation),)
            for shape in (at.input_shape, at.output_shape)
            if shape
        ],
    )
    while waiting:
        shape = waiting.pop()
        if shape.name in found:
            continue
        found[shape.name] = shape
        waiting += getattr(shape, "members", {}).values()
        waiting += [getattr(shape, part) for part in PARTS.get(shape.type_name, ())]
    return found.values()


def test_the_sandbox_takes_no_more_than_the_pattern_of_aws():
    narrow = [pattern for _, pattern in patterns_of_aws() if "\\p{" not in pattern]
    assert len(narrow) > 50
    for pattern in narrow:
        for text in ODD:
            assert bool(_compiled(pattern).fullmatch(text)) == bool(
                re.compile(pattern, re.ASCII).fullmatch(text)
            )


def test_letters_of_all_scripts_stay_where_aws_means_them():
    assert _compiled(r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+").fullmatch("ünï４")
    assert not _compiled(r"[\w+=,.@-]+").fullmatch("ünï")
    assert not _compiled(r"\d{12}").fullmatch("１１１１２２２２３３３３")


@pytest.mark.parametrize(
    "scenario",
    [
        {"permission_sets": [{"name": "ünï"}]},
        {"permission_sets": [{"name": "A４"}]},
        {"permission_sets": [{"name": "A", "session_duration": "PT４H"}]},
        {"permission_sets": [{"name": "A", "customer_managed_policies": [{"name": "ünï"}]}]},
        {"permission_sets": [{"name": "A", "customer_managed_policies": [{"name": "a", "path": "/ü/"}]}]},
        {"permission_sets": [{"name": "A", "managed_policies": ["arn:aws:iam::aws:policy/Ünï"]}]},
        {"permission_sets": [{"name": "A", "relay_state": "https://console.aws.amazon.com/ü"}]},
        {"permission_sets": [{"name": "A", "description": "\u2011"}]},
        {"authentication": {"sessions": {"user_interactive": "PT４H"}}},
        {"authentication": {"sessions": {"user_background": "P７D"}}},
        {"expected_account": "１１１１２２２２３３３３"},
        {"management": {"delegated_administrator": "１１１１２２２２３３３３"}},
        {
            "account_assignments": [
                {"permission_set": "A", "group": "B", "accounts": ["１１１１２２２２３３３３"]}
            ]
        },
        {"account_assignments": [{"permission_set": "ünï", "group": "B", "accounts": ["A"]}]},
        {"region": "eu-west-１"},
        {"region": "eü-west-1"},
        {"instance": {"name": "ünï"}},
        {"access_portal": {"subdomain": "ünï"}},
        {"person": {"profile_name": "ünï"}},
        {"users": [{"user_name": "a", "given_name": "A", "family_name": "B", "birthdate": "１９９０-04-23"}]},
    ],
    ids=str,
)
def test_the_kit_refuses_what_aws_would(scenario):
    with pytest.raises(ParametersError):
        validate_scenario(scenario)
