"""What goes to programs, and which errors go to whom."""

import copy
import errno
import json
import os
import re
import subprocess
import sys

import pytest

import genuine
import host
import schema
from ganeti_kvm_pci.cli import cmd_enable
from ganeti_kvm_pci.cli import cmd_map
from ganeti_kvm_pci.cli import conversion
from ganeti_kvm_pci.cli import instance
from ganeti_kvm_pci.cli import entry as entry_
from ganeti_kvm_pci.cli import output
from ganeti_kvm_pci.cli import report
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.errors import NodeError
from ganeti_kvm_pci.node import activation
from ganeti_kvm_pci.node import daemon
from ganeti_kvm_pci.node import installation
from ganeti_kvm_pci.node import runtime_files

OLD = "v2.12.6-plain"


def run(capsys, *arguments):
  """Run a command with --json; return what it printed, held to the schema."""
  status = entry_.main(list(arguments) + ["--json"])
  out, err = capsys.readouterr()
  assert err == ""
  document = schema.read(out)
  assert document["status"] == status
  assert document["command"] == arguments[0]
  return document


COMMANDS = [["map"], ["check"], ["plan"], ["upgrade", "--dry-run"],
            ["downgrade", "--dry-run"]]


@pytest.mark.parametrize("command", COMMANDS)
def test_good_and_bad_entries_have_the_same_keys(here, capsys, command):
  here.write("{", "bad.ex")
  here.add("v3.0.2-plain")
  document = run(capsys, *command)
  bad, good = document["instances"]
  assert (bad["instance"], bad["status"]) == ("bad.ex", 2)
  assert "JSON expected" in bad["error"]
  assert (good["instance"], good["error"]) == ("plain.ex", None)
  assert sorted(bad) == sorted(good)
  assert document["status"] == 2 and document["error"] is None
  (gone, ) = run(capsys, *(command + ["nobody"]))["instances"]
  assert (gone["instance"], gone["file"]) == ("nobody", None)
  assert sorted(gone) == sorted(good) and "no runtime file" in gone["error"]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_genuine_file_is_told_of_by_the_schema(here, capsys, command):
  for name in genuine.NAMES[::4]:
    here.write(genuine.text_of(name), name, runs=False)
  assert len(run(capsys, *command)["instances"]) == len(genuine.NAMES[::4])


@pytest.mark.parametrize("command", COMMANDS + [["status"]])
def test_what_ends_a_command_is_in_the_document(here, capsys, monkeypatch,
                                                command):
  def fail(*_):
    raise NodeError("no Ganeti in this test")
  monkeypatch.setattr(installation, "become_daemon_python", fail)
  document = run(capsys, *command)
  assert document["error"] == "no Ganeti in this test"
  assert (document["status"], document["instances"]) == (2, [])
  assert document["changed"] is False


def test_nothing_is_no_error(here, capsys):
  for command in COMMANDS:
    document = run(capsys, *command)
    assert (document["status"], document["instances"]) == (0, [])
    assert document["messages"][0].startswith("no instances: ")


def test_what_was_changed_is_told(here, capsys):
  here.add(OLD)
  document = run(capsys, "upgrade", "--dry-run")
  assert document["changed"] and document["dry_run"]
  assert document["instances"][0]["backup"] is None
  document = run(capsys, "upgrade")
  assert document["changed"] and not document["dry_run"]
  assert document["instances"][0]["backup"]
  document = run(capsys, "upgrade")
  assert not document["changed"] and document["status"] == 0


def test_what_was_changed_before_the_end_is_told(here, capsys, monkeypatch):
  """Who is interrupted wants to know what was converted, and its backup."""
  for name in ("a.ex", "b.ex"):
    here.write(genuine.text_of(OLD).replace("plain.ex", name), name)
  convert = conversion._convert_one

  def interrupt(entry, path, *more):
    if os.path.basename(path).startswith("b"):
      raise KeyboardInterrupt()
    convert(entry, path, *more)

  monkeypatch.setattr(conversion, "_convert_one", interrupt)
  document = run(capsys, "upgrade")
  assert document["error"] == "interrupted" and document["changed"]
  assert [(found["changed"], bool(found["backup"]))
          for found in document["instances"]] == [(True, True)]


def test_the_map_has_what_the_text_has(here, capsys, monkeypatch):
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  here.write(json.dumps(data))
  monkeypatch.setattr(cmd_map, "_live", lambda *_: {
    "functions": [], "peripherals": []})
  (entry, ) = run(capsys, "map", "--live")["instances"]
  assert [d["remark"] for d in entry["devices"]] == [
    "QEMU does not have it: added without hotplug, or lost"] * 4
  assert entry_.main(["map", "--live"]) == 0
  text = capsys.readouterr()[0]
  assert all(d["remark"] in text for d in entry["devices"])
  # what has no slot is in both as well
  data[2]["disk_type"] = "ide"
  here.write(json.dumps(data))
  (entry, ) = run(capsys, "map")["instances"]
  assert [d["class"] for d in entry["devices"] if d["slot"] is None] == [
    "disk", "disk"]
  assert entry_.main(["map"]) == 0
  assert "without a slot: disk 0 (" in capsys.readouterr()[0]


@pytest.mark.parametrize("command", [["map", "--live"], ["check", "--live"],
                                     ["check", "--repair"]])
def test_each_error_names_its_instance(here, capsys, monkeypatch, command):
  def fail(*_):
    raise MonitorError("no answer")
  monkeypatch.setattr(instance, "monitor", fail)
  here.add("v3.0.2-plain")
  here.add("v3.0.2-rng")
  assert entry_.main(command) == 2
  out, err = capsys.readouterr()
  assert (out, err.splitlines()) == ("", [
    "ganeti-kvm-pci: plain.ex: no answer", "ganeti-kvm-pci: rng.ex: no answer"])


@pytest.mark.parametrize("command", [["map"], ["check"], ["plan"], ["upgrade"],
                                     ["downgrade"]])
def test_each_file_is_named_once(here, tmpdir, capsys, command):
  bad = tmpdir.join("elsewhere.runtime")
  bad.write("{")
  assert entry_.main(command + [str(bad)]) == 2
  out, err = capsys.readouterr()
  assert out == "" and err.count(str(bad)) == 1
  assert err.startswith("ganeti-kvm-pci: %s: " % bad)


@pytest.mark.parametrize("command", [["map"], ["check"], ["plan"], ["upgrade"]])
def test_only_the_output_is_called_so(here, capsys, monkeypatch, command):
  here.add("v3.0.2-plain")

  def fail(path):
    raise OSError(errno.EIO, "Input/output error", path)
  monkeypatch.setattr(runtime_files, "read", fail)
  assert entry_.main(command) == 2
  out, err = capsys.readouterr()
  assert out == "" and err.count("\n") == 1
  assert "cannot write the output" not in err
  assert "Input/output error" in err and "plain.ex.runtime" in err
  assert "Input/output error" in run(capsys, *command)["error"]


def command(arguments, **streams):
  return subprocess.Popen(
    [sys.executable, "-B", "-c", "import sys; sys.path.insert(0, %r); from"
     " ganeti_kvm_pci.cli import entry; from ganeti_kvm_pci.node import"
     " installation; installation.become_daemon_python = lambda *_: None;"
     " sys.exit(entry.main())" % host.compiled()] + arguments,
    **streams)


PLAIN = os.path.join(schema.TOP, "tests", "data", "v3.0.2-plain.runtime")


@pytest.mark.parametrize("arguments", [["map", PLAIN], ["map", "--json", PLAIN],
                                       ["map"] + [PLAIN] * 100])
def test_output_that_cannot_be_written_is_one_clear_error(arguments):
  with open("/dev/full", "w") as full:
    process = command(arguments, stdout=full, stderr=subprocess.PIPE)
    err = process.communicate()[1].decode()
  assert process.returncode == 2
  assert err == ("ganeti-kvm-pci: cannot write the output: No space left on"
                 " device\n")


def test_nor_do_errors_that_nobody_can_read_change_the_status():
  with open("/dev/full", "w") as full:
    process = command(["map", "/nonexistent.runtime", PLAIN], stderr=full,
                      stdout=subprocess.PIPE)
    out = process.communicate()[0].decode()
  assert process.returncode == 2 and out.startswith("plain.ex")


SH_PYTHON = ["sh", "-c", 'exec "$0" "$@" ' + "{}", sys.executable, "-B", "-m",
             "ganeti_kvm_pci"]


@pytest.mark.parametrize("closed, arguments, status, out, err", [
  (">&-", ["map", PLAIN], 2, "", "cannot write the output: Bad file"),
  (">&-", ["map", "--json", PLAIN], 2, "", "cannot write the output: Bad file"),
  ("2>&-", ["map", "/nonexistent.runtime", PLAIN], 2, "plain.ex", ""),
  (">&- 2>&-", ["map", PLAIN], 2, "", ""),
  ("<&- >&- 2>&-", ["map", "/nonexistent.runtime"], 2, "", ""),
  ("<&-", ["map", PLAIN], 0, "plain.ex", ""),
  (">&-", ["map", "--help"], 2, "", "cannot write the output: Bad file"),
  (">/dev/full", ["map", "--help"], 2, "", "cannot write the output: No space"),
  ("2>&-", ["nonsense"], 2, "", ""),
  ("2>/dev/full", ["nonsense"], 2, "", ""),
  ("2>/dev/full", [], 2, "", ""),
  ])
def test_streams_that_are_closed_or_full(closed, arguments, status, out, err):
  process = subprocess.Popen(
    [word.format(closed) for word in SH_PYTHON] + arguments, cwd=host.compiled(),
    stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    env=dict(os.environ, PATH="/nonexistent:/bin:/usr/bin"))
  said = [text.decode() for text in process.communicate()]
  assert process.returncode == status
  for text, wanted in zip(said, (out, err)):
    assert wanted in text if wanted else text == ""
    assert "Traceback" not in text
    assert text.count("\n") <= 1 or text == said[0]


def test_a_stream_that_is_closed_is_not_the_next_file(tmpdir):
  """What is printed went to the file that had got its number."""
  made = tmpdir.join("made")
  code = ("import os, sys; sys.path.insert(0, %r)\n"
          "from ganeti_kvm_pci.cli import output as console\n"
          "console.open_streams()\n"
          "fd = os.open(%r, os.O_WRONLY | os.O_CREAT)\n"
          "console.say('x'); console.complain('y')\n"
          "os.write(fd, b'z'); os.close(fd)\n"
          "try:\n  console.flush()\n"
          "except console.OutputError: sys.exit(7)" % (
            host.compiled(), str(made)))
  assert subprocess.call(["sh", "-c", 'exec "$0" "$@" >&- 2>&- <&-',
                          sys.executable, "-B", "-c", code]) == 7
  assert made.read() == "z"


@pytest.mark.parametrize("arguments", [
  ["map"], ["check"], ["upgrade", "--to", "3.0"],
  ["upgrade", "--to", "3.1", "--backup-dir", "/proc/x"]])
def test_names_that_are_no_text_are_told_of_as_text(tmpdir, arguments):
  name = str(tmpdir).encode("utf-8") + b"/\xff\xc3\xbc.runtime"
  other = str(tmpdir).encode("utf-8") + b"/\xed\xa0\x80.runtime"
  with open(PLAIN, "rb") as stream:
    text = stream.read()
  with open(name, "wb") as stream:
    stream.write(text)
  with open(other, "wb") as stream:
    stream.write(text[:-2] + b', {"\xc3\xbc": 1}]')
  for extra in ([], ["--json"]):
    process = command(arguments + extra + [name, other],
                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate()
    assert process.returncode in (0, 1, 2) and b"Traceback" not in err
  document = json.loads(out.decode("utf-8"))
  assert schema.problems(document) == []
  # no half of a letter, which other programs refuse to read
  assert not re.search(br"(?<!\\)\\ud", out)
  assert [entry["file"].endswith(u"\xfc.runtime") or entry["file"].count(u".")
          for entry in document["instances"]]


def test_errors_in_other_letters_go_to_a_plain_terminal(tmpdir):
  name = str(tmpdir.join(u"d\u00efsk.runtime")) if str is not bytes else \
    str(tmpdir) + "/d\xc3\xafsk.runtime"
  process = command(["map", name], stderr=subprocess.PIPE,
                    stdout=subprocess.PIPE, env=dict(os.environ, LC_ALL="C"))
  err = process.communicate()[1]
  assert process.returncode == 2 and b"no such file" in err
  assert b"Traceback" not in err


def test_a_folder_that_was_removed_is_no_traceback(tmpdir):
  folder = tmpdir.mkdir("gone")
  process = command(["check", "x.runtime"], stderr=subprocess.PIPE,
                    stdout=subprocess.PIPE, cwd=str(folder), preexec_fn=(
                      lambda: os.rmdir(str(folder))))
  err = process.communicate()[1]
  assert process.returncode == 2 and b"no such file" in err
  assert b"Traceback" not in err


def test_the_schema_refuses_what_it_should(here, capsys):
  here.add("v3.0.2-plain")
  document = run(capsys, "map")
  for key in document:
    other = dict(document)
    del other[key]
    assert schema.problems(other)
  assert schema.problems(dict(document, surplus=1))
  assert schema.problems(dict(document, version=True))
  for change in ({"error": 3}, {"devices": None}, {"surplus": 1},
                 {"partition": {"qemu": [0]}}, {"status": 3}):
    other = copy.deepcopy(document)
    other["instances"][0].update(change)
    assert schema.problems(other)
  other = copy.deepcopy(document)
  other["instances"][0]["devices"][0]["slot"] = 32
  assert schema.problems(other)


def names(definition):
  """List all keys that a part of the schema names."""
  found = set(definition.get("properties", ()))
  for value in definition.values():
    for inner in value if isinstance(value, list) else [value]:
      if isinstance(inner, dict):
        found |= names(inner)
  return found


def test_the_page_explains_each_key_and_the_version():
  with open(os.path.join(schema.TOP, "doc", "output.rst")) as stream:
    page = stream.read()
  for name in names(schema.SCHEMA) - set(["properties"]):
    assert "``%s``" % name in page, name
  assert "version %d" % report.VERSION in page
  assert schema.SCHEMA["properties"]["version"]["enum"] == [report.VERSION]


def test_what_is_collected_is_not_printed(capsys):
  made = report.Report("map")
  with output.collecting(made):
    output.say("a\nb\n")
    output.complain(NodeError("c"))
  assert capsys.readouterr() == ("", "")
  assert (made.said, made.warnings) == (["a", "b"], ["c"])


class FakeHook(object):
  """Where a hook would be."""
  path = "/site/ganeti-kvm-pci.pth"

  def writable(self):
    return []

  def is_damaged(self):
    return False


@pytest.fixture
def plugin(monkeypatch):
  """Provide a node whose plugin is a dict of what is so."""
  state = {"hooked": False, "loaded": False}

  class Status(activation.Status):
    """As if it had looked."""
    def __init__(self): # pylint: disable=super-init-not-called
      self.release, self.version, self.unfit = "3.0.2", "3.0", None
      self.python, self.hook = "/usr/bin/python3", FakeHook()
      self.elsewhere, self.others, self.reasons = False, [], []
      self.pid, self.stale = 7, False
      self.hooked, self.loaded = state["hooked"], state["loaded"]

  def put(wanted):
    def change(*args):
      if state["hooked"] != wanted:
        args[-1].append(FakeHook.path)
      state["hooked"] = wanted
    return change
  monkeypatch.setattr(activation, "Status", Status)
  monkeypatch.setattr(activation, "enable", put(True))
  monkeypatch.setattr(activation, "disable", put(False))
  monkeypatch.setattr(daemon, "pid_of_daemon", lambda: 7)
  monkeypatch.setattr(daemon, "restart",
                      lambda loaded: state.update(loaded=loaded))

  class Reservations(object):
    """Nothing to be said of them."""
    def low(self):
      return []
  monkeypatch.setattr(cmd_enable.reservations, "Reservations", Reservations)
  monkeypatch.setattr(cmd_enable.reservations, "obstacles", lambda *_: [])
  monkeypatch.setattr(cmd_enable.watcher, "put", lambda: False)
  monkeypatch.setattr(cmd_enable.hooks, "put", lambda *_: ([], []))
  monkeypatch.setattr(cmd_enable.hooks, "states", lambda: {
    "/etc/ganeti/hooks/instance-start-post.d/ganeti-kvm-pci": "absent"})
  return state


def test_the_node_is_told_of_and_changed_once(here, capsys, plugin):
  document = run(capsys, "status")
  assert document["instances"] == [] and not document["changed"]
  assert document["node"]["ganeti"] == "3.0.2"
  assert not document["node"]["hooked"]
  assert any("hook" in line for line in document["messages"])
  document = run(capsys, "enable")
  assert document["changed"] and document["node"]["hooked"]
  assert not document["node"]["loaded"]
  assert "must be restarted" in document["messages"][1]
  document = run(capsys, "enable", "--restart")
  assert document["changed"] and document["node"]["loaded"]
  document = run(capsys, "enable", "--restart")
  assert not document["changed"] and document["node"]["consistent"]
  document = run(capsys, "disable", "--restart")
  assert document["changed"] and not document["node"]["loaded"]
  assert not document["node"]["hooked"]
  assert not run(capsys, "disable", "--restart")["changed"]
  for key in document["node"]:
    other = copy.deepcopy(document)
    del other["node"][key]
    assert schema.problems(other)
