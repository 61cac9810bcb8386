"""Dockerfiles as instructions."""

from __future__ import annotations

from zuno_audit.languages.dockerfile import parse_dockerfile


def test_continuations_skip_comments_and_keep_the_first_line() -> None:
    source = parse_dockerfile("Dockerfile", "FROM a\nRUN one \\\n  # why\n  && two\nUSER x\n")
    assert [(i.name, i.arguments, i.location.line) for i in source.instructions] == [
        ("FROM", "a", 1),
        ("RUN", "one && two", 2),
        ("USER", "x", 5),
    ]


def test_heredocs_are_bodies_and_no_instructions() -> None:
    source = parse_dockerfile("Dockerfile", "FROM a\nRUN <<EOF\nFROM b\nEOF\nUSER x\n")
    assert [i.name for i in source.instructions] == ["FROM", "RUN", "USER"]
    assert source.instructions[1].heredocs == ("FROM b",)


def test_flags_and_both_forms_of_words() -> None:
    text = 'FROM a\nCOPY --from=build --chown=1:1 /x /y\nCMD ["a", "b c"]\nENTRYPOINT a "b c"\n'
    copy, command, entry = parse_dockerfile("Dockerfile", text).instructions[1:]
    assert (copy.flag("from"), copy.flag("chmod"), copy.words) == ("build", None, ("/x", "/y"))
    assert command.words == entry.words == ("a", "b c")
    assert (command.exec_form is None, entry.exec_form is None) == (False, True)


def test_environment_in_the_old_and_the_new_form() -> None:
    first, second = parse_dockerfile("Dockerfile", 'ENV A one two\nENV B=1 C="two words"\n').instructions
    assert first.pairs() == (("A", "one two"),)
    assert second.pairs() == (("B", "1"), ("C", "two words"))


def test_the_escape_directive() -> None:
    source = parse_dockerfile("Dockerfile", "# escape=`\nFROM a\nRUN x `\n  y\nRUN c:\\\n")
    assert [i.arguments for i in source.instructions] == ["a", "x y", "c:\\"]


def test_a_line_that_is_no_instruction_is_a_problem_that_does_not_repeat_it() -> None:
    source = parse_dockerfile("Dockerfile", "FROM a\nhunter2 x\n")
    (problem,) = source.problems
    assert problem.line == 2
    assert "hunter2" not in problem.message
