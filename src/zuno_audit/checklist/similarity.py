"""How alike boxes and items are by their words alone: cosine over terms, rare terms weigh more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest
from math import log, sqrt

from zuno_audit.checklist.known import Wording
from zuno_audit.checklist.wording import terms
from zuno_audit.model.box import Box
from zuno_audit.model.control import Control

CANDIDATES = 8  # items that a box is compared with in earnest
TITLE, NAMES, PARENT, SECTION = 1.0, 0.8, 0.3, 0.25  # weights of where a term stands
MAX_POSTINGS = 80  # items that share a term; one of more items tells nothing apart
BODY_CHARACTERS = 1500  # of what stands below a box

Weights = dict[str, float]


def similarities(
    wanted: Sequence[int],
    boxes: Sequence[Box],
    controls: Mapping[str, Control],
    wordings: Mapping[str, Wording],
) -> list[dict[str, float]]:
    """For each wanted box the items most like it, with a number from 0 to 1, best first."""
    items = {item: _item_terms(control, controls, wordings) for item, control in controls.items()}
    rarity = _rarity(items.values())
    index: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for item, weights in items.items():
        scaled = _scaled(weights, rarity, minor=NAMES)
        for term, weight in scaled.items():
            index[term].append((item, weight))
    return [_best(_scaled(_box_terms(boxes[i], boxes), rarity), index) for i in wanted]


def _best(weights: Weights, index: Mapping[str, list[tuple[str, float]]]) -> dict[str, float]:
    scores: dict[str, float] = defaultdict(float)
    for term, weight in weights.items():
        postings = index.get(term, ())
        if len(postings) > MAX_POSTINGS:
            continue
        for item, other in postings:
            scores[item] += weight * other
    best = nsmallest(CANDIDATES, scores.items(), key=lambda pair: (-pair[1], pair[0]))
    return {item: min(score, 1.0) for item, score in best}


def _item_terms(
    control: Control, controls: Mapping[str, Control], wordings: Mapping[str, Wording]
) -> Weights:
    found: Weights = {}
    _add(found, control.section, SECTION)
    if control.parent in controls:
        _add(found, controls[control.parent or ""].title, PARENT)
    if control.id in wordings:
        _add(found, " ".join(sorted(wordings[control.id].names)), NAMES)
    _add(found, control.title, TITLE)
    return found


def _box_terms(box: Box, boxes: Sequence[Box]) -> Weights:
    found: Weights = {}
    for heading in box.headings[-1:]:
        _add(found, heading, SECTION)
    if box.parent is not None:
        _add(found, boxes[box.parent].text, PARENT)
    if box.body:
        _add(found, box.body[:BODY_CHARACTERS], NAMES / 2)
    _add(found, box.text, TITLE)
    return found


def _add(weights: Weights, text: str, weight: float) -> None:
    for term in terms(text):
        weights[term] = max(weight, weights.get(term, 0.0))


def _rarity(items: Iterable[Weights]) -> Weights:
    counts: dict[str, int] = defaultdict(int)
    total = 0
    for weights in items:
        total += 1
        for term, weight in weights.items():
            if weight > PARENT:
                counts[term] += 1
    return {term: log((total + 1) / count) for term, count in counts.items()}


def _scaled(weights: Weights, rarity: Weights, minor: float = 0.0) -> Weights:
    """A vector of length 1. A term that no item has counts as a common one: it says little against a match.

    Terms of the weight `minor` (what the known code below a box names) speak for a match where they are
    present, and hardly against it where they are not.
    """
    scaled = {term: weight * rarity.get(term, 2.0) for term, weight in weights.items()}
    length = sqrt(sum((w if weights[t] != minor else w / 3) ** 2 for t, w in scaled.items())) or 1.0
    return {term: weight / length for term, weight in scaled.items()}
