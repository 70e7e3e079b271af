"""The compose file agrees with the settings, the roles, the embedded stack and the files it mounts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from streams.embedded.kafka import Node, render_properties
from streams.embedded.kafka_jars import COORDINATES
from streams.settings import PREFIX, setting_kinds

REPOSITORY = Path(__file__).resolve().parents[3]
DEPLOY = REPOSITORY / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
ROLES = set(PROJECT["project"]["entry-points"]["threads.roles"])
OUR_IMAGE = f"{PROJECT['project']['name']}:{PROJECT['project']['version']}"
ONE_SHOTS = {"topics-create", "cli"}
HOME = "/var/lib/threads-agent/home"

Duration = Annotated[str, StringConstraints(pattern=r"^\d+(ms|s|m|h)$")]
PinnedImage = Annotated[str, StringConstraints(pattern=r"^[a-z0-9/._-]+:v?\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?$")]
LoopbackPort = Annotated[str, StringConstraints(pattern=r"^127\.0\.0\.1:\$\{[A-Z]+_PORT:-\d+\}:\d+$")]
Mount = Annotated[str, StringConstraints(pattern=r"^(\.{1,2}/[^:]+:/[^:]+:ro|[a-z-]+:/[^:]+)$")]


class Part(BaseModel):
    """Part of the Compose specification: the keys that are used here, with the types that it gives them."""

    model_config = ConfigDict(extra="forbid", strict=True)


class HealthCheck(Part):
    test: list[str]
    interval: Duration
    timeout: Duration
    retries: int
    start_period: Duration
    start_interval: Duration


class After(Part):
    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]


class Build(Part):
    context: str
    dockerfile: str


class Logging(Part):
    driver: Literal["json-file"]
    options: dict[str, str]


class Aliases(Part):
    aliases: list[str]


class Service(Part):
    image: PinnedImage
    build: Build | None = None
    restart: Annotated[str, StringConstraints(pattern=r"^(unless-stopped|on-failure:\d+)$")] | None = None
    init: bool = False
    entrypoint: list[str] | None = None
    command: list[str] = []
    environment: dict[str, str | None] = {}
    ports: list[LoopbackPort] = []
    volumes: list[Mount] = []
    depends_on: dict[str, After] = {}
    healthcheck: HealthCheck | None = None
    networks: dict[Literal["default"], Aliases] = {}
    profiles: list[str] = []
    logging: Logging | None = None
    cap_drop: list[Literal["ALL"]] = []
    security_opt: list[str] = []
    shm_size: str | None = None
    stop_grace_period: Duration | None = None


class ComposeFile(Part):
    name: str
    services: dict[str, Service]
    volumes: dict[str, None]
    extensions: dict[str, Any] = Field(default_factory=dict)


def compose_file() -> ComposeFile:
    """Return the checked file; `x-` keys are free by the specification."""
    raw = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return ComposeFile.model_validate({key: value for key, value in raw.items() if not key.startswith("x-")})


FILE = compose_file()
OURS = {name: service for name, service in FILE.services.items() if service.build}
LASTING = {name: service for name, service in FILE.services.items() if name not in ONE_SHOTS}


def role_of(service: Service) -> str | None:
    return service.command[1] if service.command[:1] == ["worker"] else None


def test_every_role_is_a_service_and_every_worker_a_role() -> None:
    workers = {name: role for name, service in OURS.items() if (role := role_of(service))}
    assert set(workers.values()) == ROLES
    assert all(name == role for name, role in workers.items())


@pytest.mark.parametrize("name", OURS)
def test_our_containers_get_settings_that_exist_with_values_they_take(name: str) -> None:
    environment = OURS[name].environment
    kinds = setting_kinds()
    assert set(environment) <= {variable for kind in kinds for variable in kind.variables().values()}
    for kind in kinds:
        given = {
            field if variable.startswith(PREFIX) else variable: environment[variable]
            for field, variable in kind.variables().items()
            if environment.get(variable) is not None
        }
        kind.model_validate(given)


def test_only_the_role_that_writes_gets_the_providers_key() -> None:
    assert {name for name, service in OURS.items() if "OPENAI_API_KEY" in service.environment} == {"generation"}


def test_all_of_ours_count_on_the_same_partitions() -> None:
    assert (
        len({each.environment["THREADS_PARTITIONS"] for each in OURS.values() if "THREADS_KAFKA" in each.environment})
        == 1
    )


def test_our_image_is_the_version_of_the_project_without_privileges() -> None:
    for service in OURS.values():
        assert service.image == OUR_IMAGE
        assert service.build == Build(context="..", dockerfile="deploy/Dockerfile")
        assert (service.cap_drop, service.security_opt) == (["ALL"], ["no-new-privileges:true"])


@pytest.mark.parametrize("name", LASTING)
def test_what_is_to_last_is_checked_and_restarted(name: str) -> None:
    service = LASTING[name]
    assert service.restart == "unless-stopped"
    assert service.healthcheck is not None
    assert service.healthcheck.test[0] == "CMD"
    role = role_of(service)
    if role:
        assert service.healthcheck.test[1:] == ["python", "/opt/threads-agent/worker_health.py", role]
        assert f"{role}-home:{HOME}" in service.volumes


def test_nobody_waits_for_what_is_not_there() -> None:
    for name, service in FILE.services.items():
        assert set(service.depends_on) <= set(FILE.services) - {name}
        for other, after in service.depends_on.items():
            if after.condition == "service_healthy":
                assert FILE.services[other].healthcheck is not None
            if after.condition == "service_completed_successfully":
                assert other in ONE_SHOTS


def test_workers_start_after_the_topics_and_the_stores_they_write_to() -> None:
    for name, service in OURS.items():
        if role_of(service):
            assert {"kafka", "schema-registry", "topics-create"} <= set(service.depends_on)
            store = name.removeprefix("sink-")
            assert store in service.depends_on or store not in {"postgres", "qdrant"}


def test_mounted_files_are_there_and_volumes_declared_and_used() -> None:
    mounts = [mount.split(":")[0] for service in FILE.services.values() for mount in service.volumes]
    for source in mounts:
        if source.startswith("."):
            assert (DEPLOY / source).exists(), source
    assert {source for source in mounts if not source.startswith(".")} == set(FILE.volumes)


def test_grafana_finds_its_provisioning_dashboards_and_variables() -> None:
    grafana = FILE.services["grafana"]
    inside = {source: target for source, target, *_ in (mount.split(":") for mount in grafana.volumes)}
    provisioning = REPOSITORY / "grafana" / "provisioning"
    for folder in provisioning.iterdir():
        assert inside[f"../grafana/provisioning/{folder.name}"] == f"/etc/grafana/provisioning/{folder.name}"
    [provider] = yaml.safe_load((provisioning / "dashboards" / "dashboards.yaml").read_text())["providers"]
    assert provider["options"]["path"] == inside["../grafana/dashboards"]
    home = grafana.environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] or ""
    assert home.startswith(inside["../grafana/dashboards"])
    assert (REPOSITORY / "grafana" / "dashboards" / Path(home).name).exists()
    sources = (provisioning / "datasources" / "datasources.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$__env\{(\w+)\}", sources)) <= set(grafana.environment)


def test_grafana_reads_with_the_account_that_postgres_makes() -> None:
    script = (DEPLOY / "postgres" / "reader.sql").read_text(encoding="utf-8")
    environment = FILE.services["grafana"].environment
    assert f"CREATE ROLE {environment['POSTGRES_READER']} LOGIN" in script
    assert "POSTGRES_READER_PASSWORD" in FILE.services["postgres"].environment
    assert environment["POSTGRES_DATABASE"] == FILE.services["postgres"].environment["POSTGRES_DB"]


def test_prometheus_scrapes_where_the_sink_listens() -> None:
    jobs = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}
    sink = FILE.services["sink-prometheus"]
    assert targets["threads-agent"] == [f"sink-prometheus:{sink.environment['THREADS_METRICS_PORT']}"]
    assert sink.environment["THREADS_METRICS_HOST"] == "0.0.0.0"
    assert not sink.ports


def test_prometheus_scrapes_every_worker_and_names_its_role() -> None:
    jobs = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    [job] = [job for job in jobs if job["job_name"] == "workers"]
    workers = {role: service for service in OURS.values() if (role := role_of(service))}
    ports = {role: service.environment["THREADS_WORKER_METRICS_PORT"] for role, service in workers.items()}
    assert job["static_configs"] == [{"targets": sorted(f"{role}:{port}" for role, port in ports.items())}]
    assert {service.environment["THREADS_WORKER_METRICS_HOST"] for service in workers.values()} == {"0.0.0.0"}
    [rule] = job["relabel_configs"]
    named = [re.fullmatch(rule["regex"], target) for target in job["static_configs"][0]["targets"]]
    assert {found[1] for found in named if found} == ROLES
    assert rule["target_label"] == "role"


def test_prometheus_finds_the_alert_rules_and_tells_the_alertmanager() -> None:
    configuration = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
    mounts = dict(mount.split(":")[:2] for mount in FILE.services["prometheus"].volumes)
    [rules] = configuration["rule_files"]
    folder = DEPLOY / {inside: source for source, inside in mounts.items()}[str(Path(rules).parent)]
    assert [file.name for file in folder.glob(Path(rules).name)] == ["threads-agent.yml"]
    [told] = configuration["alerting"]["alertmanagers"]
    [target] = told["static_configs"][0]["targets"]
    service, port = target.split(":")
    assert FILE.services[service].ports[0].endswith(f":{port}")


def test_alertmanager_reads_the_webhook_from_the_file_that_its_service_writes() -> None:
    service = FILE.services["alertmanager"]
    inside = dict(mount.split(":")[:2] for mount in service.volumes)
    configuration = yaml.safe_load((DEPLOY / "../grafana/alertmanager.yml").read_text(encoding="utf-8"))
    urls = {hook["url_file"] for receiver in configuration["receivers"] for hook in receiver["webhook_configs"]}
    [command] = service.command
    [(variable, written)] = re.findall(r'printf %s "\$\$(\w+)" >(\S+)', command)
    assert urls == {written}
    assert written.startswith(inside["alertmanager-data"] + "/")
    assert variable in service.environment
    assert f"--config.file={inside['../grafana/alertmanager.yml']}" in command


def test_the_scrape_interval_is_the_one_grafana_was_told() -> None:
    scraping = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))["global"]["scrape_interval"]
    sources = (REPOSITORY / "grafana/provisioning/datasources/datasources.yaml").read_text(encoding="utf-8")
    [prometheus] = [each for each in yaml.safe_load(sources)["datasources"] if each["type"] == "prometheus"]
    assert prometheus["jsonData"]["timeInterval"] == scraping


def test_the_broker_is_the_embedded_ones_version_and_is_set_like_it() -> None:
    kafka = FILE.services["kafka"]
    assert kafka.image.partition(":")[2] in COORDINATES[0]
    embedded = dict(line.split("=", 1) for line in render_properties(Node(port=1, controller_port=2)).splitlines())
    addresses = {name for name in embedded if "listeners" in name or name.startswith(("controller.quorum", "log.dirs"))}
    for name, value in embedded.items():
        if name not in addresses:
            assert kafka.environment["KAFKA_" + name.upper().replace(".", "_")] == value, name


def test_every_variable_is_explained_in_the_example_and_passwords_have_no_default() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    example = (DEPLOY / ".env.example").read_text(encoding="utf-8")
    explained = set(re.findall(r"^#?([A-Z_]+)=", example, flags=re.MULTILINE))
    passed_on = {
        key for service in FILE.services.values() for key, value in service.environment.items() if value is None
    }
    assert set(re.findall(r"\$\{([A-Z_]+)", text)) | passed_on == explained
    assert not re.findall(r"\$\{[A-Z_]*PASSWORD:?-", text)


def test_no_two_services_want_the_same_port_of_the_host() -> None:
    published = [
        re.findall(r"([A-Z]+_PORT):-(\d+)", port) for service in FILE.services.values() for port in service.ports
    ]
    assert len({number for [(_, number)] in published}) == len({name for [(name, _)] in published}) == len(published)
