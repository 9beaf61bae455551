"""Who can write the code that all daemons run as root."""

import os

import pytest

import host
from ganeti_kvm_pci.node import ownership

pytestmark = pytest.mark.skipif(os.getuid() != 0,
                                reason="only root can give files away")

NOBODY = 65534


@pytest.fixture
def node(tmpdir):
  return host.Host(tmpdir)


def package(node):
  return node.lib.join("ganeti_kvm_pci")


def _a_file(node):
  return package(node).join("hook.py"), 0o664


def _what_python_made_of_a_file(node):
  return package(node).ensure("__pycache__", "hook.pyc"), 0o646


def _the_package(node):
  return package(node), 0o775


def _a_sticky_package(node):
  # an extension module put beside hook.py would come before it
  return package(node), 0o1777


def _its_parent(node):
  return node.lib, 0o757


def _a_sticky_parent(node):
  return node.lib, 0o1777


def _a_folder_above(node):
  return node.folder, 0o777


def _the_folder_of_the_hook(node):
  return node.site.ensure(dir=True), 0o777


def _a_folder_above_that(node):
  return node.folder.ensure("prefix", "lib", dir=True), 0o775


def _what_a_link_leads_to(node):
  real = node.folder.ensure("elsewhere", dir=True)
  node.lib.join("ganeti_kvm_pci").move(real.join("ganeti_kvm_pci"))
  node.lib.join("ganeti_kvm_pci").mksymlinkto(real.join("ganeti_kvm_pci"))
  return real, 0o777


def _the_folder_of_a_second_link(node):
  real = node.folder.ensure("real", dir=True)
  middle = node.folder.ensure("middle", dir=True)
  node.lib.move(real.join("package"))
  middle.join("package").mksymlinkto(real.join("package"))
  node.lib.mksymlinkto(middle.join("package"))
  return middle, 0o777


@pytest.mark.parametrize("spoil", [
  _a_file, _what_python_made_of_a_file, _the_package, _a_sticky_package,
  _its_parent, _a_sticky_parent, _a_folder_above, _the_folder_of_the_hook,
  _a_folder_above_that, _what_a_link_leads_to, _the_folder_of_a_second_link])
def test_what_others_can_write_is_not_enabled(node, spoil):
  path, mode = spoil(node)
  before = os.stat(str(path)).st_mode & 0o7777
  os.chmod(str(path), mode)
  done = node.run("enable")
  assert done.status == 2
  assert "%s (root:root, mode %04o)" % (path, mode) in done.err
  assert "chmod go-w %s" % path in done.err and "--force" in done.err
  assert node.hooks() == [] and node.data.listdir() == []
  forced = node.run("enable", "--force")
  assert forced.status == 1 and "%s (root:root" % path in forced.err
  assert node.hooks() != []
  done = node.run("check")
  assert done.status == 1 and "%s (root:root" % path in done.err
  os.chmod(str(path), before)
  done = node.run("status")
  assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize("spoil", [_a_file, _the_package, _its_parent,
                                   _a_folder_above, _the_folder_of_the_hook])
def test_what_is_not_roots_is_not_enabled(node, spoil):
  path, _ = spoil(node)
  mode = os.stat(str(path)).st_mode & 0o7777
  os.chown(str(path), NOBODY, 0)
  done = node.run("enable")
  assert done.status == 2
  assert "%s (nobody:root, mode %04o)" % (path, mode) in done.err
  assert "chown -h root %s" % path in done.err
  assert node.hooks() == []
  # without a hook nobody runs it
  assert node.run("status").status == 0


def test_an_owner_without_a_name_is_told_by_its_number(node):
  os.chown(str(package(node)), 54321, 54322)
  assert "(54321:54322, mode" in node.run("enable").err


def test_many_are_not_all_named(node):
  for path in package(node).listdir():
    os.chmod(str(path), 0o666)
  lines = node.run("enable").err.splitlines()
  assert len(lines) == 5
  assert "%d more paths" % (len(package(node).listdir()) - 3) in lines[3]


def test_others_may_add_to_a_sticky_folder_far_above(node):
  os.chmod(str(node.folder), 0o1777)
  assert node.run("enable").status == 0


def test_a_ring_of_links_ends(tmpdir):
  tmpdir.join("a").mksymlinkto(tmpdir.join("b"))
  tmpdir.join("b").mksymlinkto(tmpdir.join("a"))
  assert ownership.faults(str(tmpdir.join("a")), str(tmpdir.join("c"))) == []
