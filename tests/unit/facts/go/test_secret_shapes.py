"""Ways to give a secret away, and near misses: what the inventory says of each program.

Labels stand at the end of a line, several with `; ` between them:

    // leak logged          a secret is given away here; `leak *`: the kind does not matter
    // maybe leak logged    either answer is right
    // env NAME true        whether the program refuses to start without a variable; `null` is not known
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from shapes import shapes
from trees import write_tree

from zuno_audit import inventory

SHAPES = shapes(Path(__file__).parent / "shapes" / "secrets.txtar")
LABEL = re.compile(r"// ((?:maybe )?leak|env) (.*)$")
REQUIRED = {True: "true", False: "false", None: "null"}
# written so that nobody takes this file for a secret
KEY = "-----BEGIN EC PRIVATE" + " KEY-----\\n" + "MHcCAQEEIOw0Z0xk5T9yVd2rWw4wq4Jv1kq0JtG1l1qk2l3m4n5o" * 2
AWS = "wJalrXUtnFEMIK7" + "MDENGbPxRfiCYzKq93jf02jfa"


def labels(files: dict[str, str]) -> dict[tuple[str, int], list[tuple[str, str]]]:
    found: dict[tuple[str, int], list[tuple[str, str]]] = {}
    for path, text in files.items():
        for number, line in enumerate(text.split("\n"), 1):
            if mark := LABEL.search(line):
                for label in mark.group(0).removeprefix("// ").split("; "):
                    kind, _, rest = label.replace("maybe leak", "maybe", 1).partition(" ")
                    found.setdefault((path, number), []).append((kind, rest))
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_secrets(tmp_path: Path, name: str) -> None:
    files = SHAPES[name]
    write_tree(tmp_path, files)
    said = inventory(tmp_path)
    leaks: dict[tuple[str, int], list[str]] = {}
    for row in said["secret_leaks"]:
        leaks.setdefault((row["path"], row["line"]), []).append(row["kind"])
    required = {row["name"]: REQUIRED[row["required"]] for row in said["env_vars"]}
    for place, wanted in labels(files).items():
        for kind, rest in wanted:
            if kind == "env":
                variable, answers = rest.split()
                assert required[variable] in answers.split("|"), place
            elif kind == "maybe":
                leaks.pop(place, None)
            else:
                found = leaks.pop(place, [])
                assert found == [rest if rest != "*" else found[0] if found else ""], place
    assert not leaks


@pytest.mark.parametrize(
    ("imports", "code", "what"),
    [
        ("encoding/pem", f'pem.Decode([]byte("{KEY}"))', "private key"),
        (
            "github.com/aws/aws-sdk-go-v2/credentials",
            f'println(credentials.NewStaticCredentialsProvider("x", "{AWS}", ""))',
            "key of NewStaticCredentialsProvider",
        ),
    ],
)
def test_keys_in_the_code(tmp_path: Path, imports: str, code: str, what: str) -> None:
    write_tree(
        tmp_path,
        {
            "go.mod": "module example.com/x\n\ngo 1.22\n",
            "main.go": f'package main\n\nimport "{imports}"\n\nfunc main() {{\n\t{code}\n}}\n',
        },
    )
    rows = inventory(tmp_path)["secret_leaks"]
    assert [(row["kind"], row["what"], row["line"]) for row in rows] == [("hard-coded", what, 6)]
