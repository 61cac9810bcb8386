"""Kubernetes objects."""

from __future__ import annotations

from pathlib import Path

from trees import column, store_of, values

from zuno_audit.facts.kubernetes import k8s_object

DEPLOYMENT = """\
apiVersion: v1
kind: Service
metadata: {name: api, namespace: dev}
spec: {selector: {app: api}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: dev, labels: {team: x}}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
        - name: api
          image: shop/api:1
          ports: [{containerPort: 8080}]
          readinessProbe: {httpGet: {path: /health, port: 8080}}
          env:
            - {name: A, value: "1"}
            - name: B
              valueFrom: {secretKeyRef: {name: s, key: B}}
          envFrom: [{configMapRef: {name: c}}]
"""


def test_objects_and_their_containers(tmp_path: Path) -> None:
    service, deployment = k8s_object(store_of(tmp_path, {"k8s/api.yaml": DEPLOYMENT})).rows
    assert values(service, "kind", "name", "namespace", "selector") == ("Service", "api", "dev", ("app=api",))
    assert values(deployment, "labels", "pod_labels", "images", "container_ports") == (
        ("team=x",),
        ("app=api",),
        ("shop/api:1",),
        ("8080",),
    )
    assert values(deployment, "env_names", "env_from", "probes") == (
        ("A", "B"),
        ("ConfigMap/c",),
        ("readinessProbe",),
    )
    assert deployment.location.line == 7


def test_lists_are_taken_apart_and_cron_jobs_have_containers(tmp_path: Path) -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: batch/v1\n  kind: CronJob\n  metadata: {name: c}\n"
        "  spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: i}]}}}}}\n"
    )
    assert column(k8s_object(store_of(tmp_path, {"a.yml": text})), "images") == [("i",)]


def test_templates_are_marked(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {A: x}\n"
    (row,) = k8s_object(store_of(tmp_path, {"secrets.yaml.example": text})).rows
    assert values(row, "template", "keys") == ("yes", ("A",))


def test_helm_templates_and_other_yaml_are_left_out(tmp_path: Path) -> None:
    files = {
        "chart/Chart.yaml": "apiVersion: v2\nname: x\n",
        "chart/templates/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Values.name }}}\n",
        "docs/b.yaml": "about: 'apiVersion: and kind: are keys'\n",
    }
    table = k8s_object(store_of(tmp_path, files))
    assert (table.rows, table.files, table.problems) == ((), (), ())


def test_a_broken_manifest_is_a_problem(tmp_path: Path) -> None:
    table = k8s_object(store_of(tmp_path, {"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: [\n"}))
    assert [problem.path for problem in table.problems] == ["a.yaml"]
