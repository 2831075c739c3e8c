from idc_helpers.notebook.tables import failed_checks
from idc_helpers.runbook.comparing import Check, CheckResults
from idc_helpers.runbook.lesson import Place

FAILED = Check(
    "group <Auditors>",
    False,
    "gone",
    "Apply again.",
    expected="it exists",
    found="nothing of that name",
    cause="somebody deleted it",
    go_back=Place("06_groups", "Choose"),
    source="https://docs.aws.amazon.com/singlesignon/latest/userguide/addgroups.html",
)
RESULTS = CheckResults((Check("group Others", True, "exists"), FAILED))


def test_only_what_failed_is_told_in_reading_order():
    assert repr(failed_checks(RESULTS)) == "\n".join(
        (
            "✘ group <Auditors>",
            "  Expected: it exists",
            "  Found: nothing of that name",
            "  Likely cause: somebody deleted it",
            "  Go back to: 06_groups, “Choose” (06_groups.ipynb#Choose)",
            "  AWS's page: https://docs.aws.amazon.com/singlesignon/latest/userguide/addgroups.html",
            "  Apply again.",
        )
    )


def test_the_page_links_to_the_heading_and_escapes_what_a_target_calls_its_things():
    html = failed_checks(RESULTS)._repr_html_()
    assert '<a href="06_groups.ipynb#Choose">06_groups, “Choose”</a>' in html
    assert "<h3>✘ group &lt;Auditors&gt;</h3>" in html
    assert "<Auditors>" not in html
    assert "group Others" not in html


def test_a_check_that_knows_no_cause_still_says_what_was_found():
    plain = CheckResults((Check("teardown", False, "still there: group A", "Run it again."),))
    assert "  Found: still there: group A\n  Run it again." in repr(failed_checks(plain))
