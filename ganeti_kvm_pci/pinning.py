"""QEMU's own devices beyond their range, put into the record.

QEMU places its devices in the first free slots. Within its own range these
are the same whenever the same command is run, because Ganeti names no address
there. Beyond it they depend on which disks and NICs happened to exist at that
moment; a replay for a migration, after hotplug, would place them elsewhere,
and the guest would die. So where such a device really sits is written into
the recorded command.

"""

from . import command as command_


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


def _same_driver(option, peripheral):
  """Tell whether a driver as written may be a type of the object model.

  QEMU's aliases leave a bus's name away (virtio-rng for virtio-rng-pci), or
  shorten (lsi for lsi53c895a), or differ in case (es1370).

  """
  written, real = option.driver.lower(), peripheral.driver.lower()
  return real.startswith(written) or written.startswith(real)


def _paired(command, peripherals):
  """Pair C{-device} options with the devices they became.

  @rtype: list of (L{command.DeviceOption}, L{live.Peripheral}) pairs

  """
  by_id = dict((p.id, p) for p in peripherals if p.id)
  unnamed = [p for p in peripherals if not p.id]
  options = command_.devices(command)
  pairs = [(o, by_id[o.id]) for o in options if o.id in by_id]
  # Devices without id are known by their order alone: the recorded options
  # come first, those in JSON last; in between come if=virtio drives and NICs
  # of types that have no id
  plain = [o for o in options if not o.id and not o.is_json]
  in_json = [o for o in options if not o.id and o.is_json]
  if len(unnamed) < len(plain) + len(in_json):
    return pairs
  ordered = (list(zip(plain, unnamed)) +
             list(zip(in_json, unnamed[len(unnamed) - len(in_json):])))
  if all(_same_driver(o, p) for o, p in ordered):
    pairs.extend(ordered)
  return pairs


def pin(command, peripherals, strays):
  """Give the options of stray devices the address they really have.

  @type command: list of strings
  @param command: the recorded command
  @type peripherals: list of L{live.Peripheral}
  @param peripherals: those with an id, and all without in order of creation
  @type strays: list of L{live.Function}
  @param strays: result of L{beyond}
  @rtype: tuple (list of strings, list of L{live.Function},
      list of L{live.Function})
  @return: the new command; what it now names; what no option of the command
      stands for, so that it cannot be named (C{-drive if=virtio},
      C{-net nic}, a device added by hand)

  """
  wanted = dict(((s.slot, s.function), s) for s in strays)
  pinned = []
  for option, peripheral in _paired(command, peripherals):
    stray = wanted.pop(peripheral.place, None)
    if stray and not option.place:
      command = command_.with_place(command, option.position, *peripheral.place)
      pinned.append(stray)
  left = [wanted[place] for place in sorted(wanted)]
  return (list(command), pinned, left)
