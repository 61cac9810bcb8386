"""What a program does in the environment that it is deployed in.

An evaluation takes what the environment says for something that may be anything. Where that leaves an answer open the
question is asked once more, of a program that gets the environment which compose or an env file gives it. A variable
that nothing in the repository sets is not set; one that something else mentions (a manifest, a script, an image)
stays open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from posixpath import basename, dirname
from typing import TYPE_CHECKING

from msgspec.structs import replace

from zuno_audit.facts.deployed import environments
from zuno_audit.facts.dotenv import default_environment, is_env_file
from zuno_audit.facts.go import library, strconv
from zuno_audit.facts.go.values import FALSE, NIL, TRUE, Const, Extern, Site, State, Val, Value
from zuno_audit.facts.go_packages import go_packages
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Table
from zuno_audit.model.location import Location

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.library import Model
    from zuno_audit.source.repository import Repository

MAX_ENVIRONMENTS = 3
_SETTINGS = ("max_failures", "reset_timeout_s", "half_open_max_calls")
Key = tuple[Location, object, object]
_SETS = re.compile(r"(?i)\.(?:ya?ml|sh|bash|env|json|toml|tf|tpl|ini|conf|service|bat|ps1)$")
_NAMES = ("dockerfile", "containerfile", "makefile", "tiltfile", "justfile", "procfile")


class Environments:
    """The environments that the binaries around some Go code are deployed in."""

    def __init__(self, store: FactStore, analysis: Analysis) -> None:
        self.store, self.analysis = store, analysis
        self._worlds: dict[tuple[tuple[str, str], ...], Analysis] = {}
        self._mentioned: dict[str, bool] = {}

    def of(self, path: str) -> list[Analysis]:
        """The program as it is for the code of one file, once for each environment; nothing when there are too many."""
        packages = self.store.get(go_packages)
        found: dict[tuple[tuple[str, str], ...], None] = {}
        for binary in packages.binaries_of(dirname(path)):
            for environment in environments(self.store, binary):
                found[tuple(sorted(environment.items()))] = None
        worlds = found or {tuple(sorted(default_environment(self.store, dirname(path)).items())): None}
        return [self._world(key) for key in worlds] if len(worlds) <= MAX_ENVIRONMENTS else []

    def _world(self, environment: tuple[tuple[str, str], ...]) -> Analysis:
        if environment not in self._worlds:
            models = _models(dict(environment), self._is_mentioned)
            self._worlds[environment] = self.analysis.with_models(models)
        return self._worlds[environment]

    def _is_mentioned(self, name: str) -> bool:
        """True when something besides the code may set a variable."""
        if name not in self._mentioned:
            self._mentioned[name] = _is_set(self.store.repository, name)
        return self._mentioned[name]


def _is_set(repository: Repository, name: str) -> bool:
    word = re.compile(rb"\b" + re.escape(name.encode()) + rb"\b")
    for path in repository.files:
        own = basename(path).lower()
        if _SETS.search(path) or own.startswith(_NAMES) or is_env_file(path):
            data = repository.read(path)
            if data is not None and word.search(data):
                return True
    return False


# ---------------------------------------------------------------- rows about breakers


def key_of(row: Entity) -> Key:
    """What identifies a row about a breaker, whatever the answers."""
    service = row.fields["service"].value if "service" in row.fields else None
    return row.location, row.fields["via"].value, service


def settled(table: Table, open_: Collection[Key], elsewhere: Callable[[str], list[Table]]) -> Table:
    """A table about breakers with the rows that are open as the deployments of their code have them.

    `elsewhere` gives the same table for each environment that the code of a file is deployed in.
    """
    known: dict[int, dict[Key, Entity]] = {}
    rows: list[Entity] = []
    for row in table.rows:
        seen: list[Entity | None] = []
        for other in elsewhere(row.location.path) if key_of(row) in open_ else ():
            if id(other) not in known:
                known[id(other)] = {key_of(one): one for one in other.rows}
            seen.append(known[id(other)].get(key_of(row)))
        rows.append(_worst([one for one in seen if one is not None]) if seen and None not in seen else row)
        if rows[-1].fields["circuit_breaker"].value == UNKNOWN:
            rows[-1] = row
    return replace(table, rows=tuple(rows))


def _worst(rows: list[Entity]) -> Entity:
    """The row of the environment that is worst off; settings that differ are not known."""
    order = {NO: 0, UNKNOWN: 1, YES: 2}
    row = min(rows, key=lambda one: order[str(one.fields["circuit_breaker"].value)])
    alike = {n: len({one.fields[n].value for one in rows}) == 1 for n in _SETTINGS}
    differ = {
        name: Answer(None, "the environments of its deployments differ", row.fields[name].proof)
        for name, same in alike.items()
        if not same
    }
    return replace(row, fields={**row.fields, **differ}) if differ else row


# ---------------------------------------------------------------- the environment, and what is made of its texts


def _models(
    environment: Mapping[str, str], is_mentioned: Callable[[str], bool]
) -> dict[tuple[str, str], Model]:
    def text_of(ev: Evaluator, args: list[Value]) -> str | bool | None:
        """The text of a variable; None when nothing sets it, False when that is not known."""
        name = _constant(ev, args)
        if not isinstance(name, str):
            return False
        if name in environment:
            return environment[name]
        return False if is_mentioned(name) else None

    def getenv(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        text = text_of(ev, args)
        return None if text is False else [(Const(text or "", None, site),)]

    def lookup(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        text = text_of(ev, args)
        found = TRUE if text is not None else FALSE
        return None if text is False else [(Const(text or "", None, site),), (found,)]

    return {
        **library.MODELS,
        ("os", "Getenv"): getenv,
        ("os", "LookupEnv"): lookup,
        ("syscall", "Getenv"): lookup,
        ("strconv", "Atoi"): _parse(_integer),
        ("strconv", "ParseInt"): _parse(_integer),
        ("strconv", "ParseUint"): _parse(_integer),
        ("strconv", "ParseFloat"): _parse(_float),
        ("strconv", "ParseBool"): _parse(strconv.parse_bool),
        ("time", "ParseDuration"): _duration,
    }


def _constant(ev: Evaluator, args: list[Value]) -> object:
    forced = ev.force(args[0]) if args else ()
    return forced[0].value if len(forced) == 1 and isinstance(forced[0], Const) else None


def _parse(convert: Callable[..., object]) -> Model:
    """A function that makes a number of a text, or gives an error. The number that comes with the error is a default
    that nobody chose: it stays open.
    """

    def model(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        text = _constant(ev, args)
        if not isinstance(text, str):
            return None
        ev.text_tested = True
        try:
            value: Val = Const(convert(text, *(_constant(ev, [a]) for a in args[1:])), None, site)
        except ValueError:
            nothing = (
                FALSE if convert is strconv.parse_bool else Extern(v.path, v.name, tuple(args), site=site)
            )
            return [(nothing,), (Extern("errors", "New", ((Const("invalid syntax"),),)),)]
        return [(value,), NIL]

    return model


def _duration(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """time.ParseDuration, with a duration that stays open where the text is none."""
    found = library.MODELS["time", "ParseDuration"](ev, v, args, state, site)
    if found is None:
        return None
    value, error = found
    return [value if error is NIL else (Extern(v.path, v.name, tuple(args), site=site),), error]


def _integer(text: str, base: object = 10, *_: object) -> int:
    return strconv.parse_int(text, base if isinstance(base, int) else 10)


def _float(text: str, *_: object) -> float:
    return strconv.parse_float(text)
