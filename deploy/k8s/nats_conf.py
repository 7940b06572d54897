"""Write the NATS server's configuration: one user per service with the permissions of carnet_local.nats_permissions.

python deploy/k8s/nats_conf.py > deploy/k8s/overlays/demo/nats.conf

The passwords are variables; they stand in passwords.conf, which only a Secret holds.
"""

import json
import sys

from carnet_local.nats_permissions import PERMISSIONS


def nats_conf() -> str:
    """Return the file; the policy tests compare it with the committed one."""
    users = ",\n".join(
        f"    {{user: {user}, password: ${user}_password, permissions: {{\n"
        f"      publish: {{allow: {json.dumps(permissions.publish)}}}\n"
        f"      subscribe: {{allow: {json.dumps(permissions.subscribe)}}}\n"
        f"    }}}}"
        for user, permissions in PERMISSIONS.items()
    )
    return f"""\
# Written by deploy/k8s/nats_conf.py from carnet_local/nats_permissions.py; not edited by hand.
include ./passwords.conf
listen: "0.0.0.0:4222"
http: "0.0.0.0:8222"
jetstream {{
  store_dir: "/data"
  # By default a publish is acknowledged up to two minutes before it is on disk.
  sync_interval: always
}}
authorization {{
  users: [
{users}
  ]
}}
"""


if __name__ == "__main__":
    sys.stdout.write(nats_conf())
