"""A look at all devices, while none is added or removed."""

import pytest

from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.qmp import device_lists

WITH_ID = "/machine/peripheral"


class Qemu(object):
  """Has devices, of which some are removed between two questions.

  @ivar asked: list, the commands
  @ivar names: list of strings, ids of its devices
  @ivar after: dict, number of commands to the id that is removed after them

  """
  def __init__(self, names):
    self.names = list(names)
    self.asked = []
    self.after = {}

  def execute(self, command, arguments):
    self.asked.append((command, (arguments or {}).get("path")))
    names = list(self.names)
    removed = self.after.get(len(self.asked))
    if removed:
      self.names.remove(removed)
    if command == "query-pci":
      return [{"bus": 0, "devices": [
        {"slot": 0, "function": 0, "class_info": {"class": 0}}] + [
          {"slot": int(name[1:]), "function": 0, "qdev_id": name,
           "class_info": {"class": 0}} for name in names]}]
    return [{"name": name, "type": "child<x>"}
            for name in names if arguments["path"] == WITH_ID]


def look_at(qemu, noted):
  looks = []

  def look(execute):
    looks.append([name for name, _ in execute.lists.with_id])
    return looks[-1]

  found = device_lists.unchanging(noted.execute, look, noted.recall)
  assert found == looks[-1] == qemu.names
  return looks


@pytest.fixture
def qemu():
  return Qemu(["d8", "d9"])


def test_what_was_asked_before_is_not_asked_again(qemu):
  noted = device_lists.Noted(qemu.execute)
  noted.execute("query-pci", None)
  noted.execute("qom-list", {"path": WITH_ID})
  assert look_at(qemu, noted) == [["d8", "d9"]]
  # each at the end once more, and once what was not asked before
  assert [qemu.asked.count(question) for question in (
    ("query-pci", None), ("qom-list", WITH_ID),
    ("qom-list", WITH_ID + "-anon"))] == [2, 2, 2]


@pytest.mark.parametrize("when", [1, 2, 3])
def test_what_is_removed_since_then_is_seen(qemu, when):
  qemu.after[when] = "d9"
  noted = device_lists.Noted(qemu.execute)
  noted.execute("query-pci", None)
  noted.execute("qom-list", {"path": WITH_ID})
  assert look_at(qemu, noted)[-1] == ["d8"]
  assert when == 3 or qemu.names == ["d8"]


def test_the_last_answer_counts(qemu):
  noted = device_lists.Noted(qemu.execute)
  asked = ("qom-list", {"path": WITH_ID})
  noted.execute(*asked)
  qemu.names.remove("d9")
  assert len(noted.recall(*asked)) == 2
  noted.execute(*asked)
  assert len(noted.recall(*asked)) == 1
  # another question has another answer
  assert noted.recall("qom-list", {"path": WITH_ID + "-anon"}) == []


def test_what_fails_is_not_noted(qemu):
  def refuse(_command, _arguments):
    raise MonitorError("no")

  noted = device_lists.Noted(refuse)
  with pytest.raises(MonitorError):
    noted.recall("query-pci", None)
  noted = device_lists.Noted(qemu.execute)
  assert noted.recall("query-pci", None)
