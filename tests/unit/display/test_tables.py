import csv
import json
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from idc_aws.scrubbing import masking
from idc_helpers.notebook.tables import FailedChecks, Line, Table, with_files
from idc_helpers.runbook.comparing import Check

TABLE = Table(
    "Two things",
    ("action", "key"),
    (("+ create", "A\nB"), ("- delete", "<b>&")),
    1,
    ("change", "bad"),
    "done",
)


class Outline(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def tags(self, tag):
        return [attributes for found, attributes in self.found if found == tag]


def test_a_table_has_a_caption_and_headers_with_a_scope():
    outline = Outline(TABLE.html())
    assert len(outline.tags("caption")) == 1
    assert [header["scope"] for header in outline.tags("th")] == ["col", "col", "row", "row"]


def test_what_comes_from_the_target_is_escaped():
    assert "<b>" not in TABLE.html()
    assert "&lt;b&gt;&amp;" in TABLE.html()
    assert "<div>A</div><div>B</div>" in TABLE.html()
    assert "<br>" not in TABLE.html()


def test_dollar_signs_of_an_attribute_mapping_are_never_a_formula():
    mapping = "CostCenter=${path:enterprise.costCenter},Department=${path:enterprise.department}"
    html = Table("What is mapped", ("key", "value"), (("attributes", mapping),)).html()
    assert html.count('<span class="mathjax_ignore">$</span>{path:') == 2
    assert html.count("$") == 2


def test_colour_is_never_the_only_signal():
    assert [attributes.get("class") for attributes in Outline(TABLE.html()).tags("tr")] == [
        None,
        "idc-change",
        "idc-bad",
    ]
    assert "+ create" in TABLE.html()


def test_colours_are_the_labs_own_in_light_and_dark():
    assert "var(--jp-ui-font-color1" in TABLE._repr_html_()


def test_the_plain_text_is_aligned_and_keeps_lines_together():
    assert repr(TABLE).splitlines() == [
        "Two things",
        "action    key",
        "--------  ----",
        "+ create  A",
        "          B",
        "- delete  <b>&",
        "done",
    ]


def test_an_empty_table_says_so():
    empty = Table("None", ("action", "key"), ())
    assert "(nothing)" in repr(empty)
    assert '<td colspan="2">(nothing)</td>' in empty.html()


def test_an_empty_table_says_why_in_place_of_that():
    empty = Table("Left out: 0", ("what",), (), note="All of `it` is there.")
    assert repr(empty) == "Left out: 0\n  All of `it` is there."
    assert empty.html().count("All of <code>it</code> is there.") == 1
    assert "(nothing)" not in empty.html()


def test_what_heads_a_row_may_be_code():
    lines = Table("The profile", ("line", "meaning"), (("region = <x>", "where"),), is_code=True)
    assert '<th scope="row"><code>region = &lt;x&gt;</code></th><td>where</td>' in lines.html()
    assert repr(lines).endswith("region = <x>  where")


def test_a_line_is_escaped_and_announced():
    assert repr(Line("a < b")) == "a < b"
    assert '<p class="idc-note" role="status">a &lt; b</p>' in Line("a < b")._repr_html_()


def test_what_is_typed_is_shown_as_code():
    told = "Run: `aws <x>`."
    assert "Run: <code>aws &lt;x&gt;</code>." in Line(told)._repr_html_()
    assert "<code>aws &lt;x&gt;</code>" in Table("t", ("a",), (), note=told)._repr_html_()
    assert repr(Line(told)) == told


def test_a_table_becomes_a_frame_of_text():
    frame = TABLE.frame()
    assert list(frame.columns) == ["action", "key"]
    assert frame["key"].tolist() == ["A\nB", "<b>&"]


# What is too long for a cell


def long_table(number: int, *, bad: tuple[int, ...] = ()) -> Table:
    rows = tuple(("+ create", "user", f"person-{at}", f"A: {at}\nB: x") for at in range(number))
    marks = tuple("bad" if at in bad else "change" for at in range(number))
    return Table("People", ("action", "kind", "key", "values"), rows, row_header=2, marks=marks)


@pytest.fixture
def context(tmp_path):
    (tmp_path / "run" / "notebooks").mkdir(parents=True)
    return SimpleNamespace(run_folder=tmp_path / "run", notebook="08_users")


@pytest.mark.parametrize(("number", "shown"), [(0, 0), (200, 200), (201, 50), (3000, 50)])
def test_a_long_table_shows_its_first_rows(number, shown):
    table = long_table(number)
    assert len(Outline(table.html()).tags("tr")) == 1 + max(shown, 1)
    assert repr(table).count("+ create  ") == shown
    assert len(table) == len(table.frame()) == number, "the table itself is whole"
    is_cut = shown < number
    for said in (table.html(), repr(table)):
        assert (f"These are {shown:,} of {number:,} rows" in said) == is_cut
        assert (f"+ create user: {number:,}" in said) == is_cut


def test_rows_that_are_bad_are_never_cut_before_others():
    table = long_table(1000, bad=(700, 999))
    assert "person-700" in repr(table)
    assert "person-999" in table.html()
    assert "person-48" not in table.html()
    assert "person-47" in table.html()


def test_a_long_table_is_whole_in_two_files_beside_the_notebook(context):
    table = with_files(long_table(250), context, "Users and memberships-plan")
    assert table.files == (
        "../tables/08_users-users_and_memberships_plan.csv",
        "../tables/08_users-users_and_memberships_plan.json",
    )
    assert f'href="{table.files[0]}"' in table.html()
    assert table.files[1] in repr(table)
    paths = [context.run_folder / "notebooks" / name for name in table.files]
    rows = list(csv.DictReader(paths[0].open(newline="")))
    assert len(rows) == 250
    assert rows[249] == {"action": "create", "kind": "user", "key": "person-249", "values": "A: 249; B: x"}
    assert json.loads(paths[1].read_text())[249] == {**rows[249], "values": "A: 249\nB: x"}
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o600, 0o600]


def test_a_short_table_writes_no_file(context):
    assert with_files(long_table(200), context, "x").files == ()
    assert not (context.run_folder / "tables").exists()


def test_no_cell_of_the_file_is_a_formula(context):
    rows = tuple(("=1+1", "+1", "-x", "@a") for _ in range(201))
    (name, _) = with_files(Table("x", ("a", "b", "c", "d"), rows), context, "x").files
    line = (context.run_folder / "notebooks" / name).read_text().splitlines()[1]
    assert line == "'=1+1,'+1,'-x,'@a"


def test_the_files_hold_no_secret_and_masked_people(context):
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEZ"
    people = [{"user_name": "mary.major", "email": "mary@example.com"}]
    rows = (*(("user", f"n{at}") for at in range(201)), ("mary.major", f"aws_secret_access_key={secret}"))
    with masking(people):
        names = with_files(Table("x", ("a", "b"), rows), context, "x").files
    for name in names:
        text = (context.run_folder / "notebooks" / name).read_text()
        assert secret not in text
        assert "mary.major" not in text
        assert "person-1" in text


def test_a_thousand_failed_checks_teach_by_the_first(context):
    checks = FailedChecks(tuple(Check(f"user {at}", False, "is not there") for at in range(1000)))
    assert repr(checks).count("is not there") == 50
    assert "These are 50 of 1,000 failed checks" in checks._repr_html_()
