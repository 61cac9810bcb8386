"""What is shown of hostile source: no control characters, no secrets, carets that still fit."""

from __future__ import annotations

import pytest

from zuno_audit.report.safe import redact, visible

SECRET = "correct-horse-battery-staple"


def test_control_and_direction_characters_become_visible() -> None:
    assert visible("a\x1b[2Jb\x00\x7f") == "a␛[2Jb␀␡"
    assert visible("x\u202ey\u200bz\x85") == "x\ufffdy\ufffdz\ufffd"
    assert visible("two\nlines\tand") == "two lines and"
    assert visible("Größe 産品 𝔘") == "Größe 産品 𝔘"


@pytest.mark.parametrize(
    ("line", "is_code"),
    [
        (f'secret := getEnv("JWT_SECRET", "{SECRET}")', True),
        (f"const apiKey = `{SECRET}`", True),
        (f"JWT_SECRET={SECRET}", False),
        (f"  password: {SECRET}", False),
        (f"  - POSTGRES_PASSWORD={SECRET} # note", False),
        (f"url: postgres://user:{SECRET}@db/x", False),
        (f'dsn := "postgres://user:{SECRET}@db/x"', True),
    ],
)
def test_values_beside_secret_names_are_masked(line: str, is_code: bool) -> None:
    text = redact(line, is_code=is_code).text
    assert SECRET not in text
    assert SECRET[5:] not in text
    assert "****" in text


def test_names_references_and_sentences_stay_readable() -> None:
    for line in ('os.Getenv("JWT_SECRET")', 'log.Error("failed to refresh token", err)', 'import "fmt"'):
        assert redact(line).text == line
    assert redact("JWT_SECRET: ${JWT_SECRET}", is_code=False).text == "JWT_SECRET: ${JWT_SECRET}"


def test_a_rule_about_secrets_masks_every_literal() -> None:
    text = redact('value := "a sentence of words"', secret_rule=True).text
    assert text == 'value := "a se****"'


def test_columns_are_mapped_over_several_masks() -> None:
    line = f'f(secret, "{SECRET}", "{SECRET}", end)'
    clean = redact(line)
    assert clean.text[clean.column(line.index("end")) :] == "end)"
    assert clean.column(0) == 0
