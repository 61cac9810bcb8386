"""Is the value of a Go expression a secret? By names and types, and through variables, texts, results and
structs.

The answer is a name, never a value. Lengths, digests, masked texts, parts of texts and types that hide their
content (`String`, `MarshalJSON`, `LogValue`...) are not secrets.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zuno_audit.facts.go.bindings import Source, called_name
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.static_types import callee_of, static_type
from zuno_audit.facts.secret_values import names_a_secret, words
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.texts import Texts
    from zuno_audit.facts.go.types import Type

MAX_DEPTH = 6
HIDING_METHODS = (
    "String",
    "GoString",
    "Format",
    "MarshalJSON",
    "MarshalText",
    "LogValue",
    "MarshalZerologObject",
)
_TEXT_CALLS = frozenset(
    [
        "string",
        "Sprintf",
        "Sprint",
        "Sprintln",
        "TrimSpace",
        "Trim",
        "TrimPrefix",
        "TrimSuffix",
        "TrimRight",
        "TrimLeft",
        "Join",
        "ToUpper",
        "ToLower",
        "ReplaceAll",
        "Replace",
        "Title",
        "Quote",
        "EncodeToString",
        "QueryEscape",
        "PathEscape",
        "Clone",
        "Bytes",
        "Concat",
        "Getenv",
        "Or",
        "Append",
        "Errorf",
        "Wrap",
        "Wrapf",
    ]
)
_HIDES = re.compile(
    r"mask|redact|hide|hidden|obfuscat|censor|sanitiz|scrub|hash|digest|fingerprint|checksum|sum(?:256|512)?$|crc|len$|"
    r"bcrypt|scrypt|argon|encrypt|seal|verify|compare|equal|valid|exists?$|^is[A-Z]|^has[A-Z]|count|parse|lookup",
    re.IGNORECASE,
)
_DSN_WORDS = frozenset(("dsn", "connstr", "connectionstring", "connstring", "databaseurl", "dburl"))
_TOKEN = frozenset(("token", "tokens"))
_CHAIN = re.compile(rb"(?i)\b(?:nft|erc-?20|erc-?721|erc-?1155|go-ethereum|solidity|collection)\b")
_PAGES = re.compile(r"(?i)pagin|page|cursor|continuation|lex|tokeni")
_LEXER = re.compile(rb"\"go/(?:token|scanner|ast)\"|text/scanner|lexer")


class SecretFlow:
    """Answers for one program."""

    def __init__(self, asked: Analysis, texts: Texts) -> None:
        self.asked, self.texts = asked, texts
        self.types = asked.types
        self._structs: dict[int, str | None] = {}
        self._results: dict[int, list[s.Return]] = {}

    # ---------------------------------------------------------------- expressions

    def secret(self, expr: s.Expr, root: Declaration, depth: int = 0) -> str | None:
        """The name of the secret that the text of a value shows, or None."""
        if depth > MAX_DEPTH:
            return None
        match expr:
            case s.Ident(name=name):
                return self._variable(name, expr, root, depth)
            case s.Selector(sel=sel):
                return self._member(sel, expr, root)
            case s.Binary(op="+", x=x, y=y):
                return self.secret(x, root, depth + 1) or self.secret(y, root, depth + 1)
            case s.Star(x=x) | s.Unary(op="&" | "*", x=x):
                return self.secret(x, root, depth + 1)
            case s.SliceExpr(low=None, high=None, x=x):
                return self.secret(x, root, depth + 1)
            case s.Index(x=x, indices=[s.BasicLit(value=str() as key)]) if self._is_secret_name(key, root):
                return key
            case s.Call():
                return self._call(expr, root, depth)
        return None

    def _is_secret_name(self, name: str, root: Declaration) -> bool:
        parts = words(name)
        joined = "".join(parts)
        if joined in _DSN_WORDS or (parts and parts[-1] == "dsn"):
            return True
        if not names_a_secret(name) or {"nft", "erc", "contract", "mint", "standard"} & set(parts):
            return False
        if set(parts) <= _TOKEN | {"s"} and self._is_other_token(root):
            return False
        return not {"err", "error", "required", "missing", "invalid", "source", "provider", "manager"} & set(
            parts
        )

    @staticmethod
    def _is_other_token(root: Declaration) -> bool:
        """True where "token" is a word of another trade: of chains, of parsers, of pages."""
        data = root.file.data
        around = getattr(root.node, "name", "")
        return bool(_CHAIN.search(data) or _LEXER.search(data) or _PAGES.search(around))

    def _variable(self, name: str, expr: s.Ident, root: Declaration, depth: int) -> str | None:
        variable = self.texts.bindings(root).variable(name, expr.start)
        if variable is None:
            declared = root.package.declaration(name)
            if declared is None or not isinstance(declared.node, s.ValueSpec) or declared.node.is_const:
                return None
            return name if self._is_named_secret(name, expr, root) else None
        kinds = {source.kind for source in variable.sources}
        texts_only = kinds <= {"value"} and all(isinstance(x.expr, s.BasicLit) for x in variable.sources)
        if (
            self._is_named_secret(name, expr, root)
            and not texts_only
            and not self._is_hidden(variable.sources)
        ):
            return name
        for source in variable.sources:
            if source.kind in ("value", "result") and source.index == 0 and source.expr is not None:
                found = self.secret(source.expr, root, depth + 1)
                if found is not None:
                    return found
        return None

    @staticmethod
    def _is_hidden(sources: list[Source]) -> bool:
        """True when a variable holds only what hiding functions made."""
        calls = [source.expr for source in sources]
        return bool(calls) and all(isinstance(c, s.Call) and _HIDES.search(called_name(c)) for c in calls)

    def _is_named_secret(self, name: str, expr: s.Expr, root: Declaration) -> bool:
        return self._is_secret_name(name, root) and self._is_text(
            static_type(expr, root, self.texts, self.types), name
        )

    def _is_text(self, type_: Type | None, name: str) -> bool:
        """True for texts and bytes, and for types that are not known where the name leaves no doubt."""
        if type_ is None:
            return not set(words(name)) <= _TOKEN | {"access", "refresh", "s"}
        if type_.kind == "pointer" and type_.elem is not None:
            type_ = type_.elem
        if type_.kind == "named" and self.hides(type_):
            return False
        under = self.types.underlying(type_)
        if under is None:
            return False
        if under.kind in ("slice", "array"):
            elem = under.elem
            return elem is not None and elem.kind == "basic" and elem.name in ("byte", "uint8", "string")
        return under.kind == "basic" and under.name == "string"

    def hides(self, type_: Type) -> bool:
        """True for a type that decides itself how it is shown."""
        base = type_.elem if type_.kind == "pointer" and type_.elem is not None else type_
        if base.kind != "named" or base.package is None:
            return False
        return any(base.package.method(base.name, name) is not None for name in HIDING_METHODS)

    def _member(self, name: str, expr: s.Selector, root: Declaration) -> str | None:
        if (
            isinstance(expr.x, s.Ident)
            and self.texts.bindings(root).variable(expr.x.name, expr.x.start) is None
        ):
            path = self.asked.program.imported(root.file).get(expr.x.name)
            if path is not None:
                package = self.asked.program.package(path)
                declared = package.declaration(name) if package is not None else None
                is_variable = declared is not None and isinstance(declared.node, s.ValueSpec)
                if not is_variable or declared.node.is_const:  # type: ignore[union-attr]
                    return None
        owner = (
            expr.x.sel
            if isinstance(expr.x, s.Selector)
            else expr.x.name
            if isinstance(expr.x, s.Ident)
            else ""
        )
        if set(words(name)) <= _TOKEN and _PAGES.search(owner):
            return None
        return name if self._is_named_secret(name, expr, root) else None

    def _call(self, call: s.Call, root: Declaration, depth: int) -> str | None:
        name = called_name(call)
        if isinstance(call.fun, s.ArrayType) and call.args:  # []byte(x)
            return self.secret(call.args[0], root, depth + 1)
        if not name or name == "len" or _HIDES.search(name):
            return None
        if name in ("Getenv", "LookupEnv") and call.args:
            keys = self.texts.constants(call.args[0], root) or []
            return next((k for k in keys if self._is_secret_name(k, root)), None)
        callee = callee_of(call, root, self.texts, self.types)
        if callee is not None:
            return self._result_of(callee, call, root, depth)
        if name.startswith("Get") and not call.args and self._is_secret_name(name[3:], root):
            return name[3:]
        if name in _TEXT_CALLS or self._is_conversion(call, root):
            verbs = verbs_of(call, self.texts, root) if name == "Sprintf" else None
            for index, argument in enumerate(call.args):
                if verbs is not None and index > 0 and not shows(verbs, index - 1):
                    continue
                found = self.secret(argument, root, depth + 1) or self.struct(argument, root)
                if found is not None:
                    return found
        return None

    def _is_conversion(self, call: s.Call, root: Declaration) -> bool:
        if not isinstance(call.fun, s.Ident) or len(call.args) != 1:
            return False
        declared = root.package.declaration(call.fun.name)
        return declared is not None and isinstance(declared.node, s.TypeSpec)

    def _result_of(self, callee: Declaration, call: s.Call, root: Declaration, depth: int) -> str | None:
        """A function of the repository: what it returns, with the arguments of this call put in."""
        node = callee.node
        assert isinstance(node, s.FuncDecl)
        if not node.results or not self._is_text(
            self.types.resolve(node.results[0].type, callee.file, callee.package), "password"
        ):
            return None
        returns = self._results.get(id(node))
        if returns is None:
            returns = self._results[id(node)] = [n for n in s.walk(node.body) if isinstance(n, s.Return)]
        for statement in returns:
            if not statement.values:
                continue
            found = self.secret(statement.values[0], callee, depth + 2)
            if found is not None:
                return self._substituted(found, node, call, root, depth)
            for index, param in enumerate(node.params):
                if param.name and index < len(call.args) and _mentions(statement.values[0], param.name):
                    found = self.secret(call.args[index], root, depth + 1)
                    if found is not None and self._passes(statement.values[0], param.name, callee):
                        return found
        return None

    def _substituted(
        self, found: str, node: s.FuncDecl, call: s.Call, root: Declaration, depth: int
    ) -> str | None:
        """A parameter called like a secret counts as one only if the argument may be."""
        index = next((i for i, p in enumerate(node.params) if p.name == found), None)
        if index is None or index >= len(call.args):
            return found
        argument = call.args[index]
        return None if isinstance(argument, s.BasicLit) else self.secret(argument, root, depth + 1) or found

    def _passes(self, expr: s.Expr, name: str, callee: Declaration) -> bool:
        """True when the text of a parameter stands in a result as it is."""
        match expr:
            case s.Ident():
                return expr.name == name
            case s.Binary(op="+", x=x, y=y):
                return self._passes(x, name, callee) or self._passes(y, name, callee)
            case s.Call():
                return called_name(expr) in _TEXT_CALLS and any(
                    self._passes(a, name, callee) for a in expr.args
                )
        return False

    # ---------------------------------------------------------------- structs

    def struct(self, expr: s.Expr, root: Declaration) -> str | None:
        """`Type.Field` when printing a value shows a secret field of its struct."""
        type_ = static_type(expr, root, self.texts, self.types)
        return self._secret_field(type_, 0) if type_ is not None else None

    def _secret_field(self, type_: Type, depth: int) -> str | None:
        if self.hides(type_):
            return None
        base = type_.elem if type_.kind == "pointer" and type_.elem is not None else type_
        if base.kind != "named" or base.package is None or depth > 3:
            return None
        if id(base) not in self._structs:
            self._structs[id(base)] = None
            self._structs[id(base)] = self._find_field(base, depth)
        return self._structs[id(base)]

    def _find_field(self, base: Type, depth: int) -> str | None:
        under = self.types.underlying(base)
        if under is None or not isinstance(under.node, s.StructType) or base.package is None:
            return None
        assert under.file is not None and under.package is not None
        anchor = base.package.declaration(base.name)
        for field in under.node.fields:
            inner = self.types.resolve(field.type, under.file, under.package)
            if (
                anchor is not None
                and self._is_secret_name(field.name, anchor)
                and inner is not None
                and inner.kind != "pointer"
                and self._is_text(inner, field.name)
            ):
                return f"{base.name}.{field.name}"
            if inner is not None and inner.kind == "named":
                nested = self._secret_field(inner, depth + 1)
                if nested is not None:
                    return nested
        return None


def verbs_of(call: s.Call, texts: Texts, root: Declaration) -> list[str] | None:
    """The verbs of a call's constant format, one for each argument; None when it is not constant."""
    for argument in call.args[:1]:
        constants = texts.constants(argument, root)
        if constants:
            return re.findall(r"%[-+# 0-9.*\[\]]*([a-zA-Z])", constants[0].replace("%%", ""))
    return None


def shows(verbs: list[str], index: int) -> bool:
    """True when the verb of an argument shows its text (not its type, address, number or truth)."""
    return index >= len(verbs) or verbs[index] in "svqxXw"


def _mentions(expr: s.Expr, name: str) -> bool:
    return any(isinstance(node, s.Ident) and node.name == name for node in s.walk(expr))
