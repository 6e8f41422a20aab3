"""How the twin is served, on one machine and on Kubernetes: Ray's own schema takes it, and both say the same."""

import ray
import yaml
from ray.serve.schema import ServeDeploySchema

from include.settings import ROOT, Settings

SERVE = yaml.safe_load((ROOT / "serving" / "serve.yaml").read_text())
MANIFEST = yaml.safe_load((ROOT / "serving" / "kuberay.yaml").read_text())


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


def test_the_manifest_is_a_ray_service_of_this_ray_with_the_platforms_settings():
    cluster = MANIFEST["spec"]["rayClusterConfig"]
    assert (MANIFEST["apiVersion"], MANIFEST["kind"]) == ("ray.io/v1", "RayService")
    assert set(MANIFEST["spec"]) == {"serveConfigV2", "rayClusterConfig"}
    assert cluster["rayVersion"] == ray.__version__
    assert cluster["enableInTreeAutoscaling"] is True
    (workers,) = cluster["workerGroupSpecs"]
    assert workers["minReplicas"] <= workers["replicas"] < workers["maxReplicas"]


def test_every_pod_has_the_image_the_secret_and_the_data_and_no_key_in_the_open():
    for group in pods():
        spec = group["template"]["spec"]
        (container,) = spec["containers"]
        mounted = {m["name"] for m in container["volumeMounts"]}
        named = {e["name"]: e["value"] for e in container["env"]}

        assert mounted == {v["name"] for v in spec["volumes"]}
        assert container["envFrom"] == [{"secretRef": {"name": "llm-twin"}}]
        assert named["RAY_AUTH_MODE"] == "token"
        assert {n[5:].lower() for n in named if n.startswith("TWIN_")} <= set(Settings.model_fields)
        assert set(container["resources"]) == {"requests", "limits"}
