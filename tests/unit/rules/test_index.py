"""The index of checked files: it saves reading YAML and is never believed over the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from zuno_audit.errors import RuleError
from zuno_audit.rules.document import INDEX, Library


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "go").mkdir()
    (tmp_path / "go" / "a.yaml").write_text("a: 1\nb: [x, 2.5, null, true]\n", "utf-8")
    (tmp_path / INDEX).write_text(Library(tmp_path).index_of(["go/a.yaml"]), "utf-8")
    return tmp_path


def test_content_is_the_same_with_and_without_the_index(folder: Path) -> None:
    indexed = Library(folder).read("go/a.yaml")
    (folder / INDEX).unlink()
    plain = Library(folder).read("go/a.yaml")
    assert (indexed.checked is None, plain.checked is None) == (False, True)
    assert indexed.content() == plain.content() == {"a": 1, "b": ["x", 2.5, None, True]}


def test_changed_file_is_read_anew(folder: Path) -> None:
    (folder / "go" / "a.yaml").write_text("a: 2\n", "utf-8")
    assert Library(folder).read("go/a.yaml").content() == {"a": 2}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 3}', '{"files": {"go/a.yaml": {}}}'])
def test_damaged_index_is_ignored(folder: Path, text: str) -> None:
    (folder / INDEX).write_text(text, "utf-8")
    assert Library(folder).read("go/a.yaml").content()["a"] == 1


def test_unreadable_file_is_named(folder: Path) -> None:
    (folder / "go" / "a.yaml").write_bytes(b"a: \xff\n")
    for path, words in (("go/a.yaml", "not UTF-8"), ("go/b.yaml", "cannot be read")):
        with pytest.raises(RuleError, match=words) as caught:
            Library(folder).read(path)
        assert caught.value.path == path
