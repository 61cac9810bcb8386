"""Environment variables that configuration and command-line libraries read: viper, urfave/cli, kingpin,
koanf, godotenv.

Sources: the documentation of github.com/spf13/viper, github.com/urfave/cli (v1 to v3),
github.com/alecthomas/kingpin, github.com/knadh/koanf and github.com/joho/godotenv.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec import Struct, field

from zuno_audit.facts.env_read import EnvRead
from zuno_audit.facts.go.bindings import called_name
from zuno_audit.facts.go.env_defaults import FieldTests, Missing, Surroundings
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.search import Use, uses
from zuno_audit.facts.go.static_types import static_type
from zuno_audit.facts.go.texts import returned
from zuno_audit.facts.go_packages import is_go_tool_file
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import NO, YES

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.texts import Texts

_VIPER = "github.com/spf13/viper"
_CLI = re.compile(r"github\.com/urfave/cli(?:/v\d+)?$")
_KINGPIN = re.compile(r"(?:gopkg\.in|github\.com)/alecthomas/kingpin(?:\.v2|/v2)?$")
_KOANF_ENV = re.compile(r"github\.com/knadh/koanf(?:/v2)?/providers/env(?:/v2)?$")
_GODOTENV = "github.com/joho/godotenv"
_FLAG_FIELDS = {"EnvVar": ",", "EnvVars": "", "Sources": "", "EnvVariable": ","}

Called = tuple[s.FuncDecl, Use]
MAX_LEVELS = 4  # functions between a flag and the text of its variable
MAX_CALLERS = 40

Found = tuple[EnvRead, int]


def flag_reads(asked: Analysis, texts: Texts, fields: FieldTests) -> list[Found]:
    """All reads, each with the byte offset of its call."""
    flags = _Flags(asked, texts, fields)
    return [*flags.viper(), *flags.cli(), *flags.kingpin(), *flags.koanf(), *flags.godotenv()]


class _Viper(Struct):
    """What the calls of one program say: the prefix, whether all keys are looked up, keys and defaults."""

    prefix: str | None = None  # None where nothing is said
    automatic: bool = False
    replacements: list[tuple[str, str]] = field(default_factory=list)
    keys: dict[str, list[tuple[Use, str]]] = field(default_factory=dict)  # where each is asked for
    bound: list[tuple[Use, list[str]]] = field(default_factory=list)
    defaults: dict[str, str | None] = field(default_factory=dict)

    def variable(self, key: str) -> str:
        """The variable of a key: the prefix, upper case, then the replacements."""
        name = f"{self.prefix}_{key}".upper() if self.prefix else key.upper()
        for old, new in self.replacements:
            name = name.replace(old, new)
        return name

    def inherit(self, shared: _Viper) -> None:
        """Takes over what code for all programs says, where this program says nothing."""
        self.prefix = shared.prefix if self.prefix is None else self.prefix
        self.replacements = self.replacements or shared.replacements
        self.automatic = self.automatic or shared.automatic
        self.defaults = {**shared.defaults, **self.defaults}

    def learn(self, programs: list[_Viper]) -> None:
        """Takes over what the programs say that run this code, unless it says all itself: where they differ, the
        first prefix.
        """
        if not self.automatic or self.prefix is None:
            self.automatic = self.automatic or any(program.automatic for program in programs)
            self.prefix = self.prefix or next((p.prefix for p in programs if p.prefix), "")
            self.replacements = self.replacements or next(
                (p.replacements for p in programs if p.replacements), []
            )
        for program in programs:
            for key, value in program.defaults.items():
                self.defaults[key] = value if self.defaults.get(key, value) == value else None


class _Flags:
    """One pass per library over the files that import it."""

    def __init__(self, asked: Analysis, texts: Texts, fields: FieldTests) -> None:
        self.asked, self.texts, self.fields = asked, texts, fields
        self.program = asked.program

    def _roots(self, literal: bytes) -> Iterator[Declaration]:
        """Every function and variable of the files whose imports hold a literal."""
        for path in self.asked.search.own_files_with(literal):
            package = self.program.package_of(path)
            if package is None or path not in package.files or not is_go_tool_file(path):
                continue
            file = self.program.file(path)
            if file is None or not any(literal.decode() in i.path for i in file.imports):
                continue
            for node in file.functions():
                yield Declaration(package, file, node)
            for spec in file.specs():
                if isinstance(spec, s.ValueSpec):
                    yield Declaration(package, file, spec)

    def _path(self, expr: s.Expr, root: Declaration) -> str:
        if isinstance(expr, s.Selector) and isinstance(expr.x, s.Ident):
            return self.program.imported(root.file).get(expr.x.name, "")
        return ""

    def _texts_of(self, expr: s.Expr, root: Declaration) -> list[str]:
        return self.texts.constants(expr, root) or []

    @staticmethod
    def _read(
        name: str, root: Declaration, node: s.Node, default: str | None, required: str, how: str
    ) -> Found:
        return EnvRead(name, root.file.location(node.start, node.end), default, required, how), node.start

    def _literal_text(self, expr: s.Expr, root: Declaration) -> str | None:
        return Surroundings(self.texts, root, self.fields).text(expr)

    # ---------------------------------------------------------------- viper

    def viper(self) -> Iterator[Found]:
        """viper: BindEnv, and with AutomaticEnv every key that is asked for (or has a default, for
        Unmarshal).
        """
        shared = _Viper()
        programs: dict[str, _Viper] = {}  # main packages: what they say is for them alone
        for root in self._roots(_VIPER.encode()):
            package = root.package
            state = programs.setdefault(package.path, _Viper()) if package.name == "main" else shared
            for node in s.walk(root.node):
                if (
                    isinstance(node, s.Call)
                    and isinstance(node.fun, s.Selector)
                    and self._is_viper(node, root)
                ):
                    self._note(state, node, root)
        for state in programs.values():
            state.inherit(shared)
        shared.learn(list(programs.values()))
        for state in (shared, *programs.values()):
            yield from self._viper_reads(state)

    def _viper_reads(self, state: _Viper) -> Iterator[Found]:
        for site, names in state.bound:
            key, given = names[0], names[1:]
            for name in given or [state.variable(key)]:
                yield self._read(
                    name, site.root, site.call, state.defaults.get(key.lower()), NO, "viper.BindEnv"
                )
        if state.automatic:
            for key, places in state.keys.items():
                for site, how in places:
                    default, required = state.defaults.get(key), NO
                    if default is None:
                        around = Surroundings(self.texts, site.root, self.fields).outcome(
                            site.call, Missing()
                        )
                        default, required = around.default, around.required
                    name = state.variable(key)
                    yield self._read(name, site.root, site.call, default, required, f"viper.{how}")

    def _is_viper(self, call: s.Call, root: Declaration) -> bool:
        """A call of the package, or a method of something that may be an instance."""
        path = self._path(call.fun, root)
        if path or not isinstance(call.fun, s.Selector):
            return path == _VIPER
        type_ = static_type(call.fun.x, root, self.texts, self.asked.types)
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        if base is not None:
            return base.path == _VIPER
        return any(i.path == _VIPER for i in root.file.imports) and not self._is_from_elsewhere(
            call.fun.x, root
        )

    def _is_from_elsewhere(self, owner: s.Expr, root: Declaration) -> bool:
        """True for what functions of other libraries give, as the metadata of a call, and for fields of it."""
        while isinstance(owner, s.Selector):
            owner = owner.x
        sources: list[s.Expr | None] = [owner]
        if isinstance(owner, s.Ident):
            variable = self.texts.bindings(root).variable(owner.name, owner.start)
            sources = [source.expr for source in variable.sources] if variable is not None else []
        paths = [self._path(source.fun, root) if isinstance(source, s.Call) else "" for source in sources]
        return bool(paths) and all(
            path and path != _VIPER and self.program.package(path) is None for path in paths
        )

    def _note(self, state: _Viper, call: s.Call, root: Declaration) -> None:
        name, args = called_name(call), call.args
        if name == "SetEnvPrefix" and args:
            state.prefix = (self._texts_of(args[0], root) or [state.prefix or ""])[0]
        elif name == "AutomaticEnv":
            state.automatic = True
        elif name == "SetEnvKeyReplacer" and args:
            for inner in s.walk(args[0]):
                if isinstance(inner, s.Call) and called_name(inner) == "NewReplacer":
                    pairs = [(self._texts_of(a, root) or [""])[0] for a in inner.args]
                    state.replacements = list(zip(pairs[::2], pairs[1::2], strict=False))
        elif name == "BindEnv" and args:
            names = [(self._texts_of(a, root) or [""])[0] for a in args]
            if names[0]:
                state.bound.append((Use(root, call), [n for n in names if n]))
        elif name == "SetDefault" and len(args) == 2:
            for key in self._texts_of(args[0], root):
                state.defaults[key.lower()] = self._literal_text(args[1], root)
                state.keys.setdefault(key.lower(), []).append((Use(root, call), name))
        elif (name.startswith("Get") or name in ("IsSet", "UnmarshalKey", "InConfig")) and args:
            for key in self._texts_of(args[0], root):
                state.keys.setdefault(key.lower(), []).append((Use(root, call), name))

    # ---------------------------------------------------------------- command lines

    def cli(self) -> Iterator[Found]:
        """urfave/cli: the fields EnvVar, EnvVars and Sources of flags."""
        for root in self._roots(b"github.com/urfave/cli"):
            for node in s.walk(root.node):
                if (
                    isinstance(node, s.CompositeLit)
                    and node.type is not None
                    and _CLI.match(self._path(_base(node.type), root))
                ):
                    yield from self._flag(node, root)

    def _flag(self, node: s.CompositeLit, root: Declaration) -> Iterator[Found]:
        fields = {key.name: value for key, value in node.elements if isinstance(key, s.Ident)}
        required = fields.get("Required")
        is_required = isinstance(required, s.Ident) and required.name == "true"
        default = self._literal_text(fields["Value"], root) if "Value" in fields else None
        for name, separator in _FLAG_FIELDS.items():
            expr = fields.get(name)
            for text in dict.fromkeys(self._names_as_called(expr, root) if expr is not None else ()):
                for one in text.split(separator) if separator else [text]:
                    if one.strip() and expr is not None:
                        how = f"cli.{name}"
                        yield self._read(one.strip(), root, expr, default, YES if is_required else NO, how)

    def _names_as_called(self, expr: s.Expr, root: Declaration, calls: tuple[Called, ...] = ()) -> list[str]:
        """The names as they are written, or as the callers of the function around the flag make them.

        `calls` lead to that function, the nearest first.
        """
        with ExitStack() as stack:
            for function, site in reversed(calls):
                stack.enter_context(self.texts.called(function, site.call, site.root))
            names = self._names(expr, root)
        outermost = calls[-1][1].root if calls else root
        node = outermost.node
        if names or len(calls) >= MAX_LEVELS or not isinstance(node, s.FuncDecl) or not node.params:
            return names
        for caller in uses(self.asked.callers(outermost)[:MAX_CALLERS]):
            names += self._names_as_called(expr, root, (*calls, (node, caller)))
        return names

    def _names(self, expr: s.Expr | None, root: Declaration, depth: int = 0) -> list[str]:
        """The names in a text, a slice of texts, calls of `EnvVars` and `EnvVar` or of functions that return
        these.
        """
        if expr is None or depth > MAX_LEVELS:
            return []
        literal = self.texts.literal(expr, root)
        if literal is not None and not isinstance(expr, s.Call):
            return [t for _, value in literal[0].elements for t in self._texts_of(value, literal[1])]
        if not isinstance(expr, s.Call):
            return self._texts_of(expr, root)
        if called_name(expr) in ("EnvVars", "EnvVar"):
            return [t for a in expr.args for t in self._texts_of(a, root)]
        declared = self.texts.function(expr, root)
        value = returned(declared) if declared is not None else None
        if declared is not None and value is not None and isinstance(declared.node, s.FuncDecl):
            with self.texts.called(declared.node, expr, root):
                return self._names(value, declared, depth + 1)
        return [t for a in expr.args for t in self._names(a, root, depth + 1) if isinstance(a, s.Call)]

    def kingpin(self) -> Iterator[Found]:
        """kingpin: `.Envar("X")` or `.OverrideDefaultFromEnvar("X")` in the chain of a flag."""
        found = [
            (root, [n for n in s.walk(root.node) if isinstance(n, s.Call) and isinstance(n.fun, s.Selector)])
            for root in self._roots(b"alecthomas/kingpin")
            if any(_KINGPIN.match(i.path) for i in root.file.imports)
        ]
        only = self._named_by_default(found)
        for root, calls in found:
            application = self._named_by_default([(root, calls)]) or only
            for call in calls:
                chain = [c for c in calls if c.start == call.start]
                names: list[str] = []
                if called_name(call) in ("Envar", "OverrideDefaultFromEnvar") and call.args:
                    names = self._texts_of(call.args[0], root)
                elif application and called_name(call) == "Flag" and call.args:
                    if not any(called_name(c) in ("Envar", "NoEnvar") for c in chain):
                        names = [f"{application}_{name}" for name in self._texts_of(call.args[0], root)]
                        names = [re.sub(r"[^A-Z0-9]+", "_", name.upper()) for name in names]
                default = next((c for c in chain if called_name(c) == "Default" and c.args), None)
                text = self._literal_text(default.args[0], root) if default is not None else None
                required = YES if any(called_name(c) == "Required" for c in chain) else NO
                for name in names:
                    yield self._read(name, root, call, text, required, "kingpin.Envar")

    def _named_by_default(self, found: list[tuple[Declaration, list[s.Call]]]) -> str | None:
        """The name of an application all of whose flags have variables (`DefaultEnvars`), if there is only one."""
        if not any(called_name(c) == "DefaultEnvars" for _, calls in found for c in calls):
            return None
        names = [
            t
            for root, calls in found
            for c in calls
            if called_name(c) == "New" and c.args and _KINGPIN.match(self._path(c.fun, root))
            for t in self._texts_of(c.args[0], root)
        ]
        return names[0] if len(names) == 1 else None

    # ---------------------------------------------------------------- koanf, godotenv

    def koanf(self) -> Iterator[Found]:
        """koanf: with `env.Provider(prefix, delimiter, ...)` every key that is asked for."""
        prefixes: list[tuple[str, str]] = []
        for root in self._roots(b"knadh/koanf"):
            for node in s.walk(root.node):
                if (
                    isinstance(node, s.Call)
                    and called_name(node) in ("Provider", "ProviderWithValue")
                    and _KOANF_ENV.match(self._path(node.fun, root))
                    and len(node.args) >= 2
                ):
                    prefix = (self._texts_of(node.args[0], root) or [""])[0]
                    delimiter = (self._texts_of(node.args[1], root) or ["."])[0]
                    prefixes.append((prefix, delimiter))
        if not prefixes:
            return
        kinds = (
            "String",
            "Int",
            "Int64",
            "Bool",
            "Float64",
            "Duration",
            "Strings",
            "MustString",
            "MustInt",
            "Get",
        )
        for root in self._roots(b"knadh/koanf"):
            for node in s.walk(root.node):
                if (
                    isinstance(node, s.Call)
                    and called_name(node) in kinds
                    and node.args
                    and isinstance(node.fun, s.Selector)
                    and not self._path(node.fun, root)
                ):
                    for key in self._texts_of(node.args[0], root):
                        for prefix, delimiter in prefixes:
                            name = prefix + key.replace(delimiter or ".", "_").upper()
                            required = YES if called_name(node).startswith("Must") else NO
                            yield self._read(name, root, node, None, required, "koanf")

    def godotenv(self) -> Iterator[Found]:
        """godotenv.Read: the keys that are looked up in the map that it gives."""
        for root in self._roots(_GODOTENV.encode()):
            bindings = self.texts.bindings(root)
            for node in s.walk(root.node):
                if not isinstance(node, s.Index) or not isinstance(node.x, s.Ident) or len(node.indices) != 1:
                    continue
                variable = bindings.variable(node.x.name, node.start)
                for source in variable.sources if variable is not None else ():
                    if (
                        isinstance(source.expr, s.Call)
                        and called_name(source.expr)
                        in (
                            "Read",
                            "Unmarshal",
                            "Parse",
                        )
                        and self._path(source.expr.fun, root) == _GODOTENV
                    ):
                        for name in self._texts_of(node.indices[0], root):
                            yield self._read(name, root, node, None, NO, "godotenv.Read")


def _base(type_: s.Expr) -> s.Expr:
    return _base(type_.x) if isinstance(type_, s.Index | s.Star) else type_
