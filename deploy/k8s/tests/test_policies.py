"""What every manifest must keep to, checked on what kustomize renders; no cluster and no network."""

from __future__ import annotations

import importlib
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from carnet_local.binaries import nats_binary
from carnet_local.nats_permissions import PERMISSIONS, SERVICES
from carnet_local.state import open_state
from chassis.config import ServiceSettings, load

K8S = Path(__file__).resolve().parents[1]
OVERLAYS = sorted(path.parent for path in (K8S / "overlays").glob("*/kustomization.yaml"))
FILES = "/run/carnet"

Manifest = dict[str, Any]


@cache
def rendered(folder: Path) -> list[Manifest]:
    """Return what a folder's kustomization renders to."""
    kubectl = Path(sys.executable).with_name("kubectl")
    output = subprocess.run([kubectl, "kustomize", folder], check=True, capture_output=True, text=True)
    return [manifest for manifest in yaml.safe_load_all(output.stdout) if manifest]


def find(folder: Path, kind: str, name: str) -> Manifest:
    """Return the one manifest of a kind and a name."""
    (found,) = [m for m in rendered(folder) if m["kind"] == kind and m["metadata"]["name"] == name]
    return found


@dataclass(frozen=True)
class Workload:
    """A manifest that makes pods."""

    manifest: Manifest

    @property
    def name(self) -> str:
        """Its kind and name."""
        return f"{self.manifest['kind']}/{self.manifest['metadata']['name']}"

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of its pods."""
        labels: Mapping[str, str] = self.manifest["spec"]["template"]["metadata"]["labels"]
        return labels

    @property
    def pod(self) -> Manifest:
        """The pod's spec."""
        pod: Manifest = self.manifest["spec"]["template"]["spec"]
        return pod

    @property
    def containers(self) -> list[Manifest]:
        """Every container, the initial ones too."""
        return [*self.pod["containers"], *self.pod.get("initContainers", [])]

    def secrets(self) -> Iterator[tuple[str, str | None]]:
        """Give the name of every Secret it reads, and the key when it names one."""
        for volume in self.pod.get("volumes", []):
            for source in [volume, *volume.get("projected", {}).get("sources", [])]:
                if secret := source.get("secret"):
                    yield secret.get("secretName") or secret["name"], None
        for container in self.containers:
            for variable in container.get("env", []):
                if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                    yield reference["name"], reference["key"]


def workloads(folder: Path) -> list[Workload]:
    """Return everything that makes pods."""
    return [Workload(m) for m in rendered(folder) if m["kind"] in {"Deployment", "StatefulSet", "Job"}]


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Apply a label selector, as far as the manifests use the language."""
    return all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items()) and all(
        labels.get(e["key"]) in e["values"] and e["operator"] == "In"
        for e in selector.get("matchExpressions", [])
    )


def environment_of(folder: Path, service: str) -> dict[str, str]:
    """Return the variables that a service's pods get."""
    (container,) = find(folder, "Deployment", service)["spec"]["template"]["spec"]["containers"]
    variables: dict[str, str] = {}
    for source in container["envFrom"]:
        variables |= find(folder, "ConfigMap", source["configMapRef"]["name"]).get("data", {})
    return variables | {variable["name"]: variable["value"] for variable in container["env"]}


def settings_of(service: str) -> type[ServiceSettings]:
    """Return a service's settings."""
    settings: type[ServiceSettings] = importlib.import_module(f"{service}.config").Settings
    return settings


def setting_named(variable: str) -> str:
    """Return the variable that CARNET_X or CARNET_X_FILE sets."""
    return variable.removesuffix("_FILE")


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, str]]:
    """Return the secrets that make_secrets.py would write."""
    made: Mapping[str, Mapping[str, str]] = runpy.run_path(str(K8S / "make_secrets.py"))["secrets_of"](
        open_state(tmp_path_factory.mktemp("state"))
    )
    return made


by_overlay = pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
by_service = pytest.mark.parametrize("service", SERVICES)


@by_overlay
def test_no_container_has_more_rights_than_it_needs(overlay: Path) -> None:
    for workload in workloads(overlay):
        pod = workload.pod
        assert pod["automountServiceAccountToken"] is False, workload.name
        assert pod["enableServiceLinks"] is False, workload.name
        assert pod["securityContext"]["runAsNonRoot"] is True, workload.name
        assert pod["securityContext"]["runAsUser"] > 0, workload.name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, workload.name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), workload.name
        assert not any("hostPath" in volume for volume in pod.get("volumes", [])), workload.name
        for container in workload.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, workload.name


@by_overlay
def test_every_container_has_requests_limits_and_a_tagged_image(overlay: Path) -> None:
    for workload in workloads(overlay):
        for container in workload.containers:
            for kind in ("requests", "limits"):
                assert set(container["resources"][kind]) >= {"cpu", "memory"}, workload.name
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            assert tag not in {"", "latest"}, workload.name


@by_overlay
def test_everything_that_serves_has_all_three_probes(overlay: Path) -> None:
    for workload in workloads(overlay):
        if workload.manifest["kind"] != "Job":
            for container in workload.containers:
                missing = {"startupProbe", "readinessProbe", "livenessProbe"} - container.keys()
                assert not missing, workload.name


@by_overlay
@by_service
def test_every_service_has_all_its_manifests(overlay: Path, service: str) -> None:
    labels = Workload(find(overlay, "Deployment", service)).labels
    for kind in ("NetworkPolicy", "PodDisruptionBudget"):
        spec = find(overlay, kind, service)["spec"]
        assert matches(spec.get("podSelector") or spec["selector"], labels)
    address = find(overlay, "Service", service)["spec"]
    assert address["clusterIP"] == "None", "gRPC clients go round the pods' own addresses"
    assert matches({"matchLabels": address["selector"]}, labels)
    migration = Workload(find(overlay, "Job", f"{service}-migrate"))
    assert migration.containers[0]["args"] == ["migrate"]
    assert (
        migration.containers[0]["image"]
        == Workload(find(overlay, "Deployment", service)).containers[0]["image"]
    )


@by_overlay
@by_service
def test_every_variable_is_a_setting_and_every_setting_is_set_or_has_a_default(
    overlay: Path, service: str
) -> None:
    fields = settings_of(service).model_fields
    known = {f"CARNET_{name.upper()}" for name in fields}
    required = {f"CARNET_{name.upper()}" for name, field in fields.items() if field.is_required()}
    told = {setting_named(variable) for variable in environment_of(overlay, service)}
    assert told <= known
    assert required <= told


@by_overlay
@by_service
def test_each_service_accepts_what_it_is_told(
    overlay: Path, service: str, secrets: Mapping[str, Mapping[str, str]], tmp_path: Path
) -> None:
    for name, value in secrets[service].items():
        (tmp_path / name).write_text(value)
    environment = {
        variable: value.replace(FILES, str(tmp_path)) if variable.endswith("_FILE") else value
        for variable, value in environment_of(overlay, service).items()
    }
    load(settings_of(service), environment)


@by_service
def test_compose_tells_a_service_the_same_as_kubernetes_does(service: str) -> None:
    compose = yaml.safe_load((K8S.parent / "compose.yaml").read_text())
    told = set(compose["services"][service]["environment"])
    fields = {f"CARNET_{name.upper()}": field for name, field in settings_of(service).model_fields.items()}
    elsewhere = environment_of(OVERLAYS[0], service)
    assert told <= elsewhere.keys()
    assert all(not fields[setting_named(variable)].is_required() for variable in elsewhere.keys() - told)


@by_overlay
@by_service
def test_a_service_gets_time_to_finish_its_calls(overlay: Path, service: str) -> None:
    pod = Workload(find(overlay, "Deployment", service)).pod
    before = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = float(environment_of(overlay, service)["CARNET_DRAIN_SECONDS"])
    assert pod["terminationGracePeriodSeconds"] > before + drain + 5


@by_overlay
def test_only_its_migration_job_knows_an_owners_password(overlay: Path) -> None:
    readers = {
        (workload.name, name)
        for workload in workloads(overlay)
        for name, _ in workload.secrets()
        if name.endswith("-owner")
    }
    assert readers == {(f"Job/{service}-migrate", f"{service}-owner") for service in SERVICES}


@by_overlay
def test_every_secret_that_is_read_is_one_that_can_be_made(
    overlay: Path, secrets: Mapping[str, Mapping[str, str]]
) -> None:
    for workload in workloads(overlay):
        for name, key in workload.secrets():
            assert name in secrets, workload.name
            assert key is None or key in secrets[name], workload.name


@pytest.mark.parametrize("folder", [K8S / "base", *OVERLAYS], ids=lambda path: path.name)
def test_no_manifest_holds_a_secret(folder: Path, secrets: Mapping[str, Mapping[str, str]]) -> None:
    assert all(manifest["kind"] != "Secret" for manifest in rendered(folder))
    text = json.dumps(rendered(folder))
    assert not re.search(r"://[^/\s\"@]*:[^/\s\"@]+@", text), "an address with a password"
    assert "PRIVATE KEY" not in text
    by_file = {f"CARNET_{name.upper()}" for service in SERVICES for name in secrets[service]}
    assert not re.findall(
        rf'"(?:{"|".join(sorted(by_file))})"', text.replace('"CARNET_DATABASE_URL", "valueFrom"', "")
    )


@by_overlay
def test_nothing_may_talk_unless_a_policy_says_so(overlay: Path) -> None:
    spec = find(overlay, "NetworkPolicy", "default-deny")["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@by_overlay
@by_service
def test_a_service_may_call_exactly_the_services_whose_addresses_it_has(overlay: Path, service: str) -> None:
    told = environment_of(overlay, service)
    has = {other for other in SERVICES if f"CARNET_{other.upper()}_ADDRESS" in told}
    assert {other for other in SERVICES if _may_reach(overlay, service, other)} == has


def _may_reach(overlay: Path, caller: str, callee: str, port: int = 50051) -> bool:
    """Say whether both sides' policies let a connection through."""
    ends = [Workload(find(overlay, "Deployment", name)).labels for name in (caller, callee)]

    def lets(direction: str, own: Mapping[str, str], other: Mapping[str, str]) -> bool:
        peers = "to" if direction == "egress" else "from"
        return any(
            port in {entry["port"] for entry in rule["ports"]}
            and any(
                "namespaceSelector" not in peer and matches(peer["podSelector"], other)
                for peer in rule.get(peers, [])
                if "podSelector" in peer
            )
            for manifest in rendered(overlay)
            if manifest["kind"] == "NetworkPolicy" and matches(manifest["spec"]["podSelector"], own)
            for rule in manifest["spec"].get(direction) or []
        )

    return lets("egress", ends[0], ends[1]) and lets("ingress", ends[1], ends[0])


def test_only_outreach_gets_out_to_a_language_model_and_only_where_an_overlay_says_so(tmp_path: Path) -> None:
    def let_out(folder: Path) -> set[str]:
        selectors = [
            manifest["spec"]["podSelector"]
            for manifest in rendered(folder)
            if manifest["kind"] == "NetworkPolicy"
            and any(
                "ipBlock" in peer
                for rule in manifest["spec"].get("egress") or []
                for peer in rule.get("to", [])
            )
        ]
        pods = workloads(folder)
        return {pod.name for pod in pods if any(matches(selector, pod.labels) for selector in selectors)}

    assert all(let_out(overlay) == {"Deployment/gateway"} for overlay in OVERLAYS)
    near = Path(os.path.relpath(K8S, tmp_path.resolve()))
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "resources": [str(near / "overlays" / "demo")],
                "components": [str(near / "components" / "draft-model")],
            }
        )
    )
    assert let_out(tmp_path) == {"Deployment/gateway", "Deployment/outreach"}


@by_overlay
def test_every_selector_finds_a_pod(overlay: Path) -> None:
    pods = [workload.labels for workload in workloads(overlay)]
    for manifest in rendered(overlay):
        name = f"{manifest['kind']}/{manifest['metadata']['name']}"
        spec = manifest.get("spec", {})
        if manifest["kind"] == "Service":
            assert any(matches({"matchLabels": spec["selector"]}, labels) for labels in pods), name
        elif manifest["kind"] == "NetworkPolicy":
            rules = [*(spec.get("ingress") or []), *(spec.get("egress") or [])]
            peers = [peer for rule in rules for peer in [*rule.get("from", []), *rule.get("to", [])]]
            near = [p["podSelector"] for p in peers if "podSelector" in p and "namespaceSelector" not in p]
            for selector in [spec["podSelector"], *near]:
                assert any(matches(selector, labels) for labels in pods), (name, selector)


@by_overlay
def test_nats_knows_exactly_the_users_and_permissions_of_the_platform(
    overlay: Path, secrets: Mapping[str, Mapping[str, str]], tmp_path: Path
) -> None:
    (configuration,) = [
        manifest["data"]["nats.conf"]
        for manifest in rendered(overlay)
        if manifest["kind"] == "ConfigMap" and "nats.conf" in manifest.get("data", {})
    ]
    assert configuration == runpy.run_path(str(K8S / "nats_conf.py"))["nats_conf"](), (
        "write it anew: python deploy/k8s/nats_conf.py > deploy/k8s/overlays/demo/nats.conf"
    )
    assert set(re.findall(r"user: (\w+)", configuration)) == PERMISSIONS.keys()
    (tmp_path / "nats.conf").write_text(configuration)
    (tmp_path / "passwords.conf").write_text(secrets["nats"]["passwords.conf"])
    subprocess.run([nats_binary(), "-t", "--config", tmp_path / "nats.conf"], check=True, capture_output=True)


@by_overlay
def test_the_databases_are_those_of_the_services(
    overlay: Path, secrets: Mapping[str, Mapping[str, str]]
) -> None:
    (script,) = [
        manifest["data"]["databases.sh"]
        for manifest in rendered(overlay)
        if manifest["kind"] == "ConfigMap" and "databases.sh" in manifest.get("data", {})
    ]
    assert f"for service in {' '.join(SERVICES)};" in script
    assert secrets["databases"].keys() == {"postgres"} | {
        role for service in SERVICES for role in (service, f"{service}_owner")
    }
