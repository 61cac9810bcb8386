"""Is what an expression shows a secret? Values are followed from what they were read from (the environment,
flags, requests, fields and variables whose names say so) through variables, fields, texts and functions.

The answer is a name, never a value. Lengths, digests, masked texts, parts of texts and types that hide their
content (`String`, `MarshalJSON`, `LogValue`...) are not secrets; whether they hide it is read off their code.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from zuno_audit.facts.go.bindings import Source, Variable, called_name, last_name
from zuno_audit.facts.go.hard_coded import is_value, literal_text
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.reaching import Reaching
from zuno_audit.facts.go.secret_calls import SecretCalls
from zuno_audit.facts.go.secret_fields import ITSELF, SecretFields
from zuno_audit.facts.go.secret_names import (
    PAGES,
    deals_with_access,
    is_dsn_name,
    is_secret_key,
    is_secret_name,
    mentions,
    names_a_path,
    names_something_about,
)
from zuno_audit.facts.go.showing import FIELD, FORMATS, HIDES, RAW, TEXT, At, Verb, verbs_of
from zuno_audit.facts.go.static_types import static_type
from zuno_audit.facts.go.texts import initial
from zuno_audit.facts.secret_values import TOKEN, names_a_secret, words
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.types import Type
    from zuno_audit.model.location import Location

MAX_DEPTH = 8
_OPENS = frozenset(("ReadFile", "Open", "OpenFile", "Stat", "Lstat"))


class SecretFlow:
    """Answers for one program. `reads` are the reads of the environment: the variable, by place."""

    def __init__(self, asked: Analysis, reads: Mapping[Location, str]) -> None:
        self.asked, self.texts, self.types = asked, asked.texts, asked.types
        self._known: dict[tuple[int, At, str], tuple[s.Expr, str | None]] = {}
        self._static: dict[int, tuple[s.Expr, Type | None]] = {}
        self._mentions: dict[str, list[int]] = {}
        self._depth, self._is_cut = 0, False
        self.reaching = Reaching()
        self.fields = SecretFields(self)
        self.calls = SecretCalls(self, reads)

    def mentions(self, path: str) -> list[int]:
        """The offsets in a file of words that have to do with secrets."""
        known = self._mentions.get(path)
        if known is None:
            known = self._mentions[path] = mentions(self.asked.program.repository.read(path) or b"")
        return known

    def speaks_of_secrets(self, path: str, node: s.Node) -> bool:
        """True when such a word stands in a node of a file."""
        found = self.mentions(path)
        index = bisect_left(found, node.start)
        return index < len(found) and found[index] < node.end

    def shown(self, expr: s.Expr, at: At, how: str = RAW) -> str | None:
        """The name of the secret that showing a value in one of the ways gives away, or None."""
        if isinstance(expr, s.BasicLit | s.FuncLit):
            return None
        key = (id(expr), at, how)
        known = self._known.get(key)
        if known is not None:
            return known[1]
        if self._depth > MAX_DEPTH:
            self._is_cut = True
            return None
        self._known[key] = (expr, None)  # a value that depends on itself adds nothing
        self._depth += 1
        found = self._shown(expr, at, how)
        self._depth -= 1
        if found is not None or not self._is_cut:
            self._known[key] = (expr, found)
        else:
            self._known.pop(key)  # the depth decided, and from elsewhere it may be less
        if self._depth == 0:
            self._is_cut = False
        return found

    def _shown(self, expr: s.Expr, at: At, how: str) -> str | None:
        type_ = self.type_of(expr, at.root) if how != RAW else None
        if type_ is None:
            return self._text_of(expr, at, how)
        if type_.kind in ("slice", "array", "map") and not at.only and isinstance(expr, s.Ident | s.Selector):
            element = self.fields.nested(type_, how)
            inside = self.fields.holding(element, how) if element is not None else []
            if inside:
                return inside[0][2]
        is_struct = not at.only and self.fields.struct_type(type_) is not None
        found = self.fields.struct(expr, type_, at, how) if is_struct else self._text_of(expr, at, how)
        method = self.fields.hiding_method(type_, how, is_exported=True) if found is not None else None
        if method is None:
            return found
        revealed = self.fields.revealed(method)
        return found if revealed == ITSELF else revealed

    def _text_of(self, expr: s.Expr, at: At, how: str) -> str | None:
        match expr:
            case s.Ident(name=name):
                return self._variable(name, expr, at, how)
            case s.Selector(sel=sel):
                return self._member(sel, expr, at)
            case s.Binary(op="+", x=x, y=y):
                return self.shown(x, at) or self.shown(y, at)
            case s.Star(x=x) | s.Unary(op="&" | "*", x=x) | s.TypeAssert(x=x):
                return self.shown(x, at, how)
            case s.SliceExpr(low=None | s.BasicLit(), high=None, x=x):
                return self.shown(x, at, how)
            case s.Index(x=x, indices=[index]):
                return self._element(x, index, at, how)
            case s.CompositeLit(elements=elements):
                for key, value in elements:
                    found = self.shown(value, at, how) or self.keyed(key, value, at)
                    if found is not None:
                        return found
            case s.Call():
                return self.calls.result(expr, 0, at, how)
        return None

    def type_of(self, expr: s.Expr, root: Declaration) -> Type | None:
        """The static type of an expression, remembered."""
        known = self._static.get(id(expr))
        if known is None:
            known = self._static[id(expr)] = (expr, static_type(expr, root, self.texts, self.types))
        return known[1]

    def _element(self, x: s.Expr, index: s.Expr, at: At, how: str) -> str | None:
        if isinstance(index, s.BasicLit) and isinstance(index.value, str):
            if not at.only and is_secret_key(index.value, at.root):
                return index.value
            literal = self.texts.literal(x, at.root)
            if literal is not None:
                for key, value in literal[0].elements:
                    if isinstance(key, s.BasicLit) and key.value == index.value:
                        return self.shown(value, at, how)
            return None
        type_ = self.type_of(x, at.root)
        if type_ is not None and type_.kind == "basic":
            return None  # a byte of a text
        return self.shown(x, at, how)

    def _variable(self, name: str, expr: s.Ident, at: At, how: str) -> str | None:
        root = at.root
        variable = self.texts.bindings(root).variable(name, expr.start)
        if variable is None:
            return None if at.only else self.package_variable(name, expr, root, how)
        sources = self.reaching.sources(variable, expr.start, root)
        if any(source.kind in ("param", "receiver") and source.function is root.node for source in sources):
            for given, label in at.given:
                if given == name:
                    return None if self._is_opened(name, root) else label
        if names_a_path(name):
            return None  # whatever the setting is called that it comes from
        is_secret = not at.only and self._is_named_secret(name, expr, root)
        if is_secret and self._is_opened(name, root):
            return None
        if is_secret and not self._is_clean(name, sources, at) and not self._is_key_of_secret(name, root):
            return name
        is_error = (type_ := self.type_of(expr, root)) is not None and type_.name == "error"
        for source in sources:
            found = self._source(source, at, how)
            if found is None and is_error and source.kind == "value" and source.expr is not None:
                found = self.error(source.expr, at) if at.errors else None
            if found is not None:
                return found
        if any(isinstance(x.expr, s.Call) and called_name(x.expr) == "make" for x in sources):
            return self._copied_into(variable, at)
        return None

    def _is_key_of_secret(self, name: str, root: Declaration) -> bool:
        """True for the key under which a secret is kept: `secretKey` beside `secretName`, or in `data[secretKey]`."""
        if words(name) != ("secret", "key"):
            return False
        return any(
            (isinstance(n, s.Ident) and n.name.lower() == "secretname")
            or (isinstance(n, s.Index) and any(isinstance(i, s.Ident) and i.name == name for i in n.indices))
            for n in s.walk(root.node)
        )

    def _is_opened(self, name: str, root: Declaration) -> bool:
        """True for a variable that names the file which is opened, whatever it is called."""
        return any(
            isinstance(n, s.Call)
            and isinstance(n.fun, s.Selector)
            and n.fun.sel in _OPENS
            and bool(n.args)
            and isinstance(n.args[0], s.Ident)
            and n.args[0].name == name
            and self.texts.package_path(n.fun.x, root) in ("os", "io/ioutil")
            for n in s.walk(root.node)
        )

    def _copied_into(self, variable: Variable, at: At) -> str | None:
        """What `copy(buffer, x)` and `hex.Encode(buffer, x)` put into a buffer."""
        for node in s.walk(at.root.node):
            if (
                not isinstance(node, s.Call)
                or called_name(node) not in ("copy", "Encode")
                or len(node.args) != 2
            ):
                continue
            target = node.args[0].x if isinstance(node.args[0], s.SliceExpr) else node.args[0]
            if isinstance(target, s.Ident) and target.name == variable.name:
                found = self.shown(node.args[1], at)
                if found is not None:
                    return found
        return None

    def _source(self, source: Source, at: At, how: str) -> str | None:
        if source.expr is None:
            return None
        match source.kind:
            case "value" | "range-value" | "other":
                return self.shown(source.expr, at, how)
            case "result" if isinstance(source.expr, s.Call):
                return self.calls.result(source.expr, source.index, at, how)
            case "result" if source.index == 0:
                return self.shown(source.expr, at, how)
        return None

    def package_variable(self, name: str, expr: s.Expr, root: Declaration, how: str) -> str | None:
        declared = root.package.declaration(name)
        if declared is None or not isinstance(declared.node, s.ValueSpec):
            return None
        value = initial(declared.node, name)
        text = literal_text(value) if value is not None else None
        if declared.node.is_const or text is not None:
            return name if text is not None and is_value(name, text) else None
        if self._is_named_secret(name, expr, root):
            return name
        return self.shown(value, At(declared), how) if value is not None else None

    def _is_clean(self, name: str, sources: list[Source], at: At) -> bool:
        """True when a variable that is named like a secret holds none: texts of the code, or what hiding
        functions made.
        """
        is_dsn = is_dsn_name(name)
        filled = [source for source in sources if source.kind != "zero"]
        return bool(filled) and all(
            self._adds_names(source.expr) or self.is_clean_source(source, at, is_dsn) for source in filled
        )

    @staticmethod
    def _adds_names(expr: s.Expr | None) -> bool:
        """True for `append(list, x.SecretName)`: names, ids and the like of secrets."""
        if not isinstance(expr, s.Call) or called_name(expr) != "append" or len(expr.args) < 2:
            return False
        return all(
            isinstance(a, s.Selector | s.Ident) and names_something_about(last_name(a)) for a in expr.args[1:]
        )

    def is_clean_source(self, source: Source, at: At, is_dsn: bool) -> bool:
        expr = source.expr
        if source.kind not in ("value", "result") or expr is None:
            return False
        if isinstance(expr, s.BasicLit) or (
            isinstance(expr, s.Ident | s.Selector) and self.texts.constants(expr, at.root)
        ):
            return True
        if is_dsn and isinstance(expr, s.Binary):
            return self.shown(expr, at) is None
        if not isinstance(expr, s.Call):
            return False
        name = called_name(expr)
        callee = self.calls.own_callee(expr, at.root)
        if callee is None:
            if is_dsn and name in FORMATS:
                return self.shown(expr, at) is None
            return HIDES.search(name) is not None
        if self.calls.result(expr, source.index, at, TEXT) is not None:
            return False
        return any(self.shown(a, at) is not None for a in expr.args) or HIDES.search(name) is not None

    def _is_named_secret(self, name: str, expr: s.Expr, root: Declaration) -> bool:
        if not is_secret_name(name, root):
            return False
        type_ = self.type_of(expr, root)
        if type_ is None and set(words(name)) <= TOKEN:
            return deals_with_access(root)
        return self.is_text(type_, name)

    def is_text(self, type_: Type | None, name: str) -> bool:
        """True for texts and bytes, and for types that are not known where the name leaves no doubt."""
        if type_ is None:
            parts = [part for part in words(name) if part not in TOKEN]
            return names_a_secret("_".join(parts))
        if type_.kind == "pointer" and type_.elem is not None:
            type_ = type_.elem
        under = self.types.underlying(type_)
        if under is None:
            return False
        if under.kind in ("slice", "array"):
            elem = under.elem
            return elem is not None and elem.kind == "basic" and elem.name in ("byte", "uint8", "string")
        return under.kind == "basic" and under.name == "string"

    def can_hold_text(self, type_: Type | None) -> bool:
        """False for numbers, truth values and errors."""
        if type_ is None:
            return True
        under = self.types.underlying(type_) or type_
        if under.kind == "basic":
            return under.name == "string"
        return not (under.kind == "interface" and type_.name == "error")

    def _member(self, name: str, expr: s.Selector, at: At) -> str | None:
        root = at.root
        if at.only:
            return None
        owner = expr.x
        if isinstance(owner, s.Ident) and self.texts.bindings(root).variable(owner.name, owner.start) is None:
            path = self.asked.program.imported(root.file).get(owner.name)
            if path is not None:
                package = self.asked.program.package(path)
                declared = package.declaration(name) if package is not None else None
                if declared is None:
                    return None
                return self.package_variable(name, expr, declared, RAW)
        around = last_name(owner)
        if set(words(name)) <= TOKEN and PAGES.search(around):
            return None
        if is_secret_name(name, root):
            return name if self._is_named_secret(name, expr, root) else None
        return self.fields.carried_by(owner, name, expr, root)

    def any_of(self, args: list[s.Expr], at: At, how: str) -> str | None:
        for argument in args:
            found = self.shown(argument, at, how)
            if found is not None:
                return found
        return None

    def keyed(self, key: s.Expr | None, value: s.Expr, at: At) -> str | None:
        """The key under which a value is shown, where it says that the value is a secret: `"password", p`."""
        if not isinstance(key, s.BasicLit) or not isinstance(key.value, str) or at.only:
            return None
        if not isinstance(value, s.Ident | s.Selector) or not is_secret_key(key.value, at.root):
            return None
        name = value.name if isinstance(value, s.Ident) else value.sel
        type_ = self.type_of(value, at.root)
        if names_something_about(name) or (type_ is not None and not self.is_text(type_, name)):
            return None
        method = self.fields.hiding_method(type_, FIELD, is_exported=True) if type_ is not None else None
        if method is not None and self.fields.revealed(method) is None:
            return None
        if isinstance(value, s.Ident):
            variable = self.texts.bindings(at.root).variable(name, value.start)
            if variable is None:
                return None
            sources = self.reaching.sources(variable, value.start, at.root)
            if type_ is None and not any(source.kind == "param" for source in sources):
                return None
            return None if self._is_clean(name, sources, at) else key.value
        return key.value if type_ is not None else None

    def in_pairs(self, call: s.Call, at: At, start: int, how: str) -> str | None:
        """The secret among arguments that are keys and values by turns."""
        previous: s.Expr | None = None
        for argument in call.args[start:]:
            found = self.shown(argument, at, how) or self.keyed(previous, argument, at)
            if found is not None:
                return found
            previous = argument
        return None

    def formatted(self, call: s.Call, at: At, start: int = 0, how: str = TEXT) -> str | None:
        """The secret that a call like fmt.Printf shows, `start` being the index of the first argument that
        counts. Formats decide for each argument how it is shown.
        """
        verbs, first = self._verbs(call, at.root)
        if verbs is None:
            return self.in_pairs(call, at, start, how)
        for index, argument in enumerate(call.args[start:], start):
            shown = how
            if index >= first:
                verb = verbs[index - first] if index - first < len(verbs) else Verb(how)
                if verb.how is None:
                    continue
                shown = verb.how
            found = self.shown(argument, at, shown)
            if found is not None:
                return found
        return None

    def _verbs(self, call: s.Call, root: Declaration) -> tuple[list[Verb] | None, int]:
        """The verbs of a call's constant format and the index of the argument of the first one."""
        if not called_name(call).endswith(("f", "fDepth")):
            return None, 0
        for index, argument in enumerate(call.args[:3]):
            constants = self.texts.constants(argument, root)
            if constants:
                return verbs_of(constants[0]), index + 1
        return None, 0

    def gives(self, declared: Declaration) -> bool:
        """True for a function whose first result is the text of a secret, or a struct that holds one."""
        node = declared.node
        assert isinstance(node, s.FuncDecl)
        if not node.results or not node.has_body:
            return False
        type_ = self.types.resolve(node.results[0].type, declared.file, declared.package)
        base = self.fields.struct_type(type_) if type_ is not None else None
        if base is not None:
            return bool(self.fields.holding(base, TEXT))
        if not self.is_text(type_, "") or not (
            self.speaks_of_secrets(declared.file.path, node) or self.fields.fills_receiver(declared)
        ):
            return False
        returned = (self.calls.returned(statement, node, 0) for statement in self.calls.returns_of(node))
        return any(v is not None and self.shown(v, At(declared), TEXT) is not None for v in returned)

    @cached_property
    def errors_keep_secrets(self) -> bool:
        """True when a type of the repository is an error and has a field with a secret."""
        program = self.asked.program
        for path in self.asked.search.own_files_with(b") Error() string"):
            file, package = program.file(path), program.package_of(path)
            if file is None or package is None:
                continue
            for node in file.functions_with(b"Error() string"):
                if node.name == "Error" and node.receiver is not None:
                    type_ = self.types.resolve(node.receiver.type, file, package)
                    base = self.fields.struct_type(type_) if type_ is not None else None
                    if base is not None and self.fields.holding(base, TEXT):
                        return True
        return False

    def error(self, expr: s.Expr, at: At) -> str | None:
        """The secret in the text of an error, where a type of the repository keeps one: what fmt puts into an error
        is given away where it does.
        """
        type_ = self.type_of(expr, at.root)
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        if base is not None and base.kind == "named" and self.fields.struct_type(base) is not None:
            return self.shown(expr, at, TEXT)
        if isinstance(expr, s.Call) and self.calls.own_callee(expr, at.root) is None:
            return next((e for x in expr.args if (e := self.error(x, at))), None)
        if isinstance(expr, s.Call):
            return self.shown(expr, at, TEXT)
        if isinstance(expr, s.Ident) and self._depth < MAX_DEPTH:
            variable = self.texts.bindings(at.root).variable(expr.name, expr.start)
            for source in (
                self.reaching.sources(variable, expr.start, at.root) if variable is not None else ()
            ):
                if source.expr is not None and source.expr is not expr and source.start < expr.start:
                    if source.kind == "result" and isinstance(source.expr, s.Call):
                        found = self.calls.result(source.expr, source.index, at, TEXT)
                    else:
                        found = self.error(source.expr, at)
                    if found is not None:
                        return found
        return None
