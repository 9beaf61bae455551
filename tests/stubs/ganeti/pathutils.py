"""Paths."""

RUN_DIR = "/var/run/ganeti"
DAEMON_UTIL = "/usr/lib/ganeti/daemon-util"
