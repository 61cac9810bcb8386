"""The parts of a SARIF file that do not depend on what was found: rules, taxonomies, notifications."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from zuno_audit.model.control import Checklist, Control
from zuno_audit.model.finding import Level
from zuno_audit.model.result import AuditResult
from zuno_audit.model.rule import RuleInfo
from zuno_audit.report import cwe

Json = dict[str, Any]

HELP_URI = "https://github.com/zuno-audit/zuno-audit/blob/main/docs/rules/{}.md"
CHECKLIST = {"name": "zuno-checklist", "guid": "76ac4b16-12d0-524d-a99a-bd98140b32b8"}
CWE = {"name": "CWE", "guid": "a4dbfcb8-b6e5-5b1f-b2d1-1ca86d28d3c9"}
MAX_TEXT = 1024  # GitHub refuses longer descriptions
MAX_TAGS = 10  # GitHub keeps no more
CHECKLIST_RULE = "checklist-item"  # owner of the results of the full profile that are about items
PROBLEM_SEVERITY = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "recommendation"}

CHECKLIST_RULE_INFO = RuleInfo(
    id=CHECKLIST_RULE,
    title="Item of the checklist",
    level=Level.NOTE,
    precision="very-high",
    why="The complete report says of every item that did not fail how it was decided.",
    fix="Nothing is to be done for an item that passes; an open one says what it waits for.",
    tags=("checklist",),
)

NOTIFICATIONS: list[Json] = [
    {
        "id": "input-not-seen",
        "name": "InputNotSeen",
        "shortDescription": {"text": "A part of the repository could not be seen."},
        "fullDescription": {
            "text": "A file could not be read or parsed, or a limit was hit; rules that need it missed it."
        },
        "help": {"text": "Mend the file, or exclude it from the audit."},
        "defaultConfiguration": {"level": "warning"},
    },
    {
        "id": "results-omitted",
        "name": "ResultsOmitted",
        "shortDescription": {"text": "Not all results are in this file."},
        "fullDescription": {"text": "The number or size of the results is above what code scanning accepts."},
        "help": {"text": "Write the profile sarif-full, which holds them all."},
        "defaultConfiguration": {"level": "warning"},
    },
]


def items_by_rule(checklist: Checklist) -> dict[str, list[int]]:
    """Rule id -> indexes of the controls that it helps to decide, in checklist order."""
    found: dict[str, list[int]] = defaultdict(list)
    for index, control in enumerate(checklist.controls):
        for rule in dict.fromkeys(ref.rule for ref in (*control.checks, *control.also)):
            found[rule].append(index)
    return found


def rule_descriptor(rule: RuleInfo, checklist: Checklist, items: list[int]) -> Json:
    """One entry of `tool.driver.rules`. `items` index the checklist's controls."""
    controls = [checklist.controls[i] for i in items]
    descriptor: Json = {
        "id": rule.id,
        "name": _pascal(rule.id),
        "shortDescription": {"text": _clipped(_sentence(rule.title))},
        "fullDescription": {"text": _clipped(_flat(rule.why) or _sentence(rule.title))},
        "defaultConfiguration": {"level": rule.level.value},
        "help": {"text": _help_text(rule), "markdown": _help_markdown(rule, controls)},
        "helpUri": HELP_URI.format(rule.id),
    }
    relationships = [_superset(controls[n].id, CHECKLIST, index) for n, index in enumerate(items)]
    relationships += [_superset(str(number), CWE) for number in rule.cwe]
    if relationships:
        descriptor["relationships"] = relationships
    descriptor["properties"] = _properties(rule, controls)
    return descriptor


def checklist_component(result: AuditResult) -> Json:
    """The checklist as a custom taxonomy, with the verdict of every item."""
    verdicts = {v.control.id: v.status.value for v in result.verdicts}
    taxa = []
    for control in result.checklist.controls:
        taxon: Json = {"id": control.id, "shortDescription": {"text": _clipped(_sentence(control.title))}}
        if control.id in verdicts:
            taxon["properties"] = {"verdict": verdicts[control.id]}
        taxa.append(taxon)
    return {
        **CHECKLIST,
        "semanticVersion": result.checklist.version,
        "shortDescription": {"text": "The checklist that this audit answers."},
        "isComprehensive": True,
        "taxa": taxa,
    }


def cwe_taxonomy(rules: tuple[RuleInfo, ...]) -> Json | None:
    """The CWE entries that these rules use, or None."""
    numbers = sorted({number for rule in rules for number in rule.cwe})
    if not numbers:
        return None
    return {
        **CWE,
        "version": cwe.VERSION,
        "organization": "MITRE",
        "shortDescription": {"text": "Common Weakness Enumeration."},
        "isComprehensive": False,
        "taxa": [
            {
                "id": str(n),
                "name": _pascal(cwe.name_of(n)),
                "shortDescription": {"text": cwe.name_of(n) + "."},
            }
            for n in numbers
        ],
    }


def _superset(item: str, component: Json, index: int | None = None) -> Json:
    target: Json = {"id": item}
    if index is not None:
        target["index"] = index
    target["toolComponent"] = component
    return {"target": target, "kinds": ["superset"]}


def _properties(rule: RuleInfo, controls: list[Control]) -> Json:
    properties: Json = {"precision": rule.precision}
    if rule.security_severity:
        properties["security-severity"] = rule.security_severity
    else:
        properties["problem.severity"] = PROBLEM_SEVERITY[rule.level]
    properties["tags"] = _tags(rule, controls)
    return properties


def _tags(rule: RuleInfo, controls: list[Control]) -> list[str]:
    tags = ["security"] if rule.security_severity else []
    tags += [f"external/cwe/cwe-{number:03}" for number in rule.cwe]
    tags += [tag for tag in rule.tags if rule.security_severity or tag != "security"]
    tags += [f"checklist/{control.id}" for control in controls]
    return sorted(list(dict.fromkeys(tags))[:MAX_TAGS])


def _help_text(rule: RuleInfo) -> str:
    return " ".join(
        part for part in (_flat(rule.why), "How to fix: " + _flat(rule.fix) if rule.fix else "") if part
    ) or _sentence(rule.title)


def _help_markdown(rule: RuleInfo, controls: list[Control]) -> str:
    parts = [f"# {rule.title}", rule.why.strip()]
    for heading, text in (("How to fix", rule.fix.strip()), ("Bad", _fenced(rule.bad, rule.pack))):
        parts += [f"## {heading}", text] if text else []
    for heading, text in (("Good", _fenced(rule.good, rule.pack)), ("Limits", rule.limits.strip())):
        parts += [f"## {heading}", text] if text else []
    if controls:
        parts += ["## Checklist", "\n".join(f"- {c.id}: {c.title}" for c in controls)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _fenced(code: str, language: str) -> str:
    if not code.strip():
        return ""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", code)), default=0))
    return f"{fence}{language}\n{code.strip()}\n{fence}"


def _pascal(text: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", text))[:255]


def _flat(text: str) -> str:
    return " ".join(text.split())


def _sentence(text: str) -> str:
    flat = _flat(text)
    return flat if flat.endswith((".", "!", "?")) else flat + "."


def _clipped(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
