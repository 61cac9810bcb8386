"""Which item a box speaks of."""

from __future__ import annotations

import random
from pathlib import Path

import checklist_text
import pytest

from zuno_audit.checklist.known import load_wordings
from zuno_audit.checklist.match import match
from zuno_audit.languages.task_list import parse_task_list
from zuno_audit.model.box import BoxMatch
from zuno_audit.model.control import Control
from zuno_audit.resources import data_root

ITEMS = checklist_text.checklist()
ONE = {control.id: control for control in ITEMS.controls}


def matches(text: str | bytes, rules: tuple[str, ...] = ()) -> list[BoxMatch]:
    data = text if isinstance(text, bytes) else text.encode()
    return list(match(parse_task_list(data).boxes, ITEMS, load_wordings(data_root() / "rules"), rules))


def items_of(text: str | bytes) -> list[str]:
    return [found.control for found in matches(text)]


def section_of(*wanted: str) -> list[Control]:
    return [ONE[item] for item in wanted]


def test_our_own_titles_are_known_to_the_letter() -> None:
    found = matches(checklist_text.markdown_of(ITEMS.controls))
    assert [f.control for f in found] == list(ONE)
    assert {f.how for f in found} == {"exact"}


def test_numbers_in_front_change_nothing() -> None:
    found = matches(checklist_text.markdown_of(ITEMS.controls, numbered=True))
    assert [f.control for f in found] == list(ONE)
    assert {f.how for f in found} == {"exact"}


def test_other_words_find_their_items() -> None:
    text = checklist_text.markdown_of(ITEMS.controls, words=checklist_text.in_other_words, numbered=True)
    assert items_of(text) == list(ONE)


def test_mojibake_changes_nothing() -> None:
    text = checklist_text.markdown_of(ITEMS.controls, words=lambda title: f"✅ — {title} …")
    assert items_of(checklist_text.mojibake(text)) == list(ONE)


def test_sections_may_move() -> None:
    sections: dict[tuple[str, str], list[Control]] = {}
    for control in ITEMS.controls:
        sections.setdefault((control.phase, control.section), []).append(control)
    moved = list(sections.values())
    random.Random(7).shuffle(moved)
    items = [control for section in moved for control in section]
    text = checklist_text.markdown_of(items, words=checklist_text.in_other_words)
    assert items_of(text) == [control.id for control in items]


def test_an_item_that_is_left_out_is_taken_by_no_other_box() -> None:
    left = [control for control in ITEMS.controls if control.id != "4.2.4"]
    text = checklist_text.markdown_of(left, words=checklist_text.in_other_words)
    assert items_of(text) == [control.id for control in left]


def one_box_replaced(item: str, text: str) -> BoxMatch:
    """What a box says in place of an item's, all others being as they were."""

    def words(title: str) -> str:
        return text if title == ONE[item].title else title

    found = matches(checklist_text.markdown_of(ITEMS.controls, words=words))
    return found[list(ONE).index(item)]


@pytest.mark.parametrize(
    ("item", "text", "new"),
    [
        ("3.1.2", "Test coverage is above 90%", "90%"),
        ("3.1.2", "Test coverage is below 70%", "<"),
        ("1.3.1", "All seven gRPC services recover from panics", "7"),
        ("4.2.4", ".gitignore does not cover .env", "not"),
        ("2.1.4.2", "gosec reports security warnings", "not"),
        ("1.3.4", "A recovered panic reaches the caller with `codes.Unknown`", "codes.unknown"),
        ("1.1.3", "Every client's breaker is set to MaxFailures 9, ResetTimeout 60s", "9"),
        ("1.1.3", "Every client's breaker is set to MaxFailures 3, ResetTimeout 60s", "maxfailures=3"),
        ("1.3.2", "One of these servers installs a recovering stream interceptor", "some"),
        ("G.1.5", "A rollback plan is tested", "tested"),
        ("1.3.1.1", "services/auth-service/cmd/main.go has graceful shutdown", "graceful"),
    ],
)
def test_what_a_box_claims_anew_keeps_it_from_being_judged(item: str, text: str, new: str) -> None:
    found = one_box_replaced(item, text)
    assert not found.is_sure
    assert any(name.startswith(new[:6]) for name in found.unknown) or found.control != item


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ("4.2.4", "Make sure `.gitignore` has an entry for `.env`"),
        ("3.1.2", "Coverage of the tests is more than 70 %"),
        ("1.3.1", "Panics are recovered from in all 6 gRPC services"),
        ("1.2.2", "ERC1155 ABI present as `shared/contracts/ERC1155.json`"),
        ("G.1.5", "There is a documented plan for the rollback"),
        ("9.3.1", "The critical user flows that matter most work"),
        (
            "1.1.3",
            "Every client's breaker is set to MaxFailures 5, ResetTimeout 60s and 3 calls while half open",
        ),
    ],
)
def test_other_words_for_the_same_are_judged(item: str, text: str) -> None:
    found = one_box_replaced(item, text)
    assert (found.control, found.is_sure, found.is_reworded) == (item, True, True)


def test_a_box_without_relation_is_nobodys() -> None:
    text = checklist_text.markdown_of(ITEMS.controls, extra={"4.2.4": "- [ ] The office plants are watered"})
    found = matches(text)
    assert found[list(ONE).index("4.2.4") + 1].how == "none"
    assert [f.control for f in found if f.control] == list(ONE)


def test_a_sub_box_below_another_box_is_not_the_item() -> None:
    text = "- [ ] The admin page `admin/index.html` is served\n  - [ ] The answer of /health is 200 OK\n"
    assert not any(found.is_sure for found in matches(text))


def test_what_fits_two_items_is_unclear_and_names_both() -> None:
    found = matches("- [ ] NFT mint\n")[0]
    assert found.how == "unclear"
    assert {"3.3.3.3", "9.3.1.3"} <= set(found.candidates)
    assert not found.is_sure


def test_a_pin_decides() -> None:
    text = "- [ ] anything <!-- zuno: 4.2.4 -->\n- [ ] more\n  <!-- zuno: a-rule path=x -->\n"
    found = matches(text, ("a-rule",))
    assert [(f.control, f.how) for f in found] == [("4.2.4", "pinned"), ("", "pinned")]
    assert found[0].is_sure


def test_a_pin_to_nothing_matches_nothing() -> None:
    found = matches(f"- [ ] {ONE['4.2.4'].title} <!-- zuno: 4.2.44 -->\n")[0]
    assert (found.control, found.how) == ("", "none")


def test_the_same_box_twice_speaks_of_the_same_item() -> None:
    title = ONE["4.2.4"].title
    text = f"- [ ] {title}\n- [ ] something else entirely\n- [x] {title}\n"
    assert items_of(text) == ["4.2.4", "", "4.2.4"]


def test_known_wordings_belong_to_items_and_differ() -> None:
    known = load_wordings(data_root() / "rules")
    assert list(known) == list(ONE)
    assert len({wording.text for wording in known.values()}) == len(ONE)


SHARED = Path(__file__).parents[4] / "shared" / "checklist"


def test_a_list_without_headings_is_judged() -> None:
    text = "".join(f"- [ ] {checklist_text.in_other_words(control.title)}\n" for control in ITEMS.controls)
    found = matches(text)
    assert [
        (f.control, item) for f, item in zip(found, ONE, strict=True) if f.control not in ("", item)
    ] == []
    assert sum(f.is_sure for f in found) > 0.9 * len(found)


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ("Exchanges `auth.events` and `wallets.events` exist", True),
        ("Exhcanges `auth.events` and `wallets.events` exist", True),
        ("Exchnages `auth.events` and `wallets.events` exist", True),
        ("Exchanges `auth.evnets` and `wallets.events` exist", False),  # a name has no slips
    ],
)
def test_slips_of_the_pen_are_read_over(text: str, sure: bool) -> None:
    above = ONE["5.2.4"].title
    _, found = matches(f"## Health checks\n\n- [ ] {above}\n  - [ ] {text}\n")
    assert (found.control, found.is_sure) == ("5.2.4.2", sure)


@pytest.mark.parametrize(
    ("item", "text", "sure"),
    [
        ("2.1.4.1", "0 critical linter errors", True),
        ("2.1.4.1", "10 critical linter errors", False),
        ("2.2.1", "All Docker images build without cache (docker compose build)", True),
        ("2.2.1", "All Docker images build without tests (docker compose build)", False),
        ("2.1.2", "go mod tidy leaves go.mod as it is", True),
        ("2.1.2", "go mod tidy changes go.mod", False),
        ("5.2.1", "The gateway answers on :8081/health", True),
        ("5.2.1", "The gateway answers on :9091/health", False),
        ("S.2.3", "TASKS.md: tasks ticked, 25/25", True),
        ("S.2.3", "TASKS.md: tasks ticked, 24/25", False),
    ],
)
def test_what_a_rewording_may_say(item: str, text: str, sure: bool) -> None:
    boxes = checklist_text.markdown_of(ITEMS.controls, words=lambda t: text if t == ONE[item].title else t)
    found = dict(zip(ONE, matches(boxes), strict=True))[item]
    assert (found.control, found.is_sure) == (item, sure)


def test_a_box_gets_what_no_other_box_fits_better() -> None:
    text = """\
# Monitoring
## Grafana
- [ ] The Grafana dashboards are imported
  - [ ] Dashboard of error rates
# After deployment
## First 30 minutes
- [ ] Error logs are watched
- [ ] Error rate in Prometheus
- [ ] circuit_breaker_state is closed for every service
"""
    assert [f.control for f in matches(text)] == ["6.1.2", "6.1.2.4", "9.1.1", "9.1.2", "9.1.3"]


@pytest.fixture
def original() -> bytes:
    file = SHARED / "production-checklist.md"
    if not file.is_file():
        pytest.skip("the checklist that the items were made from is not beside this repository")
    return file.read_bytes()


def item_lines() -> list[tuple[str, int]]:
    rows = (SHARED / "items.tsv").read_text("utf-8").splitlines()[1:]
    return [(row.split("\t")[0], int(row.split("\t")[1])) for row in rows]


def test_the_original_maps_completely(original: bytes) -> None:
    boxes = parse_task_list(original).boxes
    found = match(boxes, ITEMS, load_wordings(data_root() / "rules"))
    assert [(f.control, box.line) for f, box in zip(found, boxes, strict=True)] == item_lines()
    assert {f.how for f in found} == {"exact"}


def test_the_original_renumbered_and_reworded_maps_completely(original: bytes) -> None:
    lines = original.decode().replace("PHASE ", "STEP 1").splitlines()
    swaps = {"Verify": "Make sure that", "Check": "Confirm", "Run": "Execute", "exists": "is there", "**": ""}
    changed = []
    for number, line in enumerate(lines):
        head, mark, text = line.partition("- [ ] ")
        if mark and not head.strip():
            for ours, other in swaps.items():
                text = text.replace(ours, other)
            line = f"{head}{mark}{number}.{number % 9} {text}"
        changed.append(line)
    found = matches("\n".join(changed))
    assert [f.control for f in found] == [item for item, _ in item_lines()]


def test_the_known_wordings_are_those_of_the_original(original: bytes) -> None:
    from zuno_audit.checklist.wording import claims, digest, negates

    known = load_wordings(data_root() / "rules")
    for (item, _), box in zip(item_lines(), parse_task_list(original).boxes, strict=True):
        names = claims(box.text) | claims(box.body, is_code=True)
        wording = known[item]
        assert (wording.text, wording.body) == (digest(box.text), digest(box.body)), item
        assert (wording.negates, wording.names) == (negates(box.text), names), item
