"""Which item each box of a Markdown file speaks of: by known wording, by names and words, by its place.

A wording that is known is taken at its word. All other boxes are compared with the items that are left, first
by their terms, then also by their place: what the box above, the boxes below, the neighbours and the section
were taken for. Order helps and does not decide, so sections may move. What fits two items equally well is
`unclear`, what only its place speaks for is `position`; neither is ever taken for a proof.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from zuno_audit.checklist.known import NOT, Wording
from zuno_audit.checklist.similarity import similarities
from zuno_audit.checklist.spelling import Spelling
from zuno_audit.checklist.wording import (
    SIGNS,
    Knowledge,
    claims,
    digest,
    is_known,
    negates,
    prose_terms,
    texts_of,
)
from zuno_audit.model.box import Box, BoxMatch
from zuno_audit.model.control import Checklist, Control

ROUNDS = 3  # after which places have told all they know, on every checklist tried
OWN_ENOUGH = 0.22  # similarity of words from which they speak for an item
ENOUGH = 0.42  # the same with place
HINT, PLACE = (
    0.14,
    0.27,
)  # words that are enough with this much place: both neighbours, or one and the section
SURE_PLACE = 0.5  # a place that overrules words: below the right box, beside the right neighbour
CLOSE = 0.85  # words for another item that are nearly as good
SUPPORT = 0.1  # of place without which equally good words are unclear even if the other item is taken
BY_PLACE = 0.38  # of the place alone: between both neighbours, in the section of the item
MARGIN = 0.06  # two items closer than this are equally good
UNDER_PARENT, UNDER_OTHER, UNDER_OWN = 0.3, -0.3, -0.05  # the box above: the item above, another item, none
NEIGHBOUR, SECTION, OTHER_SECTION, CHILDREN = 0.12, 0.15, -0.1, 0.3


def match(
    boxes: Sequence[Box],
    checklist: Checklist,
    wordings: Mapping[str, Wording],
    rules: Iterable[str] = (),
) -> tuple[BoxMatch, ...]:
    """What each box speaks of. `rules` are rule ids that a pin may name instead of an item.

    Pure: the same boxes give the same matches. Two boxes get the same item only when they are pinned to it or
    have its known wording.
    """
    spelling = Spelling(texts_of(checklist))
    read = [replace(box, text=spelling.corrected(box.text)) for box in boxes]
    return _Matcher(read, checklist, wordings, frozenset(rules)).matches()


Places = dict[tuple[str, ...], Counter[tuple[str, str]]]
Scores = dict[int, dict[str, float]]


class _Matcher(Struct):
    boxes: Sequence[Box]
    checklist: Checklist
    wordings: Mapping[str, Wording]
    rules: frozenset[str]
    controls: dict[str, Control] = field(default_factory=dict)
    items: list[str] = field(default_factory=list)
    order: dict[str, int] = field(default_factory=dict)
    done: dict[int, BoxMatch] = field(default_factory=dict)  # boxes about which nothing more is to be asked
    taken: dict[int, str] = field(default_factory=dict)
    below: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    placed: set[int] = field(default_factory=set)  # boxes whose place speaks clearly for their item
    worded: dict[int, list[str]] = field(default_factory=dict)  # the items whose known wording a box has

    def matches(self) -> tuple[BoxMatch, ...]:
        self.controls = {control.id: control for control in self.checklist.controls}
        self.items = list(self.controls)
        self.order = {item: index for index, item in enumerate(self.items)}
        for index, box in enumerate(self.boxes):
            if box.parent is not None:
                self.below[box.parent].append(index)
        self._pins()
        self._known_wordings()
        self._compare([i for i in range(len(self.boxes)) if i not in self.taken and i not in self.done])
        self._repeated()
        return self._finished()

    def _pins(self) -> None:
        for index, box in enumerate(self.boxes):
            if not box.pin:
                continue
            name = box.pin.split()[0]
            if name in self.controls:
                self.taken[index] = name
            self.done[index] = BoxMatch(
                name if name in self.controls else "",
                "pinned" if name in self.controls or name in self.rules else "none",
            )

    def _known_wordings(self) -> None:
        known: dict[str, list[str]] = defaultdict(list)
        for item, control in self.controls.items():
            known[digest(control.title)].append(item)
            if item in self.wordings:
                known[self.wordings[item].text].append(item)
        for index, box in enumerate(self.boxes):
            items = known.get(digest(box.text), ()) if index not in self.done else ()
            if items:
                self.worded[index] = list(dict.fromkeys(items))
        claimed = Counter(item for items in self.worded.values() for item in items)
        claimed.update(self.taken.values())
        for index, items in self.worded.items():  # a box comes after the box that it is nested in
            if len(items) == 1 and claimed[items[0]] == 1 and self._is_in_place(index, items[0]):
                self.taken[index] = items[0]

    def _is_in_place(self, index: int, item: str) -> bool:
        """True unless the box above speaks of something else than the item above."""
        parent, above = self.boxes[index].parent, self.controls[item].parent
        if parent is None or above is None:
            return True
        if parent in self.taken:
            return self.taken[parent] == above
        return parent not in self.done and not claims(self.boxes[parent].text)

    # -- the boxes whose wording is not known

    def _compare(self, rest: Sequence[int]) -> None:
        if not rest:
            return
        used = set(self.taken.values())
        words = dict(zip(rest, similarities(rest, self.boxes, self.controls, self.wordings), strict=True))
        for index in rest:  # a known wording that stands twice, or is known for two items
            for item in self.worded.get(index, ()):
                words[index][item] = 1.0
        fixed = dict(self.taken)
        total: Scores = {}
        for _ in range(ROUNDS):
            before, places = self.taken, self._sections()
            total = {index: self._scores(index, words[index], places, used) for index in rest}
            self.taken = fixed | _assigned(total, words, self.taken)
            if self.taken == before:
                break
        for index in rest:
            self._judge(index, total, words[index])

    def _sections(self) -> Places:
        """Which sections of the checklist the boxes below the same headings were taken for."""
        found: Places = defaultdict(Counter)
        for index, item in self.taken.items():
            control = self.controls[item]
            found[self.boxes[index].headings][control.phase, control.section] += 1
        return found

    def _scores(
        self, index: int, words: Mapping[str, float], places: Places, used: set[str]
    ) -> dict[str, float]:
        usual = self._usual_section(index, places)
        candidates = dict.fromkeys((*words, *self._suggested(index)))
        return {
            item: words.get(item, 0.0) + self._place(index, self.controls[item], usual)
            for item in candidates
            if item not in used
        }

    def _usual_section(self, index: int, places: Places) -> tuple[str, str] | None:
        """The section that half or more of the other boxes below the same headings were taken for.

        None in a list that holds the items of many sections: there it says nothing.
        """
        counter = Counter(places.get(self.boxes[index].headings, ()))
        if index in self.taken:
            control = self.controls[self.taken[index]]
            counter[control.phase, control.section] -= 1
        best = max(counter, key=lambda key: (counter[key], key)) if counter else None
        return best if best is not None and 0 < counter.total() <= 2 * counter[best] else None

    def _suggested(self, index: int) -> list[str]:
        """The items that the neighbours of a box and the box above it suggest."""
        found = []
        for other, step in ((index - 1, 1), (index + 1, -1)):
            at = self.order[self.taken[other]] + step if other in self.taken else -1
            found += self.items[at : at + 1] if at >= 0 else []
        return found

    def _place(self, index: int, control: Control, usual: tuple[str, str] | None) -> float:
        """What the place of a box says for an item, from about -0.5 to 1."""
        parent = self.boxes[index].parent
        score = 0.0
        if parent is not None and parent in self.taken:
            score += UNDER_PARENT if self.taken[parent] == control.parent else UNDER_OTHER
        elif (parent is None) != (control.parent is None):
            score += UNDER_OWN
        at = self.order[control.id]
        for other, step in ((index - 1, -1), (index + 1, 1)):
            if other in self.taken and self.order[self.taken[other]] == at + step:
                score += NEIGHBOUR
        if usual is not None:
            score += SECTION if usual == (control.phase, control.section) else OTHER_SECTION
        if below := self.below.get(index):
            fitting = sum(self.controls[self.taken[i]].parent == control.id for i in below if i in self.taken)
            score += CHILDREN * fitting / len(below)
        return score

    def _judge(self, index: int, total: Scores, words: Mapping[str, float]) -> None:
        item = self.taken.get(index)
        scores = total[index]
        if item is None:
            return
        if not self._is_in_place(index, item):
            self.done[index] = BoxMatch(item, "elsewhere", is_reworded=True)
            return
        if item in self.worded.get(index, ()):
            return
        used, own = set(self.taken.values()), words.get(item, 0.0)
        free = [i for i in scores if i != item and i not in used]
        close = [i for i in free if scores[item] - scores[i] < MARGIN and words.get(i, 0.0) >= OWN_ENOUGH]
        if scores[item] - own < SUPPORT:
            close += [i for i in words if i != item and i not in close and words[i] > own * CLOSE]
        rivals = [
            i
            for i, others in total.items()
            if i != index and i not in self.taken and others.get(item, 0.0) > scores[item] - MARGIN
        ]
        if close or rivals:
            del self.taken[index]
            self.done[index] = BoxMatch(
                "", "unclear", tuple(sorted((item, *close), key=self.order.__getitem__))
            )
        elif words.get(item, 0.0) < HINT:
            self.done[index] = BoxMatch(item, "position", is_reworded=True)
        elif scores[item] - own >= PLACE:
            self.placed.add(index)
        elif scores[item] - own < SUPPORT:
            self.done[index] = BoxMatch(item, "elsewhere", is_reworded=True)

    def _repeated(self) -> None:
        """A known wording that stands a second time speaks of the same item."""
        for index, items in self.worded.items():
            if index not in self.taken and len(items) == 1 and self._is_in_place(index, items[0]):
                self.taken[index] = items[0]
                self.done.pop(index, None)

    # -- what a match is worth

    def _finished(self) -> tuple[BoxMatch, ...]:
        known = Knowledge(self.checklist, self.wordings)
        found: list[BoxMatch] = []
        for index, box in enumerate(self.boxes):
            match = self.done.get(index)
            item = self.taken.get(index)
            if match is None and item is None:
                match = BoxMatch()
            elif match is None and item is not None:
                if self._is_to_the_letter(index, item):
                    match = BoxMatch(item, "exact")
                else:
                    match = self._reworded(index, item, known)
            elif match is not None and match.is_reworded:
                match = replace(match, unknown=self._reworded(index, match.control, known).unknown)
            assert match is not None
            above = found[box.parent] if box.parent is not None else None
            found.append(match if above is None else self._below_other(match, above))
        return tuple(found)

    def _below_other(self, match: BoxMatch, above: BoxMatch) -> BoxMatch:
        """The match of a box, given that of the box above: what is said there is part of what it says."""
        if match.how == "pinned" or not match.is_sure or above.is_sure or not above.control:
            return match
        if self.controls[match.control].parent is None:
            return match
        return BoxMatch(match.control, "elsewhere", is_reworded=True)

    def _is_to_the_letter(self, index: int, item: str) -> bool:
        """True when text and body are known; a title of ours may have any body that claims nothing."""
        box, wording = self.boxes[index], self.wordings.get(item)
        if index not in self.worded:
            return False
        if wording is not None and digest(box.text) == wording.text:
            return digest(box.body) in (wording.body, "-")
        return digest(box.body) == "-"

    def _reworded(self, index: int, item: str, knowledge: Knowledge) -> BoxMatch:
        box = self.boxes[index]
        wording, title, known = self.wordings.get(item), self.controls[item].title, knowledge.claims(item)
        own = claims(box.text) | claims(box.body, is_code=True)
        unknown = [claim for claim in sorted(own) if claim not in SIGNS and not is_known(claim, known)]
        if own & SIGNS and not own & SIGNS <= known:
            unknown += sorted(own & SIGNS - known)
        usual = {wording.negates} if wording is not None else set()
        if negates(box.text) not in usual | {negates(title)}:
            unknown.append(NOT)
        words = prose_terms(box.text)
        new = words - knowledge.terms(item) if words else words
        familiar = len(words) - len(new)
        allowed = 1 + 2 * familiar if index in self.placed and familiar else familiar
        if len(new) > allowed:
            unknown += sorted(new)
        return BoxMatch(item, "reworded", unknown=tuple(unknown), is_reworded=True)


def _assigned(total: Scores, words: Scores, taken: Mapping[int, str]) -> dict[int, str]:
    """The best pairs first, every box and every item once. `taken` are the pairs of the round before."""
    owner = {item: index for index, item in taken.items()}

    def best(index: int) -> float:
        """What the words of a box say for the item that they fit best, of those that no other box fits better."""
        return max(
            (
                own
                for item, own in words[index].items()
                if owner.get(item, index) == index or words.get(owner[item], {}).get(item, 1.0) < own
            ),
            default=0.0,
        )

    fits = {index: best(index) for index in total}
    pairs = sorted(
        (
            (-score, index, item)
            for index, scores in total.items()
            for item, score in scores.items()
            if _is_enough(score, words[index].get(item, 0.0), fits[index])
        ),
    )
    assigned: dict[int, str] = {}
    used: set[str] = set()
    for _, index, item in pairs:
        if index not in assigned and item not in used:
            assigned[index] = item
            used.add(item)
    return assigned


def _is_enough(score: float, words: float, best: float) -> bool:
    """Words and place together, words with a place that fits them well, or the place alone.

    `best` is what the words say for the item that they fit best: place may choose among items that fit about
    as well, not overrule clear words.
    """
    place = score - words
    if words < HINT:
        return place >= BY_PLACE
    fits = words >= best / 2 or place >= SURE_PLACE
    return fits and ((words >= OWN_ENOUGH and score >= ENOUGH) or place >= PLACE)
