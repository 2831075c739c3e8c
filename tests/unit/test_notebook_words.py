"""What the notebooks say: how much, for whom, and how long it takes."""

from __future__ import annotations

import re
import statistics

import pytest
from notebook_text import NAMES, OF_THE_LESSON, code, count_words, every, prose

from idc_aws.scrubbing import find_secrets, scrub
from idc_helpers.notebook.exercises import EXERCISES

# A notebook has at most so many words, some of them fewer; and all together on average.
MOST, LONGEST = 950, {"01": 800, "02": 720, "03": 780}
AVERAGE = 700
# A learner has a screen and a keyboard: how a machine runs the same notebooks is said in docs/.
OF_MACHINES = re.compile(
    r"headless|unattended|papermill|nobody at the screen|without (a form|forms|buttons)", re.IGNORECASE
)
# What draws; a table is not a picture.
DRAWING = ("lesson_map", "organization_tree", "who_reaches_what", "life_of_a_session", "sign_in_conversation")
MOST_PICTURES = 2

# Reading and acts, in minutes: docs/class.md says how they were made.
WORDS_A_MINUTE = 200
STEP, EXERCISE, LOOK, ON_PAGES, FIRST_STEPS = 2, 4, 0.5, 5, 5


def acts(name):
    """Return the minutes of what a person does in a notebook beyond reading."""
    sources = [cell.source for cell in code(name)[1:]]  # all but the parameters
    kinds = {
        STEP: r"\.take\(",
        EXERCISE: r"exercise\.check\(",
        ON_PAGES: r"activation\.do\(|command_line\.apply\(",
    }
    minutes = [next((one for one, kind in kinds.items() if re.search(kind, text)), LOOK) for text in sources]
    return sum(minutes) + (FIRST_STEPS if name == NAMES[0] else 0)


def takes(name):
    """Return what a notebook says that it takes, in minutes."""
    (said,) = re.findall(r"^\| \*\*Takes\*\* \| about (\d+) minutes", prose(name), re.MULTILINE)
    return int(said)


def test_a_notebook_has_no_more_words_than_a_reader_has_patience_for():
    counts = {name: count_words(name) for name in NAMES}
    assert {name: count for name, count in counts.items() if count > LONGEST.get(name[:2], MOST)} == {}
    assert statistics.mean(counts.values()) <= AVERAGE, counts


@every(NAMES)
def test_a_text_speaks_to_a_person_at_the_screen(name):
    assert not OF_MACHINES.search(prose(name))


@every(EXERCISES)
def test_an_exercise_speaks_to_a_person_too(name):
    exercise = EXERCISES[name]
    assert not OF_MACHINES.search("\n".join((exercise.task, exercise.hint, exercise.afterwards)))


@every(NAMES)
def test_a_notebook_has_two_pictures_at_most(name):
    text = "\n".join(cell.source for cell in code(name))
    drawn = re.findall(rf"runbook\.(?:{'|'.join(DRAWING)})\(", text)
    assert len(drawn) <= MOST_PICTURES, drawn


@every(OF_THE_LESSON[:8])
def test_the_administrators_notebooks_name_the_consoles_way_and_the_practice_console(name):
    assert re.search(r"^Console: \*", prose(name), re.MULTILINE)
    assert "practice console" in prose(name).replace("\n", " ")


@every(NAMES)
def test_a_notebook_takes_what_reading_and_acts_take(name):
    minutes = count_words(name) / WORDS_A_MINUTE + acts(name)
    assert takes(name) % 5 == 0
    assert takes(name) == pytest.approx(minutes, abs=2.5), minutes


def test_the_first_notebook_says_what_all_of_them_take_together():
    total = sum(takes(name) for name in (NAMES[0], *OF_THE_LESSON, NAMES[-1]))
    (hours, minutes) = re.findall(r"the whole lesson about (\d+) hours?(?: (\d+) minutes)?", prose(NAMES[0]))[
        0
    ]
    assert int(hours) * 60 + int(minutes or 0) == total


def test_the_made_up_keys_are_known_as_examples_and_only_temporary_ones_have_a_session_token():
    (keys,) = re.findall(r"```shell\n(.*?)```", prose("11_temporary_credentials"), re.DOTALL)
    assert (scrub(keys), find_secrets(keys)) == (keys, []), "no run removes them, and none fails for them"
    ways = [dict(re.findall(r"^(\w+)=(.+)$", way, re.MULTILINE)) for way in keys.split("\n\n")]
    kinds = [(way["AWS_ACCESS_KEY_ID"][:4], "AWS_SESSION_TOKEN" in way) for way in ways]
    assert kinds == [("AKIA", False), ("ASIA", True)]
