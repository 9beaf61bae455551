"""QEMU's own devices beyond their range, put into the record.

QEMU places its devices in the first free slots. Within its own range these
are the same whenever the same command is run, because Ganeti names no address
there. Beyond it they depend on which disks and NICs happened to exist at that
moment; a replay for a migration, after hotplug, would place them elsewhere,
and the guest would die. So where such a device really sits is written into
the recorded command.

"""

from . import command as command_

#: What each C{-drive if=virtio} becomes, in the place of an option.
_DRIVE = command_.DeviceOption(None, "virtio-blk-pci", None, None, None, False)


def beyond(partition, functions, held):
  """Find what sits outside QEMU's range without the record knowing.

  @type partition: L{partition.Partition}
  @type functions: list of L{live.Function}
  @type held: collection of ints
  @param held: slots that the record knows
  @rtype: list of L{live.Function}

  """
  first_foreign = partition.qemu[1] + 1 if partition.qemu else 0
  return [f for f in functions
          if f.slot >= first_foreign and f.slot not in held]


def _may_be(option, peripheral):
  """Tell whether a driver as written may be a type of the object model.

  QEMU's aliases leave away the bus (virtio-rng for virtio-rng-pci), or the
  chipset (ahci for ich9-ahci), shorten (lsi for lsi53c895a), or differ in
  case (es1370).

  """
  written, real = option.driver.lower(), peripheral.driver.lower()
  return real.startswith(written) or real.endswith(written) or \
    written.startswith(real)


def _embed(options, peripherals):
  """Find for each option in turn the first device that it may have become.

  @rtype: list of ints, or None
  @return: indexes of the devices; None if they cannot all be found

  """
  found = []
  at = 0
  for option in options:
    while at < len(peripherals) and not _may_be(option, peripherals[at]):
      at += 1
    if at == len(peripherals):
      return None
    found.append(at)
    at += 1
  return found


def _paired(command, peripherals, unnamed_nics):
  """Pair C{-device} options with the devices they became.

  @rtype: list of (L{command.DeviceOption}, L{live.Peripheral}) pairs

  """
  by_id = dict((p.id, p) for p in peripherals if p.id)
  unnamed = [p for p in peripherals if not p.id]
  options = command_.devices(command)
  pairs = [(o, by_id[o.id]) for o in options if o.id in by_id]
  # Devices without id are known by the order of their creation alone: options
  # in words, Ganeti's NICs without id, drives, options in JSON
  drives = [_DRIVE] * len(command_.virtio_drives(command))
  words = [o for o in options if not o.id and not o.is_json]
  in_json = [o for o in options if not o.id and o.is_json]
  ordered = words + drives + in_json
  if len(unnamed) == len(ordered) + unnamed_nics:
    del unnamed[len(words):len(words) + unnamed_nics]
    return pairs + [p for p in zip(ordered, unnamed) if p[0] is not _DRIVE]
  # There are more than we know of (-virtfs makes one). An option is certain
  # only if it cannot have become any other device than one
  first = _embed(ordered, unnamed)
  last = _embed(ordered[::-1], unnamed[::-1])
  if first and last:
    last = [len(unnamed) - 1 - at for at in reversed(last)]
    pairs.extend((option, unnamed[low])
                 for option, low, high in zip(ordered, first, last)
                 if low == high and option is not _DRIVE)
  return pairs


def pin(command, peripherals, strays, unnamed_nics=0):
  """Give the options of stray devices the address they really have.

  @type command: list of strings
  @param command: the recorded command
  @type peripherals: list of L{live.Peripheral}
  @param peripherals: those with an id, and all without in order of creation
  @type strays: list of L{live.Function}
  @param strays: result of L{beyond}
  @type unnamed_nics: int
  @param unnamed_nics: how many NICs Ganeti starts without an id (ISA)
  @rtype: tuple (list of strings, list of L{live.Function},
      list of L{live.Function})
  @return: the new command; what it now names; what no option of the command
      is sure to stand for, so that it cannot be named (C{-drive if=virtio},
      C{-net nic}, a device added by hand)

  """
  wanted = dict(((s.slot, s.function), s) for s in strays)
  pinned = []
  for option, peripheral in _paired(command, peripherals, unnamed_nics):
    if peripheral.place in wanted and not option.place:
      command = command_.with_place(command, option.position, *peripheral.place)
      pinned.append(wanted.pop(peripheral.place))
  left = [wanted[place] for place in sorted(wanted)]
  return (list(command), pinned, left)
