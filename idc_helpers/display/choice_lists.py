"""AWS's own lists, with what each entry means in one sentence.

Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/permissionsetpredefined.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_job-functions.html,
https://docs.aws.amazon.com/singlesignon/latest/userguide/howtopermrelaystate.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from idc_helpers.durations import format_duration

_COMMON, _JOB = "Common permissions", "Job function"

PREDEFINED_POLICIES: Mapping[str, tuple[str, str]] = {
    "AdministratorAccess": (
        f"AdministratorAccess ({_COMMON})",
        "Everything in every service, who may sign in and the bills included: for the few who set things up.",
    ),
    "PowerUserAccess": (
        f"PowerUserAccess ({_COMMON})",
        "Everything in every service, except managing users, groups and the organization: for developers.",
    ),
    "ReadOnlyAccess": (
        f"ReadOnlyAccess ({_COMMON})",
        "Look at everything, the content of data stores included, and change nothing.",
    ),
    "ViewOnlyAccess": (
        f"ViewOnlyAccess ({_COMMON})",
        "See which resources there are and how they are set up, but not the data in them.",
    ),
    "Billing": (f"Billing ({_JOB})", "See and manage bills, payments, budgets and costs."),
    "DatabaseAdministrator": (
        f"DatabaseAdministrator ({_JOB})",
        "Create, set up and maintain databases in AWS.",
    ),
    "DataScientist": (
        f"DataScientist ({_JOB})",
        "Run queries and data analysis, on clusters of Amazon EMR and their like.",
    ),
    "NetworkAdministrator": (
        f"NetworkAdministrator ({_JOB})",
        "Create and maintain networks: VPCs, routes, Direct Connect, Route 53, load balancing.",
    ),
    "SecurityAudit": (
        f"SecurityAudit ({_JOB})",
        "Read how resources and logs are configured, to look for what is against the rules.",
    ),
    "SupportUser": (
        f"SupportUser ({_JOB})",
        "Contact AWS Support, open cases, and look at resources to describe a problem.",
    ),
    "SystemAdministrator": (
        f"SystemAdministrator ({_JOB})",
        "Set up and maintain what applications and development run on, across many services.",
    ),
}

PASSWORD_DELIVERY: Mapping[str, tuple[str, str]] = {
    "email": (
        "Send an email to this user with password setup instructions",
        "Users that the API makes are sent a one-time password at their first attempt to sign in.",
    ),
    "one-time-password": (
        "Generate a one-time password that you can share with this user",
        "You make it in the console, and hand it over yourself.",
    ),
}


def _hours(*numbers: int) -> dict[str, str]:
    return {
        format_duration(timedelta(hours=number)): f"{number} hour{'s' if number > 1 else ''}"
        for number in numbers
    }


def _days(*numbers: int) -> dict[str, str]:
    return {
        format_duration(timedelta(days=number)): f"{number} day{'s' if number > 1 else ''}"
        for number in numbers
    }


ROLE_DURATIONS: Mapping[str, str] = _hours(*range(1, 13))
PORTAL_DURATIONS: Mapping[str, str] = {
    "PT15M": "15 minutes",
    **_hours(1, 4, 8, 12),
    **_days(1, 7, 30, 90),
}

CONSOLES: Mapping[str, tuple[str, bool]] = {
    "ec2/": ("Amazon EC2", True),
    "s3/": ("Amazon S3", True),
    "cloudwatch/": ("CloudWatch", True),
    "lambda/": ("AWS Lambda", True),
    "rds/": ("Amazon RDS", True),
    "vpc/": ("Amazon VPC", True),
    "cloudformation/": ("CloudFormation", True),
    "cloudtrail/": ("CloudTrail", True),
    "systems-manager/": ("Systems Manager", True),
    "iam/": ("IAM", False),
    "organizations/": ("AWS Organizations", False),
    "billing/": ("Billing", False),
    "costmanagement/": ("Cost Management", False),
}
"""Consoles by the path of their address: what people call each, and whether it shows one Region at a time."""

LOCALES: Mapping[str, str] = {
    "cs-CZ": "Czech (Czechia)",
    "da-DK": "Danish (Denmark)",
    "de-AT": "German (Austria)",
    "de-CH": "German (Switzerland)",
    "de-DE": "German (Germany)",
    "en-AU": "English (Australia)",
    "en-CA": "English (Canada)",
    "en-GB": "English (United Kingdom)",
    "en-IE": "English (Ireland)",
    "en-IN": "English (India)",
    "en-US": "English (United States)",
    "es-ES": "Spanish (Spain)",
    "es-MX": "Spanish (Mexico)",
    "fi-FI": "Finnish (Finland)",
    "fr-CA": "French (Canada)",
    "fr-FR": "French (France)",
    "he-IL": "Hebrew (Israel)",
    "hi-IN": "Hindi (India)",
    "id-ID": "Indonesian (Indonesia)",
    "it-IT": "Italian (Italy)",
    "ja-JP": "Japanese (Japan)",
    "ko-KR": "Korean (South Korea)",
    "nb-NO": "Norwegian (Norway)",
    "nl-NL": "Dutch (Netherlands)",
    "pl-PL": "Polish (Poland)",
    "pt-BR": "Portuguese (Brazil)",
    "pt-PT": "Portuguese (Portugal)",
    "sv-SE": "Swedish (Sweden)",
    "tr-TR": "Turkish (Türkiye)",
    "uk-UA": "Ukrainian (Ukraine)",
    "zh-CN": "Chinese (China)",
    "zh-TW": "Chinese (Taiwan)",
}
