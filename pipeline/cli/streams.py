"""The standard streams of a command: closed ones, full ones, and ones that are not UTF-8."""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

_PLAIN = "fareground-plain"  # the name of our error handler among Python's codecs

# What stands in for a mark where the stream's encoding lacks it. The word beside a mark says the
# same, so that one stand-in may serve several marks.
_STAND_INS = {
    "●": "*", "○": "o", "◐": "~", "◌": ".", "◼": "#", "▲": "!", "✓": "+", "✕": "x", "↻": "~",
    "─": "-", "│": "|", "├": "|", "└": "|", "‖": "||", "→": "->", "−": "-", "–": "-", "—": "-",
    "•": "*", "·": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "‹": "<", "›": ">",
}  # fmt: skip


def prepare_streams() -> None:
    """Make the standard streams safe to write to, whatever the shell has connected them to.

    A closed stream becomes the null device. Otherwise the first file that the command opens would
    get the number of the closed stream, and output meant for the stream would be written into it.
    Characters that the encoding of a stream lacks are replaced: on Windows, a redirected stream has
    no mark of ours in its encoding.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    codecs.register_error(_PLAIN, _replace_unencodable)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_PLAIN)


@contextmanager
def exit_on_full_stream() -> Iterator[None]:
    """Exit with code 1 and a message, without a traceback, when output cannot be written."""
    try:
        yield
    except OSError:
        # It may be of any file. Rich and the buffers drop what they could not write, so that only
        # another write tells.
        if (failure := _write_all("\n")) is None:
            raise
    except BaseException:
        if (failure := _write_all()) is None:
            raise
    else:
        failure = _write_all()
    if failure is not None:
        if not isinstance(failure, BrokenPipeError):  # `| head` has read all that it wants
            with suppress(OSError):
                print(f"Cannot write the output: {failure.strerror}.", file=sys.stderr)
                sys.stderr.flush()
        raise SystemExit(1)


def _write_all(text: str = "") -> OSError | None:
    """Write a text and what is buffered; return why that fails, and silence the stream.

    Args:
        text: What to write to both streams.
    """
    failure = None
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.write(text)
            stream.flush()
        except OSError as error:
            failure = failure or error
            # Python flushes the stream once more when it ends, and would report the failure.
            with Path(os.devnull).open("w", encoding="utf-8") as null:
                os.dup2(null.fileno(), stream.fileno())
    return failure


def _replace_unencodable(error: UnicodeError) -> tuple[str, int]:
    """Return plain letters for characters that cannot be encoded; an error handler of codecs."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(map(_plain_letters, characters)), error.end


def _plain_letters(character: str) -> str:
    if unicodedata.category(character) == "Cs":  # a byte of a file name that is not UTF-8
        return f"\\u{ord(character):04x}"
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return _STAND_INS.get(character) or plain or "?"
