"""Guests of the types pc and q35, by which each QEMU means another one.

With MACHINE_VERSIONS=all between each two of 5.2, 7.2, 10.0 and 11.1.

"""

import itertools
import json
import os
import shutil
import tempfile

import pytest

from ganeti import errors
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci import qemu_version

from qemu_state import run_state
import nodes
import qemu_roots
import test_migration
from test_migration import Pair
from test_migration import arrives

HERE = qemu_version.version(nodes.QEMU)

#: Those that are tried: from the older to the newer, and back.
PAIRS = [((7, 2), (10, 0))]
if os.environ.get("MACHINE_VERSIONS") == "all":
  PAIRS = list(itertools.combinations([(5, 2), (7, 2), (10, 0), (11, 1)], 2))

#: Between Debian's 10.0.13 and 11.1.3, QEMU itself does not load the state of
#: virtio-net, whoever started both with pc-i440fx-10.0 or pc-q35-10.0.
NOT_LOADED = ((10, 0), (11, 1))


def show(version):
  return "%d.%d" % version


def type_of(version):
  """Name what pc, or q35, is to a QEMU."""
  return "pc-%s-%s" % ("i440fx" if nodes.ON_PC else "q35", show(version))


def between(pairs):
  return pytest.mark.parametrize(
    "versions", pairs, ids=["%s and %s" % (show(a), show(b))
                            for a, b in pairs])


@pytest.fixture
def programs(versions, tmpdir):
  """Provide the programs of two versions of QEMU."""
  found = {}
  for version in versions:
    found[version] = nodes.QEMU if version == HERE else \
      version in qemu_roots.OF_SUITE and qemu_roots.install(
        str(tmpdir.join("qemu-%s" % show(version))), version)
    if not found[version]:
      pytest.skip("no QEMU %s here" % show(version))
  return found


@pytest.fixture
def make_pair(programs):
  """Provide a function that makes a pair of nodes, from one QEMU to the other.

  """
  made = []
  # names of sockets are short
  top = tempfile.mkdtemp()

  def make(source, target, which="plugin"):
    if nodes.unfit(which):
      pytest.skip(nodes.unfit(which))
    folder = os.path.join(top, "pair%d" % len(made))

    class Two(Pair):
      """Each node with a QEMU of its own."""
      @staticmethod
      def node(which, folder):
        return nodes.Node(which, folder, programs[
          source if folder.endswith("source") else target])

      def told(self):
        # of each QEMU its own
        hv_kvm.pathutils.LOG_KVM_DIR = self.target.folder
        return super(Two, self).told()
    made.append(Two(which, which, folder))
    hv_kvm.pathutils.LOG_KVM_DIR = made[-1].source.folder
    return made[-1]

  try:
    yield make
  finally:
    for pair in made:
      pair.stop()
    shutil.rmtree(top)


def running(node):
  """Ask a QEMU for its machine type."""
  name = node.watch().execute("qom-get", path="/machine", property="type")
  assert name.endswith("-machine")
  return name[:-len("-machine")]


def named(text):
  """List the machine types that a runtime file names."""
  words = json.loads(text)[0]
  found = [word.partition(",")[0].replace("type=", "")
           for flag, word in zip(words, words[1:])
           if flag in ("-M", "-machine")]
  return [name for name in found if "=" not in name]


def runtime_file(node):
  with open(node.hyper._InstanceKVMRuntime(nodes.NAME)) as stream:
    return stream.read()


def begin(pair):
  """Start a guest that has nothing to boot."""
  parameters = dict(test_migration.CAREFUL, migration_port=8102,
                    machine_version=nodes.MACHINE_TYPE)
  pair.source.start(**parameters)
  pair.target.adopt(nodes.NAME, dict(pair.source.instance.hvparams,
                                     kvm_path=pair.target.qemu))
  for node in (pair.source, pair.target):
    node.instance.primary_node = "node1"
    if test_migration.patched.has("migration"):
      test_migration.configure(node, range(4))


def turned(pair, make_pair, versions):
  """Have the target of a pair be the source of another one."""
  back = make_pair(versions[1], versions[0])
  back.source = pair.target
  # the disks are where they were
  back.target.adopt(nodes.NAME, dict(pair.source.instance.hvparams,
                                     kvm_path=back.target.qemu))
  back.target.instance.primary_node = "node1"
  if test_migration.patched.has("migration"):
    test_migration.configure(back.target, range(4))
  back.report = pair.report
  return back


@between(PAIRS)
def test_it_moves_to_a_newer_qemu_and_back(make_pair, versions, guest):
  pair = make_pair(*versions)
  pair.start(guest, machine_version=nodes.MACHINE_TYPE)
  kept = type_of(versions[0])
  assert running(pair.source) == kept
  assert named(runtime_file(pair.source)) == [nodes.MACHINE_TYPE]
  info = pair.accept()
  assert named(info) == [kept] and running(pair.target) == kept
  if versions == NOT_LOADED:
    assert pair.migrate() == "failed"
    assert "VQ 0 vring.num 1024 exceeds" in pair.target.log()
    pair.finalize(info, False)
    test_migration.is_alive(pair, pair.source)
    return
  arrives(pair, info)
  assert named(runtime_file(pair.target)) == [kept]
  back = turned(pair, make_pair, versions)
  info = back.accept()
  assert named(info) == [kept] and running(back.target) == kept
  arrives(back, info)
  assert named(runtime_file(back.target)) == [kept]


@between(PAIRS)
def test_what_an_older_qemu_does_not_have_is_refused(make_pair, versions):
  """In words, and before anything is started; the guest goes on."""
  pair = make_pair(versions[1], versions[0])
  begin(pair)
  with pytest.raises(errors.HypervisorError) as caught:
    pair.accept()
  text = str(caught.value)
  print(text)
  for part in (nodes.NAME, "is not migrated, and goes on where it is",
               "machine type %s: QEMU %s (" % (type_of(versions[1]),
                                              show(versions[0])),
               "does not have it, it came with QEMU %s" % show(versions[1]),
               "migrate it to a node whose QEMU has it",
               "shut the instance down and start it"):
    assert part in text
  assert pair.target.log() == "" and not os.path.exists(
    pair.target.hyper._InstancePidFile(nodes.NAME))
  assert run_state(pair.source) == "running"


@between(PAIRS)
def test_unmodified_ganeti_does_not_move_it(make_pair, versions):
  """The other QEMU makes its own newest of the same word, and gives up."""
  pair = make_pair(versions[0], versions[1], "unmodified")
  begin(pair)
  pair.accept()
  assert running(pair.source) == type_of(versions[0])
  assert running(pair.target) == type_of(versions[1])
  pid = pair.target.pid()
  # without an answer of the target's, QEMU may say either
  print(pair.migrate())
  test_migration.ended(pid)
  text = pair.target.log()
  print(text)
  for version in versions:
    assert type_of(version) in text
