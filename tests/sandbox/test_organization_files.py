"""A company's organization from a file: checked as a whole before anything starts, then in the sandbox."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from idc_sandbox import launcher
from idc_sandbox.__main__ import main
from idc_sandbox.aws_double.double import AwsDouble
from idc_sandbox.errors import SandboxStartError
from idc_sandbox.organization import organization_text, read_organization
from idc_sandbox.state_folder import StateFolder
from idc_sandbox.store import Store, keep_organization

RECIPE = Path(__file__).parents[2] / "recipes" / "organization.yaml"


def written(tmp_path: Path, text: str, name: str = "company.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("values", "said", "remedy"),
    [
        ("name: A, id: 12", "id is '12'", "12 digits"),
        ("id: '012345678901'", "an account has no name", "Give `name:`"),
        ("name: A, status: CLOSED", "status is 'CLOSED'", "ACTIVE, SUSPENDED"),
        ("name: A, email: a", "email is 'a'", "Give an address"),
        ("name: A, id: '111122223333'", "is that of the management account", "own"),
        (f"name: {'x' * 51}", "51 characters", "1 to 50"),
        ("name: Büro", "letters that AWS refuses", "ASCII"),
        ("name: A, tags: {aws:x: b}", "the tag 'aws:x'", "does not begin"),
        ("name: A, tags: [b]", "tags is no mapping", "`name: value`"),
        ("name: A, name: B", "'name' appears twice", "Remove one"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_account_has_its_line_and_its_remedy(tmp_path, values, said, remedy):
    assert_refused(written(tmp_path, f"accounts:\n- {{{values}}}\n"), 2, said, remedy)


@pytest.mark.parametrize(
    ("text", "line", "said", "remedy"),
    [
        ("accounts:\n- {name: A}\n- {nam: B}\n", 3, "an account has no 'nam'", "There are: name, id"),
        ("accounts:\n- {name: A}\n- {name: a}\n", 3, "is that of line 2", "another address"),
        (
            "accounts:\n- {name: A, id: '222222222222'}\n- {name: B, id: '222222222222'}\n",
            3,
            "id '222222222222' is that of line 2",
            "Each account has its own",
        ),
        ("management_account: {name: A, id: '222222222222'}\n", 1, "id is", "always 111122223333"),
        ("management_account: {name: A, status: SUSPENDED}\n", 1, "status is", "ACTIVE"),
        ("accounts: {name: A}\n", 1, "a list was expected", "`- `"),
        ("organizational_units:\n- {name: U}\n- {name: U}\n", 3, "'U' is named twice", "Rename"),
        ("units: []\n", 1, "the file has no 'units'", "organizational_units"),
        ("- A\n", 1, "the file is no mapping", "`name: value`"),
        ("", 1, "the file is no mapping", "`name: value`"),
        ("a: [\n", 2, "neither YAML nor JSON", "Check indentation"),
        ("accounts:\n- &a {name: A}\n- *a\n", 3, "an alias", "Write the values out"),
        ("[" * 50, 1, "more than 40 levels", "Write the values out"),
        (
            "".join(f"{'  ' * n}organizational_units:\n{'  ' * n}- name: L{n}\n" for n in range(6)),
            11 + 1,
            "nested more than 5 deep",
            "Move this one up",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_has_its_line_and_its_remedy(tmp_path, text, line, said, remedy):
    assert_refused(written(tmp_path, text), line, said, remedy)


def assert_refused(path: Path, line: int, said: str, remedy: str) -> None:
    with pytest.raises(SandboxStartError) as caught:
        read_organization(path)
    (told,) = [one for one in str(caught.value).splitlines()[1:] if said in one]
    assert f"company.yaml, line {line}: " in told
    assert remedy in told


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    text = "accounts:\n" + "".join(f"- {{name: A{n}, id: x}}\n" for n in range(2000))
    with pytest.raises(SandboxStartError, match="2000 values need fixing") as caught:
        read_organization(written(tmp_path, text))
    assert str(caught.value).count("12 digits") == 50
    assert str(caught.value).endswith("and 1950 more")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SandboxStartError, match="cannot be read: No such file"):
        read_organization(tmp_path / "none.yaml")


def test_yaml_and_json_say_the_same(tmp_path):
    organization = read_organization(RECIPE)
    twin = written(tmp_path, json.dumps(organization, indent="\t"), "company.json")
    assert organization_text(read_organization(twin)) == organization_text(organization)


def test_a_number_without_quotes_is_an_account_id(tmp_path):
    found = read_organization(written(tmp_path, "accounts:\n- {name: A, id: 012345678901}\n"))
    assert found["accounts"] == [{"name": "A", "email": "a@example.com", "id": "012345678901"}]


@pytest.fixture
def company(tmp_path):
    store = Store(tmp_path / "sandbox.db", seed=7)
    with store.transaction() as connection:
        keep_organization(connection, organization_text(read_organization(RECIPE)))
    yield AwsDouble(store)
    store.close()


def test_the_sandbox_has_what_the_file_says(company):
    from moto.iam.models import iam_backends
    from moto.organizations.models import organizations_backends

    organization = organizations_backends["111122223333"]["aws"]
    units = {unit.id: unit for unit in organization.ou}

    def path(thing) -> str:
        parent = units.get(thing.parent_id)
        return "" if parent is None else f"{path(parent)}/{parent.name}"

    found = {account.name: (path(account), account.id, account.status) for account in organization.accounts}
    assert found == {
        "Example Corp": ("/Root", "111122223333", "ACTIVE"),
        "Log archive": ("/Root/Security", "210000000001", "ACTIVE"),
        "Security tooling": ("/Root/Security", "210000000002", "ACTIVE"),
        "Shop": ("/Root/Workloads/Production", "220000000001", "ACTIVE"),
        "Payments": ("/Root/Workloads/Production", "220000000002", "ACTIVE"),
        "Shop development": ("/Root/Workloads/Development", "230000000001", "ACTIVE"),
        "Payments development": ("/Root/Workloads/Development", "230000000002", "ACTIVE"),
        "Old web site": ("/Root/Suspended", "240000000001", "SUSPENDED"),
        "Network": ("/Root", "250000000001", "ACTIVE"),
    }
    tags = {account.name: account.tags for account in organization.accounts}
    assert tags["Shop"] == {"environment": "production", "team": "shop"}
    assert company.closed_account_ids() == {"240000000001"}
    assert set(iam_backends) == {account_id for _, account_id, _ in found.values()}


def test_a_state_keeps_its_organization(tmp_path, capsys):
    """Started twice with the same file, refused with another one, and free again after a reset."""
    folder, other = StateFolder(tmp_path / "state"), written(tmp_path, "accounts:\n- {name: Other}\n")
    state = ["--state", str(folder.path)]
    try:
        for _ in range(2):
            assert main(["start", *state, "--port", "0", "--organization", str(RECIPE)]) == 0
        assert main(["start", *state, "--organization", str(other)]) == 1
        assert "has another organization than the file" in capsys.readouterr().err
        assert main(["start", *state]) == 0
        assert main(["reset", *state]) == 0
        assert launcher.start(folder, port=0, organization=other).pid
    finally:
        launcher.stop(folder)


def test_nothing_starts_with_a_file_that_is_wrong(tmp_path, capsys):
    state, wrong = tmp_path / "state", written(tmp_path, "accounts:\n- {id: 1}\n")
    for command in ("start", "serve"):
        assert main([command, "--state", str(state), "--port", "0", "--organization", str(wrong)]) == 1
        said = capsys.readouterr().err
        assert "2 values need fixing. Nothing was started." in said
    assert not (state / "sandbox.db").exists()
