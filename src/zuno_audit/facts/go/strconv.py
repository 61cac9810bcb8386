"""What Go makes of a text that is to be a truth value or a number.

Python takes more: spaces around it, underscores, digits of other scripts. Source: the documentation of package
strconv, which names the functions here. All raise ValueError for a text that the parser refuses.
"""

from __future__ import annotations

import re

TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))
_WHOLE = re.compile(r"[+-]?([0-9A-Za-z]+)")
_FLOAT = re.compile(r"(?i)[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?|nan)")
_OLD_OCTAL = re.compile(r"[+-]?0[0-7]+")


def parse_bool(text: str) -> bool:
    """strconv.ParseBool."""
    if text not in TRUE and text not in FALSE:
        raise ValueError(text)
    return text in TRUE


def parse_int(text: str, base: int = 10) -> int:
    """strconv.ParseInt, in bases 2 to 36; base 0 goes by the prefix of the text. Its limits are not looked at."""
    if base == 0:
        if text != text.strip() or not text.isascii():
            raise ValueError(text)
        return int(text, 8 if _OLD_OCTAL.fullmatch(text) else 0)
    found = _WHOLE.fullmatch(text)
    if found is None or any(int(digit, 36) >= base for digit in found.group(1)):
        raise ValueError(text)
    return int(text, base)


def parse_float(text: str) -> float:
    """strconv.ParseFloat, but for hexadecimal ones."""
    if not _FLOAT.fullmatch(text):
        raise ValueError(text)
    return float(text)
