"""How a rule decides, in words: made of the rule itself, so that the pages cannot say something else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zuno_audit.rules.rule import Clause, Condition, Rule

_ABSENT = {
    "fail": "the rule fails",
    "not-applicable": "the rule is not applicable",
    "manual": "a person must look",
}
_OPENING = {
    "for_each": "Every row of the table `{}`{} must satisfy all of this:",
    "exists": "At least one row of the table `{}`{} must satisfy all of this:",
    "forbid": "No row of the table `{}`{} may exist.",
}


def decision(rule: Rule) -> list[str]:
    """Markdown lines that say how the rule comes to its answer."""
    if rule.quantifier == "python":
        return [f"A function decides: `{rule.check}`."]
    if rule.quantifier == "engine":
        return ["The engine reports it by itself in every audit; no item of the checklist names it."]
    return [*_quantified(rule), "", *_limits_of_knowledge(rule)]


def _quantified(rule: Rule) -> Iterator[str]:
    where = f" where {_condition(rule.where)}" if rule.where else ""
    opening = _OPENING[rule.quantifier].format(rule.table, where)
    if rule.require or rule.quantifier == "forbid":
        yield opening
    else:
        yield f"There must be a row of the table `{rule.table}`{where}."
    if rule.require:
        yield ""
        yield from (_clause(clause) for clause in rule.require)
    if rule.prefer:
        yield ""
        yield "By the letter, what differs is a note only and fails under `--strict`:"
        yield ""
        yield from (_clause(clause) for clause in rule.prefer)


def _limits_of_knowledge(rule: Rule) -> Iterator[str]:
    if rule.quantifier == "forbid":
        yield "With no file to look at the run is an error, never a pass."
    elif rule.at_least == "0":
        yield "With no such row the rule has nothing to say, which is never a pass."
    else:
        yield f"With fewer than {_quoted(rule.at_least)} such rows {_ABSENT[rule.absent.status]}."
    if rule.at_most:
        yield f"With more than {_quoted(rule.at_most)} it fails."
    yield "What cannot be followed is left to a person; what cannot be read makes the check an error."


def _clause(clause: Clause) -> str:
    return f"- {_condition(clause.condition)}"


def _condition(condition: Condition) -> str:
    return " and ".join(f"`{name}` {_predicate(predicate)}" for name, predicate in condition)


def _predicate(predicate: Any) -> str:
    if isinstance(predicate, dict):
        return " and ".join(_operator(name, operand) for name, operand in predicate.items())
    if predicate is None:
        return "is not known"
    return f"is {_quoted(predicate)}"


def _operator(name: str, operand: Any) -> str:
    if name in ("all", "any"):
        word = " and " if name == "all" else " or "
        return "(" + word.join(_predicate(inner) for inner in operand) + ")"
    if name == "not":
        return f"not ({_predicate(operand)})"
    if name == "exists":
        return "is there" if operand else "is not there"
    if name == "empty":
        return "is empty" if operand else "is not empty"
    words = {
        "in": "is one of",
        "at_least": "is at least",
        "at_most": "is at most",
        "matches": "matches the regular expression",
        "glob": "fits the pattern",
        "contains": "contains",
    }
    shown = ", ".join(map(_quoted, operand)) if isinstance(operand, list) else _quoted(operand)
    return f"{words[name]} {shown}"


def _quoted(value: Any) -> str:
    text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
    return f"`{text}`" if text else "empty"
