"""Every place that decodes the data of an EVM log, and what comes out of it.

A decoder is tried out (`decoder_trial.py`): its log is made up, the abi package plants numbers that fit no
machine word, and what it returns is compared with what it should return: for data that is well-formed,
malformed, or of other types than it expects. Only the data of a log counts, not calldata or results of calls.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from zuno_audit.facts.go import ethereum_library as lib
from zuno_audit.facts.go.abi_definitions import assumed_abi
from zuno_audit.facts.go.analysis import Analysis, analysis
from zuno_audit.facts.go.decoder_judgement import Judge, Judgement, rank
from zuno_audit.facts.go.decoder_trial import LIMITS, Context, Outcome, Planter, Trial, try_out
from zuno_audit.facts.go.ethereum_abi import AbiEvent
from zuno_audit.facts.go.ethereum_library import Case, Decoding, World
from zuno_audit.facts.go.evaluate import Frame, Limits
from zuno_audit.facts.go.program import Declaration, Package
from zuno_audit.facts.go.types import Type
from zuno_audit.facts.go.values import Func, Input, Pointer, Site, State, Struct, Value
from zuno_audit.languages.go import syntax as s
from zuno_audit.languages.go.parse import GoFile
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

# `Key: x.Data`, `"key": x.Data`, `len(x.Data)` and `fmt.Sprintf("...", x.Data)` keep or show the data and do not
# decode it.
_DATA_USE = re.compile(
    rb"(?P<kept>(?:\b[A-Z]\w*|\w\"):[ \t]*|\blen\(|\bfmt\.\w+\([^()\n]*,[ \t]*)?(?<![\w.])[\w.\[\]]+\.Data\b(?!\()"
)
_LOG_FIELDS = re.compile(rb"^[ \t]*(?:\w+,[ \t]*)*Topics[ \t]+\[\]", re.MULTILINE)
_OF_A_LOG = frozenset({"Address", "Contract", "ContractAddress", "BlockNumber", "BlockHash", "TxHash",
                       "TransactionHash", "LogIndex", "Raw"})  # fmt: skip
_HASHES = re.compile(rb"\[\]\*?(?:\w+\.)?Hash$")
_UNPACK = re.compile(rb"\.Unpack(?:Values|IntoMap|IntoInterface|Log|LogIntoMap)?\(")
_WRITTEN = re.compile(rb"\.Unpack\w*\([^\n]*\.Data\)|\.Parse[A-Z]\w*\(")
_GO_ETHEREUM = b"github.com/ethereum/go-ethereum"
_LOGS = (b"Logs(", b"types.Log", b".Logs")
MAX_CONTEXTS = 4
MAX_ROOTS = 120
MOST_STEPS = 600_000  # of all trials of one repository together: some seconds
MAKING = Limits(steps=8_000)
MOST_LIMITS = 6  # numbers of one decoder that are tried as limits of its arrays
_FOR_MANY = Limits(
    steps=LIMITS.steps + 100 * lib.MANY, steps_per_call=LIMITS.steps_per_call + 100 * lib.MANY,
    unroll=max(LIMITS.unroll, 3 * lib.MANY),
)  # fmt: skip
MAX_NAMED = 40  # events that one function decodes for its callers


def table(store: FactStore) -> Table:
    """`log_decoder`: one row per call of the abi package that decodes a log, and one per decoder by hand.

    Fields: function, decode (abi, manual, mixed), abi_first (yes where what comes out for data that the ABI decodes
    was never cut out by hand), method, event, error (checked, ignored), arrays (safe,
    unsafe, manual), allocation ("unbounded" where a length in the data alone decides how much memory is
    taken), definition (the signature of the event in the ABI that is used, "none" where it has no
    such event), used (something else in the program refers to the function), can_run (a binary reaches it).
    """
    return _Question(store).table()


class _Decoder(msgspec.Struct):
    """One row before it is judged: the function and the call, or the first slice, that decodes in it."""

    root: Declaration
    decoding: Decoding


def _not_tried() -> Judgement:
    """What is known of a call that no trial came to."""
    why = "the function around it is larger than is followed"
    return Judgement(
        abi_first="unknown", because=dict.fromkeys(("abi_first", "error", "arrays", "definition"), why)
    )


class _Question:
    def __init__(self, store: FactStore) -> None:
        self.store = store
        self.left_out = () if store.everything else (FileKind.TEST, FileKind.VENDORED)
        self.analysis: Analysis = store.get(analysis)
        self.program, self.types = self.analysis.program, self.analysis.types
        self.base = self.analysis.evaluator()
        self.log_types = self._log_types()
        self.planter = Planter(self.base, self.log_types)
        self.broken_abis: list[tuple[Site, str]] = []
        self._contexts: dict[int, list[Context]] = {}
        self._spent = 0
        self.parsers: set[str] = set()  # functions of generated bindings that decode a log
        self.readers: set[int] = set()  # ids of the functions that read the data of a log

    # ------------------------------------------------------------ where to look

    def _log_types(self) -> frozenset[Type]:
        """go-ethereum's log, and structs of the repository that have topics and data."""
        found: set[Type] = set()
        search = self.analysis.search
        if search.own_files_with(lib.TYPES.encode()):
            found.add(self.types.extern(lib.TYPES, "Log"))
        for path in search.own_files_with(b"Topics", b"Data", b"struct"):
            if not _LOG_FIELDS.search(self.program.repository.read(path) or b""):
                continue
            if self.program.repository.kind(path) in self.left_out:
                continue
            package, file = self.program.package_of(path), self.program.file(path)
            if package is None or file is None:
                continue
            for spec in file.specs():
                struct = spec.type if isinstance(spec, s.TypeSpec) else None
                if not isinstance(spec, s.TypeSpec) or not isinstance(struct, s.StructType):
                    continue
                fields = {f.name for f in struct.fields}
                hashes = any(
                    f.name == "Topics" and _HASHES.match(file.data[f.type.start : f.type.end])
                    for f in struct.fields
                )
                if {"Topics", "Data"} <= fields and (fields & _OF_A_LOG or hashes):
                    found.add(self.types.named(package, spec.name))
        return frozenset(found)

    def table(self) -> Table:
        files, roots = self._roots()
        decoders: dict[tuple[object, ...], _Decoder] = {}
        reached: set[tuple[str, int]] = set()
        known = {id(r.node) for r in roots}
        self.readers |= known
        for root in roots:
            self._discover(root, known, decoders, reached)
        self._name_by_callers(known, decoders, reached)
        for root in self._unreached(files, reached, known):
            self._discover(root, known | {id(root.node)}, decoders, reached)
        for decoder in self._as_written(files, [r.file.path for r in roots], reached):
            decoders.setdefault((id(decoder.root.node), decoder.decoding.site.start), decoder)
        with_abi = {id(d.root.node) for d in decoders.values() if d.decoding.of_data}
        with_data = with_abi | {id(d.root.node) for d in decoders.values() if not d.decoding.method}
        rows = [
            self._row(d)
            for d in decoders.values()
            if d.decoding.of_data or id(d.root.node) not in (with_data if d.decoding.method else with_abi)
        ]
        kept = [r for r in rows if r is not None]
        kept.sort(key=lambda row: (row.location, str(row.fields["event"].value)))
        return Table("log_decoder", tuple(kept), tuple(files), self._problems(files))

    def _roots(self) -> tuple[list[str], list[Declaration]]:
        """Files that may decode logs, and the functions in them that read the data of a log."""
        files: list[str] = []
        roots: list[Declaration] = []
        bindings: dict[str, set[bytes]] = {}
        repository = self.program.repository
        imports = set(self.analysis.search.own_files_with(lib.ABI.encode()))
        if not self.log_types and not imports:
            return [], []
        folders = {p.rpartition("/")[0] for p in imports}
        for path in self.analysis.search.own_files_with():
            data = repository.read(path) or b""
            is_near = path in imports or (path.rpartition("/")[0] in folders and _UNPACK.search(data))
            reads_log = b".Data" in data and self._may_hold_logs(path, data)
            reads_log = reads_log and any(use.group("kept") is None for use in _DATA_USE.finditer(data))
            if not is_near and not reads_log:
                continue
            if repository.kind(path) in self.left_out:
                continue
            package = self.program.package_of(path)
            if package is None or path not in package.files:
                continue
            file = self.program.file(path)
            if file is None:
                continue
            found = [f for f in file.functions_with(b".Data") if self._reads_log(f, file, package)]
            found += file.functions_with(b".ParseTopics") if path in imports else ()
            if found or is_near:
                files.append(path)
            if repository.kind(path) is FileKind.GENERATED:
                bindings.setdefault(package.folder, set()).update(self._decoding_names(file))
                self.parsers |= {f.name for f in file.functions_with(b".UnpackLog(")}
                found = file.functions_with(b".UnpackLog(") if self.store.everything else []
            roots.extend(Declaration(package, file, f) for f in found)
        roots += self._users_of_bindings({folder: names for folder, names in bindings.items() if names})
        unique = {id(r.node): r for r in roots}
        return files, list(unique.values())[:MAX_ROOTS]

    def _may_hold_logs(self, path: str, data: bytes) -> bool:
        """Whether a file is in, or imports, a package with a type of logs."""
        if _GO_ETHEREUM in data:
            return True
        for type_ in self.log_types:
            package = type_.package
            if package is not None and (package.path.encode() in data or path in package.files):
                return True
        return False

    def _reads_log(self, function: s.FuncDecl, file: GoFile, package: Package) -> bool:
        text = file.data[function.start : function.end]
        if not any(use.group("kept") is None for use in _DATA_USE.finditer(text)):
            return False
        if any(mark in text for mark in _LOGS):
            return True
        if not any(t.name.encode() in text for t in self.log_types):
            return False
        params = [*function.params, *([function.receiver] if function.receiver is not None else [])]
        return any(self._is_log(self.types.resolve(p.type, file, package)) for p in params)

    def _is_log(self, type_: Type | None) -> bool:
        for _ in range(4):
            if type_ is None:
                return False
            if type_ in self.log_types:
                return True
            type_ = type_.elem
        return False

    def _users_of_bindings(self, bindings: dict[str, set[bytes]]) -> Iterator[Declaration]:
        """Functions of ours that call generated functions by which logs are decoded; names by package."""
        for folder, names in bindings.items():
            package = self.program.package_in(folder)
            assert package is not None
            called = re.compile(rb"\.(?:%s)\(" % b"|".join(map(re.escape, sorted(names))))
            for path in {*package.files, *self.analysis.search.own_files_with(package.path.encode())}:
                owner, file = self.program.package_of(path), self.program.file(path)
                if owner is None or file is None or path not in owner.files or not self._is_ours(path):
                    continue
                for function in file.functions():
                    if called.search(file.data, function.start, function.end):
                        yield Declaration(owner, file, function)

    @staticmethod
    def _decoding_names(file: GoFile) -> set[bytes]:
        """The functions of a generated binding that decode logs, or give an iterator that does."""
        found = {f.name.encode() for f in file.functions_with(b".UnpackLog(")} - {b"Next"}
        found |= {f.name.encode() for f in file.functions_with(b".FilterLogs(")}
        return found | {f.name.encode() for f in file.functions_with(b".UnpackIntoInterface(")}

    def _is_ours(self, path: str) -> bool:
        return self.store.everything or self.program.repository.kind(path) is FileKind.CODE

    def _unreached(
        self, files: list[str], reached: set[tuple[str, int]], known: set[int]
    ) -> Iterator[Declaration]:
        """Functions of ours with a call of the abi package that no log was followed into."""
        for path in files:
            if not self._is_ours(path):
                continue
            file, package = self.program.file(path), self.program.package_of(path)
            if file is None or package is None:
                continue
            for function in file.functions_with(b".Unpack"):
                if id(function) in known or not _UNPACK.search(file.data, function.start, function.end):
                    continue
                if not any(p == path and function.start <= at < function.end for p, at in reached):
                    yield Declaration(package, file, function)

    def _as_written(
        self, files: list[str], users: list[str], reached: set[tuple[str, int]]
    ) -> Iterator[_Decoder]:
        """Calls that decode `x.Data` of a log, and calls of generated `Parse...`, that no trial came to.

        They stand in functions that are larger than is followed: what becomes of the values is not known.
        """
        for path in sorted({*files, *users}):
            file, package = self.program.file(path), self.program.package_of(path)
            if file is None or package is None or not self._is_ours(path):
                continue
            for function in file.functions():
                if not _WRITTEN.search(file.data, function.start, function.end):
                    continue
                root = Declaration(package, file, function)
                for call in s.walk(function):
                    named = self._decodes(call, root) if isinstance(call, s.Call) else None
                    if named is not None and (path, call.start) not in reached:
                        site = Site(file, call.start, call.end)
                        yield _Decoder(root, Decoding(site, (), named[0], None, named[1], False))

    def _decodes(self, call: s.Call, root: Declaration) -> tuple[str, str | None] | None:
        """Method and event of a call that is written as decoding a log; None for others."""
        if not isinstance(call.fun, s.Selector) or not call.args:
            return None
        method, data = call.fun.sel, call.args[-1]
        if method in self.parsers and method.startswith("Parse") and len(call.args) == 1:
            return "UnpackLog", method.removeprefix("Parse")
        if method not in lib.METHODS or not isinstance(data, s.Selector) or data.sel != "Data":
            return None
        if not root.file.data.find(lib.TYPES.encode()) >= 0:
            return None
        texts = [t for a in call.args[:-1] for t in self.analysis.texts.constants(a, root) or ()]
        return method, texts[-1] if texts else None

    def _problems(self, paths: Sequence[str]) -> tuple[Problem, ...]:
        found: set[Problem] = set()
        for path in paths:
            package = self.program.package_of(path)
            for sibling in package.files if package is not None else (path,):
                file = self.program.file(sibling)
                if file is not None and file.error_line:
                    found.add(Problem(sibling, file.error_line, "syntax error"))
        if self._spent > MOST_STEPS:
            found |= {Problem(path, 1, "more decoders than are tried out") for path in sorted(paths)[:1]}
        return tuple(sorted(found, key=lambda p: (p.path, p.line)))

    # ------------------------------------------------------------ discovery

    def _discover(
        self,
        root: Declaration,
        known: set[int],
        decoders: dict[tuple[object, ...], _Decoder],
        reached: set[tuple[str, int]],
    ) -> None:
        for context in self._contexts_of(root):
            world = self._world(Case.GOOD, reader=root)
            self._run(world, root, context)
            for decoding in world.decodings:
                reached.add((decoding.site.file.path, decoding.site.start))
                reached |= {(f.site.file.path, f.site.start) for f in decoding.frames if f.site is not None}
                owner = self._owner(decoding.frames, root, known)
                if owner is None or not (world.certain or decoding.of_event):
                    continue
                key: tuple[object, ...] = (id(owner.node), decoding.site.start, decoding.name)
                if not decoding.method:
                    key = (id(owner.node), "by hand")
                    if len(world.compared) == 1:
                        decoding = decoding._replace(name=next(iter(world.compared)))
                decoders.setdefault(key, _Decoder(owner, decoding))

    def _name_by_callers(
        self,
        known: set[int],
        decoders: dict[tuple[object, ...], _Decoder],
        reached: set[tuple[str, int]],
    ) -> None:
        """For functions that are told the name of the event: what they decode as their callers use them."""
        told = {
            key: d
            for key, d in decoders.items()
            if d.decoding.method and d.decoding.event is None and d.decoding.name is None
        }
        for key, decoder in told.items():
            before = len(decoders)
            for caller in {id(c.root.node): c.root for c in self.analysis.callers(decoder.root)}.values():
                if isinstance(caller.node, s.FuncDecl) and self._is_ours(caller.file.path):
                    self.readers.add(id(caller.node))
                    self._discover(caller, known, decoders, reached)
                if len(decoders) - before >= MAX_NAMED:
                    break
            if any(d.decoding.site == decoder.decoding.site and d.decoding.name for d in decoders.values()):
                del decoders[key]

    def _owner(self, frames: tuple[Frame, ...], root: Declaration, known: set[int]) -> Declaration | None:
        """The function that a decoding belongs to: the innermost that reads the data of the log.

        Where that only hands it on, it is the outermost below it that returns what was decoded.
        """
        nodes = [f for f in frames if isinstance(f.func.node, s.FuncDecl)]
        position = next((i for i, f in enumerate(nodes) if id(f.func.node) in known), None)
        if position is None:
            return root
        reader = nodes[position].func
        if not self._returns_record(reader):
            for frame in reversed(nodes[:position]):
                if self._returns_record(frame.func):
                    reader = frame.func
                    break
        if not self._is_ours(reader.file.path):
            reader = nodes[position].func
        assert isinstance(reader.node, s.FuncDecl)
        return Declaration(reader.package, reader.file, reader.node)

    def _returns_record(self, func: Func) -> bool:
        for result in func.node.results:
            type_ = self.types.resolve(result.type, func.file, func.package)
            base = type_.elem if type_ is not None and type_.kind in ("pointer", "slice") else type_
            if base is not None and base.kind == "named" and base not in self.log_types:
                under = self.types.underlying(base)
                if under is not None and under.kind == "struct":
                    return True
            if type_ is not None and type_.kind == "slice" and type_.elem is self.types.basic("string"):
                return True
        return False

    def _world(self, case: Case, topic: AbiEvent | None = None, reader: Declaration | None = None) -> World:
        certain = reader is not None and id(reader.node) in self.readers
        return World(case, self.store.get(assumed_abi), topic, self.broken_abis, certain)

    def _run(
        self,
        world: World,
        root: Declaration,
        context: Context,
        watch: Callable[[Func, list[Value], State, Site], None] | None = None,
        limits: Limits = LIMITS,
        lowered: int | None = None,
    ) -> tuple[Outcome, Trial]:
        """`try_out`, until all trials together have taken too many steps: then nothing is tried any more."""
        if self._spent > MOST_STEPS:
            return Outcome(exhausted=True), Trial(self.base, world, self.planter, limits)
        outcome, trial = try_out(self.base, self.planter, world, root, context, watch, limits, lowered)
        self._spent += trial.steps
        return outcome, trial

    # ------------------------------------------------------------ receivers and parameters

    def _contexts_of(self, root: Declaration) -> list[Context]:
        """The receivers that the program makes for a method, and the ABIs that callers hand to a function."""
        node = root.node
        assert isinstance(node, s.FuncDecl)
        known = self._contexts.get(id(node))
        if known is None:
            known = []
            if any(self._is_abi(self.types.resolve(p.type, root.file, root.package)) for p in node.params):
                known = self._from_callers(root, node)
            if not known and node.receiver is not None:
                type_ = self.types.resolve(node.receiver.type, root.file, root.package)
                base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
                if base is not None and base.kind == "named" and self._may_hold_abi(base):
                    known = self._receivers(base)
            self._contexts[id(node)] = known = known[:MAX_CONTEXTS] or [Context(None, {}, State())]
        return known

    def _may_hold_abi(self, type_: Type | None, depth: int = 0) -> bool:
        """Whether a value of this type can hold an ABI, a part of one or its text."""
        if type_ is None or depth > 3:
            return False
        if type_.elem is not None:
            return self._may_hold_abi(type_.elem, depth + 1)
        if type_.kind in ("interface", "func", "extern") or type_ is self.types.basic("string"):
            return type_.kind != "extern" or type_.path.startswith(lib.ABI)
        under = self.types.underlying(type_)
        if under is not None and under is not type_ and under.kind in ("interface", "func"):
            return True
        fields = (self.types.field_type(type_, f.name) for f in self.types.fields(type_))
        return any(self._may_hold_abi(field, depth + 1) for field in fields)

    def _is_abi(self, type_: Type | None) -> bool:
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        return base is not None and base.kind == "extern" and base.path.startswith(lib.ABI)

    def _receivers(self, type_: Type) -> list[Context]:
        """Objects of a type as the functions that write its literal make them."""
        found: list[Context] = []
        for maker in self._makers(type_):
            world = self._world(Case.GOOD)
            context = Context(None, {}, State())
            outcome, _ = self._run(world, maker, context, limits=MAKING)
            for exit_ in outcome.exits:
                made = [
                    cell
                    for cell, value in exit_.state.cells.items()
                    if len(value) == 1 and isinstance(value[0], Struct) and value[0].type is type_
                    and value[0].fields
                ]  # fmt: skip
                if made:
                    found.append(Context((Pointer(made[0]),), {}, exit_.state))
            if len(found) >= MAX_CONTEXTS:
                break
        return found

    def _makers(self, type_: Type) -> Iterator[Declaration]:
        package = type_.package
        assert package is not None
        literal = re.compile(rb"\b" + type_.name.encode() + rb"\s*\{|\bnew\(" + type_.name.encode() + rb"\)")
        outside = re.compile(rb"\." + type_.name.encode() + rb"\s*\{")
        paths = [(p, literal) for p in package.files]
        if type_.name[:1].isupper():
            others = self.analysis.search.own_files_with(package.path.encode(), b"." + type_.name.encode())
            paths += [(p, outside) for p in others if p not in package.files]
        for path, pattern in paths:
            if not pattern.search(self.program.repository.read(path) or b""):
                continue
            file, owner = self.program.file(path), self.program.package_of(path)
            if file is None or owner is None or self.program.repository.kind(path) in self.left_out:
                continue
            for function in file.functions_with(type_.name.encode()):
                if pattern.search(file.data, function.start, function.end):
                    yield Declaration(owner, file, function)

    def _from_callers(self, root: Declaration, node: s.FuncDecl) -> list[Context]:
        found: list[Context] = []
        makers = {id(c.root.node): c.root for c in self.analysis.callers(root)[:MAX_CONTEXTS]}
        for caller in makers.values():
            if not isinstance(caller.node, s.FuncDecl) or caller.node is node:
                continue
            for context in self._contexts_of(caller):
                found.extend(self._calls_of(root, node, caller, context))
        return found

    def _calls_of(
        self, root: Declaration, node: s.FuncDecl, caller: Declaration, context: Context
    ) -> Iterator[Context]:
        seen: list[Context] = []

        def watch(func: Func, args: list[Value], state: State, site: Site) -> None:
            if func.node is node:
                given = {
                    i: value
                    for i, (param, value) in enumerate(zip(node.params, args, strict=False))
                    if self._is_abi(self.types.resolve(param.type, root.file, root.package))
                    and not any(isinstance(v, Input) for v in value)
                }
                seen.append(Context(func.receiver, given, state.fork()))

        self._run(self._world(Case.GOOD), caller, context, watch)
        yield from (c for c in seen if c.args or c.receiver is not None)

    # ------------------------------------------------------------ judging

    def _row(self, decoder: _Decoder) -> Entity | None:
        root, decoding = decoder.root, decoder.decoding
        node = root.node
        assert isinstance(node, s.FuncDecl)
        judged = self._judge(decoder) if decoding.frames else _not_tried()
        event = decoding.name or self._event_by_names(root, node)
        site = self._own_site(decoding) if decoding.method else judged.manual or decoding.site
        location = self.analysis.location(site, "the data of the log is decoded here")
        failed = judged.failed

        def answer(name: str, value: str | None) -> Answer:
            place = judged.places.get(name)
            proof = (location, *((self.analysis.location(place),) if place is not None else ()))
            return Answer(value, judged.because.get(name, ""), proof, failed and value in (None, UNKNOWN))

        fields = {
            "function": Answer(node.name, "", (self._head(root, node),)),
            "decode": answer("decode", judged.decode),
            "abi_first": answer("abi_first", judged.abi_first),
            "method": Answer(decoding.method or None),
            "event": Answer(event),
            "error": answer("error", judged.error),
            "arrays": answer("arrays", judged.arrays),
            "allocation": self._allocation(judged, location) if decoding.frames else Answer(None),
            "definition": answer("definition", judged.definition),
            "used": self._used(root, node),
            "can_run": self._can_run(root, node, location),
        }
        return Entity("log_decoder", location, fields)

    def _allocation(self, judged: Judgement, location: Location) -> Answer:
        if judged.unbounded is None:
            return Answer("bounded")
        place = self.analysis.location(
            judged.unbounded, "a length in the data decides how much memory this takes"
        )
        return Answer("unbounded", "a length in the data is not compared with anything", (place, location))

    def _can_run(self, root: Declaration, node: s.FuncDecl, location: Location) -> Answer:
        from zuno_audit.facts.go.reach import reach

        answer = self.store.get(reach).can_run(root.file.path, node.start)
        because = (
            f"no binary runs {node.name}"
            if answer == NO
            else f"whether a binary runs {node.name} is not known"
        )
        return Answer(answer, "" if answer == YES else because, (location,))

    def _own_site(self, decoding: Decoding) -> Site:
        """The decoding call, or our call of the generated code that it stands in."""
        if self._is_ours(decoding.site.file.path):
            return decoding.site
        calls = [f.site for f in decoding.frames if f.site is not None]
        return next((c for c in calls if self._is_ours(c.file.path)), decoding.site)

    @staticmethod
    def _head(root: Declaration, node: s.FuncDecl) -> Location:
        return root.file.location(node.start, node.body.start, f"{node.name} decodes a log")

    def _judge(self, decoder: _Decoder) -> Judgement:
        judged = Judgement()
        decoding = decoder.decoding
        event = decoding.event
        topic = event if event is not None and event.inputs else None
        judged.definition = event.signature if event is not None and decoding.known else None
        if judged.definition is not None and event is not None and not event.inputs:
            judged.definition = "none"
        judged.because["definition"] = (
            "" if judged.definition is not None else "the ABI that it uses cannot be followed"
        )
        for site, why in self.broken_abis[:1]:
            if judged.definition is None:
                judged.because["definition"] = f"the ABI that it parses cannot be used: {why}"
                judged.places["definition"] = site
                judged.definition = "none"
        judgements = [self._try(decoder, context, topic) for context in self._contexts_of(decoder.root)]
        worst = min(judgements, key=rank)
        for one in judgements:
            judged.manual = judged.manual or one.manual
            judged.unbounded = judged.unbounded or one.unbounded
        judged.decode, judged.error, judged.arrays = worst.decode, worst.error, worst.arrays
        judged.abi_first = min((j.abi_first for j in judgements), key=("no", "unknown", "yes").index)
        judged.because.update(worst.because)
        judged.places.update(worst.places)
        judged.failed = any(one.failed for one in judgements)
        results = decoder.root.node.results if isinstance(decoder.root.node, s.FuncDecl) else []
        is_pointer = bool(results) and isinstance(results[0].type, s.Star)
        if is_pointer and judged.error == "checked" and any(one.is_silent for one in judgements):
            surprised = self._surprised(decoder.root)
            if surprised is not None:
                judged.error, judged.places["error"] = "ignored", surprised
                judged.because["error"] = (
                    "data that does not decode gives neither a result nor an error, and a caller takes what it gets"
                )
        return judged

    def _surprised(self, root: Declaration) -> Site | None:
        """A caller of ours that uses the result without having compared it with nil."""
        for caller, call in self.analysis.callers(root):
            if not isinstance(caller.node, s.FuncDecl) or not self._is_ours(caller.file.path):
                continue
            nodes = list(s.walk(caller.node))
            kept = next((n.lhs[0] for n in nodes if isinstance(n, s.Assign) and n.rhs == [call]), None)
            if not isinstance(kept, s.Ident) or kept.name == "_":
                continue
            compared = any(
                isinstance(n, s.Binary)
                and n.op in ("==", "!=")
                and {getattr(n.x, "name", ""), getattr(n.y, "name", "")} == {kept.name, "nil"}
                for n in nodes
            )
            used = any(
                isinstance(n, s.Selector) and isinstance(n.x, s.Ident) and n.x.name == kept.name
                for n in nodes
            )
            if used and not compared:
                return Site(caller.file, call.start, call.end)
        return None

    def _try(self, decoder: _Decoder, context: Context, topic: AbiEvent | None) -> Judgement:
        """All cases for one way to reach the decoder."""
        judged = Judgement()
        runs: dict[Case, tuple[Outcome, Trial]] = {}
        by_hand = not decoder.decoding.method
        arrays = (
            [p for p in topic.inputs if not p.indexed and p.type.endswith("[]")] if topic is not None else []
        )
        cases = [Case.GOOD] if by_hand else [Case.GOOD, Case.REFUSED]
        if arrays and not by_hand:
            cases.append(Case.MISTYPED_FIRST)
        if len(arrays) > 1 and not by_hand:
            cases += [Case.MISTYPED_LAST, Case.SHORT_FIRST, Case.SHORT_LAST]
        for case in cases:
            world = self._world(case, topic, decoder.root)
            runs[case] = self._run(world, decoder.root, context)
            judged.failed = judged.failed or runs[case][0].exhausted or bool(runs[case][0].broken)
            judged.unbounded = next(iter(runs[case][1].unbounded), judged.unbounded)
            for decoding in runs[case][1].world.decodings:
                if not decoding.method and judged.manual is None:
                    judged.manual = decoding.site
        judge = Judge(decoder.root, decoder.decoding, topic, runs, judged)
        judge.run()
        if judged.arrays == "safe" and not by_hand:
            self._try_many(judge, decoder.root, context, topic)
        return judged

    def _try_many(self, judge: Judge, root: Declaration, context: Context, topic: AbiEvent | None) -> None:
        """Tries long arrays; then, where the code has limits above their length, with each of them lower."""

        def tried(limit: int | None, many: int = lib.MANY) -> list[int]:
            world = self._world(Case.MANY, topic, root)
            world.many = many
            run = self._run(world, root, context, limits=_FOR_MANY, lowered=limit)
            judge.add_many(run, limit)
            return run[1].limits_seen()

        limits = tried(None)
        if limits and judge.judged.arrays == "safe":  # what depends on the length is another number next time
            limits = [limit for limit in tried(None, lib.MANY + 31) if limit in limits]
        for limit in limits[:MOST_LIMITS]:
            if judge.judged.arrays == "safe":
                tried(limit)
        if len(limits) > MOST_LIMITS and judge.judged.arrays == "safe":
            judge.limited(min(limits))

    def _event_by_names(self, root: Declaration, node: s.FuncDecl) -> str | None:
        """For a decoder by hand: the event that its result or its own name is named after."""
        words = [node.name]
        for result in node.results:
            type_ = self.types.resolve(result.type, root.file, root.package)
            base = type_.elem if type_ is not None and type_.kind in ("pointer", "slice") else type_
            if base is not None and base.kind == "named":
                words.insert(0, base.name)
        known = sorted((e.name for e in self.store.get(assumed_abi).events), key=lambda n: (-len(n), n))
        for word in words:
            for name in known:
                if name.lower() in word.lower():
                    return name
        for word in words[:-1]:
            stripped = re.sub(r"(?:Event|Log)$", "", word)
            if stripped != word and stripped:
                return stripped
        return None

    def _used(self, root: Declaration, node: s.FuncDecl) -> Answer:
        """Whether code outside of the function itself and of tests refers to it."""
        from zuno_audit.facts.go.references import references

        if node.name in ("main", "init") and node.receiver is None:
            return Answer(YES)
        asked = self.store.get(references)
        found = next(iter(asked.near(root) or asked.far(root)), None)
        if found is None:
            return Answer(NO, f"nothing in the program refers to {node.name}", (self._head(root, node),))
        place = found.root.file.location(found.name.start, found.name.end, f"{node.name} is used here")
        return Answer(YES, "", (place,))
