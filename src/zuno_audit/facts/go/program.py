"""The Go program inside the repository: packages, imports, declarations, and who declares what.

Nothing is parsed before somebody asks for a declaration in it, and then only the files whose bytes hold the
name (a file of generated code is rarely one of them). Files that the default build leaves out (another
operating system, `//go:build ignore`) and `_test.go` files are not part of a package here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from zuno_audit.facts.go_packages import GoHead, GoPackage, GoPackages, go_packages, make_package, read_head
from zuno_audit.languages.go import syntax
from zuno_audit.languages.go.parse import GoFile
from zuno_audit.languages.go_outline import assumed_names
from zuno_audit.source.modules import go_version

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.source.repository import Repository

# Names that mean something without a declaration (specification, "Predeclared identifiers").
_PREDECLARED = frozenset(
    b"any bool byte comparable complex64 complex128 error float32 float64 int int8 int16 int32 int64 rune string "
    b"uint uint8 uint16 uint32 uint64 uintptr true false iota nil append cap clear close complex copy delete imag "
    b"len make max min new panic print println real recover".split()
)
# Libraries whose meaning is known (library.py, grpc_library.py and the questions): a vendored copy of them is
# not followed.
MODELLED = (
    "google.golang.org/grpc",
    "google.golang.org/protobuf",
    "github.com/grpc-ecosystem/",
    "github.com/rs/zerolog",
    "github.com/prometheus/client_golang",
    "github.com/ethereum/go-ethereum",
    "github.com/sony/gobreaker",
    "github.com/afex/hystrix-go",
    "github.com/failsafe-go/failsafe-go",
    "github.com/go-kit/kit/circuitbreaker",
    "go.uber.org/zap",
    "github.com/sirupsen/logrus",
    "golang.org/x/",
    "go.opentelemetry.io/",
    "github.com/gogo/",
    "github.com/golang/protobuf",
    "github.com/opentracing",
    "github.com/prometheus/common",
    "github.com/go-kit/log",
    "github.com/json-iterator/go",
    "github.com/mitchellh/mapstructure",
    "go.yaml.in/yaml",
    "gopkg.in/yaml",
    "sigs.k8s.io/yaml",
)
# A vendored package is followed when one of these words is in it.
_FOLLOWED = (b"google.golang.org/grpc", b"recover()", b"reaker", b"Getenv", b"LookupEnv")


def program(store: FactStore) -> Program:
    """The fact provider: one `Program` per audited repository."""
    return Program(store.repository, store.get(go_packages), tests=store.everything)


class Declaration:
    """A top-level function, method, type, const or var, together with the file that gives its names meaning."""

    __slots__ = ("file", "node", "package")

    def __init__(
        self,
        package: Package,
        file: GoFile,
        node: syntax.FuncDecl | syntax.ValueSpec | syntax.TypeSpec,
    ) -> None:
        self.package, self.file, self.node = package, file, node

    @property
    def nodes(self) -> list[syntax.Node]:
        """Every node of the body of a function, or of any other declaration."""
        node = self.node
        return syntax.nodes_of(node) if isinstance(node, syntax.FuncDecl) else list(syntax.walk(node))

    @property
    def params(self) -> list[syntax.Param]:
        """The parameters of a function; none for any other declaration."""
        return self.node.params if isinstance(self.node, syntax.FuncDecl) else []


class Package:
    """The files of one folder that the default build compiles together."""

    def __init__(self, program: Program, path: str, folder: str, name: str, files: tuple[str, ...]) -> None:
        self.program = program
        self.path = path  # import path
        self.folder = folder
        self.name = name or path.rpartition("/")[2]  # in the package clause
        self.files = files
        self._declarations: dict[str, Declaration | None] = {}
        self._methods: dict[tuple[str, str], Declaration | None] = {}

    def __repr__(self) -> str:
        return f"Package({self.path!r})"

    @property
    def is_main(self) -> bool:
        return self.name == "main"

    def declaration(self, name: str) -> Declaration | None:
        """The function, type, const or var called `name`."""
        if name not in self._declarations:
            self._declarations[name] = self._find(name)
        return self._declarations[name]

    def _find(self, name: str) -> Declaration | None:
        for path in self._likely_first(name.encode()):
            file = self.program.file(path)
            node = (file.function(name) or file.spec(name)) if file is not None else None
            if file is not None and node is not None:
                return Declaration(self, file, node)
        return None

    def _likely_first(self, name: bytes) -> list[str]:
        """The files that hold a name, those first that look as if they declared it: they alone get parsed."""
        read = self.program.repository.read
        found = [(path, data) for path in self.files if name in (data := read(path) or b"")]
        if name in _PREDECLARED:  # in every file, and hardly ever declared anew
            declares = re.compile(
                rb"\n(?:(?:func|type|var|const)[ \t]+" + name + rb"\b|[ \t]+" + name + rb"\b[^\n(){}:]*=[^=])"
            )
            found = [(path, data) for path, data in found if declares.search(data)]
        if len(found) < 2:
            return [path for path, _ in found]
        plain = tuple(b"\n" + keyword + b" " + name for keyword in (b"func", b"type", b"var", b"const"))
        grouped = b"\n\t" + name
        ranks = {p: 0 if any(form in d for form in plain) else 1 if grouped in d else 2 for p, d in found}
        return sorted(ranks, key=lambda path: ranks[path])

    def method(self, type_name: str, name: str) -> Declaration | None:
        """The method `name` declared on `type_name` or its pointer (promotion is not followed)."""
        key = (type_name, name)
        if key not in self._methods:
            self._methods[key] = self._find_method(type_name, name)
        return self._methods[key]

    def _find_method(self, type_name: str, name: str) -> Declaration | None:
        for file in self._files_with(b") " + name.encode()):
            node = file.method(type_name, name)
            if node is not None:
                return Declaration(self, file, node)
        return None

    def method_names(self, type_name: str) -> set[str]:
        """The names of all methods declared on a type."""
        return {m for file in self._files_with(type_name.encode()) for m in file.methods_of(type_name)}

    def parsed(self) -> Iterator[GoFile]:
        """Every file, parsed."""
        return self._files_with(b"")

    def _files_with(self, literal: bytes) -> Iterator[GoFile]:
        for path in self.files:
            data = self.program.repository.read(path)
            if data is not None and literal in data:
                file = self.program.file(path)
                if file is not None:
                    yield file


class Program:
    """What the names in the packages of a repository mean, those in vendored and in `testdata` folders as well."""

    def __init__(self, repository: Repository, packages: GoPackages, *, tests: bool = False) -> None:
        self.repository = repository
        self.tests = tests  # `_test.go` files are looked at like others
        self._files: dict[str, GoFile | None] = {}
        self.known, self._modules = packages, packages.modules
        self._by_folder: dict[str, tuple[str, ...]] = self._group()
        self._packages: dict[str, Package] = {}
        self._test_packages: dict[tuple[str, str], Package] = {}
        self._mattering: dict[str, bool] = {}
        self._by_path: dict[str, Package | None] = {}
        self._sources_with: dict[bytes, list[str]] = {}
        self._package_names: dict[str, tuple[str, ...]] = {}

    # ------------------------------------------------------------ modules and packages

    def _group(self) -> dict[str, tuple[str, ...]]:
        folders: dict[str, list[str]] = {}
        for path in self.repository.files:
            if path.endswith(".go") and not path.endswith("_test.go"):
                folders.setdefault(path.rpartition("/")[0], []).append(path)
        return {folder: tuple(paths) for folder, paths in folders.items()}

    def import_path(self, folder: str) -> str:
        """The import path of a folder; outside every module it is the folder itself."""
        _, vendor, inside = ("/" + folder).rpartition("/vendor/")
        return inside if vendor else self._modules.import_path(folder)

    def folder_of(self, import_path: str) -> str | None:
        """The folder of a package of this repository, or None for packages from elsewhere."""
        for folder in self._modules.folders(import_path):
            if folder in self._by_folder:
                return folder
        vendored = "vendor/" + import_path
        if vendored in self._by_folder and not import_path.startswith(MODELLED):
            return vendored if self._matters(vendored) else None
        return None

    def _matters(self, vendored: str) -> bool:
        """True for vendored packages that can have to do with what is asked; others are libraries like any."""
        known = self._mattering.get(vendored)
        if known is None:
            files = [self.repository.read(path) or b"" for path in self._by_folder[vendored]]
            known = any(word in data for data in files for word in _FOLLOWED)
            self._mattering[vendored] = known
        return known

    def has_loop_variables_per_round(self, path: str) -> bool:
        """Whether variables of a `for` are made anew for each round: since Go 1.22, as go.mod says."""
        module = self._modules.module_of(path.rpartition("/")[0])
        version = go_version(module.go) if module is not None else None
        return version is None or version >= (1, 22)

    def is_followed(self, path: str) -> bool:
        """False for files of vendored packages that are libraries like any other."""
        folder = path.rpartition("/")[0]
        _, vendor, inside = ("/" + folder).rpartition("/vendor/")
        return not vendor or folder == self.folder_of(inside)

    def package(self, import_path: str) -> Package | None:
        """The package with this import path, or None when it is not in the repository."""
        if import_path not in self._by_path:
            folder = self.folder_of(import_path)
            self._by_path[import_path] = None if folder is None else self.package_in(folder)
        return self._by_path[import_path]

    def package_in(self, folder: str) -> Package | None:
        """The package in a folder."""
        if folder not in self._packages:
            known = self._package(folder)
            if known is None:
                return None
            path, paths = self.import_path(folder), tuple(head.path for head in known.files)
            self._packages[folder] = Package(self, path, folder, known.name, paths)
        return self._packages[folder]

    def _package(self, folder: str) -> GoPackage | None:
        known = self.known.by_directory.get(folder)
        if known is None and (paths := self._by_folder.get(folder)) is not None:
            known = make_package(folder, [self._head(path) for path in paths], self._modules)
        return known

    def _head(self, path: str) -> GoHead:
        known = self.known.heads.get(path)
        return known if known is not None else read_head(path, self.repository.read(path) or b"")

    def package_of(self, path: str) -> Package | None:
        """The package that a file belongs to."""
        if self.tests and path.endswith("_test.go"):
            return self.test_package_of(path)
        return self.package_in(path.rpartition("/")[0])

    def test_package_of(self, path: str) -> Package | None:
        """The package that a `_test.go` file is compiled in: all its test files, and what it tests if it is
        inside."""
        folder = path.rpartition("/")[0]
        clause = self._head(path).package
        key = (folder, clause)
        if key not in self._test_packages:
            tested = self.package_in(folder)
            inside = tested.files if tested is not None and tested.name == clause else ()
            siblings = self.repository.glob(f"{folder}/*_test.go" if folder else "*_test.go")
            tests = tuple(p for p in siblings if self._head(p).package == clause)
            name = f"{self.import_path(folder)} [{clause}.test]"
            self._test_packages[key] = Package(self, name, folder, clause, (*inside, *tests))
        return self._test_packages[key]

    # ------------------------------------------------------------ files

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The Go files that the analysis follows: no tests, no vendored libraries; sorted."""
        kept = (paths for folder, paths in self._by_folder.items() if self.is_followed(folder + "/"))
        return tuple(sorted(path for paths in kept for path in paths))

    def sources_with(self, *literals: bytes) -> list[str]:
        """Those of `sources` whose bytes hold all literals, sorted."""
        read = self.repository.read
        first, *others = literals or (b"",)
        known = self._sources_with.get(first)  # many questions share their first word, mostly an import path
        if known is None:
            known = [path for path in self.sources if first in (read(path) or b"")]
            self._sources_with[first] = known
        return [path for path in known if all(literal in (read(path) or b"") for literal in others)]

    def file(self, path: str) -> GoFile | None:
        """A parsed file, or None when it cannot be read."""
        if path not in self._files:
            data = self.repository.read(path)
            self._files[path] = None if data is None else GoFile(path, data)
        return self._files[path]

    def package_names(self, import_path: str) -> tuple[str, ...]:
        """The names that an import may bind without an alias: one for packages of the repository."""
        names = self._package_names.get(import_path)
        if names is None:
            package = self.package(import_path)
            names = (package.name,) if package is not None else assumed_names(import_path)
            self._package_names[import_path] = names
        return names

    def imported(self, file: GoFile) -> dict[str, str]:
        """The package names that a file's imports bind, with their import paths.

        A second guess at a name gives way to what another import is called for certain or at first guess.
        """
        bound = file.bound_imports
        if bound is None:
            bound, guesses = {}, []
            for spec in file.imports:
                if spec.name not in ("_", "."):
                    first, *others = (spec.name,) if spec.name else self.package_names(spec.path)
                    bound[first] = spec.path
                    guesses += [(name, spec.path) for name in others]
            for name, path in guesses:
                bound.setdefault(name, path)
            file.bound_imports = bound
        return bound
