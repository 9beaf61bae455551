"""A stand-in for Ganeti, as far as the plugin relies on it.

Written from the facts, in our words; tests/contract holds it against the real
ones, and where they disagree, this is wrong. C{GANETI_STUB} chooses which one:

  - pci: 2.10 to 2.12, C{device.pci}, hotplug by the human monitor
  - pciqmp: 2.13 to 2.15, C{device.pci}, hotplug by QMP
  - hvinfo: 2.16 and 3.0, C{device.hvinfo}, the runtime a tuple
  - runtime: 3.1, the runtime an object
  - busmanager: master, slots from a bus manager

"""
