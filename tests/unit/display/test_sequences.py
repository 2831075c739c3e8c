import re

from idc_helpers.display.sequences import Message, Sequence
from idc_helpers.scrubbing import scrub

TALK = Sequence(
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
    assert re.findall(r'style="grid-column:(\d/\d);margin:([^"]*)"', html) == [
        ("2/4", "0 calc(50%/2)"),
        ("1/4", "0 calc(50%/3)"),
        ("2/3", "0 .3em"),
    ]
    assert re.findall(r'class="idc-arrow idc-(\w+)"', html) == ["right", "left"]
    assert html.count("idc-aside") == 2, "the style, and what one does alone"


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
