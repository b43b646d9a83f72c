"""Say once which months a source does not have, however many they are. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.core.trips import TripFile

MOST_LISTED = 3  # so many files without an offer are still listed one by one


def describe_unpublished(
    absent: Sequence[TripFile], offered: Iterable[TripFile], source: str, source_label: str
) -> str:
    """Return one sentence such as "63 months are not published yet (2021-08 to 2026-10).".

    Args:
        absent: The files that the source does not have; "" is returned for none.
        offered: The other files of the request.
        source: The name of the source, as in a request.
        source_label: Its name for people.
    """
    if not absent:
        return ""
    months = sorted({file.month for file in absent})
    others = list(offered)
    datasets = {file.dataset for file in absent}
    one_of_several = len(datasets) == 1 and any(file.dataset not in datasets for file in others)
    kind = f"{next(iter(datasets))} " if one_of_several else ""
    noun, verb = ("month", "is") if len(months) == 1 else ("months", "are")
    span = f"{months[0]}" if len(months) == 1 else f"{months[0]} to {months[-1]}"
    newer = all(file.month < months[0] for file in others if file.dataset in datasets)
    # A source without a last month goes on publishing, so a newer month is only late.
    late = newer and all(_is_open(file, source) for file in absent)
    where = "not published yet" if late else f"not in {source_label}"
    return f"{len(months):,} {kind}{noun} {verb} {where} ({span})."


def _is_open(file: TripFile, source: str) -> bool:
    first_and_last = file.dataset.published.get(source)
    return (
        first_and_last is not None and first_and_last[1] is None and file.month >= first_and_last[0]
    )
