"""Paths."""

import os

# as a virtual cluster's node has it
_ROOT = os.environ.get("STUB_ROOT", "")

CONF_DIR = _ROOT + "/etc/ganeti"
HOOKS_BASE_DIR = CONF_DIR + "/hooks"
RUN_DIR = _ROOT + "/var/run/ganeti"
DATA_DIR = _ROOT + "/var/lib/ganeti"
DAEMON_UTIL = _ROOT + "/usr/lib/ganeti/daemon-util"
CLUSTER_CONF_FILE = DATA_DIR + "/config.data"
