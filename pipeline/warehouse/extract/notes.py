"""What people should know about how the cells of a file were read."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.cells import Note, show_text

_MEANINGS: dict[Note, str] = {
    "nothing": "words for no value",
    "zone": "times in a time zone that the file names, {zones}, stored as written, not shifted",
    "12-hour clock": "times on a 12-hour clock",
    "month first": "dates that have the month before the day{telling}",
    "day first": "dates that have the day before the month{telling}",
    "decimal comma": "numbers with a decimal comma{telling}",
    "thousands separators": "numbers with thousands separators{telling}",
    "flag": "other words for Y and N",
}


@dataclass(frozen=True)
class CellNote:
    """How some cells of a column were read that are not written as the TLC writes them.

    Attributes:
        cells: How many cells.
        text: The text of one of them.
        value: What that one was read as, as text; None for NULL.
        zones: The time zones that the cells name.
        telling: The cell of the file that shows how those with two meanings are to be read.
    """

    column: str
    kind: Note
    cells: int
    text: str
    value: str | None
    zones: tuple[str, ...] = ()
    telling: str = ""

    @property
    def meaning(self) -> str:
        """What the cells hold: `words for no value`."""
        zones = ", ".join(show_text(zone) for zone in self.zones[:5])
        zones += f" and {len(self.zones) - 5} more" if len(self.zones) > 5 else ""
        telling = f", as {show_text(self.telling)} in the file shows" if self.telling else ""
        return _MEANINGS[self.kind].format(zones=zones, telling=telling)

    def sentence(self) -> str:
        """Return the note for a log: `passenger_count: 15 cells with words for no value; ...`."""
        read = "NULL" if self.value is None else self.value
        return (
            f"{self.column}: {self.cells:,} {'cell' if self.cells == 1 else 'cells'} with "
            f"{self.meaning}; for example, {show_text(self.text)} is read as {read}"
        )
