"""Secrets that Go code gives away, and near misses that do not."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from trees import store_of

from zuno_audit.facts.go.leaks import secret_leak_table

_IMPORTS = {
    "errors": "errors",
    "fmt": "fmt",
    "log": "log",
    "os": "os",
    "slog": "log/slog",
    "strings": "strings",
    "hmac": "crypto/hmac",
    "sha256": "crypto/sha256",
    "hex": "encoding/hex",
    "zap": "go.uber.org/zap",
    "zerolog": "github.com/rs/zerolog/log",
    "logrus": "github.com/sirupsen/logrus",
}
CONFIG = "type Config struct { Host, Password string }\n"


def leaks(tmp_path: Path, body: str, **others: str) -> list[tuple[object, object]]:
    """Kind and name of every leak; `others` are files of other packages (`a__b.go` is a/b.go)."""
    files = {"go.mod": "module example.com/app\n\ngo 1.22\n", "main.go": _source("main", body)}
    for name, text in others.items():
        path = name.replace("__", "/") + ".go"
        files[path] = _source(path.split("/")[-2], text)
    table = secret_leak_table(store_of(tmp_path, files))
    return [(row.get("kind").value, row.get("what").value) for row in table.rows]


def _source(package: str, body: str) -> str:
    body = dedent(body)
    used = [path for name, path in _IMPORTS.items() if f"{name}." in body]
    own = [line.removeprefix("// import ") for line in body.splitlines() if line.startswith("// import ")]
    lines = [f'\tzerolog "{p}"' if "zerolog" in p else f'\t"{p}"' for p in [*used, *own]]
    return f"package {package}\n\nimport (\n" + "\n".join(lines) + f"\n)\n{body}"


@pytest.mark.parametrize(
    "statement",
    [
        "fmt.Println(c.Password)",
        'log.Printf("login %s", c.Password)',
        'fmt.Fprintf(os.Stderr, "%v", c.Password)',
        'slog.Info("start", "password", c.Password)',
        'slog.Info("start", slog.String("p", c.Password))',
        'zap.L().Info("start", zap.String("p", c.Password))',
        'zerolog.Info().Str("p", c.Password).Msg("start")',
        'logrus.WithField("p", c.Password).Info("start")',
        'log.Println("login " + c.Password)',
        "neutral := c.Password; fmt.Println(neutral)",
        'text := fmt.Sprintf("postgres://u:%s@host", c.Password); log.Print(text)',
        "log.Println(strings.TrimSpace(c.Password))",
        "log.Println([]byte(c.Password))",
        'fmt.Printf("%x", c.Password)',
    ],
)
def test_logged(tmp_path: Path, statement: str) -> None:
    found = leaks(tmp_path, f"{CONFIG}func f(c Config) {{ {statement} }}\nfunc main() {{}}")
    assert found == [("logged", "Password")]


@pytest.mark.parametrize(
    "statement",
    [
        'log.Println("JWT_SECRET is required")',
        "log.Println(len(c.Password))",
        'log.Println(c.Password != "")',
        "log.Println(mask(c.Password))",
        "log.Println(c.Password[:2])",
        'log.Printf("%T", c.Password)',
        'log.Printf("%d of %s", len(c.Password), c.Host)',
        "sum := sha256.Sum256([]byte(c.Password)); log.Println(hex.EncodeToString(sum[:]))",
        "log.Println(c.Host)",
        "masked := mask(c.Password); log.Println(masked)",
        "use(c.Password)",
        "s := fmt.Sprint(c.Password); use(s)",
        'fmt.Fprintf(w, "%s", c.Password)',
    ],
)
def test_not_logged(tmp_path: Path, statement: str) -> None:
    body = (
        f'{CONFIG}var w *os.File\nfunc mask(s string) string {{ return s[:2] + "****" }}\nfunc use(s string) '
        f"{{}}\n"
        f"func f(c Config) {{ {statement} }}\nfunc main() {{}}"
    )
    assert leaks(tmp_path, body) == []


class TestStructs:
    @pytest.mark.parametrize(
        "call", ['log.Printf("%+v", c)', "fmt.Println(c)", 'slog.Info("c", "config", c)']
    )
    def test_printing_one_shows_its_fields(self, tmp_path: Path, call: str) -> None:
        found = leaks(tmp_path, f"{CONFIG}func f(c Config) {{ {call} }}\nfunc main() {{}}")
        assert found == [("logged", "Config.Password")]

    def test_nested(self, tmp_path: Path) -> None:
        body = (
            f'{CONFIG}type All struct {{ DB Config }}\nfunc f(a *All) {{ log.Printf("%+v", a) }}\nfunc '
            f"main() {{}}"
        )
        assert leaks(tmp_path, body) == [("logged", "Config.Password")]

    def test_a_type_that_hides_itself(self, tmp_path: Path) -> None:
        body = (
            f'{CONFIG}func (Config) String() string {{ return "****" }}\nfunc f(c Config) '
            f"{{ log.Println(c) }}\nfunc main() {{}}"
        )
        assert leaks(tmp_path, body) == []

    def test_a_field_whose_type_hides_it(self, tmp_path: Path) -> None:
        body = """
            type Secret string
            func (Secret) String() string { return "****" }
            type Config struct { Password Secret }
            func f(c Config) { log.Printf("%v %v", c, c.Password) }
            func main() {}
        """
        assert leaks(tmp_path, body) == []

    def test_without_secret_fields(self, tmp_path: Path) -> None:
        body = (
            "type Config struct { Host, TokenURL string; MaxTokens int }\nfunc f(c Config) { "
            'log.Printf("%+v", c) }\nfunc main() {}'
        )
        assert leaks(tmp_path, body) == []


class TestAcrossFunctions:
    def test_a_dsn_that_a_helper_builds(self, tmp_path: Path) -> None:
        body = CONFIG + dedent("""
            func build(c Config) string { return fmt.Sprintf("postgres://u:%s@%s", c.Password, c.Host) }
            func f(c Config) { address := build(c); log.Println("connecting to", address) }
            func main() {}
        """)
        assert leaks(tmp_path, body) == [("logged", "Password")]

    def test_a_helper_of_another_package_that_logs(self, tmp_path: Path) -> None:
        body = (
            f"// import example.com/app/trace\n{CONFIG}func f(c Config) {{ trace.Note(c.Password) }}\nfunc "
            f"main() {{}}"
        )
        found = leaks(tmp_path, body, trace__trace='func Note(text string) { log.Printf("note: %s", text) }')
        assert found == [("logged", "Password")]

    def test_a_helper_that_does_not(self, tmp_path: Path) -> None:
        body = (
            f"// import example.com/app/trace\n{CONFIG}func f(c Config) {{ trace.Note(c.Password) }}\nfunc "
            f"main() {{}}"
        )
        assert (
            leaks(tmp_path, body, trace__trace='func Note(text string) { log.Printf("%d", len(text)) }') == []
        )

    def test_a_neutral_name_from_the_environment(self, tmp_path: Path) -> None:
        body = 'func main() { k := os.Getenv("JWT_SECRET"); fmt.Println(k) }'
        assert leaks(tmp_path, body) == [("logged", "JWT_SECRET")]


def test_error_texts(tmp_path: Path) -> None:
    body = (
        f'{CONFIG}func f(c Config) error {{ return fmt.Errorf("bad password %q", c.Password) }}\nfunc main() '
        f"{{}}"
    )
    assert leaks(tmp_path, body) == [("error-text", "Password")]


def test_an_error_about_a_secret(tmp_path: Path) -> None:
    body = (
        f'{CONFIG}func f(c Config) error {{ return fmt.Errorf("bad password for %s", c.Host) }}\nfunc main() '
        f"{{}}"
    )
    assert leaks(tmp_path, body) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param('const DefaultPassword = "cadence"', [("hard-coded", "DefaultPassword")], id="constant"),
        pytest.param('var jwtSecret = []byte("correct horse")', [], id="a sentence"),
        pytest.param('var jwtSecret = []byte("s3cr3t-k3y")', [("hard-coded", "jwtSecret")], id="bytes"),
        pytest.param(
            'type c struct { Password string }\nvar d = c{Password: "hunter22"}',
            [("hard-coded", "Password")],
            id="field",
        ),
        pytest.param(
            'func f(b []byte) { hmac.New(sha256.New, []byte("hunter22hunter22")) }',
            [("hard-coded", "key of New")],
            id="mac",
        ),
        pytest.param('const JWTKey = "jwt_key"', [], id="a name"),
        pytest.param('const PasswordEnv = "DB_PASSWORD"', [], id="a variable's name"),
        pytest.param('const passwordFile = "/run/secrets/password"', [], id="a path"),
        pytest.param('const secretHeader = "X-Secret"', [], id="a header"),
        pytest.param('const TokenStandard = "ERC721"', [], id="a standard"),
        pytest.param('var password = ""', [], id="nothing"),
    ],
)
def test_hard_coded(tmp_path: Path, body: str, expected: list[tuple[str, str]]) -> None:
    assert leaks(tmp_path, f"{body}\nfunc main() {{}}") == expected


class TestWeakDefaults:
    GET = 'func get(k, d string) string { if v := os.Getenv(k); v != "" { return v }; return d }\n'

    @pytest.mark.parametrize(
        ("call", "expected"),
        [
            ('get("JWT_SECRET", "default-secret")', [("weak-default", "JWT_SECRET")]),
            ('get("POSTGRES_PASSWORD", "postgres")', [("weak-default", "POSTGRES_PASSWORD")]),
            ('get("JWT_SECRET", "")', []),
            ('get("JWT_SECRET_FILE", "/run/secrets/jwt")', []),
            ('get("PORT", "postgres")', []),
        ],
    )
    def test_of_a_wrapper(self, tmp_path: Path, call: str, expected: list[tuple[str, str]]) -> None:
        assert (
            leaks(tmp_path, f"{self.GET}func main() {{ use({call}) }}\nfunc use(s string) {{}}") == expected
        )


class TestTokens:
    def test_of_a_chain(self, tmp_path: Path) -> None:
        body = (
            '// an NFT\nfunc f(token string, tokenID string) { log.Println("minted", token, tokenID) }\nfunc '
            "main() {}"
        )
        assert leaks(tmp_path, body) == []

    def test_of_a_session(self, tmp_path: Path) -> None:
        body = 'func f(accessToken string) { log.Println("session", accessToken) }\nfunc main() {}'
        assert leaks(tmp_path, body) == [("logged", "accessToken")]


def test_test_files_are_left_out(tmp_path: Path) -> None:
    files = {
        "go.mod": "module example.com/app\n",
        "main.go": "package main\n\nfunc main() {}\n",
        "main_test.go": 'package main\n\nconst password = "hunter22"\n',
        "testdata/x.go": 'package x\n\nconst password = "hunter22"\n',
    }
    assert secret_leak_table(store_of(tmp_path, files)).rows == ()


@pytest.mark.parametrize(
    "body",
    [
        'func f(dsn string) { safeDSN, err := hide(dsn); log.Println(safeDSN, err) }\nfunc hide(dsn string) (string, error) { if strings.Contains(dsn, "@") { mask := "u:***@"; out := strings.Replace(dsn, dsn[3:9], mask, 1); return out, nil }; return dsn, nil }',
        'func f(password, text string) { log.Println(strings.ReplaceAll("login "+password, password, "[redacted]")) }',
        "func f(sanitizedDSN string) { log.Println(sanitizedDSN) }",
        'type settings interface { GetString(string) string }\nfunc f(s settings) { privateKeyFile := s.GetString("api.tls.privateKey"); log.Println(privateKeyFile) }',
        "func f(o struct { SigningKeyFilename string }) { log.Println(o.SigningKeyFilename) }",
        'func f(o struct { TokenBehavior string }) error { return fmt.Errorf("no such behavior: %s", o.TokenBehavior) }',
        'func f(data map[string]string, secretName, secretKey string) error { if _, ok := data[secretKey]; !ok { return fmt.Errorf("no key %q in secret %q", secretKey, secretName) }; return nil }',
        'const KeyAppTokenSecret = "example.io/app-token-secret"',
        'const defaultPrivateKeyFilename = "onion_private_key_3f9a1b"',
        'const tokenSecretAnnotation = "ops.example.com/token-2"',
    ],
)
def test_what_stands_around_a_secret_is_none(tmp_path: Path, body: str) -> None:
    assert leaks(tmp_path, f"{body}\nfunc main() {{}}") == []


@pytest.mark.parametrize(
    "body",
    [
        'func f(dsn, token string) { log.Println(hide(dsn, token)) }\nfunc hide(dsn, token string) string { return strings.Replace(dsn, "a", "***", 1) + token }',
        'func f(password string) { log.Println(strings.ReplaceAll(password, "a", "b")) }',
        "func f(secretKey string) { log.Println(secretKey) }",
        'const appSecret = "example.io/9dj2Ks81"',
    ],
)
def test_what_hides_only_a_part_hides_nothing(tmp_path: Path, body: str) -> None:
    assert len(leaks(tmp_path, f"{body}\nfunc main() {{}}")) == 1


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("json.NewEncoder(w).Encode(u)", ["User.Password"]),
        ("json.NewEncoder(w).Encode(list)", ["User.Password"]),
        ("enc := json.NewEncoder(w); enc.Encode(u)", ["User.Password"]),
        ('json.NewEncoder(w).Encode(map[string]any{"user": u})', ["User.Password"]),
        ("json.NewEncoder(w).Encode(safe)", []),
        ("json.NewEncoder(w).Encode(Login{Token: u.Name})", []),
        ('u.Password = ""; json.NewEncoder(w).Encode(u)', []),
        ("json.NewEncoder(file).Encode(u)", []),
    ],
)
def test_answers_in_json(tmp_path: Path, statement: str, expected: list[str]) -> None:
    body = f"""\
// import encoding/json
// import net/http
type User struct {{ Name, Password string }}
type Safe struct {{ Password string `json:"-"` }}
type Login struct {{ Token string }}
func f(w http.ResponseWriter, u User, list []User, safe Safe, file *os.File) {{ {statement} }}
func main() {{ f(nil, User{{}}, nil, Safe{{}}, nil) }}
"""
    assert [what for _, what in leaks(tmp_path, body)] == expected


@pytest.mark.parametrize(("field", "expected"), [("SecretName", []), ("Value", ["failedSecrets"])])
def test_a_list_holds_what_is_put_into_it(tmp_path: Path, field: str, expected: list[str]) -> None:
    body = f"""\
type Ref struct {{ SecretName, Value string }}
func f(refs []Ref) {{
    var failedSecrets []string
    for _, ref := range refs {{
        failedSecrets = append(failedSecrets, ref.{field})
    }}
    log.Println(strings.Join(failedSecrets, ", "))
}}
func main() {{ f(nil) }}
"""
    assert [what for _, what in leaks(tmp_path, body)] == expected
