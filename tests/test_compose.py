"""docker-compose.yaml: a real Compose loader takes it, and it keeps what the platform promises."""

import os
import re
import shutil
import subprocess

import pytest
import yaml

from include.env_file import SECRETS, fill_in_secrets, read_env
from include.services import WEAVIATE_VERSION
from include.settings import ROOT, Settings, load_settings

FILE = ROOT / "docker-compose.yaml"
ONE_SHOTS = {"prepare"}
# What only means something outside of the platform's own containers.
MACHINE_ONLY = {
    *("TWIN_MONGO_PORT", "TWIN_WEAVIATE_PORT", "TWIN_RAY_PORT", "TWIN_DEMO_PORT"),
    *("TWIN_SUPERVISOR_PORT", "TWIN_WEAVIATE_BINARY", "TWIN_ARTIFACTS_URL", "TWIN_GRAFANA_PORT"),
}
NAMES = {f"TWIN_{name.upper()}" for name in Settings.model_fields}


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(FILE.read_text())


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


@pytest.fixture
def secrets_file(tmp_path):
    fill_in_secrets(tmp_path / ".env")
    return tmp_path / ".env"


def compose_loader():
    """Find a program that loads Compose files: the plugin of Docker, or the older program."""
    if old := shutil.which("docker-compose"):
        return [old]
    if docker := shutil.which("docker"):
        asked = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
        if not asked.returncode:
            return [docker, "compose"]
    pytest.skip("no Compose loader on this machine (Debian: apt install docker-compose)")


def load(folder, *words):
    bare = {k: v for k, v in os.environ.items() if k not in {*SECRETS, *NAMES}}
    return subprocess.run(
        [*compose_loader(), "-f", str(FILE), *words, "config"],
        cwd=folder,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_compose_loader_takes_the_file_with_the_secrets_that_the_platform_makes(
    secrets_file, services
):
    ran = load(secrets_file.parent, "--env-file", str(secrets_file), "--profile", "monitoring")
    assert ran.returncode == 0, ran.stderr
    loaded = yaml.safe_load(ran.stdout)["services"]
    assert set(loaded) == set(services)
    password = read_env(secrets_file)["MONGO_PASSWORD"]
    assert password in loaded["airflow-scheduler"]["environment"]["TWIN_MONGO_URL"]


def test_without_secrets_the_loader_says_what_to_run(tmp_path):
    (tmp_path / ".env").write_text("\n")
    ran = load(tmp_path, "--env-file", str(tmp_path / ".env"))
    assert ran.returncode != 0
    assert "python3 -m include.env_file" in ran.stderr


def test_what_a_container_is_told_is_a_valid_world(secrets_file, tmp_path):
    ran = load(secrets_file.parent, "--env-file", str(secrets_file))
    environment = yaml.safe_load(ran.stdout)["services"]["ray-head"]["environment"]
    told = {k: str(v) for k, v in environment.items() if v is not None}
    world = load_settings(told, tmp_path / "none")
    assert world.port("airflow") == 8280
    assert world.vectors_api_key.get_secret_value()


def test_every_service_tells_whether_it_is_well(services):
    assert {n for n, s in services.items() if "healthcheck" not in s} == ONE_SHOTS
    assert all("restart" in s for s in services.values())


def test_nothing_waits_for_a_service_that_does_not_exist_or_is_only_started(services):
    for service in services.values():
        for name, wish in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if name in ONE_SHOTS else "service_healthy"
            assert wish == {"condition": expected}
            assert name in services


def test_no_password_stands_in_the_file():
    text = FILE.read_text()
    assert re.findall(r"://[\w.-]+:(?!\$\{)[^@\s/\"]+@", text) == []
    for line in text.splitlines():
        found = re.match(r"\s*(\w*(?:PASSWORD|KEYS?|AUTH|TOKEN|SECRET))\s*:\s*(\S.*)", line)
        assert not found or re.match(r'"\$\{\w+(:-|:\?[^}]+)?\}', found[2]), line
    assert all(f"{name}:?" in text for name in SECRETS)


def test_every_port_is_on_loopback_and_a_variable(services):
    for service in services.values():
        for port in service.get("ports", []):
            found = re.fullmatch(r"127\.0\.0\.1:\$\{(TWIN_\w+_PORT):-(\d+)\}:\d+", port)
            assert found, port
            default = Settings.model_fields[found[1].removeprefix("TWIN_").lower()].default
            assert int(found[2]) == default


def test_every_name_told_to_a_container_is_a_setting_and_every_setting_is_told(services):
    told = {n for n in services["ray-head"]["environment"] if n.startswith("TWIN_")}
    assert told <= NAMES
    assert NAMES - told == MACHINE_ONLY


def test_every_image_is_pinned(services):
    for name, service in services.items():
        assert re.search(r":v?\d+\.\d+\.\d+$|:\d+\.\d+$", service["image"]), name
    assert services["weaviate"]["image"].endswith(WEAVIATE_VERSION)
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert all(re.search(r":3\.11\.\d+-", base) for base in bases)


def test_data_lives_in_named_volumes(compose, services):
    used = {v.split(":")[0] for s in services.values() for v in s.get("volumes", [])}
    assert {v for v in used if not v.startswith(("$", "."))} == set(compose["volumes"])


def test_the_image_runs_as_nobody_special_and_gets_no_secrets():
    text = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE) == ["twin"]
    assert {".env", ".git", "data"} <= set((ROOT / ".dockerignore").read_text().split())
