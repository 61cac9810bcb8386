"""Do the handlers around a router let a request through to it?

A middleware is run with a request as `curl` sends it, GET and the path and nothing else, around a handler that only
notes that it was asked. One that never asks it hides all that is behind it; one that refuses some requests or asks it
for some settings only leaves open what is seen from outside. Answers of 429 and 500 are no refusals: they are for too
many requests and for failures. What cannot be followed refuses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.go.analysis import Analysis, analysis
from zuno_audit.facts.go.evaluate import Evaluator, Limits
from zuno_audit.facts.go.values import (
    FALSE,
    NIL,
    TRUE,
    Const,
    Extern,
    Func,
    Input,
    Nil,
    Opaque,
    Pointer,
    Seq,
    Site,
    State,
    Unknown,
    Val,
    Value,
)
from zuno_audit.facts.go.values import Struct as StructValue
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.library import Model
    from zuno_audit.facts.go.program import Declaration
    from zuno_audit.facts.go.types import Type

HTTP = "net/http"
URL = "net/url"
CONTEXTS = {
    "github.com/gin-gonic/gin": "Context",
    "github.com/labstack/echo/v4": "Context",
    "github.com/labstack/echo": "Context",
    "github.com/gofiber/fiber/v2": "Ctx",
    "github.com/gofiber/fiber/v3": "Ctx",
}
_LIMITS = Limits(steps=20_000, steps_per_call=20_000)
_REACHED, _REFUSED = ("gate", "reached"), ("gate", "refused")
_TOO_MANY, _FAILURE = 429, 500
_ABORTS = ("Abort", "AbortWithStatus", "AbortWithStatusJSON", "AbortWithError")
MAX_PARTS = 6  # levels of values in which the guarded handler is looked for


class Wrap(Struct, frozen=True, eq=False):
    """An expression of a function that puts a handler around another one, `inner`; a middleware where that is None."""

    root: Declaration
    value: s.Expr
    inner: s.Expr | None = None
    optional: bool = False  # it may be left out


class _Asked(Struct, frozen=True, eq=False):
    """A request for a path that meets a wrapper."""

    wrap: Wrap
    path: str

    @property
    def site(self) -> Site:
        return Site(self.wrap.root.file, self.wrap.value.start, self.wrap.value.end)


class Gates:
    """Answers for the wrappers of one program: yes, no or unknown."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self._answers: dict[tuple[int, int, str], str] = {}
        self._kept: list[Wrap] = []  # identities of nodes are keys

    def lets_through(self, wrap: Wrap, path: str) -> str:
        """Whether a request for a path gets to what is behind a wrapper."""
        key = (id(wrap.value), id(wrap.inner), path)
        if key not in self._answers:
            self._kept.append(wrap)
            self._answers[key] = self._judge(wrap, path)
        answer = self._answers[key]
        return "unknown" if wrap.optional and answer == "no" else answer

    def _judge(self, wrap: Wrap, path: str) -> str:
        next_ = Opaque("next", self.analysis.types.extern(HTTP, "Handler"), on_call=_reach)
        made = self.analysis.values_of(wrap.root, wrap.value, wrap.inner, (next_,))
        asked = _Asked(wrap, path)
        answers = {self._answer(ev, v, next_, state, asked) for ev, v, state in made}
        return answers.pop() if len(answers) == 1 else "unknown" if answers else "yes"

    # ------------------------------------------------------------ one value

    def _answer(self, ev: Evaluator, v: Val, next_: Opaque, state: State, asked: _Asked) -> str:
        if asked.wrap.inner is None:
            return self._middleware(ev, v, next_, state, asked)
        if v is next_:
            return "yes"
        if isinstance(v, Input):  # its caller is asked too
            return "unknown"
        if isinstance(v, Extern):
            return self._library(ev, v, next_, state, asked)
        return self._served(ev, v, state, asked)

    def _middleware(self, ev: Evaluator, v: Val, next_: Opaque, state: State, asked: _Asked) -> str:
        """A value that is given to `Use`; what libraries make lets requests through."""
        if isinstance(v, Seq):
            inner = [m for item in v.items for m in ev.force(item)]
            return worst(self._middleware(ev, m, next_, state, asked) for m in inner)
        if not isinstance(v, Func):
            return "yes"
        if len(v.node.params) != 1:
            return "yes"
        if not v.node.results or self._context(v) is not None:
            return self._served(ev, v, state, asked)
        trial = _Trial(ev, state, asked, plain=False)
        exits = trial.ev.simulate(v, [(next_,)], trial.memory)
        made = [x for results in exits for value in results[:1] for x in trial.ev.force(value)]
        return worst("yes" if x is next_ else self._served(trial.ev, x, trial.memory, asked) for x in made)

    def _library(self, ev: Evaluator, v: Extern, next_: Opaque, state: State, asked: _Asked) -> str:
        """A handler that a library makes: it lets through what it holds, as far as middlewares do that it is given."""
        if v.name == "StripPrefix" and v.args:
            prefixes = [p.value for p in ev.force(v.args[0]) if isinstance(p, Const)]
            return "yes" if all(asked.path.startswith(str(p)) for p in prefixes) else "no"
        if v.args is None:
            held: Value = v.recv or () if v.name == "ServeHTTP" else ()
        else:
            held = tuple(x for value in v.args for x in ev.force(value))
        answers = [
            self._answer(ev, x, next_, state, asked)
            for x in held
            if _is_handler(ev, x, next_, state, asked.site)
        ]
        given = [f for f in _functions(ev, v) if len(f.node.params) == 1 and f.node.results]
        return worst([*answers, *(self._middleware(ev, f, next_, state, asked) for f in given)])

    def _served(self, ev: Evaluator, handler: Val, state: State, asked: _Asked) -> str:
        """What a handler does; one that cannot be followed is taken for one that lets requests through."""
        plain = self._asked(ev, handler, state, asked, plain=True)
        if plain is None or plain.ends_well:
            return "yes"
        any_ = self._asked(ev, handler, state, asked, plain=False) if plain.never else None
        return "no" if any_ is not None and any_.never else "unknown"

    def _asked(
        self, ev: Evaluator, handler: Val, state: State, asked: _Asked, *, plain: bool
    ) -> _Trial | None:
        trial = _Trial(ev, state, asked, plain=plain)
        func, args = handler, [trial.writer, trial.request]
        if not isinstance(handler, Func):
            served = trial.ev.select((handler,), "ServeHTTP", trial.memory, asked.site)
            func = served[0] if len(served) == 1 else handler
        if isinstance(func, Func) and len(func.node.params) == 1:
            args = [trial.context(self._context(func))]
            trial.falls_through = len(func.node.results) == 0
        if not isinstance(func, Func) or len(func.node.params) != len(args):
            return None
        trial.ev.simulate(func, args, trial.memory)
        return None if trial.ev.exhausted or not (trial.ends or trial.ev.uncaught) else trial

    def _context(self, func: Func) -> Type | None:
        """The context of a web framework that a handler takes."""
        type_ = self.analysis.types.resolve(func.node.params[0].type, func.file, func.package, func.scope)
        base = type_.elem if type_ is not None and type_.kind == "pointer" and type_.elem else type_
        if base is None or base.kind != "extern" or CONTEXTS.get(base.path) != base.name:
            return None
        return base


class _Trial:
    """One run of a handler for one request."""

    def __init__(self, ev: Evaluator, state: State, asked: _Asked, *, plain: bool) -> None:
        self.ev = ev.derive(lazy=False, limits=_LIMITS)
        self.memory = state.fork()
        self.memory.cells[_REACHED] = self.memory.cells[_REFUSED] = (FALSE,)
        self.falls_through = False  # what comes next is asked where nobody says otherwise
        types = ev.types
        self.writer: Value = (Opaque("writer", types.extern(HTTP, "ResponseWriter")),)
        url = StructValue(types.extern(URL, "URL"), {"Path": (Const(asked.path),), "RawQuery": (Const(""),)})
        fields: dict[str, Value] = {
            "Method": (Const("GET"),),
            "RequestURI": (Const(asked.path),),
            "URL": (url,),
        }
        request = StructValue(types.extern(HTTP, "Request"), fields)
        self.request: Value = (self.ev.allocate((request,), self.memory, None),)
        models: dict[tuple[str, str], Model] = {(HTTP, ".ServeHTTP"): _serve}
        for framework in CONTEXTS:
            models |= {(framework, "." + name): _abort for name in _ABORTS}
            models[framework, ".Next"] = _next
            models[framework, ".Request"] = _gives(self.request)
            models[framework, ".Method"] = _gives((Const("GET"),))
            models[framework, ".Path"] = _gives((Const(asked.path),))
        self.ev.models = {**self.ev.models, **models, **(_PLAIN if plain else {})}
        self.ev.on_extern = _note
        self.ev.on_leave = self._leave
        self.ends: list[str] = []  # reached, refused, silent or mixed

    def context(self, type_: Type | None) -> Value:
        """What a handler of a web framework gets."""
        if type_ is None:
            return (Unknown("context"),)
        if type_.name == "Context" and "gin" in type_.path:
            return (self.ev.allocate((StructValue(type_, {"Request": self.request}),), self.memory, None),)
        return (Opaque("context", type_),)

    def _leave(self, results: list[Value], state: State) -> None:
        reached, refused = state.cells[_REACHED], state.cells[_REFUSED]
        if self.falls_through and refused == (FALSE,):
            reached = (TRUE,)
        fails = any(not isinstance(v, Nil) for value in results for v in self.ev.force(value))
        if reached == (TRUE,):
            self.ends.append("reached")
        elif TRUE in refused or (fails and reached == (FALSE,)):
            self.ends.append("refused" if reached == (FALSE,) else "mixed")
        else:
            self.ends.append("silent" if reached == (FALSE,) else "reached")

    @property
    def never(self) -> bool:
        """No way out asks what is behind."""
        return {"reached", "mixed"}.isdisjoint(self.ends)

    @property
    def ends_well(self) -> bool:
        """What is behind is asked, but for ways out that answer nothing or a failure of the server."""
        return "reached" in self.ends and {"refused", "mixed"}.isdisjoint(self.ends)


def worst(answers: Iterable[str]) -> str:
    """No before unknown before yes."""
    found = set(answers)
    return next((a for a in ("no", "unknown") if a in found), "yes")


def _reach(ev: Evaluator, args: list[Value], state: State) -> list[Value]:
    if state.cells.get(_REFUSED, (FALSE,)) == (FALSE,):
        state.cells[_REACHED] = (TRUE,)
    return [NIL]


def _serve(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> list[Value] | None:
    """`h.ServeHTTP(w, r)` where h is the handler behind, a function, or a handler of a library around it."""
    for handler in v.recv or ():
        if isinstance(handler, Opaque) and handler.on_call is not None:
            return _reach(ev, args, state)
        if isinstance(handler, Func):
            return ev.call_value((handler,), args, state, site)
        if any(True for _ in _guarded(ev, handler)):
            return _reach(ev, args, state)
    return None


def _guarded(ev: Evaluator, handler: Val) -> Iterator[Opaque]:
    if isinstance(handler, Opaque) and handler.on_call is _reach:
        yield handler
    elif isinstance(handler, Extern):
        for value in (*(handler.args or ()), handler.recv or ()):
            for v in ev.force(value):
                yield from _guarded(ev, v)


def _next(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> list[Value]:
    return _reach(ev, args, state)


def _abort(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> list[Value]:
    _refuse(ev, args, state)
    return [NIL]


def _refuse(ev: Evaluator, args: list[Value], state: State) -> None:
    codes = [c.value for value in args for c in ev.force(value) if isinstance(c, Const)]
    if _TOO_MANY in codes:
        state.cells[_REACHED] = (TRUE,)
    elif _FAILURE not in codes and state.cells.get(_REACHED, (FALSE,)) == (FALSE,):
        state.cells[_REFUSED] = (TRUE,)


def _note(ev: Evaluator, call: Extern, state: State) -> None:
    """An answer that is an error: of what the handler asks after it, nobody sees the status. And what asks the handler
    behind by another name than ServeHTTP."""
    if call.recv is not None and any(True for v in call.recv for _ in _guarded(ev, v)):
        _reach(ev, list(call.args or ()), state)
    if call.path == HTTP and call.name in ("NotFound", "Redirect"):
        _refuse(ev, [], state)
    if call.path == HTTP and call.name in ("WriteHeader", "Error") and call.args:
        codes = [c.value for c in ev.force(call.args[-1]) if isinstance(c, Const)]
        if any(isinstance(c, int) and c >= 400 for c in codes):
            _refuse(ev, [call.args[-1]], state)


def _is_handler(ev: Evaluator, v: Val, next_: Opaque, state: State, site: Site) -> bool:
    """True for what a library may ask when it was given it."""
    if v is next_ or (isinstance(v, Extern) and v.args is not None and next_ in _guarded(ev, v)):
        return True
    if isinstance(v, Func):
        return len(v.node.params) == 2 and not v.node.results
    if isinstance(v, Pointer | StructValue):
        return any(isinstance(f, Func) for f in ev.select((v,), "ServeHTTP", state, site))
    return isinstance(v, Extern) and v.name == "ServeHTTP"


def _functions(ev: Evaluator, v: Extern, level: int = 0) -> Iterator[Func]:
    """The functions of the repository that a value of a library was made with."""
    for value in (*(v.args or ()), v.recv or ()):
        for x in ev.force(value):
            if isinstance(x, Func):
                yield x
            elif isinstance(x, Extern) and level < MAX_PARTS:
                yield from _functions(ev, x, level + 1)
            elif isinstance(x, Seq):
                yield from (f for item in x.items for f in ev.force(item) if isinstance(f, Func))


def _gives(*results: Value) -> Model:
    def model(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> list[Value]:
        return list(results)

    return model


_NOTHING: Value = (Const(""),)
# What a request without headers, cookies and a query answers.
_PLAIN: dict[tuple[str, str], Model] = {
    (HTTP, ".Get"): _gives(_NOTHING),
    (HTTP, ".BasicAuth"): _gives(_NOTHING, _NOTHING, (FALSE,)),
    (HTTP, ".Cookie"): _gives(NIL, (Opaque("no cookie"),)),
    (HTTP, ".FormValue"): _gives(_NOTHING),
    (HTTP, ".Values"): _gives(NIL),
    (URL, ".Get"): _gives(_NOTHING),
}
for _framework in CONTEXTS:
    for _name in ("GetHeader", "Query", "QueryParam", "FormValue", "PostForm"):
        _PLAIN[_framework, "." + _name] = _gives(_NOTHING)
    _PLAIN[_framework, ".Get"] = _gives(_NOTHING if "fiber" in _framework else NIL, (FALSE,))


def gates(store: FactStore) -> Gates:
    """The fact provider: one per audited repository."""
    return Gates(store.get(analysis))
