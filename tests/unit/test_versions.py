"""What the plugin takes for the Ganeti that it knows."""


import pytest

from ganeti_kvm_pci import versions


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


def test_a_required_keyword_does_not_fit():
  space = {}
  try:
    exec("def f(self, hvp, *, chipset): pass", space)
    exec("def g(self, hvp, *, chipset=None): pass", space)
  except SyntaxError:
    pytest.skip("Python 2 has none")
  assert not versions._takes(space["f"], ["hvp"])
  assert versions._takes(space["g"], ["hvp"])
