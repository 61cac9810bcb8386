"""Real-looking secrets are found, placeholders and development defaults are not, and no value gets out.

The secrets are put together from pieces while the tests run, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from trees import column, store_of, values

from zuno_audit.facts.secret_values import names_a_secret, real_kind
from zuno_audit.facts.secrets import secret_in_file

PUBLIC = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # of every local chain
HEX = "9f86d081884c7d65" + "9a2feaa0c55ad015" + "a3bf4f1b2b0b822c" + "d15d6c15b0f00a08"
BASE64 = "k7Qx2vN9" + "pL4sT8wZ" + "1yB6mC3r" + "F5hJ0dGa"
PASSWORD = "Vx7#" + "kQ2!mZp"
AWS = "AKIA" + "J5Q7ZXW2" + "N4PLM3RT"
GITHUB = "ghp" + "_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
STRIPE = "sk" + "_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
JWT = (
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJ1c2VyIjoiYWRtaW4iLCJuIjo3fQ" + ".dBjftJeZ4CVPmB92K27uhbUJU1p1rwW1gFWFOEjXk"
)
PEM = (
    "-----BEGIN RSA "
    + "PRIVATE KEY-----\n"
    + "MIIEowIBAAKCAQEA" * 4
    + "\n-----END RSA "
    + "PRIVATE KEY-----\n"
)
ENCODED = base64.b64encode(BASE64.encode()).decode()


def found(tmp_path: Path, path: str, text: str) -> list[object]:
    table = secret_in_file(store_of(tmp_path, {path: text}))
    assert path in table.files or table.rows
    return column(table, "counts")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".env.example", f"JWT_SECRET={HEX}\n"),
        (".env.example", f'export REFRESH_SECRET="{BASE64}"\n'),
        (".env.production", f"POSTGRES_PASSWORD={PASSWORD}\n"),
        ("config.yaml", f"auth:\n  jwt_secret: {BASE64}\n"),
        ("config.yaml", f"jwtSecret: '{BASE64}'\n"),
        ("config.json", f'{{"api": {{"apiKey": "{BASE64}"}}}}\n'),
        ("config.toml", f'private_key = "0x{HEX}"\n'),
        ("deploy.sh", f"export API_TOKEN={BASE64}\n"),
        ("Dockerfile", f"FROM a\nENV API_SECRET {BASE64}\n"),
        ("Dockerfile", f"FROM a\nARG API_SECRET={BASE64}\n"),
        ("docker-compose.yml", f"services:\n  a:\n    environment:\n      - DB_PASSWORD={PASSWORD}\n"),
        ("docker-compose.yml", f"services:\n  a:\n    command: redis-server --requirepass {PASSWORD}\n"),
        ("docker-compose.yml", f"services:\n  a:\n    environment:\n      DB_PASSWORD: '{PASSWORD}'\n"),
        ("k8s.yaml", f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ndata: {{JWT: {ENCODED}}}\n"),
        (
            "k8s.yaml",
            "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: a\n    env:\n"
            f"    - name: JWT_SECRET\n      value: {BASE64}\n",
        ),
        ("main.go", f'package a\n\nconst jwtSecret = "{BASE64}"\n'),
        ("main.go", f'package a\n\nvar key = Config{{JWTKey: []byte("{BASE64}")}}\n'),
        ("main.go", f'package a\n\nvar key = env("JWT_SECRET", "{BASE64}")\n'),
        ("README.md", f"Use the token `{GITHUB}`.\n"),
        ("a_test.go", f'package a\n\nvar x = "{STRIPE}"\n'),
        ("notes.txt", f"{AWS}\n"),
        ("notes.txt", f"Authorization: Bearer {JWT}\n"),
        ("server.key", PEM),
        ("main.go", 'package a\n\nvar k = "' + PEM.replace("\n", "\\n") + '"\n'),
        (".env.example", f"MONGO_URI=mongodb://admin:{PASSWORD}@mongo:27017\n"),
        (".env.example", "DATABASE_URL=postgres://shop:winterberry@db.shop-prod.com/shop\n"),
        (".env.example", f"ETH_RPC=https://mainnet.infura.io/v3/{HEX[:32]}\n"),
        (".env.example", f"SENTRY_DSN=https://{HEX[:32]}@o4501.ingest.sentry.io/450\n"),
        ("tests/e2e/.env", f"JWT_SECRET={HEX}\n"),
        ("a.p12", "x"),
        ("users.sql", f"CREATE ROLE app LOGIN PASSWORD '{BASE64[:24]}';\n"),
        (
            ".env.example",
            'MNEMONIC="crystal oval banner fiscal kidney wolf ranch silver lucky index wealth vapor"\n',
        ),
        ("main.go", f'package a\n\nconst signingKey = "{HEX}"\n'),
        (".env.example", f"jwtEncryptionKey={HEX}\n"),
    ],
)
def test_real_secrets_count(tmp_path: Path, path: str, text: str) -> None:
    assert found(tmp_path, path, text) == ["yes"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".env.example", "JWT_SECRET=your-jwt-secret-change-in-production\n"),
        (
            ".env.example",
            "JWT_SECRET=<generate-with-openssl-rand-hex-32>\nAPI_KEY=\nTOKEN=xxxxxxxxxxxxxxxx\n",
        ),
        (".env.example", "POSTGRES_PASSWORD=postgres\nRABBITMQ_PASSWORD=guest\nROOT_PASSWORD=password123\n"),
        ("users.sql", "CREATE ROLE app LOGIN PASSWORD 'change-me';\nALTER ROLE a PASSWORD NULL;\n"),
        (".env.example", 'MNEMONIC="test test test test test test test test test test test junk"\n'),
        (".env.example", 'MNEMONIC="put your twelve words of the wallet here please and keep them"\n'),
        (".env.example", "JWT_SECRET=test_jwt_secret_for_qa_only_min_32_chars\n"),
        (
            ".env.example",
            "LONG_SECRET=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
            f"ANVIL_PRIVATE_KEY=0x{PUBLIC}\n"
            "SECRET=0123456789abcdef0123456789abcdef\nKEY_SECRET=deadbeefdeadbeefdeadbeefdeadbeef\n",
        ),
        (".env.example", "ETH_RPC=https://sepolia.infura.io/v3/your-infura-key\nDSN_TOKEN=changeme-1234\n"),
        (
            ".env.example",
            "URL=postgres://postgres:postgres@localhost:5432/a\nB=amqp://guest:guest@rabbitmq:5672\n",
        ),
        (
            "docker-compose.yml",
            "services:\n  a:\n    environment:\n      - DB_PASSWORD=${DB_PASSWORD:-postgres}\n",
        ),
        ("ci.yml", "env:\n  TOKEN: ${{ secrets.GITHUB_TOKEN }}\n  password: $(cat /run/secrets/password)\n"),
        ("a.yaml", "secretName: api-tls-2024-prod-a1b2\npassword_file: /run/secrets/db_password_1\n"),
        ("a.json", f'{{"tokenAddress": "0x{HEX[:40]}", "tokenHash": "{HEX}", "sha256": "{HEX}"}}\n'),
        (
            "main.go",
            'package a\n\nvar token = trim(h, "Bearer ")\nvar p = flag.String("password", "", "x")\n',
        ),
        ("main.go", 'package a\n\nconst tokenURL = "https://example.com/oauth2/v4/token"\n'),
        ("main.go", 'package a\n\nvar secret = os.Getenv("JWT_SECRET")\n'),
        ("go.sum", f"example.com/secret v1 h1:{BASE64}=\n"),
        (
            "k8s.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {P: "
            + base64.b64encode(b"postgres").decode()
            + "}\n",
        ),
        ("tls.yaml", "key: |\n  -----BEGIN " + "PRIVATE KEY-----\n  # ... content ...\n  -----END\n"),
        ("docs.md", "Send `Authorization: Bearer eyJhbGciOiJIUzI1NiJ9...`\n"),
        ("docs.md", "| `TestWalletPrivateKeyIsolation` | 2 tests |\nPassword: at least 12 characters\n"),
        ("vendor/x/a.go", f'package a\n\nconst secret = "{BASE64}"\n'),
    ],
)
def test_what_is_no_secret(tmp_path: Path, path: str, text: str) -> None:
    files = {path: text, "README.md": "about\n"} if path != "README.md" else {path: text}
    table = secret_in_file(store_of(tmp_path, files))
    assert [values(row, "path", "line", "name") for row in table.rows] == []
    assert table.files


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("testdata/server.key", PEM),
        ("a_test.go", f'package a\n\nvar refreshToken = "{BASE64}"\n'),
        ("test/config.json", f'{{"apiToken": "{HEX[:40]}"}}\n'),
        ("conf/dummy_ca.key", PEM),
    ],
)
def test_what_was_made_up_for_tests_does_not_count(tmp_path: Path, path: str, text: str) -> None:
    assert found(tmp_path, path, text) == ["no"]


def test_untracked_files_are_not_searched(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"README.md": "a\n"}, {"notes.env": f"JWT_SECRET={HEX}\n"})
    assert secret_in_file(store).rows == ()


def test_no_value_in_the_table_and_the_place_is_the_value(tmp_path: Path) -> None:
    table = secret_in_file(store_of(tmp_path, {".env": f"A=1\nJWT_SECRET={HEX}\n"}))
    (row,) = table.rows
    assert values(row, "name", "kind", "length") == ("JWT_SECRET", "random value", 64)
    assert (row.location.span.start_line, row.location.span.start_column) == (2, 12)
    assert HEX not in repr(table)


def test_a_file_that_is_too_large_is_a_problem_and_not_passed_over(tmp_path: Path) -> None:
    table = secret_in_file(store_of(tmp_path, {"big.json": "x" * (1024 * 1024 + 1)}))
    assert [problem.path for problem in table.problems] == ["big.json"]


@pytest.mark.parametrize(
    "name",
    [
        *("JWT_SECRET", "dbPassword", "apiKey", "PINATA_JWT_KEY", "privateKey", "accessToken"),
        *("NFT_API_KEY", "nftSecret", "ERC20_DEPLOYER_PRIVATE_KEY", "NEXT_PUBLIC_API_TOKEN", "INPUT_TOKEN"),
        *("PAGE_ACCESS_TOKEN", "K3S_CLUSTER_TOKEN", "cluster-token", "initial-admin-token", "BOT_TOKEN"),
        *(
            "NODE_TOKEN",
            "rateLimitAdminToken",
            "GITHUB_TOKEN",
            "SYNC_TOKEN",
            "vault_root_token",
            "csrf_token",
        ),
        *("refresh_token", "SLACK_TOKEN", "join-token", "telegramBotToken"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert names_a_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("tokenId", "token_address", "SECRET_NAME", "passwordFile", "publicKey", "TokenURI", "primary_key"),
        *("initial-cluster-token", "ETCD_INITIAL_CLUSTER_TOKEN", "InitialClusterToken", "nft_token_id"),
        *(
            "nextPageToken",
            "page_token",
            "continuationToken",
            "cancellationToken",
            "cancel_token",
            "maxTokens",
        ),
        *("max_token", "token_count", "num_token", "TOKEN_LIMIT", "prompt_token", "eos_token", "lexerToken"),
        *(
            "fencing_token",
            "gas_token",
            "native_token",
            "erc20_token",
            "idempotency_token",
            "tokenBucketSize",
        ),
        *("rate_limit_token", "resume_token", "reward_token", "NFT_TOKEN"),
    ],
)
def test_names_that_only_speak_of_secrets(name: str) -> None:
    assert not names_a_secret(name)


def test_uuids_count_and_the_nil_uuid_does_not() -> None:
    assert real_kind("3f2b8c1e-" + "9a7d-4e6f-b1c2-d3e4f5a6b7c8") == "random value"
    assert real_kind("00000000-0000-0000-0000-000000000000") is None


@pytest.mark.parametrize(
    "value",
    [
        "Summer-change" + "-2024!xK9",
        "myexample" + "7Tq2pass",
        "prod-not-test" + "-9xK!7",
        "Zk4!default" + "9Qw",
        "example-" + HEX[:40],
        "change-" + "x7k2m9q4",
        "Tr0ub4dor" + "(9)xQ",
        "!Qx7mz" + "92Kp",
        base64.b64encode(b"hunter2isMy" + b"Pass!9").decode(),
    ],
)
def test_a_password_with_a_word_of_placeholders_in_it_is_one(value: str) -> None:
    assert real_kind(value) is not None


@pytest.mark.parametrize(
    "value",
    [
        "your-super-secret-jwt-key-change-in-production",
        "local-dev-jwt-secret-change-me-32bytes-min!!",
        "ThisIsAnExampleJWT256Key4You2Change32Chars",
        "your-api-key-abc123XYZ",
        "your-key-a1b2c3d4e5f6",
        base64.b64encode(b"change-me-in-production").decode(),
        "a1b2c3d4e5f6g7h8i9j0",
        "YourStrong!Passw0rd",
        "S3cr3tP@ssw0rd",
        "Ch4ngeM3!",
        "Zuno-Dev-2024!",
        "v3_onion_private_key",
        "dapr.io/disable-builtin-k8s-secret-store",
        "oauth2-demo-Secret1",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        "os.getenv(",
        "!vault",
        "*alias1",
    ],
)
def test_a_value_that_says_as_a_whole_that_it_is_a_placeholder_is_none(value: str) -> None:
    assert real_kind(value) is None
