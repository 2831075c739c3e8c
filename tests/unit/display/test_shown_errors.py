import types

from idc_helpers.notebook.screen import scrub_shown_errors

SECRET = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"


def shell():
    shown = []
    return types.SimpleNamespace(_showtraceback=lambda *parts: shown.append(parts), shown=shown)


def test_an_exception_is_shown_without_its_secret():
    found = shell()
    scrub_shown_errors(found)
    found._showtraceback(ValueError, ValueError(f"key {SECRET}"), [f"line with {SECRET}", "harmless"])
    ((kind, value, lines),) = found.shown
    assert kind is ValueError
    assert SECRET not in value + "".join(lines)
    assert lines[1] == "harmless"


def test_asking_twice_changes_nothing():
    found = shell()
    scrub_shown_errors(found)
    first = found._showtraceback
    scrub_shown_errors(found)
    assert found._showtraceback is first


def test_outside_of_ipython_there_is_nothing_to_do():
    scrub_shown_errors(None)
