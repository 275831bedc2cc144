"""The overlay for an object store: patches that fit the manifests, and what comes of them."""

from __future__ import annotations

import copy
from typing import Any

import kubernetes_validate
import pytest
import yaml
from deployed import DEPLOY, VARIABLES, parsed, variables_in

from recommender.remote.place import place_at
from recommender.settings import ENVIRONMENT_PREFIX, load_settings

BASE, OVERLAY = DEPLOY / "kubernetes", DEPLOY / "kubernetes-object-store"
RELEASES = ("1.31", "1.34", "1.37")
[KUSTOMIZATION] = yaml.safe_load_all((OVERLAY / "kustomization.yaml").read_text(encoding="utf-8"))

Resource = dict[str, Any]


def applied(resource: Resource, operations: list[dict[str, Any]]) -> Resource:
    """A resource after operations of RFC 6902, as far as the patches use them; each must have something to work on."""
    made = copy.deepcopy(resource)
    for operation in operations:
        *way, last = operation["path"].removeprefix("/").split("/")
        at: Any = made
        for step in way:
            at = at[int(step) if isinstance(at, list) else step]
        if operation["op"] == "add" and isinstance(at, list):
            assert last == "-"
            at.append(operation["value"])
        elif operation["op"] == "add":
            assert last not in at
            at[last] = operation["value"]
        else:
            key: Any = int(last) if isinstance(at, list) else last
            assert at[key]
            if operation["op"] == "replace":
                at[key] = operation["value"]
            else:
                del at[key]
    return made


def resources() -> dict[str, Resource]:
    """What the overlay comes to, by kind and name."""
    [base] = yaml.safe_load_all((BASE / "kustomization.yaml").read_text(encoding="utf-8"))
    found = [each for name in base["resources"] for each in yaml.safe_load_all((BASE / name).read_text(encoding="utf-8")) if each]
    named = {f"{each['kind']}/{each['metadata']['name']}": each for each in found}
    for patch in KUSTOMIZATION["patches"]:
        if "path" in patch:
            name = f"{patch['target']['kind']}/{patch['target']['name']}"
            named[name] = applied(named[name], yaml.safe_load((OVERLAY / patch["path"]).read_text(encoding="utf-8")))
        else:
            gone = yaml.safe_load(patch["patch"])
            assert gone["$patch"] == "delete"
            del named[f"{gone['kind']}/{gone['metadata']['name']}"]
    return named


RESOURCES = resources()
SERVE = RESOURCES["Deployment/recommender-serve"]["spec"]["template"]["spec"]
REINDEX = RESOURCES["CronJob/recommender-reindex"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_it_builds_on_the_manifests_and_every_file_is_a_patch() -> None:
    assert [(OVERLAY / each).resolve() for each in KUSTOMIZATION["resources"]] == [BASE]
    files = {path.name for path in OVERLAY.iterdir()} - {"kustomization.yaml"}
    assert {patch["path"] for patch in KUSTOMIZATION["patches"] if "path" in patch} == files


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", RESOURCES)
def test_every_resource_is_valid(name: str, release: str) -> None:
    kubernetes_validate.validate(RESOURCES[name], release, strict=True)


def test_settings_name_a_remote_place_and_exist() -> None:
    for path in OVERLAY.iterdir():
        assert variables_in(path.read_text(encoding="utf-8")) <= VARIABLES, path.name
    data = RESOURCES["ConfigMap/recommender-settings"]["data"]
    given = {name.removeprefix(ENVIRONMENT_PREFIX).lower(): value for name, value in data.items() if name.startswith(ENVIRONMENT_PREFIX)}
    url = load_settings(**given).generations
    assert url is not None
    assert place_at(url, "setting generations").conditional


def test_servers_are_on_any_node_with_a_cache_of_their_own_and_a_watcher_beside() -> None:
    assert "affinity" not in SERVE
    assert [volume for volume in SERVE["volumes"] if volume["name"] == "data"] == [{"name": "data", "emptyDir": {"sizeLimit": "20Gi"}}]
    assert not any("persistentVolumeClaim" in volume for volume in SERVE["volumes"])
    serve, watch = SERVE["containers"]
    assert [parsed(each["args"]).name for each in (serve, watch)] == ["serve", "watch"]
    assert watch["volumeMounts"] == serve["volumeMounts"]
    assert watch["securityContext"] == serve["securityContext"]
    assert "Deployment/recommender-watch" not in RESOURCES


def test_the_night_keeps_its_volume_for_itself() -> None:
    assert "affinity" not in REINDEX
    claimed = [volume["persistentVolumeClaim"]["claimName"] for volume in REINDEX["volumes"] if "persistentVolumeClaim" in volume]
    assert claimed == ["recommender-data"]


def test_every_container_knows_the_store_and_the_credentials_by_a_secret() -> None:
    for container in (*SERVE["initContainers"], *SERVE["containers"], *REINDEX["containers"]):
        assert {"secretRef": {"name": "recommender-remote"}} in container["envFrom"], container["name"]
        assert {"configMapRef": {"name": "recommender-settings"}} in container["envFrom"]
    assert not any(kind.startswith("Secret/") for kind in RESOURCES)
