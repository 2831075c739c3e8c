"""A picture that stays current: what counts as news, and what is shown when it arrives."""

import asyncio

import pytest
from patience import PATIENCE_S

from idc_aws.sandbox import SandboxConsole
from idc_helpers.notebook import lesson_map
from idc_helpers.notebook.lesson_map import News, show_and_follow


class Shown:
    """Where things are shown; keeps what was shown and what replaced it."""

    def __init__(self):
        self.made, self.updates = [], []

    def __call__(self, shown):
        self.made.append(shown)
        return self

    def update(self, shown):
        self.updates.append(shown)


@pytest.fixture
def shown(monkeypatch, guided):
    shown = Shown()
    monkeypatch.setattr(lesson_map, "show_updatable", shown)
    monkeypatch.setattr(lesson_map, "FOLLOW_POLL_S", 0.01)
    return shown


def test_what_was_applied_checked_or_attested_is_news_and_a_plan_is_not(context):
    context.events.write("applied", step="groups")
    news = News(context.run_folder)
    assert not news.arrived(), "what was there before is no news"
    context.events.write("planned", step="groups")
    assert not news.arrived()
    context.events.write("planned", step="groups")
    context.events.write("applied", step="groups")
    assert news.arrived()
    assert not news.arrived()
    context.attestations.record("sessions", {"a": "b"}, by="me", seen="it", instance_arn="")
    assert news.arrived()


def test_a_file_that_was_begun_anew_and_a_torn_line_are_news(context):
    for _ in range(3):
        context.events.write("planned", step="groups")
    news = News(context.run_folder)
    context.events.path.unlink()
    assert not news.arrived()
    context.events.write("applied", step="groups")
    assert news.arrived()
    with context.events.path.open("a") as file:
        file.write('{"event": "appl')
    assert news.arrived()


def test_what_was_done_by_another_door_is_news_by_the_state_of_the_sandbox(context, tmp_path):
    sandbox = SandboxConsole("http://127.0.0.1:1", "secret", str(tmp_path))
    news = News(context.run_folder, sandbox)
    assert not news.arrived()
    for name in ("sandbox.db-wal", "sandbox.db"):
        (tmp_path / name).write_text("written", "utf-8")
        assert news.arrived()
        assert not news.arrived()
    (tmp_path / "server.log").write_text("a request", "utf-8")
    assert not news.arrived(), "what only reads is no news"


async def until(condition):
    """Wait until a condition holds; give up when patience ends."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


def test_it_is_shown_and_updated_when_something_was_applied(context, shown):
    made = []

    def make():
        made.append(f"reading {len(made) + 1}")
        if len(made) == 2:
            raise RuntimeError("the sandbox sleeps")
        return made[-1]

    async def notebook():
        show_and_follow(context, "map", lambda: "now", make)
        for number in (1, 2, 3):
            context.events.write("applied", step="groups")
            await until(lambda number=number: len(made) == number)
        await until(lambda: len(shown.updates) == 2)

    asyncio.run(notebook())
    assert shown.made == ["now"]
    assert shown.updates == ["reading 1", "reading 3"], "a target that sleeps leaves what was seen last"


def test_showing_it_again_ends_the_following_of_what_was_shown_before(context, shown):
    async def notebook():
        show_and_follow(context, "map", lambda: "old", lambda: "update of old")
        show_and_follow(context, "map", lambda: "new", lambda: "update of new")
        await asyncio.sleep(0)
        context.events.write("applied", step="groups")
        await until(lambda: shown.updates)
        assert shown.updates == ["update of new"]

    asyncio.run(notebook())


def test_without_a_loop_it_is_shown_once(context, shown):
    show_and_follow(context, "map", lambda: "now", lambda: "later")
    assert (shown.made, shown.updates) == (["now"], [])


def test_headless_ipython_shows_it_as_any_other_object(context):
    with pytest.raises(NotImplementedError):
        show_and_follow(context, "map", lambda: "now", lambda: "later")
