"""The plugin should be on at a node and is not: said, with the remedy."""

import json
import mmap
import os
import shutil

import pytest

import host
import schema
from ganeti_kvm_pci.node import intent
from ganeti_kvm_pci.node.installation import REEXEC


@pytest.fixture
def node(tmpdir):
  return host.Host(tmpdir)


def test_a_new_python_is_noticed(node):
  enabled = node.run("enable")
  assert (enabled.status, enabled.err) == (0, "")
  for command in ("status", "check"):
    assert node.run(command).status == 0
  node.python("3.13")
  for command in ("status", "check"):
    done = node.run(command)
    assert done.status == 2
    assert len(done.err.splitlines()) == 1
    assert "enabled on this node" in done.err
    assert "has no hook (%s" % node.site in done.err
    assert "run ganeti-kvm-pci enable --restart" in done.err
  # the old one does nothing, and is named
  assert "python3.11/dist-packages/ganeti-kvm-pci" in node.run("status").out
  assert node.run("enable").status == 0
  assert node.run("status").status == 0


def test_a_node_added_later_is_noticed_by_the_clusters_tag(node):
  node.ssconf("cluster_tags", "other", intent.TAG)
  for command in ("status", "check"):
    done = node.run(command)
    assert done.status == 2
    assert "the cluster has the tag ganeti-kvm-pci" in done.err
    assert "enable --restart" in done.err
  node.run("enable")
  assert node.run("status").status == 0
  node.ssconf("cluster_tags", "other")
  assert node.run("disable").status == 0
  assert node.run("status").status == 0


@pytest.mark.parametrize("command", ["enable", "disable"])
def test_a_daemon_that_would_not_start_again_is_not_stopped(node, command):
  """As on Debian between the upgrades of Python and of Ganeti."""
  run = node.folder.join("root", "var", "run", "ganeti")
  run.join("ganeti-noded.pid").write(str(os.getpid()))
  util = node.folder.ensure("root", "usr", "lib", "ganeti", "daemon-util")
  util.write("#!/bin/sh\necho $* >> %s\n" % run.join("called"))
  script = node.folder.join("tree", "ganeti-noded")
  script.write("\nraise ImportError('no asynchat')\n", mode="a")
  for path in (util, script):
    path.chmod(0o755)
  if command == "disable":
    # a process that looks like a daemon with the plugin
    marked = node.lib.join("ganeti_kvm_pci", "hypervisor.py").open("rb")
    mapped = mmap.mmap(marked.fileno(), 1, prot=mmap.PROT_READ)
  done = node.run(command, "--restart")
  if command == "disable":
    mapped.close()
    marked.close()
  assert done.status == 2
  assert "was not restarted: %s --version: " % script in done.err
  assert "ImportError: no asynchat" in done.err
  assert not run.join("called").check()


def test_nothing_is_missed_where_nobody_asked_for_it(node):
  for command in ("status", "check"):
    done = node.run(command)
    assert (done.status, done.err) == (0, "")
  node.ssconf("cluster_tags", "ganeti-kvm-pci-not")
  assert node.run("status").status == 0


def test_a_node_daemon_without_the_plugin_is_noticed(node):
  node.run("enable")
  # a process that runs and has not loaded it
  node.folder.ensure("root", "var", "run", "ganeti", "ganeti-noded.pid").write(
    str(os.getpid()))
  done = node.run("status")
  assert done.status == 2
  assert "the node daemon (pid %d) runs without it" % os.getpid() in done.err


@pytest.mark.parametrize("damage", ["cut off", "empty", "moved", "folder"])
def test_a_hook_that_leads_nowhere_is_no_hook(node, damage):
  node.run("enable")
  path = node.site.join("ganeti-kvm-pci.pth")
  if damage == "moved":
    text = path.read().replace(str(node.lib), "/nonexistent")
    assert text != path.read()
    path.write(text)
  elif damage == "folder":
    path.remove()
    path.mkdir()
  else:
    path.write(path.read()[:100] if damage == "cut off" else "")
  for command in ("status", "check"):
    done = node.run(command)
    assert done.status == 2
    assert "hook %s leads to no package; run" % path in done.err
  assert "damaged" in node.run("status").out
  document = json.loads(node.run("status", "--json").out)
  assert schema.problems(document) == [] and document["node"]["damaged"]
  assert node.run("enable").status == (2 if damage == "folder" else 0)
  if damage != "folder":
    assert node.run("status").status == 0


def test_a_hook_for_a_copy_elsewhere_is_one(node):
  node.run("enable")
  node.folder.join("copy").mksymlinkto(node.lib)
  path = node.site.join("ganeti-kvm-pci.pth")
  path.write(path.read().replace(str(node.lib),
                                 str(node.folder.join("copy"))))
  done = node.run("status")
  assert done.status == 0 and "another copy" in done.out


def test_what_is_not_for_everybody_to_know_is_not_taken_for_well(node):
  node.run("enable")
  # it cannot be read, also by root
  node.folder.ensure("root", "var", "run", "ganeti", "ganeti-noded.pid",
                     dir=True)
  for command in ("status", "enable"):
    done = node.run(command)
    assert done.status == 2
    assert done.err.startswith("ganeti-kvm-pci: cannot tell whether the node"
                               " daemon runs: ")
    assert len(done.err.splitlines()) == 1
  done = node.run("check")
  assert done.status == 1 and "the plugin was not looked for: " in done.err
  plain = os.path.join(host.ROOT, "tests", "data", "v3.0.2-plain.runtime")
  assert (node.run("check", plain).status, node.run("check", plain).err) == (
    0, "")


@pytest.mark.parametrize("found", ["folder", "pipe"])
def test_a_note_that_cannot_be_read_is_one(node, found):
  path = node.data.join("ganeti-kvm-pci.enabled")
  if found == "folder":
    path.mkdir()
  else:
    os.mkfifo(str(path))
  done = node.run("status")
  assert done.status == 2 and "was enabled on this node" in done.err


def test_tags_that_are_no_text_are_no_traceback(node):
  node.data.join("ssconf_cluster_tags").write_binary(b"\xff\n")
  assert (node.run("status").status, node.run("status").err) == (0, "")


def test_a_command_that_fails_half_way_tells_how_things_are_then(node):
  node.site.ensure("ganeti-kvm-pci.pth", "x", dir=True)
  document = json.loads(node.run("enable", "--json").out)
  assert schema.problems(document) == []
  assert document["changed"] and document["status"] == 2
  assert "it was enabled on this node" in document["node"]["wanted"][0]
  assert document["node"]["missing"]
  # the hook of another Python goes, this one cannot
  old = node.folder.ensure("prefix", "lib", "python3.9", "dist-packages",
                           "ganeti-kvm-pci.pth")
  document = json.loads(node.run("disable", "--json").out)
  assert schema.problems(document) == []
  assert document["changed"] and document["status"] == 2
  assert document["messages"][-1] == "removed: %s" % old
  assert document["node"]["wanted"] and not old.check()


def test_the_note_alone_is_a_change(node):
  node.run("enable")
  note = node.data.join("ganeti-kvm-pci.enabled")
  note.remove()
  document = json.loads(node.run("enable", "--json").out)
  assert document["changed"] and note.check()
  assert not json.loads(node.run("enable", "--json").out)["changed"]
  node.site.join("ganeti-kvm-pci.pth").remove()
  document = json.loads(node.run("disable", "--json").out)
  assert document["changed"] and not note.check()
  assert not json.loads(node.run("disable", "--json").out)["changed"]


@pytest.mark.parametrize("source", [
  'print "two"\n', 'raise RuntimeError("no")\n',
  "import nothing_of_this_name\n"])
def test_what_was_enabled_is_disabled_when_ganeti_does_not_import(
    node, monkeypatch, source):
  node.run("enable")
  # another Python would look at the host that this runs on
  monkeypatch.setenv(REEXEC, "1")
  tree = node.folder.join("tree", "ganeti")
  tree.remove()
  tree.ensure("__init__.py").write(source.replace("print", "print print"))
  for _ in range(2):
    done = node.run("disable", "--json")
    document = json.loads(done.out)
    assert schema.problems(document) == [] and done.status == 1
  assert node.hooks() == []


def test_an_archive_is_not_enabled(node):
  archive = str(node.folder.join("package"))
  shutil.make_archive(archive, "zip", str(node.lib))
  node.lib = archive + ".zip"
  done = node.run("enable")
  assert done.status == 2
  assert done.err.startswith("ganeti-kvm-pci: the package is in an archive")
  assert node.hooks() == [] and node.data.listdir() == []


def test_the_note_lies_beside_ganetis_configuration(node):
  node.run("enable")
  assert node.data.join("ganeti-kvm-pci.enabled").check()
  node.run("disable")
  assert node.data.listdir() == []


def test_disable_removes_the_hooks_of_all_pythons(node):
  for version in ("2.7", "3.9", "3.11"):
    node.python(version)
    assert node.run("enable").status == 0
  # beyond what is looked through, but noted
  node.site = node.folder.join("opt", "odd", "site")
  assert node.run("enable").status == 0
  kept = node.folder.ensure("prefix", "lib", "python3.9", "dist-packages",
                            "other.pth")
  # of a Python that was never enabled from here
  node.folder.ensure("prefix", "lib64", "python3.6", "site-packages",
                     "ganeti-kvm-pci.pth")
  node.python("3.13")
  done = node.run("disable")
  assert done.status == 0
  # and the watcher's program
  assert done.out.count("removed: ") == 7
  assert done.out.count("ganeti-kvm-pci.enabled") == 1
  assert node.hooks() == [] and kept.check()
  assert node.folder.join("opt", "odd", "site").listdir() == []
  again = node.run("disable")
  assert (again.status, again.err) == (0, "")
  assert "no hook was there" in again.out


def test_disable_removes_what_was_kept_of_qemus(node):
  folder = node.folder.join("root", "var", "run", "ganeti", "kvm-hypervisor",
                            "kvm-pci")
  answers = folder.ensure("qemu-0123456789abcdef.answers")
  backup = folder.ensure("vm1.ex.runtime.backup")
  node.run("enable")
  assert answers.check()
  assert node.run("disable").status == 0
  assert not answers.check() and backup.check()


def test_what_killed_processes_left_is_removed_by_the_next(node):
  def leave_behind():
    for folder, name in ((node.site, "ganeti-kvm-pci.pth"),
                         (node.data, "ganeti-kvm-pci.enabled")):
      folder.ensure(".%s.abc123_x.kvm-pci" % name)
      folder.ensure(".%sabc123" % name)
      folder.ensure(".other.%s" % name)

  def names():
    return sorted(entry.basename for folder in (node.site, node.data)
                  for entry in folder.listdir())

  others = [".other.ganeti-kvm-pci.enabled", ".other.ganeti-kvm-pci.pth"]
  leave_behind()
  assert node.run("enable").status == 0
  assert names() == sorted(others + ["ganeti-kvm-pci.enabled",
                                     "ganeti-kvm-pci.pth"])
  leave_behind()
  assert node.run("disable").status == 0
  assert names() == others


def test_disable_says_that_the_clusters_tag_still_asks_for_it(node):
  node.ssconf("cluster_tags", intent.TAG)
  node.run("enable")
  done = node.run("disable")
  assert done.status == 1
  assert "gnt-cluster remove-tags ganeti-kvm-pci" in done.err


def test_what_cannot_be_noted_is_one_clear_error_and_nothing_is_enabled(node):
  node.data.remove()
  node.data.write("a file where the folder should be")
  done = node.run("enable")
  assert done.status == 2
  assert len(done.err.splitlines()) == 1 and "cannot write" in done.err
  assert node.hooks() == []
