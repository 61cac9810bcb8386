"""Environment variables that libraries read into the fields of a struct, by tags or by field names.

Sources: the documentation of github.com/kelseyhightower/envconfig, github.com/caarlos0/env,
github.com/ilyakaznacheev/ cleanenv and github.com/sethvargo/go-envconfig. A struct counts when it is handed
to a function of the library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.facts.env_read import EnvRead
from zuno_audit.facts.go.bindings import called_name
from zuno_audit.facts.go.env_defaults import Surroundings
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
    from zuno_audit.facts.go.types import Type

MAX_DEPTH = 6  # structs inside structs
MAX_LEVELS = 3  # functions between the library and the call that knows the struct
_TAG = re.compile(r'([\w-]+):"((?:[^"\\]|\\.)*)"')
_VERSION = r"(?:/v\d+)?"
_WORDS = re.compile(r"([A-Z]+(?=[A-Z][a-z]|\d*$|_)|[A-Z]?[a-z0-9]+|[A-Z]+\d*)")


class _Field(Struct, frozen=True):
    """What one library makes of one field: names, default, whether it must be there, and the prefix below
    it.
    """

    names: tuple[str, ...] = ()
    default: str | None = None
    required: bool = False
    below: str | None = None  # prefix of the fields of a nested struct; None when it is not looked into


class _Library:
    """How one library reads structs. `functions` maps its functions to the index of the struct argument."""

    path = re.compile("")
    literal = b""
    functions: ClassVar[Mapping[str, int]] = {}
    parses_strictly = True  # numbers, truth values and durations as packages strconv and time do

    def asked_by(self, call: s.Call, texts: Texts, root: Declaration) -> _Library:
        """The library as the options of a call want it."""
        return self

    def prefix(self, call: s.Call, texts: Texts, root: Declaration) -> str:
        """The prefix of all names that a call asks for."""
        return ""

    def field(self, name: str, tags: dict[str, str], embedded: bool, prefix: str, is_struct: bool) -> _Field:
        """What the library makes of a field."""
        raise NotImplementedError


class _Kelsey(_Library):
    path = re.compile(r"github\.com/kelseyhightower/envconfig$|github\.com/vrischmann/envconfig$")
    literal = b'/envconfig"'
    functions: ClassVar[Mapping[str, int]] = {"Process": 1, "MustProcess": 1}

    def prefix(self, call: s.Call, texts: Texts, root: Declaration) -> str:
        return (texts.constants(call.args[0], root) or [""])[0].upper() if call.args else ""

    def field(self, name: str, tags: dict[str, str], embedded: bool, prefix: str, is_struct: bool) -> _Field:
        if tags.get("ignored") == "true" or not name[:1].isupper():
            return _Field()
        alternative = tags.get("envconfig", "").upper()
        own = "_".join(_WORDS.findall(name)) if tags.get("split_words") == "true" else name
        key = alternative or own.upper()
        full = f"{prefix}_{key}" if prefix else key
        if is_struct:
            return _Field(below=prefix if embedded else full)
        names = (full, alternative) if alternative and alternative != full else (full,)
        return _Field(names, tags.get("default"), tags.get("required") == "true")


class _Caarlos(_Library):
    path = re.compile(r"github\.com/caarlos0/env" + _VERSION + "$")
    literal = b"caarlos0/env"
    functions: ClassVar[Mapping[str, int]] = {
        "Parse": 0,
        "ParseWithOptions": 0,
        "ParseWithFuncs": 0,
        "ParseAs": -1,
        "ParseAsWithOptions": -1,
    }

    def __init__(self, names_fields: bool = False, requires: bool = False) -> None:
        self.names_fields, self.requires = names_fields, requires

    def asked_by(self, call: s.Call, texts: Texts, root: Declaration) -> _Library:
        options = _options(call, texts, root)
        on = {key for key, value in options.items() if isinstance(value, s.Ident) and value.name == "true"}
        return _Caarlos("UseFieldNameByDefault" in on, "RequiredIfNoDef" in on)

    def prefix(self, call: s.Call, texts: Texts, root: Declaration) -> str:
        value = _options(call, texts, root).get("Prefix")
        return (texts.constants(value, root) or [""])[0] if value is not None else ""

    def field(self, name: str, tags: dict[str, str], embedded: bool, prefix: str, is_struct: bool) -> _Field:
        own, _, options = tags.get("env", "").partition(",")
        if self.names_fields and not own and not is_struct and name[:1].isupper():
            own = _name_of(name)
        default = tags.get("envDefault")
        required = bool({"required", "notEmpty"} & set(options.split(",")))
        below = prefix + tags.get("envPrefix", "") if is_struct else None
        names = (prefix + own,) if own and own != "-" else ()
        return _Field(names, default, required or (self.requires and default is None), below)


def _options(call: s.Call, texts: Texts, root: Declaration) -> dict[str, s.Expr]:
    """The fields of the options that a call of caarlos0/env has among its arguments."""
    literals = [texts.literal(argument, root) for argument in call.args[-1:]]
    elements = literals[0][0].elements if literals and literals[0] is not None else ()
    return {key.name: value for key, value in elements if isinstance(key, s.Ident)}


def _name_of(field: str) -> str:
    """The variable that caarlos0/env reads for a field without a tag: words with `_` between them."""
    out = ""
    for i, letter in enumerate(field):
        starts = letter.isupper() and i + 1 < len(field)
        if out and starts and (field[i + 1].islower() or field[i - 1].islower()):
            out += "_"
        out += letter.upper() if letter != "_" else ""
    return out


class _Cleanenv(_Library):
    path = re.compile(r"github\.com/ilyakaznacheev/cleanenv$")
    literal = b"ilyakaznacheev/cleanenv"
    functions: ClassVar[Mapping[str, int]] = {"ReadEnv": 0, "ReadConfig": 1, "UpdateEnv": 0}

    def field(self, name: str, tags: dict[str, str], embedded: bool, prefix: str, is_struct: bool) -> _Field:
        names = tuple(prefix + n.strip() for n in tags.get("env", "").split(",") if n.strip())
        required = tags.get("env-required", "false").lower() in ("true", "1", "t")
        below = prefix + tags.get("env-prefix", "") if is_struct else None
        return _Field(names, tags.get("env-default"), required, below)


class _Sethvargo(_Library):
    path = re.compile(r"github\.com/sethvargo/go-envconfig(?:/pkg/envconfig)?$")
    literal = b"sethvargo/go-envconfig"
    functions: ClassVar[Mapping[str, int]] = {"Process": 1, "ProcessWith": 1, "MustProcess": 1}

    def prefix(self, call: s.Call, texts: Texts, root: Declaration) -> str:
        for inner in s.walk(call):
            if isinstance(inner, s.Call) and called_name(inner) == "PrefixLookuper" and inner.args:
                return (texts.constants(inner.args[0], root) or [""])[0]
        return ""

    def field(self, name: str, tags: dict[str, str], embedded: bool, prefix: str, is_struct: bool) -> _Field:
        own, *options = [part.strip() for part in tags.get("env", "").split(",")]
        default = next((o.partition("=")[2] for o in options if o.startswith("default=")), None)
        below = next((o.partition("=")[2] for o in options if o.startswith("prefix=")), "")
        return _Field(
            (prefix + own,) if own else (),
            default,
            "required" in options,
            prefix + below if is_struct else None,
        )


class _Tagged(_Library):
    """Command lines that take values from the environment: kong, go-arg, go-flags."""

    path = re.compile(r"github\.com/(?:alecthomas/kong|alexflint/go-arg|jessevdk/go-flags)$")
    literal = b"github.com/"
    parses_strictly = False
    functions: ClassVar[Mapping[str, int]] = {"Parse": 0, "MustParse": 0, "New": 0, "Must": 0, "NewParser": 0}

    def field(self, name: str, tags: dict[str, str], embedded: bool, prefix: str, is_struct: bool) -> _Field:
        names = tags.get("env", "").split(",")
        options = tags.get("arg", "").split(",")
        names += [
            o.partition(":")[2] or _snake(name) for o in options if o.partition(":")[0].strip() == "env"
        ]
        required = "required" in tags or "required" in options
        found = tuple(prefix + n.strip() for n in names if n.strip())
        return _Field(found, tags.get("default"), required, prefix if is_struct else None)


def _basic_type(type_: Type) -> str:
    if type_.kind == "extern" and (type_.path, type_.name) == ("time", "Duration"):
        return "time.Duration"
    return type_.name if type_.kind == "basic" else ""


def _snake(name: str) -> str:
    return "_".join(_WORDS.findall(name)).upper()


_LIBRARIES: tuple[_Library, ...] = (_Kelsey(), _Caarlos(), _Cleanenv(), _Sethvargo(), _Tagged())


def tag_reads(asked: Analysis, texts: Texts) -> list[tuple[EnvRead, int]]:
    """The fields that libraries fill from the environment, each with the byte offset of the field or call."""
    return list(_Tags(asked, texts).reads())


class _Tags:
    """Finds the structs that are handed to the libraries, and walks their fields."""

    def __init__(self, asked: Analysis, texts: Texts) -> None:
        self.asked, self.texts = asked, texts
        self.program, self.types = asked.program, asked.types

    def reads(self) -> Iterator[tuple[EnvRead, int]]:
        """All fields that are read."""
        for library in _LIBRARIES:
            for path in self.asked.search.own_files_with(library.literal):
                file = (
                    self.program.file(path)
                    if is_go_tool_file(path) and self._imports(path, library)
                    else None
                )
                package = self.program.package_of(path)
                if file is None or package is None or path not in package.files:
                    continue
                for name, index in library.functions.items():
                    for site in uses(self.asked.search.calls_named(file, package, name)):
                        if self._is_of(site, library):
                            yield from self._site(site, library, index)

    def _imports(self, path: str, library: _Library) -> bool:
        data = self.program.repository.read(path) or b""
        return re.search(rb'"' + library.path.pattern.replace("$", "").encode() + rb'"', data) is not None

    def _is_of(self, site: Use, library: _Library) -> bool:
        fun = site.call.fun.x if isinstance(site.call.fun, s.Index) else site.call.fun
        if not isinstance(fun, s.Selector) or not isinstance(fun.x, s.Ident):
            return False
        path = self.program.imported(site.root.file).get(fun.x.name)
        return path is not None and library.path.match(path) is not None

    def _site(self, site: Use, library: _Library, index: int) -> Iterator[tuple[EnvRead, int]]:
        library = library.asked_by(site.call, self.texts, site.root)
        prefix = library.prefix(site.call, self.texts, site.root)
        mechanism = self._mechanism(site)
        if index < 0:
            argument: s.Expr | None = site.call.fun.indices[0] if isinstance(site.call.fun, s.Index) else None
            type_ = self.types.resolve(argument, site.root.file, site.root.package)
            yield from self._struct(type_, library, prefix, mechanism, site, 0)
        elif index < len(site.call.args):
            filled = self._filled(site.call.args[index], site.root, 0)
            for type_ in self._types_of(site.call.args[index], site.root, 0):
                for read, offset in self._struct(type_, library, prefix, mechanism, site, 0):
                    yield self._with_default(read, type_, filled), offset

    def _filled(self, expr: s.Expr, root: Declaration, level: int) -> dict[str, str | None]:
        """The fields that a struct has values in before the library reads it, with their texts."""
        match expr:
            case s.Unary(op="&", x=x):
                return self._filled(x, root, level)
            case s.CompositeLit(elements=elements):
                around = Surroundings(self.texts, root, lambda *_: None)
                return {k.name: around.text(v) for k, v in elements if isinstance(k, s.Ident)}
            case s.Ident():
                variable = self.texts.bindings(root).variable(expr.name, expr.start)
                sources = [x for x in variable.sources if x.kind != "address"] if variable is not None else []
                if len(sources) == 1 and sources[0].kind == "value" and sources[0].expr is not None:
                    return self._filled(sources[0].expr, root, level)
            case s.Call() if level < MAX_LEVELS:
                declared = self.texts.function(expr, root)
                value = returned(declared) if declared is not None else None
                if declared is not None and value is not None:
                    return self._filled(value, declared, level + 1)
        return {}

    def _with_default(self, read: EnvRead, type_: Type | None, filled: dict[str, str | None]) -> EnvRead:
        """A read with what its field holds before as the default, unless the tag gives one."""
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        under = self.types.underlying(base) if base is not None and filled else None
        if under is None or under.file is None or read.default is not None:
            return read
        for field in self.types.fields(base) if base is not None else ():
            if field.name in filled and under.file.location(field.start, field.end) == read.location:
                return replace(read, default=filled[field.name])
        return read

    @staticmethod
    def _mechanism(site: Use) -> str:
        fun = site.call.fun
        return site.root.file.data[fun.start : fun.end].decode("utf-8", "replace").partition("[")[0]

    def _types_of(self, expr: s.Expr, root: Declaration, level: int) -> list[Type | None]:
        """The types that an argument may have; a parameter has those of the callers' arguments."""
        file, package = root.file, root.package
        match expr:
            case s.Unary(op="&", x=x):
                return self._types_of(x, root, level)
            case s.CompositeLit(type=type_):
                target = next(
                    (v for k, v in expr.elements if isinstance(k, s.Ident) and k.name == "Target"), None
                )
                if target is not None:
                    return self._types_of(target, root, level)
                return [self.types.resolve(type_, file, package)]
            case s.Call(fun=s.Ident(name="new"), args=[type_]):
                return [self.types.resolve(type_, file, package)]
            case s.Call():
                return [static_type(expr, root, self.texts, self.types)]
            case s.Selector(x=x, sel=sel):
                owners = self._types_of(x, root, level)
                return [self.types.field_type(owner, sel) for owner in owners if owner is not None]
            case s.Ident():
                return self._variable(expr, root, level)
        return []

    def _variable(self, expr: s.Ident, root: Declaration, level: int) -> list[Type | None]:
        variable = self.texts.bindings(root).variable(expr.name, expr.start)
        if variable is None:
            declared = root.package.declaration(expr.name)
            if declared is None or not isinstance(declared.node, s.ValueSpec):
                return []
            if declared.node.type is not None:
                return [self.types.resolve(declared.node.type, declared.file, declared.package)]
            return [t for value in declared.node.values for t in self._types_of(value, declared, level)]
        source = variable.sources[0]
        if variable.type is not None:
            known = self.types.resolve(variable.type, root.file, root.package)
            base = known.elem if known is not None and known.kind == "pointer" else known
            if base is not None and self.types.fields(base):
                return [base]
        if source.kind == "param" and source.function is root.node and level < MAX_LEVELS:
            return [
                type_
                for caller in uses(self.asked.callers(root))
                if source.index < len(caller.call.args)
                for type_ in self._types_of(caller.call.args[source.index], caller.root, level + 1)
            ]
        if source.kind == "zero" and variable.type is not None:
            return self._type_parameter(variable.type, root)
        return self._types_of(source.expr, root, level) if source.kind == "value" and source.expr else []

    def _type_parameter(self, type_: s.Expr, root: Declaration) -> list[Type | None]:
        """`var cfg T` in a generic function: the types that its callers instantiate it with."""
        node = root.node
        if (
            not isinstance(node, s.FuncDecl)
            or not isinstance(type_, s.Ident)
            or type_.name not in node.type_params
        ):
            return []
        index = node.type_params.index(type_.name)
        return [
            self.types.resolve(caller.call.fun.indices[index], caller.root.file, caller.root.package)
            for caller in uses(self.asked.callers(root))
            if isinstance(caller.call.fun, s.Index) and index < len(caller.call.fun.indices)
        ]

    def _struct(
        self, type_: Type | None, library: _Library, prefix: str, mechanism: str, site: Use, depth: int
    ) -> Iterator[tuple[EnvRead, int]]:
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        under = self.types.underlying(base) if base is not None else None
        if under is None or depth > MAX_DEPTH or not isinstance(under.node, s.StructType):
            return
        assert under.file is not None and under.package is not None
        for field in under.node.fields:
            inner = self.types.resolve(field.type, under.file, under.package)
            target = inner.elem if inner is not None and inner.kind == "pointer" else inner
            is_struct = target is not None and bool(self.types.fields(target))
            found = library.field(
                field.name, dict(_TAG.findall(field.tag)), field.embedded, prefix, is_struct
            )
            for name in found.names:
                location = under.file.location(field.start, field.end)
                required = YES if found.required else NO
                read = EnvRead(name, location, found.default, required, mechanism, code=site.root.file.path)
                if library.parses_strictly and target is not None:
                    read = replace(read, type=_basic_type(target))
                yield read, site.call.start
            if found.below is not None:
                yield from self._struct(inner, library, found.below, mechanism, site, depth + 1)
