"""The QEMUs of other Debian releases, from the roots of tools/test-suite.

Each runs on this host, with the libraries, modules and firmware of its root.
They are read only; where there is no such root, the tests that want it are
skipped.

"""

import glob
import os

SUITES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__)))), ".cache", "suites")

#: Version of QEMU to the suite that has it.
OF_SUITE = {(5, 2): "bullseye", (10, 0): "trixie", (11, 1): "sid"}

_SCRIPT = """\
#!/bin/sh
root=%(root)s
lib=$root/usr/lib/x86_64-linux-gnu
QEMU_MODULE_DIR=$lib/qemu exec %(loader)s \\
  --library-path $lib:$root/lib/x86_64-linux-gnu:$lib/pulseaudio \\
  $root/usr/bin/qemu-system-x86_64 -L $root/usr/share/qemu \\
  -L $root/usr/share/seabios -L $root/usr/lib/ipxe/qemu "$@"
"""


def install(path, version):
  """Write a program that is a QEMU of that version.

  @type path: string
  @param path: where to
  @type version: tuple of two ints
  @rtype: string or None
  @return: the same path; None if there is no such root

  """
  root = os.path.realpath(os.path.join(SUITES, OF_SUITE[version]))
  # that of bullseye is a link from the host's root on
  loaders = [found for found in
             glob.glob(os.path.join(root, "lib/x86_64-linux-gnu/ld-*.so*"))
             if not os.path.islink(found)]
  if not loaders or not os.path.exists(
      os.path.join(root, "usr/bin/qemu-system-x86_64")):
    return None
  with open(path, "w") as stream:
    stream.write(_SCRIPT % {"root": root, "loader": loaders[0]})
  os.chmod(path, 0o755)
  return path
