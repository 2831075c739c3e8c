"""A scenario in several files: sections are joined, and what is wrong is named with its own file and line."""

import os

import pytest

from idc_aws.errors import InvalidValueError, ParametersError
from idc_aws.scenario.reading import load_scenario, scenario_files, scenario_json_schema, scenario_parameters
from idc_aws.scenario.saving import save_scenario_part
from idc_runner.batch.jobs import Job, fingerprint, scenario_of

MAIN = "region: eu-west-1\ninclude: [people.yaml, deeper/sets.yaml]\ngroups:\n  - display_name: Main\n"
FILES = {
    "main.yaml": MAIN,
    "people.yaml": "groups:\n  - display_name: People\nusers:\n"
    "  - {user_name: ana, given_name: A, family_name: B}\n",
    "deeper/sets.yaml": "include: ['../more.yaml']\npermission_sets:\n  - predefined: Billing\n",
    "more.yaml": "instance:\n  name: practice\ngroups:\n  - display_name: More\n",
}


def written(folder, files):
    """Write files, by name, and return the first."""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder / next(iter(files))


def problems(folder, files):
    """Return what is wrong with a scenario of some files: file, line and place, and the message."""
    with pytest.raises(ParametersError) as caught:
        load_scenario(written(folder, files))
    return {
        f"{os.path.relpath(one.file, folder)}:{one.line} {one.path}": one.message.replace(f"{folder}/", "")
        for one in caught.value.problems
    }


def test_what_is_included_counts_as_written_in_the_file(tmp_path):
    scenario = load_scenario(written(tmp_path, FILES))
    assert [group.display_name for group in scenario.groups] == ["Main", "People", "More"]
    assert (scenario.region, scenario.instance.name) == ("eu-west-1", "practice")
    assert (scenario.permission_sets[0].name, scenario.users[0].user_name) == ("Billing", "ana")
    assert "include" not in scenario_parameters(scenario)  # papermill gets the whole
    assert "include" in scenario_json_schema()["properties"]
    assert [path.name for path in scenario_files(tmp_path / "main.yaml")] == [
        *("main.yaml", "people.yaml", "sets.yaml", "more.yaml")
    ]


IN_PEOPLE = FILES["people.yaml"]
WRONG = {
    "an unknown key": (
        {"people.yaml": "groups:\n  - display_name: A\n    odd: 1\n"},
        {"people.yaml:3 groups[0].odd": "unknown key 'odd'"},
    ),
    "not YAML": (
        {"people.yaml": "groups: ["},
        {"main.yaml:2 include[0]": "people.yaml: is not YAML: a bracket or brace before this is not closed"},
    ),
    "twice": (
        {"people.yaml": "# first\nregion: us-east-1\n"},
        {"people.yaml:2 region": "'region' is defined already in main.yaml:1"},
    ),
    "a repeated name, in another file": (
        {"people.yaml": "users: []\ngroups:\n  - display_name: main\n"},
        {"people.yaml:3 groups[0].display_name": "'main' is there already: a group with display_name 'main' "
         "is at groups[0] of main.yaml"},
    ),
    "a repeated name, in the same file": (
        {"people.yaml": f"{IN_PEOPLE}  - {{user_name: ANA, given_name: C, family_name: D}}\n"},
        {"people.yaml:5 users[1].user_name": "'ANA' is there already: a user with user_name 'ANA' is at "
         "users[0]"},
    ),
    "an unquoted account, once": (
        {"people.yaml": "management:\n  delegated_administrator: 111122223333\n"},
        {"people.yaml:2 management.delegated_administrator": "the account id 111122223333 is not in quotes, "
         "and YAML reads it as the number 111122223333"},
    ),
    "a circle": (
        {"people.yaml": "include: [more.yaml]\n", "more.yaml": "include: [main.yaml]\n",
         "deeper/sets.yaml": "{}"},
        {"more.yaml:1 include[0]": "includes itself: main.yaml → people.yaml → more.yaml → main.yaml"},
    ),
    "by two ways": (
        {"people.yaml": "# also\ninclude: [more.yaml]\n"},
        {"deeper/sets.yaml:1 include[0]": "'deeper/../more.yaml' is included already"},
    ),
    "no list": (
        {"people.yaml": "include: more.yaml\n", "deeper/sets.yaml": "{}"},
        {"people.yaml:1 include": "'more.yaml' is not a list of files"},
    ),
    "no name": (
        {"people.yaml": "include:\n  - 7\n"},
        {"people.yaml:2 include[0]": "7 is not the name of a file"},
    ),
    "a person of another file who is not there": (
        {"people.yaml": f"{IN_PEOPLE}person:\n  user_name: bob\n"},
        {"people.yaml:6 person.user_name": "'bob' is not a user of this scenario"},
    ),
    "a misspelled key": (
        {"people.yaml": "inclde: []\n"},
        {"people.yaml:1 inclde": "unknown key 'inclde'"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "expected"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_its_own_file_and_line(tmp_path, changed, expected):
    assert problems(tmp_path, {**FILES, **changed}) == expected


def test_files_that_are_missing_are_all_named_where_they_are_included(tmp_path):
    found = problems(tmp_path, {"main.yaml": "include:\n  - a.yaml\n  - b.yaml\n"})
    assert found == {
        f"main.yaml:{line} include[{number}]": f"{name}.yaml: there is no such file"
        for number, (line, name) in enumerate(((2, "a"), (3, "b")))
    }


def test_a_form_saves_all_of_it_under_a_new_name_and_never_into_one_of_several_files(tmp_path):
    source = written(tmp_path, FILES)

    def change(found):
        return {**found, "groups": [*found["groups"], {"display_name": "New"}]}

    save_scenario_part(source, tmp_path / "new.yaml", change)
    assert [each.display_name for each in load_scenario(tmp_path / "new.yaml").groups][-1] == "New"
    with pytest.raises(InvalidValueError, match="includes other files"):
        save_scenario_part(source, source, change, update=True)
    assert source.read_text() == MAIN


def test_a_batch_notices_that_an_included_file_has_changed(tmp_path):
    source = written(tmp_path, FILES)
    job = Job("a", (), source)
    before = fingerprint(job, [])
    assert scenario_of(source).instance.name == "practice"
    assert fingerprint(job, []) == before
    (tmp_path / "more.yaml").write_text("instance:\n  name: renamed\n")
    assert scenario_of(source).instance.name == "renamed"
    assert fingerprint(job, [])["scenario"] != before["scenario"]
    (tmp_path / "more.yaml").unlink()
    with pytest.raises(ParametersError, match="no such file"):
        scenario_of(source)
