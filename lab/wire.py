"""The wire between the lab's two nodes, which may be slow, and cut."""

import contextlib

from commands import on, wait_until

#: The wire to the other node.
WIRE = {"node1": "eth2", "node2": "eth1"}

#: How often TCP tries again before it gives a connection up.
_RETRIES = "/proc/sys/net/ipv4/tcp_retries2"


@contextlib.contextmanager
def shaped(node, *words):
  """Have the wire of a node be slow.

  @param words: what tells C{tc} how

  """
  on(node, "tc", "qdisc", "add", "dev", WIRE[node], "root", *words)
  try:
    yield
  finally:
    on(node, "tc", "qdisc", "del", "dev", WIRE[node], "root")


def slow(node, mbit):
  """Have the wire of a node be slow.

  @param mbit: Mbit/s that leave the node

  """
  return shaped(node, "tbf", "rate", "%dmbit" % mbit, "burst", "64kb",
                "latency", "400ms")


@contextlib.contextmanager
def impatient(node):
  """Have TCP on a node give up what is not answered within ten seconds."""
  usual = on(node, "cat", _RETRIES).output.strip()
  on(node, "sh", "-c", "echo 4 > " + _RETRIES)
  try:
    yield
  finally:
    on(node, "sh", "-c", "echo %s > %s" % (usual, _RETRIES))


@contextlib.contextmanager
def cut():
  """Have the wire between the nodes be cut.

  Done on node1, where scenarios run; the other one cannot be reached then.

  """
  on("node1", "ip", "link", "set", WIRE["node1"], "down")
  try:
    yield
  finally:
    on("node1", "ip", "link", "set", WIRE["node1"], "up")
    wait_until(lambda: on("node2", "true", check=False).returncode == 0,
               "node2 can be reached", interval=1)
