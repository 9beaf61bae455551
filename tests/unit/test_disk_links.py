"""The names of disks, where the links are made anew."""

import json

import genuine
from ganeti_kvm_pci.runtime import disk_links
from ganeti_kvm_pci.runtime import serialized

A, B, C = ["%08d-0000-4000-8000-000000000000" % n for n in range(3)]


def runtime_of(*disks):
  """Return a runtime of disks: (uuid, link) or (uuid, link, uri) each."""
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[3] = [[{"uuid": disk[0]}] + (list(disk[1:]) + [None])[:2]
             for disk in disks]
  return serialized.parse(json.dumps(data), "test")


def names(loaded):
  return [entry[1] for entry in loaded.disks]


def test_names_that_are_right_stay():
  loaded = runtime_of((A, "/x/vm:0"), (B, "/x/vm:1"))
  before = loaded.dump()
  assert disk_links.follow(loaded, [A, B]) == []
  assert loaded.dump() == before


def test_disks_behind_a_removed_one_move_up():
  loaded = runtime_of((B, "/x/vm:1"), (C, "/x/vm:2"))
  assert disk_links.follow(loaded, [B, C]) == []
  assert names(loaded) == ["/x/vm:0", "/x/vm:1"]


def test_disks_behind_an_inserted_one_move_down():
  # both were the first as they were linked
  loaded = runtime_of((C, "/x/vm:0"), (A, "/x/vm:0"))
  assert disk_links.follow(loaded, [C, A]) == []
  assert names(loaded) == ["/x/vm:0", "/x/vm:1"]


def test_a_runtime_file_is_not_always_in_the_order_of_the_disks():
  loaded = runtime_of((A, "/x/vm:0"), (B, "/x/vm:1"))
  assert disk_links.follow(loaded, [B, A]) == []
  assert names(loaded) == ["/x/vm:1", "/x/vm:0"]


def test_what_is_no_link_is_left_alone():
  loaded = runtime_of((A, "/dev/zero"), (B, None, "rbd:pool/x"), (C, "vm:2"))
  before = loaded.dump()
  assert disk_links.follow(loaded, [C, B, A]) == []
  assert loaded.dump() == before


def test_a_disk_that_is_no_longer_the_instances_is_told():
  loaded = runtime_of((A, "/x/vm:0"), (B, "/x/vm:1"))
  assert disk_links.follow(loaded, [B]) == [A]
  assert names(loaded) == ["/x/vm:0", "/x/vm:0"]


def test_names_with_colons():
  loaded = runtime_of((A, "/x:1/vm:3"))
  disk_links.follow(loaded, [A])
  assert names(loaded) == ["/x:1/vm:0"]


def with_disks_inside(*indices):
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  data[3] = [[{"uuid": C}, "/x/plain.ex:9", None]]
  name = data[0][data[0].index("-name") + 1].split(",")[0]
  for index in indices:
    data[0] += ["-drive", "file=/x/%s:%d,if=virtio,format=raw" % (name, index)]
  data[0] += ["-drive", "file=/srv/iso/x:7,media=cdrom"]
  return serialized.parse(json.dumps(data), "test")


def test_disks_inside_the_command_are_known_by_their_index():
  loaded = with_disks_inside(0, 1)
  assert disk_links.inside(loaded) == [0, 1]
  assert disk_links.unclaimed(loaded, [A, B, C]) == [0, 1]
  # one was inserted before them
  assert disk_links.unclaimed(loaded, [C, A, B]) == [1, 2]
  assert disk_links.inside(with_disks_inside()) == []
