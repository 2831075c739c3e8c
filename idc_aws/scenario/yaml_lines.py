"""A YAML file as data, with the line of everything in it; values are read as papermill reads them."""

from __future__ import annotations

import glob
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from idc_aws.errors import ParametersError, Problem
from idc_aws.files import kind_of_file, unfinished_merge

# The text of a YAML file and the nodes in it; what cannot be read is refused with its line.

# libyaml goes one level of its own stack deeper for each level of the file, and ends the process where that
# ends; no scenario has more than a dozen.
MOST_LEVELS = 100
TAG = "tag:yaml.org,2002:"
_MARK = "\ufeff"

# libyaml's parser, where PyYAML was built with it, takes a tenth of the time; values are made alike.
SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class TextDatesLoader(SAFE_LOADER):
    """PyYAML's safe loader without dates: ``1990-04-23`` stays a text; what it cannot make has its line."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - a ClassVar of PyYAML's own
        first: [resolver for resolver in resolvers if resolver[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value of a node."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            kind = f"!!{node.tag.removeprefix(TAG)}"
            problem = f"{str(node.value)[:50]!r} is not a value for {kind}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


def compose(text: str) -> tuple[TextDatesLoader, yaml.Node | None]:
    """Return the loader and the top node of a YAML document; None: it is empty."""
    level = 0
    events: Iterator[Any] = yaml.parse(text, Loader=SAFE_LOADER)
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1
        if level > MOST_LEVELS:
            problem = f"more than {MOST_LEVELS} levels are nested here"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
    loader = TextDatesLoader(text)
    return loader, loader.get_single_node()


def text_of(name: str) -> str:
    """Return a file's text, without a byte-order mark."""
    try:
        mode = Path(name).stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            found = "is not a regular file, and it is read more than once"
            raise refused_yaml(name, None, found, "Save it as a file, and name that.")
        content = Path(name).read_bytes()
        if kind := kind_of_file(content):
            raise refused_yaml(name, 1, f"is {kind}, not UTF-8", "Save it as UTF-8.")
        text = content.decode("utf-8").removeprefix(_MARK).replace("\r\n", "\n").replace("\r", "\n")
        if merge := unfinished_merge(text):
            raise refused_yaml(name, *merge)
        return text
    except FileNotFoundError as error:
        kind = glob.escape(Path(name).suffix) or ".yaml"
        near = sorted(str(path) for path in Path(name).parent.glob(f"*{kind}") if path.is_file())
        remedy = (
            f"There are: {', '.join(near)}." if near else "Check the path and the folder that you are in."
        )
        raise refused_yaml(name, None, "there is no such file", remedy) from error
    except IsADirectoryError as error:
        inside = sorted(str(path) for path in Path(name).glob("*.y*ml") if path.is_file())
        remedy = f"Name a file in it: {', '.join(inside)}." if inside else "Name a YAML file."
        raise refused_yaml(name, None, "is a folder, not a file", remedy) from error
    except UnicodeDecodeError as error:
        raise _not_utf8(name, error) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        said = getattr(error, "strerror", None) or error
        raise refused_yaml(
            name, None, f"cannot be read: {said}", "Check the path and its permissions."
        ) from error


def _not_utf8(name: str, error: UnicodeDecodeError) -> ParametersError:
    line = error.object[: error.start].count(b"\n") + 1
    byte = error.object[error.start]
    return refused_yaml(
        name, line, f"is not text in UTF-8: here is the byte 0x{byte:02x}", "Save it as UTF-8."
    )


def refused_yaml(name: str, line: int | None, message: str, remedy: str) -> ParametersError:
    """Return the refusal of a whole file."""
    return ParametersError([Problem(name, line, "", message, remedy)])


# What the two parsers say, what that means to a person, and what to do; with *, the line is where it begins.
_PLAIN_WORDS = {
    r"unexpected end of stream": (
        "*a quote opens here and never closes",
        "Close it; put a text with quotes in it in the other kind of quotes.",
    ),
    r"expected ':'": ("*a key has no colon", "Write KEY: value."),
    r"flow (sequence|mapping|node)": (
        "a bracket or brace before this is not closed",
        "Close it, and put commas between its items.",
    ),
    r"mapping values are not allowed": (
        "a colon where no key can be",
        "Put a text with a colon and a space in it in quotes, and indent the keys of one thing alike.",
    ),
    r"sequence entries are not allowed": (
        "a list begins on the line of its key",
        "Begin it on the next line.",
    ),
    r"expected ('-' indicator|key|<block end>)": (
        "this does not fit what is above it",
        "Indent the keys of one thing alike, begin each item of a list with '-', and put a text with quotes "
        "in it in the other kind of quotes.",
    ),
    r"undefined alias": ("a text that begins with * stands for what is not there", "Put it in quotes."),
    r"expected a single document": (
        "a second document begins here, below ---",
        "Put it into this one, or into a file of its own that this one includes.",
    ),
    r"unhashable key": ("a list or a group of keys stands where a key belongs", "Write KEY: value."),
    r"could not determine a constructor": (
        "a text that begins with ! names a kind of value that a scenario has not",
        "Put it in quotes, or write the value itself.",
    ),
    r"unknown escape": ("a backslash in double quotes means nothing here", "Use single quotes."),
}


def _in_plain_words(error: yaml.MarkedYAMLError, text: str) -> tuple[str, str, yaml.Mark | None]:
    """Return what is wrong, what to do, and where."""
    mark = error.problem_mark or error.context_mark
    said = " ".join(part for part in (error.context, error.problem) if part)
    is_odd = "cannot start any token" in said
    character = text.splitlines()[mark.line][mark.column] if mark and is_odd else ""
    if character == "\t" or "found a tab" in said:
        return "a tab is between this line's start and its text", "Indent with spaces.", mark
    if character:
        return f"no text can begin with {character}", "Put it in quotes.", mark
    for pattern, (words, remedy) in _PLAIN_WORDS.items():
        if re.search(pattern, said):
            return words.lstrip("*"), remedy, error.context_mark if words.startswith("*") else mark
    return said, "Check indentation, colons and quotes around this line.", mark


def unreadable(name: str, text: str, error: Exception) -> ParametersError:
    """Return the refusal of a text that is not YAML, with its line."""
    if isinstance(error, yaml.MarkedYAMLError):
        said, remedy, mark = _in_plain_words(error, text)
        return refused_yaml(name, mark.line + 1 if mark else None, f"is not YAML: {said}", remedy)
    if isinstance(error, yaml.reader.ReaderError):
        character = chr(error.character) if isinstance(error.character, int) else str(error.character)
        line = text[: max(text.find(character), 0)].count("\n") + 1
        remedy = "Remove it, and save the file as plain text in UTF-8."
        return refused_yaml(
            name, line, f"holds the character {character!r}, which YAML does not take", remedy
        )
    return refused_yaml(name, None, f"cannot be read as YAML: {error}", "Correct the file.")


Location = tuple[str | int, ...]

# A few hundred bytes of nested aliases can stand for billions of values; no scenario comes near this.
MOST_VALUES = 1_000_000
_NUMBER = re.compile(r"[0-9]")
_AS_LIST = "Write it as a list: [a, b]."
_NOT_PLAIN = {
    "set": ("a YAML set", _AS_LIST),
    "omap": ("a YAML list of pairs", "Write keys and values: {a: b}."),
    "pairs": ("a YAML list of pairs", "Write keys and values: {a: b}."),
    "binary": ("YAML's binary data", "Write it as a text in quotes."),
    "timestamp": ("a YAML date", "Write it as a text in quotes."),
    "not a number": ("no finite number", "Write a number."),
}
_TWELVE_DIGITS = re.compile(r"[0-9]{12}")


@dataclass
class YamlFile:
    """A YAML file: its data, and where each part of it stands."""

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Location, int] = field(default_factory=dict)
    unquoted: dict[Location, str] = field(default_factory=dict)
    problems: list[tuple[Location, Problem]] = field(default_factory=list)
    elsewhere: dict[Location, tuple[str, Location]] = field(default_factory=dict)
    """The places that come from another file: its name, and the place in it."""

    def own_place(self, location: Location) -> tuple[str, Location]:
        """Return the file that a place is in, and the place in that file."""
        for length in range(len(location), 0, -1):
            if (found := self.elsewhere.get(location[:length])) is not None:
                return found[0], (*found[1], *location[length:])
        return self.name, location

    def place(self, location: Location, seen_from: Location) -> str:
        """Return a place in words, with its file where another place is in another one."""
        name, own = self.own_place(location)
        return dotted(own) if name == self.own_place(seen_from)[0] else f"{dotted(own)} of {name}"

    def line_of(self, location: Location) -> int:
        """Return the line of a place, or of the nearest place around it that the file has."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def problem(self, location: Location, message: str, remedy: str, line: int | None = None) -> Problem:
        """Return what is wrong at a place; data that is no file has no lines."""
        line = line or (self.line_of(location) if self.lines else None)
        name, own = self.own_place(location)
        return Problem(name, line, dotted(own), message, remedy)

    def keep(self, location: Location, line: int, message: str, remedy: str) -> None:
        """Keep what is wrong with the file itself."""
        self.problems.append((location, self.problem(location, message, remedy, line)))


def read_yaml(path: str | Path) -> YamlFile:
    """Read a YAML file whose top is a mapping."""
    file = YamlFile(str(path))
    text = text_of(file.name)
    try:
        data = _walked(text, file)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise unreadable(file.name, text, error) from error
    if not isinstance(data, dict):
        found = "a list" if isinstance(data, list) else "a single value"
        raise refused_yaml(
            file.name, 1, f"holds {found}, not a mapping", "Write keys and values, as 'region: us-east-1'."
        )
    file.data = data
    return file


def read_yaml_value(text: str, file: YamlFile, location: Location, line: int) -> Any:
    """Return one value that is written as YAML in a cell of another file, and keep what is wrong with it."""
    cell = YamlFile(file.name)
    value = _walked(text, cell)
    for inner, problem in cell.problems:
        place = (*location, *inner)
        file.problems.append((place, replace(problem, line=line, path=dotted(place))))
    return value


def _walked(text: str, file: YamlFile) -> object:
    loader, node = compose(text)
    if node is None:
        return {}
    # Before the data is made: that step writes merged keys out, and then they look like doubled ones.
    _Walk(file).visit(node, ())
    data = loader.construct_document(node)
    return {} if data is None else data


class _Walk:
    """Writes down where everything in a YAML document stands, and what is wrong with it as YAML."""

    def __init__(self, file: YamlFile) -> None:
        self.file = file
        self.visited = 0
        self.open: set[int] = set()

    def visit(self, node: yaml.Node, location: Location) -> None:
        self.visited += 1
        line = node.start_mark.line + 1
        if self.visited > MOST_VALUES or id(node) in self.open:
            raise refused_yaml(self.file.name, line, "holds aliases that never end", "Write the values out.")
        self.file.lines.setdefault(location, line)
        self._require_plain(node, location, line)
        self.open.add(id(node))
        if isinstance(node, yaml.MappingNode):
            self._visit_mapping(node, location)
        elif isinstance(node, yaml.SequenceNode):
            for position, item in enumerate(node.value):
                self.visit(item, (*location, position))
        elif isinstance(node, yaml.ScalarNode) and not node.style:
            self._visit_unquoted(node, location)
        elif isinstance(node, yaml.ScalarNode) and node.style == "|" and node.value.startswith("{"):
            self._visit_json(node, location)
        self.open.discard(id(node))

    def _visit_mapping(self, node: yaml.MappingNode, location: Location) -> None:
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                for part in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                    self.visit(part, location)
                continue
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if isinstance(key_node, yaml.ScalarNode) and key_node.tag != f"{TAG}str":
                remedy = f'Put it in quotes: "{key}".'
                self.file.keep((*location, key), line, f"the key {key} is not a text for YAML", remedy)
            if key in first:
                message = f"duplicate key {key!r} (first defined on line {first[key]})"
                self.file.keep((*location, key), line, message, "Keep one of the two.")
            first.setdefault(key, line)
            self.file.lines[(*location, key)] = line
            self.visit(value_node, (*location, key))

    def _require_plain(self, node: yaml.Node, location: Location, line: int) -> None:
        """Note a value that parameters cannot hold, because JSON has no such thing."""
        kind = node.tag.removeprefix(TAG)
        if kind == "float" and not _NUMBER.search(str(node.value)):
            kind = "not a number"
        if kind in _NOT_PLAIN:
            what, remedy = _NOT_PLAIN[kind]
            self.file.keep(location, line, f"this is {what}, which no parameter can hold", remedy)

    def _visit_json(self, node: yaml.ScalarNode, location: Location) -> None:
        # JSON in a block of its own keeps its lines, and is YAML as well.
        try:
            _, inner = compose(node.value)
            lines = YamlFile(self.file.name)
            if inner is not None:
                _Walk(lines).visit(inner, location)
        except (yaml.YAMLError, ValueError, RecursionError, ParametersError):
            return  # what is wrong with it is its model's to say
        first = node.start_mark.line + 1  # the block begins below its sign
        for place, line in lines.lines.items():
            self.file.lines.setdefault(place, first + line)

    def _visit_unquoted(self, node: yaml.ScalarNode, location: Location) -> None:
        self.file.unquoted[location] = node.value
        if not _TWELVE_DIGITS.fullmatch(node.value):
            return
        line = node.start_mark.line + 1
        number = int(node.value, 8 if node.value.startswith("0") else 10) if node.tag == f"{TAG}int" else None
        read_as = "" if number is None else f", and YAML reads it as the number {number}"
        message = f"the account id {node.value} is not in quotes{read_as}"
        remedy = f'Write "{node.value}": YAML takes unquoted ids for numbers, and a leading 0 for octal.'
        self.file.keep(location, line, message, remedy)


def dotted(location: Location) -> str:
    """Return a place as people write it: ``permission_sets[0].session_duration``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return text.removeprefix(".")
