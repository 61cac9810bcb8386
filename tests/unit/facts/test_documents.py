"""Documents: what operations need, lists of tasks, statements of readiness, what a README points to."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import column, store_of, values

from zuno_audit.facts.operations_documents import operations_document, recovery_objective
from zuno_audit.facts.readme import deployment_instruction, document_reference
from zuno_audit.facts.task_documents import readiness_statement, task_document
from zuno_audit.model.entity import Entity

STEPS = "1. Look at the logs of the service\n2. Restart the service with care\n3. Tell the on-duty engineer\n"


def usable(root: Path, files: dict[str, str]) -> dict[object, object]:
    rows = operations_document(store_of(root, files)).rows
    return {row.get("topic").value: row.get("usable").value for row in rows}


@pytest.mark.parametrize(
    ("path", "heading", "topic"),
    [
        ("docs/runbooks/auth.md", "# Auth is down", "runbook"),
        ("docs/ops.md", "# Ops\n## Play-book for outages", "runbook"),
        ("docs/oncall.md", "# Who answers", "on-call"),
        ("docs/ops.md", "# Ops\n## Incident Response Plan", "incident-response"),
        ("docs/ops.md", "# Ops\n## How we handle incidents: response times", "incident-response"),
        ("docs/ops.md", "# Ops\n## Backup & retention policy", "backup"),
        ("docs/ops.md", "# Ops\n## 🔄 ROLLBACK PLAN", "rollback"),
        ("docs/sla.md", "# What we promise", "service-levels"),
        ("docs/ops.md", "# Ops\n\nService levels\n--------------", "service-levels"),
    ],
)
def test_documents_are_found_by_heading_or_name(path: str, heading: str, topic: str, tmp_path: Path) -> None:
    assert usable(tmp_path, {path: f"{heading}\n{STEPS}"}) == {topic: "yes"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docs/a.md", "# Ops\n## Rollback plan\n"),
        ("docs/a.md", "# Ops\n## Rollback plan\nTBD\n"),
        (
            "docs/a.md",
            "# Ops\n## Rollback plan\n- [ ] Write the plan down\n- [ ] Test it twice a year\n",
        ),
        ("docs/a.md", f"# Ops\n## Rollback procedure validation\n{STEPS}"),
        ("docs/a.md", f"# Ops\n### Story 3.4: Rollback procedures\n{STEPS}"),
        ("docs/a.md", f"# Ops\n## Task 13: Deployment\n### Rollback\n{STEPS}"),
        ("docs/stories/a.md", f"# Ops\n## Rollback plan\n{STEPS}"),
        ("docs/a.md", f"# Product requirements\n## Rollback plan\n{STEPS}"),
        ("docs/a.md", "# Ops\n## Rollback plan\n- [Name]\n- [Phone] - [Email]\n- <to do>\n"),
        (".tool/rollback.md", f"# Rollback plan\n{STEPS}"),
    ],
)
def test_wishes_stubs_and_plans_do_not_count(path: str, text: str, tmp_path: Path) -> None:
    assert usable(tmp_path, {path: text}).get("rollback", "no") == "no"


def test_the_open_steps_of_a_runbook_are_steps(tmp_path: Path) -> None:
    steps = STEPS.replace("1. ", "- [ ] ").replace("2. ", "- [ ] ").replace("3. ", "- [ ] ")
    assert usable(tmp_path, {"docs/runbooks/auth.md": f"# Auth is down\n{steps}"}) == {"runbook": "yes"}


def test_a_file_that_cannot_be_read_as_text_leaves_it_open(tmp_path: Path) -> None:
    assert usable(tmp_path, {"docs/runbook.pdf": "%PDF"}) == {"runbook": "unknown"}


def test_untracked_documents_are_not_there(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"go.mod": ""}, untracked={"docs/runbook.md": f"# Runbook\n{STEPS}"})
    assert operations_document(store).rows == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RTO: 4 hours, RPO: 15 minutes", [("RTO", "4 hours", "yes"), ("RPO", "15 minutes", "yes")]),
        ("| Recovery time objective | **1 h** |", [("RTO", "1 h", "yes")]),
        (
            "| Store | RTO | RPO |\n|---|---|---|\n| Redis | 1 h | TBD |",
            [("RTO", "1 h", "yes")],
        ),
        ("| Store | RTO |\n|---|---|\n| Redis | TBD |", []),
        ("- [ ] RTO < 4 hours", [("RTO", "4 hours", "unknown")]),
        ("Recovery objectives (RTO and RPO) validated", []),
        ("the PORTO of 3 days", []),
    ],
)
def test_recovery_objectives_need_a_value(text: str, expected: list[object], tmp_path: Path) -> None:
    table = recovery_objective(store_of(tmp_path, {"docs/dr.md": f"# Recovery\n\n{text}\n"}))
    assert [values(row, "objective", "value", "decided") for row in table.rows] == expected


def tasks(root: Path, text: str, name: str = "TASKS.md") -> tuple[object, ...]:
    return values(task_document(store_of(root, {name: text})).rows[0], "name", "tasks", "done", "open")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Tasks\n- [x] a\n- [X] b\n- [ ] c\n", (3, 2, 1)),
        ("# Tasks\n### Task 1: a ✅\n- [x] b\n### Task 2: c\n- [x] d\n", (2, 2, 0)),
        ("# Tasks\n### Task 1: a ✅\n- [ ] b\n### Task 2: c\n", (2, 0, 2)),
        ("# Tasks\n## Issue #1: a\n**Status:** Resolved\n## Issue #2: b\nStatus: not resolved\n", (2, 1, 1)),
        ("# Tasks\n| n | task | state |\n|--|--|--|\n| 1 | a | ✅ done |\n| 2 | b | open |\n", (2, 1, 1)),
    ],
)
def test_tasks_are_counted(text: str, expected: tuple[int, ...], tmp_path: Path) -> None:
    assert tasks(tmp_path, text) == ("tasks", *expected)


@pytest.mark.parametrize(
    ("status", "undone"),
    [("Resolved", 0), ("Reopened", 1), ("Under review", 1), ("", 1), ("Not resolved", 1)],
)
def test_a_row_that_nothing_marks_as_done_is_open(status: str, undone: int, tmp_path: Path) -> None:
    table = f"| Issue | Status |\n|---|---|\n| Leak | Resolved |\n| Panic | {status} |\n"
    text = f"# Fixes\n\n{table}\n| A | B |\n|---|---|\n| c | d |\n"
    (row,) = task_document(store_of(tmp_path, {"FIXES.md": text})).rows
    assert values(row, "tasks", "open") == (2, undone)


def test_the_name_of_a_list_is_spelled_one_way(tmp_path: Path) -> None:
    assert tasks(tmp_path, "# x\n- [x] a\n", "docs/CRITICAL_FIXES.md")[0] == "critical-fixes"


def readiness(root: Path, text: str) -> Entity:
    return readiness_statement(store_of(root, {"CLAUDE.md": text})).rows[0]


@pytest.mark.parametrize(
    ("text", "states", "full"),
    [
        ("## Production readiness\n- Version 1.0 (Production Ready) ✅\n- Security: 100/100\n", "yes", "yes"),
        ("## Production readiness\n- Security: 100/100\n- Reliability: 100%\n", "yes", "yes"),
        ("**Status**: ready for production\n", "yes", "no"),
        ("## Readiness\n- Production Ready\n- Security: 85/100, with rate limits\n", "no", "no"),
        ("## Readiness\n- Not Production Ready\n- Security: 100/100\n", "no", "yes"),
        ("## Production readiness: 90%\n- Production Ready\n", "no", "no"),
        ("## Production readiness\n- [ ] Production ready\n", "no", "no"),
        ("This is a production-ready, fast system.\n", "no", "no"),
        ("Production readiness: not 100 % yet\n", "no", "yes"),
        ("Production readiness goal: 100% by Q3\n", "no", "yes"),
        ("Production readiness: 100% (target reached)\n", "yes", "yes"),
        ("## Production readiness\n- Production ready\n- Cache hit rate: > 80%\n", "yes", "no"),
    ],
)
def test_readiness_is_a_status_and_not_praise(text: str, states: str, full: str, tmp_path: Path) -> None:
    assert values(readiness(tmp_path, f"# Guide\n{text}"), "states_ready", "full_score") == (states, full)


README = """\
# X
Needs Go %s. [ok](docs/a.md) [root](/docs/) [anchor](#x) [web](https://example.org) [slot]({path})
```bash
git clone https://example.org/x && cd x
cp .env.example .env
docker compose -f compose.yml up -d
cd services/a && go run ./cmd
make build
./run.sh
curl http://localhost:8080/health
go test ./...
psql db < db/up.sql
kubectl apply -f $DIR/x.yaml
```
"""
MAIN = """package main

import "net/http"

func main() {
	http.HandleFunc("/health", h)
	http.ListenAndServe(":8080", nil)
}

func h(w http.ResponseWriter, r *http.Request) {}
"""
TREE = {
    "go.mod": "module m\n\ngo 1.22.3\n",
    "docs/a.md": "# A\n",
    ".env.example": "",
    "compose.yml": "services: {a: {image: x}}\n",
    "services/a/cmd/main.go": MAIN,
    "Makefile": "build: deps\n\tgo build ./...\n",
    "run.sh": "",
    "db/up.sql": "",
}


def dead(root: Path, readme: str, tree: dict[str, str]) -> list[object]:
    rows = document_reference(store_of(root, {**tree, "README.md": readme})).rows
    return [values(row, "kind", "target") for row in rows if row.get("resolves").value == "no"]


def test_a_readme_whose_references_all_resolve(tmp_path: Path) -> None:
    readme = README % "1.22+"
    assert dead(tmp_path, readme, TREE) == []
    assert len(document_reference(store_of(tmp_path, {**TREE, "README.md": readme})).rows) >= 11


@pytest.mark.parametrize(
    ("gone", "expected"),
    [
        ("docs/a.md", [("link", "docs/a.md"), ("link", "/docs/")]),
        (".env.example", [("path", ".env.example")]),
        ("compose.yml", [("path", "compose.yml")]),
        ("Makefile", [("make-target", "build")]),
        ("run.sh", [("path", "./run.sh")]),
        ("db/up.sql", [("path", "db/up.sql")]),
    ],
)
def test_what_is_gone_is_a_dead_reference(gone: str, expected: list[object], tmp_path: Path) -> None:
    tree = {path: text for path, text in TREE.items() if path != gone}
    assert dead(tmp_path, README % "1.22+", tree) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("#x", "#gone", ("anchor", "#gone")),
        ("make build", "make deploy", ("make-target", "deploy")),
        ("/health", "/ready", ("endpoint", "/ready")),
        ("go run ./cmd", "go run main.go", ("package", "main.go")),
        ("go run ./cmd", "go run ./cmd/migrate", ("package", "./cmd/migrate")),
        ("cd services/a", "cd services/b", ("path", "services/b")),
        ("up -d", "exec b sh", ("compose-service", "b")),
        ("1.22+", "1.21+", ("go-version", "Go 1.21")),
        ("localhost:8080", "localhost:8090", ("endpoint", "/health")),
        ("curl http://localhost:8080/health", "curl -f localhost:8080/ready", ("endpoint", "/ready")),
        ("```bash", "Copy it: `cp .env.sample .env`\n\n```bash", ("path", ".env.sample")),
        ("```bash", "Then run `scripts/seed.sh`.\n\n```bash", ("path", "scripts/seed.sh")),
        ("```bash", "Then run\n\n    ./seed.sh --all\n\n```bash", ("path", "./seed.sh")),
        ("```bash", "1. Seed it\n\n       ./seed.sh\n\n```bash", ("path", "./seed.sh")),
        ("```bash", "Ready when `/readyz` answers.\n\n```bash", ("endpoint", "/readyz")),
    ],
)
def test_references_to_what_is_not_there(old: str, new: str, expected: object, tmp_path: Path) -> None:
    assert expected in dead(tmp_path, (README % "1.22+").replace(old, new), TREE)


@pytest.mark.parametrize(
    "sentence",
    [
        "The old `scripts/seed.sh` was removed.",
        "Each service has `./run.sh` in its folder.",
        "Use `docker compose -f path-to-file up`.",
        "The tests: `make test`.",
        "The front end: `curl localhost:3000/api/read`.\n\n    curl localhost:3000/api/read\n",
        "1. An item\n\n    - whose child names ./seed.sh\n",
    ],
)
def test_a_sentence_about_a_file_is_no_command(sentence: str, tmp_path: Path) -> None:
    tree = {"services/a/run.sh": "", "build/Makefile": "test:\n", "main.go": MAIN, "go.mod": TREE["go.mod"]}
    assert dead(tmp_path, f"# X\n{sentence}\n", tree) == []


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("Run `scripts/restore.sh`", "yes"),
        ("Run `scripts/rollback.sh`", "no"),
        ("Run `kubectl rollout undo deployment/api`", "yes"),
        ("Run `kubectl rollout undo deployment/web`", "no"),
        ("Run `docker compose restart api`", "yes"),
        ("Run `docker compose restart web`", "no"),
        ("Run `psql db < before-release.sql`", "yes"),
    ],
)
def test_a_plan_whose_commands_cannot_be_run_is_no_plan(step: str, answer: str, tmp_path: Path) -> None:
    tree = {
        "docs/rollback.md": f"# Rollback plan\n{STEPS}\n4. {step}\n",
        "scripts/restore.sh": "",
        "compose.yml": "services: {api: {image: x}}\n",
        "k8s/api.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\n",
    }
    assert usable(tmp_path, tree) == {"rollback": answer}


def test_two_precise_steps_are_enough(tmp_path: Path) -> None:
    plan = "# Rollback plan\n1. Run `git revert HEAD` on main\n2. Deploy it with `make deploy`\n"
    assert usable(tmp_path, {"docs/a.md": plan, "Makefile": "deploy:\n"}) == {"rollback": "yes"}


def test_commands_that_deploy_are_counted(tmp_path: Path) -> None:
    files = {"README.md": README % "1.22+", "docs/README.md": "# X\n```bash\nls\n```\n"}
    assert column(deployment_instruction(store_of(tmp_path, files)), "commands") == [3, 0]
