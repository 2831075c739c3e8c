"""The text of a YAML file and the nodes in it; what cannot be read is refused with its line.

Values are read as papermill reads them (dates stay texts), so that a file means the same to both.
"""

from __future__ import annotations

import codecs
import glob
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from idc_helpers.errors import ParametersError, Problem

# libyaml goes one level of its own stack deeper for each level of the file, and ends the process where that
# ends; no scenario has more than a dozen.
MOST_LEVELS = 100
TAG = "tag:yaml.org,2002:"
_OTHER_ENCODINGS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
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
    """Return the loader and the top node of a YAML document; None: it is empty.

    Raises
    ------
    yaml.YAMLError
        When it is not YAML, or is nested too deeply.
    """
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
    """Return a file's text, without a byte-order mark.

    Raises
    ------
    ParametersError
        When it is missing, is no regular file, cannot be read, or is not UTF-8.
    """
    try:
        mode = Path(name).stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            found = "is not a regular file, and it is read more than once"
            raise refused(name, None, found, "Save it as a file, and name that.")
        content = Path(name).read_bytes()
        return content.decode("utf-8").removeprefix(_MARK).replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError as error:
        kind = glob.escape(Path(name).suffix) or ".yaml"
        near = sorted(str(path) for path in Path(name).parent.glob(f"*{kind}") if path.is_file())
        remedy = (
            f"There are: {', '.join(near)}." if near else "Check the path and the folder that you are in."
        )
        raise refused(name, None, "there is no such file", remedy) from error
    except UnicodeDecodeError as error:
        raise _not_utf8(name, error) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        said = getattr(error, "strerror", None) or error
        raise refused(name, None, f"cannot be read: {said}", "Check the path and its permissions.") from error


def _not_utf8(name: str, error: UnicodeDecodeError) -> ParametersError:
    if encoding := _OTHER_ENCODINGS.get(error.object[:2]):
        return refused(name, 1, f"is {encoding}, not UTF-8", "Save it as UTF-8.")
    line = error.object[: error.start].count(b"\n") + 1
    byte = error.object[error.start]
    return refused(name, line, f"is not text in UTF-8: here is the byte 0x{byte:02x}", "Save it as UTF-8.")


def refused(name: str, line: int | None, message: str, remedy: str) -> ParametersError:
    """Return the refusal of a whole file."""
    return ParametersError([Problem(name, line, "", message, remedy)])


def unreadable(name: str, text: str, error: Exception) -> ParametersError:
    """Return the refusal of a text that is not YAML, with its line."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        said = " ".join(part for part in (error.context, error.problem) if part)
        remedy = "Check indentation, colons and quotes around this line."
        return refused(name, line, f"is not YAML: {said}", remedy)
    if isinstance(error, yaml.reader.ReaderError):
        character = chr(error.character) if isinstance(error.character, int) else str(error.character)
        line = text[: max(text.find(character), 0)].count("\n") + 1
        remedy = "Remove it, and save the file as plain text in UTF-8."
        return refused(name, line, f"holds the character {character!r}, which YAML does not take", remedy)
    return refused(name, None, f"cannot be read as YAML: {error}", "Correct the file.")
