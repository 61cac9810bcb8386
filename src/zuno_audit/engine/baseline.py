"""Baselines: the findings that are known, so that a gate can look at new ones only.

    {"schema": "zuno-audit/baseline/v1",
     "findings": [{"fingerprint": "hex", "rule": "id", "path": "a/b.go"}, ...]}

Sorted by fingerprint, one finding a line, without lines, dates or counts: two branches that change different
findings can be merged.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.engine import own_rules
from zuno_audit.errors import ConfigError
from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import at_line

SCHEMA = "zuno-audit/baseline/v1"
DEFAULT_FILE = ".zuno-audit/baseline.json"
MAX_BYTES = 16 * 1024 * 1024  # about 80,000 findings
NEW, UNCHANGED, ABSENT = "new", "unchanged", "absent"
_FINGERPRINT = re.compile(r"[0-9a-f]{32}\Z")
_KEYS = {"fingerprint", "rule", "path"}
_CURE = "Restore the file from version control, or make it anew: zuno-audit baseline create --force."


class Known(Struct, frozen=True, order=True):
    """One finding of a baseline."""

    fingerprint: str
    rule: str
    path: str


class Baseline(Struct, frozen=True):
    """Known findings, sorted by fingerprint, each once."""

    findings: tuple[Known, ...] = ()

    def text(self) -> str:
        """The file."""
        entries = ",\n".join(f"    {_entry(known)}" for known in self.findings)
        listed = f"[\n{entries}\n  ]" if entries else "[]"
        return f'{{\n  "schema": "{SCHEMA}",\n  "findings": {listed}\n}}\n'


def _entry(known: Known) -> str:
    import json

    data = {"fingerprint": known.fingerprint, "rule": known.rule, "path": known.path}
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def baseline_of(known: Iterable[Known]) -> Baseline:
    """A baseline of these findings."""
    by_print = {one.fingerprint: one for one in sorted(known, reverse=True)}
    return Baseline(tuple(by_print[fingerprint] for fingerprint in sorted(by_print)))


def read_baseline(data: bytes, path: str) -> Baseline:
    """The baseline in the bytes of a file. `path` is how messages name it.

    Raises ConfigError (path, line, cure) when it is not exactly a baseline.
    """
    import json

    if len(data) > MAX_BYTES:
        raise ConfigError(f"larger than {MAX_BYTES} bytes", path=path, hint=_CURE)
    try:
        text = data.decode("utf-8")
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not JSON: {error.msg}", path=path, line=error.lineno, hint=_CURE) from None
    except (ValueError, RecursionError):
        raise ConfigError("not JSON in UTF-8", path=path, hint=_CURE) from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ConfigError(f"not a baseline: its schema is not {SCHEMA}", path=path, line=1, hint=_CURE)
    return baseline_of(_known(content, path, text))


def _known(content: dict[str, Any], path: str, text: str) -> Iterator[Known]:
    listed = content.get("findings")
    if not isinstance(listed, list) or set(content) != {"schema", "findings"}:
        raise ConfigError(
            "not a baseline: it has schema, findings and nothing else", path=path, line=1, hint=_CURE
        )
    for index, entry in enumerate(listed):
        if not _is_known(entry):
            message = f"findings[{index}] is not an object of fingerprint (32 hex digits), rule and path"
            raise ConfigError(message, path=path, line=_line_of_entry(text, index), hint=_CURE)
        yield Known(entry["fingerprint"], entry["rule"], entry["path"])


def _is_known(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.keys() == _KEYS
        and all(isinstance(value, str) for value in entry.values())
        and _FINGERPRINT.match(entry["fingerprint"]) is not None
    )


def _line_of_entry(text: str, index: int) -> int:
    """The line of an entry in a file that is written one entry a line; 0 for any other file."""
    lines = [n for n, line in enumerate(text.split("\n"), 1) if line.lstrip().startswith("{") and n > 1]
    return lines[index] if index < len(lines) else 0


def compare(findings: Iterable[Finding], baseline: Baseline, unsure: Collection[str]) -> tuple[Finding, ...]:
    """The findings marked new or unchanged, and those of the baseline that are absent, sorted.

    `unsure` are rules that were not run or not to their end: what they do not find is not called absent.
    An expired waiver is never known: it must fail the gate.
    """
    known = {one.fingerprint for one in baseline.findings}
    marked = [replace(f, baseline=UNCHANGED if _is_in(f, known) else NEW) for f in findings]
    present = {finding.fingerprint for finding in marked}
    gone = [
        _absent(one) for one in baseline.findings if one.fingerprint not in present and one.rule not in unsure
    ]
    return tuple(sorted((*marked, *gone), key=lambda f: f.sort_key))


def _is_in(finding: Finding, known: Collection[str]) -> bool:
    return finding.fingerprint in known and finding.rule != own_rules.WAIVER_EXPIRED


def _absent(known: Known) -> Finding:
    message = "A finding of the baseline is no longer there."
    place = at_line(known.path)
    return Finding(known.rule, Level.NOTE, message, place, fingerprint=known.fingerprint, baseline=ABSENT)


def may_be_known(finding: Finding) -> bool:
    """True when a baseline may hold it: it is there, not suppressed, and no expired waiver."""
    return (
        finding.suppression is None
        and finding.baseline != ABSENT
        and finding.rule != own_rules.WAIVER_EXPIRED
    )


def present(findings: Iterable[Finding]) -> Baseline:
    """A baseline of all findings that are there."""
    return baseline_of(Known(f.fingerprint, f.rule, f.location.path) for f in findings if may_be_known(f))


def pruned(baseline: Baseline, findings: Iterable[Finding]) -> Baseline:
    """The baseline without what `compare` called absent."""
    absent = {f.fingerprint for f in findings if f.baseline == ABSENT}
    return Baseline(tuple(one for one in baseline.findings if one.fingerprint not in absent))


def updated(baseline: Baseline, findings: Iterable[Finding]) -> Baseline:
    """The baseline without what is absent and with what is new."""
    findings = tuple(findings)
    return baseline_of((*pruned(baseline, findings).findings, *present(findings).findings))
