"""What the trials of one decoder show: is the error acted on, do all elements of the arrays come out?"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from msgspec import Struct, field

from zuno_audit.facts.go import ethereum_library as lib
from zuno_audit.facts.go.abi_definitions import STANDARD
from zuno_audit.facts.go.decoder_trial import (
    Exit,
    Found,
    Outcome,
    Trial,
    element,
    holds_part,
    is_record,
    leaves,
    sequences,
)
from zuno_audit.facts.go.ethereum_abi import AbiEvent
from zuno_audit.facts.go.ethereum_library import Case, Decoding
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.values import Extern, Site, Val, Value
from zuno_audit.languages.go import syntax as s


class Judgement(Struct):
    """What all trials of a decoder showed."""

    decode: str = "abi"
    abi_first: str = "yes"
    error: str | None = None
    arrays: str | None = None
    because: dict[str, str] = field(default_factory=dict)
    definition: str | None = None
    failed: bool = False
    manual: Site | None = None
    unbounded: Site | None = None
    is_silent: bool = False  # for data that does not decode it returns neither a result nor an error
    places: dict[str, Site] = field(default_factory=dict)


def rank(judged: Judgement) -> tuple[int, int, int]:
    return (
        {"unsafe": 0, "manual": 1, None: 2, "safe": 3}.get(judged.arrays, 2),
        {"ignored": 0, None: 1, "checked": 2}.get(judged.error, 1),
        {"manual": 0, "mixed": 1, "abi": 2}.get(judged.decode, 1),
    )


class Judge:
    """Reads one set of trials."""

    def __init__(
        self,
        root: Declaration,
        decoding: Decoding,
        event: AbiEvent | None,
        runs: dict[Case, tuple[Outcome, Trial]],
        judged: Judgement,
    ) -> None:
        self.decoding, self.event, self.runs, self.judged = decoding, event, runs, judged
        node = root.node
        assert isinstance(node, s.FuncDecl)
        self.node = node
        last = node.results[-1].type if node.results else None
        self.has_error = isinstance(last, s.Ident) and last.name == "error"
        self.has_record = len(node.results) > int(self.has_error)
        self.position = {
            p.name: i for i, p in enumerate(p for p in (event.inputs if event else ()) if not p.indexed)
        }
        self.arrays = [
            p.name for p in (event.inputs if event else ()) if not p.indexed and p.type in _WIDE_ARRAYS
        ]

        self.meaning = _meaning(event, self.arrays)

    def run(self) -> None:
        """Fills the judgement."""
        if not self.decoding.method:
            self.judged.decode = "manual"
            self.judged.because["decode"] = "the data is cut into words by hand"
            self.judged.abi_first = "no"
            self.judged.arrays = self._manual_arrays()
            self.judged.because["arrays"] = "they are cut out of the data by hand"
            return
        self._decode()
        self._error()
        if self.judged.decode == "manual":
            return
        if self.arrays:
            self._arrays()
        else:
            self.judged.because["arrays"] = "the event that it decodes has no arrays of large numbers"

    def _values(self, trial: Trial, exit_: Exit) -> list[tuple[str, Value]]:
        """The results besides the error; where there are none, what is stored, sent and handed to others."""
        if self.has_record:
            results = exit_.results[: len(self.node.results) - int(self.has_error)]
            return [(self.node.results[i].name or "", value) for i, value in enumerate(results)]
        outcome = next(o for o, t in self.runs.values() if t is trial)
        stored = [
            value
            for cell, value in exit_.state.cells.items()
            if cell in outcome.known or (isinstance(cell, tuple) and cell[0] == "global")
        ]
        return [("", value) for value in (*trial.handed, *stored)]

    def _successes(self, case: Case) -> list[tuple[Trial, Exit]]:
        """Ways out without an error that return something."""
        outcome, trial = self.runs[case]
        found: list[tuple[Trial, Exit]] = []
        for exit_ in outcome.exits:
            error = trial.force(exit_.results[-1]) if self.has_error and exit_.results else ()
            if error and all(trial.is_nil(v) is False for v in error):
                continue
            if self.has_record and not any(is_record(trial.force(v)) for _, v in self._values(trial, exit_)):
                continue
            found.append((trial, exit_))
        return found

    def _manual_arrays(self) -> str | None:
        _, trial = self.runs[Case.GOOD]
        for exit_ in self.runs[Case.GOOD][0].exits:
            for one in sequences(trial, exit_, self._values(trial, exit_)):
                if any(holds_part(trial, [("", item)], exit_) for item in one.items):
                    return "manual"
        return None

    def _decode(self) -> None:
        good = self._successes(Case.GOOD)
        by_hand = [holds_part(trial, self._values(trial, exit_), exit_) for trial, exit_ in good]
        sliced = self.judged.manual is not None
        if self.has_record and good and all(by_hand):
            self.judged.decode, self.judged.abi_first = "manual", "no"
            self.judged.because["decode"] = "what it returns is cut out of the data by hand"
            self.judged.arrays = "manual" if self.arrays else None
            self.judged.because["arrays"] = "they are cut out of the data by hand"
        elif any(by_hand) or sliced:
            self.judged.decode = "mixed"
            self.judged.because["decode"] = (
                "where the ABI does not decode the data, it is cut into words by hand"
            )
            if any(by_hand):
                self.judged.abi_first = "unknown"
                self.judged.because["abi_first"] = (
                    "data that the ABI decodes may be cut into words by hand as well"
                )
        else:
            self.judged.because["decode"] = f"{self.decoding.method} of the abi package decodes the data"

    def _error(self) -> None:
        outcome, trial = self.runs[Case.REFUSED]
        if not any(d.method and d.site == self.decoding.site for d in trial.world.decodings):
            self.judged.because["error"] = "the function does not come to it for logs of this event"
            return
        site = self.decoding.site
        error = trial.world.errors.get(site)
        self.judged.places["error"] = site
        on = [(t, e) for t, e in self._successes(Case.REFUSED) if not holds_part(t, self._values(t, e), e)]
        goes_on = self.has_error and self.has_record and bool(on)
        returned = bool(outcome.exits) and all(
            any(error is not None and _carries(v, error) for result in e.results for v in trial.force(result))
            for e in outcome.exits
        )
        panics = bool(outcome.panics and outcome.unchecked)
        self.judged.is_silent = (
            self.has_error
            and self.has_record
            and any(
                all(trial.is_nil(v) for v in trial.force(e.results[-1]))
                and not any(is_record(trial.force(v)) for _, v in self._values(trial, e))
                for e in outcome.exits
            )
        )
        if panics or goes_on or not (site in trial.world.looked_at or returned):
            self.judged.error = "ignored"
            self.judged.because["error"] = (
                "it panics on data that does not decode" if panics and not goes_on
                else "data that does not decode goes on as if it had"
            )  # fmt: skip
        else:
            self.judged.error = "checked"

    def _arrays(self) -> None:
        verdict, why = self._elements()
        if verdict == "safe":
            for case, said in _OTHER_CASES.items():
                if case not in self.runs:
                    continue
                outcome = self.runs[case][0]
                if outcome.unchecked and outcome.panics:
                    verdict, why = "unsafe", said
                    self.judged.places["arrays"] = outcome.unchecked[0]
                    break
                is_mistyped = case in (Case.MISTYPED_FIRST, Case.MISTYPED_LAST)
                answers = is_mistyped and self.has_error and self.has_record
                if answers and self._successes(case) and not self._same_as_good(case):
                    verdict, why = "unsafe", "an array that has another type goes on as an empty one"
        self.judged.arrays = verdict
        self.judged.because["arrays"] = why

    def add_many(self, run: tuple[Outcome, Trial], limit: int | None) -> None:
        """Looks at a trial with long arrays, longer than `limit` of the code if there is one."""
        self.runs[Case.MANY] = run
        if run[0].exhausted and limit is not None:
            self.limited(limit)
        for trial, exit_ in self._successes(Case.MANY) if not run[0].exhausted else ():
            verdict, why = self._lost(trial, exit_, run[1].world.many)
            if verdict == "unsafe":
                more = f"some are lost beyond {limit} elements"
                self.judged.arrays, self.judged.because["arrays"] = verdict, why if limit is None else more
            elif verdict is None and limit is not None:
                self.limited(limit)

    def limited(self, limit: int) -> None:
        """The code compares with a limit beyond which it could not be tried."""
        self.judged.arrays = None
        self.judged.because["arrays"] = f"what becomes of more than {limit} elements cannot be followed"

    def _same_as_good(self, case: Case) -> bool:
        return all(self._lost(trial, exit_)[0] == "safe" for trial, exit_ in self._successes(case))

    def _elements(self) -> tuple[str | None, str]:
        """Whether every way out returns every element of both arrays."""
        outcome, _ = self.runs[Case.GOOD]
        good = self._successes(Case.GOOD)
        if outcome.exhausted:
            return None, "the function is larger than is followed"
        if not good:
            if outcome.panics:
                return "unsafe", "it panics on well-formed data"
            if self.has_record:
                return "unsafe", "well-formed data never leads to a result"
            return None, "nothing is returned"
        verdicts = [self._lost(trial, exit_) for trial, exit_ in good]
        if not self.has_record:
            return min(verdicts, key=lambda v: {"safe": 0, None: 1, "unsafe": 2}[v[0]])
        return min(verdicts, key=lambda v: {"unsafe": 0, None: 1, "safe": 2}[v[0]])

    def _lost(self, trial: Trial, exit_: Exit, count: int = lib.COUNT) -> tuple[str | None, str]:
        """What one result holds of the arrays: safe, unsafe, or None with what could not be followed."""
        found = list(sequences(trial, exit_, self._values(trial, exit_)))
        read = [(one, [element(trial, item, exit_.state) for item in one.items]) for one in found]
        places: dict[str, list[tuple[str, ...]]] = {}
        sometimes: dict[str, bool] = {}  # places where an array is kept on some ways: is the other known
        for name in self.arrays:
            wanted = lib.numbers(self.position[name], count)
            whole = [one for one, values in read if not one.open and _are_numbers(values, wanted)]
            everywhere = {one.place for one in whole}
            for one, values in read:
                if one.place in everywhere and one.names in [w.names for w in whole]:
                    if one.open or None in values:
                        sometimes.setdefault(name, False)
                    elif not _are_numbers(values, wanted):
                        sometimes[name] = True
            places[name] = [one.names for one in whole]
        missing = [name for name in self.arrays if not places[name]]
        if missing and not self.has_record:
            return self._one_by_one(trial, exit_, count)
        if missing:
            return self._why_missing(missing[0], read, count)
        for name, is_known in sometimes.items():
            if is_known:
                return "unsafe", f"{name} are lost on some way"
            return None, f"{name} may be lost on some way"
        for name in self.arrays:
            for names in places[name]:
                own, others = self.meaning[name], (self.meaning[o] for o in self.arrays if o != name)
                other = next((o for o in others if _alike(names, o) and not _alike(names, own)), None)
                if other is not None:
                    return "unsafe", f"{own} are put where {other} belong"
        return "safe", f"every element of {' and '.join(self.arrays)} is kept as it is"

    def _one_by_one(self, trial: Trial, exit_: Exit, count: int) -> tuple[str | None, str]:
        """For functions that return nothing: whether the elements are given away, whole or cut."""
        given = Counter(
            str(value) for value in leaves(trial, exit_, [v for _, v in self._values(trial, exit_)])
        )
        for name in self.arrays:
            for number in lib.numbers(self.position[name], count):
                for cut in _cut(number):
                    if cut in given and number and str(number) not in given:
                        return "unsafe", f"{number} in {name} becomes {cut}"
        wanted = Counter(str(n) for name in self.arrays for n in lib.numbers(self.position[name], count))
        if wanted <= given:
            return "safe", f"every element of {' and '.join(self.arrays)} is handed on as it is"
        return None, "what becomes of the arrays cannot be followed"

    def _why_missing(
        self, name: str, read: list[tuple[Found, list[Any]]], count: int
    ) -> tuple[str | None, str]:
        candidates = [(one, values) for one, values in read if _alike(one.names, name)]
        wanted = lib.numbers(self.position[name], count)
        if any(one.open or None in values for one, values in candidates or read):
            return None, f"what becomes of {name} cannot be followed"
        for _, values in candidates:
            if len(values) != len(wanted):
                return "unsafe", f"{len(values)} elements come out where {name} has {len(wanted)}"
            for value, number in zip(values, wanted, strict=False):
                if not _is_number(value, number):
                    return "unsafe", f"{number} in {name} becomes {str(value)[:90] or 'nothing'}"
        if not self.has_record:
            return None, "nothing is returned"
        return "unsafe", f"not every element of {name} comes out as it is"


def _meaning(event: AbiEvent | None, arrays: list[str]) -> dict[str, str]:
    """What the arrays of an event hold: what their names say, but where they are those of an event of the token
    standards in another order, what the standard says of their place.
    """
    for standard in STANDARD.events if event is not None else ():
        if event is not None and standard.signature == event.signature:
            names = {own.name: its.name for own, its in zip(event.inputs, standard.inputs, strict=True)}
            if {names[name] for name in arrays} == set(arrays):
                return {name: names[name] for name in arrays}
    return {name: name for name in arrays}


def _carries(v: Val, error: Val, depth: int = 0) -> bool:
    """Whether an error is this one, or wraps it."""
    if v is error:
        return True
    if not isinstance(v, Extern) or depth > 4:
        return False
    return any(_carries(x, error, depth + 1) for value in v.args or () for x in value)


_WIDE_ARRAYS = frozenset(f"{sign}int{bits}[]" for sign in ("u", "") for bits in range(72, 257, 8))
_OTHER_CASES = {
    Case.MISTYPED_FIRST: "a type assertion is not checked, another type ends in a panic",
    Case.MISTYPED_LAST: "a type assertion is not checked, another type ends in a panic",
    Case.SHORT_FIRST: "arrays of different length end in a panic",
    Case.SHORT_LAST: "arrays of different length end in a panic",
}


def _cut(number: int) -> tuple[str, ...]:
    """What is left of a number in a machine word or a float."""
    low = number & (2**64 - 1)
    signed = low - 2**64 if low >= 2**63 else low
    return (str(low), str(signed), str(float(number)), f"{float(number):.10g}")


def _is_number(value: Any, number: int) -> bool:
    """Whether a value is this number, or its text: decimal, or hexadecimal with `0x`."""
    if isinstance(value, str):
        return value == str(number) or (
            value[:2] == "0x" and value[2:].lstrip("0") == f"{number:x}".lstrip("0")
        )
    return type(value) is int and value == number


def _are_numbers(values: list[Any], numbers: list[int]) -> bool:
    return len(values) == len(numbers) and all(map(_is_number, values, numbers))


def _alike(names: tuple[str, ...], parameter: str) -> bool:
    """Whether a field is named after a parameter: `TokenIDs` and `ids`."""
    wanted = re.sub(r"[^a-z0-9]", "", parameter.lower())
    return bool(names) and bool(wanted) and wanted in re.sub(r"[^a-z0-9]", "", names[-1].lower())
