"""Saving a form into a scenario file: what does not change stays as typed, comments included."""

from __future__ import annotations

import codecs
import contextlib
import os
import stat
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, TypeGuard

import yaml

from idc_aws.errors import InvalidValueError, ParametersError
from idc_aws.files import replaced_file
from idc_aws.scenario.access import predefined_policy
from idc_aws.scenario.reading import INCLUDE, load_scenario, scenario_parameters, validate_scenario
from idc_aws.scenario.scenario import Scenario
from idc_aws.scenario.yaml_lines import SAFE_LOADER, read_yaml, text_of


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: str


def edited_yaml(
    text: str, old: Mapping[str, Any], new: Mapping[str, Any], *, whole_keys: bool = False
) -> str:
    """Return the text with the values that differ between two readings of it."""
    text = text if text.endswith("\n") or not text else f"{text}\n"
    root = _nodes(text)
    if root is None:
        return text + dumped(new)
    if not isinstance(root, yaml.MappingNode) or not root.value:
        return dumped(new)
    edits = _Editing(text, whole_keys=whole_keys).mapping(root, old, new)
    # From the end, so that places stay right; of several at one place the last goes in first.
    for edit in sorted(edits, key=lambda one: (one.start, one.end))[::-1]:
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _nodes(text: str) -> yaml.Node | None:
    """Return a document's nodes; None: it is empty."""
    # PyYAML's composer gives an alias the places of what it stands for; here it is where it is written.
    events: Iterator[Any] = yaml.parse(text, Loader=SAFE_LOADER)

    def node(event: Any) -> yaml.Node:
        start, end = event.start_mark, event.end_mark
        if isinstance(event, yaml.AliasEvent):
            return yaml.ScalarNode("", f"*{event.anchor}", start, end)
        if isinstance(event, yaml.ScalarEvent):
            return yaml.ScalarNode("", event.value, start, end, event.style)
        items: list[yaml.Node] = []
        while not isinstance(last := next(events), yaml.CollectionEndEvent):
            items.append(node(last))
        where: tuple[Any, ...] = (start, last.end_mark, event.flow_style)
        if isinstance(event, yaml.SequenceStartEvent):
            return yaml.SequenceNode("", items, *where)
        return yaml.MappingNode("", list(zip(items[::2], items[1::2], strict=True)), *where)

    # The first events are those of the stream and of the document.
    first = next((each for each in events if isinstance(each, yaml.NodeEvent)), None)
    return None if first is None else node(first)


def dumped(value: Any) -> str:
    """Return a value as YAML in the files' style: blocks, lists indented, digits that are names in quotes."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=100
    )
    return text.removesuffix("...\n")


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def _text_node(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # The kit refuses account ids without quotes, and YAML itself quotes only some of them.
    style = '"' if value.isdigit() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text_node)


class _Editing:
    def __init__(self, text: str, *, whole_keys: bool) -> None:
        self._text = text
        self._whole_keys = whole_keys

    def mapping(
        self, node: yaml.CollectionNode, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> list[_Edit]:
        entries = {str(key.value): (key, value) for key, value in node.value}
        edits: list[_Edit] = []
        for name in dict.fromkeys([*old, *new]):
            if old.get(name) == new.get(name):
                continue
            if name not in entries and name not in new:
                raise LookupError(name)
            if name not in entries:
                place = self._line_end(self._end(node.value[-1][1]))
                edits.append(_Edit(place, place, _indented(dumped({name: new[name]}), node)))
            elif name not in new:
                edits.append(self._removal(entries[name][0], entries[name][1]))
            else:
                edits += self._value(*entries[name], old.get(name), new[name])
        return edits

    def _value(self, key: yaml.Node, node: yaml.Node, old: Any, new: Any) -> list[_Edit]:
        if _is_block(node) and new and not self._whole_keys:
            if isinstance(old, dict) and isinstance(new, dict):
                return self.mapping(node, old, new)
            if isinstance(old, list) and isinstance(new, list):
                return self.sequence(node, old, new)
        if isinstance(node, yaml.ScalarNode) and not isinstance(new, (dict, list)):
            return [_Edit(node.start_mark.index, self._end(node), dumped(new).strip())]
        text = _indented(dumped({str(key.value): new}), key)
        return [_Edit(self._line_start(key.start_mark.index), self._line_end(self._end(node)), text)]

    def sequence(self, node: yaml.CollectionNode, old: Sequence[Any], new: Sequence[Any]) -> list[_Edit]:
        if len(node.value) != len(old):
            return [
                _Edit(
                    self._line_start(node.start_mark.index),
                    self._line_end(self._end(node)),
                    _indented(dumped(new), node),
                )
            ]
        edits: list[_Edit] = []
        matcher = SequenceMatcher(None, [_identity(item) for item in old], [_identity(item) for item in new])
        for _, start, end, new_start, new_end in matcher.get_opcodes():
            common = min(end - start, new_end - new_start)
            for offset in range(common):
                edits += self._item(node.value[start + offset], old[start + offset], new[new_start + offset])
            edits += [self._removal(item, item) for item in node.value[start + common : end]]
            added = new[new_start + common : new_end]
            if added:
                place = self._after(node, end)
                edits.append(_Edit(place, place, _indented(dumped(added), node)))
        return edits

    def _item(self, node: yaml.Node, old: Any, new: Any) -> list[_Edit]:
        if old == new:
            return []
        if _is_block(node) and isinstance(old, dict) and isinstance(new, dict):
            return self.mapping(node, old, new)
        # It starts where the old one starts, its further lines below its first.
        text = _indented(dumped(new).rstrip("\n"), node).lstrip()
        return [_Edit(node.start_mark.index, self._end(node), text)]

    def _after(self, node: yaml.CollectionNode, count: int) -> int:
        if count:
            return self._line_end(self._end(node.value[count - 1]))
        return self._line_start(node.start_mark.index)

    def _removal(self, first: yaml.Node, last: yaml.Node) -> _Edit:
        return _Edit(self._line_start(first.start_mark.index), self._line_end(self._end(last)), "")

    def _end(self, node: yaml.Node) -> int:
        """Return where a node's own text ends: the end that a block has reaches over comments to the next."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self._end(last[1] if isinstance(last, tuple) else last)
        end = node.end_mark.index
        while end > node.start_mark.index and self._text[end - 1] in " \n":
            end -= 1
        return end

    def _line_start(self, place: int) -> int:
        return self._text.rfind("\n", 0, place) + 1

    def _line_end(self, place: int) -> int:
        end = self._text.find("\n", place)
        return len(self._text) if end < 0 else end + 1


def _indented(text: str, node: yaml.Node) -> str:
    """Return lines that begin in the column of a node."""
    return textwrap.indent(text, " " * node.start_mark.column)


def _is_block(node: yaml.Node) -> TypeGuard[yaml.CollectionNode]:
    return isinstance(node, yaml.CollectionNode) and not node.flow_style and bool(node.value)


def _identity(item: Any) -> str:
    """Return what an item of a list is known by, so that a change inside it is no new item."""
    if not isinstance(item, dict):
        return str(item)
    names = ("name", "predefined", "user_name", "permission_set", "group", "user", "setting")
    found = [item.get(name) for name in names]
    return repr(found if any(found) else item.get("display_name"))


def save_scenario_part(
    source: Path,
    target: Path,
    change: Callable[[Mapping[str, Any]], dict[str, Any]],
    *,
    update: bool = False,
) -> None:
    """Write a scenario file with one part changed; its other keys and its comments stay."""
    if target.suffix not in (".yaml", ".yml"):
        raise InvalidValueError(
            f"{target.name!r} is not the name of a scenario file", remedy="Let it end in '.yaml'."
        )
    exists = _exists(target)
    if exists and not update:
        raise InvalidValueError(
            f"there is a file {str(target)!r} already",
            remedy="Choose another name, or say that this part of it may be changed.",
        )
    base = target if exists else source
    text = _changed_text(base, change, str(target), is_replaced=exists)
    _write(target, _as_in(base, text))


def _exists(target: Path) -> bool:
    try:
        target.lstat()
        return target.exists()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:  # no file can have such a name
        raise _not_written(target, getattr(error, "strerror", None) or error) from error


def _changed_text(
    base: Path, change: Callable[[Mapping[str, Any]], dict[str, Any]], name: str, *, is_replaced: bool
) -> str:
    old = load_scenario(base)
    wanted = validate_scenario(change(scenario_parameters(old)), source=name)
    written, after = read_yaml(base).data, _lean(wanted)
    if INCLUDE in written:
        if is_replaced:
            raise InvalidValueError(
                f"{name!r} includes other files, and a form saves one file",
                remedy="Save under a new name, which then holds everything; or change the file yourself.",
            )
        return dumped(after)
    before = _with_written(written, _lean(old), scenario_parameters(old))
    kept = _with_written(written, after, scenario_parameters(wanted))
    present = text_of(str(base))
    for whole_keys in (False, True):
        with contextlib.suppress(LookupError):
            text = edited_yaml(present, before, kept, whole_keys=whole_keys)
            if _means(text, wanted):
                return text
    if is_replaced and "#" in present:
        raise InvalidValueError(
            f"{name!r} is laid out so that it cannot be changed without losing its comments",
            remedy="Save under a new name, or change it yourself: anchors and merged keys are in the way.",
        )
    # An unusual layout: right and without comments beats pretty and wrong.
    text = dumped(after)
    if not _means(text, wanted):
        raise InvalidValueError(f"{name!r} could not be written so that it reads the same again")
    return text


def _as_in(base: Path, text: str) -> bytes:
    """Return a text as bytes, with the byte-order mark and the line ends of a file."""
    present = base.read_bytes()
    ends = "\r\n" if b"\r\n" in present and present.count(b"\r\n") == present.count(b"\n") else "\n"
    mark = codecs.BOM_UTF8 if present.startswith(codecs.BOM_UTF8) else b""
    return mark + text.replace("\n", ends).encode()


def _lean(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario's parameters as a person would write them: without what is the default anyway."""
    values = scenario.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    for permission_set in values.get("permission_sets", []):
        predefined = permission_set.get("predefined")
        if predefined is None:
            continue
        policy = predefined_policy(predefined)
        others = [one for one in permission_set.get("managed_policies", []) if one != policy]
        permission_set["managed_policies"] = others
        if not others:
            del permission_set["managed_policies"]
        if permission_set.get("name") == predefined:
            del permission_set["name"]
    for user in values.get("users", []):
        if user.get("display_name") == f"{user.get('given_name')} {user.get('family_name')}":
            del user["display_name"]
    return values


def _with_written(written: Any, lean: dict[str, Any], full: Mapping[str, Any]) -> dict[str, Any]:
    """Return lean values and what the file writes out although it is the default: it stays written out."""
    kept = dict(lean)
    for name in written:
        if isinstance(written[name], dict) and isinstance(full.get(name), dict):
            kept[name] = _with_written(written[name], kept.get(name) or {}, full[name])
        elif name in full:
            kept.setdefault(name, full[name])
    return kept


def _means(text: str, wanted: Scenario) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.yaml"
        path.write_text(text, "utf-8")
        try:
            return load_scenario(path) == wanted
        except ParametersError:
            return False


def _write(target: Path, content: bytes) -> None:
    target = Path(os.path.realpath(target))  # a link stays a link
    try:
        if target.exists() and not target.stat().st_mode & stat.S_IWUSR:
            raise _not_written(target, "it is read-only")
        target.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(target) as new:
            new.write_bytes(content)
    except OSError as error:
        raise _not_written(target, error.strerror) from error


def _not_written(target: Path, found: object) -> InvalidValueError:
    return InvalidValueError(f"{str(target)!r} cannot be written: {found}", remedy="Choose another file.")
