"""Slips of the pen: words of a box that are one slip away from a word that the items use.

Only letters that changed places, one that is missing and one too many count, inside of words that are long enough
and that no item uses as they stand: another letter makes another word more often than a slip.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

LONG = 6  # letters from which a word is looked at
_WORD = re.compile(r"(?<![\w./:@$-])[A-Za-z]{6,40}(?![\w./:@-])")
_CODE = re.compile(r"(?<!`)(`+)[^`\n]+\1")


class Spelling:
    """The words that texts use, and the slips that lead to one of them."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.words = {w.lower() for text in texts for w in re.findall(r"[A-Za-z]+", text)}
        self._meant: dict[str, set[str]] = defaultdict(set)
        for word in self.words:
            if len(word) >= LONG:
                for slip in _slips(word):
                    self._meant[slip].add(word)

    def corrected(self, text: str) -> str:
        """The text with its slips put right; code and names stay as they are."""
        found, end = [], 0
        for code in _CODE.finditer(text):
            found += [_WORD.sub(self._word, text[end : code.start()]), code.group()]
            end = code.end()
        return "".join([*found, _WORD.sub(self._word, text[end:])])

    def _word(self, match: re.Match[str]) -> str:
        word = match.group().lower()
        meant = self._meant.get(word, set()) if word not in self.words else set()
        return next(iter(meant)) if len(meant) == 1 else match.group()


def _slips(word: str) -> set[str]:
    """The word with two neighbouring letters swapped, one inner letter missing, or one letter doubled."""
    swapped = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
    missing = {word[:i] + word[i + 1 :] for i in range(1, len(word) - 1)}
    doubled = {word[: i + 1] + word[i:] for i in range(len(word))}
    return (swapped | missing | doubled) - {word}
