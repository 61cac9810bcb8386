"""The evaluator on tiny functions: what `f` can return, and what it may not claim to know."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse, go_file

from zuno_audit.facts.go.analysis import analysis
from zuno_audit.facts.go.evaluate import Evaluator, Limits
from zuno_audit.facts.go.values import Const, Func, Input, Nil, Seq, State, Unknown, Val
from zuno_audit.languages.go import syntax as s

OPEN = "?"  # an alternative that is not known


def returned(
    root: Path,
    code: str,
    *,
    lazy: bool = True,
    limits: Limits | None = None,
    files: dict[str, str] | None = None,
) -> list[object]:
    """The alternatives of the first result of `f`, each as a Python value."""
    store = analyse(root, {"main.go": go_file(code), **(files or {})})
    whole = store.get(analysis)
    package = whole.program.package("example.com/x")
    assert package is not None
    declared = package.declaration("f")
    assert declared is not None and isinstance(declared.node, s.FuncDecl)
    ev = whole.evaluator(lazy=lazy, limits=limits)
    ev.eager.add(id(declared.node))
    func = Func(declared.node, declared.file, declared.package)
    exits = ev.simulate(func, ev.inputs(func), State())
    found: list[object] = []
    for results in exits:
        for v in ev.force(results[0]):
            plain = _plain(ev, v)
            if plain not in found:
                found.append(plain)
    return found


def _plain(ev: Evaluator, v: Val) -> object:
    if isinstance(v, Const):
        return v.value
    if isinstance(v, Nil):
        return None
    if isinstance(v, Seq) and not v.open:
        return [_one([_plain(ev, x) for x in ev.force(item)]) for item in v.items]
    assert isinstance(v, Unknown | Input | Seq), v
    return OPEN


def _one(values: list[object]) -> object:
    return values[0] if len(values) == 1 else set(map(str, values))


# One answer each: the body of `func f() any`, what follows it, what it returns.
EXACT: dict[str, tuple[str, str, object]] = {
    # constants
    "sum": ("return 1 + 2*3", "", 7),
    "division of integers truncates": ("return -7 / 2", "", -3),
    "remainder has the sign of the dividend": ("return -7 % 3", "", -1),
    "division of floats": ("return 7 / 2.0", "", 3.5),
    "shift": ("return 1 << 10 >> 2", "", 256),
    "bits": ("return 6&3 | 8 ^ 1", "", 11),
    "clear bits": ("return 7 &^ 2", "", 5),
    "text": ('return "a" + "b"', "", "ab"),
    "raw text": ('return `a\\n` + "\\n"', "", "a\\n\n"),
    "rune": ("return 'a' + 1", "", 98),
    "hex, octal, binary, underscores": ("return 0xff + 0o10 + 0b11 + 1_000", "", 1266),
    "named constant": ("return limit * 2", "const limit = 5 * 1", 10),
    "iota": ("return c", "const ( a = iota; b; c )", 2),
    "iota skips": ("return c", "const ( a = 1 << iota; _; c )", 4),
    "iota with expressions": ("return mb", "const ( _ = iota; kb = 1 << (10 * iota); mb )", 1048576),
    "typed iota": ("return int(blue)", "type color int\nconst ( red color = iota; green; blue )", 2),
    "a minute": ("return time.Minute == 60*time.Second", "", True),
    "seconds": ("return int(90 * time.Second / time.Minute)", "", 1),
    "duration of a variable": (
        "n := 5; return time.Duration(n) * time.Second == 5000*time.Millisecond",
        "",
        True,
    ),
    "conversion truncates": ("x := 3.9; return int(x)", "", 3),
    "unsigned wrap": ("x := 300; return int(uint8(x))", "", 44),
    "length of a text in bytes": ('return len("é")', "", 2),
    "shadowed iota": ("iota := 7; return iota", "", 7),
    "true can be shadowed": ("true := false; return true", "", False),
    # variables and blocks
    "shadowing in a block": ("x := 1; { x := 2; _ = x }; return x", "", 1),
    "assignment in a block": ("x := 1; { x = 2 }; return x", "", 2),
    "redeclaration assigns": ("x, a := 1, 1; x, b := 2, 2; _, _ = a, b; return x", "", 2),
    "shadowing in if": ("x := 1; if x := 2; x == 2 { _ = x }; return x", "", 1),
    "swap": ("a, b := 1, 2; a, b = b, a; return a*10 + b", "", 21),
    "zero values": (
        'var n int; var t string; var b bool; if n == 0 && t == "" && !b { return 1 }; return 2',
        "",
        1,
    ),
    "operator assignment": ("x := 2; x *= 5; x++; x -= 3; return x", "", 8),
    "blank": ("_ = 1; x, _ := 2, 3; return x", "", 2),
    "package variable": ("return v", "var v = 4", 4),
    "package variable by another": ("return v", "var v = w + 1\nvar w = 4", 5),
    "package variable set in init": ("return v", "var v = 1\nfunc init() { v = 2 }", 2),
    "package variable multiplied in init": ("return v", "var v = 2\nfunc init() { v *= 100 }", 200),
    "package variable appended in init": (
        "return len(v)",
        "var v = []int{1}\nfunc init() { v = append(v, 2) }",
        2,
    ),
    "shadowed package variable": ("v := 5; return v", "var v = 4", 5),
    # branches
    "if": ("x := 3; if x > 2 { return 1 } else { return 2 }", "", 1),
    "else if": ("x := 3; if x < 2 { return 1 } else if x == 3 { return 2 }; return 3", "", 2),
    "and stops early": ("if false && boom() { return 1 }; return 2", "func boom() bool { panic(1) }", 2),
    "or stops early": ("if true || boom() { return 1 }; return 2", "func boom() bool { panic(1) }", 1),
    "switch": ("switch x := 2; x { case 1: return 10; case 2, 3: return 20; default: return 30 }", "", 20),
    "switch without a tag": (
        "x := 5; switch { case x < 3: return 1; case x < 10: return 2 }; return 3",
        "",
        2,
    ),
    "switch takes the default anywhere": ("switch 9 { default: return 1; case 2: return 2 }", "", 1),
    "fallthrough": (
        "n := 0; switch 1 { case 1: n++; fallthrough; case 2: n += 10; case 3: n += 100 }; return n",
        "",
        11,
    ),
    "break leaves a switch": ("n := 1; switch 1 { case 1: if n == 1 { break }; n = 5 }; return n", "", 1),
    "type switch": (
        "var x any = 1; switch v := x.(type) { case string: return v; case int: return v + 1 }; return 0",
        "",
        2,
    ),
    "type switch on nil": ("var x any; switch x.(type) { case nil: return 1; default: return 2 }", "", 1),
    "comma ok assertion": ('var x any = "a"; if _, ok := x.(string); ok { return 1 }; return 2', "", 1),
    "failed assertion gives zero": ('var x any = "a"; n, ok := x.(int); if ok { return 9 }; return n', "", 0),
    # loops
    "for": ("n := 0; for i := 0; i < 4; i++ { n += i }; return n", "", 6),
    "while": ("n := 1; for n < 50 { n *= 2 }; return n", "", 64),
    "break": ("n := 0; for i := 0; i < 9; i++ { n++; if n == 3 { break } }; return n", "", 3),
    "continue": ("n := 0; for i := 0; i < 5; i++ { if i%2 == 0 { continue }; n += i }; return n", "", 4),
    "labelled break": (
        "n := 0\nouter:\nfor i := 0; i < 3; i++ { for j := 0; j < 3; j++ { if j == 1 { break outer }; n++ } }; return n",
        "",
        1,
    ),
    "labelled continue": (
        "n := 0\nouter:\nfor i := 0; i < 3; i++ { for j := 0; j < 3; j++ { if j == 1 { continue outer }; n++ } }; return n",
        "",
        3,
    ),
    "range over a slice": ("n := 0; for i, x := range []int{5, 6} { n += i * x }; return n", "", 6),
    "range over a number": ("n := 0; for i := range 4 { n += i }; return n", "", 6),
    "range over a map": (
        'n := 0; for _, x := range map[string]int{"a": 1, "b": 2} { n += x }; return n',
        "",
        3,
    ),
    "range over nothing": ("n := 7; for range []int(nil) { n = 0 }; return n", "", 7),
    "closures of a loop have variables of their own": (
        "var fs []func() int; for i := 0; i < 3; i++ { fs = append(fs, func() int { return i }) }; return fs[0]() + fs[2]()",
        "",
        2,
    ),
    # slices, arrays, maps
    "append": ("x := append([]int{1}, 2, 3); return len(x)*100 + x[2]", "", 303),
    "append of a slice": ("x := append([]int{1}, []int{2, 3}...); return x[1] + x[2]", "", 5),
    "append does not change the shorter one": ("a := []int{1}; _ = append(a, 2); return len(a)", "", 1),
    "copy": ("a := []int{1, 2}; b := make([]int, 2); copy(b, a); b[0] = 9; return a[0]*10 + b[1]", "", 12),
    "slicing": ("x := []int{1, 2, 3, 4}[1:3]; return len(x)*10 + x[0]", "", 22),
    "arrays are copied": ("a := [2]int{1, 2}; b := a; b[0] = 9; return a[0]", "", 1),
    "keyed elements": ("x := []int{2: 5, 1}; return len(x)*10 + x[2]", "", 45),
    "made": ("x := make([]int, 3); return len(x) + x[1]", "", 3),
    "map": ('m := map[string]int{"a": 1}; m["b"] = 2; return m["a"]*10 + m["b"]', "", 12),
    "map is shared": ('m := map[string]int{}; n := m; n["a"] = 3; return m["a"]', "", 3),
    "missing key": ('m := map[string]int{"a": 1}; return m["b"]', "", 0),
    "missing key, comma ok": (
        'm := map[string]int{"a": 1}; if _, ok := m["b"]; ok { return 1 }; return 2',
        "",
        2,
    ),
    "delete": ('m := map[string]int{"a": 1}; delete(m, "a"); return len(m)', "", 0),
    "min and max": ("return min(3, 1, 2)*10 + max(4, 5)", "", 15),
    # structs and pointers
    "struct fields": ("p := point{x: 1}; p.y = 5; return p.x*10 + p.y", "type point struct{ x, y int }", 15),
    "positional fields": ("p := point{3, 4}; return p.y", "type point struct{ x, y int }", 4),
    "structs are copied": (
        "p := point{x: 1}; q := p; q.x = 9; return p.x",
        "type point struct{ x, y int }",
        1,
    ),
    "pointers are shared": (
        "p := &point{x: 1}; q := p; q.x = 9; return p.x",
        "type point struct{ x, y int }",
        9,
    ),
    "address of a variable": ("x := 1; p := &x; *p = 5; return x", "", 5),
    "address of a field": ("p := point{}; q := &p.y; *q = 5; return p.y", "type point struct{ x, y int }", 5),
    "new": ("p := new(int); *p = 3; return *p", "", 3),
    "a function called make": (
        "return apply(func(n int) int { return n + 1 })",
        "func apply(make func(int) int) int { return make(g(1)) }\nfunc g(n int) int { return len(make([]int, n)) }",
        2,
    ),
    "pointer parameter": ("x := 1; set(&x); return x", "func set(p *int) { *p = 6 }", 6),
    "value parameter": ("x := 1; set(x); return x", "func set(p int) { p = 6 }", 1),
    "pointer method": (
        "c := counter{}; c.add(); c.add(); return c.n",
        "type counter struct{ n int }\nfunc (c *counter) add() { c.n++ }",
        2,
    ),
    "value method": (
        "c := counter{}; c.add(); return c.n",
        "type counter struct{ n int }\nfunc (c counter) add() { c.n++ }",
        0,
    ),
    "method value keeps its receiver": (
        "c := &counter{}; add := c.add; add(); add(); return c.n",
        "type counter struct{ n int }\nfunc (c *counter) add() { c.n++ }",
        2,
    ),
    "method expression": (
        "c := &counter{n: 4}; return (*counter).get(c)",
        "type counter struct{ n int }\nfunc (c *counter) get() int { return c.n }",
        4,
    ),
    "embedded field": (
        "o := outer{inner{n: 3}}; return o.n",
        "type inner struct{ n int }\ntype outer struct{ inner }",
        3,
    ),
    "promoted method": (
        "o := &outer{}; o.add(); return o.n",
        "type inner struct{ n int }\nfunc (i *inner) add() { i.n++ }\ntype outer struct{ inner }",
        1,
    ),
    "outer method hides the inner one": (
        "return outer{}.get()",
        "type inner struct{}\nfunc (inner) get() int { return 1 }\ntype outer struct{ inner }\nfunc (outer) get() int { return 2 }",
        2,
    ),
    "interface": (
        "var g getter = one{}; return g.get()",
        "type getter interface{ get() int }\ntype one struct{}\nfunc (one) get() int { return 1 }",
        1,
    ),
    "nested structs": (
        "o := outer{}; o.in.n = 4; p := o; p.in.n = 5; return o.in.n",
        "type inner struct{ n int }\ntype outer struct{ in inner }",
        4,
    ),
    # functions
    "several results": ("a, b := two(); return a*10 + b", "func two() (int, int) { return 1, 2 }", 12),
    "results as arguments": (
        "return sum(two())",
        "func two() (int, int) { return 1, 2 }\nfunc sum(a, b int) int { return a + b }",
        3,
    ),
    "variadic": ("return count() + count(1, 2)*10", "func count(xs ...int) int { return len(xs) }", 20),
    "variadic spread": ("return count([]int{1, 2, 3}...)", "func count(xs ...int) int { return len(xs) }", 3),
    "named results": ("return named()", "func named() (n int) { n = 5; return }", 5),
    "closure by reference": ("x := 1; add := func() { x++ }; add(); add(); return x", "", 3),
    "closure outlives its function": (
        "next := counter(); next(); return next()",
        "func counter() func() int { n := 0; return func() int { n++; return n } }",
        2,
    ),
    "function as an argument": (
        "return twice(func(n int) int { return n + 3 }, 1)",
        "func twice(f func(int) int, n int) int { return f(f(n)) }",
        7,
    ),
    "recursion": (
        "return fact(2)",
        "func fact(n int) int { if n <= 1 { return 1 }; return n * fact(n-1) }",
        2,
    ),
    "generic function": ("return first([]int{4, 5})", "func first[T any](xs []T) T { return xs[0] }", 4),
    "generic function, instantiated": (
        "return first[int]([]int{4, 5})",
        "func first[T any](xs []T) T { return xs[0] }",
        4,
    ),
    "generic type": (
        "b := box[int]{v: 3}; return b.get()",
        "type box[T any] struct{ v T }\nfunc (b box[T]) get() T { return b.v }",
        3,
    ),
    # defer, panic, recover
    "deferred call changes a named result": (
        "return deferred()",
        "func deferred() (n int) { defer func() { n *= 2 }(); return 4 }",
        8,
    ),
    "deferred call cannot change an unnamed result": (
        "return deferred()",
        "func deferred() int { n := 4; defer func() { n = 9 }(); return n }",
        4,
    ),
    "deferred calls run last first": (
        "return deferred()",
        "func deferred() (n int) { defer func() { n = n*10 + 1 }(); defer func() { n = n*10 + 2 }(); return 0 }",
        21,
    ),
    "arguments of a deferred call are evaluated at once": (
        "return deferred()",
        "func deferred() (n int) { x := 1; defer func(y int) { n = y }(x); x = 5; return 0 }",
        1,
    ),
    "recover": (
        "return safe()",
        'func safe() (n int) { defer func() { if recover() != nil { n = 7 } }(); panic("x") }',
        7,
    ),
    "recover gives what was thrown": (
        "return safe()",
        "func safe() (n int) { defer func() { n = recover().(int) }(); panic(3) }",
        3,
    ),
    "recover without a panic": (
        "return safe()",
        "func safe() (n int) { defer func() { if recover() == nil { n = 1 } }(); return 0 }",
        1,
    ),
    "panic goes through frames": (
        "return safe()",
        "func safe() (n int) { defer func() { if recover() != nil { n = 7 } }(); deep(); return 1 }\nfunc deep() { panic(1) }",
        7,
    ),
    "code after a panic does not run": (
        "return safe()",
        "func safe() (n int) { defer func() { recover() }(); n = 1; panic(1) }",
        1,
    ),
}


@pytest.mark.parametrize("case", EXACT)
def test_exact(case: str, tmp_path: Path) -> None:
    body, more, expected = EXACT[case]
    code = f"func f() any {{\n{body}\n}}\n{more}\n"
    assert returned(tmp_path, code) == [expected]


@pytest.mark.parametrize("case", EXACT)
def test_a_simulation_says_the_same(case: str, tmp_path: Path) -> None:
    body, more, expected = EXACT[case]
    code = f"func f() any {{\n{body}\n}}\n{more}\n"
    assert returned(tmp_path, code, lazy=False) == [expected]


# Several answers: `f(c bool, n int, xs []int)` where the caller decides.
DEPENDS: dict[str, tuple[str, str, list[object]]] = {
    "both branches": ("x := 1; if c { x = 2 }; return x", "", [2, 1]),
    "early return": ("if c { return 1 }; return 2", "", [1, 2]),
    "nested": ("x := 0; if c { x = 1 } else if n > 3 { x = 2 }; return x", "", [1, 2, 0]),
    "tested twice": ("x := 1; if c { x = 2 }; if c { return 5 }; return x", "", [5, 1, 2]),
    "switch": ("switch n { case 1: return 1; case 2: return 2 }; return 3", "", [1, 2, 3]),
    "parameter": ("return n", "", [OPEN]),
    "computed from a parameter": ("return n + 1", "", [OPEN]),
    "element of a parameter": ("return xs[0]", "", [OPEN]),
    "appended to a parameter": ("return append(xs, 1)", "", [OPEN]),
    "counted in a loop of unknown length": ("k := 0; for range xs { k++ }; return k", "", [OPEN, 0]),
    "set in a loop of unknown length": ('t := "a"; for range xs { t = "b" }; return t', "", ["a", "b"]),
    "pointer to one of two": ("a, b := 1, 2; p := &a; if c { p = &b }; *p = 5; return a", "", [5, 1]),
    "functions given in": (
        "return apply(func() int { return 1 }, c)",
        "func apply(g func() int, c bool) int { if c { return g() }; return 2 }",
        [1, 2],
    ),
    "never both": (
        "a, b := 1, 1; if c { a = 2 } else { b = 2 }; if a == 2 && b == 2 { return 9 }; return 1",
        "",
        [9, 1],
    ),
    "nil or not": ("var p *int; if c { p = new(int) }; if p == nil { return 1 }; return 2", "", [1, 2]),
    "object of a postponed call, changed on one path": (
        "s := made(); if c { s.add(1) }; return len(s.xs)",
        "type box struct{ xs []int }\nfunc (b *box) add(x int) { b.xs = append(b.xs, x) }\nfunc made() *box { return &box{} }",
        [1, 0],
    ),
    "object of a nested postponed call": (
        "s := outer(); if c { s.b.add(1) }; return len(s.b.xs)",
        "type box struct{ xs []int }\nfunc (b *box) add(x int) { b.xs = append(b.xs, x) }\nfunc made() *box { return &box{} }\ntype holder struct{ b *box }\nfunc outer() *holder { return &holder{b: made()} }",
        [1, 0],
    ),
    "package variable, changed on one path": (
        "if c { v = nil }; return len(v)",
        "var v = []int{1, 2}",
        [0, 2],
    ),
    "interface, changed on one path": (
        "s := made(); fill(s, c); return s.get()",
        "type i interface{ add(x int); get() int }\ntype box struct{ n int }\nfunc (b *box) add(x int) { b.n += x }\ntype outer struct{ *box }\nfunc (o *outer) get() int { return o.n }\nfunc made() i { return &outer{box: &box{}} }\nfunc fill(s i, c bool) { if c { s.add(3) } }",
        [3, 0],
    ),
    "goto": ("x := 1; if c { goto end }; x = 2\nend:\nreturn x", "", [1, 2]),
    "select": (
        "a, b := make(chan int), make(chan int); select { case <-a: return 1; case <-b: return 2 }",
        "",
        [1, 2],
    ),
}


@pytest.mark.parametrize("case", DEPENDS)
def test_alternatives(case: str, tmp_path: Path) -> None:
    body, more, expected = DEPENDS[case]
    code = f"func f(c bool, n int, xs []int) any {{\n{body}\n}}\n{more}\n"
    found = returned(tmp_path, code)
    for value in expected:
        assert value in found
    assert all(value in expected or value == OPEN for value in found)


OPEN_ENDED: dict[str, tuple[str, str]] = {
    "deep recursion": (
        "return fact(40)",
        "func fact(n int) int { if n <= 1 { return 1 }; return n * fact(n-1) }",
    ),
    "endless recursion": ("return spin()", "func spin() int { return spin() + 1 }"),
    "mutual recursion": (
        "return ping(9)",
        "func ping(n int) int { return pong(n) }\nfunc pong(n int) int { return ping(n) }",
    ),
    "a library's result": ('return os.Getenv("X")', ""),
    "received from a channel": ("return <-make(chan int)", ""),
    "changed by a function that is not known": (
        "x := 1; if g := hook; g != nil { g(&x) }; return x",
        "var hook func(*int)\nfunc init() { hook = other() }\nfunc other() func(*int) { return table[0] }\nvar table [1]func(*int)\nfunc set(i int, g func(*int)) { table[i] = g }",
    ),
    "decoded": ("x := 1; _ = json.Unmarshal(nil, &x); return x", ""),
    "flag": ('x := true; flag.BoolVar(&x, "x", true, ""); return x', ""),
    "flag into a package variable": (
        "return v",
        'var v = true\nfunc init() { flag.BoolVar(&v, "v", true, "") }',
    ),
}


@pytest.mark.parametrize("case", OPEN_ENDED)
def test_what_is_not_known_is_never_a_single_answer(case: str, tmp_path: Path) -> None:
    body, more = OPEN_ENDED[case]
    code = f"func f() any {{\n{body}\n}}\n{more}\n"
    for name, path in (("json", "encoding/json"), ("flag", "flag")):
        if f"{name}." in code:
            code = f'import "{path}"\n' + code
    store_values = _kinds(tmp_path, code)
    assert "known" not in store_values or len(store_values) > 1


def _kinds(root: Path, code: str) -> set[str]:
    """Whether the alternatives of the first result of `f` are constants or something else."""
    store = analyse(root, {"main.go": go_file(code)})
    whole = store.get(analysis)
    package = whole.program.package("example.com/x")
    declared = package.declaration("f") if package is not None else None
    assert declared is not None and isinstance(declared.node, s.FuncDecl)
    ev = whole.evaluator()
    exits = ev.simulate(Func(declared.node, declared.file, declared.package), [], State())
    values = [v for results in exits for v in ev.force(results[0])]
    return {"known" if isinstance(v, Const) else "open" for v in values}


def test_an_object_made_on_one_path_only_is_not_mixed_with_itself(tmp_path: Path) -> None:
    """The early return knows nothing of the box, so its first state is no alternative."""
    code = """
type box struct{ xs []int }
func (b *box) add(x int) { b.xs = append(b.xs, x) }
func made() *box { return &box{} }
func build(c bool) (*box, error) {
	if c {
		return nil, errors.New("x")
	}
	b := made()
	b.add(1)
	return b, nil
}
func f(c bool) any {
	b, err := build(c)
	if err != nil {
		return 9
	}
	return len(b.xs)
}
"""
    assert sorted(map(str, returned(tmp_path, code))) == ["1", "9"]


def test_an_endless_loop_is_run_out_in_a_simulation_only(tmp_path: Path) -> None:
    code = "func f() any { n := 0; for { n++; if n == 3 { break } }; return n }"
    assert returned(tmp_path, code, lazy=False) == [3]
    assert returned(tmp_path, code) == [OPEN]


def test_variables_of_a_loop_before_go_1_22(tmp_path: Path) -> None:
    code = "func f() any { var fs []func() int; for i := 0; i < 3; i++ { fs = append(fs, func() int { return i }) }; return fs[0]() }"
    assert returned(tmp_path, code, files={"go.mod": "module example.com/x\n\ngo 1.21\n"}) == [3]


def test_a_long_loop_is_not_said_to_end_early(tmp_path: Path) -> None:
    code = "func f() any { n := 0; for i := 0; i < 5000; i++ { n++ }; return n }"
    assert OPEN in returned(tmp_path, code)


def test_work_is_bounded(tmp_path: Path) -> None:
    """Nested loops that would run a million million times end, with no answer made up."""
    loops = "".join(f"for i{k} := 0; i{k} < 250; i{k}++ {{ " for k in range(5))
    code = f"func f() any {{ n := 0; {loops} n++ {'}' * 5}; return n }}\n"
    assert returned(tmp_path, code, limits=Limits(steps=5_000)) == []


def test_a_large_callee_does_not_starve_its_caller(tmp_path: Path) -> None:
    loops = "".join(f"for i{k} := 0; i{k} < 250; i{k}++ {{ " for k in range(5))
    code = f"func f() any {{ _ = big(); return 4 }}\nvar total int\nfunc big() int {{ {loops} total++ {'}' * 5}; return total }}\n"
    assert returned(tmp_path, code) == [4]


def test_a_file_that_does_not_parse_gives_nothing(tmp_path: Path) -> None:
    files = {
        "main.go": "package main\n\nfunc f() any { return g() }\n",
        "g.go": "package main\n\nfunc g() int { return 1 \n\nfunc {\n",
    }
    whole = analyse(tmp_path, files).get(analysis)
    package = whole.program.package("example.com/x")
    declared = package.declaration("f") if package is not None else None
    assert declared is not None and isinstance(declared.node, s.FuncDecl)
    ev = whole.evaluator()
    exits = ev.simulate(Func(declared.node, declared.file, declared.package), [], State())
    values = [v for results in exits for v in ev.force(results[0])]
    assert all(isinstance(v, Unknown) for v in values)
