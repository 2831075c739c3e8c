from idc_aws.changes import Action, Change
from idc_helpers.notebook import screen
from idc_helpers.notebook.screen import LiveLine, format_progress

CHANGE = Change(Action.CREATE, "permission_set", "A", None, {}, "new")


class Display:
    def __init__(self):
        self.made, self.updates = [], []

    def __call__(self, shown):
        self.made.append(str(shown))
        return self

    def update(self, shown):
        self.updates.append(str(shown))


def test_one_display_is_made_and_then_updated(monkeypatch):
    display = Display()
    monkeypatch.setattr(screen, "show_updatable", display)
    line = LiveLine()
    for event, made in (("started", 0), ("done", 1), ("done", 2)):
        line.say(format_progress(event, CHANGE, made, 2))
    assert display.made == ["▶ 0 of 2 done · create permission set 'A' …"]
    assert display.updates == ["▶ 1 of 2 done · create permission set 'A' ✔", "✔ 2 of 2 done"]


def test_without_a_notebook_a_line_is_printed_and_nothing_breaks(capsys):
    line = LiveLine()
    line.say("first")
    line.say("second")
    assert capsys.readouterr().out == "first\n"


def test_a_thing_that_is_called_as_its_kind_is_named_once():
    kind = "access_control_attributes"
    change = Change(Action.DELETE, kind, "access control attributes", {}, None, "was created by this run")
    assert format_progress("started", change, 0, 1) == "▶ 0 of 1 done · delete access control attributes …"
