from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idc_aws.errors import InvalidValueError
from idc_aws.identifiers import format_duration, format_length, parse_duration

WHOLE_SECONDS = st.integers(0, 400 * 86_400).map(lambda seconds: timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("PT1H", timedelta(hours=1)),
        ("PT90M", timedelta(minutes=90)),
        ("P7D", timedelta(days=7)),
        ("P2W", timedelta(weeks=2)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("PT3600S", timedelta(hours=1)),
        ("PT0S", timedelta(0)),
    ],
)
def test_durations_are_read(text, length):
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "1H",
        "PT1",
        "P1H",
        "PT1D",
        "P1Y",
        "P1M",
        "-PT1H",
        "PT-1H",
        "PT1.5H",
        "pt1h",
        "PT1H ",
        "PT1H\n",
        "P1DT",
        "PT١H",
        "8h",
    ],
)
def test_what_is_not_a_duration_is_refused_with_examples(text):
    with pytest.raises(InvalidValueError) as caught:
        parse_duration(text)
    assert repr(text) in caught.value.message
    assert "'PT1H'" in caught.value.remedy


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(0), "PT0S"),
        (timedelta(minutes=90), "PT1H30M"),
        (timedelta(hours=24), "P1D"),
        (timedelta(days=90), "P90D"),
        (timedelta(days=1, seconds=5), "P1DT5S"),
    ],
)
def test_each_length_has_one_text(length, text):
    assert format_duration(length) == text


@given(WHOLE_SECONDS)
def test_reading_undoes_writing(length):
    assert parse_duration(format_duration(length)) == length


@given(WHOLE_SECONDS)
def test_writing_is_one_spelling(length):
    in_minutes_and_seconds = f"PT{length // timedelta(minutes=1)}M{length.seconds % 60}S"
    assert format_duration(parse_duration(in_minutes_and_seconds)) == format_duration(length)


@pytest.mark.parametrize("length", [timedelta(seconds=-1), timedelta(microseconds=1)])
def test_lengths_without_a_text_are_refused(length):
    with pytest.raises(InvalidValueError, match="has no such duration"):
        format_duration(length)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PT1H", "1 hour"),
        ("PT90M", "1 hour 30 minutes"),
        ("P7D", "7 days"),
        ("P1DT1M", "1 day 1 minute"),
        ("PT30S", "0 minutes"),
    ],
)
def test_a_length_in_words(text, words):
    assert format_length(parse_duration(text)) == words
