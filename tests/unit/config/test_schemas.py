"""The schemas in `docs/reference` are those of the types, and they say what the reader says.

`python tools/rule_pages.py` writes them anew.
"""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from zuno_audit.checklist.profile import profile_names
from zuno_audit.cli.project import schema_text
from zuno_audit.config.spec import config_schema
from zuno_audit.resources import data_root
from zuno_audit.rules.document import parse_document
from zuno_audit.rules.profile_spec import profile_schema

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"


@pytest.mark.parametrize("kind", ["config", "rule", "profile"])
def test_the_written_schema_is_the_one_of_the_types(kind: str) -> None:
    assert (REFERENCE / f"{kind}.schema.json").read_text("utf-8") == schema_text(kind)


@pytest.mark.parametrize("name", profile_names(data_root() / "rules"))
def test_profiles_fit_their_schema(name: str) -> None:
    path = data_root() / "rules" / "profiles" / f"{name}.yaml"
    profile = parse_document(path.read_text("utf-8"), path.name)
    assert [e.message for e in jsonschema.Draft202012Validator(profile_schema()).iter_errors(profile)] == []


def test_the_schema_knows_wrong_keys_and_versions() -> None:
    validator = jsonschema.Draft202012Validator(config_schema())
    assert validator.is_valid({"version": 1, "fail-on": "note", "rules": {"a": {"level": "off"}}})
    assert not validator.is_valid({"version": 1, "failon": "note"})
    assert not validator.is_valid({"version": 2})
