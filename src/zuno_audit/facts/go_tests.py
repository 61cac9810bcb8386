"""Go tests as evidence: what really runs, really asserts, and what of our code it calls.

A test that is skipped, empty, only logs, asserts that true is true, or leaves before its assertions proves
nothing. The files are read as outlines (names, strings, nesting); nothing is type-checked. Calls are
followed through helpers of the same folder and through functions of our own packages, a few steps deep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from msgspec import Struct, field

from zuno_audit.facts.go.program import program
from zuno_audit.facts.go_compile import go_compile
from zuno_audit.facts.go_connections import Receivers, connections, is_connector
from zuno_audit.facts.go_packages import GoPackage, go_packages, is_go_tool_file
from zuno_audit.languages.go_outline import GoFunction, GoOutline, split_arguments

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_STEPS = 4  # helpers calling helpers
MAX_FUNCTIONS = 80  # functions that one test is followed into
MAX_EMBEDDED = 100_000
MAX_ASSERTION = 300  # characters of an assertion that are kept

_CALL = re.compile(r"(?<![\w.])((?:[A-Za-z_]\w*\s*\.\s*)*)([A-Za-z_]\w*)\s*(?:\[[\w.*, \[\]]*\]\s*)?\(")
_CHAINED = re.compile(r"\)\s*\.\s*([A-Za-z_]\w*)\s*\(")
_JOINED = re.compile(r"\s*\+\s*([\w.()\[\]]+\s*\+\s*)?")
_TEST_NAME = re.compile(r"Test(?![a-z])")
_TESTING_PARAMETER = re.compile(r"\b(\w+)\s+(?:\*\s*testing\.(?:T|B|F)|testing\.TB)\b")
_EXIT = re.compile(
    r"[{;\n][ \t]*(?:(return)\b|(panic|os\.Exit)\s*\(|([\w.]+(?:\(\))?)\.(Skip|Skipf|SkipNow"
    r"|FailNow)\s*\()"
)
_IF_HEAD = re.compile(r"\bif\b([^{}\n]*)\Z")
_LITERAL_HEAD = re.compile(r"\bfunc\s*\([^()]*\)[^{}\n]*\Z")
_CONSTANT = r"(?:true|false|!\s*true|!\s*false|1\s*==\s*[01])"
_CONSTANT_IF = re.compile(rf"\bif\s*\(?\s*{_CONSTANT}\s*(?:\)?\s*\{{|&&|\|\|)|\|\|\s*true\b|[;{{}}]\s*\{{")
_NEVER_TAKEN = re.compile(r"\bif\s*\(?\s*(?:false|!\s*true|1\s*==\s*0)\s*(?:\)?\s*\{|&&[^{}\n]*\{)")
_BLOCK_END = re.compile(r"\s*\}")
_NOT_NEWLINE = re.compile(r"[^\n]")
_RUN = re.compile(rb"\x00+|\x01+")
_TRUE = r"(?:true|!\s*false|1\s*==\s*1)"
_ALWAYS = re.compile(rf"\s*\(?\s*{_TRUE}\s*\)?\s*\Z|\s*{_TRUE}\s*\|\||[^&]*\|\|\s*{_TRUE}\s*\Z")
_CASE = re.compile(r"(?<=[{;\n])[ \t]*(?:case\b|default\s*:|\w+:\s*\n)")
_NAME = re.compile(r"[A-Za-z_]\w*")
_MADE = re.compile(r"\b(\w+)\s*:?=\s*&?\s*(\w+)\.[A-Z]\w*\s*\{")
_TAKES_C = re.compile(r"\*\s*(?:\w+\.)?C\b")
_SUITE_RUN = re.compile(
    r"\.Run(?:\s*\(\s*\w+\s*,\s*(?:new\s*\(\s*(?:\w+\.)?(\w+)|&\s*(?:\w+\.)?(\w+))"
    r"|(?<=suite\.Run)\s*\(\s*\w+\s*,\s*(?!new\b)(?:New)?(\w+)\s*[()])"
)
_PACKAGE_STRING = re.compile(r"\n(?:(?:const|var)[ \t]+|[ \t]+)(\w+)(?:[ \t]+string)?[ \t]*=[ \t]*(\")")
_EMBED = re.compile(r"\n//go:embed[ \t]+([\w./-]+)[ \t]*\n(?:var[ \t]+)?[ \t]*(\w+)[ \t]+(?:string|\[\]byte)")
_KEYWORDS = frozenset(
    {
        "if",
        "for",
        "switch",
        "select",
        "return",
        "func",
        "go",
        "defer",
        "range",
        "case",
        "append",
        "make",
        "new",
        "len",
        "cap",
        "copy",
        "delete",
        "panic",
        "print",
        "println",
        "close",
        "string",
        "int",
        "int32",
        "int64",
        "uint",
        "uint8",
        "uint32",
        "uint64",
        "byte",
        "rune",
        "bool",
        "float64",
        "float32",
        "error",
        "any",
    }
)
ASSERTION_LIBRARIES = re.compile(
    r"(?:^|/)(?:testify/(?:assert|require)|gotest\.tools(?:/v3)?/assert(?:/cmp)?|matryer/is"
    r"|go-quicktest/qt|frankban/quicktest"
    r"|onsi/gomega|go\.uber\.org/mock|check\.v1|alecthomas/assert(?:/v2)?|shoenig/test(?:/must)?"
    r"|stretchr/testify/suite)$"
    r"|(?:^|/)(?:assert|require|is|must)$"
)
_ASSERT_WORD = re.compile(
    r"^(?:Assert|Require|Expect|Must|Check|Verify|Ensure|Equal|NotEqual|Diff|ErrorIs)(?![a-z])"
)
_SUITE_ASSERTION = re.compile(
    r"^(?:Equal|EqualValues|Exactly|NotEqual|Same|NotSame|True|False|Nil|NotNil|Error|NoError|ErrorIs"
    r"|ErrorAs|ErrorContains|EqualError"
    r"|Contains|NotContains|Len|Empty|NotEmpty|Zero|NotZero|Greater|GreaterOrEqual|Less|LessOrEqual"
    r"|Positive|Negative|InDelta|InEpsilon"
    r"|Regexp|NotRegexp|JSONEq|YAMLEq|Panics|NotPanics|PanicsWithValue|PanicsWithError|Eventually|Never"
    r"|ElementsMatch|Subset|NotSubset"
    r"|Implements|IsType|WithinDuration|FileExists|DirExists|HTTP\w+|Condition|Fail|FailNow|Failf|Equalf"
    r"|NoErrorf|Truef|Errorf)$"
)
_REPORTS = frozenset({"Error", "Errorf", "Fatal", "Fatalf", "Fail", "FailNow"})


class TestFolder(Struct):
    """The Go files of one folder that a test binary is made of."""

    directory: str
    tests: list[GoOutline] = field(default_factory=list)
    functions: dict[str, list[tuple[GoOutline, GoFunction]]] = field(
        default_factory=dict
    )  # by name, tests only
    constants: dict[str, list[str]] | None = None  # strings of package-level declarations, once asked for


class GoTest(Struct):
    """One test function or suite method, followed as far as it goes.

    `skipped` says why it does not run, `exercised` are folders of our packages that it calls into, `calls`
    the names it calls, `strings` the literals it holds, `connections` the kinds of real connections it opens.
    """

    file: GoOutline
    function: GoFunction
    name: str
    skipped: str = ""  # why it does not run
    skipped_line: int = 0
    condition: str = ""
    asserts: tuple[str, int] | None = None  # path and line of the first assertion
    asserted: list[str] = field(default_factory=list)  # all assertions as written
    exercised: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    connections: dict[str, str] = field(default_factory=dict)


class TestCode:
    """All test folders, and our packages as far as tests lead into them."""

    def __init__(self, store: FactStore) -> None:
        self.store = store
        self.packages = store.get(go_packages)
        self.compile = store.get(go_compile)
        self.folders: dict[str, TestFolder] = {}
        self.problems: list[GoOutline] = []
        self._package_functions: dict[str, dict[str, list[tuple[GoOutline, GoFunction]]]] = {}
        self._may_connect: dict[str, bool] = {}
        self._bodies: dict[tuple[str, int], Body] = {}
        self.receivers = Receivers(store.get(program))
        for path in store.repository.files:
            if path.endswith("_test.go") and is_go_tool_file(path):
                self._add(path)

    def _add(self, path: str) -> None:
        file = self.outline(path)
        if file is None:
            return
        folder = self.folders.setdefault(dirname(path), TestFolder(dirname(path)))
        folder.tests.append(file)
        if file.problem:
            self.problems.append(file)
        for function in file.functions:
            folder.functions.setdefault(function.name, []).append((file, function))

    def outline(self, path: str) -> GoOutline | None:
        """The outline of a Go file, made once; None when it cannot be read or is huge."""
        return self.compile.sources.outline(path)

    def body(self, file: GoOutline, function: GoFunction) -> Body:
        """The body of a function, looked at once."""
        key = (file.path, function.start)
        if key not in self._bodies:
            self._bodies[key] = Body(file, function)
        return self._bodies[key]

    def package_functions(self, directory: str) -> dict[str, list[tuple[GoOutline, GoFunction]]]:
        """Functions and methods of one of our packages by name."""
        if directory not in self._package_functions:
            found: dict[str, list[tuple[GoOutline, GoFunction]]] = {}
            package = self.packages.by_directory.get(directory)
            for head in package.files if package is not None else ():
                file = self.outline(head.path)
                if file is not None:
                    for function in file.functions:
                        found.setdefault(function.name, []).append((file, function))
            self._package_functions[directory] = found
        return self._package_functions[directory]

    def may_connect(self, directory: str) -> bool:
        """True when a package of ours, or one of ours that it imports, imports something that can connect."""
        if directory not in self._may_connect:
            self._may_connect[directory] = False
            package = self.packages.by_directory.get(directory)
            self._may_connect[directory] = package is not None and any(
                self._leads_to_connector(imported.path) for head in package.files for imported in head.imports
            )
        return self._may_connect[directory]

    def _leads_to_connector(self, import_path: str) -> bool:
        ours = self.packages.at(import_path)
        return is_connector(import_path) if ours is None else self.may_connect(ours.directory)


def test_code(store: FactStore) -> TestCode:
    """The test code of the repository."""
    return TestCode(store)


class TestFunction(Struct, frozen=True):
    """A test function, or a method of a suite that some test function runs."""

    folder: TestFolder
    file: GoOutline
    function: GoFunction
    name: str

    @property
    def line(self) -> int:
        return self.file.line(self.function.start)


def test_functions(store: FactStore) -> tuple[TestFunction, ...]:
    """Every test function and every method of a suite that is run, in file order."""
    code = store.get(test_code)
    return tuple(test for folder in code.folders.values() for test in _folder_tests(code, folder))


def _folder_tests(code: TestCode, folder: TestFolder) -> Iterator[TestFunction]:
    suites = {suite for file in folder.tests for suite in _suites_run(code, folder, file)}
    for file in folder.tests:
        for function in file.functions if not file.problem else ():
            if not _TEST_NAME.match(function.name):
                continue
            if not function.receiver and _takes_t(function):
                yield TestFunction(folder, file, function, function.name)
            elif function.receiver in suites:
                yield TestFunction(folder, file, function, f"{function.receiver}.{function.name}")


def _takes_t(function: GoFunction) -> bool:
    return re.search(r"\*\s*(?:testing\.)?T\b", function.signature) is not None


def _suites_run(code: TestCode, folder: TestFolder, file: GoOutline) -> Iterator[str]:
    """Types whose methods a file runs: by testify's suite.Run, or all with a *C under gocheck's TestingT."""
    if file.problem:
        return
    for match in _SUITE_RUN.finditer(file.masked):
        body = _body_around(code, file, match.start())
        if body is None or not body.is_live(match.start()):
            continue
        name = match.group(1) or match.group(2) or match.group(3)
        made = re.search(rf"\b{name}\b\s*:?=\s*(?:&\s*|new\s*\(\s*|New)(?:\w+\.)?(\w+)", body.live)
        yield made.group(1) if made else name
    if "TestingT" in file.masked and re.search(r"(?<!\w)TestingT\s*\(", file.masked):
        for group in folder.functions.values():
            yield from (g.receiver for _, g in group if g.receiver and _TAKES_C.search(g.signature))


def _body_around(code: TestCode, file: GoOutline, offset: int) -> Body | None:
    for function in file.functions:
        if function.opening < offset < function.closing:
            return code.body(file, function)
    return None


class Body:
    """The body of a function without what cannot run: code after an exit, branches that are never taken."""

    def __init__(self, file: GoOutline, function: GoFunction) -> None:
        self.file = file
        self.function = function
        self.start = function.opening
        self.end = function.closing
        self.skip: tuple[int, str] | None = None  # offset in the file, how it skips
        self.condition = ""
        self._dead = bytearray(self.end - self.start + 1)  # 1 where nothing runs
        self._find_dead()
        self.live = self._without_dead()
        self.calls = tuple(self._calls())
        self.made = dict(_MADE.findall(self.live))  # variable -> package of the composite literal it holds

    def _find_dead(self) -> None:
        masked = self.file.masked
        odd = _CONSTANT_IF.search(masked, self.start, self.end) is not None
        for match in _NEVER_TAKEN.finditer(masked, self.start, self.end) if odd else ():
            self._kill(match.end() - 1, self.file.pairs.get(match.end() - 1, self.end))
        for match in _EXIT.finditer(masked, self.start, self.end + 1):
            at = match.start(1) if match.group(1) else match.start(2) if match.group(2) else match.start(3)
            if self._is_dead(at):
                continue
            is_skip = match.group(4) is not None and match.group(4).startswith("Skip")
            end = self._statement_end(match.end(), match.group(1) is not None)
            if is_skip or odd or not _BLOCK_END.match(masked, end):
                self._leave(at, end, is_skip)

    def _kill(self, after: int, before: int) -> None:
        """Nothing between two offsets runs."""
        first, last = after - self.start + 1, before - self.start
        if first < last:
            self._dead[first:last] = b"\1" * (last - first)

    def is_live(self, at: int) -> bool:
        """True when the code at an offset of the file can run."""
        return not self._is_dead(at)

    def _is_dead(self, at: int) -> bool:
        return bool(self._dead[at - self.start])

    def _statement_end(self, at: int, is_return: bool) -> int:
        """The end of the statement whose keyword, or opening bracket of a call, ends at `at`."""
        masked, pairs = self.file.masked, self.file.pairs
        if not is_return:
            at -= 1
        while at < self.end:
            if at in pairs:
                at = pairs[at]
            elif masked[at] in ";}" or (masked[at] == "\n" and masked[at - 1] not in ",.+&|"):
                return at
            at += 1
        return self.end

    def _enclosing(self, at: int) -> tuple[int, int]:
        opening = max(self.file.block_around(at), self.start)
        return opening, self.file.pairs.get(opening, self.end)

    def _condition_of(self, opening: int) -> str:
        """The condition of the `if` whose block opens here, or nothing."""
        head = _IF_HEAD.search(self.file.masked, max(self.start, opening - 300), opening)
        return head.group(1) if head is not None else ""

    def _own_block(self, at: int) -> tuple[int, int]:
        """The block an exit belongs to: the one around it, seen through `if true {` and bare blocks."""
        opening, closing = self._enclosing(at)
        while opening != self.start:
            before = self.file.masked[max(self.start, opening - 300) : opening].rstrip()
            if not before.endswith((";", "{", "}")) and not _ALWAYS.match(self._condition_of(opening)):
                break
            opening, closing = self._enclosing(opening)
        return opening, closing

    def _leave(self, at: int, end: int, is_skip: bool) -> None:
        opening, closing = self._own_block(at)
        following = _CASE.search(self.file.masked, end, closing)
        self._kill(end, following.start() if following else closing)
        if not is_skip:
            return
        if opening == self.start:
            self.skip = self.skip or (at, "it calls Skip unconditionally")
        elif self._is_function_literal(opening):
            self._kill(opening, closing)
        else:
            self.condition = self.condition or self._condition_of(opening).strip() or "a condition"

    def _is_function_literal(self, opening: int) -> bool:
        return _LITERAL_HEAD.search(self.file.masked, max(0, opening - 300), opening) is not None

    def _without_dead(self) -> str:
        text = self.file.masked[self.start : self.end + 1]
        if 1 not in self._dead:
            return text
        pieces = []
        for match in _RUN.finditer(self._dead):
            piece = text[match.start() : match.end()]
            pieces.append(_NOT_NEWLINE.sub(" ", piece) if match.group()[0] else piece)
        return "".join(pieces)

    def strings(self) -> Iterator[str]:
        """The string literals of the living code; those that `+` joins are one, with `x` for a value"
        " between them."""
        pending, end = "", -1
        for literal in self.file.strings_between(self.start, self.end):
            if self._is_dead(literal.start):
                continue
            joined = _JOINED.fullmatch(self.file.masked, end, literal.start) if end >= 0 else None
            if joined is not None:
                pending += ("x" if joined.group(1) else "") + literal.text
            else:
                if end >= 0:
                    yield pending
                pending = literal.text
            end = literal.end
        if end >= 0:
            yield pending

    def _calls(self) -> Iterator[tuple[int, str, str]]:
        """(offset in `live`, qualifier, name) of every call; the qualifier of a chained call is `()`."""
        for match in _CALL.finditer(self.live):
            qualifier, name = match.groups()
            if qualifier:
                yield (
                    match.start(),
                    qualifier[:-1] if " " not in qualifier else "".join(qualifier.split())[:-1],
                    name,
                )
            elif name not in _KEYWORDS:
                yield match.start(), "", name
        if ")." in self.live or ").\n" in self.live:
            for match in _CHAINED.finditer(self.live):
                yield match.start(1), "()", match.group(1)


def _begin(code: TestCode, test: TestFunction) -> tuple[GoTest, Body]:
    """A test with what is known before it is followed: whether it is skipped, and on which condition."""
    found = GoTest(test.file, test.function, test.name)
    body = code.body(test.file, test.function)
    skip = body.skip or _skipping_helper(code, test.folder, body)
    if skip is not None:
        found.skipped, found.skipped_line = skip[1], test.file.line(skip[0])
    found.condition = body.condition
    return found, body


def _skipping_helper(code: TestCode, folder: TestFolder, body: Body) -> tuple[int, str] | None:
    """Where a body calls, on no condition, a function of its folder that skips on no condition."""
    for at, qualifier, name in body.calls:
        for file, function in folder.functions.get(name, ()) if not qualifier else ():
            around = body.file.block_around(body.start + at)
            if not function.receiver and around == body.start and code.body(file, function).skip is not None:
                return body.start + at, f"{name} skips it"
    return None


def follow(code: TestCode, test: TestFunction) -> GoTest:
    """What a test does, followed through helpers and into our packages."""
    found, _ = _begin(code, test)
    _Walk(code, test.folder, found).run(test.file, test.function)
    return found


def first_assertion(code: TestCode, test: TestFunction) -> GoTest:
    """As `follow`, but only to the first assertion: whether the test is skipped, and whether it asserts."""
    found, body = _begin(code, test)
    if found.skipped:
        return found
    todo = [(test.file, test.function)]
    seen: set[tuple[str, int]] = set()
    walk = _Walk(code, test.folder, found)
    while todo and found.asserts is None and len(seen) < MAX_FUNCTIONS:
        file, function = todo.pop(0)
        if (file.path, function.start) not in seen:
            seen.add((file.path, function.start))
            body = code.body(file, function)
            found.asserts = next(((file.path, line) for line, _ in assertions(body)), None)
            todo.extend(walk.helpers(body))
    return found


class _Walk:
    """The closure of a test over helpers of its folder, and over our packages for what they connect to."""

    def __init__(self, code: TestCode, folder: TestFolder, test: GoTest) -> None:
        self.code = code
        self.folder = folder
        self.test = test
        self.seen: set[tuple[str, int]] = set()
        self.own = self._own_package()

    def _own_package(self) -> GoPackage | None:
        """The package under test when the test file belongs to it."""
        package = self.code.packages.by_directory.get(self.folder.directory)
        return package if package is not None and package.name == self.test.file.package else None

    def run(self, file: GoOutline, function: GoFunction) -> None:
        todo = [(file, function, 0, True)]
        if function.receiver:
            for setup in ("SetupSuite", "SetupTest", "SetUpTest", "SetUpSuite", "BeforeTest"):
                todo += [
                    (f, g, 0, True)
                    for f, g in self.folder.functions.get(setup, ())
                    if g.receiver == function.receiver
                ]
        while todo and len(self.seen) < MAX_FUNCTIONS:
            at_file, at_function, steps, in_tests = todo.pop(0)
            key = (at_file.path, at_function.start)
            if key in self.seen:
                continue
            self.seen.add(key)
            todo.extend(self._visit(self.code.body(at_file, at_function), steps, in_tests))

    def _visit(
        self, body: Body, steps: int, in_tests: bool
    ) -> Iterator[tuple[GoOutline, GoFunction, int, bool]]:
        test = self.test
        if in_tests:
            test.strings.extend(body.strings())
            test.strings.extend(self._package_strings(body.live))
            for line, text in assertions(body):
                test.asserts = test.asserts or (body.file.path, line)
                test.asserted.append(text)
            yield from ((*helper, steps + 1, True) for helper in self.helpers(body) if steps < MAX_STEPS)
        self._connections(body)
        for _, qualifier, name in body.calls:
            if in_tests:
                test.calls.append(name)
            if steps < MAX_STEPS:
                for found in self._targets(body.file, body, qualifier, name, in_tests):
                    yield (*found[:2], steps + 1, found[2])

    def helpers(self, body: Body) -> Iterator[tuple[GoOutline, GoFunction]]:
        """Functions and methods of the test files that the code names: called, or handed to `t.Run`."""
        functions = self.folder.functions
        for name in sorted(functions.keys() & set(_NAME.findall(body.live))):
            if not _TEST_NAME.match(name):
                yield from functions[name]

    def _targets(
        self, file: GoOutline, body: Body, qualifier: str, name: str, in_tests: bool
    ) -> Iterator[tuple[GoOutline, GoFunction, bool]]:
        """The functions of ours that a call may lead to."""
        directory = self._directory(file, qualifier) if qualifier else self._dotted(file, name)
        if directory is None and not in_tests and "." not in qualifier and qualifier not in file.imports:
            directory = dirname(file.path)
        if directory is None and in_tests and self.own is not None:
            self._own_call(qualifier, name)
            directory = self.own.directory if not qualifier else None
        if directory is None and in_tests and "." not in qualifier and qualifier not in ("", "()"):
            directory = self._made_from(file, body, qualifier)
        if directory is None:
            return
        if in_tests:
            self.test.exercised.add(directory)
        if self.code.may_connect(directory):
            for other, function in self.code.package_functions(directory).get(name, ())[:4]:
                yield other, function, False

    def _directory(self, file: GoOutline, qualifier: str) -> str | None:
        """The folder of our package that a call's first name stands for."""
        first = qualifier.split(".")[0]
        import_path = file.imports.get(first)
        package = self.code.packages.at(import_path) if import_path else None
        return package.directory if package is not None and "." not in qualifier else None

    def _dotted(self, file: GoOutline, name: str) -> str | None:
        """The folder of our package that a function without a qualifier comes from: it is imported by a dot."""
        for path in file.dotted:
            package = self.code.packages.at(path)
            if package is not None and name in self.code.package_functions(package.directory):
                return package.directory
        return None

    def _made_from(self, file: GoOutline, body: Body, variable: str) -> str | None:
        """The folder of the package whose composite literal a variable holds: `x := &pkg.Type{}` then"
        " `x.Call()`."""
        alias = body.made.get(variable)
        return self._directory(file, alias) if alias else None

    def _own_call(self, qualifier: str, name: str) -> None:
        assert self.own is not None
        if name in self.code.package_functions(self.own.directory) and not self._is_imported(qualifier):
            self.test.exercised.add(self.own.directory)

    def _is_imported(self, qualifier: str) -> bool:
        return qualifier.split(".")[0] in self.test.file.imports

    def _package_strings(self, live: str) -> Iterator[str]:
        """Strings of package-level constants and variables that the code names."""
        if self.folder.constants is None:
            self.folder.constants = package_strings(self.code, self.folder)
        if self.folder.constants:
            for name in sorted(self.folder.constants.keys() & set(_NAME.findall(live))):
                yield from self.folder.constants[name]

    def _connections(self, body: Body) -> None:
        for kind, place in connections(body, self.code.receivers):
            self.test.connections.setdefault(kind, place)


def package_strings(code: TestCode, folder: TestFolder) -> dict[str, list[str]]:
    """Strings of the package-level constants and variables that a folder's tests can name, by name.

    Files that are embedded count as the strings they become.
    """
    package = code.packages.by_directory.get(folder.directory)
    clauses = {t.package for t in folder.tests}
    own = package.files if package is not None and package.name in clauses else ()
    found: dict[str, list[str]] = {}
    for file in (*folder.tests, *(o for h in own if (o := code.outline(h.path)) is not None)):
        for match in _PACKAGE_STRING.finditer(file.masked):
            if _is_outside(file, match.start(2)):
                literals = file.strings_between(match.start(2), match.start(2))
                found.setdefault(match.group(1), []).extend(s.text for s in literals)
        for match in _EMBED.finditer(file.text) if "//go:embed" in file.text else ():
            text = code.store.repository.text(normpath(join(folder.directory, match.group(1))))
            if text is not None and len(text) < MAX_EMBEDDED:
                found.setdefault(match.group(2), []).append(text)
    return found


def _is_outside(file: GoOutline, offset: int) -> bool:
    return file.block_around(offset) < 0


# --- assertions


def assertions(body: Body) -> Iterator[tuple[int, str]]:
    """(line, text) of every assertion in a body that can fail."""
    file = body.file
    text = body.function.signature + (body.live if "testing." in body.live else "")
    testing_names = set(_TESTING_PARAMETER.findall(text))
    libraries = {alias for alias, path in file.imports.items() if ASSERTION_LIBRARIES.search(path)}
    libraries |= _made_by(body, libraries)
    for at, qualifier, name in body.calls:
        if _is_assertion(body, at, qualifier, name, testing_names, libraries) and not _is_vacuous(
            body, at, name
        ):
            start = body.start + at
            end = file.pairs.get(body.start + body.live.find("(", at), start)
            yield file.line(start), file.text[start : min(end, start + MAX_ASSERTION)]


def _made_by(body: Body, libraries: set[str]) -> set[str]:
    """Variables that hold an assertion object: `is := is.New(t)`, `require := require.New(t)`."""
    found = set()
    for match in re.finditer(r"\b(\w+)\s*:=\s*(\w+)\.New\w*\s*\(", body.live):
        if match.group(2) in libraries:
            found.add(match.group(1))
    return found


def _is_assertion(
    body: Body, at: int, qualifier: str, name: str, testing_names: set[str], libraries: set[str]
) -> bool:
    first = qualifier.split(".")[0]
    if name in _REPORTS and (qualifier in testing_names or qualifier.endswith((".T", ".T()"))):
        return True
    if first in libraries and first != body.function.receiver_name:
        return name not in ("New", "NewController", "Run", "NewWithT", "Name")
    receiver = body.function.receiver_name
    if receiver and first == receiver and _SUITE_ASSERTION.match(name):
        return qualifier == receiver or qualifier.endswith(("Require", "Assert"))
    if qualifier == "()":
        before = body.live[max(0, at - 40) : at]
        made = re.search(r"(\w+)\.New\w*\s*\([^()]*\)\s*\.\s*$", before)
        if made is not None and made.group(1) in libraries:
            return True
        if re.search(r"\.(?:Require|Assert)\s*\(\s*\)\s*\.\s*$", before) or re.search(
            r"\bT\s*\(\s*\)\s*\.\s*$", before
        ):
            return bool(_SUITE_ASSERTION.match(name)) or name in _REPORTS
        return False
    if _ASSERT_WORD.match(name):
        return bool(re.match(r"Assert", name)) or _passes_testing(body, at, testing_names)
    return name in ("RunSpecs", "EXPECT")


def _passes_testing(body: Body, at: int, testing_names: set[str]) -> bool:
    """True when the first argument of the call is the test's *testing.T."""
    arguments = re.search(r"\(\s*(\w+)", body.live[at : at + 200])
    return arguments is not None and arguments.group(1) in testing_names


def _is_vacuous(body: Body, at: int, name: str) -> bool:
    """True for an assertion that cannot fail: true is true, a literal equals itself."""
    opening = body.live.find("(", at)
    closing = body.file.pairs.get(body.start + opening)
    if closing is None:
        return False
    arguments = split_arguments(body.file, body.start + opening, closing)
    if arguments and arguments[0] in ("t", "b", "tb", "tt"):
        arguments = arguments[1:]
    match name.removesuffix("f"):
        case "True" | "Assert":
            return arguments[:1] == ["true"]
        case "False":
            return arguments[:1] == ["false"]
        case "Nil" | "NoError":
            return arguments[:1] == ["nil"]
        case "NotNil" | "NotEmpty":
            return bool(arguments) and re.fullmatch(r't|"[^"]+"|\d+|&?\w+\{\}', arguments[0]) is not None
        case "Equal" | "EqualValues" | "Exactly" | "Same":
            return len(arguments) > 1 and arguments[0] == arguments[1]
    return False
