"""The Dockerfiles: no fault that a linter knows, files that exist, commands that exist, a server without torch."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from deployed import DEPLOY, ROOT, VARIABLES, VERSION, parsed, variables_in

from recommender.settings import ENVIRONMENT_PREFIX, load_settings
from server.addresses import Address

IMAGES = {name: DEPLOY / f"docker/{name}.Dockerfile" for name in ("serve", "index")}


def instructions(name: str) -> list[tuple[str, str]]:
    """The instructions of an image's Dockerfile with their arguments, lines that go on joined and comments left out."""
    lines = [line for line in IMAGES[name].read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def of(name: str, word: str) -> list[str]:
    return [rest for each, rest in instructions(name) if each == word]


def environment(name: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(of(name, "ENV")[0]))


def entry(name: str) -> list[str]:
    """What a container runs."""
    return [*json.loads(of(name, "ENTRYPOINT")[0]), *json.loads(of(name, "CMD")[0])]


def test_hadolint_finds_no_fault() -> None:
    command = [str(Path(sys.executable).with_name("hadolint")), "--no-color", *map(str, IMAGES.values())]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize(("name", "command"), [("serve", "serve"), ("index", "reindex")])
def test_a_container_runs_a_command_that_exists_as_somebody_without_rights(name: str, command: str) -> None:
    program, *words = entry(name)
    assert program == "recommender"
    assert parsed(words).name == command
    assert of(name, "USER") == ["10001:10001"]
    assert of(name, "STOPSIGNAL") == ["SIGTERM"]


@pytest.mark.parametrize("name", IMAGES)
def test_every_variable_exists_and_settings_may_have_those_values(name: str) -> None:
    assert variables_in(IMAGES[name].read_text(encoding="utf-8")) <= VARIABLES
    given = environment(name)
    settings = {key.removeprefix(ENVIRONMENT_PREFIX).lower(): value for key, value in given.items() if key.startswith(ENVIRONMENT_PREFIX)}
    assert str(load_settings(**settings).data) == "/data"
    assert of(name, "VOLUME") == ["/data"]
    # The user owns both folders, and Numba's cache lies in one of them.
    [made] = [words for words in of(name, "RUN") if "install -d" in words]
    assert "-o 10001 -g 10001 -m 0750 /data /var/cache/recommender" in made
    assert given["NUMBA_CACHE_DIR"].startswith("/var/cache/recommender/")


def test_the_server_exposes_the_ports_that_it_listens_on_and_its_health_is_asked_for() -> None:
    given = environment("serve")
    ports = [str(Address.parse(given[f"RECOMMENDER_{name}LISTEN"], name).port) for name in ("", "ADMIN_", "METRICS_")]
    assert of("serve", "EXPOSE") == [" ".join(ports)]
    [check] = of("serve", "HEALTHCHECK")
    program, *words = json.loads(check.split("CMD ", 1)[1])
    assert program == "recommender"
    assert parsed(words).name == "health"
    assert of("index", "HEALTHCHECK") == ["NONE"]


def test_the_servers_loops_are_compiled_by_the_user_that_it_runs_as() -> None:
    words = instructions("serve")
    prepare = words.index(("RUN", "recommender serve --prepare"))
    assert words.index(("USER", "10001:10001")) < prepare
    assert parsed(["serve", "--prepare"]).name == "serve"


def test_the_server_is_installed_without_extras_and_the_indexer_with_those_of_building() -> None:
    [serve], [index] = ([words for words in of(name, "RUN") if "pip install" in words] for name in IMAGES)
    assert serve.endswith('-c constraints.txt ".${EXTRA:+[${EXTRA}]}"')
    assert "EXTRA=" in of("serve", "ARG")
    assert index.endswith('-c constraints.txt ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} ".[${EXTRA}]"')
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    [extra] = [words.removeprefix("EXTRA=") for words in of("index", "ARG") if words.startswith("EXTRA=")]
    assert {extra, "build"} <= set(extras)


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path of the repository out: the last line that fits it, or a folder above it, decides."""
    out = False
    parts = Path(path).parts
    above = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        anywhere = line.removeprefix("!").startswith("**/")
        fits = any(fnmatch(each.rpartition("/")[2] if anywhere else each, pattern) for each in above if anywhere or "/" not in each)
        if line and not line.startswith("#") and fits:
            out = not line.startswith("!")
    return out


@pytest.mark.parametrize("name", IMAGES)
def test_what_is_copied_is_there_and_is_all_that_a_wheel_needs(name: str) -> None:
    copied = [source for words in of(name, "COPY") if not words.startswith("--from") for source in words.split()[:-1]]
    assert all((ROOT / source).exists() and not ignored(source) for source in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed = {"pyproject.toml", "constraints.txt", project["project"]["readme"], *project["project"]["license-files"], *wheel}
    assert set(copied) == needed


def test_nothing_but_what_is_copied_is_sent_to_the_builder() -> None:
    copied = {source for words in of("serve", "COPY") if not words.startswith("--from") for source in words.split()[:-1]}
    top = {path.name for path in ROOT.iterdir()} | {"var", ".venv", ".git"}
    assert {name for name in top if not ignored(name)} == copied
    assert ignored("recommender/store/__pycache__/store.pyc")
    assert not ignored("recommender/store/store.py")


@pytest.mark.parametrize("name", IMAGES)
def test_the_line_to_build_an_image_names_its_file_and_this_release(name: str) -> None:
    assert f"docker build -f deploy/docker/{name}.Dockerfile -t recommender-{name}:{VERSION} ." in IMAGES[name].read_text(encoding="utf-8")
