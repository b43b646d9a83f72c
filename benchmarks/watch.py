"""Looks after a process while it is measured: its memory, and the size of what it writes."""

from __future__ import annotations

import threading
from pathlib import Path


class Watch:
    """The largest memory of a process with all it started, and the largest size of a folder."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.peak_mb = 0.0
        self.peak_gb = 0.0
        self._pid, self._folder = pid, folder
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.2):
            self.peak_mb = max(self.peak_mb, sum(map(_resident_mb, tree(self._pid))))
            self.peak_gb = max(self.peak_gb, size_gb(self._folder))


def tree(pid: int) -> list[int]:
    """Return a process and all that it started, as their ids."""
    found = [pid]
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it ended meanwhile
            continue
        if parent == pid:
            found += tree(int(path.parent.name))
    return found


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
    except OSError:
        return 0.0


def size_gb(path: Path) -> float:
    """Return the size of all files of a folder, or of a file, in GB."""
    total = 0
    for file in path.rglob("*") if path.is_dir() else [path]:
        try:
            total += file.stat().st_size if file.is_file() else 0
        except OSError:  # removed meanwhile
            continue
    return total / 1e9
