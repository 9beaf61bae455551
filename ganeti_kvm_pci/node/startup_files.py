#
#

# Copyright (C) 2026 the Ganeti project
# All rights reserved.
#
# Redistribution and use in source and binary forms, with or without
# modification, are permitted provided that the following conditions are
# met:
#
# 1. Redistributions of source code must retain the above copyright notice,
# this list of conditions and the following disclaimer.
#
# 2. Redistributions in binary form must reproduce the above copyright
# notice, this list of conditions and the following disclaimer in the
# documentation and/or other materials provided with the distribution.
#
# THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS
# IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED
# TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR
# PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR
# CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL,
# EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO,
# PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR
# PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF
# LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING
# NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS
# SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

"""What Python runs at its start: the files of the hook.

Up to Python 3.14 that is an C{import} line of a C{.pth} file. Python 3.15 has
C{.start} files (PEP 829), which name a function; 3.18 ignores import lines.
Whatever it is, it names the folder that the package is in, so that the package
may lie anywhere on the node.

"""

import ast
import errno
import glob
import os
import re
import stat

from .. import temporary
from ..errors import NodeError

#: The first Python that has C{.start} files.
_WITH_START = (3, 15)

_PTH = "ganeti-kvm-pci.pth"
_START = "ganeti-kvm-pci.start"
_MODULE = "ganeti_kvm_pci_start"

#: All that may lie in a site folder.
_NAMES = [_START, _PTH, _MODULE + ".py"]

#: Where L{_SENTINEL} says which folder the package is in.
_FOLDER_RE = re.compile(r"^    sys\.path\.insert\(0, (.+)\)$", re.M)

#: What L{pth_line} makes of it.
_LINE_RE = re.compile(r"import sys; exec\((.+), \{'sys': sys\}\)\n\Z")

#: Every Python process of the node runs this when it starts. So it imports
#: nothing; L{import_hook} is loaded when C{ganeti.hypervisor} is about to be,
#: from a folder that is not left on the path. Where the package was removed,
#: Ganeti is unmodified; where it is damaged as well, but not in silence.
_SENTINEL = """\
class GanetiKvmPci(object):
  def _Wake(self):
    sys.path.insert(0, %(folder)s)
    try:
      from ganeti_kvm_pci import hook
      return hook.Finder(self)
    except ImportError:
      return None
    except Exception:
      if sys.stderr:
        sys.stderr.write("ganeti-kvm-pci stays off: %%s\\n" %%
                         sys.exc_info()[1])
      return None
    finally:
      sys.path.remove(%(folder)s)
  def find_spec(self, name, path=None, target=None):
    if name == "ganeti.hypervisor":
      finder = self._Wake()
      return finder and finder.find_spec(name, path, target)
  def find_module(self, name, path=None):
    if name == "ganeti.hypervisor":
      return self._Wake()
"""

_INSERT = "sys.meta_path.insert(0, GanetiKvmPci())\n"

#: In a virtual environment Python 3.15 calls it twice.
_FUNCTION = """\
def start():
  if not any(type(f).__name__ == "GanetiKvmPci" for f in sys.meta_path):
    """ + _INSERT


def _source(folder):
  """Return the sentinel for a folder, in ASCII.

  Python reads its files as the locale of each process says: one that could not
  would not start at all.

  """
  return _SENTINEL % {"folder": repr(folder) if str is bytes else ascii(folder)}


def pth_line(folder):
  """Return what the C{.pth} file has to say.

  @param folder: the one that the package is in
  @rtype: string
  @return: one line; Python executes lines of such files that begin with
      C{import}

  """
  source = _source(folder) + _INSERT
  return "import sys; exec(%r, {'sys': sys})\n" % source


def contents(version, folder):
  """Tell what has to lie in a Python's site folder.

  @type version: tuple of ints
  @param version: that of the Python, e.g. (3, 11)
  @param folder: the one that the package is in
  @rtype: list of tuples (name, text)
  @return: in the order in which they are to be written; the last one is what
      Python looks for

  """
  if version < _WITH_START:
    return [(_PTH, pth_line(folder))]
  return [
    (_MODULE + ".py",
     "import sys\n" + _source(folder) + _FUNCTION),
    (_START, "%s:start\n" % _MODULE)]


def package_folder(site, wanted):
  """Tell in which folder a hook looks for the package.

  @param site: the site folder that the hook lies in
  @param wanted: see L{contents}, for the same Python
  @rtype: string or None
  @return: None if it is damaged, or no hook of the package's

  """
  texts = [read(os.path.join(site, name)) for name, _ in wanted]
  if None in texts or texts[1:] != [text for _, text in wanted[1:]]:
    return None
  source = texts[0]
  line = _LINE_RE.match(source)
  try:
    if line:
      source = ast.literal_eval(line.group(1))
    elif not source.endswith(_FUNCTION): # cut off where it still is Python
      return None
    ast.parse(source)
    found = _FOLDER_RE.search(source)
    return found and ast.literal_eval(found.group(1))
  except (SyntaxError, TypeError, ValueError):
    return None


def _prefixes():
  """List where Pythons are installed."""
  folders = os.environ.get("PATH", "").split(os.pathsep)
  found = ["/usr", "/usr/local"]
  for path in [path for folder in folders if folder
               for path in sorted(glob.glob(os.path.join(folder, "python*")))]:
    prefix = os.path.dirname(os.path.dirname(os.path.realpath(path)))
    if prefix not in found:
      found.append(prefix)
  return found


def _folders(places):
  """List the site folders of whatever Pythons this node has.

  @param places: see L{find}

  """
  folders = [os.path.dirname(path) for path in places
             if os.path.basename(path) in _NAMES]
  for prefix in _prefixes():
    folders.extend(sorted(glob.glob(
      os.path.join(prefix, "lib*", "python*", "*-packages"))))
  return folders


def find(places=()):
  """Find the hook's files, for whatever Python of this node.

  @param places: paths to look at besides; of another name, they are no hook's
  @rtype: list of strings
  @return: paths

  """
  found = {} # lib64 may be another name of lib
  for folder in _folders(places):
    for path in [os.path.join(folder, name) for name in _NAMES]:
      if os.path.lexists(path):
        found.setdefault(os.path.join(os.path.realpath(folder),
                                      os.path.basename(path)), path)
  return sorted(found.values())


def sweep(places=()):
  """Remove what killed processes left that were to write the hook's files.

  @param places: see L{find}

  """
  for folder in _folders(places):
    for name in _NAMES:
      temporary.sweep(folder, name, only_ours=True)


def read(path):
  """Return what is in a file, or None where it cannot be read."""
  try:
    # a pipe would never end
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as stream:
      if not stat.S_ISREG(os.fstat(fd).st_mode):
        return None
      text = stream.read()
  except EnvironmentError:
    return None
  # whatever the locale is, and whatever files a process has mapped
  return text if str is bytes else text.decode("utf-8", "surrogateescape")


def write(path, text, mode=0o644):
  """Write a file as a whole or not at all, readable by everybody.

  @param path: of a name that is the plugin's own
  @param mode: its permissions
  @raise NodeError: if it cannot be written

  """
  folder, name = os.path.split(path)
  try:
    if not os.path.isdir(folder):
      os.makedirs(folder)
    temporary.sweep(folder, name, only_ours=True)
    with temporary.written(
        folder, name, text if isinstance(text, bytes)
        else text.encode("utf-8", "surrogateescape"), mode) as new:
      os.rename(new, path)
  except EnvironmentError as err:
    raise NodeError("cannot write %s: %s" % (path, err.strerror))


def put(folder, wanted):
  """Write what a Python needs into its site folder.

  What another version of it needed there is removed.

  @param folder: the site folder
  @param wanted: see L{contents}
  @rtype: bool
  @return: whether anything had to be changed
  @raise NodeError: if something cannot be written

  """
  changed = False
  for name, text in wanted:
    path = os.path.join(folder, name)
    if read(path) != text:
      write(path, text)
      changed = True
  surplus = set(_NAMES) - set(name for name, _ in wanted)
  return remove([os.path.join(folder, name) for name in sorted(surplus)
                 if os.path.lexists(os.path.join(folder, name))]) or changed


def remove(paths, removed=None):
  """Remove files, all that can be.

  @type removed: list or None
  @param removed: gets those that were
  @rtype: bool
  @return: whether there were any
  @raise NodeError: if one cannot be removed

  """
  failed = None
  for path in paths:
    try:
      os.unlink(path)
      if removed is not None:
        removed.append(path)
    except EnvironmentError as err:
      if err.errno == errno.ENOENT: # somebody else was faster
        continue
      failed = failed or NodeError("cannot remove %s: %s" %
                                   (path, err.strerror))
  if failed:
    raise failed
  return bool(paths)
