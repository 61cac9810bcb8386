"""GraphQL schema and operations as plain data, and the check of one against the other.

A small reader of our own: the audit starts from nothing each time, and importing a full GraphQL library
costs more than everything it would do here. It follows the June 2018 grammar of both languages and the
validation rules that decide whether a server accepts an operation: fields, arguments, input objects,
literals, variables, fragments. Rules that only matter to a running client (overlapping selections, lone
anonymous operations) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

MAX_DEPTH = 60  # nesting of selections and values that is still read; deeper is a syntax error
BUILT_IN_SCALARS = ("Int", "Float", "String", "Boolean", "ID")
ROOTS = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}

_TOKEN = re.compile(
    r'(?P<skip>[\s,\ufeff]+|\#[^\n]*)|(?P<block>"""(?:\\"""|(?!""").)*""")|(?P<string>"(?:\\.|[^"\\\n])*")'
    r"|(?P<float>-?\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+))|(?P<int>-?\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<punct>\.\.\.|[!$&()=:@\[\]{|}])",
    re.DOTALL | re.ASCII,
)
_DEFINITIONS = frozenset(
    ("schema", "type", "interface", "union", "enum", "input", "scalar", "directive", "extend")
)


class GraphQLSyntaxError(ValueError):
    """The text is not GraphQL. `line` is 1-based."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class TypeRef(Struct, frozen=True):
    """A reference to a type: a name, or a list of another reference."""

    name: str
    of: TypeRef | None = None
    non_null: bool = False

    @property
    def base(self) -> str:
        """The name below all list wrappers."""
        return self.name if self.of is None else self.of.base

    def __str__(self) -> str:
        return (self.name if self.of is None else f"[{self.of}]") + ("!" if self.non_null else "")


class InputValue(Struct, frozen=True):
    """An argument, or a field of an input object."""

    name: str
    type: TypeRef
    has_default: bool

    @property
    def is_required(self) -> bool:
        return self.type.non_null and not self.has_default


class SchemaField(Struct, frozen=True):
    """A field of an object or interface, and where it is declared."""

    name: str
    type: TypeRef
    arguments: Mapping[str, InputValue]
    path: str
    line: int


class SchemaType(Struct):
    """A type with everything its definition and extensions give it. `kind` is the keyword that defines it."""

    kind: str
    name: str
    fields: dict[str, SchemaField] = field(default_factory=dict)
    inputs: dict[str, InputValue] = field(default_factory=dict)
    values: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)

    @property
    def is_input(self) -> bool:
        return self.kind in ("scalar", "enum", "input")

    @property
    def is_composite(self) -> bool:
        return self.kind in ("type", "interface", "union")


class Schema(Struct):
    """All types of a schema by name, and the names of its root types."""

    types: dict[str, SchemaType]
    roots: dict[str, str]

    def root(self, operation: str) -> SchemaType | None:
        """The type that answers queries, mutations or subscriptions."""
        return self.types.get(self.roots[operation])


class Value(Struct, frozen=True):
    """A literal or a variable. `kind`: int float string boolean null enum list object variable elided."""

    kind: str
    line: int
    text: str = ""
    items: tuple[Value, ...] = ()
    fields: tuple[tuple[str, Value], ...] = ()


class Selection(Struct, frozen=True):
    """A field, a fragment spread or an inline fragment. `kind`: field spread inline."""

    kind: str
    name: str
    line: int
    arguments: tuple[tuple[str, Value], ...] = ()
    selections: tuple[Selection, ...] | None = None


class Operation(Struct, frozen=True):
    """An operation or (kind `fragment`, with `condition`) a fragment definition."""

    kind: str
    name: str
    line: int
    variables: Mapping[str, InputValue]
    selections: tuple[Selection, ...]
    condition: str = ""


class GraphQLError(Struct, frozen=True):
    """Why a server would refuse a document, and the line of the document."""

    line: int
    message: str


class _Token(Struct, frozen=True):
    kind: str
    text: str
    line: int


def tokenize(text: str) -> list[_Token]:
    """All tokens of a GraphQL text, ending with an `end` token. Raises GraphQLSyntaxError."""
    tokens = []
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise GraphQLSyntaxError(line, f"unexpected character {text[position]!r}")
        kind = match.lastgroup or "skip"
        if kind != "skip":
            tokens.append(_Token("string" if kind == "block" else kind, match.group(), line))
        line += match.group().count("\n")
        position = match.end()
    tokens.append(_Token("end", "", line))
    return tokens


class _Parser:
    """What both languages share: tokens, names, types and values."""

    def __init__(self, text: str) -> None:
        self.tokens = tokenize(text)
        self.at = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def peek(self, text: str) -> bool:
        return self.token.text == text and self.token.kind in ("punct", "name")

    def skip(self, text: str) -> bool:
        found = self.peek(text)
        self.at += found
        return found

    def advance(self) -> _Token:
        token = self.token
        if token.kind == "end":
            raise GraphQLSyntaxError(token.line, "unexpected end of the text")
        self.at += 1
        return token

    def expect(self, text: str) -> _Token:
        if not self.peek(text):
            raise self.unexpected(f"expected {text!r}")
        return self.advance()

    def name(self) -> _Token:
        if self.token.kind != "name":
            raise self.unexpected("expected a name")
        return self.advance()

    def unexpected(self, wish: str) -> GraphQLSyntaxError:
        found = self.token.text[:40] or "the end of the text"
        return GraphQLSyntaxError(self.token.line, f"{wish}, found {found!r}")

    def type_ref(self, depth: int = 0) -> TypeRef:
        if depth > MAX_DEPTH:
            raise self.unexpected("type nested too deeply")
        if self.skip("["):
            inner = self.type_ref(depth + 1)
            self.expect("]")
            return TypeRef("", inner, self.skip("!"))
        name = self.name().text
        return TypeRef(name, None, self.skip("!"))

    def value(self, depth: int = 0) -> Value:
        token = self.advance()
        if depth > MAX_DEPTH:
            raise self.unexpected("value nested too deeply")
        match token.kind, token.text:
            case (("int" | "float" | "string"), _):
                return Value(token.kind, token.line, token.text)
            case "name", ("true" | "false"):
                return Value("boolean", token.line, token.text)
            case "name", "null":
                return Value("null", token.line, token.text)
            case "name", _:
                return Value("enum", token.line, token.text)
            case "punct", "$":
                return Value("variable", token.line, self.name().text)
            case "punct", "...":
                return Value("elided", token.line)
            case "punct", "[":
                return self._list(token.line, depth)
            case "punct", "{":
                return self._object(token.line, depth)
        self.at -= 1
        raise self.unexpected("expected a value")

    def _list(self, line: int, depth: int) -> Value:
        items = []
        while not self.skip("]"):
            items.append(self.value(depth + 1))
        return Value("list", line, items=tuple(items))

    def _object(self, line: int, depth: int) -> Value:
        fields = []
        while not self.skip("}"):
            if self.peek("..."):
                fields.append(("...", Value("elided", self.advance().line)))
                continue
            name = self.name().text
            self.expect(":")
            fields.append((name, self.value(depth + 1)))
        return Value("object", line, fields=tuple(fields))

    def directives(self) -> None:
        while self.skip("@"):
            self.name()
            self.arguments()

    def arguments(self) -> tuple[tuple[str, Value], ...]:
        given: list[tuple[str, Value]] = []
        if not self.skip("("):
            return ()
        while not self.skip(")"):
            if self.peek("..."):
                given.append(("...", Value("elided", self.advance().line)))
                continue
            name = self.name().text
            self.expect(":")
            given.append((name, self.value()))
        return tuple(given)

    def input_value(self) -> InputValue:
        """A name with its type and what stands for it where it is left out: an argument, a field, a variable."""
        name = self.name().text
        self.expect(":")
        of = self.type_ref()
        has_default = self.skip("=")
        if has_default:
            self.value()
        self.directives()
        return InputValue(name, of, has_default)


class _SchemaParser(_Parser):
    """Reads one schema file into a schema that other files add to."""

    def __init__(self, path: str, text: str, schema: Schema) -> None:
        super().__init__(text)
        self.path = path
        self.schema = schema

    def read(self) -> None:
        while self.token.kind != "end":
            self._description()
            self.skip("extend")
            keyword = self.name().text
            if keyword == "schema":
                self._roots()
            elif keyword == "directive":
                self._directive()
            elif keyword in ("type", "interface", "union", "enum", "input", "scalar"):
                self._type(keyword)
            else:
                self.at -= 1
                raise self.unexpected("expected a type system definition")

    def _description(self) -> None:
        if self.token.kind == "string":
            self.advance()

    def _roots(self) -> None:
        self.directives()
        if self.skip("{"):
            while not self.skip("}"):
                operation = self.name().text
                self.expect(":")
                self.schema.roots[operation] = self.name().text

    def _directive(self) -> None:
        self.expect("@")
        self.name()
        self._inputs("(", ")")
        self.skip("repeatable")
        self.expect("on")
        self.skip("|")
        self.name()
        while self.skip("|"):
            self.name()

    def _type(self, keyword: str) -> None:
        name = self.name().text
        known = self.schema.types.setdefault(name, SchemaType(keyword, name))
        if self.skip("implements"):
            self.skip("&")
            self.name()
            while self.skip("&") or self.token.kind == "name":
                if self.token.text in _DEFINITIONS and self.token.kind == "name":
                    break
                self.name()
        self.directives()
        if keyword in ("type", "interface"):
            self._fields(known)
        elif keyword == "input":
            known.inputs.update(self._inputs("{", "}"))
        elif keyword == "enum":
            self._enum(known)
        elif keyword == "union" and self.skip("="):
            self.skip("|")
            known.members.add(self.name().text)
            while self.skip("|"):
                known.members.add(self.name().text)

    def _fields(self, owner: SchemaType) -> None:
        if not self.skip("{"):
            return
        while not self.skip("}"):
            self._description()
            name = self.name()
            arguments = self._inputs("(", ")")
            self.expect(":")
            of = self.type_ref()
            self.directives()
            owner.fields[name.text] = SchemaField(name.text, of, arguments, self.path, name.line)

    def _inputs(self, opening: str, closing: str) -> dict[str, InputValue]:
        found: dict[str, InputValue] = {}
        if not self.skip(opening):
            return found
        while not self.skip(closing):
            self._description()
            value = self.input_value()
            found[value.name] = value
        return found

    def _enum(self, owner: SchemaType) -> None:
        if not self.skip("{"):
            return
        while not self.skip("}"):
            self._description()
            owner.values.add(self.name().text)
            self.directives()


def parse_schema(sources: Iterable[tuple[str, str]]) -> tuple[Schema, list[tuple[str, GraphQLSyntaxError]]]:
    """The schema that (path, text) sources make up together, and the syntax errors by path."""
    schema = Schema({name: SchemaType("scalar", name) for name in BUILT_IN_SCALARS}, dict(ROOTS))
    errors = []
    for path, text in sources:
        try:
            _SchemaParser(path, text, schema).read()
        except GraphQLSyntaxError as error:
            errors.append((path, error))
    return schema, errors


def is_schema_text(text: str) -> bool:
    """True when a text holds type definitions and not operations. Raises GraphQLSyntaxError."""
    first = next((t for t in tokenize(text) if t.kind != "string"), None)
    return first is not None and first.kind == "name" and first.text in _DEFINITIONS


class _DocumentParser(_Parser):
    """Reads operations and fragments."""

    def read(self) -> tuple[Operation, ...]:
        found = []
        while self.token.kind != "end":
            found.append(self._definition())
        return tuple(found)

    def _definition(self) -> Operation:
        line = self.token.line
        if self.peek("{"):
            return Operation("query", "", line, {}, self._selections(0))
        kind = self.name().text
        if kind == "fragment":
            name = self.name().text
            self.expect("on")
            condition = self.name().text
            self.directives()
            return Operation("fragment", name, line, {}, self._selections(0), condition)
        if kind not in ROOTS:
            self.at -= 1
            raise self.unexpected("expected an operation")
        name = self.name().text if self.token.kind == "name" else ""
        variables = self._variables()
        self.directives()
        return Operation(kind, name, line, variables, self._selections(0))

    def _variables(self) -> dict[str, InputValue]:
        found: dict[str, InputValue] = {}
        if self.skip("("):
            while not self.skip(")"):
                self.expect("$")
                value = self.input_value()
                found[value.name] = value
        return found

    def _selections(self, depth: int) -> tuple[Selection, ...]:
        if depth > MAX_DEPTH:
            raise self.unexpected("selection nested too deeply")
        self.expect("{")
        found = []
        while not self.skip("}"):
            line = self.token.line
            if self.skip("..."):
                if (spread := self._fragment(line, depth)) is not None:
                    found.append(spread)
            else:
                found.append(self._field(depth))
        return tuple(found)

    def _fragment(self, line: int, depth: int) -> Selection | None:
        if self.peek("}"):
            return None  # `...` as documents use it: and so on
        if self.token.kind == "name" and self.token.text != "on":
            name = self.advance().text
            self.directives()
            return Selection("spread", name, line)
        condition = self.name().text if self.skip("on") else ""
        self.directives()
        return Selection("inline", condition, line, selections=self._selections(depth + 1))

    def _field(self, depth: int) -> Selection:
        name = self.name()
        if self.skip(":"):
            name = self.name()
        arguments = self.arguments()
        self.directives()
        below = self._selections(depth + 1) if self.peek("{") else None
        return Selection("field", name.text, name.line, arguments, below)


def parse_document(text: str) -> tuple[Operation, ...]:
    """The operations and fragments of a text. Raises GraphQLSyntaxError.

    `...` before a closing bracket means "and so on", as documentation uses it.
    """
    return _DocumentParser(text).read()


def validate(document: Iterable[Operation], schema: Schema) -> list[GraphQLError]:
    """Why a server with this schema would refuse the document: empty when it accepts it."""
    operations = tuple(document)
    fragments = {o.name: o for o in operations if o.kind == "fragment"}
    errors: list[GraphQLError] = []
    for operation in operations:
        errors.extend(_Validation(schema, fragments, operation).run())
    return sorted(errors, key=lambda e: e.line)


class _Validation:
    """The check of one operation."""

    def __init__(self, schema: Schema, fragments: Mapping[str, Operation], operation: Operation) -> None:
        self.schema = schema
        self.fragments = fragments
        self.operation = operation
        self.errors: list[GraphQLError] = []

    def run(self) -> list[GraphQLError]:
        operation = self.operation
        if operation.kind == "fragment":
            root = self.schema.types.get(operation.condition)
            missing = f"type {operation.condition} does not exist"
        else:
            root = self.schema.root(operation.kind)
            missing = f"the schema has no {operation.kind} type"
        if root is None:
            return [GraphQLError(operation.line, missing)]
        for variable in operation.variables.values():
            known = self.schema.types.get(variable.type.base)
            if known is None or not known.is_input:
                self.say(operation.line, f"input type {variable.type.base} does not exist")
        self.selections(operation.selections, root)
        return self.errors

    def say(self, line: int, message: str) -> None:
        self.errors.append(GraphQLError(line, message))

    def selections(self, selections: Iterable[Selection], owner: SchemaType) -> None:
        for selection in selections:
            if selection.kind == "field":
                self.field(selection, owner)
            elif selection.kind == "spread":
                if selection.name not in self.fragments:
                    self.say(selection.line, f"fragment {selection.name} is not defined")
            else:
                condition = self.schema.types.get(selection.name or owner.name)
                if condition is None:
                    self.say(selection.line, f"type {selection.name} does not exist")
                else:
                    self.selections(selection.selections or (), condition)

    def field(self, selection: Selection, owner: SchemaType) -> None:
        if selection.name.startswith("__"):
            return
        known = owner.fields.get(selection.name)
        if known is None:
            self.say(selection.line, f"{owner.name} has no field {selection.name}")
            return
        self.arguments(selection, owner, known)
        below = self.schema.types.get(known.type.base)
        if below is None:
            self.say(selection.line, f"type {known.type.base} of {owner.name}.{known.name} is not defined")
        elif below.is_composite and selection.selections is None:
            self.say(selection.line, f"{owner.name}.{known.name} needs a selection of {below.name}'s fields")
        elif not below.is_composite and selection.selections is not None:
            self.say(
                selection.line, f"{owner.name}.{known.name} is a {below.name} and has no fields to select"
            )
        elif selection.selections is not None:
            self.selections(selection.selections, below)

    def arguments(self, selection: Selection, owner: SchemaType, known: SchemaField) -> None:
        what = f"{owner.name}.{known.name}"
        given = dict(selection.arguments)
        for name, value in selection.arguments:
            if name in known.arguments:
                self.value(value, known.arguments[name], f"argument {name} of {what}")
            elif value.kind != "elided":
                self.say(value.line, f"{what} has no argument {name}")
        if "..." not in given:
            for argument in known.arguments.values():
                if argument.is_required and argument.name not in given:
                    self.say(selection.line, f"{what} requires the argument {argument.name}: {argument.type}")

    def value(self, value: Value, at: InputValue, what: str) -> None:
        if value.kind == "variable":
            self.variable(value, at, what)
        elif value.kind != "elided":
            self.literal(value, at.type, what)

    def variable(self, value: Value, at: InputValue, what: str) -> None:
        if self.operation.kind == "fragment":
            return
        variable = self.operation.variables.get(value.text)
        if variable is None:
            self.say(value.line, f"variable ${value.text} is not defined")
        elif not _fits(variable, at):
            self.say(
                value.line, f"variable ${value.text} of type {variable.type} does not fit {what} ({at.type})"
            )

    def literal(self, value: Value, expected: TypeRef, what: str) -> None:
        if value.kind == "null":
            if expected.non_null:
                self.say(value.line, f"{what} must not be null")
        elif expected.of is not None:
            for item in value.items if value.kind == "list" else (value,):
                self.value(item, InputValue("", expected.of, False), what)
        else:
            self.named(value, expected.name, what)

    def named(self, value: Value, name: str, what: str) -> None:
        known = self.schema.types.get(name)
        if known is None:
            self.say(value.line, f"type {name} of {what} is not defined")
        elif known.kind == "input":
            self.input_object(value, known, what)
        elif not _literal_fits(value, known):
            self.say(value.line, f"{what} takes a value of type {name}")

    def input_object(self, value: Value, known: SchemaType, what: str) -> None:
        if value.kind != "object":
            self.say(value.line, f"{what} takes an object of type {known.name}")
            return
        given = dict(value.fields)
        for name, item in value.fields:
            if name in known.inputs:
                self.value(item, known.inputs[name], f"field {name} of {known.name}")
            elif item.kind != "elided" or name != "...":
                self.say(item.line, f"{known.name} has no field {name}")
        if "..." not in given:
            for wanted in known.inputs.values():
                if wanted.is_required and wanted.name not in given:
                    self.say(value.line, f"{known.name} requires the field {wanted.name}: {wanted.type}")


_LITERALS = {
    "Int": ("int",),
    "Float": ("int", "float"),
    "String": ("string",),
    "Boolean": ("boolean",),
    "ID": ("string", "int"),
}


def _literal_fits(value: Value, known: SchemaType) -> bool:
    if known.kind == "enum":
        return value.kind == "enum" and value.text in known.values
    if known.kind == "scalar":
        return known.name not in _LITERALS or value.kind in _LITERALS[known.name]
    return False


def _fits(variable: InputValue, at: InputValue) -> bool:
    """Whether a variable may stand at a position (section 5.8.5 of the specification)."""
    if at.type.non_null and not variable.type.non_null and not (variable.has_default or at.has_default):
        return False
    return _same(variable.type, at.type, outermost=True)


def _same(given: TypeRef, wanted: TypeRef, *, outermost: bool) -> bool:
    if not outermost and wanted.non_null and not given.non_null:
        return False
    if given.of is None or wanted.of is None:
        return given.of is None and wanted.of is None and given.name == wanted.name
    return _same(given.of, wanted.of, outermost=False)
