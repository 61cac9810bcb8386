"""GitHub's line hash, against the values that the upload action's own tests publish."""

from __future__ import annotations

import pytest

from zuno_audit.report.line_hash import LineHashes, utf16_column


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["c129715d7a2bc9a3:1"]),
        (
            " a\nb\n  \t\tc\n d",
            ["271789c17abda88f:1", "54703d4cd895b18:1", "180aee12dab6264:1", "a23a3dc5e078b07b:1"],
        ),
        (
            " hello; \t\nworld!!!\n\n\n  \t\tGreetings\n End",
            [
                *("8b7cf3e952e7aeb2:1", "b1ae1287ec4718d9:1", "bff680108adb0fcc:1"),
                *("c6805c5e1288b612:1", "b86d3392aea1be30:1", "e6ceba753e1a442:1"),
            ],
        ),
    ],
)
def test_published_vectors(text: str, expected: list[str]) -> None:
    hashes = LineHashes(text)
    assert [hashes.of(i + 1) for i in range(len(expected))] == expected
    with pytest.raises(IndexError):
        hashes.of(len(expected) + 1)


def test_line_ends_and_white_space_do_not_matter() -> None:
    unix, windows = LineHashes("a b\nc\n"), LineHashes("ab\r\n\tc\r")
    assert [unix.of(i) for i in (1, 2, 3)] == [windows.of(i) for i in (1, 2, 3)]


def test_equal_lines_are_numbered() -> None:
    tail = "x" * 200
    hashes = LineHashes(f"{tail}\n{tail}\n")
    assert hashes.of(1).endswith(":1")
    assert hashes.of(2) == hashes.of(1)[:-1] + "2"


def test_columns_behind_astral_characters_move() -> None:
    assert utf16_column("𝔘é = 1", 2) == 3
    assert utf16_column("𝔘é = 1", 1) == 1
    assert utf16_column("plain", 4) == 4
