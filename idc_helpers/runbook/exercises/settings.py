"""Exercises of notebooks 01 to 04: the instance, its settings, and who else runs it."""

from __future__ import annotations

from idc_helpers.aws.access_control import KEY, AccessControlAttributes
from idc_helpers.aws.console_settings import ConsoleSettings
from idc_helpers.aws.organization import DelegatedAdministrators, list_accounts, management_account_id
from idc_helpers.runbook.exercises.exercise import Examination, Exercise, Finding, Look

_EMPTY = "nothing yet: give it as the answer, in quotes, and run the cell again"


def _identity_store(look: Look) -> Examination:
    instance = look.connection.instance
    words = "the identity store's id"
    if look.answer == instance.identity_store_id:
        return _answered(words, True, look.answer)
    hints = {
        "": _EMPTY,
        instance.instance_arn: "that is the ARN of the instance; the identity store has an id of its own",
        instance.owner_account_id: "that is the account which owns the instance",
    }
    otherwise = f"{look.answer!r} is not it: an id starts with d- and has ten more characters"
    if look.answer.startswith("d-"):
        otherwise = f"{look.answer!r} is another one: was the call made in Region {instance.region!r}?"
    return _answered(words, False, hints.get(look.answer, otherwise))


def _answered(words: str, done: bool, found: str) -> Examination:
    return Examination((Finding(words, done, found),))


def _mapping(look: Look) -> Examination:
    found = AccessControlAttributes(look.connection).read([KEY]).get(KEY, {}).get("attributes", {})
    key, source = look.names["key"], look.names["source"]
    near = next((one for one in found if one.casefold() == key.casefold() and one != key), "")
    there = found.get(key) or (f"there is {near!r}: capital letters count" if near else "no such key")
    wanted = look.context.scenario.access_control_attributes
    kept = dict(wanted.attributes) if wanted else {}
    lost = sorted(name for name, value in kept.items() if found.get(name) != value)
    still = (
        "all there" if not lost else f"gone or changed: {', '.join(lost)}; the call replaces the whole list"
    )
    return Examination(
        (
            Finding(f"{key} is mapped to {source}", found.get(key) == source, str(there)),
            Finding("the mappings of before are still there", not lost, still),
        )
    )


def _portal_session(look: Look) -> Examination:
    if look.connection.console is None:
        return Examination(
            unreadable="No API shows this setting, so on AWS you are your own judge: open it again and look."
        )
    wanted = look.names["duration"]
    found = ConsoleSettings(look.connection).read(["sessions"])["sessions"]
    background = look.context.scenario.authentication.sessions.user_background
    other = found["user_background"]
    is_mixed_up = other == wanted and found["user_interactive"] != wanted
    kept = "that is the session of background jobs; people have the other one" if is_mixed_up else other
    return Examination(
        (
            Finding(
                f"a portal session lasts {wanted}",
                found["user_interactive"] == wanted,
                found["user_interactive"],
            ),
            Finding("background sessions are as they were", other == background, kept),
        )
    )


def _delegate(look: Look) -> Examination:
    accounts = {account.account_id: account for account in list_accounts(look.connection)}
    delegates = DelegatedAdministrators(look.connection).read(list(accounts))
    words = "the id of the delegated administrator's account"
    if not delegates:
        return _answered(words, False, "there is no delegated administrator yet: apply the step above")
    if look.answer in delegates:
        return _answered(words, True, f"{look.answer}, {accounts[look.answer].name}")
    if look.answer in accounts:
        is_manager = look.answer == management_account_id(look.connection)
        why = "which needs no delegation" if is_manager else "which may administer nothing here"
        return _answered(words, False, f"that is {accounts[look.answer].name!r}, {why}")
    found = f"{look.answer!r} is not an account of this organization" if look.answer else _EMPTY
    return _answered(words, False, found)


SETTINGS_EXERCISES = (
    Exercise(
        name="ask_for_the_instance",
        notebook="01_enable_identity_center",
        title="ask for the instance yourself",
        task=(
            "Tools ask the API, not a table. Ask it yourself, in a terminal: which instances are there? Among"
            " what it answers is the id of the identity store. Give that as the answer below."
        ),
        hint=(
            "File → New → Terminal: in the sandbox the AWS CLI there talks to the sandbox. Then:\n"
            "    aws sso-admin list-instances\n"
            "Now ask in another Region, and compare:\n"
            "    aws sso-admin list-instances --region eu-west-1"
        ),
        afterwards="Nothing remains: you only looked.",
        examine=_identity_store,
        asks=True,
    ),
    Exercise(
        name="one_more_mapping",
        notebook="02_settings",
        title="let policies see one more attribute",
        task=(
            "Policies shall see people's division too: map the key `{key}` to `{source}`, and keep what is"
            " mapped already. Then run the step's plan again: what does it say about you?"
        ),
        hint=(
            "By the form: one more line under “Attributes”, Review, Apply. By the CLI, with all mappings,"
            " because the call replaces the whole list:\n"
            "    aws sso-admin update-instance-access-control-attribute-configuration"
            " --instance-arn ARN --instance-access-control-attribute-configuration"
            ' \'{{"AccessControlAttributes": [{{"Key": "{key}", "Value": {{"Source": ["{source}"]}}}}, …]}}\''
        ),
        afterwards=(
            "The scenario does not name the new key, so the next plan of this step offers to take it away:"
            " applying it cleans up."
        ),
        examine=_mapping,
        names={"key": "Division", "source": "${path:enterprise.division}"},
    ),
    Exercise(
        name="shorter_portal_session",
        notebook="03_authentication",
        title="a shorter day",
        task=(
            "Eight hours is a long time for a laptop in a café. Let a session of the access portal last four"
            " hours (`{duration}`), and leave background sessions as they are."
        ),
        hint=(
            "By the form of “Sessions” above: user interactive, Review, Apply. Or on the sandbox's settings"
            " page: File → New Launcher has a tile for it, and in a terminal this prints the link:\n"
            "    idc sandbox pages\n"
            "On AWS: Settings → Authentication → Session duration → Configure."
        ),
        afterwards="The scenario says eight hours: planning and applying “Sessions” again sets it back.",
        examine=_portal_session,
        names={"duration": "PT4H"},
    ),
    Exercise(
        name="name_the_delegate",
        notebook="04_management",
        title="who else holds the keys?",
        task=(
            "Which account, apart from the management account, may administer Identity Center?"
            " Answer with its id, as AWS Organizations shows it."
        ),
        hint=(
            "Delegation is a matter of AWS Organizations, not of Identity Center; its name there is the"
            " service principal:\n"
            "    aws organizations list-delegated-administrators --service-principal sso.amazonaws.com"
        ),
        afterwards="Nothing remains: you only looked.",
        examine=_delegate,
        asks=True,
    ),
)
"""In the order of the notebooks."""
