"""A guest that moves after its parameters were changed, and not booted since.

It keeps those that it was started with; some are the node's alone.

"""

import os

import pytest

from ganeti import errors

from moving import ended, pair # pylint: disable=unused-import
from nodes import DISK, NIC
from test_migration import HERE, is_plugin
import nodes


def change(pair, **hvparams):
  for node in (pair.source, pair.target):
    node.instance.hvparams.update(hvparams)


def moves(pair):
  pair.arrives(pair.accept())
  pair.is_right(pair.target)


#: What they were, and what they are by now.
CHANGES = [
  ({}, {"kvm_pci_reservations": 8}),
  ({}, {"kvm_pci_reservations": 20}),
  ({}, {"disk_type": "ide"}),
  ({}, {"disk_type": "scsi-hd", "scsi_controller_type": "virtio-scsi-pci"}),
  ({}, {"nic_type": "e1000"}),
  ({}, {"kvm_extra": " ".join(["-device virtio-rng-pci"] * 9)}),
  ({"kvm_extra": "-device virtio-rng-pci,id=rng0,addr=0x1e"}, {"kvm_extra": ""}),
  ({}, {"machine_version": "pc-i440fx-5.2"}),
  ({}, {"acpi": False}),
  ({}, {"cpu_type": "qemu64", "soundhw": "ac97"}),
  ({}, {"migration_port": 8111, "migration_bandwidth": 512}),
  ({}, {"security_model": "user", "security_domain": "nobody"}),
  ({}, {"use_chroot": True}),
  ({}, {"disk_cache": "none", "disk_aio": "native"}),
  ({}, {"boot_order": "network", "keymap": ""}),
  ]


@nodes.ON_PC_ONLY
@pytest.mark.parametrize("before, after", CHANGES)
def test_a_guest_keeps_what_it_was_started_with(pair, guest, before, after):
  pair.start(guest, **before)
  agreed = pair.source.agreed_slots()
  change(pair, **after)
  moves(pair)
  assert pair.target.agreed_slots() == agreed
  # hotplug is as it was: the guest's, not the configuration's
  pair.target.hot_add(DISK, 2, 2)
  pair.target.hot_add(NIC, 2, 2)
  pair.disks.append(2)
  pair.nics.append(2)
  slots = pair.target.agreed_slots()
  assert slots[0][:2] == agreed[0] and slots[1][:2] == agreed[1]
  pair.configure()
  pair.back()
  pair.source.instance.hvparams.update(after)
  moves(pair)
  assert pair.target.agreed_slots() == slots


@pytest.mark.parametrize("pair", ["plugin", "unmodified"], indirect=True)
def test_a_root_that_is_made_no_longer_costs_no_guest(pair, guest):
  """Ganeti makes the folder by today's use_chroot; the command is the guest's.

  Since 3.1 the option is not in the command, but given at each start.

  """
  pair.start(guest, use_chroot=True)
  change(pair, use_chroot=False)
  if hasattr(pair.target.hyper, "_GenerateRunwith"):
    moves(pair)
    return
  info = pair.told()
  with pytest.raises(errors.HypervisorError) as caught:
    pair.target.hyper.AcceptInstance(pair.target.instance, info, HERE)
  print(caught.value)
  pair.finalize(info, False)
  if not is_plugin(pair.source):
    return
  ended(pair.target)
  pair.is_right(pair.source)
  change(pair, use_chroot=True)
  moves(pair)


#: Of Ganeti's port 11000.
VNC_DISPLAY = 11000 - 5900


def spice(pair):
  """Have a password for SPICE, which is set once QEMU runs."""
  return {"spice_bind": HERE}, "spice_password_file", "SPICE password"


def vnc(pair):
  """Have one for VNC, which is read before."""
  return {"vnc_bind_address": HERE}, "vnc_password_file", "VNC password"


def has_spice():
  return "spice" in os.popen("%s -object help -version; ls"
                             " /usr/lib/*/qemu/ui-spice-core.so" %
                             nodes.QEMU).read()


@pytest.mark.parametrize("how", [vnc, pytest.param(spice, marks=(
  pytest.mark.skipif(not has_spice(), reason="QEMU has no SPICE")))])
@pytest.mark.parametrize("pair", ["plugin", "unmodified"], indirect=True)
def test_a_password_file_that_the_target_lacks(pair, guest, how, monkeypatch):
  """The guest stays, nothing waits on the target, and later it moves."""
  hvparams, name, words = how(pair)
  here, there = [os.path.join(pair.folder, "password.%s" % node)
                 for node in ("source", "target")]
  with open(here, "w") as stream:
    stream.write("secret")
  pair.start(guest, **dict(hvparams, **{name: here}))
  pair.target.instance.hvparams[name] = there
  plain = pair.told

  def told():
    # each node has ports of its own
    text = plain().replace("port=11000", "port=11001")
    return text.replace(":%d" % VNC_DISPLAY, ":%d" % (VNC_DISPLAY + 1))

  monkeypatch.setattr(pair, "told", told)
  for _ in range(2):
    info = pair.told()
    with pytest.raises(errors.HypervisorError) as caught:
      pair.target.hyper.AcceptInstance(pair.target.instance, info, HERE)
    print(caught.value)
    assert "Failed to open %s file %s" % (words, there) in str(caught.value)
    waits = pair.target.hyper._InstancePidAlive(nodes.NAME)[2]
    # the master has it ended
    assert waits == (how is spice)
    pair.finalize(info, False)
    ended(pair.target)
    pair.is_right(pair.source)
  with open(there, "w") as stream:
    stream.write("secret")
  moves(pair)
