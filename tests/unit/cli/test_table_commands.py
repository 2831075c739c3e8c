"""`idc table …`: empty tables, tables to a scenario, a scenario to tables; nothing is overwritten."""

import pytest

from idc_aws.errors import InvalidValueError, ParametersError
from idc_aws.scenario.reading import load_scenario


def test_a_template_is_filled_in_and_made_a_scenario_and_tables_again(idc, tmp_path):
    folder, people = tmp_path / "tables", tmp_path / "people.yaml"
    assert f"idc table to-scenario {folder}" in idc("table", "template", str(folder)).stdout
    with (folder / "users.csv").open("a", encoding="utf-8") as users:
        users.write("=ana,Ana,Silva\n")
    with (folder / "memberships.csv").open("a", encoding="utf-8") as memberships:
        memberships.write("Devs,=ana\n")
    with pytest.raises(InvalidValueError, match=r"already: .*users\.csv"):
        idc("table", "template", str(folder), catch_exceptions=False)
    made = idc("table", "to-scenario", str(folder), "-o", str(people))
    assert made.stdout.startswith(f"{people}: 1 user, 0 groups, 0 account assignments. ")
    (user,) = load_scenario(people).users
    assert (user.user_name, user.groups) == ("=ana", ["Devs"])
    with pytest.raises(InvalidValueError, match="overwrite with --force"):
        idc("table", "to-scenario", str(folder), "-o", str(people), catch_exceptions=False)
    back = tmp_path / "back"
    idc("table", "from-scenario", str(people), str(back), "--separator", "semicolon")
    assert (back / "users.csv").read_text("utf-8-sig").splitlines()[1].startswith("'=ana;Ana;Silva;")
    assert sorted(path.name for path in back.iterdir()) == ["memberships.csv", "users.csv"]
    modes = {path.stat().st_mode & 0o777 for path in (people, back / "users.csv")}
    assert modes == {0o600}, "they hold people"
    assert idc("table", "to-scenario", str(back), "-o", str(people), "--force").exit_code == 0
    assert load_scenario(people).users == [user]


def test_a_scenario_is_printed_and_what_columns_were_taken_for_is_said_beside_it(idc, tmp_path):
    users = tmp_path / "staff.csv"
    users.write_text("Login;First name;Last name;Room;Site\nana;Ana;Silva;7;Porto\n", "utf-8")
    made = idc("table", "to-scenario", "--users", str(users), "--map", "Site=locality")
    assert "    address:\n      locality: Porto\n" in made.stdout
    assert "Login → user_name" in made.stderr
    assert "not used: Room" in made.stderr


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], "no table is named"),
        (["."], "'.' holds none of users.csv, groups.csv"),
        (["--users", "nowhere.csv"], "nowhere.csv:1: cannot be read: there is no such file"),
        (["--users", "."], "cannot be read: it is a folder"),
        (["--users", "nowhere.csv", "--map", "Mail"], "'Mail' is not HEADER=FIELD"),
    ],
)
def test_what_cannot_be_read_is_refused(idc, tmp_path, monkeypatch, arguments, found):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((InvalidValueError, ParametersError)) as caught:
        idc("table", "to-scenario", *arguments, "-o", "out.yaml", catch_exceptions=False)
    assert found in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_table_and_a_scenario_are_not_written_over_themselves(idc, tmp_path):
    users, scenario = tmp_path / "users.csv", tmp_path / "groups.csv"
    users.write_text("user_name,given_name,family_name\nana,Ana,Silva\n", "utf-8")
    scenario.write_text("groups:\n- display_name: Devs\n", "utf-8")
    before = users.read_bytes(), scenario.read_bytes()
    (tmp_path / "link.yaml").symlink_to(users)
    for out in (str(users), str(tmp_path / "link.yaml"), str(tmp_path / "x" / ".." / "users.csv")):
        with pytest.raises(InvalidValueError, match=r"already, which is the same file"):
            idc("table", "to-scenario", str(tmp_path), "-o", out, "--force", catch_exceptions=False)
    with pytest.raises(InvalidValueError, match=r"groups\.csv' cannot be written"):
        idc("table", "from-scenario", str(scenario), str(tmp_path), "--force", catch_exceptions=False)
    assert (users.read_bytes(), scenario.read_bytes()) == before


@pytest.mark.parametrize("options", [["--out", "A"], ["--page", "A"], ["--markdown", "A"], ["--out", "B"]])
def test_a_plan_is_not_written_over_what_it_is_made_from(idc, tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "A").write_text("groups:\n- display_name: Devs\n", "utf-8")
    (tmp_path / "B").write_text("include: [A]\n", "utf-8")
    before = (tmp_path / "A").read_text("utf-8"), (tmp_path / "B").read_text("utf-8")
    with pytest.raises(InvalidValueError, match=f"'{options[1]}' cannot be written: .* the same file"):
        idc("plan", "-f", "B", *options, catch_exceptions=False)
    assert ((tmp_path / "A").read_text("utf-8"), (tmp_path / "B").read_text("utf-8")) == before


def test_a_plan_and_its_page_are_two_files_and_a_drift_page_is_not_the_scenario(idc, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "A").write_text("groups:\n- display_name: Devs\n", "utf-8")
    for command in (["plan", "--out", "p.json", "--page", "./p.json"], ["drift", "--page", "A"]):
        with pytest.raises(InvalidValueError, match="the same file"):
            idc(command[0], "-f", "A", *command[1:], catch_exceptions=False)
    assert [path.name for path in tmp_path.iterdir()] == ["A"]
