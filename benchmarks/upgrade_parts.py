"""What an upgrade of one runtime file is made of, in CPU time.

Each part that C{ganeti-kvm-pci upgrade} does is done of as many files, by
itself; beside, what json and a write in place take. So it shows what no other
way to write the same could save: the parts are the safety.

"""

import json
import os
import time

from ganeti_kvm_pci.cli import cmd_upgrade
from ganeti_kvm_pci.node import guests
from ganeti_kvm_pci.node import replacement
from ganeti_kvm_pci.node import runtime_files
from ganeti_kvm_pci.runtime import device_table
from ganeti_kvm_pci.runtime import serialized
from ganeti_kvm_pci.runtime import upgrade

GROUP = "Parts of one file's upgrade, CPU"

#: Each is measured so often.
_TIMES = 5

#: The version of QEMU that options are replaced for.
_QEMU = (7, 2)


def _hold(path):
  with guests.alone(path):
    pass


def measure(results, bare, make, texts, version):
  """Add the parts to the results.

  @type results: L{results_file.Results}
  @param bare: function(folder) of json and fsync
  @param make: function(folder, texts) that makes the files anew
  @type texts: dict
  @param texts: instance to its runtime file; its guest seems to run
  @param version: of Ganeti, that the upgrade is to

  """
  conf = runtime_files.control_dir("conf")
  listed = {}

  def seen():
    make(conf, texts)
    return [runtime_files.read(path) for path in runtime_files.all_runtimes()]

  def loaded():
    return [serialized.parse(text, "f") for text in texts.values()]

  def folder():
    make(conf, texts)
    return [conf]

  for name, of, function in (
      ("json and fsync, all of it", folder, bare),
      ("json.loads", texts.values, json.loads),
      ("json.dumps", lambda: [json.loads(text) for text in texts.values()],
       json.dumps),
      ("whether its guest runs, and the lock",
       lambda: folder() and runtime_files.all_runtimes(), _hold),
      ("read", lambda: folder() and runtime_files.all_runtimes(),
       runtime_files.read),
      ("json, keys that stand twice refused", texts.values,
       serialized._DECODER.decode), # pylint: disable=protected-access
      ("check of all values",
       lambda: [json.loads(text) for text in texts.values()],
       lambda data: serialized.Runtime("f", data)),
      ("Ganeti's form", loaded,
       lambda runtime: upgrade.normalise(runtime, version)),
      ("QEMU's options", loaded,
       lambda runtime: cmd_upgrade._renew( # pylint: disable=protected-access
         runtime, _QEMU)),
      ("check of the slots", loaded, device_table.DeviceTable),
      ("written beside, fsync, backup, rename", seen,
       lambda one: replacement.replace(one, one.text, listed=listed))):
    taken = []
    for _ in range(_TIMES):
      items = list(of())
      before = time.process_time()
      for item in items:
        function(item)
      taken.append((time.process_time() - before) / len(texts) * 1e6)
    row = results.add(GROUP, name, "us", taken)
    print("%-40s %7.1f us" % (name, row["median"]))
  make(conf, texts)
  os.sync()
