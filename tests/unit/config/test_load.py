"""What a configuration says, and complaints with line and cure about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of

from zuno_audit.config.load import MAX_BYTES, Config, find_config, read_config
from zuno_audit.errors import ConfigError
from zuno_audit.model.finding import Level

FULL = b"""\
# of the shop
version: 1
profile: go-grpc
parameters:
  clients: ["services/**", "gateway/**"]
exclude:
  - examples/**
fail-on: warning
rules:
  image-not-slim: {level: note}
  env-file-not-ignored:
    level: off
    reason: no env files here
evidence: ops/evidence
checklist: docs/LIST.md
rule-folders: [ops/rules]
"""


def test_every_key_is_read() -> None:
    config = read_config(FULL, "zuno-audit.yml")
    assert config.profile == "go-grpc"
    assert config.parameters == {"clients": "services/**, gateway/**"}
    assert config.exclude == ("examples/**",)
    assert config.fail_on == "warning"
    assert config.levels == {"image-not-slim": Level.NOTE}
    assert config.off == {"env-file-not-ignored": "no env files here"}
    assert (config.evidence, config.checklist) == ("ops/evidence", "docs/LIST.md")
    assert config.rule_folders == ("ops/rules",)


@pytest.mark.parametrize(
    ("text", "line", "words", "cure"),
    [
        (b"version: 1\nfailon: error\n", 2, "unknown key 'failon'", "fail-on"),
        (
            b"version: 1\nrules:\n  a: {level: note}\n  b: {level: bad}\n",
            4,
            "'bad'",
            "error, note, off, warning",
        ),
        (b"version: 1\nrules:\n  a: {levle: note}\n", 3, "unknown key 'levle'", ""),
        (b"version: 1\nrules:\n\n  a: {level: off}\n", 4, "needs a reason", "reason"),
        (b"profile: zuno\n", 1, "'version' is missing", "version: 1"),
        (b"# new\nversion: 2\n", 2, "version 1 only", ""),
        (b"version: 1\nexclude: examples\n", 2, "a list is expected here, not text", "schema"),
        (b"version: 1\nfail-on: always\n", 2, "'always'", "error, never, note, warning"),
        (b"version: 1\nrules:\n  a: {lvl: note}\n", 3, "unknown key 'lvl'", "'level'"),
        (b"version: 1\nrules:\n  a: note\n", 3, "a mapping is expected here, not text", "schema"),
        (b"version: 1\nexclude: [a, b**]\n", 2, "`**` stands beside", "a/**/b"),
        (b"version: 1\nparameters: {clients: 'a, x**/b'}\n", 2, "`**` stands beside", ""),
        (b"version: 1\nrule-folders: [../elsewhere]\n", 2, "inside of the repository", ""),
        (b"version: 1\nversion: 1\n", 2, "duplicate key", ""),
        (b"version: 1\nplugins: [evil.py]\n", 2, "unknown key 'plugins'", ""),
        (b"version: 1\nprofile: !!python/name:os.system x\nexclude: *a\n", 3, "aliases", ""),
        (b"version: 1\n\n\xff\n", 3, "UTF-8", ""),
        (b"[" * 200 + b"]" * 200, 1, "nested too deeply", ""),
        (b"[" * 5000, 1, "nest", ""),  # the parser's own limit, in its words
        (b"- version\n", 1, "mapping", ""),
        (b"", 1, "mapping", ""),
    ],
)
def test_a_complaint_has_line_and_cure(text: bytes, line: int, words: str, cure: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(text, "zuno-audit.yml")
    assert (caught.value.path, caught.value.line) == ("zuno-audit.yml", line)
    assert words in str(caught.value)
    assert cure in caught.value.hint


def test_a_huge_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="longer than"):
        read_config(b"version: 1\n" + b"#" * MAX_BYTES, "zuno-audit.yml")


@pytest.mark.parametrize("name", ["zuno-audit.yml", ".zuno-audit.yml", ".github/zuno-audit.yml"])
def test_three_places_are_looked_at(tmp_path: Path, name: str) -> None:
    store = store_of(tmp_path, {name: "version: 1\nprofile: go-grpc\n"})
    config, notes = find_config(store.repository)
    assert (config.path, config.profile, notes) == (name, "go-grpc", ())


def test_other_configurations_are_not_passed_over_in_silence(tmp_path: Path) -> None:
    files = {"zuno-audit.yml": "version: 1\n", ".zuno-audit.yml": "version: 1\n", "zuno-audit.yaml": "x\n"}
    config, notes = find_config(store_of(tmp_path, files).repository)
    assert config.path == "zuno-audit.yml"
    assert [note.path for note in notes] == [".zuno-audit.yml", "zuno-audit.yaml"]


def test_no_file_is_no_configuration(tmp_path: Path) -> None:
    assert find_config(store_of(tmp_path, {"go.mod": "module x\n"}).repository) == (Config(), ())
