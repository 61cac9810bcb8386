"""Tables about Go tests. What costs something to find out is found out when a rule asks for it."""

from __future__ import annotations

import re
from posixpath import dirname
from typing import TYPE_CHECKING

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.go_tests import (
    GoTest,
    TestCode,
    TestFolder,
    TestFunction,
    first_assertion,
    follow,
    test_code,
    test_functions,
)
from zuno_audit.facts.graphql import SchemaSet, name_words, schema_sets
from zuno_audit.languages.go.build import DEFAULT_TAGS, evaluate_constraint, is_in_default_build
from zuno_audit.languages.go_outline import GoOutline
from zuno_audit.languages.graphql import ROOTS, GraphQLSyntaxError, parse_document, validate
from zuno_audit.model.entity import NO, YES, Answer, Entity, LazyFields, Problem, Table
from zuno_audit.model.location import at_line

if TYPE_CHECKING:
    from zuno_audit.facts.go_packages import GoHead
    from zuno_audit.model.location import Location

END_TO_END = re.compile(
    r"e2e|end[-_]?to[-_]?end|acceptance|smoke(?:[-_]?tests?)?|system[-_]?tests?", re.IGNORECASE
)

_TAGS = re.compile(rb"-tags[\"']?[=, ]+(?:\"([^\"\n]*)\"|'([^'\n]*)'|([\w.,]+))")
_NO_COMMANDS = (".go", ".sum", ".mod", ".proto", ".svg", ".png", ".lock", ".sql", ".graphql")


_TEST_FIELDS = (
    "effective",
    "exercises",
    "calls",
    "words",
    "subject",
    "connections",
    "mutations",
    "queries",
    "subscriptions",
)


def go_test(store: FactStore) -> Table:
    """Table `go_test`: one row per test function and per method of a suite that is run.

    Fields: `name`, `near` (folders of our packages that its folder imports, and its own), `end_to_end`
    yes/no (by its path or build tag), `tags` (its build constraint, or None), `effective` yes/no: it is not
    skipped and holds an assertion that can fail; `exercises` (folders of our packages that it really calls),
    `calls` (names), `words` (of its name, its calls and its short strings), `connections` (kinds of real
    connections that it opens: sql, postgres, redis, rabbitmq, mongo, websocket, http, grpc, net, graphql,
    container), `mutations`,
    `queries`, `subscriptions` (operations that it sends and a served schema does not refuse, each as words).
    """
    code = store.get(test_code)
    near = {folder.directory: _near(code, folder) for folder in code.folders.values()}
    rows = tuple(
        _test_row(store, code, test, near[test.folder.directory]) for test in store.get(test_functions)
    )
    return Table("go_test", tuple(sorted(rows, key=lambda r: r.location)), _files(code), _problems(code))


def _files(code: TestCode) -> tuple[str, ...]:
    return tuple(file.path for folder in code.folders.values() for file in folder.tests)


def _problems(code: TestCode) -> tuple[Problem, ...]:
    return tuple(
        Problem(f.path, f.problem_line, f"the file does not parse: {f.problem}") for f in code.problems
    )


def _near(code: TestCode, folder: TestFolder) -> tuple[str, ...]:
    found = {folder.directory} if folder.directory in code.packages.by_directory else set()
    for file in folder.tests:
        for import_path in file.imports.values():
            package = code.packages.at(import_path)
            if package is not None:
                found.add(package.directory)
    return tuple(sorted(found))


def _test_row(store: FactStore, code: TestCode, test: TestFunction, near: tuple[str, ...]) -> Entity:
    head = code.packages.heads[test.file.path]
    known = {
        "name": Answer(test.name),
        "near": Answer(near),
        "end_to_end": Answer(YES if is_end_to_end(head) else NO),
        "tags": Answer(head.constraint or None),
    }
    fields = LazyFields(known, {_TEST_FIELDS: lambda: _followed(store, code, test)})
    return Entity("go_test", at_line(test.file.path, test.line), fields)


def _left_out(code: TestCode, file: GoOutline) -> str:
    """Why no run compiles a file: its name or its build constraint; empty when some run does.

    A constraint may ask for a tag of the project's own, if anything in the repository passes it to go.
    """
    head = code.packages.heads[file.path]
    if head.is_built:
        return ""
    if not is_in_default_build(file.path, ""):
        return "its name is for another platform"
    if evaluate_constraint(head.constraint, DEFAULT_TAGS | code.store.get(build_tags)):
        return ""
    return f"nothing in the repository runs tests with the build constraint {head.constraint}"


def build_tags(store: FactStore) -> frozenset[str]:
    """The tags that something in the repository (a script, a pipeline, a document) passes to the go tool."""
    repository = store.repository
    found: set[str] = set()
    for path in repository.files:
        if not path.endswith(_NO_COMMANDS):
            data = repository.read(path) or b""
            for match in _TAGS.finditer(data) if b"-tags" in data else ():
                given = next(g for g in match.groups() if g is not None)
                found.update(re.findall(r"[\w.]+", given.decode("utf-8", "replace")))
    return frozenset(found)


def is_end_to_end(head: GoHead) -> bool:
    """True when a folder, the file name or the build constraint says end-to-end."""
    parts = head.path.removesuffix("_test.go").split("/")
    named = any(END_TO_END.fullmatch(word) for part in parts for word in (part, *re.split(r"[-_.]", part)))
    return named or END_TO_END.search(head.constraint) is not None


def _followed(store: FactStore, code: TestCode, test: TestFunction) -> dict[str, Answer]:
    found = follow(code, test)
    place = at_line(test.file.path, test.line, test.name)
    kinds = tuple(sorted(found.connections))
    proof = tuple(_place(found.connections[kind], kind) for kind in kinds)
    return {
        "effective": _effective(code, found, place),
        "exercises": Answer(tuple(sorted(found.exercised)), proof=(place,)),
        "calls": Answer(tuple(dict.fromkeys(found.calls))),
        "words": Answer(_words(found)),
        "subject": Answer(_subject(found)),
        "connections": Answer(kinds, proof=proof),
        **_operations(store, found),
    }


def _place(text: str, note: str) -> Location:
    path, _, line = text.rpartition(":")
    return at_line(path, int(line), f"opens a real connection: {note}")


def _effective(code: TestCode, found: GoTest, place: Location) -> Answer:
    away = _left_out(code, found.file)
    if away:
        return Answer(NO, f"{found.name} does not run: {away}", (place,))
    faults = code.compile.test_file(found.file.path)
    if faults:
        return Answer(NO, f"{found.name} does not compile: {faults[0].why}", (place,))
    if found.skipped:
        because = f"{found.name} does not run: {found.skipped}"
        return Answer(NO, because, (at_line(found.file.path, found.skipped_line),))
    if found.asserts is None:
        return Answer(NO, f"{found.name} has no assertion that can fail", (place,))
    condition = f"; it is skipped when {found.condition}" if found.condition else ""
    return Answer(YES, f"{found.name} runs and asserts{condition}", (place, at_line(*found.asserts[:2])))


def _words(found: GoTest) -> tuple[str, ...]:
    texts = [found.name, *found.calls, *(s for s in found.strings if len(s) <= 80 and not s.startswith("0x"))]
    return tuple(dict.fromkeys(word for text in texts for word in name_words(text)))


def _subject(found: GoTest) -> tuple[str, ...]:
    """The words of what a test says it is about: its name, its file's name, what its assertions compare."""
    stem = found.file.path.rpartition("/")[2].removesuffix("_test.go")
    texts = [found.name, stem, *found.asserted]
    return tuple(dict.fromkeys(word for text in texts for word in name_words(text)))


def _operations(store: FactStore, found: GoTest) -> dict[str, Answer]:
    """The operations that the test sends: documents in its strings, as far as a served schema accepts"
    " them."""
    sets = store.get(schema_sets)
    known = {
        (kind, name): None
        for one in sets
        for kind in ROOTS
        if (root := one.schema.root(kind))
        for name in root.fields
    }
    used: dict[str, list[str]] = {kind: [] for kind in ROOTS}
    for text in dict.fromkeys(s for s in found.strings if "{" in s):
        for kind, name in known:
            if re.search(rf"\b{re.escape(name)}\s*[({{}}\\]", text) and not _is_refused(text, sets):
                used[kind].append(" ".join(name_words(name)))
    names = {"mutation": "mutations", "query": "queries", "subscription": "subscriptions"}
    return {names[kind]: Answer(tuple(dict.fromkeys(words))) for kind, words in used.items()}


def _is_refused(text: str, sets: tuple[SchemaSet, ...]) -> bool:
    """True for a document that every served schema refuses; what cannot be read as GraphQL is not refused."""
    document = text.replace("\\n", "\n").replace("\\t", " ").replace('\\"', '"').replace("%%", "%")
    try:
        operations = parse_document(re.sub(r"%[-+#0-9.]*[a-z]", "0", document))
    except GraphQLSyntaxError:
        return False
    return bool(operations) and all(validate(operations, one.schema) for one in sets)


def go_test_file(store: FactStore) -> Table:
    """Table `go_test_file`: one row per file of tests that the go tool sees.

    Fields: `tests` (how many test functions and suite methods), `end_to_end` yes/no, `tags`, `compiles`
    yes/no: see `go_compile` for the mistakes that are looked for; `effective_tests`
    yes/no: at least one of its tests runs and asserts.
    """
    code = store.get(test_code)
    by_path: dict[str, list[TestFunction]] = {}
    for test in store.get(test_functions):
        by_path.setdefault(test.file.path, []).append(test)
    rows = [
        _file_row(code, file, by_path.get(file.path, []))
        for folder in code.folders.values()
        for file in folder.tests
        if not file.problem
    ]
    return Table("go_test_file", tuple(sorted(rows, key=lambda r: r.location)), _files(code), _problems(code))


def _file_row(code: TestCode, file: GoOutline, tests: list[TestFunction]) -> Entity:
    head = code.packages.heads[file.path]
    known = {
        "tests": Answer(len(tests), proof=tuple(at_line(file.path, t.line, t.name) for t in tests[:3])),
        "end_to_end": Answer(YES if is_end_to_end(head) else NO),
        "tags": Answer(head.constraint or None),
        "folder": Answer(dirname(file.path)),
    }
    fields = LazyFields(
        known,
        {
            ("compiles",): lambda: {"compiles": _compiles(code, file)},
            ("effective_tests",): lambda: {"effective_tests": _any_effective(code, file, tests)},
        },
    )
    return Entity("go_test_file", at_line(file.path), fields)


def _compiles(code: TestCode, file: GoOutline) -> Answer:
    faults = code.compile.test_file(file.path)
    if not faults:
        return Answer(YES, "names, imports and calls of ours fit")
    first = faults[0]
    because = first.why if first.path == file.path else f"{first.path}: {first.why}"
    return Answer(NO, because, tuple(at_line(f.path, f.line, f.why) for f in faults))


def _any_effective(code: TestCode, file: GoOutline, tests: list[TestFunction]) -> Answer:
    for test in tests:
        answer = _effective(code, first_assertion(code, test), at_line(file.path, test.line, test.name))
        if answer.value == YES:
            return answer
    return Answer(NO, f"none of its {len(tests)} tests runs and asserts")
