"""tree-sitter-go's concrete tree -> the syntax tree of `syntax.py`.

Function bodies are lowered when they are first asked for. Node types and fields are those of
tree-sitter-go 0.23 to 0.25.
"""

from __future__ import annotations

import ast as python_ast
from collections.abc import Callable

from tree_sitter import Node as T

from zuno_audit.languages.go import syntax as s

# What `parse.py` renames `new` and `make` to where the grammar does not take their arguments.
NEW_ALIAS = "n_w"
MAKE_ALIAS = "m_ke"
_ALIASES = {NEW_ALIAS: "new", MAKE_ALIAS: "make"}


def lower_block(node: T) -> s.Block:
    """A `block` node."""
    return s.Block(node.start_byte, node.end_byte, _statements(node))


def _statements(node: T) -> list[s.Stmt]:
    out: list[s.Stmt] = []
    for child in node.named_children:
        kind = child.type
        if kind == "statement_list":
            out.extend(_statements(child))
        elif kind != "comment" and kind != "empty_statement":
            out.append(lower_statement(child))
    return out


def lower_statement(node: T) -> s.Stmt:
    """Any statement; what is not known becomes a BadNode."""
    handler = _STATEMENTS.get(node.type)
    if handler is not None:
        return handler(node)
    if node.type in _EXPRESSIONS:
        return s.ExprStmt(node.start_byte, node.end_byte, lower_expression(node))
    return s.BadNode(node.start_byte, node.end_byte)


def lower_expression(node: T) -> s.Expr:
    """Any expression or type; what is not known becomes a BadNode."""
    handler = _EXPRESSIONS.get(node.type)
    return handler(node) if handler is not None else s.BadNode(node.start_byte, node.end_byte)


def _text(node: T) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _field(node: T, name: str) -> T:
    child = node.child_by_field_name(name)
    return child if child is not None else node  # a MISSING child: the file has an error and says so


def _expression_at(node: T, name: str) -> s.Expr:
    child = node.child_by_field_name(name)
    return lower_expression(child) if child is not None else s.BadNode(node.start_byte, node.end_byte)


def _optional(node: T, name: str) -> s.Expr | None:
    child = node.child_by_field_name(name)
    return lower_expression(child) if child is not None else None


def _optional_statement(node: T, name: str) -> s.Stmt | None:
    child = node.child_by_field_name(name)
    return lower_statement(child) if child is not None else None


def _expression_list(node: T | None) -> list[s.Expr]:
    if node is None:
        return []
    if node.type == "expression_list":
        return [lower_expression(c) for c in node.named_children if c.type != "comment"]
    return [lower_expression(node)]


# ---------------------------------------------------------------- expressions


def _ident(node: T) -> s.Expr:
    name = _text(node)
    return s.Ident(node.start_byte, node.end_byte, _ALIASES.get(name, name))


def _integer(node: T) -> s.Expr:
    text = _text(node).replace("_", "")
    if len(text) > 1 and text[0] == "0" and text[1].isdigit():
        text = "0o" + text[1:]
    try:
        return s.BasicLit(node.start_byte, node.end_byte, "INT", int(text, 0))
    except ValueError:
        return s.BadNode(node.start_byte, node.end_byte)


def _float(node: T) -> s.Expr:
    text = _text(node).replace("_", "")
    try:
        value = float.fromhex(text) if text[:2].lower() == "0x" else float(text)
    except ValueError:
        return s.BadNode(node.start_byte, node.end_byte)
    return s.BasicLit(node.start_byte, node.end_byte, "FLOAT", value)


def _imaginary(node: T) -> s.Expr:
    return s.BasicLit(node.start_byte, node.end_byte, "IMAG", _text(node))


def unquote(text: str) -> str:
    """The value of a Go string literal (interpreted or raw)."""
    if text.startswith("`"):
        return text[1:-1].replace("\r", "")
    if "\\" not in text:
        return text[1:-1]
    try:  # Go's escapes are a subset of Python's, but for \' and octal overflow
        value = python_ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text[1:-1]
    return value if isinstance(value, str) else text[1:-1]


def _string(node: T) -> s.Expr:
    return s.BasicLit(node.start_byte, node.end_byte, "STRING", unquote(_text(node)))


def _rune(node: T) -> s.Expr:
    text = unquote(_text(node))
    value = ord(text) if len(text) == 1 else 0
    return s.BasicLit(node.start_byte, node.end_byte, "CHAR", value)


def _composite(node: T) -> s.Expr:
    body = node.child_by_field_name("body")
    elements = _elements(body) if body is not None else []
    return s.CompositeLit(node.start_byte, node.end_byte, _optional(node, "type"), elements)


def _elements(body: T) -> list[tuple[s.Expr | None, s.Expr]]:
    out: list[tuple[s.Expr | None, s.Expr]] = []
    for child in body.named_children:
        if child.type == "keyed_element":
            parts = [c for c in child.named_children if c.type != "comment"]
            if len(parts) == 2:
                out.append((_element(parts[0]), _element(parts[1])))
            else:
                out.append((None, s.BadNode(child.start_byte, child.end_byte)))
        elif child.type != "comment":
            out.append((None, _element(child)))
    return out


def _element(node: T) -> s.Expr:
    if node.type == "literal_element":
        node = node.named_children[0] if node.named_children else node
    if node.type == "literal_value":
        return s.CompositeLit(node.start_byte, node.end_byte, None, _elements(node))
    return lower_expression(node)


def _func_literal(node: T) -> s.Expr:
    return s.FuncLit(
        node.start_byte,
        node.end_byte,
        _params(node.child_by_field_name("parameters")),
        _results(node.child_by_field_name("result")),
        node.child_by_field_name("body"),
    )


def _selector(node: T) -> s.Expr:
    return s.Selector(
        node.start_byte, node.end_byte, _expression_at(node, "operand"), _text(_field(node, "field"))
    )


def _qualified(node: T) -> s.Expr:
    package, name = _field(node, "package"), _field(node, "name")
    return s.Selector(
        node.start_byte,
        node.end_byte,
        s.Ident(package.start_byte, package.end_byte, _text(package)),
        _text(name),
    )


def _index(node: T) -> s.Expr:
    return s.Index(
        node.start_byte, node.end_byte, _expression_at(node, "operand"), [_expression_at(node, "index")]
    )


def _generic(node: T) -> s.Expr:
    """A generic type, or an instantiation, whose arguments stand in it directly: `m[a.b][c.d]` is read as one."""
    operand = node.child_by_field_name("type") or node.child_by_field_name("operand")
    arguments = node.child_by_field_name("type_arguments")
    children = arguments.named_children if arguments is not None else node.named_children
    types = [lower_expression(c) for c in children if c != operand and c.type != "comment"]
    base = lower_expression(operand) if operand is not None else s.BadNode(node.start_byte, node.end_byte)
    return s.Index(node.start_byte, node.end_byte, base, types or [s.BadNode(node.start_byte, node.end_byte)])


def _type_elem(node: T) -> s.Expr:
    children = [c for c in node.named_children if c.type != "comment"]
    if len(children) == 1:
        return lower_expression(children[0])
    return s.BadNode(node.start_byte, node.end_byte)


def _slice(node: T) -> s.Expr:
    return s.SliceExpr(
        node.start_byte,
        node.end_byte,
        _expression_at(node, "operand"),
        _optional(node, "start"),
        _optional(node, "end"),
        _optional(node, "capacity"),
    )


def _type_assertion(node: T) -> s.Expr:
    return s.TypeAssert(
        node.start_byte, node.end_byte, _expression_at(node, "operand"), _optional(node, "type")
    )


def _conversion(node: T) -> s.Expr:
    return s.Call(
        node.start_byte,
        node.end_byte,
        _expression_at(node, "type"),
        [_expression_at(node, "operand")],
        False,
    )


def _call(node: T) -> s.Expr:
    arguments = node.child_by_field_name("arguments")
    fun = _expression_at(node, "function")
    types = node.child_by_field_name("type_arguments")
    if types is not None:
        fun = s.Index(fun.start, types.end_byte, fun, [lower_expression(c) for c in types.named_children])
    args: list[s.Expr] = []
    ellipsis = False
    for child in arguments.named_children if arguments is not None else ():
        if child.type == "variadic_argument":
            ellipsis = True
            args.append(lower_expression(child.named_children[0]))
        elif child.type != "comment":
            args.append(lower_expression(child))
    return s.Call(node.start_byte, node.end_byte, fun, args, ellipsis)


def _unary(node: T) -> s.Expr:
    op = _text(_field(node, "operator"))
    operand = _expression_at(node, "operand")
    if op == "*":
        return s.Star(node.start_byte, node.end_byte, operand)
    return s.Unary(node.start_byte, node.end_byte, op, operand)


def _binary(node: T) -> s.Expr:
    chain = [node]  # `a + b + c + ...` leans to the left: followed without nesting
    while (left := _field(chain[-1], "left")) is not None and left.type == "binary_expression":
        chain.append(left)
    found = _expression_at(chain[-1], "left")
    for link in reversed(chain):
        operator, right = _text(_field(link, "operator")), _expression_at(link, "right")
        found = s.Binary(link.start_byte, link.end_byte, operator, found, right)
    return found


def _parenthesized(node: T) -> s.Expr:
    children = [c for c in node.named_children if c.type != "comment"]
    return lower_expression(children[0]) if children else s.BadNode(node.start_byte, node.end_byte)


# ---------------------------------------------------------------- types


def _pointer_type(node: T) -> s.Expr:
    return s.Star(node.start_byte, node.end_byte, _parenthesized(node))


def _slice_type(node: T) -> s.Expr:
    return s.ArrayType(node.start_byte, node.end_byte, _expression_at(node, "element"), None)


def _array_type(node: T) -> s.Expr:
    length = _optional(node, "length") or s.Ident(node.start_byte, node.start_byte, "...")
    return s.ArrayType(node.start_byte, node.end_byte, _expression_at(node, "element"), length)


def _map_type(node: T) -> s.Expr:
    return s.MapType(
        node.start_byte, node.end_byte, _expression_at(node, "key"), _expression_at(node, "value")
    )


def _chan_type(node: T) -> s.Expr:
    return s.ChanType(node.start_byte, node.end_byte, _expression_at(node, "value"))


def _func_type(node: T) -> s.Expr:
    return s.FuncType(
        node.start_byte,
        node.end_byte,
        _params(node.child_by_field_name("parameters")),
        _results(node.child_by_field_name("result")),
    )


def _struct_type(node: T) -> s.Expr:
    fields: list[s.Field] = []
    for declarations in node.named_children:
        for declaration in declarations.named_children:
            if declaration.type == "field_declaration":
                fields.extend(_fields(declaration))
    return s.StructType(node.start_byte, node.end_byte, fields)


def _fields(node: T) -> list[s.Field]:
    tag_node = node.child_by_field_name("tag")
    tag = unquote(_text(tag_node)) if tag_node is not None else ""
    type_node = node.child_by_field_name("type")
    if type_node is None:
        return []
    type_ = lower_expression(type_node)
    names = node.children_by_field_name("name")
    if names:
        return [s.Field(n.start_byte, node.end_byte, _text(n), type_, tag, False) for n in names]
    if any(c.type == "*" for c in node.children):
        type_ = s.Star(node.start_byte, type_.end, type_)
    return [s.Field(node.start_byte, node.end_byte, embedded_name(type_), type_, tag, True)]


def embedded_name(type_: s.Expr) -> str:
    """The field name that an embedded type gives: `T` for `T`, `*T`, `p.T` and `T[X]`."""
    match type_:
        case s.Star(x=x) | s.Index(x=x):
            return embedded_name(x)
        case s.Selector(sel=sel):
            return sel
        case s.Ident(name=name):
            return name
    return ""


def _interface_type(node: T) -> s.Expr:
    methods: dict[str, s.FuncType] = {}
    embeds: list[s.Expr] = []
    for child in node.named_children:
        if child.type in ("method_elem", "method_spec"):
            methods[_text(_field(child, "name"))] = s.FuncType(
                child.start_byte,
                child.end_byte,
                _params(child.child_by_field_name("parameters")),
                _results(child.child_by_field_name("result")),
            )
        elif child.type != "comment":
            embeds.append(_type_elem(child) if child.type == "type_elem" else lower_expression(child))
    return s.InterfaceType(node.start_byte, node.end_byte, methods, embeds)


def _params(node: T | None) -> list[s.Param]:
    out: list[s.Param] = []
    for child in node.named_children if node is not None else ():
        variadic = child.type == "variadic_parameter_declaration"
        if not variadic and child.type != "parameter_declaration":
            continue
        type_ = _expression_at(child, "type")
        names = child.children_by_field_name("name")
        for name in names:
            out.append(s.Param(name.start_byte, child.end_byte, _text(name), type_, variadic))
        if not names:
            out.append(s.Param(child.start_byte, child.end_byte, None, type_, variadic))
    return out


def _results(node: T | None) -> list[s.Param]:
    if node is None:
        return []
    if node.type == "parameter_list":
        return _params(node)
    return [s.Param(node.start_byte, node.end_byte, None, lower_expression(node), False)]


# ---------------------------------------------------------------- statements


def _expression_statement(node: T) -> s.Stmt:
    child = next((c for c in node.named_children if c.type != "comment"), None)
    if child is None:
        return s.BadNode(node.start_byte, node.end_byte)
    return s.ExprStmt(node.start_byte, node.end_byte, lower_expression(child))


def _send(node: T) -> s.Stmt:
    return s.Send(
        node.start_byte, node.end_byte, _expression_at(node, "channel"), _expression_at(node, "value")
    )


def _assignment(node: T) -> s.Stmt:
    return s.Assign(
        node.start_byte,
        node.end_byte,
        _expression_list(node.child_by_field_name("left")),
        _text(_field(node, "operator")),
        _expression_list(node.child_by_field_name("right")),
    )


def _short_var(node: T) -> s.Stmt:
    return s.Assign(
        node.start_byte,
        node.end_byte,
        _expression_list(node.child_by_field_name("left")),
        ":=",
        _expression_list(node.child_by_field_name("right")),
    )


def _inc(node: T) -> s.Stmt:
    return s.IncDec(node.start_byte, node.end_byte, _parenthesized(node), "++")


def _dec(node: T) -> s.Stmt:
    return s.IncDec(node.start_byte, node.end_byte, _parenthesized(node), "--")


def _if(node: T) -> s.Stmt:
    return s.If(
        node.start_byte,
        node.end_byte,
        _optional_statement(node, "initializer"),
        _expression_at(node, "condition"),
        lower_block(_field(node, "consequence")),
        _optional_statement(node, "alternative"),
    )


def _for(node: T) -> s.Stmt:
    body = lower_block(_field(node, "body"))
    head = next((c for c in node.named_children if c.type not in ("block", "comment")), None)
    start, end = node.start_byte, node.end_byte
    if head is None:
        return s.For(start, end, None, None, None, body)
    if head.type == "range_clause":
        left = _expression_list(head.child_by_field_name("left"))
        define = any(c.type == ":=" for c in head.children)
        key = left[0] if left else None
        value = left[1] if len(left) > 1 else None
        return s.Range(start, end, key, value, define, _expression_at(head, "right"), body)
    if head.type == "for_clause":
        return s.For(
            start,
            end,
            _optional_statement(head, "initializer"),
            _optional(head, "condition"),
            _optional_statement(head, "update"),
            body,
        )
    return s.For(start, end, None, lower_expression(head), None, body)


def _case_body(node: T, skip: set[str]) -> list[s.Stmt]:
    """Statements of a case: the children that are no field of the clause."""
    out: list[s.Stmt] = []
    for i, child in enumerate(node.children):
        if not child.is_named or child.type == "comment" or node.field_name_for_child(i) in skip:
            continue
        if child.type == "statement_list":
            out.extend(_statements(child))
        elif child.type != "empty_statement":
            out.append(lower_statement(child))
    return out


def _switch(node: T) -> s.Stmt:
    clauses: list[s.Clause] = []
    for child in node.named_children:
        if child.type == "expression_case":
            exprs = _expression_list(child.child_by_field_name("value"))
            clauses.append(
                s.Clause(child.start_byte, child.end_byte, exprs, None, _case_body(child, {"value"}))
            )
        elif child.type == "default_case":
            clauses.append(s.Clause(child.start_byte, child.end_byte, None, None, _case_body(child, set())))
    return s.Switch(
        node.start_byte,
        node.end_byte,
        _optional_statement(node, "initializer"),
        _optional(node, "value"),
        clauses,
    )


def _type_switch(node: T) -> s.Stmt:
    clauses: list[s.Clause] = []
    for child in node.named_children:
        if child.type == "type_case":
            types = [lower_expression(c) for c in child.children_by_field_name("type") if c.is_named]
            clauses.append(
                s.Clause(child.start_byte, child.end_byte, types, None, _case_body(child, {"type"}))
            )
        elif child.type == "default_case":
            clauses.append(s.Clause(child.start_byte, child.end_byte, None, None, _case_body(child, set())))
    alias = node.child_by_field_name("alias")
    name = _text(alias) if alias is not None else None
    return s.TypeSwitch(
        node.start_byte,
        node.end_byte,
        _optional_statement(node, "initializer"),
        name,
        _expression_at(node, "value"),
        clauses,
    )


def _receive(node: T) -> s.Stmt:
    left = node.child_by_field_name("left")
    right = [_expression_at(node, "right")]
    if left is None:
        return s.ExprStmt(node.start_byte, node.end_byte, right[0])
    op = ":=" if any(c.type == ":=" for c in node.children) else "="
    return s.Assign(node.start_byte, node.end_byte, _expression_list(left), op, right)


def _select(node: T) -> s.Stmt:
    clauses: list[s.Clause] = []
    for child in node.named_children:
        if child.type == "communication_case":
            comm = _optional_statement(child, "communication")
            clauses.append(
                s.Clause(child.start_byte, child.end_byte, [], comm, _case_body(child, {"communication"}))
            )
        elif child.type == "default_case":
            clauses.append(s.Clause(child.start_byte, child.end_byte, None, None, _case_body(child, set())))
    return s.Select(node.start_byte, node.end_byte, clauses)


def _return(node: T) -> s.Stmt:
    child = next((c for c in node.named_children if c.type != "comment"), None)
    return s.Return(node.start_byte, node.end_byte, _expression_list(child))


def _defer(node: T) -> s.Stmt:
    return s.Defer(node.start_byte, node.end_byte, _parenthesized(node))


def _go(node: T) -> s.Stmt:
    return s.Go(node.start_byte, node.end_byte, _parenthesized(node))


def _labeled(node: T) -> s.Stmt:
    body = [c for c in node.named_children if c.type not in ("label_name", "comment")]
    stmt = lower_statement(body[0]) if body else s.Block(node.end_byte, node.end_byte, [])
    return s.Labeled(node.start_byte, node.end_byte, _text(_field(node, "label")), stmt)


def _branch(node: T) -> s.Stmt:
    label = next((c for c in node.named_children if c.type == "label_name"), None)
    keyword = node.type.removesuffix("_statement")
    return s.Branch(node.start_byte, node.end_byte, keyword, _text(label) if label is not None else None)


def _declaration(node: T) -> s.Stmt:
    return s.DeclStmt(node.start_byte, node.end_byte, lower_specs(node))


def lower_specs(node: T) -> list[s.ValueSpec | s.TypeSpec]:
    """The specs of a const, var or type declaration. Implicit repetition of const values is filled in."""
    out: list[s.ValueSpec | s.TypeSpec] = []
    is_const = node.type == "const_declaration"
    iota = 0
    last: tuple[s.Expr | None, list[s.Expr]] = (None, [])
    for child in _specs(node):
        if child.type in ("type_spec", "type_alias"):
            out.append(_type_spec(child))
            continue
        names = [s.Ident(n.start_byte, n.end_byte, _text(n)) for n in child.children_by_field_name("name")]
        names = [n for n in names if n.name != ","]
        type_ = _optional(child, "type")
        values = _expression_list(child.child_by_field_name("value"))
        if is_const and not values and type_ is None:
            type_, values = last
        last = (type_, values)
        out.append(s.ValueSpec(child.start_byte, child.end_byte, names, type_, values, is_const, iota))
        iota += 1
    return out


def _specs(node: T) -> list[T]:
    out: list[T] = []
    for child in node.named_children:
        if child.type == "var_spec_list":
            out.extend(_specs(child))
        elif child.type in ("var_spec", "const_spec", "type_spec", "type_alias"):
            out.append(child)
    return out


def _type_spec(node: T) -> s.TypeSpec:
    params = node.child_by_field_name("type_parameters")
    return s.TypeSpec(
        node.start_byte,
        node.end_byte,
        _text(_field(node, "name")),
        type_parameter_names(params),
        _expression_at(node, "type"),
        node.type == "type_alias",
    )


def type_parameter_names(node: T | None) -> list[str]:
    """The names in a `type_parameter_list`."""
    if node is None:
        return []
    return [
        _text(name)
        for declaration in node.named_children
        for name in declaration.children_by_field_name("name")
        if name.is_named
    ]


def lower_function(node: T) -> s.FuncDecl:
    """A `function_declaration` or `method_declaration`."""
    receiver = node.child_by_field_name("receiver")
    receivers = _params(receiver) if receiver is not None else []
    return s.FuncDecl(
        node.start_byte,
        node.end_byte,
        _text(_field(node, "name")),
        receivers[0] if receivers else None,
        type_parameter_names(node.child_by_field_name("type_parameters")),
        _params(node.child_by_field_name("parameters")),
        _results(node.child_by_field_name("result")),
        node.child_by_field_name("body"),
    )


def lower_imports(node: T) -> list[s.ImportSpec]:
    """An `import_declaration`."""
    out: list[s.ImportSpec] = []
    for child in node.named_children:
        if child.type == "import_spec_list":
            out.extend(lower_imports(child))
        elif child.type == "import_spec":
            name = child.child_by_field_name("name")
            path = unquote(_text(_field(child, "path")))
            out.append(
                s.ImportSpec(
                    child.start_byte, child.end_byte, _text(name) if name is not None else None, path
                )
            )
    return out


_EXPRESSIONS: dict[str, Callable[[T], s.Expr]] = {
    "identifier": _ident,
    "type_identifier": _ident,
    "field_identifier": _ident,
    "package_identifier": _ident,
    "blank_identifier": _ident,
    "true": _ident,
    "false": _ident,
    "nil": _ident,
    "iota": _ident,
    "int_literal": _integer,
    "float_literal": _float,
    "imaginary_literal": _imaginary,
    "rune_literal": _rune,
    "interpreted_string_literal": _string,
    "raw_string_literal": _string,
    "composite_literal": _composite,
    "func_literal": _func_literal,
    "selector_expression": _selector,
    "qualified_type": _qualified,
    "index_expression": _index,
    "generic_type": _generic,
    "type_instantiation_expression": _generic,
    "type_elem": _type_elem,
    "slice_expression": _slice,
    "type_assertion_expression": _type_assertion,
    "type_conversion_expression": _conversion,
    "call_expression": _call,
    "unary_expression": _unary,
    "binary_expression": _binary,
    "parenthesized_expression": _parenthesized,
    "parenthesized_type": _parenthesized,
    "pointer_type": _pointer_type,
    "slice_type": _slice_type,
    "array_type": _array_type,
    "implicit_length_array_type": _array_type,
    "map_type": _map_type,
    "channel_type": _chan_type,
    "function_type": _func_type,
    "struct_type": _struct_type,
    "interface_type": _interface_type,
}

_STATEMENTS: dict[str, Callable[[T], s.Stmt]] = {
    "block": lower_block,
    "expression_statement": _expression_statement,
    "send_statement": _send,
    "assignment_statement": _assignment,
    "short_var_declaration": _short_var,
    "inc_statement": _inc,
    "dec_statement": _dec,
    "if_statement": _if,
    "for_statement": _for,
    "expression_switch_statement": _switch,
    "type_switch_statement": _type_switch,
    "receive_statement": _receive,
    "select_statement": _select,
    "return_statement": _return,
    "defer_statement": _defer,
    "go_statement": _go,
    "labeled_statement": _labeled,
    "break_statement": _branch,
    "continue_statement": _branch,
    "goto_statement": _branch,
    "fallthrough_statement": _branch,
    "var_declaration": _declaration,
    "const_declaration": _declaration,
    "type_declaration": _declaration,
}
