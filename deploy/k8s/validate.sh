#!/usr/bin/env bash
# Renders every kustomization, validates the result strictly, lints the Dockerfile and runs the policy tests. Needs
# .venv and no network.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$PWD/.venv/bin
rendered=$(mktemp -d)
trap 'rm -rf "$rendered"' EXIT

for kustomization in deploy/k8s/base/kustomization.yaml deploy/k8s/overlays/*/kustomization.yaml; do
  folder=$(dirname "$kustomization")
  "$bin/kubectl" kustomize "$folder" >"$rendered/${folder//\//-}.yaml"
done
"$bin/kubernetes-validate" --strict --quiet "$rendered"/*.yaml
"$bin/hadolint" deploy/images/Dockerfile
"$bin/python" -m pytest --quiet -p no:cacheprovider deploy/k8s/tests
