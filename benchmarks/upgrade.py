"""What C{ganeti-kvm-pci upgrade} costs on a node with very many instances.

C{benchmarks/upgrade.py [FOLDER]...}: in each folder (by default one on the
disk and one in memory), by turns in one run, the same 10 000 runtime files are
upgraded, and loaded, dumped, written and brought to the disk by nothing but
json and os.fsync. All guests run, as far as the command can see. The files are
genuine ones of all releases, under other names; they are made anew before each
turn, which is not counted. C{FILES} and C{PAIRS} in the environment decide how
much is measured.

"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import results_file

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [HERE, os.path.join(HERE, "tests", "unit")]

import genuine # pylint: disable=C0413
from ganeti_kvm_pci import instance_lock # pylint: disable=C0413
from ganeti_kvm_pci.cli import entry # pylint: disable=C0413
from ganeti_kvm_pci.node import installation # pylint: disable=C0413
from ganeti_kvm_pci.node import runtime_files # pylint: disable=C0413

FILES = int(os.environ.get("FILES", "10000"))
PAIRS = int(os.environ.get("PAIRS", "5"))

#: So many times fewer are upgraded beside, to see whether a file takes as long
#: among few.
PART = 10

#: Of so many it is measured what it is made of.
PART_FILES = 500

#: The upgrade is to 3.1, to which most of the files are old.
VERSION = (3, 1)

#: How many guests share a process; its command line is then about as long as
#: that of a real one.
_GUESTS = 50

AMONG_FEW, AMONG_ALL = "a tenth of the files", "all files"

BARE, UPGRADE = "json and fsync", "ganeti-kvm-pci upgrade"

ABOUT = """\
- json and fsync: each file is read, loaded, dumped, written where it is, and
  brought to the disk; nothing else
- ganeti-kvm-pci upgrade: the command, in this process: the same, and for each
  file whether its guest runs, the lock, two checks of all that is in it, a file
  beside it that is renamed, and the backup. Python's start is not counted

Files of all releases under other names, made anew before each turn; which
come by turns.
"""


def text_of(number):
  """Return the runtime file of one instance, with a name of its own."""
  name = genuine.NAMES[number % len(genuine.NAMES)]
  old = json.loads(genuine.text_of(name))[0][2]
  return genuine.text_of(name).replace(old, "vm%d.ex" % number)


def make_files(folder, texts):
  """Put all files there as they were in the beginning."""
  for path in (folder, runtime_files.control_dir(instance_lock.FOLDER)):
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path)
  for instance, text in texts.items():
    with open(os.path.join(folder, instance + ".runtime"), "w") as stream:
      stream.write(text)
  os.sync()


def bare(folder):
  """Do the least that can be done with the files."""
  for name in sorted(os.listdir(folder)):
    path = os.path.join(folder, name)
    with open(path) as stream:
      data = json.load(stream)
    # not json.dump, which is much slower
    text = json.dumps(data)
    with open(path, "w") as stream:
      stream.write(text)
      stream.flush()
      os.fsync(stream.fileno())


def upgrade(_):
  """Do what the command does."""
  kept, sys.stdout = sys.stdout, open(os.devnull, "w")
  try:
    assert entry.main(["upgrade"]) == 0
  finally:
    sys.stdout.close()
    sys.stdout = kept


def timed(function, folder, texts):
  make_files(folder, texts)
  before = time.perf_counter()
  function(folder)
  return time.perf_counter() - before


def start_guests(folder, instances):
  """Start processes that look like the instances' guests."""
  processes = []
  os.mkdir(folder)
  for first in range(0, len(instances), _GUESTS):
    group = instances[first:first + _GUESTS]
    words = [word for name in group for word in ("-name", name)]
    processes.append(subprocess.Popen(["sh", "-c", "read x"] + words,
                                      stdin=subprocess.PIPE))
    for name in group:
      with open(os.path.join(folder, name), "w") as stream:
        stream.write("%d\n" % processes[-1].pid)
  return processes


def parts(results, texts):
  """Measure what an upgrade is made of, in memory."""
  import upgrade_parts

  texts = dict(sorted(texts.items())[:PART_FILES])
  scratch = tempfile.mkdtemp(dir="/dev/shm")
  runtime_files.RUN_DIR = scratch
  os.mkdir(os.path.join(scratch, "kvm-hypervisor"))
  processes = start_guests(runtime_files.control_dir("pid"), sorted(texts))
  try:
    upgrade_parts.measure(results, bare, make_files, texts, VERSION)
  finally:
    for process in processes:
      process.stdin.close()
      process.wait()
    shutil.rmtree(scratch)


def measure(scratch, texts):
  runtime_files.RUN_DIR = scratch
  os.mkdir(os.path.join(scratch, "kvm-hypervisor"))
  conf = runtime_files.control_dir("conf")
  processes = start_guests(runtime_files.control_dir("pid"), sorted(texts))
  try:
    timed(bare, conf, texts)
    few = dict(sorted(texts.items())[:max(len(texts) // PART, 1)])
    taken = []
    for _ in range(PAIRS):
      among_few = timed(upgrade, conf, few)
      taken.append((timed(bare, conf, texts), timed(upgrade, conf, texts),
                    among_few))
  finally:
    for process in processes:
      process.stdin.close()
      process.wait()
  written = len([name for name in os.listdir(
    runtime_files.control_dir(instance_lock.FOLDER)) if name.endswith(".backup")])
  return (written, taken, len(few))


def where(folder):
  """Tell on what file system a folder is."""
  return subprocess.check_output(
    ["stat", "-f", "-c", "%T", folder]).decode("ascii").strip()


def main():
  installation.become_daemon_python = lambda *_: None
  installation.version = lambda: VERSION
  results = results_file.Results("upgrade", "Upgrade of very many files", ABOUT,
                                 {"files": FILES, "pairs": PAIRS})
  texts = dict(("vm%d.ex" % number, text_of(number))
               for number in range(FILES))
  for parent in sys.argv[1:] or [tempfile.gettempdir(), "/dev/shm"]:
    scratch = tempfile.mkdtemp(dir=parent)
    try:
      written, taken, few = measure(scratch, texts)
    finally:
      shutil.rmtree(scratch)
    group = "%d files on %s" % (FILES, where(parent))
    bare_, ours, among_few = zip(*taken)
    results.add(group, BARE, "s", bare_)
    found = results.add(group, UPGRADE, "s", ours, to=BARE)
    results.tell(group, "upgraded", "%d of the files" % written)
    print("%s: %d of them upgraded, %d pairs: %s %.2f s, upgrade %.2f s, ratio"
          " %.2f (medians)" %
          (group, written, PAIRS, BARE, results.rows[-3]["median"],
           found["median"], found["ratio"]["median"]))
    group = "One file of those on %s" % where(parent)
    for row, values, count, to in (
        (AMONG_FEW, among_few, few, None),
        (AMONG_ALL, ours, FILES, AMONG_FEW)):
      found = results.add(group, row, "ms", [value / count * 1000
                                             for value in values], to)
      print("%s, %s: %.3f ms" % (group, row, found["median"]))
  parts(results, texts)
  results.write()


if __name__ == "__main__":
  main()
