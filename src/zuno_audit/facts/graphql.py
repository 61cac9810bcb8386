"""The GraphQL API: which schema is served, which operations it has, whether documented operations fit it.

The served schema is what `gqlgen.yml` names; without one it is every schema file, and type definitions in Go
strings. A schema file that no server reads is not part of the API, however much it promises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from posixpath import dirname, join, normpath

from msgspec import Struct

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.documents import Document, markdown_documents
from zuno_audit.languages.go_outline import outline
from zuno_audit.languages.graphql import (
    ROOTS,
    GraphQLSyntaxError,
    Operation,
    Schema,
    SchemaField,
    is_schema_text,
    parse_document,
    parse_schema,
    validate,
)
from zuno_audit.languages.markdown import Fence
from zuno_audit.languages.yaml import YamlMap, read_yaml, texts
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location, at_line
from zuno_audit.source.classify import FileKind

CONFIG_NAMES = frozenset({"gqlgen.yml", ".gqlgen.yml", "gqlgen.yaml"})
SCHEMA_SUFFIXES = (".graphql", ".graphqls", ".gql")
OURS = frozenset({FileKind.CODE})
MAX_ERRORS = 8  # of one document that are told

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_MENTIONED = (  # each begins with what is rare, so that it is found quickly
    re.compile(r"(?:```|~~~)[ \t]*(?:graphql|gql)"),
    re.compile(r"\"query\"\s*:"),
    re.compile(r"\n[ \t]*(?:query|mutation|subscription)\b[^\n]*\{"),
)
_SENT = re.compile(r'"query"\s*:\s*"((?:[^"\\]|\\.)*)"')
_SENT_START = re.compile(r"\s*(?:\{|(?:query|mutation|subscription)\b[^{}]*\{)")
_OPERATION_START = re.compile(r"\s*(?:#[^\n]*\s*)*(?:query|mutation|subscription)\b[^{}]*\{")


class SchemaSet(Struct, frozen=True):
    """The schema of one server. `home` is the folder of the server's module or service, `origin` what"
    " names it."""

    origin: str
    home: str
    files: tuple[str, ...]
    schema: Schema
    generated: str = ""  # path of the generated code, if the configuration names one
    problems: tuple[Problem, ...] = ()


def schema_sets(store: FactStore) -> tuple[SchemaSet, ...]:
    """The schemas that are served, one for each configuration; tracked files only."""
    repository = store.repository
    configs = [p for p in repository.files if p.rpartition("/")[2] in CONFIG_NAMES and _is_ours(store, p)]
    if configs:
        return tuple(_configured(store, config) for config in configs)
    loose = list(_loose_sources(store))
    if not loose:
        return ()
    return (_schema_set(loose[0][0], dirname(loose[0][0]), loose),)


def _is_ours(store: FactStore, path: str) -> bool:
    return store.repository.is_tracked(path) and store.repository.kind(path) is FileKind.CODE


def _configured(store: FactStore, config: str) -> SchemaSet:
    home = dirname(config)
    read = read_yaml(store.repository, config)
    root = read.documents[0] if read.documents else None
    patterns: tuple[str, ...] = ("schema.graphql",)
    generated = ""
    if isinstance(root, YamlMap):
        patterns = texts(root.get("schema")) or patterns
        generated = root.text("exec", "filename") or ""
    paths = sorted(
        {
            path
            for pattern in patterns
            for path in store.repository.glob(normpath(join(home, pattern)))
            if store.repository.is_tracked(path)
        }
    )
    sources = [(path, store.repository.text(path) or "") for path in paths]
    found = _schema_set(config, home, sources, normpath(join(home, generated)) if generated else "")
    problems = (*read.problems, *found.problems)
    if not paths and not problems:
        problems = (Problem(config, 1, "no schema file matches what the configuration names"),)
    return SchemaSet(found.origin, home, found.files, found.schema, found.generated, problems)


def _schema_set(origin: str, home: str, sources: list[tuple[str, str]], generated: str = "") -> SchemaSet:
    schema, errors = parse_schema(sources)
    problems = tuple(Problem(p, e.line, f"the schema does not parse: {e}") for p, e in errors)
    return SchemaSet(origin, home, tuple(dict.fromkeys(p for p, _ in sources)), schema, generated, problems)


def _loose_sources(store: FactStore) -> Iterator[tuple[str, str]]:
    """Schema files and type definitions in Go strings, where no configuration says what is served."""
    repository = store.repository
    for path in repository.files:
        if path.endswith(SCHEMA_SUFFIXES) and _is_ours(store, path):
            text = repository.text(path) or ""
            if re.search(
                r"^\s*(?:extend\s+)?(?:type|schema|input|interface|enum|scalar)\b", text, re.MULTILINE
            ):
                yield path, text
    for path in repository.grep_any(b"type Query", b"type Mutation", suffix=".go", kinds=OURS):
        file = outline(path, repository.text(path) or "")
        for literal in file.strings:
            if re.search(r"^\s*type\s+(?:Query|Mutation)\b[^\n]*\{", literal.text, re.MULTILINE):
                yield path, "\n" * (file.line(literal.start) - 1) + literal.text


def _problems(sets: tuple[SchemaSet, ...]) -> tuple[Problem, ...]:
    return tuple(problem for one in sets for problem in one.problems)


def _files(sets: tuple[SchemaSet, ...]) -> tuple[str, ...]:
    return tuple(sorted({path for one in sets for path in (one.origin, *one.files)}))


def name_words(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: `signInSiwe` gives sign, in, siwe."""
    return tuple(word.lower() for word in _WORD.findall(name))


def graphql_schema(store: FactStore) -> Table:
    """Table `graphql_schema`: one row per served schema.

    Fields: `schema_files`, `queries`, `mutations`, `subscriptions` (how many), `generated` (path of the
    generated Go code or None), `agrees` yes/no/unknown: schema and generated code have the same fields,
    arguments, types.
    """
    from zuno_audit.facts.graphql_generated import agreement

    sets = store.get(schema_sets)
    rows = []
    for one in sets:
        counts = {
            f"{'queries' if kind == 'query' else kind + 's'}": Answer(
                len(root.fields) if (root := one.schema.root(kind)) else 0
            )
            for kind in ROOTS
        }
        fields = {
            "schema_files": Answer(one.files, proof=tuple(at_line(p) for p in one.files)),
            "generated": Answer(one.generated or None),
            "agrees": agreement(store, one),
            **counts,
        }
        rows.append(Entity("graphql_schema", at_line(one.origin), fields))
    return Table("graphql_schema", tuple(rows), _files(sets), _problems(sets))


def graphql_operation(store: FactStore) -> Table:
    """Table `graphql_operation`: one row per field of a root type of a served schema.

    Fields: `operation` (query, mutation, subscription), `name`, `words` (of the name), `arguments` (their
    names),
    `signature` (arguments and result as written), `returns` (name of the result type), `result_fields`
    (names of its fields), `result_words` (words of those, joined per field), `implemented` yes/no/unknown: a
    resolver method does more than say that it is not implemented.
    """
    from zuno_audit.facts.graphql_server import implementation

    sets = store.get(schema_sets)
    rows = [
        _operation_row(one, kind, operation, implementation(store, one.home, operation.name))
        for one in sets
        for kind in ROOTS
        if (root := one.schema.root(kind)) is not None
        for operation in root.fields.values()
    ]
    rows.sort(key=lambda row: row.location)
    return Table("graphql_operation", tuple(rows), _files(sets), _problems(sets))


def _operation_row(one: SchemaSet, kind: str, operation: SchemaField, implemented: Answer) -> Entity:
    returned = one.schema.types.get(operation.type.base)
    place = at_line(operation.path, operation.line)
    arguments = ", ".join(f"{a.name}: {a.type}" for a in operation.arguments.values())
    fields = tuple(returned.fields) if returned is not None else ()
    return Entity(
        "graphql_operation",
        place,
        {
            "operation": Answer(kind),
            "name": Answer(operation.name, proof=(place.noted(f"{kind} {operation.name}"),)),
            "words": Answer(name_words(operation.name)),
            "arguments": Answer(tuple(operation.arguments)),
            "signature": Answer(f"{operation.name}({arguments}): {operation.type}"),
            "returns": Answer(operation.type.base),
            "result_fields": Answer(fields, proof=_field_places(one, operation.type.base)),
            "result_words": Answer(tuple(" ".join(name_words(f)) for f in fields)),
            "implemented": implemented,
        },
    )


def _field_places(one: SchemaSet, type_name: str) -> tuple[Location, ...]:
    known = one.schema.types.get(type_name)
    if known is None:
        return ()
    return tuple(at_line(f.path, f.line, f"{type_name}.{f.name}") for f in known.fields.values())


def graphql_document(store: FactStore) -> Table:
    """Table `graphql_document`: one row per block of GraphQL operations in the documentation.

    Fields: `operations` (the root fields that are asked for), `planning` yes/no (a plan or a story, not a
    description of what there is), `valid` yes/no/unknown (a served schema accepts it), `errors` (how many).
    """
    sets = store.get(schema_sets)
    documents = store.get(markdown_documents)
    rows: list[Entity] = []
    for document in documents:
        text = "\n" + document.text
        for fence in document.markdown.fences if any(p.search(text) for p in _MENTIONED) else ():
            if _is_graphql(fence):
                rows.extend(_document_row(document, fence, sets))
            elif '"query"' in fence.text:
                for sent in _sent(fence):
                    rows.extend(_document_row(document, sent, sets))
    paths = tuple(document.path for document in documents)
    return Table("graphql_document", tuple(rows), paths, _problems(sets))


def _is_graphql(fence: Fence) -> bool:
    if fence.language in ("graphql", "gql"):
        return True
    return fence.language in ("", "text") and _OPERATION_START.match(fence.text) is not None


def _sent(fence: Fence) -> Iterator[Fence]:
    """The operations that a command or a JSON body sends, each as a block at its line."""
    for match in _SENT.finditer(fence.text):
        try:
            text = json.loads(f'"{match.group(1)}"', strict=False)
        except ValueError:
            continue
        if _SENT_START.match(text):
            line = fence.line + fence.text.count("\n", 0, match.start())
            yield Fence("graphql", line, tuple(text.splitlines()))


def _document_row(document: Document, fence: Fence, sets: tuple[SchemaSet, ...]) -> Iterator[Entity]:
    place = at_line(document.path, fence.line)
    planning = Answer(YES if document.is_planning else NO)
    try:
        if not fence.text.strip() or is_schema_text(fence.text):
            return
        operations = parse_document(fence.text)
    except GraphQLSyntaxError as error:
        line = fence.line + error.line - 1
        because = f"it is not a complete GraphQL document ({error})"
        fields = {"operations": Answer(()), "errors": Answer(None), "planning": planning}
        fields["valid"] = Answer(UNKNOWN, because, (at_line(document.path, line),))
        yield Entity("graphql_document", place, fields)
        return
    valid = judge_document(operations, sets, document.path, fence.line)
    yield Entity(
        "graphql_document",
        place,
        {
            "operations": Answer(asked_for(operations)),
            "planning": planning,
            "valid": valid,
            "errors": Answer(len(valid.proof)),
        },
    )


def asked_for(operations: tuple[Operation, ...]) -> tuple[str, ...]:
    """The root fields of all operations."""
    names = (s.name for o in operations if o.kind != "fragment" for s in o.selections if s.kind == "field")
    return tuple(dict.fromkeys(names))


def judge_document(
    operations: tuple[Operation, ...], sets: tuple[SchemaSet, ...], path: str, line: int
) -> Answer:
    """Whether a served schema accepts a document whose first line stands at `path:line`. Proof: each"
    " error."""
    if not sets:
        return Answer(UNKNOWN, "no GraphQL schema was found")
    errors = min((validate(operations, one.schema) for one in sets), key=len)
    if not errors:
        return Answer(YES, "a served schema accepts it")
    proof = tuple(at_line(path, line + e.line - 1, e.message) for e in errors[:MAX_ERRORS])
    more = f" and {len(errors) - 3} more" if len(errors) > 3 else ""
    return Answer(NO, "; ".join(e.message for e in errors[:3]) + more, proof)
