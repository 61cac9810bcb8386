"""The words of a box as the matcher compares them: its digest, its terms and what it claims.

All of it survives renumbering, other emphasis and mojibake, because only ASCII letters, digits and a few
signs count. A claim is what a rewording must not change: numbers, names, code, and whether it says "not".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache

from zuno_audit.checklist.known import Wording
from zuno_audit.checklist.vocabulary import CLAIMING, COUNTS, GENERIC, SAME, STOP, UNITS
from zuno_audit.model.control import Checklist, Control

MAX_TERMS = 80  # of one text; the longest box known has 60
SIGNS = frozenset("<>")

_NUMBERING = re.compile(
    r"\A[^0-9A-Za-z`]*(?:\d+(?:\.\d+)+\.?|\d+[.):]|\([0-9a-z]{1,2}\)|[a-z]\))[ \t]+(?=\S)"
)
_ORDINAL = re.compile(
    r"(?i)\b(test|try|trial|step|stage|phase|task|issue|option|part|item|section|no\.?)[ \t]*#?\d+\b[:.)]?"
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz%"  # of units
_ENDINGS = ("ations", "ation", "ings", "ions", "ing", "ion", "ies", "ed", "es", "s", "y", "e")
_DIGIT = re.compile(r"\d")
_ATOM = re.compile(r"[a-z0-9]+|[<>=%]")
_CODE = re.compile(r"(?<!`)(`+)([^`\n]+)\1")
_WORD = re.compile(r"[A-Za-z][A-Za-z]+")
_NAME = re.compile(
    r"(?<![A-Za-z0-9_.*$@:{}~/-])[A-Za-z0-9_.*$@:{}~-]{0,100}[A-Za-z0-9_*]"  # a path
    r"(?:/+[A-Za-z0-9_.*@:{}~-]*)+"
    r"|[A-Za-z_$.*][A-Za-z0-9_.*-]*[A-Za-z0-9_*]"
)
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_./:-])(\d+(?:\.\d+)?)[ \t-]?"
    r"(%|ms|[mgk]b|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|bytes?|bits?)?(?![A-Za-z0-9_])",
    re.IGNORECASE,
)
_SETTING = re.compile(r"([A-Za-z_]\w*(?:[A-Z_]\w*))[\"']?[ \t]*[:=]?[ \t]*(\d+)")  # a name with its number
_NO_AMOUNT = re.compile(  # "one" for anybody or anything, "most" for the highest degree, a state of a breaker
    r"(?i)\b(?:every|each)(?: single)? one\b|\bone (?:can|may|must|should|has to)\b|\b(?:be|there is|it is) one\b"
    r"|\bmost (?:important|critical|relevant|used|common|urgent|popular)\b|\bmatters? (?:the )?most\b"
    r"|\bhalf[- ](?:open|closed)\b"
)
_COMMENT = re.compile(r"(?m)(?:^|\s)(?:#|--|//)\s.*$")
_HUMPS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_NEGATION = re.compile(
    r"(?i)(?<![\w-])(?:not|no|never|none|zero|without|nothing|nobody|cannot|except|unless|disabled?|removed|deleted"
    r"|free of|absent|missing|fail(?:s|ed|ing)?|bypass\w*|crash\w*|skip\w*|[a-z]+n['’]t)(?![\w-])"
)
_NEGATES_NOTHING = re.compile(r"(?i)\b(?:without|no|not using)[ -](?:the |any )?(?:docker |build )?cache\b")
_ZERO = re.compile(r"(?<![\w.,:/-])0(?= [A-Za-z])")  # "0 errors": none
_UNCHANGED = re.compile(
    r"(?i)\bunchanged\b|\b(?:leaves?|keeps?|stays?|remains?)\b.*\bas (?:it is|they are)\b"
)
_MORE = re.compile(
    r"(?i)(?:[>≥]=?|\b(?:above|over|more than|at least|min(?:imum)?|greater than|exceeds?))\s*\d"
)
_LESS = re.compile(
    r"(?i)(?:[<≤]=?|\b(?:below|under|less than|fewer than|at most|max(?:imum)?|smaller than|within|up to))"
    r"\s*\d"
)
_ALL_OF = re.compile(r"(\d+)/\1")
_FILE_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}\Z")


def digest(text: str) -> str:
    """Twelve hex digits that numbering, emphasis, case and encoding do not change; `-` for nothing."""
    atoms = _ATOM.findall(unnumbered(text).lower())
    if not atoms:
        return "-"
    return hashlib.sha256(" ".join(atoms).encode()).hexdigest()[:12]


def unnumbered(text: str) -> str:
    """A text without the number that it begins with and without the numbers of tests, steps and phases."""
    text = text.lstrip("*_ ")
    numbering = _NUMBERING.match(text)
    if numbering is not None:
        text = text[numbering.end() :]
    return _ORDINAL.sub(r"\1", text) if _DIGIT.search(text) else text


def negates(text: str) -> bool:
    """True when a text says that something is not so."""
    prose = _ZERO.sub("zero", _NEGATES_NOTHING.sub(" ", _CODE.sub(" ", text)))
    return _NEGATION.search(prose) is not None or _UNCHANGED.search(prose) is not None


def claims(text: str, *, is_code: bool = False) -> frozenset[str]:
    """The numbers, names and code words of a text. In code every word counts, comments do not."""
    text = unnumbered(text)
    if not is_code:
        text = _ZERO.sub("zero", text)
    if is_code:
        code, prose = _COMMENT.sub(" ", text), ""
    else:
        code = " ".join(match.group(2) for match in _CODE.finditer(text))
        prose = _CODE.sub(" ", text)
    found = {_plain_name(name) for name in _NAME.findall(code)}
    found.update(_plain_name(name) for name in _NAME.findall(prose) if _is_name(name))
    for source in (code, prose):
        for number, unit in _NUMBER.findall(source):
            found.add(number + _unit(unit))
    for source in (code, prose):
        found.update(f"{_plain_name(m.group(1))}={m.group(2)}" for m in _SETTING.finditer(source))
    words = _WORD.findall(_NO_AMOUNT.sub(" ", prose).lower())
    found.update(CLAIMING[word] for word in words if word in CLAIMING)
    found.update(sign for sign, pattern in ((">", _MORE), ("<", _LESS)) if pattern.search(prose))
    found.update(COUNTS[word] for word in _WORD.findall(prose.lower()) if word in COUNTS)
    return frozenset(name for name in found if len(name) > 1 or name.isdigit() or name in SIGNS)


def is_known(claim: str, known: frozenset[str]) -> bool:
    """True when a claim is among these, ends a path among them, or is a number there with another unit."""
    if claim in known:
        return True
    if _ALL_OF.fullmatch(claim):  # `25/25`
        return claim.partition("/")[0] in known
    if claim[0].isdigit():
        bare = claim.rstrip(_LETTERS)
        return bare in known or (bare == claim and any(name.rstrip(_LETTERS) == bare for name in known))
    if claim.startswith(":"):  # the end of an address, from the port on
        return all(part in known for part in re.split("[:/]", claim) if part)
    if _FILE_SUFFIX.fullmatch(claim):  # `.bat`: what kind of file
        return any(name.endswith(claim) for name in known)
    return ("." in claim or "/" in claim) and any(name.endswith("/" + claim) for name in known)


def _plain_name(name: str) -> str:
    return (
        name.lower().strip("*").rstrip("./-:").removeprefix("./").removeprefix("$").strip("{}~").rstrip(".")
    )


def _is_name(word: str) -> bool:
    """True for what is no plain word: a path, a file, snake_case, camelCase, a dotted or upper-case name."""
    inner = word.strip(".*-")
    if "://" in word or "_" in inner or inner.startswith("$"):
        return True
    if "/" in inner:
        return not re.fullmatch(r"[A-Za-z]+(?:/[A-Za-z]+){1,2}", inner)  # "Linux/Mac", "and/or"
    if word.startswith(".") and len(inner) > 1:
        return True
    if "." in inner:
        return _FILE_SUFFIX.search(inner) is not None or inner.count(".") > 1
    return re.search(r"[a-z][A-Z]", inner) is not None and len(_HUMPS.findall(inner)) > 1


def _unit(text: str) -> str:
    unit = text.lower()
    return UNITS.get(unit.removesuffix("s") if len(unit) > 2 else unit, unit) if unit not in ("ms",) else unit


@lru_cache(maxsize=2048)
def terms(text: str) -> frozenset[str]:
    """What a text is compared by: its words without endings, its names whole and in parts, its numbers."""
    found: dict[str, None] = {}
    text = unnumbered(text)
    for name in _NAME.findall(text):
        if _is_name(name):
            found[_plain_name(name)] = None
    for word in _WORD.findall(text):
        for part in _HUMPS.findall(word):
            stem = _stem(part.lower())
            if stem:
                found[stem] = None
    for number, unit in _NUMBER.findall(text):
        found[number + _unit(unit)] = None
    return frozenset(list(found)[:MAX_TERMS])


@lru_cache(maxsize=4096)
def _stem(word: str) -> str:
    """A word without its ending, or nothing for a word that says nothing."""
    if word in COUNTS:
        return COUNTS[word]
    if word in STOP or len(word) < 2:
        return ""
    word = SAME.get(word, word)
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: -len(ending)]
            return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "ls" else stem
    return word


def prose_terms(text: str) -> frozenset[str]:
    """The words of a text, outside of code and names, that say something."""
    prose = _NAME.sub(_unless_name, _CODE.sub(" ", unnumbered(text)))
    return frozenset(
        stem
        for word in _WORD.findall(prose)
        for part in _HUMPS.findall(word)
        if part.lower() not in GENERIC and (stem := _stem(part.lower()))
    )


def _unless_name(match: re.Match[str]) -> str:
    return " " if _is_name(match.group()) else match.group()


class Knowledge:
    """What the checks of each item know."""

    def __init__(self, checklist: Checklist, wordings: Mapping[str, Wording]) -> None:
        self._controls = {control.id: control for control in checklist.controls}
        self._phases = dict(checklist.phase_titles)
        self._wordings = wordings
        self._claims: dict[str, frozenset[str]] = {}

    def claims(self, item: str) -> frozenset[str]:
        """The names and numbers of its title, arguments, `ask` and known wording, and those of the
        items above it."""
        if item not in self._claims:
            control = self._controls[item]
            own = set(claims(control.title)) | {word.lower() for word in _WORD.findall(control.title)}
            own |= claims(control.ask)
            for value in _arguments(control):
                own |= claims(value, is_code=True)
            if item in self._wordings:
                own |= self._wordings[item].names
            parent = control.parent or ""
            above = self.claims(parent) if parent in self._controls else frozenset()
            self._claims[item] = frozenset(own | above)
        return self._claims[item]

    def terms(self, item: str) -> frozenset[str]:
        """The words of its title, `ask`, arguments, section and phase, and of the items above it."""
        control = self._controls[item]
        texts = [control.title, control.ask, control.section, self._phases.get(control.phase, "")]
        texts += _arguments(control)
        names = " ".join(sorted(self.claims(item)))
        found = frozenset().union(*map(terms, [*texts, names]))
        return found | self.terms(control.parent) if control.parent in self._controls else found


def texts_of(checklist: Checklist) -> list[str]:
    """All that the items, sections and phases of a checklist say."""
    texts = [title for _, title in checklist.phase_titles]
    for control in checklist.controls:
        texts += [control.title, control.ask, control.section]
    return texts


def _arguments(control: Control) -> list[str]:
    return [f"{check.rule} {value}" for check in control.checks for _, value in check.arguments]
