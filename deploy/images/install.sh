#!/bin/bash
# The steps of the Dockerfile; it runs inside the build only, with /build mounted or copied.
#
#   list MEMBER          write which locked versions a member needs, with what its libraries need
#   tool NAME            install a locked build tool into /build/tool
#   wheels FOLDER...     build members with it
#   third-party MEMBER   install that list into /opt/carnet; what is there already stays as it is
#   members SERVICE      install the service, the chassis and the contracts from their wheels
set -euo pipefail
cd /build
export UV_NO_PROGRESS=1 UV_NO_CACHE=1

locked() { # the lock is given as constraints: the list says which, the lock says with which hashes
  ./uv pip install --quiet --require-hashes --no-build --constraints requirements.lock "$@"
}

compiled() { # standard input without versions -> names and versions, as the lock has them
  ./uv pip compile --quiet --no-header --no-annotate --constraints requirements.lock - --output-file "$1"
}

dependencies() { # what the members' pyproject.toml name, beside one another
  python - "$@" <<'PYTHON'
import sys, tomllib
from pathlib import Path

for member in sys.argv[1:]:
    needs = tomllib.loads(Path("members", member, "pyproject.toml").read_text())["project"]["dependencies"]
    print(*(need for need in needs if not need.startswith("carnet-")), sep="\n")
PYTHON
}

case $1 in
  list) dependencies chassis protos "$2" | compiled "$2.txt" ;;
  tool)
    compiled "$2.txt" <<<"$2"
    ./uv venv --quiet tool
    locked --python tool --requirements "$2.txt"
    ;;
  wheels)
    for folder in "${@:2}"; do (cd "$folder" && /build/tool/bin/hatchling build -t wheel -d /build/wheels); done
    ;;
  third-party)
    [[ -d /opt/carnet ]] || ./uv venv --quiet /opt/carnet
    # Compiled here, since the root file system is read-only where the service runs.
    locked --compile-bytecode --python /opt/carnet --requirements "$2.txt"
    ;;
  members)
    ./uv pip install --quiet --no-deps --offline --compile-bytecode --python /opt/carnet \
      wheels/carnet_{protos,chassis,"$2"}-*.whl
    ;;
esac
