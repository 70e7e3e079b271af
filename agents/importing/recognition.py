"""Which preset a file is of: said, or found by its header unless the columns are said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agents.importing.csv_source import CsvForm, open_csv
from agents.importing.fields import COUNT_FIELDS, FieldMapping
from agents.importing.import_fault import ImportFault
from agents.importing.presets import Said, load_preset, mapping_of, preset_names, preset_of, said_fields


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line says of how files are to be read."""

    preset: str | None
    maps: tuple[str, ...]
    persona_id: str | None
    time_format: str | None
    said: Said
    form: CsvForm

    def mapping(self, path: Path) -> FieldMapping:
        """Return how a file is to be read.

        Raises:
            ImportFault: the mapping is not usable; the text lists what is wrong, and what the file has.
        """
        preset = self.preset or (None if self._is_whole() else _found(path, self.form))
        try:
            return mapping_of(
                preset=preset,
                maps=self.maps,
                persona_id=self.persona_id,
                time_format=self.time_format,
                said=self.said,
            )
        except ImportFault as fault:
            if preset or self._is_whole():
                raise
            raise ImportFault(f"{fault}\n{_columns_of(path, self.form)}") from None

    def _is_whole(self) -> bool:
        """Tell whether the columns that are said suffice without a preset."""
        fields = said_fields(self.maps)
        return "occurred_at" in fields and not fields.isdisjoint({*COUNT_FIELDS, "text"})


def _found(path: Path, form: CsvForm) -> str | None:
    with open_csv(path, None, form, lambda cells, preamble: preset_of(cells, preamble) is not None) as source:
        return preset_of(source.header, source.preamble)


def _columns_of(path: Path, form: CsvForm) -> str:
    with open_csv(path, None, form) as source:
        there = ", ".join(map(repr, source.header))
    known = "; ".join(f"{name}: {load_preset(name).title}" for name in preset_names())
    return f"{path.name} has the columns: {there}\nIt is none of the known exports ({known})."
