"""Account ids, ARNs, durations, names of managed policies, near misses: read and checked without a call."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cache

from idc_aws.errors import InvalidValueError, NotFoundError
from idc_aws.files import read_text

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

# ISO 8601 durations, the way that Identity Center writes session lengths.

_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,6})S)?)?",
    re.ASCII,
)
_REMEDY = "Write an ISO 8601 duration, such as 'PT1H' (one hour), 'PT90M' (90 minutes) or 'P7D' (seven days)."


def parse_duration(text: str) -> timedelta:
    """Return the length of an ISO 8601 duration: years and months, whose length is not fixed, are refused."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InvalidValueError(
            f"{text!r} is not a duration in weeks, days, hours and minutes", remedy=_REMEDY
        )
    return timedelta(**{unit: int(number or 0) for unit, number in match.groupdict().items()})


def format_duration(length: timedelta) -> str:
    """Return the ISO 8601 text of a length, in days, hours, minutes and seconds."""
    if length < timedelta(0) or length.microseconds:
        raise InvalidValueError(
            f"{length!r} has no such duration", remedy="Give a length in whole seconds that is not negative."
        )
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days_text = f"{length.days}D" if length.days else ""
    time_text = "".join(
        f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number
    )
    if not days_text and not time_text:
        return "PT0S"
    return f"P{days_text}" + (f"T{time_text}" if time_text else "")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``"1 check"``, ``"3 checks"`` or ``"2 people"``."""
    plural = {"person": "people"}.get(noun, f"{noun}s")
    return f"{number} {noun if number == 1 else plural}"


def first_of(lines: Sequence[str], most: int) -> list[str]:
    """Return the first lines of many, and in a line after them how many more there are."""
    rest = len(lines) - most
    return [*lines[:most], *([f"… and {rest:,} more"] if rest > 0 else [])]


def cut_list(words: Iterable[str], most: int) -> str:
    """Return the first of some words in one line, such as ``"ana, bob and 3 more"``."""
    every = list(words)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def describe_duration(length_s: float) -> str:
    """Return such as ``"8 hours"``, ``"7 days 1 hour"`` or ``"90 seconds"``."""
    left, parts = round(length_s), []
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        number, left = divmod(left, size)
        parts += [counted(number, name)] if number else []
    return " ".join(parts) or "0 seconds"


def format_length(length: timedelta) -> str:
    """Return a length as a person says it, such as ``"1 hour 30 minutes"`` or ``"7 days"``; no seconds."""
    minutes = length // timedelta(minutes=1)
    return describe_duration(60 * minutes) if minutes else "0 minutes"


def describe_length(text: str) -> str:
    """Return ``"8 hours"`` for ``"PT8H"``; a text that is no duration as it is."""
    try:
        return format_length(parse_duration(text))
    except InvalidValueError:
        return text


_LENGTH = re.compile(r"(\d{1,6})\s*(week|day|hour|minute)s?", re.ASCII)


def read_length(typed: str) -> str:
    """Return the duration that a length in words means: ``"PT90M"`` for ``"90 minutes"``; else the text."""
    parts = _LENGTH.findall(typed.casefold())
    if not parts or _LENGTH.sub("", typed.casefold()).replace("and", "").strip(" ,"):
        return typed
    return format_duration(
        sum((timedelta(**{f"{unit}s": int(number)}) for number, unit in parts), timedelta())
    )


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return a question that offers the nearest choice, or nothing."""
    by_folded = {choice.casefold(): choice for choice in choices}
    near = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f"Did you mean {by_folded[near[0]]!r}?" if near else ""


def no_such(what: str, name: str, known: Iterable[str], remedy: str = "") -> NotFoundError:
    """Return the error for a name that nothing has; `what` begins it, such as ``"there is no step"``."""
    names = list(known)
    found = f"{what} {name!r}. {did_you_mean(name, names)}".rstrip()
    return NotFoundError(found, remedy=remedy or f"One of: {', '.join(names)}.")


AWS_POLICY_PREFIX = "arn:aws:iam::aws:policy/"

_AWS_MANAGED_ARN = re.compile(
    r"(?P<prefix>arn:aws(?:-[a-z]{1,5}){0,3}:iam::aws:policy)"
    r"(?P<path>(?:/[A-Za-z0-9.,+@=_-]+)*)/(?P<name>[A-Za-z0-9.,+=@_-]+)"
)
_CUSTOMER_MANAGED_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:policy/.+", re.ASCII)


@cache
def aws_managed_policies() -> dict[str, str]:
    """Return every AWS managed policy that the kit knows: its name, and its path with the name."""
    text = read_text("aws_managed_policies.txt")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.rpartition("/")[2]: line for line in lines}


def managed_policy_arn(name_or_arn: str) -> str:
    """Return the ARN of an AWS managed policy."""
    if name_or_arn.startswith("arn:"):
        return _checked_arn(name_or_arn)
    name = name_or_arn.rpartition("/")[2]
    path_and_name = aws_managed_policies().get(name)
    if path_and_name is None or name_or_arn.removeprefix("/") not in (path_and_name, name):
        raise _unknown(name_or_arn)
    return _attachable(AWS_POLICY_PREFIX + path_and_name)


def _checked_arn(policy_arn: str) -> str:
    match = _AWS_MANAGED_ARN.fullmatch(policy_arn)
    if match is None:
        if _CUSTOMER_MANAGED_ARN.fullmatch(policy_arn):
            remedy = "It is a policy of your own: name it, with its path, under customer_managed_policies."
        else:
            remedy = (
                f"Write a name such as 'ReadOnlyAccess', or an ARN that starts with {AWS_POLICY_PREFIX!r}."
            )
        raise InvalidValueError(f"{policy_arn!r} is not the ARN of an AWS managed policy", remedy=remedy)
    # A policy's name is unique at AWS whatever its path, so a known name under another path is a mistake.
    right = aws_managed_policies().get(match["name"])
    if right is not None and f"{match['path']}/{match['name']}" != f"/{right}":
        raise InvalidValueError(
            f"{policy_arn!r} is not an AWS managed policy: {match['name']!r} has another path",
            remedy=f"Write '{match['prefix']}/{right}'.",
        )
    return _attachable(policy_arn)


def _attachable(policy_arn: str) -> str:
    # IAM attaches these to service-linked roles alone: the permission set would fail while it is provisioned.
    if "policy/aws-service-role/" in policy_arn:
        raise InvalidValueError(
            f"{policy_arn!r} is for a service-linked role only, not for people",
            remedy="Choose a policy whose path does not start with 'aws-service-role/'.",
        )
    return policy_arn


def _unknown(name: str) -> InvalidValueError:
    question = did_you_mean(name.rpartition("/")[2], aws_managed_policies())
    remedy = "If AWS has added it lately, write its whole ARN; your own go under customer_managed_policies."
    return InvalidValueError(
        f"{name!r} is an unknown AWS managed policy", remedy=f"{question} {remedy}".strip()
    )


_ACCOUNT_ID = re.compile(r"\d{12}", re.ASCII)
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,2}-\d{1,2}", re.ASCII)
_INSTANCE_ARN = re.compile(
    r"arn:aws(?:-[a-z]{1,5}){0,3}:sso:::instance/(?P<instance_id>(?:sso)?ins-[a-zA-Z0-9.-]{16})"
)
_IDENTITY_STORE_ID = re.compile(r"d-[0-9a-f]{10}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_account_id(text: str) -> bool:
    """Return whether a text has the shape of an account id: twelve digits."""
    return _ACCOUNT_ID.fullmatch(text) is not None


def check_account_id(value: object) -> str:
    """Return an account id, or say what is wrong with it."""
    if isinstance(value, str) and is_account_id(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        raise InvalidValueError(
            f"{value!r} is a number, and an account id is text",
            remedy="Quote the account id: YAML reads unquoted ids as numbers, and a leading 0 as octal. "
            "On papermill's command line use -r in place of -p.",
        )
    raise InvalidValueError(
        f"{value!r} is not an account id", remedy="Write the twelve digits in quotes, such as '111122223333'."
    )


def check_region(text: str) -> str:
    """Return a Region's code, or say what is wrong with it; whether AWS has that Region is not looked up."""
    if _REGION.fullmatch(text) is None:
        raise InvalidValueError(
            f"{text!r} is not a Region's code", remedy="Write a code such as 'us-east-1' or 'eu-west-1'."
        )
    return text


@cache
def identity_center_regions() -> tuple[str, ...]:
    """Return the codes of AWS's commercial Regions with Identity Center, sorted, as the SDK knows them."""
    import boto3  # noqa: PLC0415  only who needs it pays for it

    return tuple(sorted(boto3.Session().get_available_regions("sso-admin", partition_name="aws")))


def instance_id_of(instance_arn: str) -> str:
    """Return the id of an instance, such as ``"ssoins-7223abcdef012345"``, from its ARN."""
    match = _INSTANCE_ARN.fullmatch(instance_arn)
    if match is None:
        raise InvalidValueError(
            f"{instance_arn!r} is not the ARN of an instance",
            remedy="Copy it from the Settings page: 'arn:aws:sso:::instance/ssoins-' and 16 characters.",
        )
    return match["instance_id"]


def console_link(region: str, instance_arn: str, tail: str) -> str:
    """Return a link into the Identity Center console."""
    # Its form is observed and not documented by AWS: give people the path in words next to it.
    check_region(region)
    short_id = instance_id_of(instance_arn).partition("ins-")[2]
    home = f"https://{region}.console.aws.amazon.com/singlesignon/home?region={region}"
    return f"{home}#!/instances/{short_id}/{tail.lstrip('/')}"


def access_portal_url(identity_store_id: str, subdomain: str | None = None) -> str:
    """Return the address of the AWS access portal."""
    if _IDENTITY_STORE_ID.fullmatch(identity_store_id) is None:
        raise InvalidValueError(
            f"{identity_store_id!r} is not the id of an identity store",
            remedy="Take it from the Settings page: 'd-' and ten digits or letters from a to f.",
        )
    return f"https://{subdomain or identity_store_id}.awsapps.com/start"
