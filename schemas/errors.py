"""The faults of schemas: the engine dead-letters the faults of a record and waits out a registry that is away."""

from __future__ import annotations


class SchemaError(Exception):
    """Base of every error of this package: its text says what was expected, what came and what to do."""


class DecodeFault(SchemaError):
    """A value is no record of its topic: set it aside, its neighbours are fine."""


class EncodeFault(SchemaError):
    """A record can't be written with its schema: a field is missing or of the wrong type."""


class UnknownSchema(SchemaError, LookupError):
    """The registry answers, and has no such id, subject or schema."""


class LookupsSpent(SchemaError):
    """The registry was not asked about an id, because too many unknown ones came; the text completes "id 7, which"."""


class UnusableSchema(SchemaError):
    """The registry has the id, and what it names is no Avro schema that can be read here."""


class Unresolvable(SchemaError):
    """No value of a writer's schema is a record of ours; the text says which field and why."""


class IncompatibleSchema(SchemaError):
    """A new version can't read what an earlier one wrote; `reasons` has one line a field."""

    def __init__(self, subject: str, reasons: list[str]) -> None:
        super().__init__(
            f"The schema is not backward compatible with earlier versions of {subject}: {'; '.join(reasons)}. "
            "Give new fields a default, and keep the type, the symbols and the name of fields that are there."
        )
        self.subject = subject
        self.reasons = reasons


class RegistryUnavailable(SchemaError):
    """The registry does not answer, or answers nonsense: wait and ask again."""
