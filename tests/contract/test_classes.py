"""Each class builds on those below it, and calls nothing of those above."""

import ast
import inspect
import textwrap

#: In the name of each of our modules, also in a patched tree.
PACKAGE = "kvm_pci"


def lineage(world):
  """List our classes from the lowest to the hypervisor."""
  return [cls for cls in reversed(type(world.hypervisor()).__mro__)
          if PACKAGE in cls.__module__]


def named(cls):
  """Name what a class takes from C{self}, or from those below it."""
  tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
  return set(
    node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and
    (isinstance(node.value, ast.Name) and node.value.id == "self" or
     isinstance(node.value, ast.Call) and
     getattr(node.value.func, "id", None) == "super"))


def test_a_class_calls_nothing_that_only_its_subclass_defines(world):
  classes = lineage(world)
  assert len(classes) >= 10 and classes[-1].__name__ == "KVMHypervisor"
  missing = []
  for number, cls in enumerate(classes):
    above = set().union(*[vars(other) for other in classes[number + 1:]])
    missing.extend("%s: %s" % (cls.__name__, name) for name in
                   sorted((named(cls) & above) - set(dir(cls))))
  assert missing == []


def test_the_classes_are_a_line(world):
  for cls in lineage(world):
    ours = [base for base in cls.__bases__
            if PACKAGE in base.__module__]
    assert len(ours) <= 1, cls
