"""Write records.py again from the .avsc files: `python -m schemas.generate`, in the checkout; a test compares them."""

from __future__ import annotations

import json
import keyword
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from schemas.definitions import AVSC_FOLDER, PACKAGE_FOLDER, AvroSchema, canonical_text, load_definitions
from schemas.errors import SchemaError

RECORDS_FILE = PACKAGE_FOLDER / "records.py"
LINE_LENGTH = 120
INDENT = "    "

AvroType = str | list[Any] | AvroSchema
Default = str | float | list[Any] | None

PRIMITIVES = {
    "string": "str",
    "int": "int",
    "long": "int",
    "double": "float",
    "float": "float",
    "boolean": "bool",
    "bytes": "bytes",
}
TIMESTAMP = "timestamp-millis"
TAKEN = {*PRIMITIVES.values(), "tuple", "datetime", "dataclass", "ClassVar", "Literal", "Record", "schema_name"}
"""Names that the written file itself uses."""

HEAD = '''\
"""The typed records, one frozen class for each Avro record: written by schemas/generate.py from avro/*.avsc."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Base of all records; `schema_name` is the name of the Avro record."""

    schema_name: ClassVar[str]
'''


def records_source(schemas: Mapping[str, AvroSchema]) -> str:
    """Return the text of records.py for these schemas, in their order; what a record holds stands before it.

    Raises:
        SchemaError: a schema has no Python record: says which field, why, and what to do.
    """
    writer = _Writer()
    for schema in schemas.values():
        writer.type_of(schema, str(schema["name"]))
    return "\n\n".join([HEAD, *writer.texts.values()])


class _Writer:
    """Collect the text of each named type, in the order in which they are known whole."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self._known: dict[str, str] = {}  # canonical text by name

    def type_of(self, avro: AvroType, path: str) -> str:
        """Return the annotation of a type; named ones are added to `texts`."""
        if isinstance(avro, list):
            return self._optional(avro, path)
        if isinstance(avro, dict):
            return self._described(avro, path)
        if avro in PRIMITIVES:
            return PRIMITIVES[avro]
        if _plain(avro) in self.texts:
            return _plain(avro)
        raise SchemaError(f"{path}: expected a type that is known here, got {avro!r}; define it where it stands first")

    def _optional(self, branches: list[Any], path: str) -> str:
        others = [each for each in branches if each != "null"]
        if len(branches) != 2 or len(others) != 1:  # noqa: PLR2004 - null and one more
            raise SchemaError(f"{path}: expected a union of null and one type, got {json.dumps(branches)}")
        return f"{self.type_of(others[0], path)} | None"

    def _described(self, avro: AvroSchema, path: str) -> str:
        kind = avro.get("type")
        if kind == "array":
            return f"tuple[{self.type_of(avro.get('items', ''), f'{path}[]')}, ...]"
        if kind in ("record", "enum"):
            return self._named(avro, path)
        if avro.get("logicalType") == TIMESTAMP and kind == "long":
            return "datetime"
        if "logicalType" not in avro and kind in PRIMITIVES:
            return PRIMITIVES[kind]
        raise SchemaError(
            f"{path}: no Python type stands for {json.dumps(avro)}; there are records, enums, arrays, unions with "
            f"null, {TIMESTAMP} of long, and {', '.join(PRIMITIVES)}"
        )

    def _named(self, avro: AvroSchema, path: str) -> str:
        name, text = _checked_name(avro.get("name"), path), canonical_text(avro)
        if self._known.setdefault(name, text) != text:
            raise SchemaError(f"{path}: {name} is defined twice, and not the same; write both definitions alike")
        if name not in self.texts:
            self.texts[name] = self._record(name, avro, path) if avro["type"] == "record" else _enum(name, avro, path)
        return name

    def _record(self, name: str, avro: AvroSchema, path: str) -> str:
        fields = "\n".join(self._field(field, f"{path}.{field.get('name')}") for field in avro["fields"])
        return (
            f"@dataclass(frozen=True, slots=True, kw_only=True)\nclass {name}(Record):\n"
            f'{_docstring(avro, path)}\n\n{INDENT}schema_name: ClassVar[str] = "{name}"\n\n{fields}\n'
        )

    def _field(self, field: AvroSchema, path: str) -> str:
        name = _checked_name(field.get("name"), path)
        default = f" = {_default(field['default'], field['type'], path)}" if "default" in field else ""
        return f"{INDENT}{name}: {self.type_of(field['type'], path)}{default}\n{_docstring(field, path)}"


def _plain(name: str) -> str:
    return name.rpartition(".")[2]


def _checked_name(name: object, path: str) -> str:
    plain = _plain(name) if isinstance(name, str) else ""
    if not plain.isidentifier() or keyword.iskeyword(plain) or plain in TAKEN:
        raise SchemaError(f"{path}: expected a name that Python allows and records.py does not use, got {name!r}")
    return plain


def _enum(name: str, avro: AvroSchema, path: str) -> str:
    symbols = [_literal(str(symbol)) for symbol in avro["symbols"]]
    if not symbols:
        raise SchemaError(f"{path}: expected at least one symbol of {name}")
    line = f"{name} = Literal[{', '.join(symbols)}]\n"
    if len(line) <= LINE_LENGTH:
        return line
    return "\n".join([f"{name} = Literal[", *(f"{INDENT}{each}," for each in symbols), "]\n"])


def _default(value: Default, avro: AvroType, path: str) -> str:
    """Return a default as Python: a union's is of its first branch, and Avro writes bytes as text."""
    first = avro[0] if isinstance(avro, list) else avro
    described = first if isinstance(first, dict) else {"type": first}
    kind = described["type"]
    if kind == "record" or "logicalType" in described:
        raise SchemaError(f"{path}: a {described.get('logicalType', kind)} has no default here; leave it out")
    if isinstance(value, list):
        items = "".join(f"{_default(each, described['items'], f'{path}[]')}, " for each in value)
        return f"({items.strip() if len(value) == 1 else items.rstrip(', ')})"
    if kind in ("double", "float"):
        return repr(float(value or 0))
    if isinstance(value, str):
        return _literal(value.encode("latin-1") if kind == "bytes" else value)
    return repr(value)


def _literal(value: str | bytes) -> str:
    """Return a constant as the formatter writes it: in double quotes, unless it holds some."""
    plain = repr(value)
    return plain if '"' in plain else plain.replace("'", '"')


def _docstring(described: AvroSchema, path: str) -> str:
    text = " ".join(str(described.get("doc", "")).split())
    if not text:
        raise SchemaError(f"{path}: has no `doc`; say in a sentence what it holds, and in which unit")
    if '"""' in text or "\\" in text or text.endswith('"'):
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    quoted = f'{INDENT}"""{text}"""'
    return quoted if len(quoted) <= LINE_LENGTH else "\n".join(_lines(text, sets_off="fields" in described))


def _lines(text: str, *, sets_off: bool) -> Iterator[str]:
    """Yield a text that is longer than a line; of a class the first sentence is set off from the rest."""
    first, stop, rest = text.partition(". ") if sets_off else (text, "", "")
    yield from _wrapped(first + stop.strip(), f'{INDENT}"""')
    if rest:
        yield ""
        yield from _wrapped(rest, INDENT)
    yield f'{INDENT}"""'


def _wrapped(text: str, start: str) -> list[str]:
    return textwrap.wrap(
        text,
        LINE_LENGTH,
        initial_indent=start,
        subsequent_indent=INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def main(folder: Path = AVSC_FOLDER, target: Path = RECORDS_FILE) -> None:
    """Replace records.py."""
    target.write_text(records_source(load_definitions(folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
