"""The manifests: valid by the schemas of several releases, with commands, settings, ports, probes and volumes that fit each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from deployed import DEPLOY, VARIABLES, VERSION, parsed, variables_in

from indexing.command import REFUSED
from recommender.cli import LOCKED
from recommender.placements import load_placements
from recommender.settings import ENVIRONMENT_PREFIX, Settings, load_settings
from server.addresses import Address
from server.app import EVENT

FOLDER = DEPLOY / "kubernetes"
RELEASES = ("1.31", "1.34", "1.37")
USER = 10001
ALLOWED_IMAGES = {"serve": f"recommender-serve:{VERSION}", "index": f"recommender-index:{VERSION}"}

Resource = dict[str, Any]


def read(path: Path) -> list[Resource]:
    return [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]


RESOURCES = [each for path in sorted(FOLDER.glob("*.yaml")) if path.name != "kustomization.yaml" for each in read(path)]
[KUSTOMIZATION] = read(FOLDER / "kustomization.yaml")


def named(resource: Resource) -> str:
    return f"{resource['kind']}/{resource['metadata']['name']}"


BY_NAME = {named(each): each for each in RESOURCES}


def pod_of(resource: Resource) -> Resource | None:
    """The template of a resource's pods, None for one that has none."""
    spec = resource.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    template: Resource | None = spec.get("template")
    return template


WORKLOADS = {named(each): pod for each in RESOURCES if (pod := pod_of(each)) is not None}


def containers(pod: Resource) -> Iterator[Resource]:
    yield from pod["spec"].get("initContainers", [])
    yield from pod["spec"]["containers"]


def settings() -> Settings:
    """The settings of all pods."""
    data = BY_NAME["ConfigMap/recommender-settings"]["data"]
    ours = {name.removeprefix(ENVIRONMENT_PREFIX).lower(): value for name, value in data.items() if name.startswith(ENVIRONMENT_PREFIX)}
    assert set(ours) <= set(Settings.model_fields)
    return load_settings(**ours)


SERVER = WORKLOADS["Deployment/recommender-serve"]["spec"]["containers"][0]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", BY_NAME)
def test_every_resource_is_valid(name: str, release: str) -> None:
    kubernetes_validate.validate(BY_NAME[name], release, strict=True)


def test_a_mistake_is_no_valid_resource() -> None:
    wrong = {**BY_NAME["Service/recommender"], "spec": {"ports": [{"prot": 1}]}}
    with pytest.raises(kubernetes_validate.ValidationError, match="port"):
        kubernetes_validate.validate(wrong, RELEASES[-1], strict=True)


def test_the_kustomization_names_every_file_but_the_one_that_is_applied_by_hand() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml", "migrate.yaml"}
    assert set(KUSTOMIZATION["resources"]) == files
    assert {f"{image['name']}:{image['newTag']}" for image in KUSTOMIZATION["images"]} == set(ALLOWED_IMAGES.values())


def test_everything_is_in_one_namespace_that_demands_restricted_pods() -> None:
    assert {each["metadata"]["namespace"] for each in RESOURCES if each["kind"] != "Namespace"} == {KUSTOMIZATION["namespace"]}
    namespace = BY_NAME[f"Namespace/{KUSTOMIZATION['namespace']}"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_workloads_are_the_servers_the_watcher_the_night_and_the_migration() -> None:
    commands = {name: [parsed(each["args"]).name for each in containers(pod)] for name, pod in WORKLOADS.items()}
    assert commands == {
        "Deployment/recommender-serve": ["serve", "serve"],
        "Deployment/recommender-watch": ["watch"],
        "CronJob/recommender-reindex": ["reindex"],
        "Job/recommender-migrate": ["migrate"],
    }


@pytest.mark.parametrize("name", WORKLOADS)
def test_what_needs_torch_has_the_image_with_it(name: str) -> None:
    for container in containers(WORKLOADS[name]):
        needs = "index" if container["args"][0] in ("watch", "reindex") else "serve"
        assert container["image"] == ALLOWED_IMAGES[needs]


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_container_reads_the_settings_and_mounts_what_they_name(name: str) -> None:
    pod = WORKLOADS[name]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] in {
        each["metadata"]["name"] for each in RESOURCES if "Volume" in each["kind"]
    }
    for container in containers(WORKLOADS[name]):
        assert {"configMapRef": {"name": "recommender-settings"}} in container["envFrom"]
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert set(mounts.values()) <= set(volumes)
        assert mounts[str(settings().data)] == "data"
        placements = settings().placements
        assert placements is not None
        config = volumes[mounts[str(placements.parent)]]["configMap"]["name"]
        assert placements.name in BY_NAME[f"ConfigMap/{config}"]["data"]
        # What is written by libraries goes to the volume or to /tmp, since the rest of a container is read-only.
        assert mounts["/tmp"] == "tmp"
    for variable in ("NUMBA_CACHE_DIR", "HF_HOME"):
        assert BY_NAME["ConfigMap/recommender-settings"]["data"][variable].startswith(f"{settings().data}/cache/")


def test_the_example_of_placements_is_one(tmp_path: Path) -> None:
    path = tmp_path / "placements.toml"
    path.write_text(BY_NAME["ConfigMap/recommender-placements"]["data"]["placements.toml"], encoding="utf-8")
    assert "home" in load_placements(path).by_name


def test_every_variable_that_is_named_exists() -> None:
    for path in FOLDER.iterdir():
        assert variables_in(path.read_text(encoding="utf-8")) <= VARIABLES, path.name


@pytest.mark.parametrize("name", WORKLOADS)
def test_pods_have_no_rights_and_no_variables_of_services(name: str) -> None:
    pod = WORKLOADS[name]["spec"]
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == USER
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    for container in containers(WORKLOADS[name]):
        rights = container["securityContext"]
        assert (rights["allowPrivilegeEscalation"], rights["readOnlyRootFilesystem"]) == (False, True)
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_all_pods_are_on_one_node_since_the_store_is_a_file(name: str) -> None:
    pod = WORKLOADS[name]
    [term] = pod["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert term["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert BY_NAME["PersistentVolumeClaim/recommender-data"]["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_ports_are_those_that_the_server_listens_on() -> None:
    addresses = {"front": settings().listen, "admin": settings().admin_listen, "metrics": settings().metrics_listen}
    ports = {name: Address.parse(address, name).port for name, address in addresses.items()}
    assert {port["name"]: port["containerPort"] for port in SERVER["ports"]} == ports
    assert all(address.startswith("0.0.0.0:") for address in addresses.values())
    for service in ("recommender", "recommender-admin"):
        spec = BY_NAME[f"Service/{service}"]["spec"]
        assert spec["selector"].items() <= WORKLOADS["Deployment/recommender-serve"]["metadata"]["labels"].items()
        assert {port["port"]: ports[port["targetPort"]] for port in spec["ports"]} == {port["port"]: port["port"] for port in spec["ports"]}
    assert [port["targetPort"] for port in BY_NAME["Service/recommender"]["spec"]["ports"]] == ["front"]


def test_probes_ask_the_right_service_on_the_front_ends_port() -> None:
    front = Address.parse(settings().listen, "listen").port
    assert SERVER["readinessProbe"]["grpc"] == {"port": front}
    assert SERVER["livenessProbe"]["grpc"] == SERVER["startupProbe"]["grpc"] == {"port": front, "service": EVENT}


def test_a_server_is_given_the_time_that_its_calls_may_take() -> None:
    [_, pause] = SERVER["lifecycle"]["preStop"]["exec"]["command"]
    allowed = WORKLOADS["Deployment/recommender-serve"]["spec"]["terminationGracePeriodSeconds"]
    assert allowed >= float(pause) + settings().grace_s + 5


def test_there_is_one_watcher_at_a_time_and_one_night() -> None:
    watcher = BY_NAME["Deployment/recommender-watch"]["spec"]
    assert (watcher["replicas"], watcher["strategy"]) == (1, {"type": "Recreate"})
    night = BY_NAME["CronJob/recommender-reindex"]["spec"]
    assert night["concurrencyPolicy"] == "Forbid"
    rules = night["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    codes = {rule["action"]: rule["onExitCodes"]["values"] for rule in rules if "onExitCodes" in rule}
    assert codes == {"FailJob": [REFUSED], "Ignore": [LOCKED]}


def test_a_selector_fits_its_own_pods() -> None:
    for name, pod in WORKLOADS.items():
        selector = BY_NAME[name]["spec"].get("selector")
        if selector is not None:
            assert selector["matchLabels"].items() <= pod["metadata"]["labels"].items()
    budget = BY_NAME["PodDisruptionBudget/recommender-serve"]["spec"]
    assert budget["selector"] == BY_NAME["Deployment/recommender-serve"]["spec"]["selector"]


def test_nobody_from_outside_reaches_the_operators_port() -> None:
    closed = BY_NAME["NetworkPolicy/recommender-closed"]["spec"]
    assert (closed["podSelector"], closed.get("ingress")) == ({}, None)
    opened = BY_NAME["NetworkPolicy/recommender-serve"]["spec"]
    assert opened["podSelector"]["matchLabels"].items() <= WORKLOADS["Deployment/recommender-serve"]["metadata"]["labels"].items()
    allowed = {port["port"]: rule["from"] for rule in opened["ingress"] for port in rule["ports"]}
    assert set(allowed) == {port["containerPort"] for port in SERVER["ports"]}
    assert allowed[Address.parse(settings().admin_listen, "admin").port] == [{"podSelector": {}}]


def test_no_setting_is_a_number_where_kubernetes_wants_text() -> None:
    for each in RESOURCES:
        if each["kind"] == "ConfigMap":
            assert all(isinstance(value, str) for value in each["data"].values())
