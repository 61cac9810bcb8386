"""Go tests: what runs, what asserts, what is exercised."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import column, store_of, values

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.gotests import go_test, go_test_file
from zuno_audit.model.entity import Entity, Table

GO_MOD = "module example.org/m\n\ngo 1.22\n"
CODE = """package pay

func Pay(n int) int { return n }

type Till struct{}

func (t *Till) Open() bool { return true }
"""


def with_test(root: Path, body: str, imports: str = '"testing"\n\t"example.org/m/pay"') -> FactStore:
    """A package `pay` and a test in another folder."""
    text = f"package test\n\nimport (\n\t{imports}\n)\n\n{body}\n"
    return store_of(root, {"go.mod": GO_MOD, "pay/pay.go": CODE, "test/pay_test.go": text})


def only(store: FactStore) -> Entity:
    rows = go_test(store).rows
    assert len(rows) == 1
    return rows[0]


def test_a_test_that_calls_and_asserts_counts(tmp_path: Path) -> None:
    row = only(with_test(tmp_path, 'func TestPay(t *testing.T) { if pay.Pay(1) != 1 { t.Fatal("no") } }'))
    assert values(row, "name", "effective", "exercises", "near") == ("TestPay", "yes", ("pay",), ("pay",))
    assert row.location.line == 8


@pytest.mark.parametrize(
    "body",
    [
        't.Skip("later")\n\tif pay.Pay(1) != 1 { t.Fatal("no") }',
        'if pay.Pay(1) != 1 { t.Fatal("no") }\n\tt.Skipf("later")',
        'if true { t.SkipNow() }\n\tif pay.Pay(1) != 1 { t.Fatal("no") }',
        "t.Log(pay.Pay(1))",
        "_ = pay.Pay(1)",
        'return\n\tif pay.Pay(1) != 1 { t.Fatal("no") }',
        'if false { if pay.Pay(1) != 1 { t.Fatal("no") } }',
        'panic("x")\n\tif pay.Pay(1) != 1 { t.Fatal("no") }',
        't.Run("a", func(t *testing.T) { t.Skip(); if pay.Pay(1) != 1 { t.Fatal("no") } })',
        '// if pay.Pay(1) != 1 { t.Fatal("no") }',
        "var err error; _ = err.Error()",
        'later(t)\n\tif pay.Pay(1) != 1 { t.Fatal("no") }',
        'if false && pay.Pay(1) != 1 { t.Fatal("no") }',
        'if pay.Pay(1) == 1 || true { t.Skip("no") }\n\tif pay.Pay(1) != 1 { t.Fatal("no") }',
        'if pay.Pay(1, 2) != 1 { t.Fatal("does not compile") }',
    ],
)
def test_what_proves_nothing_does_not_count(body: str, tmp_path: Path) -> None:
    helper = "func later(t *testing.T) { t.SkipNow() }\n"
    row = only(with_test(tmp_path, f"func TestPay(t *testing.T) {{\n\t{body}\n}}\n{helper}"))
    assert row.get("effective").value == "no"


@pytest.mark.parametrize(
    ("name", "constraint", "more", "effective"),
    [
        ("a_test.go", "", {}, "yes"),
        ("a_windows_test.go", "", {}, "no"),
        ("a_test.go", "//go:build ignore\n\n", {}, "no"),
        ("a_test.go", "//go:build slow\n\n", {}, "no"),
        ("a_test.go", "//go:build slow\n\n", {"Makefile": "test:\n\tgo test -tags=slow ./...\n"}, "yes"),
        ("a_test.go", "//go:build !slow\n\n", {}, "yes"),
    ],
)
def test_a_file_that_no_run_compiles_proves_nothing(
    name: str, constraint: str, more: dict[str, str], effective: str, tmp_path: Path
) -> None:
    text = 'package a\n\nimport "testing"\n\nfunc TestA(t *testing.T) {\n\tif A() != 1 { t.Fatal() }\n}\n'
    files = {"go.mod": "module example.org/m\n", "a/a.go": "package a\n\nfunc A() int { return 1 }\n"}
    store = store_of(tmp_path, {**files, f"a/{name}": constraint + text, **more})
    assert column(go_test(store), "effective") == [effective]


def test_documents_may_stand_in_files_of_the_package_and_be_embedded(tmp_path: Path) -> None:
    files = {
        "go.mod": "module example.org/m\n",
        "api/schema.graphql": "type Query { x: Int }\ntype Mutation { mintToken: Int buyToken: Int }\n",
        "e2e/documents.go": "package e2e\n\nconst mint = `mutation { mintToken }`\n",
        "e2e/buy.graphql": "mutation { buyToken }",
        "e2e/a_test.go": (
            'package e2e\n\nimport (\n\t_ "embed"\n\t"testing"\n)\n\n//go:embed buy.graphql\nvar buy string\n\n'
            "func TestA(t *testing.T) {\n\tif len(mint) > len(buy) {\n\t\tt.Fatal()\n\t}\n}\n"
        ),
    }
    (mutations,) = column(go_test(store_of(tmp_path, files)), "mutations")
    assert set(mutations) == {"mint token", "buy token"}


@pytest.mark.parametrize(
    ("body", "imports"),
    [
        ("assert.Equal(t, 1, pay.Pay(1))", '"github.com/stretchr/testify/assert"'),
        ("require.New(t).NoError(nil2(pay.Pay(1)))", '"github.com/stretchr/testify/require"'),
        ("is := is.New(t)\n\tis.Equal(pay.Pay(1), 1)", '"github.com/matryer/is"'),
        ('if testing.Short() { t.Skip("long") }\n\tif pay.Pay(1) != 1 { t.Error("no") }', ""),
        (
            "for _, c := range all { t.Run(c, func(tt *testing.T) { if pay.Pay(1) != 1 { tt.Fail() } }) }",
            "",
        ),
        ("if x := pay.Pay(1); x != 1 {\n\t\treturn\n\t}\n\tt.Fail()", ""),
        ("mustPay(t, 1)", ""),
        ('t.Run("sub", payHelper)', ""),
    ],
)
def test_the_usual_ways_to_assert_count(body: str, imports: str, tmp_path: Path) -> None:
    helpers = (
        'func mustPay(t *testing.T, n int) { if pay.Pay(n) != n { t.Fatal("no") } }\n'
        'func payHelper(t *testing.T) { if pay.Pay(1) != 1 { t.Fatal("no") } }\n'
        "func nil2(n int) error { return nil }\nvar all []string\n"
    )
    text = f"func TestPay(t *testing.T) {{\n\t{body}\n}}\n{helpers}"
    row = only(with_test(tmp_path, text, f'"testing"\n\t"example.org/m/pay"\n\t{imports}'))
    assert row.get("effective").value == "yes"
    if "Fail()" not in body:
        assert row.get("exercises").value == ("pay",)


@pytest.mark.parametrize(
    "assertion",
    [
        "assert.True(t, true)",
        "assert.Equal(t, 1, 1)",
        "assert.Nil(t, nil)",
        'assert.NotNil(t, "x")',
        "assert.False(t, false)",
    ],
)
def test_assertions_that_cannot_fail_do_not_count(assertion: str, tmp_path: Path) -> None:
    imports = '"testing"\n\t"example.org/m/pay"\n\t"github.com/stretchr/testify/assert"'
    row = only(
        with_test(tmp_path, f"func TestPay(t *testing.T) {{\n\tpay.Pay(1)\n\t{assertion}\n}}", imports)
    )
    assert row.get("effective").value == "no"


def test_a_package_may_be_imported_by_a_dot(tmp_path: Path) -> None:
    imports = '"testing"\n\t. "example.org/m/pay"\n\t. "github.com/onsi/gomega"'
    body = "func TestPay(t *testing.T) { NewWithT(t).Expect(Pay(1)).To(Equal(1)) }"
    assert values(only(with_test(tmp_path, body, imports)), "exercises") == (("pay",),)
    other = 'func TestPay(t *testing.T) { if Paid(1) != 1 { t.Fatal("no") } }\n\nfunc Paid(n int) int { return n }'
    assert values(only(with_test(tmp_path / "other", other, imports)), "exercises") == ((),)


def test_a_type_reference_is_no_call(tmp_path: Path) -> None:
    body = 'func TestPay(t *testing.T) { var m interface{ Do(*pay.Till) }; if m != nil { t.Fatal("no") } }'
    assert only(with_test(tmp_path, body)).get("exercises").value == ()


def test_a_method_of_a_composite_literal_is_a_call(tmp_path: Path) -> None:
    body = 'func TestPay(t *testing.T) { till := &pay.Till{}; if !till.Open() { t.Fatal("no") } }'
    assert only(with_test(tmp_path, body)).get("exercises").value == ("pay",)


def test_a_test_of_its_own_package_must_call_it(tmp_path: Path) -> None:
    text = (
        'package pay\n\nimport "testing"\n\nfunc TestA(t *testing.T) { if Pay(1) != 1 { t.Fatal() } }\n'
        "func TestB(t *testing.T) { if 1 != 2 { t.Fatal() } }\n"
    )
    store = store_of(tmp_path, {"go.mod": GO_MOD, "pay/pay.go": CODE, "pay/pay_test.go": text})
    assert column(go_test(store), "exercises") == [("pay",), ()]


SUITE = """package test

import (
	"testing"
	"example.org/m/pay"
	"github.com/stretchr/testify/suite"
)

type S struct{ suite.Suite; till *pay.Till }

func (s *S) SetupTest() { s.till = pay.NewTill() }
func (s *S) TestOne() { s.Equal(true, s.till.Open()) }
func (s *S) TestTwo() { s.T().Skip("later") }
type Unused struct{ suite.Suite }
func (s *Unused) TestThree() { s.Equal(1, 2) }
func TestS(t *testing.T) {%s suite.Run(t, new(S)) }
"""


def test_methods_of_suites_are_tests_when_the_suite_is_run(tmp_path: Path) -> None:
    code = CODE + "func NewTill() *Till { return nil }\n"
    store = store_of(tmp_path, {"go.mod": GO_MOD, "pay/pay.go": code, "test/a_test.go": SUITE % ""})
    table = go_test(store)
    assert column(table, "name") == ["S.TestOne", "S.TestTwo", "TestS"]
    assert column(table, "effective") == ["yes", "no", "no"]
    assert table.rows[0].get("exercises").value == ("pay",)


def test_a_suite_whose_runner_is_skipped_does_not_run(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"go.mod": GO_MOD, "pay/pay.go": CODE, "test/a_test.go": SUITE % " t.Skip();"})
    assert column(go_test(store), "name") == ["TestS"]
    assert column(go_test(store), "effective") == ["no"]


def test_real_connections_are_followed_and_doubles_are_not(tmp_path: Path) -> None:
    cache = (
        'package cache\n\nimport "github.com/redis/go-redis/v9"\n\n'
        "func New() *redis.Client { return redis.NewClient(nil) }\n"
    )
    real = (
        'package test\n\nimport (\n"testing"\n"example.org/m/cache"\n)\n\n'
        "func TestA(t *testing.T) { if cache.New() == nil { t.Fatal() } }\n"
    )
    double = (
        'package double\n\nimport (\n"testing"\n"github.com/alicebob/miniredis/v2"\n'
        '"github.com/redis/go-redis/v9"\n)\n\n'
        "func TestB(t *testing.T) { if redis.NewClient(miniredis.RunT(t)) == nil { t.Fatal() } }\n"
    )
    files = {"go.mod": GO_MOD, "cache/cache.go": cache, "a/a_test.go": real, "b/b_test.go": double}
    assert column(go_test(store_of(tmp_path, files)), "connections") == [("redis",), ()]


E2E = """package e2e

import ("testing"; "net/http"; "strings")

const signIn = `mutation { signIn(name: "a") { token } }`

func TestSignIn(t *testing.T) { post(t, signIn) }
func TestOld(t *testing.T) { post(t, `mutation { signIn(user: "` + name + `") { token } }`) }
func TestWatch(t *testing.T) { post(t, "subscription { onMint { id } }") }
func post(t *testing.T, q string) {
	if _, err := http.Post("http://x", "", strings.NewReader(q)); err != nil { t.Fatal(err) }
}
"""
SCHEMA = (
    "type Query { x: Int }\ntype Mutation { signIn(name: String!): Token! }\n"
    "type Token { token: String! }\ntype Subscription { onMint: Token2! }\ntype Token2 { id: ID! }\n"
)


def test_operations_that_end_to_end_tests_send(tmp_path: Path) -> None:
    files = {"go.mod": GO_MOD, "api/schema.graphql": SCHEMA, "test/e2e/a_test.go": E2E}
    table = go_test(store_of(tmp_path, files))
    assert column(table, "end_to_end") == ["yes", "yes", "yes"]
    assert column(table, "mutations") == [("sign in",), (), ()]
    assert column(table, "subscriptions") == [(), (), ("on mint",)]
    assert column(table, "connections") == [("http",)] * 3


def test_a_build_tag_marks_end_to_end_tests(tmp_path: Path) -> None:
    text = '//go:build e2e\n\npackage a\n\nimport "testing"\n\nfunc TestA(t *testing.T) {}\n'
    store = store_of(tmp_path, {"go.mod": GO_MOD, "a/a_test.go": text})
    assert values(go_test_file(store).rows[0], "end_to_end", "tags", "tests") == ("yes", "e2e", 1)


@pytest.mark.parametrize(
    ("use", "compiles"),
    [
        ("pay.Pay(1)", "yes"),
        ("pay.Gone(1)", "no"),
        ("var pay struct{ Gone int }; _ = pay.Gone", "yes"),
    ],
)
def test_names_that_do_not_exist_do_not_compile(use: str, compiles: str, tmp_path: Path) -> None:
    store = with_test(tmp_path, f"func TestPay(t *testing.T) {{ {use} }}")
    assert column(go_test_file(store), "compiles") == [compiles]


def test_a_package_that_does_not_exist_does_not_compile(tmp_path: Path) -> None:
    store = with_test(
        tmp_path, "func TestPay(t *testing.T) { gone.X() }", '"testing"\n\t"example.org/m/gone"'
    )
    row = go_test_file(store).rows[0]
    assert row.get("compiles").value == "no"
    assert row.get("compiles").proof[0].line == 5


def test_a_file_that_does_not_parse_is_a_problem_and_no_row(tmp_path: Path) -> None:
    store = with_test(tmp_path, "func TestPay(t *testing.T) { t.Fatal() }\nfunc broken( {")
    table = go_test(store)
    assert table.rows == ()
    assert [problem.path for problem in table.problems] == ["test/pay_test.go"]


def test_folders_that_the_go_tool_ignores_hold_no_tests(tmp_path: Path) -> None:
    text = 'package a\n\nimport "testing"\n\nfunc TestA(t *testing.T) { t.Fatal() }\n'
    files = {"go.mod": GO_MOD, "testdata/a_test.go": text, "_old/a_test.go": text, "vendor/x/a_test.go": text}
    assert go_test(store_of(tmp_path, files)).rows == ()


GORILLA = '"github.com/gorilla/websocket"'


@pytest.mark.parametrize(
    ("code", "imports"),
    [
        ('d := websocket.Dialer{}\n\td.Dial("ws://x", nil)', GORILLA),
        ('d := &websocket.Dialer{}\n\td.DialContext(ctx, "ws://x", nil)', GORILLA),
        ('d := new(websocket.Dialer)\n\td.Dial("ws://x", nil)', GORILLA),
        ('var d websocket.Dialer\n\td.Dial("ws://x", nil)', GORILLA),
        ('(&websocket.Dialer{}).Dial("ws://x", nil)', GORILLA),
        ('d := websocket.DefaultDialer\n\td.Dial("ws://x", nil)', GORILLA),
        ('d := *websocket.DefaultDialer\n\td.Dial("ws://x", nil)', GORILLA),
        ('ws.DefaultDialer.Dial("ws://x", nil)', f"ws {GORILLA}"),
        ('world{}.dialer.Dial("ws://x", nil)', GORILLA),
        ('embedding{}.Dial("ws://x", nil)', GORILLA),
        ('fromElsewhere().Dial("ws://x", nil)', GORILLA),
        (
            'var d interface{ Dial(string, http.Header) } = websocket.DefaultDialer\n\td.Dial("x", nil)',
            GORILLA,
        ),
        ('é := "ü"; _ = é; d := websocket.Dialer{}\n\td.Dial(é, nil)', GORILLA),
        ('d := ws.Dialer{}\n\td.Dial(ctx, "ws://x")', '"github.com/gobwas/ws"'),
        ('websocket.Dial(ctx, "ws://x", nil)', '"github.com/coder/websocket"'),
        ('graphql.NewSubscriptionClient("ws://x")', '"github.com/hasura/go-graphql-client"'),
    ],
)
def test_a_websocket_is_recognised_by_whose_method_opens_it(code: str, imports: str, tmp_path: Path) -> None:
    assert "websocket" in column(_socket(tmp_path, code, imports), "connections")[0]


@pytest.mark.parametrize(
    ("code", "imports"),
    [
        ('DefaultDialer := fake{}\n\tDefaultDialer.Dial("ws://x", nil)', GORILLA),
        ('d := fake{}\n\td.Dial("ws://x", nil)', GORILLA),
        ('d := net.Dialer{}\n\td.Dial("tcp", "x")', f'"net"\n\t{GORILLA}'),
        ("d := websocket.Dialer{}\n\t_ = d", GORILLA),
        ('return\n\td := websocket.Dialer{}\n\td.Dial("ws://x", nil)', GORILLA),
        ('websocket.DefaultDialer.Dial("ws://x", nil)', '"example.org/m/websocket"'),
        ('graphql.NewClient("http://x", nil)', '"github.com/hasura/go-graphql-client"'),
    ],
)
def test_a_dial_of_something_else_opens_no_websocket(code: str, imports: str, tmp_path: Path) -> None:
    assert "websocket" not in column(_socket(tmp_path, code, imports), "connections")[0]


def _socket(root: Path, code: str, imports: str) -> Table:
    """Tests in e2e whose helpers stand in another file of the package."""
    helpers = (
        f"package e2e_test\n\nimport {GORILLA}\n\ntype world struct{{ dialer *websocket.Dialer }}\n\n"
        "type embedding struct{ *websocket.Dialer }\n\ntype fake struct{}\n\n"
        "func (fake) Dial(url string, header any) {}\n\n"
        "func fromElsewhere() *websocket.Dialer { return websocket.DefaultDialer }\n"
    )
    test = f'package e2e_test\n\nimport (\n\t"testing"\n\t{imports}\n)\n\nfunc TestX(t *testing.T) {{\n\t{code}\n}}\n'
    own = "package websocket\n\nvar DefaultDialer = dialer{}\n\ntype dialer struct{}\n\nfunc (dialer) Dial(a, b any) {}\n"
    return go_test(
        store_of(
            root,
            {
                "go.mod": GO_MOD,
                "websocket/websocket.go": own,
                "e2e/helpers_test.go": helpers,
                "e2e/x_test.go": test,
            },
        )
    )
