"""GitHub's `primaryLocationLineHash`, byte for byte as its upload action computes it.

Source: `fingerprints.ts` of github/codeql-action: a rolling hash over the 100 UTF-16 units that follow the
start of a line, spaces and tabs left out, line ends normalised, 0xFFFF appended and then zeros.
"""

from __future__ import annotations

from collections import Counter

WINDOW = 100
MODULUS = 37
_MASK = (1 << 64) - 1
_SQUEEZE = str.maketrans("", "", " \t")


class LineHashes:
    """The hashes of one file's lines, computed only for the lines that are asked for."""

    def __init__(self, text: str) -> None:
        squeezed = text.replace("\r\n", "\n").replace("\r", "\n").translate(_SQUEEZE)
        self._units = _utf16_units(squeezed) + "\uffff" + "\0" * WINDOW
        self._end = len(self._units) - WINDOW
        self._windows: list[str] | None = None
        self._ordinals: list[int] = []

    def of(self, line: int) -> str:
        """`hash:n` of a 1-based line; n says how many lines up to here have this hash.

        Raises IndexError when the file has no such line.
        """
        windows = self._all_windows()
        if line < 1:
            raise IndexError(line)
        return f"{_hash(windows[line - 1]):x}:{self._ordinals[line - 1]}"

    def _all_windows(self) -> list[str]:
        """The units that each line's hash covers. Equal windows have equal hashes, so they can be counted."""
        if self._windows is None:
            self._windows = []
            seen: Counter[str] = Counter()
            start = 0
            while True:
                window = self._units[start : start + WINDOW]
                seen[window] += 1
                self._windows.append(window)
                self._ordinals.append(seen[window])
                newline = self._units.find("\n", start, self._end)
                if newline < 0:
                    break
                start = newline + 1
        return self._windows


def _hash(window: str) -> int:
    value = 0
    for unit in window:
        value = (value * MODULUS + ord(unit)) & _MASK
    return value


def _utf16_units(text: str) -> str:
    """A string with one character for each UTF-16 unit of `text`."""
    if not text or max(text) <= "\uffff":
        return text
    data = text.encode("utf-16-le", "surrogatepass")
    return "".join(map(chr, memoryview(data).cast("H")))


def utf16_column(line: str, column: int) -> int:
    """A 1-based column in code points as a 1-based column in UTF-16 units."""
    before = line[: column - 1]
    return column if before.isascii() else column + sum(char > "\uffff" for char in before)
