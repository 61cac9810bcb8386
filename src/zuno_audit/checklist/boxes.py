"""What the verdicts of the items mean for the boxes of a team's own checklist, and what to say of them.

A box is true when its item passes, when the rule it is pinned to finds nothing, or when the check that was
made of its own words holds. A box whose wording was changed in what it claims is never taken to be true, nor
is one with a box of the team's own below it that is not known to be true.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.model.box import Box, BoxMatch, BoxVerdict, ChecklistFile, TaskList
from zuno_audit.model.control import Checklist, CheckRef
from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import Location, Span
from zuno_audit.model.redaction import redact, redact_source
from zuno_audit.model.verdict import Check, Status, Verdict

TICKED_BUT_FAILING = "checklist-box-ticked-but-failing"
WITHOUT_PROOF = "checklist-box-ticked-without-proof"
READY = "checklist-box-ready-to-tick"
WITHOUT_RULE = "checklist-box-without-rule"
REWORDED = "checklist-box-reworded"
WITHOUT_BOX = "checklist-item-without-box"
OWN_FAILING = "checklist-own-box-failing"
RULES = (TICKED_BUT_FAILING, WITHOUT_PROOF, READY, WITHOUT_RULE, REWORDED, WITHOUT_BOX, OWN_FAILING)

_LEVELS = {TICKED_BUT_FAILING: Level.ERROR, WITHOUT_PROOF: Level.WARNING, OWN_FAILING: Level.WARNING}
_SHOWN = 60  # characters of a box that a sentence quotes
_NAMES = 5  # names that a sentence lists


def judge_boxes(
    tasks: TaskList,
    matches: Sequence[BoxMatch],
    verdicts: Iterable[Verdict],
    own: Mapping[int, Check],
    checklist: Checklist,
) -> ChecklistFile:
    """The verdict of every box. `own` holds checks of boxes that no item stands behind, by index; `rule` of
    such a check is empty when it was made of the box's words. `checklist` is the whole one, `verdicts` may be
    those of some phases.
    """
    by_id = {verdict.control.id: verdict for verdict in verdicts}
    matches = [BoxMatch() if i in own and m.how != "pinned" else m for i, m in enumerate(matches)]
    judged = [
        _judged(box, match, by_id, own.get(index))
        for index, (box, match) in enumerate(zip(tasks.boxes, matches, strict=True))
    ]
    for index in reversed(range(len(judged))):  # what is nested comes after what it is nested in
        parent = judged[index].box.parent
        if parent is not None and judged[parent].status is Status.PASS and _keeps_open(judged[index]):
            reason = f"The box below it on line {judged[index].box.line} is not known to hold."
            judged[parent] = replace(judged[parent], status=Status.MANUAL, reason=reason)
    present = {match.control for match in matches} | {i for match in matches for i in match.candidates}
    without = (c.id for c in checklist.controls if c.id in by_id and c.id not in present)
    return ChecklistFile(tasks.path, tuple(judged), tuple(without))


def _judged(box: Box, match: BoxMatch, verdicts: Mapping[str, Verdict], own: Check | None) -> BoxVerdict:
    if match.control:
        verdict = verdicts.get(match.control)
        if verdict is None:
            return BoxVerdict(box, match, None, item=match.control, source="item")
        check = _deciding(verdict)
        status, reason = verdict.status, check.reason
        if not match.is_sure and status is not Status.NOT_APPLICABLE:
            status, reason = Status.MANUAL, _why_unsure(match)
        return BoxVerdict(box, match, status, reason, match.control, "item", check.evidence)
    if own is not None:
        source = "rule" if own.rule else "derived"
        return BoxVerdict(box, match, own.status, own.reason, own.rule, source, own.evidence)
    return BoxVerdict(box, match, None)


def _deciding(verdict: Verdict) -> Check:
    return next((c for c in verdict.checks if c.status is verdict.status), verdict.checks[0])


def _why_unsure(match: BoxMatch) -> str:
    if match.how == "position":
        return f"Only its place speaks for item {match.control}, its words do not."
    if match.how == "elsewhere":
        return f"It resembles item {match.control}, but what stands around it does not."
    return f"It says more or other than the checks of item {match.control} look at: {_listed(match.unknown)}."


def _keeps_open(judged: BoxVerdict) -> bool:
    """True for a box that keeps the one above it from being true: the items above know their own parts."""
    if judged.box.is_struck or judged.status in (Status.PASS, Status.NOT_APPLICABLE):
        return False
    return judged.status is not None or judged.source == "none"


class _Said(Struct, frozen=True):
    rule: str
    message: str
    box: Box
    items: tuple[str, ...] = ()
    flow: tuple[Location, ...] = ()


def box_findings(file: ChecklistFile, titles: Mapping[str, str]) -> Iterator[Finding]:
    """Everything there is to say about the boxes of a file. `titles` are those of the items by id."""
    for judged in file.boxes:
        if not judged.box.is_struck:
            for said in (*_of_state(judged), *_of_words(judged)):
                yield _finding(file.path, said)
    yield from _missing(file, titles)


def _of_state(judged: BoxVerdict) -> Iterator[_Said]:
    box, status = judged.box, judged.status
    items = (judged.item,) if judged.source == "item" else ()
    subject = {"item": f"item {judged.item}", "rule": f"rule {judged.item}"}.get(judged.source, "")
    why = judged.reason
    flow = judged.evidence[:5]
    if status is Status.PASS and not box.is_ticked:
        what = f"{subject} passes" if subject else "what it says holds"
        yield _Said(READY, f"Ready to tick: {what}. {why}", box, items, flow)
    elif status is Status.FAIL and box.is_ticked:
        what = f"{subject} fails" if subject else "what it says does not hold"
        yield _Said(TICKED_BUT_FAILING, f"This box is ticked, but {what}. {why}", box, items, flow)
    elif status is Status.FAIL and not items:
        yield _Said(OWN_FAILING, f"What this box says does not hold. {why}", box, items, flow)
    elif box.is_ticked and status not in (Status.PASS, Status.NOT_APPLICABLE):
        if judged.source == "item" and status is None:
            return  # its phase was not audited
        what = f"{subject} has the status {status.value}. {why}" if subject and status else why
        what = what or "no rule looks at what it says."
        yield _Said(WITHOUT_PROOF, f"This box is ticked and nothing proves it: {what}", box, items)


def _of_words(judged: BoxVerdict) -> Iterator[_Said]:
    box, match = judged.box, judged.match
    if match.is_reworded and judged.status is not None:
        message = f"The wording is not one that is known for item {match.control}, which it was taken for."
        if match.unknown:
            message += f" It differs in what it claims: {_listed(match.unknown)}."
        elif match.how == "position":
            message += " Only its place speaks for that item."
        elif match.how == "elsewhere":
            message += " What stands around it does not speak for that item."
        yield _Said(
            REWORDED, f"{message} A pin settles it: <!-- zuno: {match.control} -->.", box, (match.control,)
        )
    elif match.how == "unclear":
        choice = ", ".join(match.candidates[:_NAMES])
        message = f"Several items fit this box equally well ({choice})."
        yield _Said(WITHOUT_RULE, f"{message} A pin settles it: <!-- zuno: {match.candidates[0]} -->.", box)
    elif box.pin and match.how == "none":
        yield _Said(WITHOUT_RULE, f"The pin {_quoted(box.pin)!r} names neither an item nor a rule.", box)
    elif judged.source == "none":
        message = f"No rule looks at what this box says: {_quoted(box.text)}."
        yield _Said(WITHOUT_RULE, message, box)


def _missing(file: ChecklistFile, titles: Mapping[str, str]) -> Iterator[Finding]:
    """Items without a box, each at the box after which it would stand."""
    order = {item: index for index, item in enumerate(titles)}
    places = {order[b.match.control]: b.box for b in file.boxes if b.match.control in order}
    for item in file.without_box:
        before = max((position for position in places if position < order[item]), default=None)
        box = file.boxes[0].box if before is None else places[before]
        message = f"No box speaks of item {item}: {titles[item]}."
        yield _finding(file.path, _Said(WITHOUT_BOX, message, box, (item,)))


def _finding(path: str, said: _Said) -> Finding:
    box = said.box
    span = Span(box.line, box.column, box.line, max(box.end_column, box.column + 1))
    level = _LEVELS.get(said.rule, Level.NOTE)
    flow = tuple(place.noted(redact(place.note)) for place in said.flow)
    return Finding(
        said.rule,
        level,
        redact(said.message.strip()),
        Location(path, span),
        flow=flow,
        matched=redact_source(box.text) if said.rule != WITHOUT_BOX else said.items[0],
        checklist=said.items,
    )


def _quoted(text: str) -> str:
    text = redact_source(text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES])
    return f"{shown} and {len(names) - _NAMES} more" if len(names) > _NAMES else shown


def pinned_rules(tasks: TaskList, matches: Sequence[BoxMatch]) -> dict[int, CheckRef]:
    """The rules that boxes are pinned to, by index: `<!-- zuno: rule-id name=value -->`."""
    found = {}
    for index, (box, match) in enumerate(zip(tasks.boxes, matches, strict=True)):
        if match.how == "pinned" and not match.control:
            rule, *words = box.pin.split()
            pairs = (word.partition("=") for word in words)
            found[index] = CheckRef(rule, tuple(sorted((name, value) for name, _, value in pairs)))
    return found
