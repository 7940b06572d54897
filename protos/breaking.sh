#!/usr/bin/env bash
# Compare the contracts with those on main: nothing that a client relies on may go or change its meaning.
set -euo pipefail
cd "$(dirname "$0")/.."
descriptors=libs/protos/carnet/descriptors.binpb
for base in origin/main main; do
  if git cat-file -e "$base:$descriptors" 2>/dev/null; then
    against=$(mktemp --suffix=.binpb)
    trap 'rm -f "$against"' EXIT
    git show "$base:$descriptors" >"$against"
    .venv/bin/buf breaking "$descriptors" --against "$against" --config protos/buf.yaml
    exit
  fi
done
echo "contracts: nothing on main to compare with yet"
