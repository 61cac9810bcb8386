"""No secret gets through, and ordinary text stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zuno_audit.model.redaction import redact, redact_source


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ghp_" + "a1B2" * 9, "ghp_****"),
        ("x AKIA" + "ABCD" * 4 + " y", "x AKIA**** y"),
        ("eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0." + "abcdefgh", "eyJh****"),
        ("postgres://user:pa55@db:5432/x", "postgres://****@db:5432/x"),
        ("https://token@example.org/", "https://****@example.org/"),
        ('Password: "hunter2"', 'Password: "****"'),
        ('jwtSecret := "' + "0123456789abcdef" + '"', 'jwtSecret := "0123****"'),
        ('getEnv("JWT_SECRET", "change-me-please-now")', 'getEnv("JWT_SECRET", "chan****")'),
        ("-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "----****"),
    ],
)
def test_secrets_are_hidden(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact_source(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("JWT_SECRET=hunter2", "JWT_SECRET=****"),
        ("password: 0123456789abcdef", "password: 0123****"),
        ("POSTGRES_PASSWORD=${POSTGRES_PASSWORD}", "POSTGRES_PASSWORD=${POSTGRES_PASSWORD}"),
        ("JWT_SECRET=<generate-me>", "JWT_SECRET=<generate-me>"),
        ("REDIS_HOST=redis", "REDIS_HOST=redis"),
    ],
)
def test_values_beside_secret_names_in_files(text: str, expected: str) -> None:
    assert redact_source(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "JWT_SECRET is read and not documented.",
        "services/auth/main.go:12 reads JWT_SECRET with os.Getenv.",
        "see https://example.org/a@b for more",
        "2 of 3 token_balances rows hold",
    ],
)
def test_sentences_stay(text: str) -> None:
    assert redact(text) == text


@given(st.text(max_size=200))
def test_hiding_twice_is_hiding_once(text: str) -> None:
    once = redact_source(text)
    assert redact_source(once) == once


@pytest.mark.parametrize("piece", ["a_", "token", "eyJ", "password ", "a://"])
def test_long_hostile_text_is_read_to_its_end(piece: str) -> None:
    secret = "api_key: 'AKIAIOSFODNN7EXAMPL3'"
    shown = redact_source(piece * 8_000 + "\n" + secret)
    assert "IOSFODNN7" not in shown
    assert shown.startswith(piece)
