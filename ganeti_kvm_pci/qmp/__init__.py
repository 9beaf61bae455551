"""A running QEMU, asked and changed through a function that reaches it.

  - L{queries}, L{inventory}: what QEMU has; the devices that a guest sees
  - L{backends}: what stays when a device is gone
  - L{ejected}: what a guest that moves ejected by itself
  - L{client}: how a question gets to QEMU

"""
