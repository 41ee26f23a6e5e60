"""A configuration as YAML text that a person and the form edit in turn: comments and order stay, one key at a time.

PyYAML tells where in the text each key and value stands; an edit replaces just that. Where the text is written in a
way that this cannot do, the whole of it is written anew: right, but without its comments.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from train.run import YAML_ERRORS

LONGEST = 50_000  # characters of text
DEEPEST = 20  # levels


class YamlError(ValueError):
    """Text that is no configuration; `line` (from 1) is where, the message a sentence."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(frozen=True)
class Document:
    """The text, what it says, and where: the node tree that PyYAML found in it (None: nothing but comments)."""

    text: str
    data: dict[str, Any]
    root: MappingNode | None

    def at(self, key: str) -> Any:
        """The value at a dotted key, or None."""
        value: Any = self.data
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def has(self, key: str) -> bool:
        """Whether the text names that key."""
        section, _, name = key.rpartition(".")
        inside = self.at(section) if section else self.data
        return isinstance(inside, Mapping) and name in inside

    def line(self, place: str) -> int:
        """The line, from 1, of "train.batch" or "train.batch.1"; of the last part of it that is there; else 0."""
        line = 0
        node: Node | None = self.root
        for part in place.split("."):
            if isinstance(node, MappingNode) and (pair := _pair(node, part)):
                line, node = pair[0].start_mark.line + 1, pair[1]
            elif isinstance(node, SequenceNode) and part.isdigit() and int(part) < len(node.value):
                node = node.value[int(part)]
                line = node.start_mark.line + 1
            else:
                break
        return line


def read(text: str) -> Document:
    """The document that a text holds. Raises YamlError."""
    if len(text) > LONGEST:
        raise YamlError(1, f"The text has {len(text)} characters; allowed are {LONGEST}.")
    try:
        _refuse_dangerous(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except YamlError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(filter(None, (error.context, error.problem)))
        raise YamlError(mark.line + 1 if mark else 1, f"This is not valid YAML: {what}.") from None
    except YAML_ERRORS as error:
        raise YamlError(1, f"This is not valid YAML: {error}.") from None
    if root is None or data is None:
        return Document(text, {}, None)
    if not isinstance(root, MappingNode) or not isinstance(data, dict):
        raise YamlError(root.start_mark.line + 1, "A configuration has keys and values, such as “seed: 0”.")
    return Document(text, data, root)


def write(document: Document, key: str, value: Any) -> Document:
    """The document with that value at the dotted key: in the place of the old one, or as a new line."""
    wanted = copy.deepcopy(document.data)
    _put(wanted, key, value)
    return _checked(_written(document, key.split("."), flow(value)), wanted)


def remove(document: Document, key: str) -> Document:
    """The document without that key, and without its section where nothing is left in it."""
    if not document.has(key):
        return document
    wanted = copy.deepcopy(document.data)
    section, _, name = key.rpartition(".")
    (wanted[section] if section else wanted).pop(name)
    if section and not wanted[section]:
        wanted.pop(section)
    return _checked(_without(document, key.split(".")), wanted)


def flow(value: Any) -> str:
    """A value in one line: 8, [8, 4], {name: swgan}, "a: b"."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return text.removesuffix("...\n").strip()


def _refuse_dangerous(text: str) -> None:
    """No anchors: with them a short text can mean one of gigabytes. And no depth that ends in a crash."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise YamlError(line, f"Write the value out: *{event.anchor} is not taken here.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise YamlError(line, f"This is nested deeper than {DEEPEST} levels.")


def _checked(text: str | None, wanted: dict[str, Any]) -> Document:
    """The edited text if it says what is wanted; else that, written anew."""
    try:
        if text is not None and (found := read(text)).data == wanted:
            return found
    except YamlError:
        pass
    return read(yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True) if wanted else "")


def _put(data: dict[str, Any], key: str, value: Any) -> None:
    *sections, name = key.split(".")
    for section in sections:
        if not isinstance(data.get(section), dict):
            data[section] = {}
        data = data[section]
    data[name] = value


# ---- in the text ----------------------------------------------------------------------------------------------


def _pair(node: MappingNode, name: str) -> tuple[Node, Node] | None:
    """The key's and the value's node; of a key that is there twice the last, which holds."""
    return next((pair for pair in reversed(node.value) if pair[0].value == name), None)


def _end(node: Node, text: str) -> int:
    """Where a value's text ends: PyYAML's mark of a block lies behind the comments and blank lines after it."""
    if isinstance(node, MappingNode) and not node.flow_style and node.value:
        return _end(node.value[-1][1], text)
    if isinstance(node, SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1], text)
    end = node.end_mark.index
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        return len(text[:end].rstrip())
    return end


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _written(document: Document, path: list[str], value: str) -> str:
    text, node = document.text, document.root
    if node is None:
        return _appended(text, _block(path, value, ""))
    for depth, part in enumerate(path):
        pair = _pair(node, part)
        if pair is None:
            return _inserted(text, node, path[depth:], value)
        name, inner = pair
        last = depth == len(path) - 1
        if last or not isinstance(inner, MappingNode):
            new = value if last else _flow_of(path[depth + 1 :], value)
            return f"{text[: name.end_mark.index]}: {new}{text[_end(inner, text) :]}"
        node = inner
    return text


def _inserted(text: str, node: MappingNode, path: list[str], value: str) -> str:
    """As the last entry of that mapping."""
    if node.flow_style:
        if not node.value:
            return f"{text[: node.start_mark.index]}{_flow_of(path, value)}{text[node.end_mark.index :]}"
        at = _end(node.value[-1][1], text)
        return f"{text[:at]}, {_flow_of(path, value)[1:-1]}{text[at:]}"
    at = _line_end(text, _end(node.value[-1][1], text))
    lines = _block(path, value, " " * node.value[0][0].start_mark.column)
    return f"{text[:at]}\n{lines}{text[at:] or chr(10)}"


def _without(document: Document, path: list[str]) -> str | None:
    text, node = document.text, document.root
    for part in path[:-1]:
        pair = _pair(node, part) if isinstance(node, MappingNode) else None
        if pair is None:
            return None
        if not isinstance(pair[1], MappingNode):
            return None
        if len(pair[1].value) == 1 and len(path) == 2:
            return _without(document, path[:1])
        node = pair[1]
    pair = _pair(node, path[-1]) if isinstance(node, MappingNode) else None
    if pair is None or not isinstance(node, MappingNode):
        return None
    if node.flow_style:
        rest = [text[k.start_mark.index : _end(v, text)] for k, v in node.value if k is not pair[0]]
        return f"{text[: node.start_mark.index]}{{{', '.join(rest)}}}{text[node.end_mark.index :]}"
    start = text.rfind("\n", 0, pair[0].start_mark.index) + 1
    return text[:start] + text[_line_end(text, _end(pair[1], text)) + 1 :]


def _flow_of(path: list[str], value: str) -> str:
    """{train: {batch: 8}} of a path and a value."""
    for part in reversed(path):
        value = f"{{{part}: {value}}}"
    return value


def _block(path: list[str], value: str, indent: str) -> str:
    """The same as lines of a block, without a last line end."""
    lines = [f"{indent}{'  ' * n}{part}:" for n, part in enumerate(path)]
    return "\n".join(lines) + f" {value}"


def _appended(text: str, lines: str) -> str:
    return f"{text.rstrip()}\n{lines}\n" if text.strip() else f"{lines}\n"
