"""Which field of the writer is which of the reader: by name, and by the aliases of either side.

Avro knows aliases of the reader's schema: names under which a field was written before. A producer who renames a field
puts its old name, which is ours, into the aliases of its own schema; taken for an unknown field, its value would be
dropped and our default counted.
"""

from __future__ import annotations

from schemas.codec.avro_types import Field, NoDefault, Record
from schemas.errors import Unresolvable


def sources_of(writer: Record, reader: Record) -> dict[str, int]:
    """Return, for each field of the reader that was written, the number of the writer's field.

    Raises:
        Unresolvable: a field could be one of several, or has neither been written nor a default; says which.
    """
    sources: dict[str, int] = {}
    for number, written in enumerate(writer.fields):
        wanted = [each.name for each in reader.fields if _is_same(written, each)]
        if len(wanted) > 1:
            raise Unresolvable(
                f"field {written.name} is, by its aliases, each of {', '.join(wanted)}; keep one of the aliases"
            )
        for name in wanted:
            if name in sources:
                others = f"{writer.fields[sources[name]].name} and {written.name}"
                raise Unresolvable(f"field {name} is, by name or alias, both {others}; keep one of the names")
            sources[name] = number
    missing = [each.name for each in reader.fields if each.name not in sources and each.default is NoDefault]
    if missing:
        raise Unresolvable(f"No default value for field {', '.join(missing)}, and the writer has none of that name")
    return sources


def _is_same(written: Field, wanted: Field) -> bool:
    return not {written.name, *written.aliases}.isdisjoint((wanted.name, *wanted.aliases))
