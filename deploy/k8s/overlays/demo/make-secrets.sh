#!/usr/bin/env bash
# Writes deploy/.secrets/kubernetes/secrets.json, which git ignores. Apply it before the overlay:
#   kubectl apply --namespace carnet --filename deploy/.secrets/kubernetes/secrets.json
set -euo pipefail
cd "$(dirname "$0")/../../../.."
exec .venv/bin/python deploy/k8s/make_secrets.py kubernetes
