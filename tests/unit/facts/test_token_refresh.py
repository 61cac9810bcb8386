"""Refreshing a session: a new token must be made, take the place of the old one, and reach the caller."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of, values

from zuno_audit.facts.token_refresh import token_refresh
from zuno_audit.model.entity import UNKNOWN, Entity

SERVICE = """package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log"

	"github.com/golang-jwt/jwt/v5"
)

var ErrNoSession = errors.New("refresh refused")

type Result struct{ AccessToken, RefreshToken string }

type Store interface {
	Find(ctx context.Context, hash string) (*Session, error)
	Swap(ctx context.Context, id, hash string) error
}

type Service struct {
	store Store
	key   []byte
}

func New(store Store) *Service { return &Service{store: store} }

func (s *Service) Exchange(ctx context.Context, old string) (*Result, error) {
	session, err := s.store.Find(ctx, s.hash(old))
	if err != nil {
		return nil, ErrNoSession
	}
	next, err := s.random()
	if err != nil {
		return nil, err
	}
	digest := s.hash(next)
	if err := s.store.Swap(ctx, session.ID, digest); err != nil {
		return nil, err
	}
	access, err := s.sign(session.ID)
	if err != nil {
		return nil, err
	}
	return &Result{AccessToken: access, RefreshToken: next}, nil
}

func (s *Service) random() (string, error) {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	return hex.EncodeToString(raw), nil
}

func (s *Service) hash(token string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(token))
	return hex.EncodeToString(mac.Sum(nil))
}

func (s *Service) sign(id string) (string, error) {
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": id}).SignedString(s.key)
}

func noted(err error) bool {
	log.Print(err)
	return false
}
"""
STORE = """package auth

import (
	"context"
	"database/sql"
)

type Session struct{ ID string }

type Repo struct{ db *sql.DB }

func NewRepo(db *sql.DB) *Repo { return &Repo{db: db} }

func (r *Repo) Find(ctx context.Context, hash string) (*Session, error) {
	var found Session
	err := r.db.QueryRowContext(ctx, `SELECT id FROM sessions WHERE refresh_hash = $1`, hash).Scan(&found.ID)
	if err != nil {
		return nil, err
	}
	return &found, nil
}

func (r *Repo) Swap(ctx context.Context, id, hash string) error {
	_, err := r.db.ExecContext(ctx, `UPDATE sessions SET previous_hash = refresh_hash,
		refresh_hash = $2 WHERE id = $1`, id, hash)
	return err
}
"""
MAIN = """package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"example.com/m/auth"
)

func main() {
	db, _ := sql.Open("postgres", "")
	fmt.Println(auth.New(auth.NewRepo(db)).Exchange(context.Background(), os.Args[1]))
}
"""
FIELDS = ("issues", "stores", "returns")
WHOLE = ("yes", "yes", "yes")


def rows(root: Path, service: str = SERVICE, store: str = STORE, main: str = MAIN) -> tuple[Entity, ...]:
    files = {"go.mod": "module example.com/m\n\ngo 1.22\n", "main.go": main}
    return token_refresh(store_of(root, {**files, "auth/service.go": service, "auth/store.go": store})).rows


def judged(found: tuple[Entity, ...]) -> tuple[object, ...]:
    (row,) = found
    return values(row, *FIELDS)


def edited(text: str, *edits: tuple[str, str]) -> str:
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text


def test_a_rotation_whatever_it_is_called(tmp_path: Path) -> None:
    (row,) = rows(tmp_path)
    assert values(row, "name", *FIELDS) == ("Exchange", *WHOLE)


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        pytest.param(
            [("next, err := s.random()", "next, err := old, error(nil)")], ("no", "no", "no"), id="same"
        ),
        pytest.param(
            [("RefreshToken: next", "RefreshToken: old")], ("yes", "yes", "no"), id="gives the old one"
        ),
        pytest.param(
            [("session.ID, digest)", "session.ID, s.hash(old))")], ("yes", "no", "yes"), id="stores the old"
        ),
        pytest.param(
            [
                (
                    "if err := s.store.Swap(ctx, session.ID, digest); err != nil {",
                    "if _ = digest; err != nil {",
                )
            ],
            ("yes", "no", "yes"),
            id="stores nothing",
        ),
        pytest.param(
            [
                (
                    "if err := s.store.Swap(ctx, session.ID, digest); err",
                    "if _ = s.store.Swap(ctx, session.ID, digest); err",
                )
            ],
            ("yes", "no", "yes"),
            id="failure ignored",
        ),
        pytest.param(
            [("session.ID, digest); err != nil {", "session.ID, digest); err != nil && noted(err) {")],
            ("yes", "no", "yes"),
            id="failure only logged",
        ),
        pytest.param(
            [
                (
                    "next, err := s.random()",
                    "if len(s.key) > 64 {\n\t\treturn &Result{RefreshToken: old}, nil\n\t}\n\tnext, err := s.random()",
                )
            ],
            ("yes", "no", "no"),
            id="one way keeps the old one",
        ),
        pytest.param(
            [("RefreshToken: next", "RefreshToken: digest")], ("yes", "yes", "no"), id="gives only a hash"
        ),
        pytest.param(
            [("next, err := s.random()", 'next, err := hex.EncodeToString([]byte("constant")), error(nil)')],
            ("no", "no", "no"),
            id="always the same",
        ),
    ],
)
def test_each_step_can_be_missing(
    edits: list[tuple[str, str]], expected: tuple[str, ...], tmp_path: Path
) -> None:
    assert judged(rows(tmp_path, edited(SERVICE, *edits))) == expected


@pytest.mark.parametrize(
    "edits",
    [
        pytest.param([("next", "successor"), ("digest", "d")], id="other variables"),
        pytest.param([("raw := make([]byte, 32)", "var raw [32]byte"), ("rand.Read(raw)", "rand.Read(raw[:])"),
                      ("EncodeToString(raw)", "EncodeToString(raw[:])")], id="an array"),
        pytest.param([("rand.Read(raw)", "io.ReadFull(rand.Reader, raw)"), ('"errors"', '"errors"\n\t"io"')], id="read"),
        pytest.param([("return hex.EncodeToString(raw), nil", "return uuid.NewString(), nil"),
                      ('"log"', '"log"\n\t"github.com/google/uuid"')], id="a UUID"),
        pytest.param([("next, err := s.random()", "next, err := s.sign(session.ID)")], id="a signed token"),
        pytest.param([('\tmac := hmac.New(sha256.New, s.key)\n\tmac.Write([]byte(token))\n'
                       "\treturn hex.EncodeToString(mac.Sum(nil))",
                       "\tsum := sha256.Sum256([]byte(token))\n\treturn hex.EncodeToString(sum[:])")], id="a plain hash"),
        pytest.param([("return &Result{AccessToken: access, RefreshToken: next}, nil",
                       "out := &Result{}\n\tout.AccessToken = access\n\tout.RefreshToken = next\n\treturn out, nil")],
                     id="fields set later"),
        pytest.param([("digest := s.hash(next)\n\tif err := s.store.Swap(ctx, session.ID, digest); err != nil {",
                       "if err := s.keep(ctx, session, next); err != nil {"),
                      ("func noted(", "func (s *Service) keep(ctx context.Context, on *Session, token string) error {\n"
                       "\treturn s.store.Swap(ctx, on.ID, s.hash(token))\n}\n\nfunc noted(")], id="stored by a helper"),
    ],
)  # fmt: skip
def test_the_same_written_otherwise(edits: list[tuple[str, str]], tmp_path: Path) -> None:
    assert judged(rows(tmp_path, edited(SERVICE, *edits))) == WHOLE


@pytest.mark.parametrize(
    ("old", "new", "stores"),
    [
        ("refresh_hash = $2", "refresh_hash = refresh_hash", "no"),
        ("refresh_hash = $2", "refresh_hash = $1", "no"),
        ("refresh_hash = $2", "previous_hash = $2", "no"),
        ("refresh_hash = $2 WHERE id = $1`, id, hash", "refresh_hash = $1 WHERE id = $2`, hash, id", "yes"),
        ("refresh_hash = $2 WHERE id = $1`, id, hash", "refresh_hash = ? WHERE id = ?`, hash, id", "yes"),
        ("refresh_hash = $2 WHERE id = $1`, id, hash", "refresh_hash = ? WHERE id = ?`, id, hash", "no"),
        ("`UPDATE sessions SET previous_hash = refresh_hash,\n\t\trefresh_hash = $2 WHERE id = $1`, id, hash",
         "`INSERT INTO sessions (id, refresh_hash) VALUES ($1, $2)`, id, hash", "no"),
        ("`UPDATE sessions SET previous_hash = refresh_hash,\n\t\trefresh_hash = $2 WHERE id = $1`, id, hash",
         "`INSERT INTO sessions (id, refresh_hash) VALUES ($1, $2)\n"
         "ON CONFLICT (id) DO UPDATE SET refresh_hash = EXCLUDED.refresh_hash`, id, hash", "yes"),
        ("`UPDATE sessions SET previous_hash = refresh_hash,\n\t\trefresh_hash = $2 WHERE id = $1`, id, hash",
         "`WITH gone AS (DELETE FROM sessions WHERE id = $1 RETURNING id)\n"
         "INSERT INTO sessions (id, refresh_hash) SELECT id, $2 FROM gone`, id, hash", "yes"),
        ("_, err := r.db.ExecContext(ctx, `UPDATE", "_, err := r.db.ExecContext(ctx, r.query + `UPDATE", "unknown"),
        ("return err\n}\n\x00", "_ = err\n\treturn nil\n}\n", "no"),
    ],
)  # fmt: skip
def test_the_new_token_must_take_the_place_of_the_old(
    old: str, new: str, stores: str, tmp_path: Path
) -> None:
    text = (
        edited(STORE + "\x00", (old, new))
        .replace("\x00", "")
        .replace("db *sql.DB }", "db *sql.DB; query string }")
    )
    assert judged(rows(tmp_path, store=text))[1] == stores


def test_a_caller_that_keeps_the_new_token_back(tmp_path: Path) -> None:
    handler = (
        "\nfunc (s *Service) Handle(ctx context.Context, token string) (string, error) {\n"
        '\tout, err := s.Exchange(ctx, token)\n\tif err != nil {\n\t\treturn "", err\n\t}\n\treturn %s, nil\n}\n'
    )
    main = MAIN.replace("Exchange", "Handle")
    for given, expected in (("out.RefreshToken", "yes"), ("out.AccessToken", "no"), ("token", "no")):
        found = rows(tmp_path / given, SERVICE + handler % given, main=main)
        row = next(row for row in found if row.get("name").value == "Exchange")
        assert row.get("returns").value == expected, given


def test_a_refresh_that_is_too_large_to_follow_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zuno_audit.facts.token_refresh.MAX_ALL_STEPS", 5)
    named = SERVICE.replace("Exchange(", "RefreshToken(")
    assert judged(rows(tmp_path, named, STORE, MAIN.replace("Exchange(", "RefreshToken("))) == (UNKNOWN,) * 3


def test_what_refreshes_nothing_has_no_row(tmp_path: Path) -> None:
    logout = edited(
        SERVICE,
        (
            "(ctx context.Context, old string) (*Result, error)",
            "(ctx context.Context, old string) (string, error)",
        ),
        ("return nil, ", 'return "", '),
        ("return &Result{AccessToken: access, RefreshToken: next}, nil", "return session.ID, nil"),
    )
    assert rows(tmp_path / "a", logout) == ()
    assert rows(tmp_path / "b", main="package main\n\nfunc main() {}\n") == ()  # nothing runs it


REDIS = """package auth

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

type Session struct{ ID string }

type Repo struct{ db *redis.Client }

func NewRepo(db *redis.Client) *Repo { return &Repo{db: db} }

func (r *Repo) Find(ctx context.Context, hash string) (*Session, error) {
	id, err := r.db.GetDel(ctx, "refresh:"+hash).Result()
	return &Session{ID: id}, err
}

func (r *Repo) Swap(ctx context.Context, id, hash string) error {
	return r.db.Set(ctx, "refresh:"+hash, id, time.Hour).Err()
}
"""
MEMORY = """package auth

import "context"

type Session struct{ ID string }

type Repo struct{ sessions map[string]string }

func NewRepo(any) *Repo { return &Repo{sessions: map[string]string{}} }

func (r *Repo) Find(ctx context.Context, hash string) (*Session, error) {
	id, ok := r.sessions[hash]
	if !ok {
		return nil, ErrNoSession
	}
	delete(r.sessions, hash)
	return &Session{ID: id}, nil
}

func (r *Repo) Swap(ctx context.Context, id, hash string) error {
	r.sessions[hash] = id
	return nil
}
"""


@pytest.mark.parametrize(
    ("store", "old", "new", "stores"),
    [
        (REDIS, "GetDel", "GetDel", "yes"),
        (REDIS, "GetDel", "Get", "no"),
        (REDIS, '"refresh:"+hash, id', '"refresh:"+id, hash', "unknown"),
        (REDIS, "return r.db.Set(ctx, \"refresh:\"+hash, id, time.Hour).Err()", "r.db.Set(ctx, \"refresh:\"+hash, id, time.Hour)\n\treturn nil", "no"),
        (MEMORY, "delete(", "delete(", "yes"),
        (MEMORY, "\tdelete(r.sessions, hash)\n", "", "no"),
        (MEMORY, "r.sessions[hash] = id", "r.sessions[id] = id", "no"),
        (MEMORY, "r.sessions[hash] = id", "r.sessions[id] = hash", "unknown"),
    ],
)  # fmt: skip
def test_other_stores(store: str, old: str, new: str, stores: str, tmp_path: Path) -> None:
    assert judged(rows(tmp_path, store=edited(store, (old, new))))[1] == stores
