"""Remove from text the characters that command a terminal instead of being shown.

Files, documents, servers and models may have written any text that is printed or logged. An escape
sequence in it could clear the screen, set the window's title or forge a line, and a bidirectional
control could show letters in another order than they are read by a program.
"""

from __future__ import annotations

import re

# C0 except tab and line feed, DEL and C1; then the controls of direction and of annotation
# (https://www.unicode.org/reports/tr9/#Directional_Formatting_Codes).
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ufff9-\ufffb]"
)


def printable(text: str) -> str:
    """Return text without control characters; tabs and line feeds stay."""
    return _CONTROLS.sub("", text)
