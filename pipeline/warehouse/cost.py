"""What loading and reading cost where a warehouse bills for the bytes it scans."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.trips import TripFile
from pipeline.files.staging import size_in_words

_TIB = 2**40


@dataclass(frozen=True)
class FileSize:
    """A file that would be loaded, for an estimate of the cost.

    Attributes:
        bytes: Its published size; None where the source does not say.
        format: csv, csv.gz or parquet; "" where that is not known yet.
    """

    file: TripFile
    bytes: int | None
    format: str = ""


@dataclass(frozen=True)
class CostEstimate:
    """What loading some files will cost; files of unknown size are not in it.

    Attributes:
        label: The warehouse, for people.
        upload_bytes: Bytes to upload.
        file_scan_bytes: Bytes to scan of the new files themselves.
        table_scan_bytes: Bytes to scan of rows that were loaded before: an upper bound.
        price_per_tib: Dollars for each TiB scanned, as of `price_date`.
    """

    label: str
    upload_bytes: int
    file_scan_bytes: int
    table_scan_bytes: int
    price_per_tib: float
    price_date: str

    @property
    def scan_bytes(self) -> int:
        """Bytes to scan in all."""
        return self.file_scan_bytes + self.table_scan_bytes

    @property
    def dollars(self) -> float:
        """The price of the scans, without storage and without what is free each month."""
        return scan_price(self.scan_bytes, self.price_per_tib)

    def __str__(self) -> str:
        return (
            f"{self.label}: {size_in_words(self.upload_bytes)} to upload, about "
            f"{size_in_words(self.scan_bytes)} to scan, "
            f"${self.dollars:,.4f} at ${self.price_per_tib:g} per TiB ({self.price_date})."
        )


def scan_price(bytes_billed: int, price_per_tib: float) -> float:
    """Return what scanning these bytes costs, in dollars."""
    return bytes_billed / _TIB * price_per_tib
