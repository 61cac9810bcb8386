"""Certificate scripts: roles, files and modes."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of, values

from zuno_audit.facts.certificates import certificate_script_table, private_key_table

SCRIPT = """\
#!/bin/bash
set -e
DIR="$(dirname "$0")"
make_cert() {
    local name=$1
    local role=$2
    openssl genpkey -algorithm RSA -out "$DIR/$name.key"
    if [ "$role" == "ca" ]; then
        openssl req -new -x509 -key "$DIR/$name.key" -out "$DIR/$name.crt" -subj "/CN=A B"
    else
        openssl req -new -key "$DIR/$name.key" -out "$DIR/$name.csr" -subj "/CN=$name"
        if [ "$role" == "server" ]; then
            cat > "$DIR/$name.ext" <<EOT
subjectAltName = DNS:$name
extendedKeyUsage = serverAuth
EOT
        else
            echo "extendedKeyUsage = clientAuth" > "$DIR/$name.ext"
        fi
        openssl x509 -req -in "$DIR/$name.csr" -CA "$DIR/ca.crt" -CAkey "$DIR/ca.key" \\
            -CAcreateserial -out "$DIR/$name.crt" -extfile "$DIR/$name.ext"
        rm -f "$DIR/$name.csr"
    fi
    chmod 400 "$DIR/$name.key"
    chmod 444 "$DIR/$name.crt"
}
make_cert "ca" ca
services=(
    "auth:50051"   # the port is not part of the name
    "user:50052"
)
for s in "${services[@]}"; do
    make_cert "${s%%:*}" server
done
make_cert "gateway-client" client
# end
"""
ROLES = ("ca", "server", "client", "key_mode", "certificate_mode")


def script(tmp_path: Path, text: str, name: str = "certs/make.sh") -> tuple[object, ...]:
    (row,) = certificate_script_table(store_of(tmp_path, {name: text})).rows
    return tuple(row.get(role).value for role in ROLES)


def test_a_script_is_followed_through_functions_and_loops(tmp_path: Path) -> None:
    (row,) = certificate_script_table(store_of(tmp_path, {"certs/make.sh": SCRIPT})).rows
    assert values(row, *ROLES) == ("yes",) * 5
    stems = ("auth", "ca", "gateway-client", "user")
    assert row.get("files").value == tuple(f"{stem}.{end}" for stem in stems for end in ("crt", "key"))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('make_cert "gateway-client" client', "", ("yes", "yes", "no", "yes", "yes")),
        ("clientAuth", "serverAuth", ("yes", "yes", "no", "yes", "yes")),
        ("for s in", "exit 0\nfor s in", ("yes", "no", "no", "yes", "yes")),
        ('"${services[@]}"', "", ("yes", "no", "yes", "yes", "yes")),
        ("chmod 400", "chmod 644", ("yes", "yes", "yes", "no", "yes")),
        ("chmod 400", "chmod u=r,go=", ("yes", "yes", "yes", "yes", "yes")),
        ('    chmod 400 "$DIR/$name.key"\n', "", ("yes", "yes", "yes", "no", "yes")),
        ("chmod 444", "chmod 666", ("yes", "yes", "yes", "yes", "no")),
        ("# end", 'chmod -R a+r "$DIR"', ("yes", "yes", "yes", "no", "yes")),
        ("# end", 'chmod -R u+w "$DIR"', ("yes", "yes", "yes", "yes", "yes")),
        ("# end", "find \"$DIR\" -name '*.key' -exec chmod 0640 {} +", ("yes", "yes", "yes", "no", "yes")),
        ("# end", "find \"$DIR\" -name '*.crt' | xargs chmod 0664", ("yes", "yes", "yes", "yes", "no")),
        ('rm -f "$DIR/$name.csr"', 'rm -f "$DIR/$name.key"', ("yes", "no", "no", "yes", "yes")),
        ('make_cert "ca" ca\n', "", ("no", "yes", "yes", "yes", "yes")),
    ],
)
def test_what_is_missing_is_seen(tmp_path: Path, old: str, new: str, expected: tuple[str, ...]) -> None:
    assert old in SCRIPT
    assert script(tmp_path, SCRIPT.replace(old, new)) == expected


def test_a_pattern_sets_the_modes_at_the_end(tmp_path: Path) -> None:
    text = "cd certs\nopenssl req -x509 -newkey rsa:4096 -nodes -keyout ca.key -out ca.crt\nchmod 400 *.key\n"
    assert script(tmp_path, text) == ("yes", "no", "no", "yes", "yes")


def test_a_powershell_script_is_searched(tmp_path: Path) -> None:
    text = (
        "function Make { openssl req -new -x509; $e = 'extendedKeyUsage = serverAuth'; $f = 'clientAuth' }\n"
        "Make -Name ca -Type \"ca\"\nMake -Name a -Type 'server'\n# Make -Name b -Type client\n"
    )
    assert script(tmp_path, text, "certs/make.ps1")[:3] == ("yes", "yes", "no")


def test_a_script_without_certificates_is_no_row(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"a.sh": "echo openssl req x509\n", "b.sh": "while true; do :; done\n"})
    assert certificate_script_table(store).rows == ()


def test_private_keys_are_found_and_never_shown(tmp_path: Path) -> None:
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ"
    pem = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
    files = {"certs/ca.key": pem, "test/x.pem": pem, "certs/ca.crt": "-----BEGIN CERTIFICATE-----\n"}
    table = private_key_table(store_of(tmp_path, files))
    assert [(r.location.path, *values(r, "kind", "tracked")) for r in table.rows] == [
        ("certs/ca.key", "code", "yes"),
        ("test/x.pem", "test", "yes"),
    ]
    assert body not in repr(table)
