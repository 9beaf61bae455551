"""Partitioned PCI bus for Ganeti's KVM instances.

The way of the data, one module a step, each importing only from steps above:

  - L{errors}, L{address}: what can go wrong; the forms of a PCI address
  - L{partition}: which of the 32 slots of pci.0 are whose
  - L{placement}: which free slot a device gets
  - L{command}, L{record}: QEMU's command line and the runtime file as data
  - L{live}, L{refusal}: what QEMU's answers and complaints mean
  - L{pinning}: QEMU's own devices beyond their range, put into the record
  - L{chart}: the map of one instance

All of these are pure. What touches the world stands below them:

  - L{hypervisor}: the subclass of Ganeti's C{KVMHypervisor}
  - L{series}, L{hook}, L{activation}: which Ganeti it fits, how it gets there
  - L{node}, L{cli}: this node's files and the command

This file stays empty of code: every Python process of a node where the plugin
is enabled imports it (see L{hook}).

"""

__version__ = "0.1.0"
