"""YAML trees with lines, and the limits on hostile input."""

from __future__ import annotations

from zuno_audit.languages.yaml import YamlFile, YamlMap, parse_yaml, texts


def parse(text: str) -> YamlFile:
    return parse_yaml("x.yml", text.encode())


def root(text: str) -> YamlMap:
    (document,) = parse(text).documents
    assert isinstance(document, YamlMap)
    return document


def test_every_document_keeps_its_lines() -> None:
    file = parse("a: 1\n---\nb:\n  c: two\n")
    assert len(file.documents) == 2
    second = file.documents[1]
    assert isinstance(second, YamlMap)
    inner = second.map("b")
    assert inner is not None
    entry = inner.entry("c")
    assert entry is not None
    assert (file.at(entry).line, second.text("b", "c")) == (4, "two")


def test_quoted_null_is_text_and_plain_null_is_not() -> None:
    node = root("a: null\nb: 'null'\nc:\nd: ''\n")
    assert [node.text(key) for key in "abcd"] == [None, "null", None, ""]


def test_merge_keys_are_followed_and_own_keys_win() -> None:
    node = root("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n")
    assert (node.text("use", "x"), node.text("use", "y")) == ("1", "3")


def test_a_list_of_merges_prefers_the_first() -> None:
    node = root("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nuse: {<<: [*a, *b]}\n")
    assert (node.text("use", "x"), node.text("use", "y")) == ("1", "2")


def test_a_key_that_occurs_twice_is_reported_with_its_line() -> None:
    file = parse("a: 1\nb: 2\na: 3\n")
    assert [(d.line, "'a'" in d.message) for d in file.duplicates] == [(3, True)]


def test_broken_yaml_is_a_problem_with_its_line_and_no_tree() -> None:
    file = parse("a: 1\nb: [1, 2\nc: 3\n")
    assert file.documents == ()
    assert file.problems[0].line in (2, 3)


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    file = parse("\n".join(lines))
    assert file.documents == ()
    assert "nodes" in file.problems[0].message


def test_an_alias_inside_its_own_anchor_is_refused() -> None:
    assert parse("a: &a [*a]\n").problems


def test_deep_nesting_is_refused() -> None:
    assert "nested deeper than" in parse("[" * 200 + "]" * 200).problems[0].message


def test_nesting_that_the_parser_itself_refuses_is_a_problem() -> None:
    assert "nest" in parse("[" * 5000).problems[0].message  # the words are PyYAML's, by its version


def test_control_characters_are_a_problem() -> None:
    assert parse("a: \x01\n").problems


def test_custom_tags_construct_nothing() -> None:
    assert root("a: !!python/object/apply:os.system ['true']\n").get("a") is not None


def test_a_lone_text_counts_as_a_list_of_one() -> None:
    node = root("a: one\nb: [one, two]\n")
    assert (texts(node.get("a")), texts(node.get("b"))) == (("one",), ("one", "two"))
