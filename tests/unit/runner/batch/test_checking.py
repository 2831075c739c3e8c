import pytest
from tiny_notebooks import write_notebook

from idc_aws.errors import ParametersError
from idc_runner.batch.checking import load_jobs


def problems(path, kit):
    with pytest.raises(ParametersError) as refused:
        load_jobs(path, kit)
    return {
        (problem.line, problem.path): f"{problem.message} {problem.remedy}"
        for problem in refused.value.problems
    }


def test_jobs_take_the_files_defaults_and_stand_after_those_that_they_wait_for(kit, table):
    path = table(
        "defaults:\n  notebook: '05'\n  set:\n    mode: plan\n    region: eu-west-1\n"
        "jobs:\n  - name: b\n    after: [a]\n    set:\n      region: us-west-2\n"
        "  - name: a\n    notebook: lesson\n"
    )
    first, second = load_jobs(path, kit)
    assert (first.name, [each.name for each in first.notebooks]) == ("a", ["05_a", "06_b", "09_person"])
    assert (second.name, second.overrides) == ("b", {"mode": "plan", "region": "us-west-2"})
    assert second.prepared().mode == "plan"
    assert second.prepared().scenario.region == "us-west-2"


def test_a_csv_means_the_same_as_yaml(kit, table):
    columns = "name,notebook,after,teardown,expected_account,authentication.send_email_otp,groups,user_name"
    rows = 'a,"05,09",,,"012345678901",true,"[{display_name: x}]",ana\nb,06,a,false,,,,\n\n'
    a, b = load_jobs(table(f"\ufeff{columns}\n{rows}", "jobs.csv"), kit)
    assert [notebook.name for notebook in a.notebooks] == ["05_a", "09_person"]
    assert a.overrides == {
        "expected_account": "012345678901",
        "authentication.send_email_otp": True,
        "groups": [{"display_name": "x"}],
    }
    assert a.extra == {"user_name": "ana"}
    assert a.prepared().parameters(a.notebooks[1], kit)["user_name"] == "ana"
    assert (b.after, b.overrides) == (("a",), {})


def test_a_csv_with_semicolons_is_read_too(kit, table):
    (job,) = load_jobs(table("name;notebook;region\na;05;eu-west-1\n", "jobs.csv"), kit)
    assert job.overrides == {"region": "eu-west-1"}


@pytest.mark.parametrize(
    "text",
    ["sep=;\nname;notebook\na;05\n", "# ours\n\nname\tnotebook\na\t05\n", "name,notebook,,\na,05,,\n,,,\n"],
)
def test_a_csv_as_spreadsheets_save_it_is_read_too(kit, table, text):
    (job,) = load_jobs(table(text, "jobs.csv"), kit)
    assert ([notebook.name for notebook in job.notebooks], job.overrides) == (["05_a"], {})


def test_everything_that_is_wrong_is_said_at_once_with_its_line(kit, table):
    path = table(
        "jobs:\n"
        "  - name: a\n    notebook: 05_aa\n    scenario: nix.yaml\n    sandbox: onw\n    after: [bb]\n"
        "  - name: b\n    notebook: '05'\n    set:\n      regin: x\n      groups[7].display_name: y\n"
        "  - name: B\n    notebook: ./mine.ipynb\n"
        "  - name: c\n    notebook: '05'\n    set:\n      groups[0].display_name: ''\n"
    )
    found = problems(path, kit)
    assert set(found) == {
        (3, "jobs[0].notebook"),
        (4, "jobs[0].scenario"),
        (5, "jobs[0].sandbox"),
        (6, "jobs[0].after"),
        (10, "jobs[1].set.regin"),
        (11, "jobs[1].set.groups[7].display_name"),
        (12, "jobs[2].name"),
        (13, "jobs[2].notebook"),
        (17, "jobs[3].set.groups[0].display_name"),
    }
    assert "Did you mean '05_a'?" in found[3, "jobs[0].notebook"]
    assert "Did you mean 'own'?" in found[5, "jobs[0].sandbox"]
    assert "Did you mean 'B'?" in found[6, "jobs[0].after"]
    assert "Did you mean 'region'?" in found[10, "jobs[1].set.regin"]
    assert "first in line 7" in found[12, "jobs[2].name"]


def test_a_place_that_the_scenario_does_not_have_is_refused(kit, table):
    path = table("jobs:\n  - name: b\n    notebook: '05'\n    set:\n      groups[7].display_name: y\n")
    assert (
        "names entry 7 of a list that has 1" in problems(path, kit)[5, "jobs[0].set.groups[7].display_name"]
    )


@pytest.mark.parametrize(
    ("text", "name", "line", "words"),
    [
        (
            "jobs:\n  - name: a\n    notebook: '05'\n    set:\n      expected_account: 012345678901\n",
            "j.yaml",
            5,
            "not in quotes",
        ),
        ("jobs:\n  - nmae: a\n", "j.yaml", 2, "Did you mean 'name'?"),
        ("jobs: []\n", "j.yaml", 1, "[] is empty. Write one at least: A job has a name and a notebook"),
        ("jobs:\n  - name: a b\n", "j.yaml", 2, "a space is not allowed"),
        ("jobs:\n  - name: a\n    notebook: '05'\n    teardown: perhaps\n", "j.yaml", 4, "'perhaps'"),
        ("jobs:\n  - [a]\n", "j.yaml", 2, "Write keys and values below it, without brackets or '-'."),
        ("jobs: {a: b}\n", "j.yaml", 1, "not a list. Begin each entry of it with '- '. A job has a name"),
        ("{defaults: [a], jobs: []}\n", "j.yaml", 1, "defaults: ['a'] is a list, not a group of keys"),
        ("name,notebook\n<<<<<<< HEAD\na,05\n", "j.csv", 2, "of a merge that nobody has finished"),
        ("name,notebook\n,05\n", "j.csv", 2, "'name' is missing. Add it: The job's name, which names"),
        ("nme,notebook\na,05\n", "j.csv", 1, "Did you mean 'nme'?"),
        ("name,notebook,notebook\na,05,06\n", "j.csv", 1, "appears twice"),
        ("name,notebook\na,05\nb,05,06\n", "j.csv", 3, "3 cells"),
        ("name,notebook,expected_account\na,05,1.11E+11\n", "j.csv", 2, "'1.11E+11'"),
        ("name,notebook,groups\na,05,[x\n", "j.csv", 2, "not a list"),
        ('name,notebook\na,"05\n', "j.csv", 2, "is not CSV"),
        ("", "j.csv", 1, "empty"),
        ("jobs: " + "[" * 100_000, "j.yaml", 1, "more than 100 levels"),
        ("name,notebook,groups\na,05," + "[" * 90_000, "j.csv", 2, "not a list"),
        ('jobs:\n  - {name: a, notebook: "05", scenario: "a\\0b"}\n', "j.yaml", 2, "'a\\x00b' is not a path"),
        ('jobs:\n  - {name: a, notebook: "05", sandbox: "./a\\0b"}\n', "j.yaml", 2, "is not a path"),
        ('jobs:\n  - {name: a, notebook: "./a\\0b.ipynb"}\n', "j.yaml", 2, "is not a path"),
        (f"jobs:\n  - {{name: a, notebook: './{'x' * 5000}.ipynb'}}\n", "j.yaml", 2, "File name too long"),
        (f"jobs:\n  - {{name: a, notebook: '05', scenario: {'x' * 5000}}}\n", "j.yaml", 2, "is not a path"),
    ],
)
def test_a_table_that_no_job_can_come_of_is_refused(kit, table, text, name, line, words):
    with pytest.raises(ParametersError) as refused:
        load_jobs(table(text, name), kit)
    assert {problem.line for problem in refused.value.problems} == {line}
    assert words in str(refused.value)


def test_jobs_that_wait_for_one_another_are_refused(kit, table):
    lines = "".join(f"  - {{name: {a}, notebook: '05', after: [{b}]}}\n" for a, b in ("ab", "bc", "ca"))
    (words,) = problems(table(f"jobs:\n{lines}"), kit).values()
    assert "waits for" in words
    assert "none of them could ever start" in words


def test_a_wrong_scenario_file_is_one_problem_for_all_its_jobs(kit, table, tmp_path):
    (tmp_path / "s.yaml").write_text("target: sandbox\nregin: x\n", "utf-8")
    lines = "".join(f"  - {{name: j{n}, notebook: '05', scenario: s.yaml}}\n" for n in range(3))
    assert set(problems(table(f"jobs:\n{lines}"), kit)) == {(2, "regin")}


def test_a_sandbox_is_refused_for_a_job_on_aws(kit, table):
    path = table("jobs:\n  - name: a\n    notebook: '05'\n    sandbox: own\n    set: {target: aws}\n")
    assert "uses no sandbox" in problems(path, kit)[4, "jobs[0].sandbox"]


def test_a_notebook_of_ones_own_gets_what_it_knows(kit, table, tmp_path):
    write_notebook(tmp_path, "mine", parameters='region = ""\ncolour = ""\n')
    (job,) = load_jobs(table("jobs:\n  - name: a\n    notebook: ./mine.ipynb\n    set: {colour: red}\n"), kit)
    assert job.prepared().parameters(job.notebooks[0], kit) == {"region": "us-east-1", "colour": "red"}


def test_a_fingerprint_changes_with_each_input_and_with_those_of_the_jobs_before(kit, table):
    text = "jobs:\n  - {name: a, notebook: '05'}\n  - {name: b, notebook: '06', after: [a]}\n"
    a, b = load_jobs(table(text), kit)
    assert [each.fingerprint for each in load_jobs(table(text), kit)] == [a.fingerprint, b.fingerprint]
    write_notebook(kit / "notebooks", "05_a", "1 + 1")
    a2, b2 = load_jobs(table(text), kit)
    changed = {key for key in a.fingerprint if a.fingerprint[key] != a2.fingerprint[key]}
    assert changed == {"notebooks"}
    assert {key for key in b.fingerprint if b.fingerprint[key] != b2.fingerprint[key]} == {"after"}


@pytest.mark.parametrize("name", [".", "..", "..."])
def test_a_name_of_dots_is_refused_because_it_names_no_folder_of_its_own(kit, table, name):
    path = table(f"jobs:\n  - name: '{name}'\n    notebook: '05'\n")
    assert "names no folder of its own" in problems(path, kit)[2, "jobs[0].name"]


def test_two_notebooks_of_one_name_in_a_job_are_refused(kit, table, tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        write_notebook(tmp_path / folder, "same")
    path = table("jobs:\n  - name: a\n    notebook: ./x/same.ipynb,./y/same.ipynb\n")
    assert "several notebooks of the job are called 'same'" in problems(path, kit)[3, "jobs[0].notebook"]


def test_thousands_of_wrong_names_are_told_and_only_the_first_get_a_suggestion(kit, table):
    rows = "".join(f"  - {{name: job{n}, notebook: '05', after: [jop{n}]}}\n" for n in range(100))
    found = problems(table(f"jobs:\n{rows}"), kit)
    assert len(found) == 100
    assert sum("Did you mean" in text for text in found.values()) == 20


def test_a_long_circle_is_told_by_its_ends(kit, table):
    rows = "".join(f"  - {{name: j{n}, notebook: '05', after: [j{(n + 1) % 50}]}}\n" for n in range(50))
    (message,) = problems(table(f"jobs:\n{rows}"), kit).values()
    assert " more waits for " in message
    assert message.count("waits for") == 10


BAD_TABLE = """\
defaults:
  teardown: nein
jobs:
  - name: a
    notebook: "05"
    after: b
    teardown: "no"
    set: {mode: aply, "groups[9].display_name": x, "users[9].user_name": y}
  - name: b
    notebook: 5
    scenario: [x]
    set: [a]
  - name: c
    notebook: "99x"
    set:
      groups: !!set {x, y}
      target: !!binary aGVsbG8=
      identity_source: !!omap [a: 1]
      access_portal: !!timestamp 2020-01-01
      expected_account: .nan
      permission_sets: [{name: !!binary aGVsbG8=}]
      regin: z
      1: 2
  - just a text
  - name: d
    notebook: "05"
    sandbox: onw
    after: [a, 7, zz]
    teardown: 1
  - name: d
    notebook: "06"
    set: {expected_account: 111122223333}
    set: {region: x}
  - name: e
    notebook: "05"
    after: [f]
  - name: f
    notebook: "05"
    after: [e]
"""
BAD_TABLE_SAYS = {
    (2, "defaults.teardown"): "'nein' is a text, not true or false. Write true or false, without quotes.",
    (6, "jobs[0].after"): "'b' is a text, not a list. Write it as a list: [b].",
    (7, "jobs[0].teardown"): "'no' is a text, not true or false",
    (8, "jobs[0].set.mode"): "Did you mean 'apply'?",
    (8, "jobs[0].set.groups[9].display_name"): "names entry 9 of a list",
    (8, "jobs[0].set.users[9].user_name"): "names entry 9 of a list",
    (10, "jobs[1].notebook"): '5 is a number, not a text. Put it in quotes: "5".',
    (11, "jobs[1].scenario"): "['x'] is a list, not a text",
    (12, "jobs[1].set"): "['a'] is a list, not a group of keys",
    (14, "jobs[2].notebook"): "no notebook is called '99x'",
    (16, "jobs[2].set.groups"): "a YAML set, which no parameter can hold. Write it as a list: [a, b].",
    (17, "jobs[2].set.target"): "YAML's binary data, which no parameter can hold. Write it as a text",
    (18, "jobs[2].set.identity_source"): "a YAML list of pairs",
    (19, "jobs[2].set.access_portal"): "a YAML date",
    (20, "jobs[2].set.expected_account"): "no finite number",
    (21, "jobs[2].set.permission_sets[0].name"): "YAML's binary data",
    (22, "jobs[2].set.regin"): "Did you mean 'region'?",
    (23, "jobs[2].set.1"): 'the key 1 is not a text for YAML. Put it in quotes: "1".',
    (24, "jobs[3]"): "'just a text' is a text, not a group of keys",
    (27, "jobs[4].sandbox"): "Did you mean 'own'?",
    (28, "jobs[4].after[1]"): "7 is a number, not a text",
    (28, "jobs[4].after"): "no job is called 'zz'",
    (29, "jobs[4].teardown"): "1 is a number, not true or false",
    (30, "jobs[5].name"): "the name 'd' appears twice; first in line 25",
    (32, "jobs[5].set.expected_account"): "is not in quotes",
    (33, "jobs[5].set"): "duplicate key 'set'",
    (36, "jobs[6].after"): "none of them could ever start",
}
BAD_CSV = """\
name,notebok,teardown,groups,expected_account,rgion,after
a,05,nein,[1990-01-01],111122223333,eu-west-1,b
b,05,true,[x,,,too,many
c,05,,{a: !!set {b}},1.11E+11,,q
"""
BAD_CSV_SAYS = {
    (1, "notebook"): "there is no column 'notebook'. Did you mean 'notebok'?",
    (1, "notebok"): "Did you mean 'notebook'?",
    (1, "rgion"): "Did you mean 'region'?",
    (2, "jobs[0].teardown"): "'nein' is a text, not true or false",
    (2, "jobs[0].set.groups"): "'1990-01-01' is a text, not a group of keys",
    (3, "jobs[1].cells"): "the line has 8 cells, and there are 7 headings",
    (3, "jobs[1].set.groups"): "'[x' is not a list or mapping",
    (3, "jobs[1].after"): "no job is called 'too'",
    (4, "jobs[2].set.groups.a"): "a YAML set",
    (4, "jobs[2].set.expected_account"): "'1.11E+11'",
    (4, "jobs[2].after"): "no job is called 'q'",
}


@pytest.mark.parametrize(
    ("name", "text", "says"), [("j.yaml", BAD_TABLE, BAD_TABLE_SAYS), ("j.csv", BAD_CSV, BAD_CSV_SAYS)]
)
def test_no_problem_hides_another_and_each_has_its_place_and_its_remedy(kit, table, name, text, says):
    with pytest.raises(ParametersError) as refused:
        load_jobs(table(text, name), kit)
    said = {}
    for problem in refused.value.problems:
        said.setdefault((problem.line, problem.path), []).append(f"{problem.message}. {problem.remedy}")
    assert set(said) == set(says)
    for place, words in says.items():
        assert any(words in text for text in said[place]), (words, said[place])
    assert all(problem.remedy for problem in refused.value.problems)
    assert "nput should be" not in str(refused.value)
