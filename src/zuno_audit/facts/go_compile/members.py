"""Fields and methods that do not exist: in literals, behind variables, and where an interface asks for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache
from posixpath import dirname

from msgspec import Struct

from zuno_audit.facts.go_compile.signatures import OPENING, first_result, parameter_types, split
from zuno_audit.facts.go_compile.sources import (
    FUNCTION,
    Fault,
    Sources,
    Use,
    in_functions,
    is_hidden,
    is_start,
    places,
)
from zuno_audit.languages.go_outline import GoFunction, GoOutline

_STRUCT = re.compile(r"struct[ \t]*\{")
_INTERFACE = re.compile(r"interface[ \t]*\{")
_TYPE = re.compile(r"(?:type)?[ \t]+([A-Za-z_]\w*)[ \t]+(?:struct|interface)[ \t]*\{")
_EMBEDDED = re.compile(r"(?:^|[\n;])[ \t]*\*?(?:\w+\.)?[A-Za-z_]\w*(?:\[[^\]]*\])?[ \t]*(?=[\n;\"]|$)")
_KEY = re.compile(r"[{,\n][ \t]*([A-Za-z_]\w*)[ \t]*:(?![=:])")
_KIND_OF = {
    "string": "text",
    "bool": "yes or no",
    **dict.fromkeys(
        "int int8 int16 int32 int64 uint uint8 uint16 uint32 uint64 byte rune float32 float64".split(),
        "a number",
    ),
}
_CONSTANT = r"(\"[^\"\n]*\"|`[^`]*`|-?\d[\w.]*|true|false|nil)"
_VALUE = re.compile(rf"[ \t]*:[ \t]*{_CONSTANT}[ \t]*(?=[,\n}}])")
_METHOD = re.compile(r"([A-Za-z_]\w*)[ \t]*\(")
_HARMLESS = re.compile(r"\b(?:mock\.Mock|sync\.(?:RW)?Mutex|suite\.Suite)\b")
_BINDS = re.compile(r"(?<![\w.])(\w+(?:[ \t]*,[ \t]*\w+)*)[ \t]*:?=(?!=)|(?<=\bvar )(\w+)")
_MAKES = re.compile(
    r"(\w+)(?:[ \t]*,[ \t]*\w+)?[ \t]*:=[ \t]*"
    r"(?:new\((?:(\w+)\.)?(\w+)\)|&?(?:(\w+)\.)?(\w+)\{|(\w+)\.(New\w*)\()"
)
# A pattern that begins with letters is searched for much faster than one that begins with a look behind.
_GIVEN_BACK = re.compile(r"return(?<![\w.]return)[ \t]+&([A-Z]?\w*)\{")
_FIELD = re.compile(r"(?:^|[\n;])[ \t]*((?:\w+[ \t]*,[ \t]*)*\w+)[ \t]+(\w+)[ \t]*(?=[\n;\"`]|$)")
_PARAMETER = re.compile(r"[(,]\s*(\w+)\s+\*?(\w+)\.([A-Z]\w*)(?=\s*[,)])")
_MADE = re.compile(r"(?<=[\n\t;{])(\w+)(?:[ \t]*,[ \t]*\w+)?[ \t]*:=[ \t]*$")
_MEMBER = re.compile(r"[A-Za-z_]\w*")


class Declared(Struct, frozen=True, dict=True):
    """The body of a struct or interface type of ours."""

    body: str

    def has(self, word: str) -> bool:
        """True when the word stands in the body: a field, a method, or something else."""
        at = self.body.find(word)
        while at >= 0:
            around = self.body[max(0, at - 1) : at] + self.body[at + len(word) : at + len(word) + 1]
            if not any(c.isalnum() or c == "_" for c in around):
                return True
            at = self.body.find(word, at + 1)
        return False

    def type_of(self, field: str) -> str:
        """The type of a field, if it is a plain name; empty when it is not, or not found."""
        return _plain_fields(self.body).get(field, "")

    @cached_property
    def embeds(self) -> bool:
        """True when the type takes over fields or methods of another one."""
        return _EMBEDDED.search(self.body) is not None


class Members:
    """What fields and methods the structs and interfaces of the repository have, and who asks for others."""

    def __init__(self, sources: Sources) -> None:
        self.sources, self.packages = sources, sources.packages
        self._makers: dict[str, list[tuple[Use, str]]] = {}
        self._types: dict[str, dict[str, list[Declared]]] = {}
        self._members_known: dict[tuple[str, str, str], bool] = {}
        self._interfaces: dict[str, dict[str, tuple[str, ...]]] = {}
        self._structs: dict[str, dict[str, list[str]]] = {}

    def faults(self, file: GoOutline) -> Iterator[Fault]:
        """What a file asks of types of the repository that they do not have."""
        yield from self._literals(file)
        yield from self._members(file)
        yield from self._arguments(file)
        yield from self._given_back(file)

    def _type(self, directory: str, name: str) -> Declared | None:
        """A struct or interface type of a package of ours; None when it is neither, or declared twice."""
        if directory not in self._types:
            found: dict[str, list[Declared]] = {}
            for one in self.sources.written(directory):
                for type_name, body in (*_types_in(one, _STRUCT), *_types_in(one, _INTERFACE)):
                    found.setdefault(type_name, []).append(Declared(body))
            self._types[directory] = found
        types = self._types[directory].get(name, [])
        return types[0] if len(types) == 1 else None

    def _literals(self, file: GoOutline) -> Iterator[Fault]:
        """Keys of composite literals that are no fields of their struct."""
        for use in self.sources.uses(file):
            closing = file.pairs.get(use.end) if file.masked.startswith("{", use.end) else None
            if closing is None or file.masked[use.at - 1] in "*]":
                continue
            declared = self._type(use.package.directory, use.name)
            name = f"{use.alias}.{use.name}"
            for fault in _literal(file, name, declared, use.end, closing) if declared is not None else ():
                if not is_hidden(file, use.alias):
                    yield fault
        own = self.packages.by_directory.get(dirname(file.path))
        if own is None or own.name != file.package:
            return
        types = {
            n: d
            for n in self.sources.names(file).built
            if (d := self._type(dirname(file.path), n)) is not None
        }
        for at, name in sorted((at, n) for n in types for at in places(file.masked, n + "{")):
            opening = at + len(name)
            closing = file.pairs.get(opening) if not at or file.masked[at - 1] not in "*]" else None
            if closing is not None:
                yield from _literal(file, name, types[name], opening, closing)

    def _members(self, file: GoOutline) -> Iterator[Fault]:
        """Fields and methods that the type of a variable does not have."""
        for function in file.functions:
            for variable, directory, name in dict.fromkeys(self._typed(file, function)):
                declared = self._type(directory, name)
                if declared is None or declared.embeds or variable in file.imports:
                    continue
                everywhere = self.sources.names(file).members.get(variable, ())
                if all(self._has_member(file, directory, name, declared, m) for m in everywhere):
                    continue
                for member, at in _members_of(file, function, variable):
                    if self._has_member(file, directory, name, declared, member):
                        continue
                    if _is_set(file, function, variable, int(variable != function.receiver_name)):
                        break  # its type is not clear, whatever the member
                    yield Fault(file.path, file.line(at), f"{name} has no field or method {member}")
                    return

    def _arguments(self, file: GoOutline) -> Iterator[Fault]:
        """Arguments that lack a method of the interface that a function of ours asks for."""
        for use in self.sources.uses(file):
            closing = file.pairs.get(use.end) if file.masked.startswith("(", use.end) else None
            declared = self.sources.functions(use.package.directory).get(use.name, [])
            if closing is None or len(declared) != 1 or declared[0][1].receiver:
                continue
            other, function = declared[0]
            wanted = [self._interface_of(other, name) for name in parameter_types(function.signature)]
            given = split(file.masked[use.end + 1 : closing]) if any(wanted) else []
            for argument, methods in zip(given, wanted, strict=False) if len(given) == len(wanted) else ():
                missing = self._lacks(file, use.at, argument, methods)
                if missing and not is_hidden(file, use.alias):
                    why = f"{argument} has no method {missing}, which {use.alias}.{use.name} asks for"
                    yield Fault(file.path, file.line(use.at), why)

    def _given_back(self, file: GoOutline) -> Iterator[Fault]:
        """Structs that a function returns as an interface of ours, a method of which they lack."""
        for function, match in in_functions(file, _GIVEN_BACK):
            methods = self._interface_of(file, first_result(function.signature))
            missing = self._misses(dirname(file.path), match.group(1), methods) if methods else ""
            if missing and FUNCTION.search(file.masked, function.opening, function.closing) is None:
                why = f"{match.group(1)} has no method {missing}, which the result of {function.name} has"
                yield Fault(file.path, file.line(match.start()), why)

    def _interface_of(self, file: GoOutline, type_name: str) -> tuple[str, ...]:
        """The methods of an interface of ours as a file names it; empty when it is none."""
        alias, _, name = type_name.rpartition(".")
        place = self.packages.at(file.imports.get(alias, "")) if alias else None
        directory = place.directory if place is not None else "" if alias else dirname(file.path)
        return self._interface(directory, name) if directory and name else ()

    def _lacks(self, file: GoOutline, at: int, argument: str, methods: tuple[str, ...]) -> str:
        """The first of the methods of an interface that the struct in a variable of ours lacks, if certain."""
        made = _made(file, at, argument) if methods and _MEMBER.fullmatch(argument) else None
        if made is None:
            return ""
        package, kind, is_constructor = made
        own = self.packages.at(file.imports.get(package, "")) if package else None
        folder = dirname(file.path) if not package else own.directory if own is not None else None
        if is_constructor and folder is not None:
            makers = self.sources.functions(folder).get(kind, [])
            kind = first_result(makers[0][1].signature) if len(makers) == 1 else ""
        return self._misses(folder, kind, methods) if folder is not None else ""

    def _misses(self, folder: str, kind: str, methods: tuple[str, ...]) -> str:
        """The first of these methods that a struct of ours lacks; empty when it has all, or it is not certain."""
        if not kind or "." in kind or not self._is_plain_struct(folder, kind):
            return ""
        have = {f.name for o in self.sources.every(folder) for f in o.functions if f.receiver == kind}
        return next((m for m in methods if m not in have), "") if have else ""

    def _interface(self, directory: str, name: str) -> tuple[str, ...]:
        """The methods of an interface of a package of ours; empty when they are not all written there."""
        if directory not in self._interfaces:
            found: dict[str, list[str]] = {}
            hidden = self.sources.has_hidden_code(directory)
            for one in self.sources.written(directory) if not hidden else ():
                for type_name, body in _types_in(one, _INTERFACE):
                    found.setdefault(type_name, []).append(body)
            self._interfaces[directory] = {n: _methods_of(b[0]) for n, b in found.items() if len(b) == 1}
        return self._interfaces[directory].get(name, ())

    def _is_plain_struct(self, directory: str, name: str) -> bool:
        """True when a struct of ours is declared once and embeds nothing whose methods matter."""
        if directory not in self._structs:
            found: dict[str, list[str]] = {}
            hidden = any(self.packages.heads[p].constraint for p in self.sources.files_in(directory))
            for one in self.sources.every(directory) if not hidden else ():
                for type_name, body in _types_in(one, _STRUCT):
                    found.setdefault(type_name, []).append(body)
            self._structs[directory] = found
        bodies = self._structs[directory].get(name, [])
        return len(bodies) == 1 and not Declared(_HARMLESS.sub("", bodies[0])).embeds

    def _has_member(
        self, file: GoOutline, directory: str, name: str, declared: Declared, member: str
    ) -> bool:
        key = (directory, name, member)
        if key not in self._members_known:
            self._members_known[key] = declared.has(member) or any(
                f.receiver == name for _, f in self.sources.functions(directory).get(member, ())
            )
        if self._members_known[key]:
            return True
        more = (
            self.sources.has_hidden_code(directory) or dirname(file.path) == directory
        )  # tests may add to a type
        return more and self.sources.declares(directory, member)

    def _typed(self, file: GoOutline, function: GoFunction) -> Iterator[tuple[str, str, str]]:
        """(variable, folder, type) of receiver, parameters and results of our constructors, if it is ours."""
        if function.receiver_name and function.receiver and not file.path.endswith("_test.go"):
            yield function.receiver_name, dirname(file.path), function.receiver
        uses = self.sources.uses(file)
        for signature in (function.signature, *_literal_signatures(file, function)) if uses else ():
            for match in _PARAMETER.finditer(signature):
                package = self.packages.at(file.imports.get(match.group(2), ""))
                if package is not None:
                    yield match.group(1), package.directory, match.group(3)
        for use, variable in self._made_in(file, function):
            made = self.sources.functions(use.package.directory).get(use.name, [])
            if len(made) == 1 and not made[0][1].receiver:
                qualifier, _, name = first_result(made[0][1].signature).rpartition(".")
                package = use.package
                if qualifier:
                    package = self.packages.at(made[0][0].imports.get(qualifier, ""))
                if name and package is not None:
                    yield variable, package.directory, name

    def _made_in(self, file: GoOutline, function: GoFunction) -> list[tuple[Use, str]]:
        """The calls of functions of our packages in a function whose first result has a variable, with its name."""
        if file.path not in self._makers:
            found = []
            for use in self.sources.uses(file):
                closing = file.pairs.get(use.end, 0) if file.masked.startswith("(", use.end) else 0
                if closing and file.masked[closing + 1 : closing + 2] in ("\n", ";"):
                    line = max(0, file.masked.rfind("\n", 0, use.at))
                    if variable := _MADE.search(file.masked, line, use.at):
                        found.append((use, variable.group(1)))
            self._makers[file.path] = sorted(found, key=lambda made: made[0].at)
        return [m for m in self._makers[file.path] if function.opening < m[0].at < function.closing]


def _types_in(file: GoOutline, kind: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """The structs or the interfaces that are declared in a file, with what stands in their braces."""
    for match in kind.finditer(file.masked):
        declared = _TYPE.match(file.masked, file.masked.rfind("\n", 0, match.start()) + 1)
        closing = file.pairs.get(match.end() - 1)
        if declared is not None and declared.end() == match.end() and closing is not None:
            yield declared.group(1), file.masked[match.end() : closing]


def _methods_of(body: str) -> tuple[str, ...]:
    """The methods of an interface; empty when something else is in it."""
    lines = [line.strip() for line in body.split("\n")]
    outer = [line for line in lines if line and not line.startswith(("//", ")", "}"))]
    methods = [match.group(1) for line in outer if (match := _METHOD.match(line))]
    return tuple(methods) if len(methods) == len(outer) else ()


def _made(file: GoOutline, at: int, variable: str) -> tuple[str, str, bool] | None:
    """(package name, type, False) of what a variable holds where it is made as `new(T)`, `&T{}` or `T{}` before a
    place of the same function, (package name, function, True) where a constructor makes it; None when it is made
    otherwise, or more than once."""
    function = next((f for f in file.functions if f.opening < at < f.closing), None)
    if function is None:
        return None
    bound = 0
    found = None
    for match in _BINDS.finditer(file.masked, function.opening, at):
        if variable in (match.group(1) or match.group(2)).replace(",", " ").split():
            bound += 1
            found = _MAKES.match(file.masked, match.start())
    if bound != 1 or found is None or found.group(1) != variable:
        return None
    if found.group(7):
        return found.group(6), found.group(7), True
    return found.group(2) or found.group(4) or "", found.group(3) or found.group(5), False


def _literal(file: GoOutline, name: str, declared: Declared, opening: int, closing: int) -> Iterator[Fault]:
    """The keys of a composite literal that are no fields, and constants of the wrong kind."""
    for key, where in _keys(file, opening, closing):
        if not declared.has(key):
            yield Fault(file.path, file.line(where), f"{name} has no field {key}")
        elif (value := _VALUE.match(file.masked, where + len(key))) and file.text[value.start(1)] != "'":
            wrong = _misfit(declared.type_of(key), value.group(1))
            if wrong:
                yield Fault(file.path, file.line(where), f"{key} of {name} is {wrong}")


@lru_cache(maxsize=4096)
def _plain_fields(body: str) -> dict[str, str]:
    """The fields of a struct whose type is a plain name, with that name."""
    return {name.strip(): type_name for names, type_name in _FIELD.findall(body) for name in names.split(",")}


def _misfit(type_name: str, value: str) -> str:
    """What a constant as written is, and what it should be, when it fits no variable of a predeclared type."""
    if type_name not in _KIND_OF:
        return ""
    wanted = _KIND_OF[type_name]
    if value[0] in '"`':
        given = "text"
    else:
        given = {"true": "yes or no", "false": "yes or no", "nil": "nil"}.get(value, "a number")
    return "" if given == wanted else f"{wanted}, not {given}"


def _keys(file: GoOutline, opening: int, closing: int) -> Iterator[tuple[str, int]]:
    """The keys of a composite literal, those of literals inside left out."""
    at = opening
    while (match := _KEY.search(file.masked, at, closing)) is not None:
        between = OPENING.finditer(file.masked, max(at, opening + 1), match.start(1))
        around = next((c for o in between if (c := file.pairs.get(o.start(), 0)) > match.start(1)), None)
        if around is not None:
            at = around
            continue
        yield match.group(1), match.start(1)
        at = match.end(1)


def _literal_signatures(file: GoOutline, function: GoFunction) -> Iterator[str]:
    """The parameters of the function literals in a function, with their brackets."""
    at = file.masked.find("func(", function.opening, function.closing)
    while at >= 0:
        closing = file.pairs.get(at + 4)
        if closing is not None:
            yield file.masked[at + 4 : closing + 1]
        at = file.masked.find("func(", at + 5, function.closing)


def _members_of(file: GoOutline, function: GoFunction, variable: str) -> Iterator[tuple[str, int]]:
    prefix = variable + "."
    at = file.masked.find(prefix, function.opening, function.closing)
    while at >= 0:
        if is_start(file.masked, at):
            name = _MEMBER.match(file.masked, at + len(prefix))
            if name is not None:
                yield name.group(), at
        at = file.masked.find(prefix, at + 1, function.closing)


def _is_set(file: GoOutline, function: GoFunction, variable: str, times: int = 0) -> bool:
    """True when the name is bound more often than that in a function, so that its type is not clear."""
    text = function.signature + file.masked[function.opening : function.closing]
    bound = (
        rf"(?<![\w.]){variable}\b(?:[ \t]*,[ \t]*\w+)*[ \t]*:=|,[ \t]*{variable}[ \t]*(?:,[ \t]*\w+[ \t]*)*:="
    )
    type_ = r"(?:\*|\[\w*\]|map\b|func\b|chan\b|\w+\.)*[A-Za-z_]\w*"
    bound += rf"|\bvar[ \t]+{variable}\b|\b{variable}[ \t]+{type_}[ \t]*[,)]"
    return len(re.findall(bound, text)) > times
