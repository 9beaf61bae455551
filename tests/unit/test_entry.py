"""The command, where no Ganeti is needed, and enabling by a fake one."""

import json
import os
import subprocess
import sys
import types

import pytest

import host
import schema
from ganeti_kvm_pci.cli import arguments
from ganeti_kvm_pci.cli import entry as entry_
from ganeti_kvm_pci.errors import NodeError
from ganeti_kvm_pci.errors import RuntimeFileError
from ganeti_kvm_pci.node import activation
from ganeti_kvm_pci.node import daemon as daemon_
from ganeti_kvm_pci.node import installation
from ganeti_kvm_pci.node import intent
from ganeti_kvm_pci.node import runtime_files
from ganeti_kvm_pci.node import startup_files

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DATA = os.path.join(ROOT, "tests", "data")
PLAIN = os.path.join(DATA, "v3.0.2-plain.runtime")


@pytest.fixture
def conf(tmpdir, monkeypatch):
  monkeypatch.setattr(runtime_files, "control_dir", lambda name: str(tmpdir))
  return tmpdir


def test_the_map_of_a_file(capsys):
  assert entry_.main(["map", PLAIN]) == 0
  assert "DDNN________" in capsys.readouterr()[0]


def test_the_map_as_json(capsys):
  assert entry_.main(["map", "--json", PLAIN, PLAIN]) == 0
  data = schema.read(capsys.readouterr()[0])["instances"]
  assert [len(entry["devices"]) for entry in data] == [4, 4]


def test_instances_are_found_by_name(conf, capsys):
  for name in ("vm1.example.com", "vm2.example.com", "vm2.example.org"):
    conf.join(name + ".runtime").write(open(PLAIN).read())
  conf.join("vm1.example.com.other").write("")
  assert entry_.main(["map", "vm1"]) == 0
  assert entry_.main(["map", "vm2.example.org"]) == 0
  capsys.readouterr()
  assert entry_.main(["map", "vm2"]) == 2
  assert "may mean vm2.example.com or vm2" in capsys.readouterr()[1]
  assert entry_.main(["map", "vm3"]) == 2
  assert "is it running on this node" in capsys.readouterr()[1]
  assert entry_.main(["map", "--json"]) == 0
  assert len(schema.read(capsys.readouterr()[0])["instances"]) == 3


def test_a_node_where_ganeti_never_ran_has_no_maps(monkeypatch, tmpdir, capsys):
  folder = str(tmpdir.join("ganeti", "kvm-hypervisor", "conf"))
  monkeypatch.setattr(runtime_files, "control_dir", lambda name: folder)
  assert entry_.main(["map"]) == 2
  out, err = capsys.readouterr()
  assert out == ""
  assert "there is no folder %s: Ganeti was" % tmpdir.join("ganeti") in err
  # a node that was added, or has booted, and waits for its first instance
  tmpdir.mkdir("ganeti")
  assert entry_.main(["check"]) == 0
  assert capsys.readouterr() == (
    "no instances: no runtime files in %s\n" % folder, "")


def test_a_node_without_instances_says_so(conf, capsys):
  for command in ("map", "check", "plan", "upgrade"):
    assert entry_.main([command]) == 0
    assert capsys.readouterr() == (
      "no instances: no runtime files in %s\n" % conf, "")


def test_what_lies_in_the_current_folder_hides_no_instance(conf, tmpdir,
                                                           capsys):
  conf.join("vm1.runtime").write(open(PLAIN).read())
  with tmpdir.mkdir("elsewhere").as_cwd():
    open("vm1", "w").close()
    open("vm2", "w").close()
    open("vm3.runtime", "w").write(open(PLAIN).read())
    assert entry_.main(["map", "vm1"]) == 0
    assert entry_.main(["map", "vm3.runtime"]) == 0
    assert entry_.main(["map", "./vm3.runtime"]) == 0
    assert entry_.main(["map", "vm2"]) == 2
  assert "no runtime file of an instance vm2" in capsys.readouterr()[1]


def test_one_bad_file_does_not_hide_the_others(conf, capsys):
  conf.join("a.runtime").write("{")
  conf.join("b.runtime").write(open(PLAIN).read())
  assert entry_.main(["map", "--json"]) == 2
  out, err = capsys.readouterr()
  bad, good = schema.read(out)["instances"]
  assert "a.runtime" in bad["error"] and good["instance"] == "plain.ex"
  assert sorted(bad) == sorted(good) and err == ""


def test_what_is_no_readable_text_is_one_clear_error(tmpdir):
  tmpdir.join("big.runtime").open("w").truncate(100 << 20)
  tmpdir.join("latin.runtime").write_binary(b"\xe9\xff")
  tmpdir.mkdir("folder.runtime")
  os.mkfifo(str(tmpdir.join("pipe.runtime")))
  os.symlink("nowhere", str(tmpdir.join("link.runtime")))
  for name, reason in (("big", "larger than"), ("latin", "UTF-8 expected"),
                       ("folder", "not a regular file"),
                       ("pipe", "not a regular file"),
                       ("link", "a symbolic link")):
    with pytest.raises(RuntimeFileError) as caught:
      runtime_files.read(str(tmpdir.join(name + ".runtime")))
    assert reason in str(caught.value)


def test_names_in_other_letters_survive_a_pipe(tmpdir):
  data = json.load(open(PLAIN))
  data[0][data[0].index("-name") + 1] = u"d\u00efsk.ex"
  path = str(tmpdir.join("x.runtime"))
  json.dump(data, open(path, "w"))
  environment = dict(os.environ, LC_ALL="C", PYTHONPATH=host.compiled())
  output = subprocess.check_output(
    [sys.executable, "-B", "-m", "ganeti_kvm_pci", "map", path],
    env=environment)
  assert u"d\u00efsk.ex" in output.decode("utf-8")


def test_a_reader_that_leaves_gets_no_traceback():
  process = subprocess.Popen(
    [sys.executable, "-B", "-m", "ganeti_kvm_pci", "map"] + [PLAIN] * 500,
    env=dict(os.environ, PYTHONPATH=host.compiled()), stdout=subprocess.PIPE,
    stderr=subprocess.PIPE)
  process.stdout.close()
  err = process.stderr.read()
  process.wait()
  assert err == b""


def test_a_full_disk_is_one_clear_error():
  with open("/dev/full", "w") as full:
    process = subprocess.Popen(
      [sys.executable, "-B", "-m", "ganeti_kvm_pci", "map", PLAIN],
      env=dict(os.environ, PYTHONPATH=host.compiled()), stdout=full,
      stderr=subprocess.PIPE)
    err = process.communicate()[1].decode()
  assert process.returncode == 2
  assert len(err.splitlines()) == 1 and "cannot write the output" in err


@pytest.mark.parametrize("arguments", [
  ["nonsense"], ["map", "--nonsense"], ["enable", "surplus"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
  with pytest.raises(SystemExit) as caught:
    entry_.main(arguments)
  assert caught.value.code == 2
  capsys.readouterr()


@pytest.mark.parametrize("name", ["enable", "disable", "status", "map", "plan",
                                  "upgrade", "downgrade"])
def test_each_command_has_a_module(name):
  opts = arguments.make().parse_args([name])
  assert opts.function.__module__ == "ganeti_kvm_pci.cli.cmd_" + name


def test_no_command_is_wrong_usage(capsys):
  try:
    assert entry_.main([]) == 2
  except SystemExit as caught: # Python 2's argparse insists by itself
    assert caught.code == 2
  capsys.readouterr()


@pytest.fixture
def daemon(tmpdir, monkeypatch):
  """Provide a node whose Ganeti's Python is this one."""
  script = tmpdir.mkdir("sbin").join("ganeti-noded")
  script.write("#!%s\n" % sys.executable)
  monkeypatch.setattr(installation, "_DAEMON_DIRS", [str(script.dirpath())])
  monkeypatch.setattr(installation, "site_dir",
                      lambda: str(tmpdir.join("site")))
  monkeypatch.setattr(intent, "note_path", lambda: str(tmpdir.join("note")))
  # this host's own hooks are none of the tests' business
  monkeypatch.setattr(startup_files, "_prefixes", lambda: [])
  return script


def test_the_daemons_python_is_read_from_its_script(daemon):
  assert installation.daemon_python() == sys.executable
  daemon.write("#!/usr/bin/env python3\n")
  assert installation.daemon_python() == "python3"
  for text in ("", "#!/bin/sh\n", "\n#!/usr/bin/python3\n"):
    daemon.write(text)
    with pytest.raises(NodeError):
      installation.daemon_python()


def test_no_ganeti_is_one_clear_error(monkeypatch, capsys, any_python):
  monkeypatch.setattr(installation, "_DAEMON_DIRS", ["/nonexistent"])
  monkeypatch.setenv("PATH", "/nonexistent")
  assert entry_.main(["status"]) == 2
  assert "is Ganeti installed" in capsys.readouterr()[1]
  # nobody else knows where its files are
  for arguments in (["map"], ["check"], ["plan"], ["upgrade", "--to", "3.0"],
                    ["map", "vm1"], ["plan", PLAIN, "vm1"], ["upgrade", PLAIN],
                    ["map", "--live", PLAIN]):
    assert entry_.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and "is Ganeti installed" in err
  # but a file is a file
  for arguments in (["map", PLAIN], ["check", PLAIN], ["plan", PLAIN],
                    ["upgrade", "--dry-run", "--to", "3.0", PLAIN]):
    assert entry_.main(arguments) == 0
    assert capsys.readouterr()[1] == ""


def enable():
  """Enable, and return the hook's path."""
  hook = activation.Hook()
  activation.enable(hook)
  return hook.path


def test_enabling_twice_and_disabling_twice_does_no_harm(daemon):
  hook = activation.Hook()
  path = hook.path
  assert activation.enable(hook)
  assert os.stat(path).st_mode & 0o777 == 0o644
  text = open(path).read()
  assert not activation.enable(hook)
  assert open(path).read() == text
  assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
  assert activation.disable() == [path, intent.note_path()]
  assert activation.disable() == []


def test_what_cannot_be_written_is_one_clear_error(daemon, tmpdir):
  tmpdir.join("site").write("a file where the folder should be")
  with pytest.raises(NodeError) as caught:
    enable()
  assert "cannot write" in str(caught.value)


@pytest.fixture
def util(tmpdir, monkeypatch):
  """Provide what stops and starts the node daemon, whose process is in a file.

  """
  ganeti = types.ModuleType("ganeti")
  ganeti.constants = types.ModuleType("ganeti.constants")
  ganeti.constants.NODED = "ganeti-noded"
  ganeti.pathutils = types.ModuleType("ganeti.pathutils")
  ganeti.pathutils.DAEMON_UTIL = str(tmpdir.join("daemon-util"))
  for name in ("", ".constants", ".pathutils"):
    monkeypatch.setitem(sys.modules, "ganeti" + name,
                        getattr(ganeti, name[1:], ganeti))
  monkeypatch.setattr(daemon_, "_RESTART_LIMIT", 0.3)
  pid = tmpdir.join("pid")
  pid.write("7")
  monkeypatch.setattr(daemon_, "pid_of_daemon",
                      lambda: int(pid.read() or 0) or None)
  monkeypatch.setattr(daemon_, "marks", lambda number: (True, False))

  def write(script):
    tmpdir.join("daemon-util").write("#!/bin/sh\n" + script)
    tmpdir.join("daemon-util").chmod(0o755)
  write.pid = pid
  return write


def test_a_daemon_that_was_not_stopped_was_not_restarted(util):
  util("exit 0\n")
  with pytest.raises(NodeError) as caught:
    daemon_.restart(True)
  assert str(caught.value).startswith("the node daemon (pid 7) was not stopped")
  util("test $1 = stop || echo 8 > %s\n" % util.pid)
  daemon_.restart(True)


def test_a_daemon_that_does_not_come_back_is_one_clear_error(util):
  util(": > %s\n" % util.pid)
  with pytest.raises(NodeError) as caught:
    daemon_.restart(True)
  assert "the node daemon did not come up" in str(caught.value)
  util("echo why; exit 3\n")
  with pytest.raises(NodeError) as caught:
    daemon_.restart(True)
  assert str(caught.value) == "daemon-util stop ganeti-noded failed: why"


def test_nor_is_there_anything_to_restart_it_with(util):
  with pytest.raises(NodeError) as caught:
    daemon_.restart(True)
  assert "daemon-util stop ganeti-noded failed: " in str(caught.value)
  assert "No such file" in str(caught.value)


STUB = os.path.join(ROOT, "tests", "stubs")


def class_with(line):
  """Run a .pth line, import Ganeti, and tell whose class is used."""
  code = ("import sys; sys.path.insert(0, %r); before = list(sys.path)\n%s"
          "import ganeti.hypervisor as h\n"
          "print('%%s %%s' %% (sys.path == before,"
          " h.GetHypervisorClass('kvm').__module__))" % (STUB, line))
  output = subprocess.check_output([sys.executable, "-B", "-c", code],
                                   cwd="/", env={}, stderr=subprocess.STDOUT)
  return output.decode().split()


def test_the_line_hooks_and_leaves_no_trace_on_the_path(daemon):
  assert class_with(open(enable()).read()) == [
    "True", "ganeti_kvm_pci.hypervisor"]


def test_the_line_is_quiet_when_the_package_was_removed(daemon, monkeypatch):
  monkeypatch.setattr(installation, "package_parent", lambda: "/nonexistent")
  assert class_with(open(enable()).read()) == [
    "True", "ganeti.hypervisor.hv_kvm"]


def test_the_file_is_one_line(daemon):
  lines = open(enable()).read().splitlines()
  assert len(lines) == 1 and lines[0].startswith("import ")
