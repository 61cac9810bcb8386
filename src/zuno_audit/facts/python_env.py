"""Environment variables that Python programs of the repository read, parsed with libcst and never run.

`os.environ`, `os.getenv` under any alias, functions of a module that hand their parameter on to these, and the
settings classes of pydantic. Constants of the module and loops over literals are followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider

from zuno_audit.facts.env_read import EnvRead, script_read
from zuno_audit.model.entity import NO, YES

_LOOKUPS = ("get", "pop", "setdefault")
_ENDS = frozenset(["exit", "SystemExit", "abort", "_exit", "fatal", "die", "fail"])


def python_reads(path: str, data: bytes) -> list[EnvRead]:
    """The reads in one file; none of a file that does not parse."""
    try:
        wrapper = MetadataWrapper(cst.parse_module(data), unsafe_skip_copy=True)
        return list(_Module(path, wrapper).reads())
    except (cst.ParserSyntaxError, cst.CSTValidationError, UnicodeDecodeError, RecursionError):
        return []


class _Read(NamedTuple):
    """One read: the expression of its name, and what stands for a missing value."""

    node: cst.CSTNode
    key: cst.BaseExpression
    default: str | None
    required: str
    mechanism: str


class _Wrapper(NamedTuple):
    """A function that reads the variable named by one of its parameters."""

    key: int
    key_name: str
    default: int | None
    default_name: str
    fallback: str | None
    required: str


class _Module:
    def __init__(self, path: str, wrapper: MetadataWrapper) -> None:
        self.path = path
        self.module = wrapper.module
        self.positions = wrapper.resolve(PositionProvider)
        self.parents = wrapper.resolve(ParentNodeProvider)
        self.nodes = list(_walk(self.module))
        self.environ: set[str] = set()  # names that mean os.environ
        self.getenv: set[str] = set()  # names that mean os.getenv
        self.os: set[str] = set()  # names that mean the module os
        self._imports()
        self.constants = dict(self._constants())

    def reads(self) -> Iterator[EnvRead]:
        """All reads of the file."""
        found: list[_Read] = []
        wrappers: dict[str, _Wrapper] = {}
        for node in self.nodes:
            read = self._read(node)
            if read is None:
                continue
            wrapper = self._wrapper(read)
            if wrapper is not None:
                wrappers[wrapper[0]] = wrapper[1]
            else:
                found.append(read)
        for node in self.nodes:
            if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value in wrappers:
                read = self._wrapped(node, wrappers[node.func.value])
                if read is not None:
                    found.append(read)
            elif isinstance(node, cst.ClassDef) and self._is_settings(node):
                yield from self._settings(node)
        for read in found:
            for name in self._texts(read.key):
                yield self._at(read.node, name, read.default, read.required, read.mechanism)

    def _at(self, node: cst.CSTNode, name: str, default: str | None, required: str, how: str) -> EnvRead:
        start = self.positions[node].start
        return script_read(self.path, start.line, start.column + 1, name, default, required, how)

    # ------------------------------------------------------------ names

    def _imports(self) -> None:
        for node in self.nodes:
            if isinstance(node, cst.Import):
                for name in node.names:
                    if _dotted(name.name) == "os":
                        self.os.add(_alias(name, "os"))
            elif isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar):
                if node.module is not None and _dotted(node.module) == "os":
                    for name in node.names:
                        known = {"environ": self.environ, "getenv": self.getenv}.get(_dotted(name.name))
                        if known is not None:
                            known.add(_alias(name, _dotted(name.name)))

    def _constants(self) -> Iterator[tuple[str, str]]:
        for statement in self.module.body:
            for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
                if isinstance(small, cst.Assign | cst.AnnAssign) and small.value is not None:
                    text = _literal(small.value)
                    targets = (
                        [t.target for t in small.targets] if isinstance(small, cst.Assign) else [small.target]
                    )
                    for target in targets:
                        if text is not None and isinstance(target, cst.Name):
                            yield target.value, text

    def _texts(self, key: cst.BaseExpression) -> list[str]:
        """The texts that a key can be."""
        text = _literal(key)
        if text is not None:
            return [text]
        if isinstance(key, cst.BinaryOperation) and isinstance(key.operator, cst.Add):
            return [a + b for a in self._texts(key.left) for b in self._texts(key.right)]
        if not isinstance(key, cst.Name):
            return []
        looped = self._looped(key)
        if looped is not None:
            return looped
        return [self.constants[key.value]] if key.value in self.constants else []

    def _looped(self, name: cst.Name) -> list[str] | None:
        """The elements of the literal that a loop around a name goes through."""
        node: cst.CSTNode | None = name
        while node is not None:
            node = self.parents.get(node)
            loops: list[cst.For | cst.CompFor] = []
            if isinstance(node, cst.For):
                loops = [node]
            elif isinstance(node, cst.BaseComp):
                loops = [node.for_in]
            for loop in loops:
                if isinstance(loop.target, cst.Name) and loop.target.value == name.value:
                    items = loop.iter
                    if isinstance(items, cst.Name):
                        items = next((v for t, v in self._assigned() if t == items.value), items)
                    if isinstance(items, cst.List | cst.Tuple | cst.Set):
                        return [t for e in items.elements for t in self._texts(e.value)]
                    return []
        return None

    def _assigned(self) -> Iterator[tuple[str, cst.BaseExpression]]:
        for node in self.nodes:
            if isinstance(node, cst.Assign) and isinstance(node.targets[0].target, cst.Name):
                yield node.targets[0].target.value, node.value

    # ------------------------------------------------------------ reads

    def _read(self, node: cst.CSTNode) -> _Read | None:
        if isinstance(node, cst.Subscript) and self._is_environ(node.value) and self._is_loaded(node):
            index = node.slice[0].slice
            if isinstance(index, cst.Index):
                required = NO if self._may_fail(node) else YES
                return _Read(node, index.value, None, required, "os.environ")
        if isinstance(node, cst.Call):
            return self._call(node)
        if isinstance(node, cst.Comparison) and len(node.comparisons) == 1:
            target = node.comparisons[0]
            if isinstance(target.operator, cst.In | cst.NotIn) and self._is_environ(target.comparator):
                refused = isinstance(target.operator, cst.NotIn) and self._refuses(node)
                return _Read(node, node.left, None, YES if refused else NO, "os.environ")
        return None

    def _call(self, node: cst.Call) -> _Read | None:
        func = node.func
        is_get = (
            isinstance(func, cst.Attribute) and func.attr.value in _LOOKUPS and self._is_environ(func.value)
        )
        is_getenv = (isinstance(func, cst.Name) and func.value in self.getenv) or (
            isinstance(func, cst.Attribute) and func.attr.value == "getenv" and _dotted(func.value) in self.os
        )
        if not is_get and not is_getenv:
            return None
        key = _argument(node, 0, "key")
        if key is None:
            return None
        given = _argument(node, 1, "default")
        default = self._shown(given) if given is not None else self._alternative(node)
        required = YES if given is None and default is None and self._is_demanded(node) else NO
        return _Read(node, key, default, required, "os.getenv" if is_getenv else "os.environ.get")

    def _is_environ(self, node: cst.BaseExpression) -> bool:
        if isinstance(node, cst.Name):
            return node.value in self.environ
        return (
            isinstance(node, cst.Attribute)
            and node.attr.value == "environ"
            and _dotted(node.value) in self.os
        )

    def _is_loaded(self, node: cst.CSTNode) -> bool:
        parent = self.parents.get(node)
        return not isinstance(parent, cst.AssignTarget | cst.Del | cst.AugAssign | cst.AnnAssign) or (
            isinstance(parent, cst.AugAssign | cst.AnnAssign) and parent.target is not node
        )

    def _shown(self, node: cst.BaseExpression) -> str | None:
        text = _literal(node)
        if text is not None:
            return text
        if isinstance(node, cst.Name) and node.value in self.constants:
            return self.constants[node.value]
        if isinstance(node, cst.Integer | cst.Float) or (
            isinstance(node, cst.Name) and node.value in ("True", "False")
        ):
            return node.value
        return None

    def _alternative(self, node: cst.CSTNode) -> str | None:
        """`os.getenv("X") or "default"`."""
        parent = self.parents.get(node)
        if isinstance(parent, cst.BooleanOperation) and isinstance(parent.operator, cst.Or):
            return self._shown(parent.right) if parent.left is node else None
        return None

    def _may_fail(self, node: cst.CSTNode) -> bool:
        """Whether a `try` around a read catches the KeyError without ending the program."""
        inner: cst.CSTNode | None = node
        while inner is not None:
            parent = self.parents.get(inner)
            if isinstance(parent, cst.Try) and parent.body is inner:
                return not any(_ends(handler.body) for handler in parent.handlers)
            inner = parent
        return False

    def _refuses(self, test: cst.CSTNode) -> bool:
        """Whether the body of the `if` with this test ends the program."""
        parent = self.parents.get(test)
        return isinstance(parent, cst.If) and parent.test is test and _ends(parent.body)

    def _is_demanded(self, node: cst.CSTNode) -> bool:
        """`x = os.getenv("X")` and then `if not x: raise ...`."""
        parent = self.parents.get(node)
        if not isinstance(parent, cst.Assign) or not isinstance(parent.targets[0].target, cst.Name):
            return isinstance(parent, cst.UnaryOperation) and self._refuses(parent)
        name = parent.targets[0].target.value
        around = self.parents.get(self.parents.get(parent) or parent)
        for other in getattr(around, "body", ()):
            if isinstance(other, cst.If) and _is_missing(other.test, name) and _ends(other.body):
                return True
        return False

    # ------------------------------------------------------------ wrappers

    def _wrapper(self, read: _Read) -> tuple[str, _Wrapper] | None:
        """The function around a read, if the key is one of its parameters."""
        if not isinstance(read.key, cst.Name):
            return None
        node: cst.CSTNode | None = read.node
        while node is not None and not isinstance(node, cst.FunctionDef):
            node = self.parents.get(node)
        if node is None:
            return None
        params = [p.name.value for p in (*node.params.posonly_params, *node.params.params)]
        if read.key.value not in params:
            return None
        given = _argument(read.node, 1, "default") if isinstance(read.node, cst.Call) else None
        name = given.value if isinstance(given, cst.Name) and given.value in params else ""
        defaults = {p.name.value: p.default for p in node.params.params if p.default is not None}
        fallback = self._shown(defaults[name]) if name in defaults else read.default
        return node.name.value, _Wrapper(
            params.index(read.key.value),
            read.key.value,
            params.index(name) if name else None,
            name,
            fallback,
            YES if read.required == YES and not name else NO,
        )

    def _wrapped(self, call: cst.Call, wrapper: _Wrapper) -> _Read | None:
        key = _argument(call, wrapper.key, wrapper.key_name)
        if key is None:
            return None
        default = wrapper.fallback
        if wrapper.default is not None:
            given = _argument(call, wrapper.default, wrapper.default_name)
            default = self._shown(given) if given is not None else default
        return _Read(call, key, default, wrapper.required, _dotted(call.func))

    # ------------------------------------------------------------ pydantic

    @staticmethod
    def _is_settings(node: cst.ClassDef) -> bool:
        return any(_dotted(base.value).rpartition(".")[2] == "BaseSettings" for base in node.bases)

    def _settings(self, node: cst.ClassDef) -> Iterator[EnvRead]:
        """The fields of a settings class, with the prefix of its configuration."""
        prefix = ""
        for inner in _walk(node.body):
            if (
                isinstance(inner, cst.Arg)
                and inner.keyword is not None
                and inner.keyword.value == "env_prefix"
            ) or (
                isinstance(inner, cst.Assign)
                and any(
                    isinstance(t.target, cst.Name) and t.target.value == "env_prefix" for t in inner.targets
                )
            ):
                prefix = _literal(inner.value) or prefix
        for statement in node.body.body:
            for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
                if isinstance(small, cst.AnnAssign) and isinstance(small.target, cst.Name):
                    if small.target.value != "model_config" and not _is_class_variable(small.annotation):
                        yield self._field(small, small.target.value, prefix)

    def _field(self, node: cst.AnnAssign, field: str, prefix: str) -> EnvRead:
        name, default, required = prefix + field, None, YES if node.value is None else NO
        value = node.value
        if isinstance(value, cst.Call) and _dotted(value.func).rpartition(".")[2] == "Field":
            given = _argument(value, 0, "default")
            is_given = given is not None or _argument(value, -1, "default_factory") is not None
            required = NO if is_given and not isinstance(given, cst.Ellipsis) else YES
            default = self._shown(given) if given is not None else None
            for alias in ("validation_alias", "alias", "env"):
                text = _argument(value, -1, alias)
                if text is not None and _literal(text) is not None:
                    name = _literal(text) or name
                    break
        elif value is not None:
            default = self._shown(value)
        return self._at(node, name.upper(), default, required, "BaseSettings")


def _walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(current.children))


def _dotted(node: cst.CSTNode) -> str:
    if isinstance(node, cst.Attribute):
        return f"{_dotted(node.value)}.{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""


def _alias(name: cst.ImportAlias, default: str) -> str:
    alias = name.asname.name if name.asname is not None else None
    return alias.value if isinstance(alias, cst.Name) else default


def _literal(node: cst.CSTNode) -> str | None:
    """The text of a string; None for others and for strings with escapes, which are no names."""
    if isinstance(node, cst.SimpleString):
        is_plain = "b" not in node.prefix.lower() and "\\" not in node.raw_value
        return node.raw_value if is_plain else None
    if isinstance(node, cst.ConcatenatedString):
        left, right = _literal(node.left), _literal(node.right)
        return left + right if left is not None and right is not None else None
    return None


def _argument(call: cst.Call, index: int, keyword: str) -> cst.BaseExpression | None:
    """A positional argument, or the one with this keyword; an index of -1 is for keywords only."""
    for position, argument in enumerate(call.args):
        if argument.star:
            return None
        if argument.keyword is None and position == index:
            return argument.value
        if argument.keyword is not None and argument.keyword.value == keyword:
            return argument.value
    return None


def _is_class_variable(node: cst.CSTNode) -> bool:
    return any(isinstance(n, cst.Name) and n.value == "ClassVar" for n in _walk(node))


def _is_missing(test: cst.BaseExpression, name: str) -> bool:
    """`not x`, `x is None`, `x == ""`."""
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return isinstance(test.expression, cst.Name) and test.expression.value == name
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        is_name = isinstance(test.left, cst.Name) and test.left.value == name
        other = test.comparisons[0]
        is_nothing = _dotted(other.comparator) == "None" or _literal(other.comparator) == ""
        return is_name and is_nothing and isinstance(other.operator, cst.Is | cst.Equal)
    return False


def _ends(body: cst.CSTNode) -> bool:
    """Whether a block raises or ends the program."""
    for node in _walk(body):
        if isinstance(node, cst.Raise):
            return True
        if isinstance(node, cst.Call) and _dotted(node.func).rpartition(".")[2] in _ENDS:
            return True
    return False
