"""Partitioned PCI bus for Ganeti's KVM instances.

The way of the data, one module a step, each importing only from steps above:

  - L{errors}, L{clock}, L{address}: what can go wrong; seconds that only grow;
    the forms of a PCI address
  - L{partition}: which of the 32 slots of pci.0 are whose
  - L{ids}: the ids under which QEMU has disks and NICs
  - L{placement}, L{scsi}: which free slot, or SCSI id, a device gets
  - L{option}, L{command}, L{machinetype}, L{drives}, L{scsidevices}: QEMU's
    command line as data; the machine type, disks and SCSI devices in it
  - L{removed}: the options of it that QEMU has removed, and their successors
  - L{section}, L{claims}: a file with more of it; the slots that it names
  - L{runtime}, L{record}: the runtime file as data; the devices in it
  - L{normal}, L{older}: a record in the form of another series
  - L{configuration}: a record in the order of Ganeti's configuration
  - L{layout}: all devices of a record placed anew
  - L{replies}, L{live}, L{refusal}: what QEMU's answers must look like; what
    they and its complaints mean
  - L{pinning}: QEMU's own devices beyond their range, put into the record
  - L{machine}, L{witness}, L{replay}: the machine as the guest sees it, here
    and on another node; whether a record makes the same again
  - L{links}: where another node has the data of the disks
  - L{monitor}, L{topology}, L{backends}: what QEMU is asked, and asked for,
    through a function that reaches it
  - L{ejected}, L{request}: what a guest that moves ejected by itself, and
    what it was asked for
  - L{report}: what the commands tell a program
  - L{chart}, L{checkup}: the map of one instance, and what is wrong with it

All of these are pure. What touches the world stands below them:

  - L{connection}, L{qemulog}: how a question gets to QEMU, and its own words
  - L{readconfig}: the files that a command has QEMU read
  - L{chipset}: whether an instance has the bus that is partitioned
  - L{process}, L{emulator}: what a QEMU was given; which version one is
  - L{lock}, L{vacancy}: one operation on an instance at a time, and no slot
    used again at once
  - L{timelimit}, L{pending}: how long a guest may take to complete an unplug,
    and what it has not completed
  - L{temporary}, L{leftovers}: half-written files; what else there is of an
    instance, and when it goes
  - L{kinds}, L{series}: how Ganeti's series differ, and which this one is
  - L{presence}, L{hotplug}, L{migration}, L{arrival}, L{cleanup},
    L{hypervisor}: the subclass of Ganeti's C{KVMHypervisor}
  - L{files}, L{node}: the runtime files, and the Ganeti, of this node
  - L{startup}, L{intent}: what Python runs at its start; whether the plugin
    should be on
  - L{ownership}: who can write what the daemons run
  - L{reservations}: what will not start where the plugin is not
  - L{hook}, L{watcher}, L{activation}: how the subclass gets into that, and a
    command to its watcher
  - L{console}, L{switch}, L{settle}, L{views}, L{forecast}, L{carrier},
    L{cli}: the command

"""

__version__ = "0.1.0"
