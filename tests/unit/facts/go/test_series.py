"""Series of metric vectors: what gives them another number of values than they have labels makes none."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of

from zuno_audit.facts.go.metrics import metric_table

MAIN = """\
package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var state = promauto.NewGaugeVec(prometheus.GaugeOpts{Name: "state"}, []string{"service"})

type holder struct{ vec *prometheus.GaugeVec }

func (h *holder) set(values ...string) { h.vec.WithLabelValues(HELD).Set(1) }

func set(vec *prometheus.GaugeVec, name, to string) { vec.WithLabelValues(GIVEN).Set(1) }

func main() {
	USE
	http.Handle("/metrics", promhttp.Handler())
	http.ListenAndServe(":80", nil)
}
"""


def written(tmp_path: Path, use: str, given: str = "name", held: str = "values...") -> object:
    text = MAIN.replace("USE", use).replace("GIVEN", given).replace("HELD", held)
    store = store_of(tmp_path, {"go.mod": "module example.com/app\n\ngo 1.25\n", "main.go": text})
    (row,) = metric_table(store).rows
    return row.get("written").value


@pytest.mark.parametrize(
    ("use", "answer"),
    [
        ('state.WithLabelValues("auth").Set(1)', "yes"),
        ('state.WithLabelValues("auth", "open").Set(1)', "no"),
        ("state.WithLabelValues().Set(1)", "no"),
        ('state.With(prometheus.Labels{"service": "auth"}).Set(1)', "yes"),
        ('state.With(prometheus.Labels{"service": "auth", "to": "open"}).Set(1)', "no"),
        ('values := []string{"auth", "open"}\n\tstate.WithLabelValues(values...).Set(1)', "no"),
        ('values := []string{"auth"}\n\tstate.WithLabelValues(values...).Set(1)', "yes"),
        ('state.WithLabelValues("auth", "open").Set(1)\n\tstate.WithLabelValues("auth").Set(1)', "yes"),
        ('vec := state\n\tvec.WithLabelValues("auth").Set(1)', "yes"),
    ],
)
def test_values_of_a_vector(use: str, answer: str, tmp_path: Path) -> None:
    assert written(tmp_path, use) == answer


@pytest.mark.parametrize(("given", "answer"), [("name", "yes"), ("name, to", "no")])
def test_a_vector_that_is_handed_on(given: str, answer: str, tmp_path: Path) -> None:
    assert written(tmp_path, 'set(state, "auth", "open")', given=given) == answer


@pytest.mark.parametrize(
    ("held", "answer"), [("values[0]", "yes"), ("values[0], values[1]", "no"), ("values...", "yes")]
)
def test_a_vector_in_a_field(held: str, answer: str, tmp_path: Path) -> None:
    assert written(tmp_path, 'h := &holder{vec: state}\n\th.set("auth", "open")', held=held) == answer
