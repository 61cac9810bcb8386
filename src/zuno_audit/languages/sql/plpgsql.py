"""PL/pgSQL: blocks, branches, loops and handlers as a tree; SQL statements inside are ordinary pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from zuno_audit.languages.sql.errors import NotUnderstood, SqlError
from zuno_audit.languages.sql.lexer import Token, tokenize
from zuno_audit.languages.sql.scripts import Piece, parse_piece, parse_script
from zuno_audit.languages.sql.statements import StatementParser
from zuno_audit.languages.sql.tree import Expr, Query, Statement

Code: TypeAlias = "Block | If | Loop | Sql | Execute | Evaluate | Raise | Leave | Skip"


class Block(NamedTuple):
    """BEGIN .. [EXCEPTION WHEN a OR b THEN ..] END. `variables` are the names that it declares."""

    start: int
    body: tuple[Code, ...]
    variables: tuple[str, ...] = ()
    handlers: tuple[tuple[tuple[str, ...], tuple[Code, ...]], ...] = ()


class If(NamedTuple):
    """Branches in order; the condition of ELSE is None."""

    start: int
    branches: tuple[tuple[Expr | None, tuple[Code, ...]], ...]


class Loop(NamedTuple):
    """Any loop: how often its body runs is not known. `query` is what FOR runs over."""

    start: int
    body: tuple[Code, ...]
    query: Query | None = None
    variables: tuple[str, ...] = ()


class Sql(NamedTuple):
    """An SQL statement; `into` is true when its row goes into variables."""

    piece: Piece
    into: bool = False


class Execute(NamedTuple):
    """EXECUTE of a text."""

    start: int
    text: Expr


class Evaluate(NamedTuple):
    """PERFORM, RETURN or an assignment: an expression or a query is evaluated."""

    start: int
    query: Query | None = None
    expr: Expr | None = None


class Raise(NamedTuple):
    """RAISE; `error` when it stops the block."""

    start: int
    error: bool


class Leave(NamedTuple):
    """RETURN: the rest of the block does not run."""

    start: int
    query: Query | None = None
    expr: Expr | None = None


class Skip(NamedTuple):
    """A statement without an effect that matters: NULL, GET DIAGNOSTICS, cursors."""

    start: int


def parse_plpgsql(body: str, start: int) -> Block:
    """The block of a body that stands at an offset of its file.

    Raises SqlError for what PostgreSQL refuses, NotUnderstood for what is not modelled.
    """
    tokens = list(tokenize(body))
    parser = _Parser([t._replace(start=t.start + start, end=t.end + start) for t in tokens])
    while parser.is_symbol("#"):
        parser.advance()
        while not parser.is_word("declare", "begin"):
            if parser.done:
                parser.fail()
            parser.advance()
    parser.label_before()
    block = parser.block()
    parser.take_symbol(";")
    if not parser.done:
        parser.fail()
    return block


class _Parser(StatementParser):
    def label_before(self) -> None:
        if self.take_symbol("<<"):
            self.label()
            self.expect_symbol(">>")

    def block(self) -> Block:
        start = self.token.start
        variables = self._declarations() if self.take("declare") else ()
        self.expect("begin")
        body = self._code("end", "exception")
        handlers: list[tuple[tuple[str, ...], tuple[Code, ...]]] = []
        if self.take("exception"):
            while self.take("when"):
                conditions = [self._condition()]
                while self.take("or"):
                    conditions.append(self._condition())
                self.expect("then")
                handlers.append((tuple(conditions), self._code("end", "when")))
        self.expect("end")
        if self.token.kind in ("word", "name"):
            self.advance()
        return Block(start, body, variables, tuple(handlers))

    def _condition(self) -> str:
        if self.take("sqlstate"):
            return self.text()
        return self.label()

    def _declarations(self) -> tuple[str, ...]:
        names: list[str] = []
        while not self.is_word("begin"):
            self.take("declare")
            if self.is_word("begin"):
                break
            names.append(self.label())
            self._until(";")
            self.expect_symbol(";")
        return tuple(names)

    def _until(self, *stops: str) -> list[Token]:
        """Consume up to one of these words or symbols at depth 0; the tokens in between."""
        found: list[Token] = []
        depth = 0
        while True:
            token = self.token
            if token.kind in ("end", "broken"):
                self.fail()
            if depth == 0 and token.kind in ("word", "symbol") and token.value in stops:
                return found
            if token.kind == "symbol":
                depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.value, 0)
                if depth < 0:
                    self.fail()
            elif token.kind == "word" and token.value == "case":
                depth += 1
            elif token.kind == "word" and token.value == "end" and depth:
                depth -= 1
            found.append(self.advance())

    def _code(self, *stops: str) -> tuple[Code, ...]:
        found: list[Code] = []
        while not self.is_word(*stops):
            if self.token.kind in ("end", "broken"):
                self.fail()
            found.append(self._one())
        return tuple(found)

    def _one(self) -> Code:
        self.depth += 1
        if self.depth > 40:
            self.unknown("code nested too deeply")
        self.label_before()
        token = self.token
        if self.is_word("declare", "begin"):
            result: Code = self.block()
        elif token.kind == "word" and hasattr(self, f"_code_{token.value}") and not self._is_assignment():
            reader: Callable[[int], Code] = getattr(self, f"_code_{token.value}")
            self.advance()
            result = reader(token.start)
        elif self._is_assignment():
            result = self._assignment(token.start)
        else:
            result = self._sql(token.start)
        self.expect_symbol(";")
        self.depth -= 1
        return result

    def _is_assignment(self) -> bool:
        if self.token.kind not in ("word", "name"):
            return False
        ahead = 1
        while self.peek(ahead).value == "." and self.peek(ahead + 1).kind in ("word", "name"):
            ahead += 2
        if self.peek(ahead).value == "[":
            while self.peek(ahead).value != "]" and self.peek(ahead).kind != "end":
                ahead += 1
            ahead += 1
        return self.peek(ahead).kind == "symbol" and self.peek(ahead).value in (":=", "=")

    def _assignment(self, start: int) -> Code:
        while not self.is_symbol(":=", "="):
            self.advance()
        self.advance()
        return self._value(start)

    def _value(self, start: int) -> Evaluate:
        """An expression that may go on like a SELECT: `x := count(*) FROM t`."""
        mark = self.at
        expr = self.expression()
        if self.is_symbol(";"):
            return Evaluate(start, expr=expr)
        self.at = mark
        return Evaluate(start, self._select_from_here(";"))

    def _select_from_here(self, *stops: str) -> Query:
        """The tokens up to a stop as the rest of a SELECT."""
        tokens = self._until(*stops)
        at = tokens[0].start if tokens else self.token.start
        select = Token("word", "select", at, at)
        end = Token("end", "", self.token.start, self.token.start)
        inner = _Parser([select, *tokens, end])
        query = inner.query()
        if not inner.done:
            inner.fail()
        return query

    # -- statements by their first word

    def _code_null(self, start: int) -> Code:
        return Skip(start)

    def _code_if(self, start: int) -> Code:
        branches: list[tuple[Expr | None, tuple[Code, ...]]] = []
        condition = self._condition_until("then")
        while True:
            branches.append((condition, self._code("end", "else", "elsif", "elseif")))
            if self.take("else"):
                branches.append((None, self._code("end")))
                break
            if not self.is_word("elsif", "elseif"):
                break
            self.advance()
            condition = self._condition_until("then")
        self.expect("end", "if")
        return If(start, tuple(branches))

    def _condition_until(self, stop: str) -> Expr:
        expr = self.expression()
        if not self.is_word(stop) and not self.done:
            self.unknown("a condition that is a query")
        self.expect(stop)
        return expr

    def _code_case(self, start: int) -> Code:
        if not self.is_word("when"):
            self.expression()
        branches: list[tuple[Expr | None, tuple[Code, ...]]] = []
        while self.take("when"):
            condition = self.expression()
            while self.take_symbol(","):
                self.expression()
            self.expect("then")
            branches.append((condition, self._code("when", "else", "end")))
        if self.take("else"):
            branches.append((None, self._code("end")))
        self.expect("end", "case")
        unknown = Expr("param", start, "case")
        return If(start, tuple((unknown if c is not None else None, body) for c, body in branches))

    def _code_loop(self, start: int) -> Code:
        return Loop(start, self._loop_body())

    def _loop_body(self) -> tuple[Code, ...]:
        body = self._code("end")
        self.expect("end", "loop")
        if self.token.kind in ("word", "name"):
            self.advance()
        return body

    def _code_while(self, start: int) -> Code:
        self._until("loop")
        self.expect("loop")
        return Loop(start, self._loop_body())

    def _code_for(self, start: int) -> Code:
        names = self.comma_list(self.label)
        self.expect("in")
        query = None
        if self.at_query():
            tokens = self._until("loop")
            inner = _Parser([*tokens, Token("end", "", self.token.start, self.token.start)])
            query = inner.query()
            if not inner.done:
                inner.fail()
        else:
            self._until("loop")
        self.expect("loop")
        return Loop(start, self._loop_body(), query, names)

    def _code_foreach(self, start: int) -> Code:
        names = (self.label(),)
        self._until("loop")
        self.expect("loop")
        return Loop(start, self._loop_body(), None, names)

    def _code_return(self, start: int) -> Code:
        if self.is_symbol(";"):
            return Leave(start)
        if self.is_word("next") or (self.is_word("query") and self.peek().value == "execute"):
            self._until(";")
            return Skip(start)
        if self.take("query"):
            return Evaluate(start, self.query())
        value = self._value(start)
        return Leave(start, value.query, value.expr)

    def _code_raise(self, start: int) -> Code:
        level = self.token.value
        self._until(";")
        return Raise(start, level not in ("notice", "warning", "info", "log", "debug"))

    def _code_perform(self, start: int) -> Code:
        return Evaluate(start, self._select_from_here(";"))

    def _code_execute(self, start: int) -> Code:
        text = self.expression()
        while self.is_word("into", "using"):
            self.advance()
            self._until(";", "into", "using")
        return Execute(start, text)

    def _skip(self, start: int) -> Code:
        self._until(";")
        return Skip(start)

    _code_get = _code_exit = _code_continue = _code_assert = _skip
    _code_open = _code_close = _code_fetch = _code_move = _skip

    def _code_commit(self, start: int) -> Code:
        raise NotUnderstood("a transaction command inside a block", start)

    _code_rollback = _code_commit

    def _sql(self, start: int) -> Code:
        tokens = self._until(";")
        if not tokens:
            self.fail()
        kept, into = without_into(tokens)
        piece = parse_piece(kept)
        if piece.error is not None:
            raise SqlError(piece.error.message, piece.error.offset)
        return Sql(piece, into)


def without_into(tokens: list[Token]) -> tuple[list[Token], bool]:
    """The statement without INTO [STRICT] variable, ...; INSERT INTO and MERGE INTO keep theirs."""
    depth = 0
    for i, token in enumerate(tokens):
        if token.kind == "symbol":
            depth += {"(": 1, ")": -1}.get(token.value, 0)
        into = token.kind == "word" and token.value == "into" and depth == 0 and i > 0
        if into and tokens[i - 1].value not in ("insert", "merge"):
            j = i + 1
            if j < len(tokens) and tokens[j].value == "strict":
                j += 1
            while j < len(tokens) and tokens[j].kind in ("word", "name"):
                j += 1
                while j + 1 < len(tokens) and tokens[j].value in (".", ","):
                    j += 2
                if j < len(tokens) and tokens[j - 1].value != ",":
                    break
            return tokens[:i] + tokens[j:], True
    return tokens, False


def statements_of(code: Code) -> Iterator[Statement]:
    """Every SQL statement inside, whichever branch it stands in."""
    if isinstance(code, Sql):
        if code.piece.tree is not None:
            yield code.piece.tree
    elif isinstance(code, Block):
        for step in (*code.body, *(s for _, handler in code.handlers for s in handler)):
            yield from statements_of(step)
    elif isinstance(code, If):
        for _, body in code.branches:
            for step in body:
                yield from statements_of(step)
    elif isinstance(code, Loop):
        for step in code.body:
            yield from statements_of(step)
    elif isinstance(code, Execute) and code.text.kind == "text":
        for piece in parse_script(str(code.text.value)):
            if piece.tree is not None:
                yield piece.tree
