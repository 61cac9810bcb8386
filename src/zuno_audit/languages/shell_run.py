"""An abstract run of a shell script: which simple commands it would execute, with words expanded.

Nothing is executed. Functions are entered with their arguments, loops over lists are unrolled, a condition
that is not decided by constants takes both branches. What cannot be known becomes `UNKNOWN` inside the words.
The work is bounded; `ShellRun.complete` says whether a bound was hit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct, field

UNKNOWN = "\x02"  # stands for a value that the script gets from outside
MAX_COMMANDS = 4000
MAX_DEPTH = 16
MAX_ITEMS = 64  # of one loop

_FUNCTION = re.compile(
    r"^(?:function\s+)?([A-Za-z_][\w-]*)\s*\(\s*\)\s*(.*)$|^function\s+([A-Za-z_][\w-]*)\s*(.*)$", re.DOTALL
)
_ASSIGNMENT = re.compile(
    r"^(?:(?:export|local|readonly|declare|typeset)\s+(?:-\w+\s+)*)?([A-Za-z_]\w*)=(.*)$", re.DOTALL
)
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_OPENERS = {"if": "fi", "for": "done", "while": "done", "until": "done", "case": "esac", "{": "}"}


class Executed(Struct, frozen=True):
    """One simple command: its words, where its output goes, and the text it gets on standard input."""

    line: int
    words: tuple[str, ...]
    writes: tuple[str, ...] = ()
    text: str = ""


class ShellRun(Struct):
    """What a script executes. `complete` is false when a limit was hit."""

    commands: list[Executed] = field(default_factory=list)
    complete: bool = True


class _Statement(Struct, frozen=True):
    line: int
    text: str
    heredoc: str = ""


def run_shell(text: str) -> ShellRun:
    """The commands of a script in the order in which they would run."""
    machine = _Machine(ShellRun())
    machine.block(list(_statements(text)), {}, 0)
    return machine.result


def _statements(text: str) -> Iterator[_Statement]:
    """Statements between newlines and semicolons outside quotes, here-documents attached."""
    line = 1
    for first, logical, heredoc in _logical_lines(text):
        line = first
        for piece in _cut(logical, ";\n"):
            for part in _keywords(piece.strip()):
                yield _Statement(line, part, heredoc if "<<" in part else "")


def _logical_lines(text: str) -> Iterator[tuple[int, str, str]]:
    """(first line, text, here-document): lines joined where a quote or bracket is open."""
    lines = text.replace("\r\n", "\n").split("\n")
    i = 0
    while i < len(lines):
        first = i
        logical = _without_comment(lines[i])
        while i + 1 < len(lines) and i - first < 400 and _is_open(logical):
            i += 1
            logical = (
                logical[:-1] + " " + lines[i].lstrip()
                if logical.endswith("\\")
                else logical + "\n" + _without_comment(lines[i])
            )
        i += 1
        body: list[str] = []
        ending = _HEREDOC.search(logical)
        if ending and "<<<" not in logical:
            while i < len(lines) and lines[i].strip() != ending.group(2):
                body.append(lines[i])
                i += 1
            i += 1
        yield first + 1, logical, "\n".join(body)


def _without_comment(line: str) -> str:
    """A line without the comment at its end."""
    if "#" not in line:
        return line
    quote = ""
    for i, c in enumerate(line):
        if quote:
            quote = "" if c == quote and line[i - 1] != "\\" else quote
        elif c in "\"'" and line[i - 1 : i] != "\\":
            quote = c
        elif c == "#" and (i == 0 or line[i - 1] in " \t;"):
            return line[:i]
    return line


def _is_open(logical: str) -> bool:
    if logical.endswith("\\") and not logical.endswith("\\\\"):
        return True
    quote, depth = "", 0
    for i, c in enumerate(logical):
        if quote:
            if c == quote and logical[i - 1] != "\\":
                quote = ""
        elif c in "\"'" and logical[i - 1 : i] != "\\":
            quote = c
        elif c == "#" and (i == 0 or logical[i - 1] in " \t\n"):
            end = logical.find("\n", i)
            if end < 0:
                return False
        elif c == "(":
            depth += 1
        elif c == ")":
            depth -= 1
    return bool(quote) or (depth > 0 and re.search(r"=\(|\$\(", logical) is not None)


def _cut(text: str, separators: str) -> list[str]:
    """Parts between separators that stand outside quotes, brackets and comments."""
    parts, start, quote, depth = [], 0, "", 0
    i = 0
    while i < len(text):
        c = text[i]
        if quote:
            if c == quote and text[i - 1] != "\\":
                quote = ""
        elif c in "\"'" and text[i - 1 : i] != "\\":
            quote = c
        elif c == "#" and (i == 0 or text[i - 1] in " \t\n;"):
            end = text.find("\n", i)
            if depth == 0:
                parts.append(text[start:i])
                start = len(text) if end < 0 else end
            i = len(text) if end < 0 else end
            continue
        elif c == "(":
            depth += 1
        elif c == ")":
            depth -= 1
        elif depth <= 0 and c in separators and text[i - 1 : i] != "\\":
            parts.append(text[start:i])
            start = i + 1
        i += 1
    parts.append(text[start:])
    return parts


def _keywords(piece: str) -> Iterator[str]:
    """Splits `then cmd`, `do cmd`, `else cmd` and `{ cmd` from the command behind them."""
    while piece:
        match = re.match(r"(then|do|else|\{)(?=\s|$)", piece)
        if match:
            yield match.group(1)
            piece = piece[match.end() :].strip()
            continue
        function = _FUNCTION.match(piece)
        if function:
            rest = (function.group(2) or function.group(4) or "").strip()
            yield f"function {function.group(1) or function.group(3)}"
            piece = rest
            continue
        if piece.endswith(" }") and not piece.startswith("}"):
            yield from _keywords(piece[:-1].strip())
            yield "}"
            return
        yield piece
        return


class _Machine:
    def __init__(self, result: ShellRun) -> None:
        self.result = result
        self.functions: dict[str, list[_Statement]] = {}
        self.ended = False  # by an `exit` that every run comes to

    def block(self, statements: list[_Statement], env: dict[str, list[str]], depth: int) -> None:
        """Runs statements one after the other."""
        i = 0
        while i < len(statements):
            if len(self.result.commands) >= MAX_COMMANDS or depth > MAX_DEPTH:
                self.result.complete = False
                return
            word = statements[i].text.split(None, 1)[0] if statements[i].text else ""
            if word in ("exit", "return"):
                self.ended = self.ended or (word == "exit" and depth == 0)
                return
            if self.ended:
                return
            if word == "function":
                i = self._define(statements, i)
            elif word in ("if", "for", "while", "until", "case"):
                end = _matching(statements, i)
                self._compound(word, statements[i:end], env, depth)
                i = end + 1
            else:
                if word not in ("then", "do", "else", "{", "}", "fi", "done", "esac", ";;"):
                    self._simple(statements[i], env, depth)
                i += 1

    def _define(self, statements: list[_Statement], i: int) -> int:
        name = statements[i].text.split(None, 1)[1].strip()
        start = i + 1
        if start >= len(statements) or statements[start].text != "{":
            return start
        end = _matching(statements, start)
        self.functions[name] = statements[start + 1 : end]
        return end + 1

    def _compound(self, word: str, part: list[_Statement], env: dict[str, list[str]], depth: int) -> None:
        if word == "if":
            self._if(part, env, depth)
        elif word == "for":
            self._for(part, env, depth)
        else:
            self.block(_after(part, "do") if word in ("while", "until") else part[1:], env, depth + 1)

    def _if(self, part: list[_Statement], env: dict[str, list[str]], depth: int) -> None:
        for condition, body in _branches(part):
            truth = True if condition is None else self._truth(condition, env)
            if condition is not None and truth is None:
                self._simple(_Statement(part[0].line, condition), env, depth)
            if truth is not False:
                self.block(body, env, depth + 1)
            if truth is True:
                return

    def _truth(self, condition: str, env: dict[str, list[str]]) -> bool | None:
        if condition.strip() in ("true", "false", ":"):
            return condition.strip() != "false"
        match = re.fullmatch(r"\[\[?\s+(.*?)\s+\]?\]", condition.strip(), re.DOTALL)
        if not match:
            return None
        words = [w for raw in _words(match.group(1)) for w in self._expand(raw, env)]
        if any(UNKNOWN in w for w in words):
            return None
        if len(words) == 3 and words[1] in ("=", "==", "!="):
            return (words[0] == words[2]) is (words[1] != "!=")
        if len(words) == 2 and words[0] in ("-z", "-n"):
            return (words[1] == "") is (words[0] == "-z")
        return None

    def _for(self, part: list[_Statement], env: dict[str, list[str]], depth: int) -> None:
        head = re.match(r"for\s+(\w+)\s+in\b\s*(.*)", part[0].text, re.DOTALL)
        body = _after(part, "do")
        if not head:
            self.block(body, env, depth + 1)
            return
        items = [w for raw in _words(head.group(2)) for w in self._expand(raw, env)]
        if len(items) > MAX_ITEMS:
            self.result.complete = False
        for item in items[:MAX_ITEMS]:
            env[head.group(1)] = [item]
            self.block(body, env, depth + 1)

    def _simple(self, statement: _Statement, env: dict[str, list[str]], depth: int) -> None:
        heredoc = self._text(statement.heredoc, env) if statement.heredoc else ""
        if statement.text.startswith("echo ") and not re.search(r"[>|&]", statement.text):
            return  # it only talks
        for piece in re.split(r"&&|\|\||(?<![>&])\|(?!\|)", _hide_quoted(statement.text)):
            text = _show_quoted(piece, statement.text).strip().lstrip("!({ ").strip()
            if text:
                self._command(statement.line, text, heredoc, env, depth)

    def _command(self, line: int, text: str, heredoc: str, env: dict[str, list[str]], depth: int) -> None:
        assigned = _ASSIGNMENT.match(text)
        if assigned and len(_words(assigned.group(2))) <= 1:
            env[assigned.group(1)] = self._value(assigned.group(2), env)
            return
        writes: list[str] = []
        words: list[str] = []
        raw = _words(_HEREDOC.sub("", text) if heredoc else text)
        skip = False
        for i, word in enumerate(raw):
            redirect = re.match(r"^(?:[12&])?>>?\|?(.*)$", word, re.DOTALL)
            if skip:
                skip = False
            elif redirect and not word.startswith(">("):
                target = redirect.group(1) or (raw[i + 1] if i + 1 < len(raw) else "")
                skip = not redirect.group(1)
                writes += self._expand(target, env)
            else:
                words += self._expand(word, env)
        if words and words[0] in self.functions and depth < MAX_DEPTH:
            inner = dict(env) | {str(n): [w] for n, w in enumerate(words[1:], 1)} | {"@": words[1:]}
            self.block(self.functions[words[0]], inner, depth + 1)
        elif words:
            self.result.commands.append(Executed(line, tuple(words), tuple(writes), heredoc))

    def _value(self, raw: str, env: dict[str, list[str]]) -> list[str]:
        raw = raw.strip()
        if raw.startswith("(") and raw.endswith(")"):
            return [
                w
                for item in _words(re.sub(r"(?m)(^|\s)#.*$", "", raw[1:-1]))
                for w in self._expand(item, env)
            ]
        return ["".join(self._expand(f'"{raw}"' if raw.startswith("$") else raw, env))]

    def _expand(self, raw: str, env: dict[str, list[str]]) -> list[str]:
        """A word with its expansions; a quoted or bare list variable becomes several words."""
        listed = re.fullmatch(r'"?\$\{?(\w+|@)(?:\[[@*]\])?\}?"?', raw)
        if listed and (listed.group(1) == "@" or "[" in raw or not raw.startswith('"')):
            known = env.get(listed.group(1))
            if known is None:
                return [UNKNOWN]
            return list(known) if raw.startswith('"') or "[" in raw else [w for k in known for w in k.split()]
        if raw.startswith("'") and raw.endswith("'") and raw.count("'") == 2:
            return [raw[1:-1]]
        text = self._text(raw, env)
        return [re.sub(r"(?<!\\)[\"']", "", text).replace('\\"', '"').replace("\\ ", " ")]

    def _text(self, raw: str, env: dict[str, list[str]]) -> str:
        """Text with parameters replaced; command substitutions are unknown."""
        raw = re.sub(r"\$\(\s*dirname\s[^)]*\)|`\s*dirname\s[^`]*`", ".", raw)
        raw = re.sub(r"\$\([^()]*(?:\([^()]*\)[^()]*)*\)|`[^`]*`", UNKNOWN, raw)

        def value(match: re.Match[str]) -> str:
            body = match.group(1) or match.group(2) or match.group(3)
            return _parameter(body, env)

        return re.sub(r"(?<!\\)\$(?:\{([^{}]*)\}|(\w)(?!\w)|([A-Za-z_]\w*))", value, raw)[:20000]


def _parameter(body: str, env: dict[str, list[str]]) -> str:
    """The value of `${body}` with the common operators."""
    match = re.match(r"(\w+|@)(.*)$", body, re.DOTALL)
    if not match:
        return UNKNOWN
    name, rest = match.groups()
    known = env.get(name)
    value = " ".join(known) if known is not None else None
    if rest.startswith((":-", "-")):
        return value if value else rest.lstrip(":-")
    if value is None or UNKNOWN in value:
        return UNKNOWN
    operator = re.match(r"(%%|%|##|#)(.*)$", rest, re.DOTALL)
    if operator:
        return _trim(value, operator.group(1), operator.group(2))
    return value if not rest or rest.startswith("[") else UNKNOWN


def _trim(value: str, operator: str, pattern: str) -> str:
    """`%`, `%%`, `#` and `##`: takes a pattern off one end."""
    from fnmatch import translate

    expression = re.compile(translate(pattern))
    ends = range(len(value) + 1)
    if operator[0] == "%":
        order = ends if operator == "%%" else reversed(ends)
        return next((value[:n] for n in order if expression.match(value[n:])), value)
    order = reversed(ends) if operator == "##" else ends
    return next((value[n:] for n in order if expression.match(value[:n])), value)


def _matching(statements: list[_Statement], start: int) -> int:
    """The index of the word that closes the compound beginning at `start`; the last index when none does."""
    stack: list[str] = []
    for i in range(start, len(statements)):
        word = statements[i].text.split(None, 1)[0].rstrip(";") if statements[i].text else ""
        if word in _OPENERS:
            stack.append(_OPENERS[word])
        elif stack and re.match(re.escape(stack[-1]) + r"(?=$|[\s;>|&)])", statements[i].text):
            stack.pop()
            if not stack:
                return i
    return len(statements) - 1


def _after(part: list[_Statement], word: str) -> list[_Statement]:
    return next((part[i + 1 :] for i, s in enumerate(part) if s.text == word), part[1:])


def _branches(part: list[_Statement]) -> Iterator[tuple[str | None, list[_Statement]]]:
    """(condition, body) of each branch of an `if`; None for `else`."""
    condition: str | None = part[0].text[2:].strip()
    body: list[_Statement] = []
    depth = 0
    for statement in part[1:]:
        word = statement.text.split(None, 1)[0] if statement.text else ""
        if depth == 0 and word in ("elif", "else"):
            yield condition, body
            condition, body = (statement.text[4:].strip() if word == "elif" else None), []
            continue
        if depth == 0 and word == "then":
            continue
        if word in _OPENERS:
            depth += 1
        elif word.rstrip(";") in _OPENERS.values():
            depth -= 1
        body.append(statement)
    yield condition, body


def _words(text: str) -> list[str]:
    """Words between blanks outside quotes and substitutions, quotes kept."""
    return [w for w in _cut(re.sub(r"[\n\t]+", " ", text), " ") if w]


def _hide_quoted(text: str) -> str:
    """The text with everything inside quotes and brackets replaced by NUL of the same length."""
    out, quote, depth = [], "", 0
    for i, c in enumerate(text):
        if quote:
            out.append("\0")
            if c == quote and text[i - 1] != "\\":
                quote = ""
        elif c in "\"'":
            quote = c
            out.append("\0")
        else:
            depth += (c == "(") - (c == ")")
            out.append("\0" if depth > 0 else c)
    return "".join(out)


def _show_quoted(piece: str, text: str) -> str:
    """The part of `text` that a piece of its hidden form stands for."""
    at = _hide_quoted(text).find(piece)
    return text[at : at + len(piece)]
