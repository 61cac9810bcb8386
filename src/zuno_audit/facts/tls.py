"""Transport security of gRPC servers and clients: what credentials they have on every way to them.

Table `grpc_transport`: one row per grpc.NewServer, grpc.NewClient or grpc.Dial that a binary reaches. The
options are followed back through variables, branches and helper functions to the credentials; every way is an
alternative, a set of words such as {creds, tls, demand, cas}. A way that a switch turns off
(`if cfg.TLSEnabled`) is left out as long as there is another; a way that is taken when certificates cannot be
loaded counts. What conditions are about (a switch, an error) is what the evaluator does not tell, so the statements
are read here; what names mean and what is put into fields and parameters, `origins` says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING

from zuno_audit.facts.go.bindings import called_name, last_name, mentions_error
from zuno_audit.facts.go.dead_code import constant_truth
from zuno_audit.facts.go.origins import Origins, origins
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.search import Use, uses
from zuno_audit.languages.go.syntax import (
    Assign,
    BasicLit,
    Binary,
    Block,
    Branch,
    Call,
    CompositeLit,
    Expr,
    ExprStmt,
    For,
    FuncDecl,
    FuncLit,
    Ident,
    If,
    Node,
    Range,
    Return,
    Selector,
    Star,
    Stmt,
    Switch,
    Unary,
    ValueSpec,
    walk,
)
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

GRPC = "google.golang.org/grpc"
CREDENTIALS = "google.golang.org/grpc/credentials"
INSECURE = "google.golang.org/grpc/credentials/insecure"
TLS = "crypto/tls"
CLIENTS = ("NewClient", "Dial", "DialContext")
_MAKES = re.compile(rb"\b(?:NewServer|NewClient|Dial|DialContext)\b")
MAX_DEPTH = 14
MAX_WAYS = 48
MAX_STEPS = 1_000  # expressions that are looked at for one server or client

Way = frozenset[str]
Ways = frozenset[Way]

# a value, or the result of a call with this index; a field and its value; or the zero value
Change = tuple[Expr, int] | tuple[str, Expr] | None

NOTHING: Ways = frozenset([frozenset()])
NOT_KNOWN: Ways = frozenset([frozenset(["?"])])


_DECIDED = frozenset(["tls", "insecure", "?"])  # words of credentials whose kind is known, or known not to be


def _one(*words: str) -> Ways:
    return frozenset([frozenset(words)])


def _tagged(ways: Ways, *words: str) -> Ways:
    return frozenset(way | set(words) for way in ways)


def _both(parts: Iterable[Ways]) -> Ways:
    """The ways of things that are used together."""
    found: set[Way] = {frozenset()}
    for part in parts:
        found = {a | b for a, b in product(found, part)}
        if len(found) > MAX_WAYS:
            return NOT_KNOWN
    return frozenset(found)


class Credentials:
    """The ways in which an expression of a function can get its credentials."""

    def __init__(self, origins: Origins) -> None:
        self.origins, self.texts, self.reach = origins, origins.texts, origins.reach
        self.mains: frozenset[str] = frozenset()  # binaries that reach the place that is asked about
        self.steps = 0
        self._busy: set[tuple[object, str]] = set()

    def ways(self, root: Declaration, expression: Expr, bound: Mapping[str, Ways], depth: int = 0) -> Ways:
        """All ways of an expression. `bound` holds those of its parameters, where known."""
        self.steps += 1
        if depth > MAX_DEPTH or self.steps > MAX_STEPS:
            return NOT_KNOWN
        if isinstance(expression, Unary | Star):
            return self.ways(root, expression.x, bound, depth)
        if isinstance(expression, Ident):
            return self._name(root, expression.name, bound, depth)
        if isinstance(expression, CompositeLit):
            return self._literal(root, expression, bound, depth)
        if isinstance(expression, Call):
            return self._call(root, expression, bound, depth)
        if isinstance(expression, Selector):
            return self._field(root, expression, depth)
        return NOTHING if isinstance(expression, BasicLit | FuncLit) else NOT_KNOWN

    # ------------------------------------------------------------ literals and calls

    def _literal(
        self, root: Declaration, literal: CompositeLit, bound: Mapping[str, Ways], depth: int
    ) -> Ways:
        kind = literal.type
        if (
            isinstance(kind, Selector)
            and kind.sel == "Config"
            and self.texts.package_path(kind.x, root) == TLS
        ):
            words = [
                w
                for key, value in literal.elements
                if isinstance(key, Ident)
                for w in self._words(root, key.name, value)
            ]
            return _one(*words)
        return _both(self.ways(root, value, bound, depth + 1) for _, value in literal.elements)

    def _call(
        self, root: Declaration, call: Call, bound: Mapping[str, Ways], depth: int, index: int = 0
    ) -> Ways:
        if depth > MAX_DEPTH:
            return NOT_KNOWN
        name = called_name(call)
        path = (self.texts.package_path(call.fun.x, root) if isinstance(call.fun, Selector) else None) or ""
        if path == GRPC:
            if name in ("Creds", "WithTransportCredentials"):
                inner = self.ways(root, call.args[0], bound, depth + 1) if call.args else NOT_KNOWN
                return frozenset(w | {"creds"} if w & _DECIDED else w | {"creds", "?"} for w in inner)
            return _one("creds", "insecure") if name == "WithInsecure" else NOTHING
        if path == INSECURE:
            return _one("insecure")
        if path == CREDENTIALS:
            if name == "NewTLS" and call.args:
                return _tagged(self.ways(root, call.args[0], bound, depth + 1), "tls")
            return _one("tls")
        if name == "append" and isinstance(call.fun, Ident):
            return _both(self.ways(root, a, bound, depth + 1) for a in call.args)
        callees = self.origins.functions(call.fun, root)
        if callees:
            arguments = [self.ways(root, a, bound, depth + 1) for a in call.args]
            found = [self._result(callee, arguments, depth, index) for callee in callees[:3]]
            return frozenset(w for ways in found for w in ways)
        speaks = any(word in name.lower() for word in ("cred", "tls", "mtls", "spiffe"))
        return NOT_KNOWN if speaks or path.startswith(GRPC + "/credentials") else NOTHING

    def _result(self, callee: Declaration, arguments: list[Ways], depth: int, index: int) -> Ways:
        node = callee.node
        assert isinstance(node, FuncDecl)
        names = [p.name for p in callee.params]
        bound = {n: a for n, a in zip(names, arguments, strict=False) if n}
        found: set[Way] = set()
        for values, words in _returns(node.body):
            tags = [w for w in words if w in ("off", "fallback")]
            if len(values) == 1 and index and isinstance(values[0], Call):
                found |= _tagged(self._call(callee, values[0], bound, depth + 1, index), *tags)
            elif index < len(values):
                if _is_name(values[index], "nil") and len(values) > 1:
                    continue  # an error: the caller decides what then
                found |= _tagged(self.ways(callee, values[index], bound, depth + 1), *tags)
        return frozenset(found) if found else NOTHING

    def _field(self, root: Declaration, selector: Selector, depth: int) -> Ways:
        """What is put into a field, by every binary that is asked about."""
        owner = self.origins.owner(selector, root)
        key = (owner or root.package, selector.sel)
        if key in self._busy:
            return NOTHING  # `b.options = append(b.options, ...)` adds to what is there
        self._busy.add(key)
        held: set[Way] = set()
        added: list[Ways] = []
        fillers: set[str] = set()
        for value, inside, _ in self.origins.field(owner, selector.sel):
            ways = self.ways(inside, value, {}, depth + 1)
            fillers |= self.reach.mains(inside.file.path, inside.node.start)
            if _adds_to(value, selector.sel):
                added.append(ways)
            else:
                held |= ways
        self._busy.discard(key)
        if not (held or added) or not fillers >= self.mains:
            return NOT_KNOWN
        return _both([frozenset(held) or NOTHING, *added])

    def _words(self, root: Declaration, name: str, value: Expr) -> list[str]:
        """What a field of tls.Config says; whether the other side is verified must not depend on a setting."""
        if name != "InsecureSkipVerify":
            return config_words(name, value)
        truth = constant_truth(value, root, self.texts)
        return ["may-skip"] if truth is None else ["skip"] if truth else []

    # ------------------------------------------------------------ variables

    def _name(self, root: Declaration, name: str, bound: Mapping[str, Ways], depth: int) -> Ways:
        if name in ("nil", "true", "false"):
            return NOTHING
        body = _body(root)
        if not any(True for node in walk(body) for _ in _changes(node, name)):
            return bound[name] if name in bound else self._parameter(root, name, depth)
        start = bound.get(name, NOTHING)
        return self._through(root, body, name, start, bound, depth)

    def _through(
        self, root: Declaration, block: Stmt, name: str, state: Ways, bound: Mapping[str, Ways], depth: int
    ) -> Ways:
        """The ways of a variable after a statement; branches that leave the function are left out."""
        if len(state) > MAX_WAYS:
            return NOT_KNOWN
        if isinstance(block, Block):
            for statement in block.stmts:
                state = self._through(root, statement, name, state, bound, depth)
            return state
        if not isinstance(block, If):
            for node in walk(block):
                for change in _changes(node, name):
                    state = self._after(root, name, state, change, bound, depth)
            return state
        if block.init is not None:
            state = self._through(root, block.init, name, state, bound, depth)
        then, otherwise = polarity(block.cond)
        taken = self._through(root, block.body, name, state, bound, depth)
        skipped = state
        if block.orelse is not None:
            skipped = self._through(root, block.orelse, name, state, bound, depth)
        if _leaves(block.body):
            return skipped
        if block.orelse is not None and _leaves(block.orelse):
            return taken
        if taken == state and skipped == state:
            return state
        return _branch(taken, then) | _branch(skipped, otherwise)

    def _after(
        self,
        root: Declaration,
        name: str,
        before: Ways,
        change: Change,
        bound: Mapping[str, Ways],
        depth: int,
    ) -> Ways:
        """The ways of a variable after one assignment to it or to a field of it."""
        if change is None:
            return NOTHING
        first, second = change
        if isinstance(first, str):
            return _tagged(before, *self._words(root, first, second)) if isinstance(second, Expr) else before
        if isinstance(second, int) and second and isinstance(first, Call):
            return self._call(root, first, {**bound, name: before}, depth + 1, second)
        return self._assigned(root, name, first, {**bound, name: before}, depth)

    def _assigned(
        self, root: Declaration, name: str, value: Expr, bound: Mapping[str, Ways], depth: int
    ) -> Ways:
        """The ways of an assigned value; the variable itself in it means what it was before."""
        is_append = isinstance(value, Call) and isinstance(value.fun, Ident) and value.fun.name == "append"
        if is_append and isinstance(value, Call) and value.args:
            parts = [
                bound[name]
                if _is_name(value.args[0], name)
                else self.ways(root, value.args[0], bound, depth + 1)
            ]
            parts += [self.ways(root, a, bound, depth + 1) for a in value.args[1:]]
            return _both(parts)
        return bound[name] if _is_name(value, name) else self.ways(root, value, bound, depth + 1)

    def _parameter(self, root: Declaration, name: str, depth: int) -> Ways:
        """The ways of a parameter: those of the arguments of all calls; or of a package variable."""
        params = root.params
        index = next((i for i, p in enumerate(params) if p.name == name), None)
        if index is None:
            return NOT_KNOWN
        found: set[Way] = set()
        for around, call in self.origins.calls_of(root):
            arguments = call.args[index:] if params[index].variadic else call.args[index : index + 1]
            found |= _both(self.ways(around, a, {}, depth + 1) for a in arguments)
        return frozenset(found) if found else NOT_KNOWN


_REQUIRE_AND_VERIFY = 4  # of tls.ClientAuthType, where it is written as a number


def config_words(name: str, value: Expr) -> list[str]:
    """What a field of tls.Config says."""
    text = last_name(value)
    if isinstance(value, Call) and len(value.args) == 1:  # a conversion
        return config_words(name, value.args[0]) if name == "ClientAuth" else _plain_words(name, "")
    if isinstance(value, BasicLit):
        text = "RequireAndVerifyClientCert" if value.value == _REQUIRE_AND_VERIFY else ""
    return _plain_words(name, text)


def _plain_words(name: str, text: str) -> list[str]:
    if name == "ClientAuth":
        return ["demand"] if text == "RequireAndVerifyClientCert" else ["lax"]
    if name == "ClientCAs":
        return [] if text == "nil" else ["cas"]
    if name in ("Certificates", "GetClientCertificate"):
        return ["cert"]
    if name in ("GetConfigForClient", "VerifyConnection"):
        return ["?"]
    return []


def _returns(block: Stmt, words: tuple[str, ...] = ()) -> Iterator[tuple[list[Expr], tuple[str, ...]]]:
    """The values of the return statements of a root, and the words of the branches they stand in."""
    if isinstance(block, Return):
        if block.values:
            yield block.values, words
    elif isinstance(block, Block):
        for statement in block.stmts:
            yield from _returns(statement, words)
    elif isinstance(block, If):
        then, otherwise = polarity(block.cond)
        yield from _returns(block.body, (*words, then))
        if block.orelse is not None:
            yield from _returns(block.orelse, (*words, otherwise))
    elif isinstance(block, Switch | For | Range):
        parts = [s for c in block.clauses for s in c.body] if isinstance(block, Switch) else block.body.stmts
        for statement in parts:
            yield from _returns(statement, words)


def _adds_to(value: Expr, field: str) -> bool:
    """True for `append(x.field, ...)`."""
    is_append = isinstance(value, Call) and called_name(value) == "append" and bool(value.args)
    return is_append and isinstance(value, Call) and last_name(value.args[0]) == field


def _body(root: Declaration) -> Block:
    return root.node.body if isinstance(root.node, FuncDecl) else Block(0, 0, [])


def _is_name(expression: Expr, name: str) -> bool:
    return isinstance(expression, Ident) and expression.name == name


def _branch(ways: Ways, word: str) -> Ways:
    return _tagged(ways, word) if word in ("off", "fallback") else ways


def _leaves(block: Stmt) -> bool:
    """True when a block ends by leaving the function or the program."""
    last = block.stmts[-1] if isinstance(block, Block) and block.stmts else block
    if isinstance(last, Return | Branch):
        return True
    call = last.x if isinstance(last, ExprStmt) else None
    if not isinstance(call, Call):
        return False
    name = called_name(call)
    return name in ("panic", "Exit", "Goexit") or name.startswith(("Fatal", "Panic"))


def _changes(node: Node, name: str) -> Iterator[Change]:
    if isinstance(node, Assign):
        for position, target in enumerate(node.lhs):
            value = node.rhs[position] if len(node.rhs) == len(node.lhs) else node.rhs[0]
            if _is_name(target, name):
                yield (value, 0 if len(node.rhs) == len(node.lhs) else position)
            elif isinstance(target, Selector) and _is_name(target.x, name):
                yield (target.sel, value)
    elif isinstance(node, ValueSpec):
        for position, declared in enumerate(node.names):
            if declared.name == name:
                one = len(node.values) == 1 < len(node.names)
                if one or position < len(node.values):
                    yield (node.values[0], position) if one else (node.values[position], 0)
                else:
                    yield None


def polarity(condition: Expr) -> tuple[str, str]:
    """What the two branches of a condition mean: on/off for a switch, fallback/fine for an error."""
    if mentions_error(condition):
        is_equal = any(isinstance(n, Binary) and n.op == "==" for n in walk(condition))
        return ("fine", "fallback") if is_equal else ("fallback", "fine")
    if isinstance(condition, Unary) and condition.op == "!":
        return ("off", "on")
    if isinstance(condition, Binary) and condition.op in ("==", "!="):
        value = condition.y
        empty = (isinstance(value, BasicLit) and value.value in ("", "false", "0", 0)) or _is_name(
            value, "nil"
        )
        empty = empty or _is_name(value, "false")
        return ("off", "on") if empty is (condition.op == "==") else ("on", "off")
    return ("on", "off")


# ---------------------------------------------------------------- the table


def grpc_transport_table(store: FactStore) -> Table:
    """Table `grpc_transport`: role (server or client), binaries, mutual (mutual TLS on every way)."""
    values = store.get(origins)
    linked = values.linked
    credentials = Credentials(values)
    looked = [path for path in linked.files if GRPC.encode() in (store.repository.read(path) or b"")]
    files = [file for file in linked.files_with(GRPC.encode()) if _MAKES.search(file.data)]
    rows = [
        row
        for name in ("NewServer", *CLIENTS)
        for site in uses(values.search.calls_to(GRPC, name, among=[file.path for file in files]))
        for row in _rows(credentials, site, name)
    ]
    rows.sort(key=lambda row: row.location)
    cut = (values.program.file(path) for path in values.search.cut_files_with(GRPC.encode()))
    broken = {f.path: f.error_line for f in (*files, *cut) if f is not None and f.error_line}
    problems = [Problem(path, line, "syntax error") for path, line in sorted(broken.items())]
    return Table("grpc_transport", tuple(rows), tuple(looked), tuple(problems))


def _rows(credentials: Credentials, site: Use, name: str) -> Iterator[Entity]:
    root, call = site
    mains = credentials.reach.mains(root.file.path, call.start)
    if not mains:
        return
    role = "server" if name == "NewServer" else "client"
    here = root.file.location(call.start, call.fun.end, f"grpc.{name}")
    options = call.args if role == "server" else call.args[1 + (name == "DialContext") :]
    credentials.mains, credentials.steps = mains, 0
    ways = _both(credentials.ways(root, option, {}) for option in options) or NOT_KNOWN
    fields = {
        "role": Answer(role),
        "binaries": Answer(tuple(sorted(mains))),
        "mutual": _server(ways, here) if role == "server" else _client(ways, here),
    }
    yield Entity("grpc_transport", here, fields)


def _on(ways: Ways) -> list[Way]:
    """The ways that no switch turns off; all when every one can be."""
    return sorted((w for w in ways if "off" not in w), key=sorted) or sorted(ways, key=sorted)


def _server(ways: Ways, here: Location) -> Answer:
    on = _on(ways)
    if any("?" in w for w in on):
        return Answer(UNKNOWN, "its credentials cannot be followed to their source", (here,))
    plain = [w for w in on if "creds" not in w or "insecure" in w]
    if any("fallback" in w for w in plain):
        return Answer(NO, "it serves plaintext when the certificates cannot be loaded", (here,))
    if plain:
        return Answer(NO, "it has no transport credentials, so it serves plaintext", (here,))
    if any("demand" not in w for w in on):
        return Answer(NO, "it serves TLS, but does not demand and verify a client certificate", (here,))
    if any("cas" not in w for w in on):
        return Answer(NO, "it demands a client certificate, but has no ClientCAs to verify it with", (here,))
    if any("tls" in w and not w & {"demand", "?", "insecure"} for w in ways):
        return Answer(UNKNOWN, "a setting decides whether it demands a client certificate", (here,))
    return Answer(YES, "it demands and verifies a client certificate on every way", (here,))


def _client(ways: Ways, here: Location) -> Answer:
    on = _on(ways)
    if any("?" in w for w in on):
        return Answer(UNKNOWN, "its credentials cannot be followed to their source", (here,))
    plain = [w for w in on if "creds" not in w or "insecure" in w]
    if any("fallback" in w for w in plain):
        return Answer(NO, "it talks plaintext when the certificates cannot be loaded", (here,))
    if plain:
        return Answer(NO, "it talks plaintext", (here,))
    if any("skip" in w for w in on):
        return Answer(NO, "it does not verify the server's certificate", (here,))
    if any("cert" not in w for w in on):
        return Answer(NO, "it presents no client certificate", (here,))
    if any("may-skip" in w for w in on):
        return Answer(UNKNOWN, "a setting decides whether it verifies the server's certificate", (here,))
    return Answer(YES, "it presents a client certificate on every way", (here,))
