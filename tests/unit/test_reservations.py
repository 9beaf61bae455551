"""What will not start on a node without the plugin, said before it happens."""

import json

import pytest

import conftest
import genuine
import host
from ganeti_kvm_pci.node import reservations
from ganeti_kvm_pci.qemu import q35
from ganeti_kvm_pci.runtime import device_table


def runtime_of(instance, reserved, overflowing=0, disks=2):
  """Make a runtime file, with devices of QEMU's own beyond their range."""
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[0][data[0].index("-name") + 1] = instance
  data[2]["kvm_pci_reservations"] = reserved
  first = data[3][0]
  data[3] = []
  for index in range(disks):
    entry = json.loads(json.dumps(first))
    entry[0]["hvinfo"].update(id="disk-%d" % index,
                              addr=hex(reserved + overflowing + index))
    data[3].append(entry)
  for index, nic in enumerate(data[1]):
    nic["hvinfo"]["addr"] = hex(30 + index)
  for index in range(overflowing):
    data[0] += ["-device", "virtio-rng-pci,bus=pci.0,addr=%s" %
                hex(reserved + index)]
  return json.dumps(data)


@pytest.mark.parametrize("own, value, disks, text", [
  (8, 8, 2, None),
  (9, 8, 2, "QEMU has 9 devices of its own, and kvm_pci_reservations is 8;"
            " gnt-instance modify -H kvm_pci_reservations=12 vm1.ex"),
  (13, 12, 2, "kvm_pci_reservations=13 vm1.ex"),
  (9, 8, 20, "kvm_pci_reservations=10 vm1.ex"),
  (9, 9, 20, None),
  (5, 12, 20, "it has 22 disks and NICs, and kvm_pci_reservations is 12;"
              " gnt-instance modify -H kvm_pci_reservations=10 vm1.ex"),
  (12, 12, 20, "more devices than the bus has slots for"),
  (12, 8, 20, "more devices than the bus has slots for"),
  ])
def test_what_stands_in_the_way(own, value, disks, text):
  known = device_table.parse(runtime_of("vm1.ex", 8, disks=disks), "vm1.ex")
  said = reservations.obstacle(known, own, value, 12)
  if text is None:
    assert said is None
  else:
    assert said.startswith("vm1.ex does not start on a node without")
    assert text in said


def test_without_disks_and_nics_nothing_stands_in_the_way():
  data = json.loads(runtime_of("vm1.ex", 8, disks=0))
  data[1] = []
  known = device_table.parse(json.dumps(data), "vm1.ex")
  assert reservations.obstacle(known, 20, 8, 12) is None


@pytest.fixture
def node(tmpdir):
  made = host.Host(tmpdir)
  made.guests = []
  yield made
  for process in made.guests:
    process.stdin.close()
    process.wait()


def start(node, instance, text):
  """Have an instance run, whose monitor nobody answers at."""
  kvm = node.folder.join("root", "var", "run", "ganeti", "kvm-hypervisor")
  kvm.ensure("conf", instance + ".runtime").write(text)
  node.guests.append(conftest.start_guest(instance))
  kvm.ensure("pid", instance).write(str(node.guests[-1].pid))


def configure(node, cluster, small=12, **own):
  """Have the node's configuration say what is reserved.

  @param small: by the OS of that name, which instances called so have

  """
  node.ssconf("hvparams_kvm", "kernel_args=ro console=ttyS0",
              "kvm_pci_reservations=%d" % cluster)
  node.data.join("config.data").write(json.dumps({
    "cluster": {"os_hvp": {
      "small": {"kvm": {"kvm_pci_reservations": small}, "xen-pvm": {}},
      "other": {"xen-pvm": {"kvm_pci_reservations": 3}},
      "empty": {"kvm": {}}}},
    "instances": dict(
      (str(number), {
        "name": name.replace("_", "."), "hypervisor": "kvm",
        "os": "small" if name.startswith("small") else "other",
        "hvparams": {} if value is None else {"machine_version": value} if
                    isinstance(value, str) else
                    {"kvm_pci_reservations": value}})
      for number, (name, value) in enumerate(own.items()))}))


def test_disable_says_what_will_not_start(node):
  configure(node, 8, vm1_ex=None, vm2_ex=9, vm3_ex=None)
  start(node, "vm1.ex", runtime_of("vm1.ex", 8, 1))
  start(node, "vm2.ex", runtime_of("vm2.ex", 8, 1))
  start(node, "vm3.ex", runtime_of("vm3.ex", 8))
  node.run("enable")
  assert node.run("status").status == 0
  done = node.run("disable")
  assert done.status == 1
  lines = done.err.splitlines()
  assert "vm1.ex does not start on a node without the plugin: QEMU has 9" in (
    lines[0])
  assert "for the cluster (8), vm2.ex (9): on a node without" in lines[1]
  assert "gnt-cluster modify -H kvm:kvm_pci_reservations=12" in lines[1]
  assert not any("vm3.ex" in line for line in lines)
  # and what is off goes on saying it
  for command in ("status", "check"):
    done = node.run(command)
    assert done.status == 1 and "vm1.ex does not start" in done.err


def test_a_node_that_was_never_enabled_says_it_too(node):
  node.ssconf("hvparams_kvm", "kvm_pci_reservations=8")
  done = node.run("status")
  assert done.status == 1 and "for the cluster (8)" in done.err
  assert "enable all other nodes" in node.run("enable").out
  assert (node.run("status").status, node.run("status").err) == (0, "")


def test_twelve_first_then_disable(node):
  configure(node, 12, vm1_ex=None)
  start(node, "vm1.ex", runtime_of("vm1.ex", 8, 1))
  node.run("enable")
  done = node.run("disable")
  assert "does not start" not in done.err and "below" not in done.err


def test_an_os_may_have_a_value_of_its_own(node):
  configure(node, 12, small=8, small1_ex=None, small2_ex=12, vm3_ex=None)
  for name in ("small1.ex", "small2.ex", "vm3.ex"):
    start(node, name, runtime_of(name, 8, 1))
  assert "for the OS small (8): enable all" in node.run("enable").out
  done = node.run("disable")
  assert done.status == 1
  lines = done.err.splitlines()
  assert lines[0].startswith("ganeti-kvm-pci: small1.ex does not start on a"
                             " node without the plugin: QEMU has 9")
  assert "for the OS small (8): on a node without" in lines[1]
  assert not any("2.ex does not" in line or "3.ex does not" in line
                 for line in lines)
  assert "gnt-os modify" in lines[1]


def test_without_the_configuration_the_runtime_files_tell(node):
  node.ssconf("hvparams_kvm", "kvm_pci_reservations=12")
  start(node, "vm1.ex", runtime_of("vm1.ex", 8, 1))
  node.run("enable")
  done = node.run("disable")
  assert "vm1.ex does not start" in done.err
  # of others it cannot know, and says so
  assert "not known here: ask disable on a master candidate" in done.out
  configure(node, 12, vm1_ex=12)
  assert "not known here" not in node.run("disable").out


def test_what_cannot_be_read_is_no_traceback(node):
  node.data.join("config.data").write("[]")
  node.data.join("ssconf_hvparams_kvm").write("kvm_pci_reservations=x\n")
  node.run("enable")
  assert node.run("disable").status == 0


def test_where_ganeti_has_no_such_parameter_there_is_nothing_to_say(
    node, monkeypatch):
  monkeypatch.setenv("GANETI_STUB", "pciqmp")
  configure(node, 8, vm1_ex=8)
  assert (node.run("status").status, node.run("status").err) == (0, "")


def q35_runtime_of(instance, extra=""):
  """Make the runtime file of a q35 guest, ports and all.

  @param extra: its kvm_extra

  """
  data = json.loads(runtime_of(instance, 12))
  data[2].update(machine_version="q35", kvm_extra=extra)
  data[0] = q35.with_ports(data[0] + ["-machine", "q35"] + extra.split(), {})
  for first, devices in ((11, [entry[0] for entry in data[3]]), (3, data[1])):
    for index, device in enumerate(devices):
      device["hvinfo"].update(bus="rp%d" % (first + index), addr="0x0")
  return json.dumps(data)


LEAVE = "leave the plugin on, or set its machine type to pc before its next"
PC = "gnt-instance modify -H machine_version=pc vm1.ex"
Q35 = "it is a q35 guest, and Ganeti 3.0.2 does not know q35"


@pytest.mark.parametrize("is_q35, extra, configured, words", [
  (True, "", None, ["no hot-add and no cold boot", Q35, LEAVE, PC]),
  (True, "", "q35", ["no hot-add and no cold boot", Q35, LEAVE, PC]),
  (True, "", "odd", ["no hot-add and no cold boot", Q35, LEAVE, PC]),
  (True, "-machine q35,smm=on", "", [
    "no hot-add and no cold boot", Q35, LEAVE,
    "take q35 away from kvm_extra of vm1.ex"]),
  # it was said, and done
  (True, "", "pc", ["no hot-add until its next cold boot", Q35,
                    "leave the plugin on until then"]),
  (True, "", "", ["no hot-add until its next cold boot", Q35]),
  (False, "", "pc-q35-7.2", ["vm1.ex takes no cold boot", LEAVE, PC,
                             "its next boot is one as q35, and Ganeti 3.0.2"]),
  (False, "", "q35,smm=on", ["vm1.ex takes no cold boot", LEAVE, PC]),
  (True, "", "pc,accel=tcg", ["no hot-add until its next cold boot", Q35]),
  (False, "", "pc", None), (False, "", None, None), (False, "", "odd", None),
  ])
def test_what_a_q35_guest_cannot_do_without_the_plugin(is_q35, extra,
                                                       configured, words):
  text = (q35_runtime_of("vm1.ex", extra) if is_q35
          else runtime_of("vm1.ex", 12))
  said = reservations.q35_obstacle(device_table.parse(text, "vm1.ex"),
                                   configured, "3.0.2")
  if words is None:
    assert said is None
    return
  print(said)
  assert said.startswith("vm1.ex takes no ")
  assert "on a node without the plugin" in said
  for part in words:
    assert part in said


def test_disable_says_what_a_q35_guest_loses(node):
  configure(node, 12, vm1_ex=None, vm2_ex="pc", vm3_ex="q35")
  start(node, "vm1.ex", q35_runtime_of("vm1.ex"))
  start(node, "vm2.ex", q35_runtime_of("vm2.ex"))
  start(node, "vm3.ex", runtime_of("vm3.ex", 12))
  node.run("enable")
  for command in ("status", "check"):
    assert "node without" not in node.run(command).err
  done = node.run("disable")
  assert done.status == 1
  lines = done.err.splitlines()
  assert len(lines) == 3, lines
  assert "vm1.ex takes no hot-add until its next cold boot" in lines[0]
  assert "vm2.ex takes no hot-add until its next cold boot" in lines[1]
  assert "vm3.ex takes no cold boot" in lines[2]
  for command in ("status", "check"):
    done = node.run(command)
    assert done.status == 1 and "vm3.ex takes no cold boot" in done.err


def test_without_the_configuration_a_q35_guest_is_one_again(node):
  start(node, "vm1.ex", q35_runtime_of("vm1.ex"))
  node.run("enable")
  assert "vm1.ex takes no hot-add and no cold boot" in node.run("disable").err


def test_where_ganeti_knows_q35_nothing_is_said_of_it(node, monkeypatch):
  monkeypatch.setenv("GANETI_STUB", "busmanager")
  start(node, "vm1.ex", q35_runtime_of("vm1.ex"))
  node.run("enable")
  done = node.run("disable")
  assert (done.status, "vm1.ex" in done.err) == (0, False)


def test_reservations_mean_nothing_on_q35(node):
  """8 with 9 devices of QEMU's own; by cluster, OS, or instance."""
  configure(node, 12, vm1_ex=8)
  config = json.loads(node.data.join("config.data").read())
  config["instances"]["0"]["hvparams"]["machine_version"] = "q35"
  node.data.join("config.data").write(json.dumps(config))
  extra = " ".join(["-device virtio-rng-pci"] * 9)
  start(node, "vm1.ex", q35_runtime_of("vm1.ex", extra))
  assert "below" not in node.run("enable").out
  (line, ) = node.run("disable").err.splitlines()
  assert "kvm_pci_reservations" not in line and "q35" in line
  config["instances"]["0"]["hvparams"]["machine_version"] = "pc"
  node.data.join("config.data").write(json.dumps(config))
  assert "vm1.ex (8)" in node.run("enable").out
