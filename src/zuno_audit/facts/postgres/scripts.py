"""Runs whole files: as psql does it, and as one simple query the way migration tools send them."""

from __future__ import annotations

import re

from msgspec import Struct, field

from zuno_audit.facts.postgres.catalog import DatabaseError, Undecided
from zuno_audit.facts.postgres.server import Server
from zuno_audit.languages.sql.scripts import Piece
from zuno_audit.languages.sql.tree import Transaction

_HARMLESS = frozenset(
    [
        "echo",
        "qecho",
        "warn",
        "timing",
        "pset",
        "set",
        "unset",
        "x",
        "t",
        "a",
        "encoding",
        "d",
        "dt",
        "di",
        "dn",
        "df",
        "du",
        "l",
        "conninfo",
        "errverbose",
        "h",
        "?",
        "html",
        "prompt",
        "setenv",
        "titles",
        "tuples_only",
    ]
)
_CONNECT = re.compile(r'\\c(?:onnect)?\s+(?:-reuse-previous=\w+\s+)?("[^"]+"|[\w-]+)')
_STOP = re.compile(r"\\set\s+ON_ERROR_STOP\s*(\S*)", re.IGNORECASE)


class Failure(Struct, frozen=True):
    """Where a file stops and why."""

    path: str
    offset: int
    message: str


class Outcome(Struct):
    """What happened to a file.

    `failure` is the error at which it surely stops; `doubts` are the statements that may stop it, with the
    reason; `refused` maps the offset of a statement to the reason why it had no effect; `open_block` is
    where a transaction begins that nobody commits.
    """

    path: str
    failure: Failure | None = None
    doubts: list[Failure] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    open_block: int | None = None


def run_psql(server: Server, path: str, pieces: tuple[Piece, ...], *, stop: bool = True) -> Outcome:
    """`psql -f path` of a parsed file: every statement on its own unless BEGIN says otherwise.

    With ON_ERROR_STOP when `stop`.
    """
    session = _Session(server, path, stop)
    session.server.connect()
    session.server.path = path
    for piece in pieces:
        if not session.piece(piece):
            break
    if server.in_block:
        session.outcome.open_block = session.begun
    server.rollback()
    return session.outcome


class _Session:
    def __init__(self, server: Server, path: str, stop: bool) -> None:
        self.server = server
        self.outcome = Outcome(path)
        self.stop = stop
        self.aborted = False
        self.begun = 0

    def piece(self, piece: Piece) -> bool:
        """Run one piece; False when the file ends here."""
        if piece.meta is not None:
            return self._meta(piece, piece.meta)
        kind = piece.tree.kind if isinstance(piece.tree, Transaction) else ""
        if kind == "begin" and not self.server.in_block:
            self.begun = piece.start
        if self.aborted and kind not in ("commit", "rollback"):
            self.outcome.refused[piece.start] = "the transaction it belongs to has failed"
            return True
        if self.aborted:
            self.server.rollback()
            self.aborted = False
            return True
        return self._attempt(piece)

    def _attempt(self, piece: Piece) -> bool:
        try:
            self.server.execute(piece)
        except DatabaseError as error:
            return self._failed(piece, error)
        except Undecided as unknown:
            self._doubt(piece, unknown.what, unknown.offset)
        return True

    def _failed(self, piece: Piece, error: DatabaseError) -> bool:
        self.outcome.refused[piece.start] = error.message
        if not self.stop:
            self.aborted = self.server.in_block
            return True
        self.outcome.failure = Failure(self.outcome.path, error.offset, error.message)
        return False

    def _doubt(self, piece: Piece, what: str, offset: int) -> None:
        """Go on, but remember that nothing after this is certain."""
        self.outcome.doubts.append(Failure(self.outcome.path, offset, what))
        self.server.doubt = self.server.doubt or what
        self.server.catalog.hidden = True

    def _meta(self, piece: Piece, line: str) -> bool:
        word = line[1:].split(None, 1)[0].rstrip(";") if line[1:].strip() else ""
        stop = _STOP.match(line)
        if stop:
            self.stop = stop[1].lower() not in ("0", "off", "false", "no")
        elif word == "q":
            return False
        elif word in ("c", "connect"):
            return self._connect(piece, line)
        elif word.rstrip("+") not in _HARMLESS:
            self._doubt(piece, f"the psql command \\{word} is not modelled", piece.start)
        return True

    def _connect(self, piece: Piece, line: str) -> bool:
        match = _CONNECT.match(line)
        if match is None:
            self._doubt(piece, "which database \\connect means is not known", piece.start)
            return True
        try:
            self.server.connect(match[1].strip('"'))
        except DatabaseError as error:
            error.offset = piece.start
            return self._failed(piece, error)
        return True


def run_migration(
    server: Server, path: str, pieces: tuple[Piece, ...], *, wrapped: bool = False, by_statement: bool = False
) -> Outcome:
    """A file as a migration tool sends it.

    As one query unless `by_statement`: the whole text is then parsed before any of it runs, and without BEGIN
    of its own it is one transaction. `wrapped` says that the tool opens a transaction itself.
    """
    outcome = Outcome(path)
    server.connect()
    server.path = path
    for piece in pieces if not by_statement else ():
        if piece.error is not None or piece.meta is not None:
            message = piece.error.message if piece.error is not None else "a psql command in a migration"
            offset = piece.error.offset if piece.error is not None else piece.start
            outcome.failure = Failure(path, offset, message)
            outcome.refused = {p.start: f"the file does not parse: {message}" for p in pieces}
            return outcome
    _run_as_query(server, pieces, outcome, implicit=wrapped or (len(pieces) > 1 and not by_statement))
    return outcome


def _run_as_query(server: Server, pieces: tuple[Piece, ...], outcome: Outcome, *, implicit: bool) -> None:
    if implicit:
        server.saved = server.catalog.copy()
    for piece in pieces:
        kind = piece.tree.kind if isinstance(piece.tree, Transaction) else ""
        try:
            server.execute(piece)
            if kind in ("commit", "rollback") and implicit and piece is not pieces[-1]:
                server.saved = server.catalog.copy()
        except DatabaseError as error:
            outcome.failure = Failure(outcome.path, error.offset, error.message)
            outcome.refused[piece.start] = error.message
            server.rollback()
            return
        except Undecided as unknown:
            outcome.doubts.append(Failure(outcome.path, unknown.offset, unknown.what))
            server.doubt = server.doubt or unknown.what
            server.catalog.hidden = True
    kinds = [p.tree.kind for p in pieces if isinstance(p.tree, Transaction)]
    if "begin" in kinds and "commit" not in kinds:
        outcome.open_block = pieces[0].start
        server.rollback()
    server.saved = None
