"""Which slots of pci.0 a command names, by whatever option.

"""

from . import command as command_

_NET_FLAGS = frozenset(["-net", "--net"])


def addressed(command, configs=None):
  """List what names a slot of pci.0, by whatever option.

  @type command: list of strings
  @type configs: dict or None
  @param configs: see L{command.told}
  @rtype: list of L{command.DeviceOption}

  """
  found = [option for option in command_.devices(command, configs)
           if option.place]

  def add(driver, addr, origin):
    place = command_.place_of({"addr": addr})
    if place:
      found.append(command_.DeviceOption(None, driver, None, place, None, False,
                                         origin))

  for _, text, keys in command_.told(command, configs, _NET_FLAGS, "net",
                                     "type"):
    # [[domain:]bus:]slot
    bus, _, slot = (command_.text_of(keys, "addr") or "").rpartition(":")
    if keys.get("type") == "nic" and not bus.strip("0:"):
      add(keys.get("model") or "NIC", slot, text)
  for _, text, keys in command_.told(command, configs, command_.DRIVE_FLAGS,
                                     "drive"):
    if keys.get("if") == "virtio": # up to QEMU 2.12
      add("virtio-blk-pci", keys.get("addr"), text)
  return found


def taken(command, configs=None):
  """Tell which slots of pci.0 a command names.

  @type command: list of strings
  @type configs: dict or None
  @param configs: see L{command.told}
  @rtype: dict
  @return: slot (int) to what is there, for an error text

  """
  return dict((option.place[0], "%s by %s" % (
    option.id or option.driver, option.origin or "kvm_extra"))
              for option in addressed(command, configs))
