"""The checklists ask for kinds of evidence that exist, with arguments that they have."""

from __future__ import annotations

import pytest

from zuno_audit.checklist.catalog import load_checklist
from zuno_audit.checklist.profile import load_profile, profile_names
from zuno_audit.errors import RuleError
from zuno_audit.evidence.gather import check_kinds, evidence_references
from zuno_audit.evidence.kinds import KINDS
from zuno_audit.evidence.readers import FORMATS, reader
from zuno_audit.model.control import CheckRef
from zuno_audit.resources import data_root
from zuno_audit.rules.document import Library

LIBRARY = Library(data_root() / "rules")


@pytest.mark.parametrize("name", profile_names(LIBRARY.root))
def test_every_checklist_asks_for_what_there_is(name: str) -> None:
    check_kinds(evidence_references(load_checklist(LIBRARY, load_profile(LIBRARY, name))))


@pytest.mark.parametrize("ref", [CheckRef("evidence:hearsay"), CheckRef("evidence:tidy", (("mood", "x"),))])
def test_anything_else_is_a_rule_error(ref: CheckRef) -> None:
    with pytest.raises(RuleError):
        check_kinds([ref])


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_kind_can_be_judged_by_a_format_that_is_read(name: str) -> None:
    kind = KINDS[name]
    assert callable(kind.function())
    assert set(kind.formats) <= {*FORMATS, "command"}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("head", [b"", b"\n", b"{", b"[]", b"\x00" * 9, b"hello", b"{}" * 40_000])
def test_no_reader_takes_what_is_nothing(name: str, head: bytes) -> None:
    assert reader(name).recognise(head) is False
