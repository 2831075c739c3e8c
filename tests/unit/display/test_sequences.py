import re

from idc_aws.scrubbing import scrub
from idc_helpers.notebook.pictures import Message, SequenceDiagram

TALK = SequenceDiagram(
    "Talk <1>",
    ("You", "CLI", "Service"),
    (
        Message("CLI", "Service", "RegisterClient", (("clientSecret", "stays <here>"), ("clientId", "abc"))),
        Message("Service", "You", "hello"),
        Message("CLI", "CLI", "thinks"),
    ),
    "That is all.",
)


def test_the_text_is_a_numbered_list_of_who_says_what_to_whom():
    assert repr(TALK).splitlines() == [
        "Talk <1>",
        "  1. CLI → Service: RegisterClient",
        "      clientSecret · stays <here>",
        "      clientId · abc",
        "  2. Service → You: hello",
        "  3. CLI: thinks",
        "That is all.",
    ]


def test_each_message_spans_the_lanes_between_its_two_and_points_at_the_receiver():
    html = TALK._repr_html_()
    assert re.findall(r'<div class="idc-message ([^"]*)"', html) == [
        "idc-from2 idc-to3 idc-over2",
        "idc-from1 idc-to3 idc-over3",
        "idc-from2 idc-to2 idc-aside",
    ]
    assert '<div class="idc-sequence idc-lanes3">' in html
    assert ".idc-from2{grid-column-start:2}" in html
    assert ' style="' not in html, "JupyterLab empties style attributes where a notebook is not trusted"
    assert re.findall(r'class="idc-arrow idc-(\w+)"', html) == ["right", "left"]


def test_a_screen_reader_hears_who_speaks_and_values_are_code_only_where_they_are_to_be_compared():
    html = TALK._repr_html_()
    assert '<span class="idc-said">CLI → Service: </span>RegisterClient' in html
    assert "clientId · <code>abc</code>" in html
    assert "clientSecret · stays &lt;here&gt;" in html
    assert "Talk &lt;1&gt;" in html
    assert 'aria-hidden="true"' in html


def test_what_stored_outputs_take_out_for_safety_leaves_a_conversation_as_it_is():
    assert scrub(repr(TALK)) == repr(TALK)
    assert scrub(TALK._repr_html_()) == TALK._repr_html_()


def test_a_conversation_is_folded_behind_what_it_is_about():
    found = re.search(r"<details><summary>(.*?)</summary>(.*)</details></div>$", TALK._repr_html_())
    assert found
    assert found[1] == "<strong>Talk &lt;1&gt;</strong> (3 messages)"
    assert found[2].count("<li>") == 3
