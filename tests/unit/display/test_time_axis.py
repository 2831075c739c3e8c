import re
import xml.etree.ElementTree as ElementTree
from html import unescape

import pytest

from idc_helpers.notebook.pictures import Row, TimeAxis, describe_duration, short_duration

HOUR = 3600
AXIS = TimeAxis(
    "Life <1>",
    (
        Row("Portal", "8 hours & more", ((0, 8 * HOUR),)),
        Row("Keys", "one hour each", ((0, HOUR), (HOUR, 2 * HOUR)), goes_on=True),
        Row("Last", "outlives it", ((8 * HOUR, 9 * HOUR),)),
    ),
    ((0, "sign in"), (8 * HOUR, "the end")),
    "A note.",
)
SVG = "{http://www.w3.org/2000/svg}"


def rectangles(axis):
    found = ElementTree.fromstring(axis.svg()).findall(f"{SVG}rect")
    return [(float(each.get("x")), float(each.get("x")) + float(each.get("width"))) for each in found]


def test_a_bar_for_each_span_in_proportion():
    portal, first, second, last = rectangles(AXIS)
    hour = first[1] - first[0]
    assert portal[1] - portal[0] == pytest.approx(8 * hour, abs=1)
    assert second[0] == pytest.approx(first[1], abs=0.2)
    assert last[0] == pytest.approx(portal[1], abs=0.2)


def test_the_picture_is_well_formed_named_and_takes_its_colours_from_the_theme():
    root = ElementTree.fromstring(AXIS.svg())
    assert root.get("aria-label").startswith("Life <1>. Portal: 8 hours & more. Keys: one hour each.")
    texts = {"".join(text.itertext()) for text in root.iter(f"{SVG}text")}
    assert {"Portal 8 hours & more", "①", "②", "… and so on", "9 h"} <= texts
    html = AXIS._repr_html_()
    assert "var(--jp-ui-font-color1,currentColor)" in html
    assert not [each for each in root.iter() if {"fill", "stroke", "style"} & set(each.keys())]


def test_caption_moments_and_note_are_paragraphs_around_the_picture():
    html = AXIS._repr_html_()
    for words in ("<strong>Life &lt;1&gt;</strong>", "<p>② the end (after 8 hours)</p>", "<p>A note.</p>"):
        assert words in html


def test_where_a_notebook_is_not_trusted_the_words_of_the_picture_stay_apart():
    words = re.sub("<[^>]+>", "", AXIS.svg()).split("\n")
    assert "Portal 8 hours & more" in [unescape(line) for line in words]


def test_the_text_says_the_same_with_bars_of_letters():
    lines = repr(AXIS).splitlines()
    assert lines[0] == "Life <1>"
    assert lines[1].startswith("Portal  ███")
    assert lines[1].endswith("·  8 hours & more")
    assert lines[2].startswith("Keys    ███████████…·")
    assert lines[3].startswith("Last    ···")
    assert "·█████  outlives it" in lines[3]
    assert lines[4:] == ["① sign in", "② the end (after 8 hours)", "A note."]


@pytest.mark.parametrize("end_s", [60, 900, HOUR, 9 * HOUR, 86400, 7 * 86400, 90 * 86400])
def test_the_axis_has_some_ticks_and_never_a_crowd(end_s):
    axis = TimeAxis("x", (Row("a", "b", ((0, end_s),)),))
    root = ElementTree.fromstring(axis.svg())
    ticks = [text.text for text in root.iter(f"{SVG}text") if text.get("text-anchor") == "middle"]
    assert ticks[0] == "0"
    assert 2 <= len(ticks) <= 10
    assert all(0 <= start <= end <= 760 for start, end in rectangles(axis))


def test_durations_in_words_and_short():
    seconds = (0, 1, 90, 3600, 5400, 86400, 7 * 86400 + 3600)
    assert [describe_duration(each) for each in seconds] == [
        "0 seconds",
        "1 second",
        "1 minute 30 seconds",
        "1 hour",
        "1 hour 30 minutes",
        "1 day",
        "7 days 1 hour",
    ]
    assert [short_duration(each) for each in seconds] == ["0", "1 s", "90 s", "1 h", "90 min", "1 d", "169 h"]
