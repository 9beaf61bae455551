"""What Debian's package says of itself is what the project has.

What becomes of a node is C{tools/test-deb}'s.

"""

import glob
import os
import re
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))

import documents # pylint: disable=wrong-import-position
import ganeti_kvm_pci # pylint: disable=wrong-import-position
from ganeti_kvm_pci.node import intent # pylint: disable=wrong-import-position
from ganeti_kvm_pci.node import startup_files # pylint: disable=wrong-import-position

SCRIPTS = ["postinst", "postrm", "prerm"]


def text_of(name):
  return "\n".join(documents.lines_of(name))


def script(name):
  return text_of("debian/ganeti-kvm-pci." + name)


def test_the_changelog_has_the_version():
  assert re.match(r"ganeti-kvm-pci \(([^)]+)\) ", text_of("debian/changelog")
                  ).group(1) == ganeti_kvm_pci.__version__


def test_the_licence_is_the_projects():
  licence = text_of("LICENSE").split("\n--\n")[0].strip().split("\n")[3:]
  there = text_of("debian/copyright")
  assert licence[0].startswith("Redistribution")
  assert "\n".join(" " + (line or ".") for line in licence) in there
  assert "Copyright: 2026 the Ganeti project\n" in there


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_scripts_are_a_shells(name):
  subprocess.check_call(["sh", "-n", os.path.join(
    documents.TOP, "debian", "ganeti-kvm-pci." + name)])
  assert script(name).count("\n#DEBHELPER#\n") == 1
  assert "set -e\n" in script(name)


def test_purging_knows_all_startup_files_and_the_note():
  for name in startup_files._NAMES:
    assert '"$folder/%s"' % name in script("postrm")
  for name in ("postinst", "postrm"):
    assert "/var/lib/ganeti/%s" % intent._NOTE in script(name)


def test_each_file_that_is_installed_is_there():
  named = [line.split()[0] for name in ("install", "docs")
           for line in documents.lines_of("debian/ganeti-kvm-pci." + name)
           if line]
  assert len(named) > 3
  assert [name for name in named
          if not os.path.exists(os.path.join(documents.TOP, name))] == []


def test_a_nodes_files_are_laid_out(tmpdir):
  root = str(tmpdir.join("root"))
  subprocess.check_call([os.path.join(documents.TOP, "tools", "install-files"),
                         root, "/usr/share/ganeti-kvm-pci", "/usr/sbin"])
  package = root + "/usr/share/ganeti-kvm-pci/ganeti_kvm_pci"
  there = os.path.join(documents.TOP, "ganeti_kvm_pci")
  assert sorted(os.path.relpath(path, package) for path in
                glob.glob(package + "/**", recursive=True)
                if os.path.isfile(path)) == sorted(
                  os.path.relpath(path, there) for path in
                  glob.glob(there + "/**/*.py", recursive=True))
  completion = tmpdir.join("root", "usr", "share", "bash-completion",
                           "completions", "ganeti-kvm-pci")
  assert completion.read() == text_of("completion/ganeti-kvm-pci")
  command = tmpdir.join("root", "usr", "sbin", "ganeti-kvm-pci")
  assert '"/usr/share/ganeti-kvm-pci"' in command.read()
  command.write(command.read().replace('"/usr/share', '"%s/usr/share' % root))
  printed = subprocess.check_output([str(command), "--version"], cwd="/")
  assert printed.decode("ascii").strip() == ganeti_kvm_pci.__version__


def test_what_a_tarball_leaves_is_named(tmpdir):
  """By the package that is installed over it; an earlier tarball had less."""
  root = str(tmpdir.join("root"))
  subprocess.check_call([os.path.join(documents.TOP, "tools", "install-files"),
                         root, "/usr/local/lib/ganeti-kvm-pci",
                         "/usr/local/sbin"])
  named = set(re.findall(r"/usr/local/\S*ganeti-kvm-pci", script("postinst")))
  found = set()
  for folder, _, names in os.walk(root):
    found.update("/" + os.path.relpath(os.path.join(folder, name), root)
                 for name in names)
  assert len(found) > 3
  assert [path for path in found if not any(
    (path + "/").startswith(known + "/") for known in named)] == []


def test_each_autopkgtest_is_there():
  text = text_of("debian/tests/control")
  names = re.findall(r"(?m)^Test-Command: (\S+) (\S+)$", text)
  assert [os.path.isdir(os.path.join(documents.TOP, "tests", folder))
          for _, folder in names] == [True, True]
  # what the lab needs of Debian is what it says in one place
  needed = subprocess.check_output([os.path.join(
    documents.TOP, "tools", "install-needs"), "--list"]).decode("ascii").split()
  cluster = re.search(r"(?ms)^Tests: cluster$.*?^Depends:(.*?)^\S", text)
  known = set(re.findall(r"[a-z][\w-]+", cluster.group(1)))
  assert set(needed) - known == {
    # Depends on by the package; of other tests
    "ganeti", "python3", "python3-hypothesis", "python3-mock",
    "ca-certificates", "git"}
  for path in [path for path, _ in names] + [
      "debian/tests/" + name for name in re.findall(r"(?m)^Tests: (\S+)$",
                                                    text)]:
    assert os.access(os.path.join(documents.TOP, path), os.X_OK), path


def purge(folder, before="", wrapper=()):
  """Remove what memory has of the plugin, as purging does, below a folder.

  @param before: what the shell does first, with the folder as C{$run}
  @return: what is said

  """
  functions = re.findall(r"(?ms)^remove_(?:guest|volatile)_files\(\).*?^[)}]$",
                         script("postrm"))
  assert len(functions) == 2
  return subprocess.check_output(list(wrapper) + [
    "sh", "-ec", "run=$1 tags=$1/tags\n%s\n%s\nremove_volatile_files" % (
      before, "\n".join(functions)), "sh", str(folder)],
                                 stderr=subprocess.STDOUT,
                                 universal_newlines=True)


def left(folder):
  return sorted(os.path.relpath(os.path.join(path, name), str(folder))
                for path, _, names in os.walk(str(folder)) for name in names)


#: What the plugin keeps of an instance.
MADE = ["%s.runtime." + end for end in ("lock", "backup.1", "arriving",
                                        "vacated")] + [
  ".%s.runtime.pending.aB3_x9.kvm-pci"]


def test_purging_leaves_what_a_running_guest_has(tmpdir):
  for name, pid in (("vm1", os.getpid()), ("vm2", "none"), ("vm3", "")):
    tmpdir.ensure("pid", name).write("%s\n" % pid)
    for made in MADE:
      tmpdir.ensure("kvm-pci", made % name)
  for name in ("qemu-0a.answers", ".qemu-0a.answers.aB3_x9.kvm-pci",
               "a b.runtime.lock", "--help.runtime.lock"):
    tmpdir.ensure("kvm-pci", name)
  tmpdir.ensure("tags", "vm1.waiting")
  assert purge(tmpdir) == ""
  assert not tmpdir.join("tags").check()
  assert left(tmpdir.join("kvm-pci")) == sorted(made % "vm1" for made in MADE)
  tmpdir.join("pid", "vm1").write("")
  purge(tmpdir)
  assert left(tmpdir) == ["pid/vm1", "pid/vm2", "pid/vm3"]
  assert not tmpdir.join("kvm-pci").check()
  purge(tmpdir)


def test_purging_removes_no_file_that_is_not_the_plugins(tmpdir):
  """Ganeti's users may rename folders of Ganeti's, and put links there."""
  other = tmpdir.mkdir("other")
  for name in ("passwd", ".profile", "qemu-0a.answers", "vm2.runtime.lock"):
    other.join(name).write("")
  before = left(other)
  run = tmpdir.mkdir("run")
  run.join("kvm-pci").mksymlinkto(other)
  purge(run)
  assert left(other) == before
  run.join("kvm-pci").remove()
  run.ensure("kvm-pci", "passwd")
  purge(run)
  assert left(run) == ["kvm-pci/passwd"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts, in a namespace")
def test_purging_goes_on_where_nothing_can_be_removed(tmpdir):
  """What is in memory ends with the next boot; the package is to be purged."""
  tmpdir.ensure("kvm-pci", "vm1.runtime.lock")
  tmpdir.ensure("kvm-pci", "vm2.runtime.lock")
  tmpdir.ensure("tags", "vm1.waiting")
  before = left(tmpdir)
  said = purge(tmpdir, 'mount --bind "$run" "$run"\n'
               'mount -o remount,bind,ro "$run"', ["unshare", "--mount"])
  assert left(tmpdir) == before
  assert re.match("ganeti-kvm-pci: not all removed below /run/ganeti, where all"
                  " ends with the node's next boot: rm: .*vm1.runtime.lock.*\n$",
                  said)
  # and where one folder alone cannot
  said = purge(tmpdir, 'mount --bind "$tags" "$tags"\n'
               'mount -o remount,bind,ro "$tags"', ["unshare", "--mount"])
  assert left(tmpdir) == ["tags/vm1.waiting"]
  assert "vm1.waiting" in said and said.count("\n") == 1
