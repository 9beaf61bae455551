"""What stands in for QEMU makes no difference to the command.

Unmodified Ganeti, started as in a golden case, writes the runtime file that the
same release wrote when it ran on a real QEMU (tests/data).

"""

import glob
import io
import json
import os
import re

import pytest

import harness
import node

DATA = os.path.join(os.path.dirname(node.HERE), "data")

#: The only release whose files have another name.
_MASTER = "3.2.0~alpha1"


def _files():
  """List the genuine runtime files that this release wrote at a start."""
  release = "v" + node.STATE
  if release == "v" + _MASTER:
    release = "master"
  return sorted(os.path.basename(path) for path in
                glob.glob(os.path.join(DATA, release + "-*.runtime"))
                if "+" not in path)


def _load(path):
  with io.open(path, encoding="utf-8") as stream:
    return json.load(stream)


def _instance(genuine):
  """Return the instance that a genuine runtime file is of."""
  words, nics, hvparams = genuine[:3]
  instance = harness.instance_of(len(nics))
  instance.hvparams = dict(hvparams)
  instance.name = words[words.index("-name") + 1].partition(",")[0]
  instance.uuid = words[words.index("-uuid") + 1]
  instance.beparams["maxmem"] = instance.beparams["minmem"] = \
    words[words.index("-m") + 1]
  port = re.search(r",port=(\d+)", " ".join(str(word) for word in words))
  instance.network_port = int(port.group(1)) if port else 11000
  return instance


@pytest.mark.skipif(not _files(), reason="there are no genuine runtime files of"
                    " Ganeti %s" % node.STATE)
@pytest.mark.parametrize("name", _files())
def test_the_command_is_that_of_a_real_start(name, tmpdir, monkeypatch):
  genuine = _load(os.path.join(DATA, name))
  here = node.Node(str(tmpdir), monkeypatch, "unmodified")
  instance = _instance(genuine)
  disk_type = genuine[2]["disk_type"]
  if disk_type == "scsi" and node.VERSION in ("3.1", "3.2"):
    pytest.skip("Ganeti %s no longer starts disk_type scsi" % node.VERSION)
  here.hyper.StartInstance(
    instance, [(harness.disk(n), node.LINK % n, None)
               for n in range(len(genuine[3]))], False)
  made = _load(here.path(instance))
  assert [here.neutral(str(word)) for word in made[0]] == \
    [str(word) for word in genuine[0]]
  assert ([entry[0].get("hvinfo", {}).get("addr") for entry in made[3]],
          [entry[0].get("pci") for entry in made[3]]) == (
            [entry[0].get("hvinfo", {}).get("addr") for entry in genuine[3]],
            [entry[0].get("pci") for entry in genuine[3]])
