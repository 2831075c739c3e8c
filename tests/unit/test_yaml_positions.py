from __future__ import annotations

import os

import pytest
import yaml

from idc_aws.errors import ParametersError
from idc_aws.scenario.reading import load_scenario
from idc_aws.scenario.yaml_lines import SAFE_LOADER, dotted, read_yaml


@pytest.fixture
def write(tmp_path):
    def write_file(content: str | bytes):
        path = tmp_path / "scenario.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def refused(path) -> str:
    with pytest.raises(ParametersError) as caught:
        read_yaml(path)
    (problem,) = caught.value.problems
    return str(problem).removeprefix(str(path))


def test_every_value_has_its_line(write):
    file = read_yaml(write("# why\na: 1\nb:\n  - c: x\n\n    d:\n      - y\n  - [p, q]\n"))
    assert file.data == {"a": 1, "b": [{"c": "x", "d": ["y"]}, ["p", "q"]]}
    assert {dotted(place): line for place, line in file.lines.items()} == {
        "": 2,
        "a": 2,
        "b": 3,
        "b[0]": 4,
        "b[0].c": 4,
        "b[0].d": 6,
        "b[0].d[0]": 7,
        "b[1]": 8,
        "b[1][0]": 8,
        "b[1][1]": 8,
    }


def test_a_place_that_the_file_lacks_has_the_line_around_it(write):
    file = read_yaml(write("a:\n  - b: 1\n"))
    assert file.line_of(("a", 0, "missing", "deeper")) == 2
    assert file.line_of(("missing",)) == 1


@pytest.mark.parametrize("content", ["", "# only a comment\n", "---\n"])
def test_an_empty_file_is_an_empty_scenario(write, content):
    assert read_yaml(write(content)).data == {}


def test_a_byte_order_mark_does_no_harm(write):
    assert read_yaml(write("\ufeffa: 1\n")).data == {"a": 1}


def test_dates_stay_texts_as_papermill_reads_them(write):
    assert read_yaml(write("day: 1990-04-23\n")).data == {"day": "1990-04-23"}


def test_unquoted_texts_are_kept_as_typed(write):
    file = read_yaml(write("a: NO\nb: 012\nc: '013'\n"))
    assert file.data == {"a": False, "b": 10, "c": "013"}
    assert file.unquoted == {("a",): "NO", ("b",): "012"}


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("111122223333", "is not in quotes, and YAML reads it as the number 111122223333."),
        ("012345670123", "is not in quotes, and YAML reads it as the number 1402433619."),
        ("098765432101", "is not in quotes."),
    ],
)
def test_an_account_id_without_quotes_is_a_problem(write, typed, words):
    file = read_yaml(write(f"a: 1\naccounts:\n  - {typed}\n"))
    ((location, problem),) = file.problems
    assert (location, problem.line, problem.path) == (("accounts", 0), 3, "accounts[0]")
    assert words in str(problem)
    assert f'"{typed}"' in problem.remedy


@pytest.mark.parametrize("typed", ['"012345670123"', "'012345670123'", "01234567012", "0123456701234"])
def test_quoted_ids_and_other_numbers_are_none(write, typed):
    assert read_yaml(write(f"a: {typed}\n")).problems == []


def test_a_key_that_stands_twice_is_a_problem_on_its_second_line(write):
    file = read_yaml(write("a:\n  b: 1\n  c: 2\n  b: 3\n"))
    ((_, problem),) = file.problems
    assert (problem.line, problem.path) == (4, "a.b")
    assert "first defined on line 2" in problem.message


def test_the_same_key_in_two_mappings_is_no_problem(write):
    assert read_yaml(write("a: {b: 1}\nc: {b: 1}\n")).problems == []


def test_anchors_and_merges_work(write):
    file = read_yaml(write("a: &common\n  x: 1\nb:\n  <<: *common\n  y: 012345670123\nc: *common\n"))
    assert file.data["b"] == {"x": 1, "y": 1402433619}
    assert file.data["c"] == {"x": 1}
    assert [problem.line for _, problem in file.problems] == [5]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: 1\nb: [1,\nc: 2\n", ":4: is not YAML: a bracket or brace before this is not closed. Close"),
        ("a:\n  b: {c: 1\nd: 2\n", ":3: is not YAML: a bracket or brace before this"),
        ("a: ]\n", ":1: is not YAML: while parsing a block node "),
        ("a: 1\n\tb: 2\n", ":2: is not YAML: a tab is between this line's start and its text. Indent"),
        ("a:\n\t- b\n", ":2: is not YAML: a tab is between this line's start and its text. Indent"),
        ("a: @x\n", ":1: is not YAML: no text can begin with @. Put it in quotes."),
        ("a: 1\nb: 'x\nc: 2\n", ":2: is not YAML: a quote opens here and never closes"),
        ("a: 1\nb\n", ":2: is not YAML: a key has no colon"),
        ("a: b: c\n", ":1: is not YAML: a colon where no key can be"),
        ("a: 1\n  b: 2\n", ":2: is not YAML: a colon where no key can be"),
        ("a: - b\n", ":1: is not YAML: a list begins on the line of its key"),
        ("a:\n  - b: 1\n   c: 2\n", ":3: is not YAML: this does not fit what is above it"),
        ("a: 'it's'\n", ":1: is not YAML: this does not fit what is above it"),
        ('a: "\\q"\n', ":1: is not YAML: a backslash in double quotes"),
        ("a: !!python/object/apply:os.system ['true']\n", ":1: is not YAML: a text that begins with ! names"),
        ("a: 1\n? [b]\n: 2\n", ":2: is not YAML: a list or a group of keys stands where a key belongs"),
        ("a: *nowhere\n", ":1: is not YAML: a text that begins with * stands for what is not there"),
        ("a: 1\n---\nb: 2\n", ":2: is not YAML: a second document begins here, below ---. Put it into"),
        (
            "a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> x\n",
            ":2: has the mark '<<<<<<< HEAD' of a merge",
        ),
        ("- a\n- b\n", ":1: holds a list, not a mapping"),
        ("just words\n", ":1: holds a single value, not a mapping"),
        (b"a: 1\nb: \xff\n", ":2: is not text in UTF-8: here is the byte 0xff"),
        ("a: 1\n".encode("utf-16"), ":1: is UTF-16, not UTF-8"),
        ("é: 1\nb: \x07\n", ":2: holds the character '\\x07'"),
        ("a: 1\0".encode("utf-16-le"), ":1: is UTF-16, not UTF-8"),
        ("a: 1\nb: \0\n", ":2: holds the character '\\x00'"),
        ("a: !!int 09\n", ":1: is not YAML: '09' is not a value for !!int"),
        ("a: 1\nb: !!bool abc\n", ":2: is not YAML: 'abc' is not a value for !!bool"),
        ("a: !!timestamp 2026-99-99\n", ":1: is not YAML: '2026-99-99' is not a value"),
        ("a: " + "9" * 9_000, ":1: is not YAML: '999"),
        ("a: &x\n  - *x\n", ":1: holds aliases that never end"),
        ("a: 1\nb: " + "[" * 5_000 + "]" * 5_000, ":2: is not YAML: more than 100 levels"),
        ("a: " + "[" * 100_000, ":1: is not YAML: more than 100 levels"),  # libyaml's stack ends here
        ("".join(" " * level + "a:\n" for level in range(200)), ":101: is not YAML: more than 100 levels"),
        ("- " * 100_000, ":1: is not YAML: more than 100 levels"),
    ],
)
@pytest.mark.parametrize("loader", dict.fromkeys([SAFE_LOADER, yaml.SafeLoader]))
def test_a_file_that_cannot_be_read_is_refused_with_its_line(write, content, words, loader, monkeypatch):
    monkeypatch.setattr("idc_aws.scenario.yaml_lines.SAFE_LOADER", loader)
    assert refused(write(content)).startswith(words)


def test_aliases_that_multiply_are_stopped(write, monkeypatch):
    monkeypatch.setattr("idc_aws.scenario.yaml_lines.MOST_VALUES", 1_000)
    doubled = "".join(f"k{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 20))
    assert "aliases that never end" in refused(write(f"k0: &a0 x\n{doubled}"))


def test_a_missing_file_names_its_neighbours(write, tmp_path):
    neighbour = write("a: 1\n")
    assert refused(tmp_path / "other.yaml") == f": there is no such file. There are: {neighbour}."
    assert "Check the path" in refused(tmp_path / "nowhere" / "other.yaml")


def test_a_pipe_is_no_file(tmp_path):
    """It could be read only once, and reading one that nobody writes would never end."""
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "is not a regular file" in refused(tmp_path / "pipe.yaml")


@pytest.mark.parametrize(
    ("name", "words"), [("a\0b", "null"), ("x" * 300, "too long"), ("a.**", "no such file")]
)
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name, words):
    assert words in refused(tmp_path / name)


def test_json_of_any_depth_in_a_block_ends_no_process(write):
    text = '{"a":' * 50_000
    assert read_yaml(write(f"a: |\n  {text}\n")).data["a"].strip() == text


def test_a_folder_is_no_file_and_the_files_in_it_are_named(tmp_path):
    assert "is a folder, not a file. Name a YAML file." in refused(tmp_path)
    (tmp_path / "mine.yaml").write_text("")
    assert f"is a folder, not a file. Name a file in it: {tmp_path / 'mine.yaml'}." in refused(tmp_path)


@pytest.mark.parametrize(
    ("location", "text"),
    [((), ""), (("a",), "a"), (("a", 0, "b", "c", 1), "a[0].b.c[1]"), ((0, "a"), "[0].a")],
)
def test_places_are_written_as_people_do(location, text):
    assert dotted(location) == text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1: a\n", ["1"]),
        ("permission_sets:\n- name: A\n  tags: {2: b}\n", ["permission_sets[0].tags.2"]),
    ],
)
def test_a_key_that_is_no_text_is_said_once(write, content, said):
    with pytest.raises(ParametersError) as caught:
        load_scenario(write(content))
    assert [problem.path for problem in caught.value.problems] == said
    assert "is not a text for YAML. Put it in quotes" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (
            "users: {a: b}\n",
            "{'a': 'b'} is a group of keys, not a list. Begin each entry of it with '- '. People",
        ),
        ("groups:\n- display_name: [x]\n", "is a list, not a text. Write one text, without brackets, '-' or"),
        ("groups:\n- [x]\n", "is a list, not a group of keys. Write keys and values below it, without"),
    ],
)
def test_another_shape_than_the_one_that_is_wanted_has_a_remedy(write, content, remedy):
    with pytest.raises(ParametersError) as caught:
        load_scenario(write(content))
    assert remedy in str(caught.value)
