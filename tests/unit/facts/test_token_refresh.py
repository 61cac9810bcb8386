"""Refreshing a session: a new token must be made, stored and returned."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of, values

from zuno_audit.facts.token_refresh import token_refresh

SERVICE = """package auth

func (s *Service) Refresh(ctx context.Context, old string) (*Result, error) {
	session, err := s.repo.GetSession(ctx, hash(old))
	if err != nil {
		return nil, err
	}
	next, err := s.generateRefreshToken()
	if err != nil {
		return nil, err
	}
	digest := s.hash(next)
	if err := s.repo.RotateRefreshToken(ctx, session.ID, digest); err != nil {
		return nil, err
	}
	access, err := s.generateAccessToken(session.ID)
	return &Result{AccessToken: access, RefreshToken: next}, err
}
"""
STORE = """package auth

func (r *Repo) RotateRefreshToken(ctx context.Context, id ID, newHash string) error {
	_, err := r.db.ExecContext(ctx, `UPDATE sessions SET previous_hash = refresh_hash,
		refresh_hash = $2 WHERE id = $1`, id, newHash)
	return err
}
"""


def judged(root: Path, service: str, store: str = STORE) -> tuple[object, ...]:
    files = {"go.mod": "module m\n", "auth/service.go": service, "auth/store.go": store}
    rows = token_refresh(store_of(root, files)).rows
    row = next(row for row in rows if row.get("name").value == "Refresh")
    return values(row, "issues", "stores", "returns")


def test_a_rotation(tmp_path: Path) -> None:
    assert judged(tmp_path, SERVICE) == ("yes", "yes", "yes")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("next, err := s.generateRefreshToken()", "next := old", ("no", "no", "no")),
        ("RefreshToken: next", "RefreshToken: old", ("yes", "yes", "no")),
        ("session.ID, digest)", "session.ID, hash(old))", ("yes", "no", "yes")),
        (
            "if err := s.repo.RotateRefreshToken(ctx, session.ID, digest); err != nil {",
            "if err != nil {",
            ("yes", "no", "yes"),
        ),
        ("if err := s.repo.Rotate", "if _ = s.repo.Rotate", ("yes", "yes", "yes")),
        ("s.generateRefreshToken()", "s.issue()", ("yes", "yes", "yes")),
    ],
)
def test_each_step_can_be_missing(old: str, new: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    assert judged(tmp_path, SERVICE.replace(old, new)) == expected


@pytest.mark.parametrize(
    ("old", "new", "stores"),
    [
        ("refresh_hash = $2", "refresh_hash = refresh_hash", "no"),
        ("refresh_hash = $2", "refresh_hash = $1", "no"),
        (
            "refresh_hash = $2 WHERE id = $1`, id, newHash",
            "refresh_hash = $1 WHERE id = $2`, newHash, id",
            "yes",
        ),
        ("func (r *Repo)", "func (r *Other)", "yes"),
        ("RotateRefreshToken", "Another", "unknown"),
    ],
)
def test_the_store_must_keep_the_new_token(old: str, new: str, stores: str, tmp_path: Path) -> None:
    assert judged(tmp_path, SERVICE, STORE.replace(old, new))[1] == stores
