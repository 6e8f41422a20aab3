"""How the twin is served, on one machine and on Kubernetes: Ray takes it, KubeRay takes it, and both say the same."""

import json
import re
from functools import reduce
from pathlib import Path

import pytest
import ray
import yaml
from jsonschema import Draft202012Validator
from ray._private.ray_constants import DEFAULT_DASHBOARD_AGENT_LISTEN_PORT
from ray.serve.schema import ServeDeploySchema

from include.settings import ROOT, Settings

SERVE = yaml.safe_load((ROOT / "serving" / "serve.yaml").read_text())
MANIFEST = yaml.safe_load((ROOT / "serving" / "kuberay.yaml").read_text())
SCHEMA = yaml.safe_load((ROOT / "tests" / "saved" / "kuberay.schema.yaml").read_text())
SECRET = "llm-twin"
IMAGE_USER = int(re.search(r"useradd --uid (\d+)", (ROOT / "Dockerfile").read_text())[1])
# Where a node of Ray says whether it is well; no token is asked for.
HEALTH = {"path": "/api/healthz", "port": DEFAULT_DASHBOARD_AGENT_LISTEN_PORT}


def complaints(manifest):
    """Name the places that the schema refuses."""
    return [tuple(e.absolute_path) for e in Draft202012Validator(SCHEMA).iter_errors(manifest)]


def variables(container):
    return {e["name"]: e["value"] for e in container["env"]}


def pods():
    cluster = MANIFEST["spec"]["rayClusterConfig"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def test_ray_takes_the_configuration():
    (app,) = ServeDeploySchema(**SERVE).applications

    ingress, generator = app.deployments
    for deployment in (ingress, generator):
        assert deployment.backpressure_config.status_code == 429
        assert deployment.backpressure_config.retry_after_s
    scaling = generator.autoscaling_config
    assert scaling["min_replicas"] < scaling["max_replicas"]
    assert "initial_replicas" not in scaling, "a roll-out under load would begin with so few again"
    assert scaling["target_ongoing_requests"] < generator.max_ongoing_requests


def test_kubernetes_serves_the_same_but_for_the_address():
    there = yaml.safe_load(MANIFEST["spec"]["serveConfigV2"])

    assert there["http_options"].pop("host") == "0.0.0.0"
    here = SERVE["http_options"].pop("host")
    replicas = [c["applications"][0]["deployments"][0].pop("num_replicas") for c in (SERVE, there)]
    assert there == SERVE
    assert (here, replicas) == ("127.0.0.1", [1, 2])
    ServeDeploySchema(**there)


def test_the_operators_schema_takes_the_manifest():
    assert complaints(MANIFEST) == []


HEAD = ("spec", "rayClusterConfig", "headGroupSpec")
WORKERS = ("spec", "rayClusterConfig", "workerGroupSpecs", 0)
RAY = (*HEAD, "template", "spec", "containers", 0)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        # Misspelt, or in a place where it means nothing.
        (("spec", "serveConfig"), "applications: []"),
        (("spec", "rayClusterConfig", "enableInTreeAutoscalling"), True),
        ((*HEAD, "replicas"), 1),
        ((*WORKERS, "minReplica"), 1),
        ((*RAY, "livenessProb"), {}),
        ((*RAY, "env", 0, "val"), "x"),
        ((*HEAD, "template", "spec", "volume"), []),
        # Of the wrong type, or outside of what there is.
        (("apiVersion",), "ray.io/v1beta1"),
        (("metadata", "name"), "LLM_Twin"),
        (("spec", "serveConfigV2"), {"applications": []}),
        (("spec", "rayClusterConfig", "rayVersion"), 2.6),
        (("spec", "rayClusterConfig", "authOptions"), {"mode": "password"}),
        (("spec", "rayClusterConfig", "autoscalerOptions"), {"upscalingMode": "Fast"}),
        ((*HEAD, "rayStartParams", "num-cpus"), 0),
        ((*WORKERS, "maxReplicas"), "4"),
        ((*WORKERS, "replicas"), -1),
        ((*RAY, "env", 2, "value"), 2),
        ((*RAY, "env", 0, "name"), "TWIN-DATA-DIR"),
        ((*RAY, "resources", "requests", "cpu"), 2),
        ((*RAY, "resources", "limits", "memory"), "8 GB"),
        ((*RAY, "ports", 3, "containerPort"), 82000),
        ((*RAY, "ports", 3, "name"), "serve-over-plain-http"),
        ((*RAY, "livenessProbe", "httpGet", "path"), "api/healthz"),
        ((*RAY, "livenessProbe", "exec"), {"command": ["true"]}),
        ((*RAY, "livenessProbe", "periodSeconds"), 0),
        ((*HEAD, "template", "spec", "volumes", 0, "emptyDir"), {}),
        # Missing.
        (("metadata", "name"), None),
        (("spec", "rayClusterConfig"), None),
        ((*HEAD, "template"), None),
        ((*HEAD, "template", "spec", "containers"), None),
        ((*WORKERS, "groupName"), None),
        ((*WORKERS, "maxReplicas"), None),
        ((*RAY, "image"), None),
        ((*RAY, "volumeMounts", 0, "mountPath"), None),
        ((*RAY, "livenessProbe", "httpGet", "port"), None),
        ((*HEAD, "template", "spec", "volumes", 0, "persistentVolumeClaim", "claimName"), None),
    ],
    ids=lambda given: ".".join(map(str, given)) if isinstance(given, tuple) else None,
)
def test_a_mistake_in_the_manifest_is_found_where_it_is(place, value):
    """`None` takes away what is there."""
    broken = json.loads(json.dumps(MANIFEST))
    holder = reduce(lambda part, key: part[key], place[:-1], broken)
    if value is None:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value

    (found,) = complaints(broken)
    assert found[: len(place) - 1] == place[:-1]


def test_the_manifest_is_a_ray_service_of_this_ray_with_the_platforms_settings():
    cluster = MANIFEST["spec"]["rayClusterConfig"]
    assert cluster["rayVersion"] == ray.__version__
    assert cluster["enableInTreeAutoscaling"] is True
    (workers,) = cluster["workerGroupSpecs"]
    assert workers["minReplicas"] <= workers["replicas"] < workers["maxReplicas"]


def test_every_pod_has_the_image_the_secret_and_the_data_and_no_key_in_the_open():
    assert MANIFEST["spec"]["rayClusterConfig"]["authOptions"] == {
        "mode": "token",
        "secretName": SECRET,
    }
    for group in pods():
        spec = group["template"]["spec"]
        (container,) = spec["containers"]
        mounted = {m["name"] for m in container["volumeMounts"]}
        named = variables(container)

        assert mounted == {v["name"] for v in spec["volumes"]}
        assert container["envFrom"] == [{"secretRef": {"name": SECRET}}]
        assert {n[5:].lower() for n in named if n.startswith("TWIN_")} <= set(Settings.model_fields)
        assert not [n for n in named if n.endswith(("_KEY", "_TOKEN", "_PASSWORD"))]
        assert set(container["resources"]) == {"requests", "limits"}
        assert spec["securityContext"]["fsGroup"] == IMAGE_USER


def test_what_compose_tells_of_the_hub_every_pod_is_told_and_keeps_what_it_gave_on_the_claim():
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["x-environment"]
    hub = {name for name in compose if name.startswith("HF_")}
    told = (ROOT / "serving" / "kuberay.yaml").read_text().partition("apiVersion")[0]
    for group in pods():
        (container,) = group["template"]["spec"]["containers"]
        named = variables(container)
        (shared,) = (m["mountPath"] for m in container["volumeMounts"])

        # The others may be in the secret, every key of which is a variable of the pod.
        assert {n for n in hub if n not in named} == set(re.findall(r"\bHF_\w+", told))
        for name in ("TWIN_DATA_DIR", "TWIN_CACHE_DIR", "HF_HOME"):
            assert Path(named[name]).is_relative_to(shared), name


def test_questions_go_where_ray_serve_listens_and_only_to_who_has_a_proxy():
    port = yaml.safe_load(MANIFEST["spec"]["serveConfigV2"])["http_options"]["port"]
    head, workers = (g["template"]["spec"]["containers"][0] for g in pods())

    for container in (head, workers):
        assert {p["name"]: p["containerPort"] for p in container["ports"]} == {
            "gcs-server": 6379,
            "dashboard": 8265,
            "client": 10001,
            "serve": port,
        }
        assert container["livenessProbe"]["httpGet"] == HEALTH
    assert head["readinessProbe"]["httpGet"] == HEALTH
    assert workers["readinessProbe"]["httpGet"] == {"path": "/-/healthz", "port": port}
