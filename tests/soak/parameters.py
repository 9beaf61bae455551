"""Hypervisor parameters that are changed, and the guest is not booted."""

from cluster import other
from kept_guest import agree

#: Those of the migration's nodes, which no guest of the soak has by itself.
_CHANGES = [
  {"use_chroot": True}, {"security_model": "user", "security_domain": "nobody"},
  {"cpu_type": "qemu64"}, {"disk_cache": "none"}, {"acpi": False}]

#: What a guest has from its next boot by Ganeti on.
_TO_BOOT_WITH = {
  "kvm_pci_reservations": [8, 10, 12],
  "nic_type": ["paravirtual", "rtl8139", "e1000"],
  "virtio_net_queues": [1, 4]}

#: Would have a frozen guest not start.
_NOT_FROZEN = "kvm_pci_reservations"


class Parameters(object):
  """Some of L{operations.Operations}."""

  def modify_parameter(self, guest):
    name = self.random.choice(list(_TO_BOOT_WITH))
    if guest.frozen and name == _NOT_FROZEN:
      return None
    value = self.random.choice(_TO_BOOT_WITH[name])
    self.said = guest.vm.set_hvparams(**{name: value}).output
    return "%s=%s" % (name, value)

  def migrate_changed_parameters(self, guest):
    """A guest moves, and keeps the parameters that it was started with."""
    if not guest.runs:
      return None
    change = self.random.choice(_CHANGES)
    target = other(guest.vm.node())
    guest.vm.set_hvparams(**change)
    try:
      result = guest.vm.migrate(check=False)
      self.said = result.output
      agree(guest.vm.node() == target and result.returncode == 0,
            "%s: not migrated: %s", guest, result.output)
      added = self._add(guest, self.random.choice(["--disk", "--net"]))
    finally:
      guest.vm.set_hvparams(**{name: "default" for name in change})
    return "to %s, with %s; then %s" % (target, change, added)
