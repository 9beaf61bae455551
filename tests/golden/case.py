"""One case: what is done, read from its folder, and its golden files."""

import glob
import io
import json
import os
import re

import form

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, "cases")
_SUFFIX = ".cmd"

_DEFAULTS = {"disks": 2, "nics": 2, "hvparams": {}, "steps": ["start"],
             "runtime": None, "same_as_unmodified": False}

_PLUGINS_OWN = ("kvm_pci_reservations", 8)


def names():
  """List all cases."""
  return sorted(os.path.basename(os.path.dirname(path))
                for path in glob.glob(os.path.join(CASES, "*", "case.json")))


def releases():
  """List all releases that some case has a golden file of."""
  found = set(os.path.basename(path)[:-len(_SUFFIX)] for path in
              glob.glob(os.path.join(CASES, "*", "*" + _SUFFIX)))
  return sorted(found, key=form.order)


def _read(path):
  with io.open(path, encoding="utf-8") as stream:
    return stream.read()


class Case(object):
  """A case, see README.md for what its fields mean.

  @ivar folder: where it lies
  @ivar about: a sentence

  """
  def __init__(self, name):
    self.folder = os.path.join(CASES, name)
    told = json.loads(_read(os.path.join(self.folder, "case.json")))
    unknown = set(told) - set(_DEFAULTS) - set(["about"])
    assert not unknown, "%s: unknown fields %s" % (name, sorted(unknown))
    self.about = told["about"]
    for field, default in _DEFAULTS.items():
      setattr(self, field, told.get(field, default))

  def hvparams_of(self, known):
    """Return the parameters for a Ganeti.

    @param known: the parameters that it has
    @rtype: dict
    @return: without a C{kvm_pci_reservations} of 8 where there is none: it is
        what the plugin takes then

    """
    return dict((name, value) for name, value in self.hvparams.items()
                if name in known or (name, value) != _PLUGINS_OWN)

  @property
  def written_by(self):
    """Tell which Ganeti wrote the runtime file that the case begins with.

    @rtype: tuple of ints
    @return: empty if there is none

    """
    found = re.search(r"\bv(\d+)\.(\d+)", self.runtime or "")
    return tuple(int(number) for number in found.groups()) if found else ()

  def runtime_text(self):
    """Return the runtime file that the case begins with."""
    return _read(os.path.join(self.folder, self.runtime))

  def golden(self):
    """Read the golden files.

    @rtype: dict
    @return: release to text

    """
    found = {}
    for path in glob.glob(os.path.join(self.folder, "*" + _SUFFIX)):
      found[os.path.basename(path)[:-len(_SUFFIX)]] = _read(path)
    return found

  def write(self, files):
    """Write the golden files.

    @param files: as L{golden} gives them

    """
    for release, text in files.items():
      path = os.path.join(self.folder, release + _SUFFIX)
      with io.open(path, "w", encoding="utf-8") as stream:
        stream.write(u"%s" % text)
