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

"""The import hook that puts the hypervisor into Ganeti's map.

A sentinel (see L{activation}) sits in every Python process of the node and
wakes this module when C{ganeti.hypervisor} is about to be imported. When that
has been executed, the entry for KVM in its C{_HYPERVISOR_MAP} becomes ours.
Whatever goes wrong there, Ganeti stays unmodified, and one line says why.

"""

import sys

#: Maps of files that the process holds: see L{_mark}.
_marks = []


def _mark():
  """Leave a mark by which others can tell that this process has the plugin.

  A file that is mapped into memory shows in /proc/PID/maps, also after a
  daemon has forked and closed all its files, and shows as deleted when it was
  replaced since.

  """
  import mmap
  from .. import hypervisor
  path = hypervisor.__file__
  if path.endswith((".pyc", ".pyo")):
    path = path[:-1]
  with open(path, "rb") as stream:
    _marks.append(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))


def _say(message):
  """Log one line, now and once more where it will be looked for.

  A daemon imports Ganeti before it opens its log. The line goes to standard
  error then, and to the log with the first thing that Ganeti says there.

  """
  import logging
  root = logging.getLogger()
  if root.handlers:
    root.warning(message)
    return
  if sys.stderr: # a daemon may have closed it
    sys.stderr.write(message + "\n")

  class _Once(logging.Filter):
    """Lets every message pass, and speaks before the first."""

    def filter(self, _):
      root.removeFilter(self)
      root.warning(message)
      return True

  root.addFilter(_Once())


def apply(module):
  """Put the hypervisor into the map of C{ganeti.hypervisor}.

  @param module: the module, executed
  @rtype: bool
  @return: whether it is there now

  """
  try:
    from ganeti import constants
    from .. import versions
    versions.check(constants, module.hv_kvm)
    classes = module._HYPERVISOR_MAP # pylint: disable=protected-access
    if classes[constants.HT_KVM] is not module.hv_kvm.KVMHypervisor:
      raise ImportError("another class than upstream's is Ganeti's KVM"
                        " hypervisor")
    from .. import hypervisor
    _mark()
    classes[constants.HT_KVM] = hypervisor.KVMHypervisor
  except Exception as err: # pylint: disable=broad-except
    # whatever it is, a daemon that does not start is worse
    try:
      _say("ganeti-kvm-pci stays off: %s" % err)
    except Exception: # pylint: disable=broad-except
      pass
    return False
  return True


class _Loader(object):
  """Executes the module as upstream's loader would, then acts."""

  def __init__(self, loader):
    self._loader = loader

  def __getattr__(self, name):
    return getattr(self._loader, name)

  def create_module(self, spec):
    return self._loader.create_module(spec)

  def exec_module(self, module):
    module.__loader__ = module.__spec__.loader = self._loader
    self._loader.exec_module(module)
    apply(module)


class Finder(object):
  """Finds C{ganeti.hypervisor} as Python would, and acts when it is loaded.

  """
  def __init__(self, sentinel):
    """Remember who asks.

    @param sentinel: the finder in sys.meta_path that must not be asked again

    """
    self._sentinel = sentinel

  def find_spec(self, name, path=None, target=None):
    """Find the module (Python 3)."""
    for finder in sys.meta_path:
      if finder is self._sentinel or not hasattr(finder, "find_spec"):
        continue
      spec = finder.find_spec(name, path, target)
      if spec is not None:
        if hasattr(spec.loader, "exec_module"):
          spec.loader = _Loader(spec.loader)
        return spec
    return None

  @staticmethod
  def load_module(name):
    """Load the module (Python 2)."""
    import imp # pylint: disable=deprecated-module
    package, _, last = name.rpartition(".")
    found = imp.find_module(last, sys.modules[package].__path__)
    try:
      module = imp.load_module(name, *found)
    finally:
      if found[0]:
        found[0].close()
    apply(module)
    return module
