"""Environment variables that configuration and command-line libraries read: viper, urfave/cli, kingpin,
koanf, godotenv.

Sources: the documentation of github.com/spf13/viper, github.com/urfave/cli (v1 to v3),
github.com/alecthomas/kingpin, github.com/knadh/koanf and github.com/joho/godotenv.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct, field

from zuno_audit.facts.env_read import EnvRead
from zuno_audit.facts.go.bindings import called_name
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.search import Use
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

Found = tuple[EnvRead, int]


def flag_reads(asked: Analysis, texts: Texts) -> list[Found]:
    """All reads, each with the byte offset of its call."""
    flags = _Flags(asked, texts)
    return [*flags.viper(), *flags.cli(), *flags.kingpin(), *flags.koanf(), *flags.godotenv()]


class _Viper(Struct):
    """What the calls of one program say: the prefix, whether all keys are looked up, keys and defaults."""

    prefix: str = ""
    automatic: bool = False
    unmarshals: bool = False
    replacements: list[tuple[str, str]] = field(default_factory=list)
    keys: dict[str, tuple[Use, str]] = field(default_factory=dict)
    bound: list[tuple[Use, list[str]]] = field(default_factory=list)
    defaults: dict[str, str | None] = field(default_factory=dict)

    def variable(self, key: str) -> str:
        """The variable of a key: the prefix, upper case, then the replacements."""
        name = f"{self.prefix}_{key}".upper() if self.prefix else key.upper()
        for old, new in self.replacements:
            name = name.replace(old, new)
        return name


class _Flags:
    """One pass per library over the files that import it."""

    def __init__(self, asked: Analysis, texts: Texts) -> None:
        self.asked, self.texts = asked, texts
        self.program = asked.program

    def _roots(self, literal: bytes) -> Iterator[Declaration]:
        """Every function and variable of the files whose imports hold a literal."""
        for path in self.asked.search.files_with(literal):
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
        constants = self._texts_of(expr, root)
        if constants:
            return constants[0]
        if isinstance(expr, s.BasicLit):
            return str(expr.value)
        return expr.name if isinstance(expr, s.Ident) and expr.name in ("true", "false") else None

    # ---------------------------------------------------------------- viper

    def viper(self) -> Iterator[Found]:
        """viper: BindEnv, and with AutomaticEnv every key that is asked for (or has a default, for
        Unmarshal).
        """
        state = _Viper()
        for root in self._roots(_VIPER.encode()):
            for node in s.walk(root.node):
                if (
                    isinstance(node, s.Call)
                    and isinstance(node.fun, s.Selector)
                    and self._is_viper(node, root)
                ):
                    self._note(state, node, root)
        for site, names in state.bound:
            key, given = names[0], names[1:]
            for name in given or [state.variable(key)]:
                yield self._read(
                    name, site.root, site.call, state.defaults.get(key.lower()), NO, "viper.BindEnv"
                )
        if state.automatic:
            for key, (site, how) in state.keys.items():
                default = state.defaults.get(key)
                yield self._read(state.variable(key), site.root, site.call, default, NO, f"viper.{how}")

    def _is_viper(self, call: s.Call, root: Declaration) -> bool:
        """A call of the package, or a method of something that is not a package (an instance, likely)."""
        path = self._path(call.fun, root)
        return path == _VIPER if path else any(i.path == _VIPER for i in root.file.imports)

    def _note(self, state: _Viper, call: s.Call, root: Declaration) -> None:
        name, args = called_name(call), call.args
        if name == "SetEnvPrefix" and args:
            state.prefix = (self._texts_of(args[0], root) or [state.prefix])[0]
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
                state.keys.setdefault(key.lower(), (Use(root, call), name))
        elif (name.startswith("Get") or name in ("IsSet", "UnmarshalKey", "InConfig")) and args:
            for key in self._texts_of(args[0], root):
                state.keys.setdefault(key.lower(), (Use(root, call), name))

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
            for text in self._names(fields.get(name), root):
                for one in text.split(separator) if separator else [text]:
                    if one.strip():
                        how = f"cli.{name}"
                        yield self._read(one.strip(), root, node, default, YES if is_required else NO, how)

    def _names(self, expr: s.Expr | None, root: Declaration) -> list[str]:
        """The names in a text, a slice of texts, or calls of `EnvVars` and `EnvVar`."""
        if expr is None:
            return []
        literal = self.texts.literal(expr, root)
        if literal is not None and not isinstance(expr, s.Call):
            return [t for _, value in literal[0].elements for t in self._texts_of(value, literal[1])]
        if isinstance(expr, s.Call):
            if called_name(expr) in ("EnvVars", "EnvVar"):
                return [t for a in expr.args for t in self._texts_of(a, root)]
            return [t for a in expr.args for t in self._names(a, root) if isinstance(a, s.Call)]
        return self._texts_of(expr, root)

    def kingpin(self) -> Iterator[Found]:
        """kingpin: `.Envar("X")` or `.OverrideDefaultFromEnvar("X")` in the chain of a flag."""
        for root in self._roots(b"alecthomas/kingpin"):
            if not any(_KINGPIN.match(i.path) for i in root.file.imports):
                continue
            calls = [n for n in s.walk(root.node) if isinstance(n, s.Call) and isinstance(n.fun, s.Selector)]
            for call in calls:
                if called_name(call) in ("Envar", "OverrideDefaultFromEnvar") and call.args:
                    chain = [c for c in calls if c.start == call.start]
                    default = next((c for c in chain if called_name(c) == "Default" and c.args), None)
                    text = self._literal_text(default.args[0], root) if default is not None else None
                    required = YES if any(called_name(c) == "Required" for c in chain) else NO
                    for name in self._texts_of(call.args[0], root):
                        yield self._read(name, root, call, text, required, "kingpin.Envar")

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
