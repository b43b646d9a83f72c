"""Sample the memory of a process tree and the size of a folder while a benchmark runs."""

from __future__ import annotations

import threading
from pathlib import Path


class ResourceMonitor:
    """Peak memory of a process tree and peak size of a folder, sampled five times a second.

    Attributes:
        peak_mb: Resident memory of the process and its descendants, in MB.
        peak_gb: Size of the folder, in GB.
    """

    def __init__(self, pid: int, folder: Path) -> None:
        self.peak_mb = 0.0
        self.peak_gb = 0.0
        self._pid, self._folder = pid, folder
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(0.2):
            self.peak_mb = max(self.peak_mb, sum(map(_resident_mb, process_tree(self._pid))))
            self.peak_gb = max(self.peak_gb, size_gb(self._folder))


def process_tree(pid: int) -> list[int]:
    """Return the ids of a process and its descendants."""
    pids = [pid]
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # the process ended meanwhile
            continue
        if parent == pid:
            pids += process_tree(int(path.parent.name))
    return pids


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
    except OSError:
        return 0.0


def size_gb(path: Path) -> float:
    """Return the size of a file, or of all files below a folder, in GB."""
    total = 0
    for file in path.rglob("*") if path.is_dir() else [path]:
        try:
            total += file.stat().st_size if file.is_file() else 0
        except OSError:  # the file was removed meanwhile
            continue
    return total / 1e9
