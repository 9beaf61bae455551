"""What the plugin takes for the Ganeti that it knows."""

import types

import pytest

from ganeti_kvm_pci import versions
from ganeti_kvm_pci.errors import GanetiError


class Upstream(object):
  """One method in the forms that releases give it."""

  def as_it_was(self, hvp=None, runtime=None):
    pass

  def one_more(self, hvp=None, runtime=None, chipset="i440fx"):
    pass

  def two_more(self, hvp=None, runtime=None, chipset="i440fx", ports=()):
    pass

  def required(self, hvp, runtime, chipset):
    pass

  def renamed(self, hvp=None, runtimes=None):
    pass

  def removed(self, hvp=None):
    pass

  def before(self, chipset="i440fx", hvp=None, runtime=None):
    pass

  def hidden(self, *args, **kwargs):
    pass

  @classmethod
  def of_the_class(cls, hvp, runtime, chipset=None):
    pass

  @staticmethod
  def wrapped(self, hvp, runtime, chipset=None): # pylint: disable=W0211
    pass


@pytest.mark.parametrize("name, fits", [
  ("as_it_was", True), ("one_more", True), ("two_more", True),
  ("hidden", True), ("of_the_class", True), ("wrapped", True),
  ("required", False), ("renamed", False), ("removed", False),
  ("before", False)])
def test_what_upstream_adds_with_a_default_fits(name, fits):
  assert versions._takes(getattr(Upstream, name), ["hvp", "runtime"]) is fits


@pytest.mark.parametrize("name, expected", [
  (None, False), ("as_it_was", False), ("one_more", True), ("two_more", True),
  # the plugin's own
  ("hidden", False)])
def test_master_knows_q35_since_it_asks_for_the_chipset(name, expected):
  upstream = type("KVMHypervisor", (object, ), {
    "_get_bus_manager": Upstream.__dict__[name]} if name else {})
  assert versions.knows_q35(upstream) is expected


def test_a_required_keyword_does_not_fit():
  space = {}
  try:
    exec("def f(self, hvp, *, chipset): pass", space)
    exec("def g(self, hvp, *, chipset=None): pass", space)
  except SyntaxError:
    pytest.skip("Python 2 has none")
  assert not versions._takes(space["f"], ["hvp"])
  assert versions._takes(space["g"], ["hvp"])


def ganeti(version, release, added="", name="_get_bus_manager"):
  """Make a Ganeti whose methods are those that the plugin expects.

  @param added: what the arguments of one method have more
  @return: constants, and the module hv_kvm

  """
  methods = dict(versions._METHODS, _get_bus_manager=["hvp", "runtime"])
  space = {}
  exec("class KVMHypervisor(object):\n" + "".join(
    "  def %s(self, %s%s): pass\n" % (
      method, ", ".join(arguments), added if method == name else "")
    for method, arguments in methods.items()), space)
  client = type("QmpConnection", (object, ), {
    "connect": None, "close": None, "execute_qmp": None})
  constants = types.ModuleType("constants")
  constants.__dict__.update(
    dict((constant, "x") for constant in versions._CONSTANTS),
    VERSION_MAJOR=version[0], VERSION_MINOR=version[1], RELEASE_VERSION=release)
  hv_kvm = types.ModuleType("hv_kvm")
  hv_kvm.__dict__.update(KVMHypervisor=space["KVMHypervisor"],
                         QmpConnection=client, _RUNTIME_ENTRY={})
  return constants, hv_kvm


@pytest.mark.parametrize("version, release", [
  ((3, 2), "3.2.0~alpha1"), ((3, 2), "3.2.0"), ((3, 2), "3.2.7"),
  ((3, 1), "3.1.9")])
@pytest.mark.parametrize("added", ["", ", chipset=None", ", *more, **others"])
def test_another_release_of_a_version_fits(version, release, added):
  assert versions.check(*ganeti(version, release, added)) == release


@pytest.mark.parametrize("version, release", [
  ((4, 0), "4.0.0~alpha1"), ((3, 3), "3.3.0"), ((2, 9), "2.9.6")])
def test_another_version_is_refused_though_its_methods_fit(version, release):
  with pytest.raises(GanetiError) as caught:
    versions.check(*ganeti(version, release))
  assert str(caught.value) == (
    "Ganeti %s is not supported by this plugin (supported: 2.10, 2.11, 2.12,"
    " 2.13, 2.14, 2.15, 2.16, 3.0, 3.1, 3.2)" % release)


@pytest.mark.parametrize("name", ["_get_bus_manager", "_RunKVMCmd",
                                  "HotAddDevice"])
def test_what_upstream_requires_is_refused_and_named(name):
  with pytest.raises(GanetiError) as caught:
    versions.check(*ganeti((3, 2), "3.2.0", ", chipset", name))
  assert str(caught.value).startswith(
    "Ganeti 3.2.0 has no KVMHypervisor.%s(" % name)
