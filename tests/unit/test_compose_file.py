"""What ``docker-compose.yaml`` promises: it fits the specification, starts nothing without secrets, opens nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pas_lib.settings import PROJECT_ROOT, load_settings, setting_names
from pas_lib.stack.secrets_file import COMPOSE_SECRETS, ensure_compose_secrets
from tests.support.compose import FILE, Unset, load

OWN = "portfolio-allocation-system"


@pytest.fixture(scope="module")
def secrets() -> dict[str, str]:
    return {name: make() for name, make in COMPOSE_SECRETS.items()}


@pytest.fixture(scope="module")
def services(secrets: dict[str, str]) -> dict[str, Any]:
    return dict(load(secrets)["services"])


def test_it_fits_the_compose_specification() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(set(COMPOSE_SECRETS)))
def test_without_any_one_secret_it_refuses(secrets: dict[str, str], name: str) -> None:
    with pytest.raises(Unset, match=f"^{name}: run make env"):
        load({key: value for key, value in secrets.items() if key != name})


def test_env_is_written_once_private_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in COMPOSE_SECRETS:
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / ".env"
    path.write_text("PAS_BROKER=sandbox\nREDIS_PASSWORD=mine\n")
    made = ensure_compose_secrets(path)
    assert set(made) == set(COMPOSE_SECRETS) - {"REDIS_PASSWORD"}
    assert path.stat().st_mode & 0o777 == 0o600
    first = path.read_text()
    assert "REDIS_PASSWORD=mine\n" in first
    assert ensure_compose_secrets(path) == []
    assert path.read_text() == first
    # The settings can be read beside them.
    assert load_settings({}, root=tmp_path).broker == "sandbox"


def test_every_published_port_is_on_loopback(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"airflow-api-server", "api", "prometheus", "grafana"}
    for ports in published.values():
        assert all(port.startswith("127.0.0.1:") for port in ports)


def test_our_programs_are_not_root_and_share_one_image(services: dict[str, Any]) -> None:
    own = {name: service for name, service in services.items() if service["image"].startswith(OWN)}
    assert len(own) == 9
    assert {service["image"] for service in own.values()} == {f"{OWN}:latest"}
    for name, service in own.items():
        assert service["user"] == "10001:10001", name
        assert service["cap_drop"] == ["ALL"], name
        assert service["volumes"] == ["home:/var/lib/pas"], name


def test_others_images_name_their_version(services: dict[str, Any]) -> None:
    for service in services.values():
        if not service["image"].startswith(OWN):
            tag = service["image"].partition(":")[2]
            assert tag[:1].isdigit() or tag[:1] == "v", service["image"]
            assert "." in tag


def test_a_program_gets_no_secret_it_does_not_need(services: dict[str, Any], secrets: dict[str, str]) -> None:
    def holds(service: str, secret: str) -> bool:
        text = repr(services[service].get("environment", {})) + repr(services[service].get("command", ""))
        return secrets[secret] in text

    assert not holds("api", "WAREHOUSE_DB_PASSWORD")
    assert not holds("api", "AIRFLOW_DB_PASSWORD")
    assert not holds("sandbox", "AIRFLOW_FERNET_KEY")
    for name in services:
        assert holds(name, "POSTGRES_PASSWORD") == (name == "postgres")
        assert holds(name, "API_TOKEN") == (name == "api")


def test_every_setting_it_passes_exists(services: dict[str, Any]) -> None:
    known = set(setting_names())
    for name, service in services.items():
        passed = {key for key in service.get("environment", {}) if key.startswith("PAS_")}
        assert passed <= known, name


def test_the_settings_of_every_program_are_valid(services: dict[str, Any], tmp_path: Path) -> None:
    for name, service in services.items():
        if service["image"].startswith(OWN):
            assert load_settings(service["environment"], root=tmp_path).sandbox_url == "http://sandbox:8765", name


def test_what_it_mounts_and_builds_from_is_there(services: dict[str, Any]) -> None:
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("./"):
                assert (PROJECT_ROOT / source).exists(), source
    assert (PROJECT_ROOT / services["api"]["build"]["dockerfile"]).is_file()
