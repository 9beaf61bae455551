"""The files that a command has QEMU read with C{-readconfig}.

What is read is what stands there now, which QEMU may have read long ago.

"""

import os
import stat

from .qemu import command as command_
from .qemu import config_file

#: In bytes; what is longer is none of these files.
_LIMIT = 1 << 20

#: Where the node daemon, and so QEMU, is.
_FOLDER = "/"

_WITHOUT_DEFAULT = frozenset(["-no-user-config", "--no-user-config",
                              "-nodefconfig", "--nodefconfig"])


def _read(path):
  """Read one file.

  @rtype: list of L{config_file.Section}, or None
  @return: None if it cannot be read; a pipe, or a descriptor of QEMU's own, is
      left alone

  """
  path = os.path.join(_FOLDER, path)
  try:
    if not stat.S_ISREG(os.stat(path).st_mode):
      return None
    with open(path, "rb") as stream:
      return config_file.parse(stream.read(_LIMIT).decode("utf-8", "replace"))
  except (EnvironmentError, TypeError, ValueError): # a name with a zero byte
    return None


def read(command):
  """Read the files that a command names.

  @type command: list of strings
  @rtype: dict
  @return: path, as the command has it, to a list of L{config_file.Section}, or
      None for a file that cannot be read; the file that QEMU reads by itself
      is among them where there is one

  """
  found = dict((path, _read(path)) for path in command_.config_files(command))
  default = None
  if not _WITHOUT_DEFAULT.intersection(command):
    default = _read(command_.DEFAULT_FILE)
  if default:
    found.setdefault(command_.DEFAULT_FILE, default)
  return found


def fill(loaded):
  """Put what the files of a runtime's command say beside it.

  @type loaded: L{serialized.Runtime}
  @return: the same

  """
  loaded.configs = read(loaded.words)
  return loaded
