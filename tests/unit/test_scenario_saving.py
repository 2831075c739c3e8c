from pathlib import Path

import pytest

from idc_aws.errors import InvalidValueError, ParametersError
from idc_aws.scenario.reading import load_scenario, scenario_parameters
from idc_aws.scenario.saving import save_scenario_part

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "parameters" / "sandbox.yaml"


def comments(text):
    return [line for line in text.splitlines() if line.lstrip().startswith("#")]


def saved(tmp_path, change, source=SOURCE, **options):
    """Save with a change made in place, check that the file means that, and return its text."""
    wanted = {}

    def changed(found):
        wanted.update(found)
        change(wanted)
        return wanted

    target = tmp_path / "mine.yaml"
    save_scenario_part(source, target, changed, **options)
    kept = scenario_parameters(load_scenario(target))
    for section in ("users", "groups", "instance", "account_assignments"):
        assert [*map(str, kept[section])] == [*map(str, wanted[section])] or kept[section] == wanted[section]
    return target.read_text("utf-8")


def lines_that_differ(text):
    before = SOURCE.read_text("utf-8").splitlines()
    after = text.splitlines()
    return [line for line in before if line not in after], [line for line in after if line not in before]


def test_nothing_changed_is_the_same_file(tmp_path):
    assert saved(tmp_path, lambda values: None) == SOURCE.read_text("utf-8")


def test_one_value_changes_one_line_and_every_comment_stays(tmp_path):
    def change(values):
        values["permission_sets"][1]["session_duration"] = "PT8H"

    text = saved(tmp_path, change)
    assert lines_that_differ(text) == (["    session_duration: PT4H"], ["    session_duration: PT8H"])
    assert len(text.splitlines()) == len(SOURCE.read_text("utf-8").splitlines())


def test_a_value_that_becomes_the_default_stays_written_out(tmp_path):
    def change(values):
        values["authentication"]["send_email_otp"] = False

    text = saved(tmp_path, change)
    assert "  send_email_otp: false\n" in text
    assert comments(text) == comments(SOURCE.read_text("utf-8"))
    (tmp_path / "other.yaml").write_text(text, "utf-8")

    def back(values):
        values["authentication"]["send_email_otp"] = True

    assert saved(tmp_path, back, tmp_path / "other.yaml", update=True) == SOURCE.read_text("utf-8")


def test_new_things_come_after_the_old_ones_and_account_ids_keep_their_quotes(tmp_path):
    def change(values):
        values["groups"].append({"display_name": "Operators", "description": "They operate"})
        values["account_assignments"][0]["accounts"] = ["098765432109"]

    text = saved(tmp_path, change)
    assert "  - display_name: Operators\n    description: They operate\n\n# Notebook 07." in text
    assert '      - "098765432109"\n' in text
    assert comments(text) == comments(SOURCE.read_text("utf-8"))


def test_what_was_removed_is_gone_and_its_neighbours_stay_as_typed(tmp_path):
    def change(values):
        del values["permission_sets"][1]
        del values["users"][0]["address"]
        values["account_assignments"] = values["account_assignments"][:1]

    text = saved(tmp_path, change)
    gone, new = lines_that_differ(text)
    assert new == []
    assert "  - predefined: ReadOnlyAccess" in gone
    assert "      locality: Any Town" in gone
    assert "enterprise:" in text


def test_a_key_that_the_file_does_not_have_is_added_beside_its_siblings(tmp_path):
    def change(values):
        values["permission_sets"][0]["inline_policy"] = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}],
        }

    text = saved(tmp_path, change)
    assert "    inline_policy:\n      Version: '2012-10-17'\n" in text
    assert (
        load_scenario(tmp_path / "mine.yaml").permission_sets[0].inline_policy["Statement"][0]["Effect"]
        == "Deny"
    )
    assert comments(text) == comments(SOURCE.read_text("utf-8"))


def test_a_file_that_exists_is_never_replaced_silently(tmp_path):
    (tmp_path / "mine.yaml").write_text("region: eu-west-1\n", "utf-8")
    with pytest.raises(InvalidValueError, match="there is a file") as raised:
        saved(tmp_path, lambda values: None)
    assert "Choose another name" in raised.value.remedy
    assert (tmp_path / "mine.yaml").read_text("utf-8") == "region: eu-west-1\n"


def test_with_leave_only_this_part_of_a_file_that_exists_changes(tmp_path):
    (tmp_path / "mine.yaml").write_text("# mine\nregion: eu-west-1  # home\n", "utf-8")

    def change(values):
        values["groups"] = [{"display_name": "Operators"}]

    text = saved(tmp_path, change, update=True)
    assert text == "# mine\nregion: eu-west-1  # home\ngroups:\n  - display_name: Operators\n"


def test_what_would_not_be_a_scenario_is_not_written(tmp_path):
    def change(values):
        values["groups"] = [{"display_name": ""}]

    with pytest.raises(ParametersError):
        saved(tmp_path, change)
    assert not (tmp_path / "mine.yaml").exists()


def test_a_secret_is_never_written(tmp_path):
    def change(values):
        values["groups"] = [{"display_name": "Ops", "description": "AKIAI44QH8DHBEXAMPLE"}]

    with pytest.raises(ParametersError, match="holds what looks like a secret: an access key id"):
        saved(tmp_path, change)
    assert not (tmp_path / "mine.yaml").exists()


@pytest.mark.parametrize(
    "text",
    [
        "groups: [{display_name: A}, {display_name: B}]\nregion: us-east-1",
        "groups: []\n",
        "groups:\n  - &first\n    display_name: A\n",
        "groups:\n- display_name: A\n  # about A\n- display_name: B",
    ],
)
def test_other_layouts_come_out_right(tmp_path, text):
    (tmp_path / "source.yaml").write_text(text, "utf-8")

    def change(values):
        values["groups"] = [*values["groups"][:1], {"display_name": "C", "description": "third"}]

    written = saved(tmp_path, change, tmp_path / "source.yaml")
    assert "C" in written


def add_operators(values):
    values["groups"] = [*values.get("groups", []), {"display_name": "Operators"}]


# What is there, and which bytes of it must still be there when a group was added by a form.
KEPT = {
    "Windows' line ends": (b"# mine\r\nregion: us-east-1\r\n", b"# mine\r\nregion: us-east-1\r\ngroups:\r\n"),
    "a byte-order mark": (b"\xef\xbb\xbf# mine\nregion: us-east-1\n", b"\xef\xbb\xbf# mine\nregion"),
    "comments alone": (b"# mine\n", b"# mine\n"),
    "a tab before a comment": (b"region: us-east-1\t# home\n", b"us-east-1\t# home\n"),
    "an anchor elsewhere": (
        b"instance:\n  name: &n a  # name\n  tags: {x: *n}\n# end\n",
        b"  name: &n a  # name\n  tags: {x: *n}\n",
    ),
    "an alias at the end": (
        b"# top\ngroups:\n  - display_name: &a A  # first\n    description: *a\n# end\n",
        b"  - display_name: &a A  # first\n    description: *a\n  - display_name: Operators\n",
    ),
    "a merged key": (
        b"groups:\n  - &a\n    display_name: A  # first\n    description: d\n"
        b"  - <<: *a\n    display_name: B\n# end\n",
        b"  - &a\n    display_name: A  # first\n    description: d\n  - <<: *a\n    display_name: B\n",
    ),
    "the end of a document": (b"---\nregion: us-east-1\n... # end\n", b"... # end\n"),
}


@pytest.mark.parametrize("layout", KEPT)
def test_what_a_form_does_not_change_stays_byte_for_byte(tmp_path, layout):
    content, kept = KEPT[layout]
    (tmp_path / "mine.yaml").write_bytes(content)
    assert "Operators" in saved(tmp_path, add_operators, update=True)
    assert kept in (tmp_path / "mine.yaml").read_bytes()


def test_comments_are_not_lost_to_a_layout_that_cannot_be_edited(tmp_path):
    text = "groups:\n  - &a\n    display_name: A\n# mine\ninstance:\n  <<: {tags: {x: y}}\n  name: a\n"
    (tmp_path / "mine.yaml").write_text(text, "utf-8")

    def change(values):
        values["instance"] = {**values["instance"], "tags": {}}

    assert "# mine" in saved(tmp_path, change, update=True)


def test_a_layout_that_cannot_be_kept_is_refused_where_comments_would_be_lost(tmp_path):
    text = "groups:\n  - display_name: &a A\n# mine\ninstance:\n  name: *a\n"
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    with pytest.raises(InvalidValueError, match="without losing its comments"):
        saved(tmp_path, lambda values: values.update(groups=[]), update=True)
    assert (tmp_path / "mine.yaml").read_text("utf-8") == text


def test_a_link_stays_a_link_and_a_file_keeps_its_mode(tmp_path):
    (tmp_path / "real.yaml").write_text("region: us-east-1\n", "utf-8")
    (tmp_path / "real.yaml").chmod(0o600)
    (tmp_path / "mine.yaml").symlink_to("real.yaml")
    saved(tmp_path, add_operators, update=True)
    assert (tmp_path / "mine.yaml").is_symlink()
    assert (tmp_path / "real.yaml").stat().st_mode & 0o777 == 0o600
    (tmp_path / "real.yaml").chmod(0o444)
    with pytest.raises(InvalidValueError, match="it is read-only"):
        saved(tmp_path, lambda values: values.update(groups=[]), update=True)


@pytest.mark.parametrize("name", ["a\0.yaml", "x" * 300 + ".yaml"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name):
    with pytest.raises(InvalidValueError, match="cannot be written"):
        save_scenario_part(SOURCE, tmp_path / name, dict)


def test_another_ending_and_a_folder_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(InvalidValueError, match="not the name of a scenario file"):
        save_scenario_part(SOURCE, tmp_path / "mine.txt", dict)
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(InvalidValueError, match="cannot be written"):
        save_scenario_part(SOURCE, tmp_path / "file" / "mine.yaml", dict)
