"""Plans for tests, made of changes without a target."""

from idc_aws.changes import Action, Change
from idc_runner.plans.document import LessonPlan, PlannedChange, PlanPlace, PlanScenario, StepPlan

PLACE = PlanPlace(
    "sandbox", "111122223333", "Management", "us-east-1", "arn:aws:iam::111122223333:user/ana", "arn:ins"
)
SCENARIO = PlanScenario("/somewhere/sandbox.yaml", "organization")


def planned(action, kind, key, wanted, before=None, stays=()):
    """Return a change as a step plans it."""
    if action is Action.UNCHANGED:
        before = wanted
    after = {**(before or {}), **wanted}
    return PlannedChange(Change(action, kind, key, before, after, "because"), wanted, stays)


def lesson_plan(*changes, **values):
    """Return a plan with all changes in one step."""
    step = StepPlan("permission_sets", "05_permission_sets", "Permission sets", tuple(changes))
    return LessonPlan(PLACE, SCENARIO, (step,), **values)


def groups(number):
    """Return the creations of so many groups."""
    return [
        planned(Action.CREATE, "group", f"Group {n:04}", {"description": f"People of {n}"})
        for n in range(number)
    ]
