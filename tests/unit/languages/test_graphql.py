"""The GraphQL reader: schemas, operations, and why a server would refuse one."""

from __future__ import annotations

import pytest

from zuno_audit.languages.graphql import (
    GraphQLSyntaxError,
    Schema,
    is_schema_text,
    parse_document,
    parse_schema,
    validate,
)

SCHEMA = '''
"""The root.""" type Query { node(id: ID!): Node, me: User, count(by: Unit = DAY): Int! }
extend type Query { search(filter: Filter!): [Result!]! }
interface Node { id: ID! }
type User implements Node & Named { id: ID! name: String tags: [String!] }
interface Named { name: String }
type Post implements Node { id: ID!, "what it says" text: String! @deprecated(reason: "old") }
union Result = | User | Post
enum Unit { DAY WEEK }
scalar Time
input Filter { text: String!, since: Time, limit: Int = 10, near: Near }
input Near { lat: Float!, lon: Float! }
directive @auth(role: String) repeatable on FIELD_DEFINITION | OBJECT
'''


@pytest.fixture
def schema() -> Schema:
    found, errors = parse_schema([("a.graphql", SCHEMA)])
    assert errors == []
    return found


def refused(text: str, schema: Schema) -> list[str]:
    return [error.message for error in validate(parse_document(text), schema)]


@pytest.mark.parametrize(
    "document",
    [
        "{ me { id name tags } }",
        "query($f: Filter!) { search(filter: $f) { ... on User { name } ... on Post { text } } }",
        '{ search(filter: {text: "x", since: 3, near: {lat: 1, lon: 2.5}}) { __typename } }',
        "{ count count2: count(by: WEEK) }",
        "query($i: ID!) { node(id: $i) { ...F } } fragment F on Node { id }",
        '{ node(id: 3) { id } a: node(id: "x") { id } }',
        "query($u: Unit) { count(by: $u) }",
        "{ me { id ... } }",
        "{ search(filter: {...}) { __typename } }",
    ],
)
def test_what_a_server_accepts(document: str, schema: Schema) -> None:
    assert refused(document, schema) == []


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("{ me { age } }", "User has no field age"),
        ("{ me }", "Query.me needs a selection of User's fields"),
        ("{ count { x } }", "Query.count is a Int and has no fields to select"),
        ("{ node { id } }", "Query.node requires the argument id: ID!"),
        ("{ me(id: 1) { id } }", "Query.me has no argument id"),
        ("{ search(filter: {since: 1}) { __typename } }", "Filter requires the field text: String!"),
        (
            '{ search(filter: {text: "a", hue: 1}) { __typename } }',
            "Filter has no field hue",
        ),
        ("{ search(filter: {text: 1}) { __typename } }", "field text of Filter takes a value of type String"),
        ("{ count(by: YEAR) }", "argument by of Query.count takes a value of type Unit"),
        ("{ node(id: null) { id } }", "argument id of Query.node must not be null"),
        ("{ node(id: $x) { id } }", "variable $x is not defined"),
        (
            "query($x: String!) { node(id: $x) { id } }",
            "variable $x of type String! does not fit argument id of Query.node (ID!)",
        ),
        ("query($x: Nothing) { me { id } }", "input type Nothing does not exist"),
        ("{ me { ...Gone } }", "fragment Gone is not defined"),
        ('{ search(filter: {text: "a"}) { ... on Gone { id } } }', "type Gone does not exist"),
        ("mutation { me { id } }", "the schema has no mutation type"),
    ],
)
def test_what_a_server_refuses(document: str, why: str, schema: Schema) -> None:
    assert refused(document, schema) == [why]


def test_errors_carry_the_line_of_the_document(schema: Schema) -> None:
    errors = validate(parse_document("{\n  me {\n    id\n    age\n  }\n}"), schema)
    assert [error.line for error in errors] == [4]


def test_the_root_types_can_have_other_names() -> None:
    found, _ = parse_schema([("a", "schema { query: Root } type Root { x: Int }")])
    assert refused("{ x }", found) == []


def test_a_broken_schema_file_is_reported_with_its_line() -> None:
    _, errors = parse_schema([("good", "type A { x: Int }"), ("bad", "type B {\n  x Int\n}")])
    assert [(path, error.line) for path, error in errors] == [("bad", 2)]


@pytest.mark.parametrize(
    "text", ["{ a", "query {", "type", "{ a(b: }", "query($x) { a }", '{ a(b: "x) }', "§"]
)
def test_what_is_not_an_operation(text: str) -> None:
    with pytest.raises(GraphQLSyntaxError):
        parse_document(text)


@pytest.mark.parametrize("text", ["{" * 100_000, "{ a(b: " + "[" * 100_000, "{ a(b: " + "{x: " * 50_000])
def test_deep_nesting_is_a_syntax_error(text: str) -> None:
    with pytest.raises(GraphQLSyntaxError):
        parse_document(text)


def test_definitions_and_operations_are_told_apart() -> None:
    assert is_schema_text("# c\nscalar X\ntype A { x: Int }")
    assert not is_schema_text("mutation { a }")
    assert not is_schema_text("{ a }")
