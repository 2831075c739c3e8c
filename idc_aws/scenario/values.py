"""The values that AWS accepts: lengths and characters, from the service models; and the models' base."""
# botocore sends a text of any length with any characters, and the service then answers with a pattern: these
# rules answer before the call, and name the character.

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from idc_aws.errors import InvalidValueError
from idc_aws.files import read_table
from idc_aws.identifiers import check_account_id, check_region, format_duration, is_account_id, parse_duration
from idc_aws.scenario.yaml_lines import Location

IN_A_FILE = r",? in quotes(?:: [^.]*)?"
"""What a description says to a person who writes YAML, and nobody else needs to know."""


@dataclass(frozen=True)
class TextRule:
    """The length and the characters of a text, to be used in ``Annotated[str, TextRule(...)]``."""

    what: str
    longest: int
    allowed: str
    characters: str
    categories: str = ""
    shortest: int = 1

    def check(self, text: str) -> str:
        """Return the text, or raise InvalidValueError with what is wrong with it."""
        limits = f"Use {self.shortest} to {self.longest} characters."
        if self.shortest and not text:
            raise InvalidValueError(f"{shortened(text)} is empty: {self.what} is missing", remedy=limits)
        if len(text) > self.longest:
            message = f"{shortened(text)} is too long for {self.what}: {len(text)} characters"
            raise InvalidValueError(message, remedy=limits)
        # Most texts are right as a whole, and one look is enough for them.
        if re.fullmatch(f"(?:{self.characters})*", text, re.ASCII):
            return text
        wrong = next((character for character in text if not self._allows(character)), None)
        if wrong is not None:
            raise InvalidValueError(
                f"{shortened(text)} cannot be {self.what}: {_named(wrong)} is not allowed in it",
                remedy=f"Allowed are {self.allowed}.",
            )
        return text

    def _allows(self, character: str) -> bool:
        if re.fullmatch(self.characters, character, re.ASCII):
            return True
        return unicodedata.category(character)[0] in self.categories

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        limits: dict[str, Any] = {"minLength": self.shortest, "maxLength": self.longest}
        if not self.categories:
            limits["pattern"] = f"^({self.characters})*$"
        return {**handler(schema), **limits}


_UNSEEN = {
    " ": "a space",
    "\n": "a line break",
    "\t": "a tab",
    "\u00a0": "a non-breaking space, as copied text often has it,",
}


def _named(character: str) -> str:
    """Return a character as a message says it; one that nobody sees by its name."""
    if character in _UNSEEN or character.isprintable():
        return _UNSEEN.get(character, repr(character))
    name = unicodedata.name(character, "control character").lower()
    return f"an invisible character (U+{ord(character):04X}, {name})"


def shortened(value: object) -> str:
    """Return the value as a reader sees it in a message: its repr, cut in the middle where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:50]}…{text[-25:]}"


def _duration_between(least: str, most: str, what: str) -> AfterValidator:
    def check(text: str) -> str:
        length = parse_duration(text)
        if not parse_duration(least) <= length <= parse_duration(most):
            remedy = f"Choose from {least!r} to {most!r}."
            raise InvalidValueError(f"{text!r} is not possible as {what}", remedy=remedy)
        return format_duration(length)

    return AfterValidator(check)


def _account(value: object) -> str:
    # A text of digits that is no account id is a slip of the pen, not an account's name; so are twelve digits
    # with spaces, or grouped as the console shows them.
    if not isinstance(value, str) or (_is_digits(value) and not is_account_id(value)):
        return check_account_id(value)
    return text_rule("account_name").check(value)


def _is_digits(text: str) -> bool:
    digits = re.sub(r"[\s-]", "", text)
    return digits.isdigit() and (len(digits) == 12 or digits == text.strip())


def matching(pattern: str, refusal: str, remedy: str) -> AfterValidator:
    """Return the rule that a text has a form; it says what is wrong otherwise, and the remedy."""

    def check(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise InvalidValueError(f"{shortened(text)} {refusal}", remedy=remedy)
        return text

    return AfterValidator(check)


def _profile_name(text: str) -> str:
    if re.fullmatch(r"(AKIA|ASIA)[A-Z0-9]{12,124}", text):
        raise InvalidValueError(
            "this is an access key id, not the name of a profile",
            remedy="Take it out of the file, and write the name of a profile of ~/.aws/config.",
        )
    return text_rule("profile_name").check(text)


def without_default(schema: dict[str, Any]) -> None:
    """Take the default out of a field's JSON schema: it is computed from other keys."""
    schema.pop("default", None)


_TEXTS = read_table("text_rules")


def text_rule(name: str) -> TextRule:
    """Return a rule of ``data/text_rules.toml``."""
    rule = dict(_TEXTS["texts"][name])
    return TextRule(**rule | _TEXTS["characters"][rule["characters"]])


ProfileName = Annotated[str, AfterValidator(_profile_name)]
# Read, a profile may be called anything; one that the kit writes must not break the file's lines.
NewProfileName = Annotated[str, AfterValidator(_profile_name), text_rule("new_profile_name")]
Region = Annotated[
    str, AfterValidator(check_region), Field(json_schema_extra={"examples": ["us-east-1", "eu-west-1"]})
]
AccountId = Annotated[
    str, BeforeValidator(check_account_id), Field(json_schema_extra={"pattern": "^[0-9]{12}$"})
]
AccountIdOrName = Annotated[
    str, BeforeValidator(_account), Field(json_schema_extra={"minLength": 1, "maxLength": 128})
]
UnitName = Annotated[str, text_rule("unit_name")]
InstanceName = Annotated[str, text_rule("instance_name")]
PermissionSetName = Annotated[str, text_rule("permission_set_name")]
PolicyName = Annotated[str, text_rule("policy_name")]
Description = Annotated[str, text_rule("permission_set_description")]
RelayState = Annotated[
    str,
    text_rule("relay_state"),
    matching(
        r"https://[^/\s]+.*",
        "is not a web address",
        "Write an address that starts with 'https://', such as 'https://console.aws.amazon.com/ec2/'.",
    ),
]
SessionDuration = Annotated[
    str,
    _duration_between("PT1H", "PT12H", "a permission set's session duration"),
    Field(json_schema_extra={"examples": ["PT1H", "PT4H", "PT12H"]}),
]
PortalSessionDuration = Annotated[
    str,
    _duration_between("PT15M", "P90D", "a session of the access portal"),
    Field(json_schema_extra={"examples": ["PT15M", "PT8H", "P7D", "P90D"]}),
]
Subdomain = Annotated[
    str,
    matching(
        r"(?!d-)(?=.{1,62}\Z)[a-z0-9]+(-+[a-z0-9]+)*",
        "cannot be a subdomain of the AWS access portal",
        "Use at most 62 lower-case letters, digits and inner hyphens, and not 'd-' first.",
    ),
    Field(json_schema_extra={"maxLength": 62}),
]
TagKey = Annotated[
    str,
    text_rule("tag_key"),
    matching(r"(?i)(?!aws:).*", "cannot be a tag's key: 'aws:' is AWS's own", "Choose another key."),
]
TagValue = Annotated[str, text_rule("tag_value")]
Tags = Annotated[dict[TagKey, TagValue], Field(max_length=75)]
AttributeKey = Annotated[str, text_rule("attribute_key")]
AttributeSource = Annotated[
    str,
    text_rule("attribute_source"),
    matching(
        r"\$\{.*\S.*\}",
        "does not name an attribute of a user",
        "Write it as '${path:enterprise.costCenter}', dollar sign and braces included.",
    ),
]
UserName = Annotated[str, text_rule("user_name")]
ProfileText = Annotated[str, text_rule("profile_text")]
GroupName = Annotated[str, text_rule("group_name")]
EmailAddress = Annotated[
    ProfileText,
    matching(
        r"[^@\s]+@[^@\s]+", "is not an e-mail address", "Write it as 'name@example.com', without spaces."
    ),
    Field(json_schema_extra={"format": "email"}),
]


def repeats(names: Iterable[str], remedy: str, *place: str) -> Iterator[Refusal]:
    """Yield a refusal for each entry of a list that names something again."""
    found: set[str] = set()
    for position, name in enumerate(names):
        if name in found:
            yield Refusal((*place, position), f"{name!r} is listed twice", remedy, name)
        found.add(name)


RULE_ERROR = "kit_rule"


class Model(BaseModel):
    """A part of the desired state: it never changes, and refuses keys that it does not know.

    A field that may be left out may also be empty: null, ``""``, ``[]`` and ``{}`` are read as left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_empty(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {name: value for name, value in data.items() if not cls._is_left_out(name, value)}

    @classmethod
    def _is_left_out(cls, name: object, value: object) -> bool:
        field = cls.model_fields.get(name) if isinstance(name, str) else None
        if field is None or field.is_required() or not is_nothing(value):
            return False
        if not isinstance(value, list):
            return True
        usual = field.get_default(call_default_factory=True)
        return not (isinstance(usual, list) and usual)  # then none says something


def optional(description: str) -> Any:
    """Return the field of a model that may be left out."""
    return Field(default=None, description=description)


def is_nothing(value: object) -> bool:
    """Return whether a value is how a file says nothing: null, an empty text, list or mapping."""
    return value is None or (isinstance(value, str | list | Mapping) and not value)


@dataclass(frozen=True)
class Refusal:
    """A rule between several values that was broken, and the place of the value to change."""

    location: Location
    message: str
    remedy: str
    value: object = None
    other: Location = ()
    """Another place that the message names as `dotted` writes it."""


def refuse(refusals: Iterable[Refusal]) -> None:
    """Raise all refusals as one pydantic error, each at its own place; do nothing where there is none."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError(
                RULE_ERROR,
                "{message}. {remedy}",
                {"message": refusal.message, "remedy": refusal.remedy, "other": refusal.other},
            ),
            loc=refusal.location,
            input=refusal.value,
        )
        for refusal in refusals
    ]
    if details:
        raise ValidationError.from_exception_data("scenario", details)
