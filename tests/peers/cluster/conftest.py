"""The fixtures of C{tests/cluster}; run in the lab, by C{make test-peers}."""

import importlib.util
import os

HERE = os.path.dirname(os.path.abspath(__file__))

_SPEC = importlib.util.spec_from_file_location(
  "peers_conftest", os.path.join(os.path.dirname(HERE), "conftest.py"))
_PEERS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_PEERS)
globals().update(_PEERS.borrowed("cluster", HERE))
