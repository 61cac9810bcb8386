"""The page about a rule and the page about an item: `explain` prints them, `docs/` holds them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from zuno_audit.authoring.decision import decision
from zuno_audit.engine.own_rules import ABOUT_WAIVERS
from zuno_audit.engine.waivers import FILE as WAIVERS
from zuno_audit.model.control import Checklist, CheckRef, Control
from zuno_audit.rules.rule import Rule

_DECIDED_BY = {
    "files": "Files alone decide it.",
    "evidence": "Files decide what they can; the rest needs the output of a run.",
    "person": "Files decide what they can; the last word has a person.",
}


def rule_page(rule: Rule, checklist: Checklist) -> str:
    """Markdown: what the rule is about, why, how it decides, its limits, examples, cure and suppression."""
    info = rule.info
    facts = [f"`{rule.id}`", info.level.value, f"precision {info.precision}", f"pack `{info.pack}`"]
    facts += [f"security severity {info.security_severity}"] if info.security_severity else []
    facts += [f"CWE-{number}" for number in info.cwe]
    sections: list[tuple[str, str]] = [
        ("Why", info.why),
        ("How it decides", "\n".join(decision(rule))),
        ("Parameters", "\n".join(_parameters(rule))),
        ("Limits", info.limits),
        ("Bad", _fenced(info.bad)),
        ("Good", _fenced(info.good)),
        ("How to fix", info.fix),
        ("How to suppress", "\n".join(_suppressing(rule))),
        ("Items that it helps to verify", "\n".join(_items(rule, checklist))),
    ]
    return _page(f"{info.title}", ", ".join(facts), sections)


def item_page(control: Control, rules: Sequence[Rule]) -> str:
    """Markdown: what an item asks, who decides it, and which rules verify it with which arguments."""
    by_id = {rule.id: rule for rule in rules}
    sections = [
        ("How it is decided", _DECIDED_BY[control.decided_by]),
        ("What verifies it", "\n".join(_verified_by(control.checks, by_id))),
        ("What a second engine adds, with --semgrep", "\n".join(_verified_by(control.also, by_id))),
        ("What else is needed", control.ask),
    ]
    if control.applies_when is not None:
        sections.append(("When it applies", f"When {_reference(control.applies_when)} is applicable."))
    return _page(f"{control.id}: {control.title}", f"Phase {control.phase}, {control.section}", sections)


def index_page(rules: Iterable[Rule], packs: dict[str, str]) -> str:
    """Markdown: every rule by pack, with a link to its page."""
    lines = ["# Rules", ""]
    by_pack: dict[str, list[Rule]] = {}
    for rule in rules:
        by_pack.setdefault(rule.info.pack, []).append(rule)
    for pack, members in sorted(by_pack.items()):
        lines += [f"## {pack}", ""]
        lines += [f"{packs[pack].rstrip('.')}.", ""] if pack in packs else []
        lines += ["| rule | what it reports | level |", "|---|---|---|"]
        lines += [f"| [{r.id}]({r.id}.md) | {_cell(r.info.title)} | {r.info.level.value} |" for r in members]
        lines.append("")
    return "\n".join(lines)


def checklist_page(checklist: Checklist) -> str:
    """Markdown: every item with what verifies it."""
    titles = dict(checklist.phase_titles)
    lines = [f"# Checklist {checklist.name} {checklist.version}", ""]
    for phase in checklist.phases():
        lines += [f"## {phase}. {titles.get(phase, '')}".rstrip(), ""]
        lines += ["| item | | decided by | verified by |", "|---|---|---|---|"]
        lines += [_row(control) for control in checklist.controls if control.phase == phase]
        lines.append("")
    return "\n".join(lines)


def _row(control: Control) -> str:
    names = dict.fromkeys(ref.rule for ref in (*control.checks, *control.also))
    links = ", ".join(f"[{name}](rules/{name}.md)" for name in names) or "its sub-items, or a person"
    return f"| {control.id} | {_cell(control.title)} | {control.decided_by} | {links} |"


def _page(title: str, subtitle: str, sections: Iterable[tuple[str, str]]) -> str:
    parts = [f"# {title}", subtitle]
    for heading, text in sections:
        if text.strip():
            parts += [f"## {heading}", text.strip("\n")]
    return "\n\n".join(parts) + "\n"


def _parameters(rule: Rule) -> Iterator[str]:
    for name, default in rule.parameters:
        shown = "must be given" if default is None else f"default `{default}`" if default else "default empty"
        yield f"- `{name}`: {shown}"


def _suppressing(rule: Rule) -> Iterator[str]:
    if rule.id not in ABOUT_WAIVERS and not rule.id.startswith("suppression-"):
        yield "On the line of the finding or above it, in a comment, with a reason:"
        yield ""
        yield f"    zuno-audit: ignore[{rule.id}] -- why it is acceptable here"
        yield ""
        yield "The finding stays in the report, its item stays failed, and the gate lets it through."
        yield ""
    if rule.id not in ABOUT_WAIVERS:
        yield f"Until a day, for whole paths, in `{WAIVERS}`:"
        yield ""
        yield "    waivers:"
        yield f"      - rule: {rule.id}"
        yield '        paths: ["services/example/**"]'
        yield "        reason: why it is acceptable until then"
        yield "        owner: who answers for it"
        yield "        expiry: 2027-03-31"
        return
    yield f"It cannot be suppressed: mend the entry of `{WAIVERS}`, or take it out."


def _items(rule: Rule, checklist: Checklist) -> Iterator[str]:
    for control in checklist.controls:
        if any(ref.rule == rule.id for ref in (*control.checks, *control.also)):
            yield f"- {control.id}: {control.title}"


def _verified_by(refs: Iterable[CheckRef], rules: dict[str, Rule]) -> Iterator[str]:
    for ref in refs:
        title = rules[ref.rule].info.title if ref.rule in rules else ""
        yield f"- {_reference(ref)}: {title}" if title else f"- {_reference(ref)}"


def _reference(ref: CheckRef) -> str:
    arguments = ", ".join(f"{name}: `{value}`" for name, value in ref.arguments)
    return f"`{ref.rule}` with {arguments}" if arguments else f"`{ref.rule}`"


def _fenced(code: str) -> str:
    if not code.strip():
        return ""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", code)), default=0))
    return f"{fence}\n{code.rstrip()}\n{fence}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
