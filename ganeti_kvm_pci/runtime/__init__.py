"""Ganeti's runtime file: what is in it, and what is to be in it; pure.

  - L{serialized}, L{inline_disks}, L{device_table}: the file as data; the disks
    in its command; all devices in it
  - L{upgrade}, L{downgrade}: the file in the form of another release
  - L{configuration}: the file in the order of Ganeti's configuration
  - L{layout}: all devices of a file placed anew
  - L{disk_links}: where another node has the data of the disks
  - L{unplug_request}: a removal that the guest was asked for
  - L{topology_file}: the devices that a guest sees, as they travel
  - L{migration_check}: whether a file makes the same guest again
  - L{slot_map}, L{consistency}: the map of one instance, and what is wrong with
    it

"""
