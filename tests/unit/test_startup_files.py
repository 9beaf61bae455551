"""What Python runs at its start, and what each version of it takes."""

import os
import re
import subprocess
import sys

import pytest

import host
from ganeti_kvm_pci.node import startup_files

SHOW = ("import ganeti.hypervisor as h, sys\n"
        "print(h.GetHypervisorClass('kvm').__module__)\n"
        "print(sum(type(f).__name__ == 'GanetiKvmPci' for f in sys.meta_path))")


def run(code):
  environment = dict(os.environ, PYTHONPATH=host.STUB,
                     PYTHONDONTWRITEBYTECODE="1")
  return subprocess.check_output([sys.executable, "-c", code], cwd="/",
                                 env=environment).decode().split()


def put(folder, version):
  return startup_files.put(str(folder), startup_files.contents(version, host.ROOT))


@pytest.mark.parametrize("version, names", [
  ((2, 7), [".pth"]), ((3, 6), [".pth"]), ((3, 11), [".pth"]),
  ((3, 14), [".pth"]),
  ((3, 15), [".py", ".start"]), ((3, 17), [".py", ".start"]),
  ((3, 18), [".py", ".start"]), ((3, 20), [".py", ".start"]),
  ((4, 0), [".py", ".start"])])
def test_each_python_gets_what_it_reads(version, names):
  found = startup_files.contents(version, "/a/folder")
  assert [os.path.splitext(name)[1] for name, _ in found] == names


def test_this_python_is_hooked(tmpdir):
  put(tmpdir, sys.version_info[:2])
  assert run("import site; site.addsitedir(%r)\n%s" % (str(tmpdir), SHOW)) == [
    "ganeti_kvm_pci.hypervisor", "1"]


@pytest.mark.parametrize("version", [sys.version_info[:2], (3, 15)])
def test_the_files_can_be_read_whatever_the_locale(tmpdir, version):
  """A Python that cannot decode one does not start at all."""
  folder = tmpdir.mkdir("d'\xfc\"") if str is not bytes else \
    tmpdir.mkdir("d'\xc3\xbc\"")
  os.symlink(os.path.join(host.ROOT, "ganeti_kvm_pci"),
             os.path.join(str(folder), "ganeti_kvm_pci"))
  site = tmpdir.mkdir("site")
  startup_files.put(str(site), startup_files.contents(version, str(folder)))
  for path in site.listdir():
    path.read_binary().decode("ascii")
  assert startup_files.package_folder(
    str(site), startup_files.contents(version, "/another")) == str(folder)
  if version < (3, 15):
    assert run("import site; site.addsitedir(%r)\n%s" % (str(site), SHOW)) == [
      "ganeti_kvm_pci.hypervisor", "1"]


@pytest.mark.parametrize("version", [(3, 11), (3, 15)])
def test_what_is_no_hook_leads_nowhere(tmpdir, version):
  wanted = startup_files.contents(version, "/a/folder")
  assert startup_files.package_folder(str(tmpdir), wanted) is None
  startup_files.put(str(tmpdir), wanted)
  assert startup_files.package_folder(str(tmpdir), wanted) == "/a/folder"
  for name, text in wanted:
    for wrong in [text[:end] for end in range(len(text))] + [
                  "import sys; exec(x, {'sys': sys})\n",
                  "import sys; exec(1, {'sys': sys})\n",
                  "def a():\n    sys.path.insert(0, x)\n"]:
      tmpdir.join(name).write(wrong)
      assert startup_files.package_folder(str(tmpdir), wanted) is None
    tmpdir.join(name).write(text)


def test_to_remove_what_somebody_else_has_removed_is_no_error(tmpdir):
  removed = []
  there = tmpdir.ensure("there")
  startup_files.remove([str(tmpdir.join("gone")), str(there)], removed)
  assert removed == [str(there)]


def test_a_start_file_names_what_can_be_called_twice(tmpdir):
  """As Python 3.15 does, without being one."""
  put(tmpdir, (3, 15))
  line, = tmpdir.join("ganeti-kvm-pci.start").read().splitlines()
  module, function = re.match(r"([a-z_]+):([a-z_]+)$", line).groups()
  assert run("import sys; sys.path.append(%r); import %s as m; m.%s(); m.%s()\n"
             "%s" % (str(tmpdir), module, function, function, SHOW)) == [
               "ganeti_kvm_pci.hypervisor", "1"]


def test_a_start_module_imports_nothing_for_other_programs(tmpdir):
  put(tmpdir, (3, 15))
  assert run("import sys; sys.path.append(%r); before = set(sys.modules)\n"
             "import ganeti_kvm_pci_start as m; m.start(); import json\n"
             "print([n for n in set(sys.modules) - before if 'ganeti' in n])" %
             str(tmpdir)) == ["['ganeti_kvm_pci_start']"]


def test_what_another_version_of_it_needed_is_removed(tmpdir):
  other = tmpdir.join("other.pth")
  other.write("")
  for version in ((3, 14), (3, 15), (3, 14)):
    assert put(tmpdir, version)
    assert not put(tmpdir, version)
    assert set(path.basename for path in tmpdir.listdir()) == set(
      ["other.pth"] + [n for n, _ in startup_files.contents(version, "")])


def test_a_link_to_a_folder_is_not_a_second_one(tmpdir, monkeypatch):
  monkeypatch.setattr(startup_files, "_prefixes", lambda: [str(tmpdir)])
  site = tmpdir.ensure("lib", "python3.9", "site-packages", dir=True)
  tmpdir.join("lib64").mksymlinkto(tmpdir.join("lib"))
  put(site, (3, 9))
  assert len(startup_files.find()) == 1


def test_what_is_of_another_name_is_no_hook(tmpdir, monkeypatch):
  monkeypatch.setattr(startup_files, "_prefixes", lambda: [])
  assert startup_files.find(places=[str(tmpdir.ensure("passwd"))]) == []


def test_what_is_in_a_file_is_read_whatever_it_is(tmpdir):
  tmpdir.join("maps").write_binary(b"a\n/lib/\xff\n")
  assert startup_files.read(str(tmpdir.join("maps"))).splitlines()[0] == "a"
  assert startup_files.read(str(tmpdir.join("none"))) is None
