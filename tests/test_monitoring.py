"""The dashboard and the alerts ask for metrics, labels and values that the endpoint really returns."""

import json
import re
from collections import defaultdict

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from serving_world import UNKNOWN, ask

from include.settings import ROOT, Settings

FOLDER = ROOT / "serving" / "monitoring"
RULES = yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
PANELS = [p for p in DASHBOARD["panels"] if p["type"] != "row"]
RECORDED = {r["record"]: r["expr"] for r in RULES if "record" in r}
WORDS = {"sum", "max", "rate", "increase", "histogram_quantile", "vector", "and", "or", "unless"}
# What Prometheus itself adds to every sample.
ITS_OWN = {"instance", "job"}
QUERIES = {
    **{r.get("record") or r["alert"]: r["expr"] for r in RULES},
    **{f"{p['title']} {t['refId']}": t["expr"] for p in PANELS for t in p["targets"]},
}


@pytest.fixture(scope="module")
def scraped(answering):
    """Return labels with their values by metric, after something of everything has happened."""
    answer = ask(answering.stock)
    ask(answering.stock, UNKNOWN)
    for said in ({"score": 1}, {"score": -1}, {"score": 0, "edit": "So."}):
        body = {"trace_id": answer.trace_id, **said}
        assert answering.http.post("/v1/feedback", json=body).status_code == 200
    found = defaultdict(lambda: defaultdict(set))
    text = answering.http.get("/metrics").text
    for sample in (s for family in text_string_to_metric_families(text) for s in family.samples):
        for label, value in sample.labels.items():
            found[sample.name][label].add(value)
    return {**found, "up": {"job": {"twin"}, "instance": {"ray-head:8200"}}}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_what_the_endpoint_returns(query, scraped):
    expression = QUERIES[query]
    bare = re.sub(r"\[[^]]*\]", "", spread(expression))
    metrics = re.findall(r"\b(twin_\w+|up)\b(?:\{([^}]*)\})?", bare)
    left = re.sub(r"\btwin_\w+|\bup\b|\{[^}]*\}", "", bare)
    grouped = re.findall(r"(?:by|on) \(([^)]*)\)", expression)

    assert metrics and set(re.findall(r"[a-z]\w*", left)) <= WORDS, expression
    for name, matchers in metrics:
        assert name in scraped, f"{name} in {expression}"
        for label, sign, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', matchers):
            pattern = re.compile(value if sign == "=~" else re.escape(value))
            known = scraped[name][label] | ({"429", "503"} if label == "status" else set())
            assert any(pattern.fullmatch(v) for v in known), f"{label}={value} of {name}"
        labels = {label.strip() for part in grouped for label in part.split(",")}
        assert labels <= set(scraped[name]) | ITS_OWN, expression


def spread(expression):
    """Put what is recorded in the place of its name, and leave groupings out."""
    for name, recorded in RECORDED.items():
        expression = expression.replace(name, recorded)
    return re.sub(r"(?:by|on) \([^)]*\)", "", expression)


def test_the_dashboard_shows_what_somebody_on_watch_wants_to_know():
    titles = " ".join(p["title"] for p in PANELS)
    written = [t["expr"] for p in PANELS for t in p["targets"]]

    for wanted in (
        "Model",
        "Requests",
        "Failed",
        "First byte",
        "Steps",
        "Abstained",
        "Tokens",
        "Judg",
    ):
        assert wanted in titles
    assert any("quantile(0.5," in e for e in written) and any(
        "quantile(0.95," in e for e in written
    )
    assert len({p["id"] for p in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    source = yaml.safe_load((FOLDER / "grafana_datasource.yaml").read_text())["datasources"][0]
    assert {p["datasource"]["uid"] for p in PANELS} == {source["uid"]}


def test_no_panel_lies_on_another():
    places = [p["gridPos"] for p in DASHBOARD["panels"]]
    cells = [
        (column, line)
        for at in places
        for column in range(at["x"], at["x"] + at["w"])
        for line in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells)) and max(column for column, _ in cells) == 23


def test_every_alert_says_what_is_wrong_and_what_to_do():
    alerts = [r for r in RULES if "alert" in r]

    assert len(alerts) >= 6 and len({r["alert"] for r in alerts}) == len(alerts)
    for alert in alerts:
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert all(alert["annotations"][part].endswith(".") for part in ("summary", "description"))


def test_compose_gives_prometheus_and_grafana_just_these_files(answering):
    services = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    watching = {n: s for n, s in services.items() if s.get("profiles") == ["monitoring"]}
    mounted = {
        v.split(":")[0] for s in watching.values() for v in s["volumes"] if v.startswith("./")
    }
    (job,) = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())["scrape_configs"]

    assert set(watching) == {"prometheus", "grafana"}
    assert mounted == {f"./serving/monitoring/{f.name}" for f in FOLDER.iterdir()}
    assert job["static_configs"][0]["targets"] == [f"ray-head:{Settings().serve_port}"]
    assert answering.http.get(job["metrics_path"]).status_code == 200
    assert job["authorization"]["credentials_file"] in watching["prometheus"]["entrypoint"][-1]
    assert "ports" not in watching["prometheus"]
