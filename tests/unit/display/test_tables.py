from html.parser import HTMLParser

from idc_helpers.notebook.tables import Line, Table

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
    assert "<br>" in TABLE.html()


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
    assert 'colspan="2"' in empty.html()


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
