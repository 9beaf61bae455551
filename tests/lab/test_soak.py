"""The soak's choices and judgements, without a cluster."""

import pathlib
import random
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture
def soak(monkeypatch):
  """Its modules, by name."""
  for folder in ("../../lab", "..", "../cluster", "../soak"):
    monkeypatch.syspath_prepend(str((HERE / folder).resolve()))
  before = set(sys.modules)
  import agreement
  import operations
  yield {"agreement": agreement, "operations": operations}
  for name in set(sys.modules) - before:
    del sys.modules[name]


class Guest(object):
  """One that runs on node1."""

  runs = True
  name = "vm1.gnt.test"

  def __str__(self):
    return "vm1"

  class vm(object): # pylint: disable=invalid-name
    @staticmethod
    def node():
      return "node1"

  @staticmethod
  def has_lost_a_file():
    return False


def test_each_operation_can_be_chosen_and_is_one(soak):
  operations = soak["operations"]
  found = {name for name in dir(operations.Operations)
           if not name.startswith("_")}
  assert found - set(operations.WEIGHTS) == {
    "choose", "kill_daemon", "reboot_node"}
  assert set(operations.WEIGHTS) <= found


def test_a_seed_has_the_same_operations_chosen(soak):
  operations = soak["operations"]

  class Chosen(operations.Operations):
    pass

  for name in operations.WEIGHTS:
    setattr(Chosen, name, lambda self, _, name=name: name)
  lines = []
  for seed in (1, 1, 2):
    chosen = Chosen(random.Random(seed), [Guest()])
    lines.append([chosen.choose()[0] for _ in range(50)])
  assert lines[0] == lines[1] != lines[2]


def test_none_but_some_are_chosen(soak):
  operations = soak["operations"]

  class Chosen(operations.Operations):
    own_reboot = grow = lambda self, _: "done"

  chosen = Chosen(random.Random(1), [Guest()], ["own_reboot", "grow"])
  assert {chosen.choose()[0] for _ in range(50)} == {"own_reboot", "grow"}
  with pytest.raises(KeyError):
    operations.Operations(random.Random(1), [Guest()], ["no_such"])


@pytest.mark.parametrize("found, text", [
  ({"vm1.gnt.test": ["node1"]}, None),
  ({"vm1.gnt.test": ["node1", "node2"]}, "runs on ['node1', 'node2']"),
  ({"vm1.gnt.test": ["node2"]}, "has to on ['node1']"),
  ({}, "runs on []"),
  ({"vm1.gnt.test": ["node1"], "vm9.gnt.test": ["node2"]}, "vm9")])
def test_two_or_none_are_told(soak, monkeypatch, found, text):
  agreement = soak["agreement"]
  monkeypatch.setattr(agreement, "processes", lambda: found)
  if text is None:
    agreement.one_runs_where_one_should([Guest()])
    return
  with pytest.raises(agreement.agree.__globals__["Disagreement"]) as err:
    agreement.one_runs_where_one_should([Guest()])
  assert text in str(err.value)
