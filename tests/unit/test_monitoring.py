"""check for monitoring systems: Nagios' form, and Prometheus'."""

import errno
import os
import re
import stat
import time

import pytest

import genuine
from ganeti_kvm_pci import instance_lock
from ganeti_kvm_pci.cli import cmd_check
from ganeti_kvm_pci.cli import entry as entry_
from ganeti_kvm_pci.cli import monitoring
from ganeti_kvm_pci.cli import nagios
from ganeti_kvm_pci.cli import output
from ganeti_kvm_pci.cli import prometheus
from ganeti_kvm_pci.cli import report as report_
from ganeti_kvm_pci.cli import summary
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.errors import NodeError
from ganeti_kvm_pci.errors import RuntimeFileError
from ganeti_kvm_pci.node import runtime_files

_METRIC_RE = re.compile(r'([a-z_][a-z0-9_]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|'
                        r'\\["\\n])*",?)+)\})? (-?[0-9]+(?:\.[0-9]+)?)\Z')
_LABEL_RE = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_DATUM_RE = re.compile(r"([a-z_]+)=(U|[0-9]+(?:\.[0-9]+)?)(s?);([0-9]*);;0\Z")


def report(*entries, **more):
  """Make the report of a check that has found something.

  @param entries: what differs from an instance where all is well

  """
  made = report_.Report("check")
  for number, found in enumerate(entries):
    made.entries.append(report_.entry("check", dict({
      "instance": "vm%d.ex" % number, "file": "/f", "refusals": [],
      "free": {"disks": 14, "nics": 6},
      "qemu": {"running": "7.2", "installed": "7.2", "outdated": None}},
                                                    **found)))
  for key, value in more.items():
    setattr(made, key, value)
  return made


WARNED = {"findings": [
  {"severity": "warning", "slot": None, "device": None, "bus": None,
   "text": "a migration would be refused: a | b"}], "refusals": ["a | b"],
          "status": 1}
OLD = {"qemu": {"running": "7.2", "installed": "7.3", "outdated": "old"}}
PENDING = {"removals": ["disk-1", "disk-2"], "free": {"disks": None, "nics": 3}}
UNREAD = {"error": "no answer", "refusals": None, "free": None, "qemu": None}


def plugin(made):
  """Return the lines of a Nagios plugin and its status; they are well-formed.

  """
  text, status = nagios.render(summary.Summary(made), made.warnings, 0.25)
  lines = text.split("\n")
  assert all("|" not in line for line in lines[1:])
  assert lines[0].count("|") == 1
  return lines, status


def failed(err):
  """Return the report of an instance, and of one that could not be looked at.

  """
  made = report({}, UNREAD)
  output.fail(made.entries[1], err)
  return made


@pytest.mark.parametrize("made, status, name", [
  (report(), 0, "OK"),
  (failed(RuntimeFileError("/f", "slot 3 is given twice")), 2, "CRITICAL"),
  (failed(NodeError("no rights")), 3, "UNKNOWN"),
  (failed(MonitorError("no answer")), 3, "UNKNOWN"),
  (report({}, PENDING), 0, "OK"),
  (report({}, WARNED), 1, "WARNING"),
  (report({}, UNREAD), 3, "UNKNOWN"),
  (report(UNREAD, WARNED), 1, "WARNING"),
  (report({}, node_status=1), 1, "WARNING"),
  (report(WARNED, UNREAD, node_status=2), 2, "CRITICAL")])
def test_the_state_is_the_worst_that_is_known(made, status, name):
  lines, found = plugin(made)
  assert found == status and lines[0].startswith("KVM-PCI %s - " % name)


def test_a_check_that_fails_is_unknown():
  text, status = nagios.render(summary.Summary(report(error="no | file")), [],
                               0)
  assert (text, status) == ("KVM-PCI UNKNOWN - no / file", 3)


def test_the_line_names_who_it_is_and_has_performance_data():
  lines, _ = plugin(report({}, WARNED, OLD, PENDING, UNREAD,
                           warnings=["the plugin is off"]))
  text, data = lines[0].split(" | ")
  assert text == ("KVM-PCI WARNING - 5 instances, 1 warning, 1 cannot be"
                  " migrated (vm1.ex), 1 not on the installed QEMU (vm2.ex),"
                  " 1 not looked at (vm4.ex), 2 removals pending")
  found = dict((match.group(1), match.group(2, 3, 4)) for match in
               (_DATUM_RE.match(datum) for datum in data.split(" ")))
  assert found == {
    "instances": ("5", "", ""), "warnings": ("1", "", "0"),
    "not_migratable": ("1", "", "0"), "outdated_qemu": ("1", "", "0"),
    "not_checked": ("1", "", ""), "removals_pending": ("2", "", ""),
    "least_free_slots": ("3", "", ""), "time": ("0.25", "s", "")}
  assert lines[1:] == [
    "the plugin is off",
    "vm1.ex: warning: a migration would be refused: a / b",
    "vm4.ex: no answer"]


def test_without_instances_no_least_number_is_made_up():
  assert " least_free_slots=U;;;0" in plugin(report())[0][0]


def metrics(text):
  """Read metrics as Prometheus does: dict, (name, labels) to number.

  """
  assert text.endswith("\n")
  found, typed, helped, current = {}, set(), set(), None
  for line in text[:-1].split("\n"):
    if line.startswith("# HELP "):
      current = line.split(" ")[2]
      assert current not in helped and line.split(" ", 3)[3]
      helped.add(current)
      continue
    if line.startswith("# TYPE "):
      assert line == "# TYPE %s gauge" % current and current not in typed
      typed.add(current)
      continue
    match = _METRIC_RE.match(line)
    assert match, line
    name, labels, value = match.groups()
    # those of one metric are together, and after both of its lines
    assert name == current and name in typed
    assert name.startswith("ganeti_kvm_pci_") and not name.endswith("_total")
    key = (name[len("ganeti_kvm_pci_"):], tuple(
      (label, re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(*2 * m.groups()), item))
      for label, item in _LABEL_RE.findall(labels or "")))
    assert key not in found
    found[key] = float(value)
  assert helped == typed
  return found


def test_metrics_of_a_node():
  text = prometheus.render(summary.Summary(report(
    {}, WARNED, OLD, PENDING, UNREAD)), 1700000000.25, 0.5)
  found = metrics(text)
  assert found["check_timestamp_seconds", ()] == 1700000000.25
  assert found["check_duration_seconds", ()] == 0.5
  for name, value in (("check_success", 1), ("node_ok", 1), ("instances", 5),
                      ("instances_unchecked", 1)):
    assert found[name, ()] == value
  assert found["findings", (("severity", "warning"), )] == 1
  assert found["findings", (("severity", "info"), )] == 0

  def of(name, number, *more):
    return found.get((name, (("ganeti_instance", "vm%d.ex" % number), ) + more))
  assert [of("instance_migratable", n) for n in range(5)] == [1, 0, 1, 1, None]
  assert [of("instance_qemu_outdated", n) for n in range(5)] == [
    0, 0, 1, 0, None]
  assert [of("instance_removals_pending", n) for n in range(5)] == [
    0, 0, 0, 2, None]
  assert [of("slots_free", n, ("pool", "nics")) for n in (0, 3, 4)] == [
    6, 3, None]
  assert of("slots_free", 3, ("pool", "disks")) is None


def test_a_check_that_fails_tells_that_and_nothing_of_the_node():
  found = metrics(prometheus.render(summary.Summary(report(error="no")), 1, 1))
  assert found["check_success", ()] == 0 and ("instances", ()) not in found


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "\\n", u"\xe4", "}"])
def test_labels_are_escaped(name):
  found = metrics(prometheus.render(summary.Summary(report(
    {"instance": name})), 1, 1))
  assert found["instance_migratable", (("ganeti_instance", name), )] == 1


def test_the_file_is_replaced_as_a_whole(here, tmpdir, capsys):
  here.add("v3.0.2-plain", runs=False)
  path = tmpdir.join("kvm-pci.prom")
  path.write("old")
  inode = os.stat(str(path)).st_ino
  tmpdir.join(".kvm-pci.prom.a1b2c3d4.kvm-pci").write("of one that was killed")
  before = time.time()
  assert entry_.main(["check", "--prometheus=%s" % path]) == 0
  assert capsys.readouterr() == ("", "")
  found = metrics(path.read())
  assert found["instances", ()] == 1
  assert before - 1 < found["check_timestamp_seconds", ()] < time.time() + 1
  status = os.stat(str(path))
  assert status.st_ino != inode and stat.S_IMODE(status.st_mode) == 0o644
  assert tmpdir.listdir(fil="*kvm-pci.prom*") == [path]


def test_without_a_file_metrics_are_printed(here, capsys):
  here.add("v3.0.2-plain", runs=False)
  # what comes after it is an instance, and no file
  assert entry_.main(["check", "--prometheus", "plain"]) == 0
  out, err = capsys.readouterr()
  assert err == "" and metrics(out)["instances", ()] == 1
  assert not os.path.exists("plain")


@pytest.mark.parametrize("make", [
  lambda path: path.mksymlinkto("/dev/null"), lambda path: path.mkdir(),
  lambda path: os.mkfifo(str(path))])
def test_what_is_no_regular_file_is_not_replaced(here, tmpdir, capsys, make):
  path = tmpdir.join("x.prom")
  make(path)
  mode = os.lstat(str(path)).st_mode
  assert entry_.main(["check", "--prometheus=%s" % path]) == 2
  assert "no regular file" in capsys.readouterr()[1]
  assert os.lstat(str(path)).st_mode == mode


def test_an_instance_that_is_named_twice_counts_once(here, capsys):
  path = here.add("v3.0.2-plain", runs=False)
  assert entry_.main(["check", "--prometheus", "plain", str(path)]) == 0
  out = capsys.readouterr()[0]
  assert metrics(out)["instances", ()] == 1
  assert out.count("slots_free{") == len(set(
    line for line in out.splitlines() if "slots_free{" in line))


def test_the_line_is_short_whoever_is_to_be_named():
  line = plugin(report(*[UNREAD] * 200))[0][0]
  assert "200 not looked at (vm0.ex, vm1.ex, vm2.ex, ...)" in line
  assert len(line) < 512


def test_a_file_that_cannot_be_written_is_an_error(here, tmpdir, capsys):
  path = tmpdir.join("nowhere", "x.prom")
  assert entry_.main(["check", "--prometheus=%s" % path]) == 2
  out, err = capsys.readouterr()
  assert out == "" and "the metrics cannot be written to %s: " % path in err


def test_a_bad_file_is_counted_and_does_not_end_the_check(here, capsys):
  here.write("{", "bad.ex")
  here.add("v3.0.2-plain", runs=False)
  assert entry_.main(["check", "--prometheus"]) == 0
  found = metrics(capsys.readouterr()[0])
  assert (found["instances", ()], found["instances_unchecked", ()]) == (2, 1)
  assert entry_.main(["check", "--nagios"]) == 2
  out, err = capsys.readouterr()
  assert err == "" and out.startswith("KVM-PCI CRITICAL - 2 instances, 0"
                                      " warnings, 1 with a damaged runtime file"
                                      " (bad.ex) | ")
  assert "bad.ex" in out.split("\n")[1]


def test_a_file_with_two_devices_on_a_slot_is_critical(here, capsys):
  text = genuine.text_of("v3.0.2-plain")
  slot = re.search(r'"addr": "(0x[0-9a-f]+)"', text).group(1)
  here.write(re.sub(r'"addr": "0x[0-9a-f]+"', '"addr": "%s"' % slot, text))
  assert entry_.main(["check", "--nagios"]) == 2
  out = capsys.readouterr()[0]
  assert out.startswith("KVM-PCI CRITICAL - ") and "given to two devices" in out


@pytest.mark.parametrize("number, status", [
  (errno.EACCES, 3), (errno.EPERM, 3), (errno.ENOENT, 3), (errno.EIO, 2)])
def test_who_may_not_read_a_file_does_not_know_it(here, capsys, monkeypatch,
                                                  number, status):
  path = str(here.add("v3.0.2-plain", runs=False))
  really = os.open

  def refuse(name, *more):
    if name == path:
      raise OSError(number, os.strerror(number), name)
    return really(name, *more)
  monkeypatch.setattr(runtime_files.os, "open", refuse)
  assert entry_.main(["check", "--nagios"]) == status
  assert path in capsys.readouterr()[0]


def test_an_instance_that_is_busy_is_not_waited_for_long(here, capsys,
                                                         monkeypatch):
  path = here.add("v3.0.2-plain")
  monkeypatch.setattr(monitoring, "PATIENCE", 0.1)
  began = time.time()
  with instance_lock.held(instance_lock.path_for(str(path))):
    assert entry_.main(["check", "--nagios"]) == 3
  assert time.time() - began < 20
  assert "another operation" in capsys.readouterr()[0]


def test_whatever_happens_nagios_is_told(here, capsys, monkeypatch):
  def fail(*_):
    raise ZeroDivisionError("a fault")
  here.add("v3.0.2-plain", runs=False)
  monkeypatch.setattr(cmd_check, "_check_one", fail)
  assert entry_.main(["check", "--nagios"]) == 3
  assert capsys.readouterr() == (
    "KVM-PCI UNKNOWN - ZeroDivisionError: a fault\n", "")


@pytest.mark.parametrize("arguments, status", [
  (["--nagios", "--prometheus"], 3), (["--nagios", "--json"], 3),
  (["--nagios", "--nonsense"], 3), (["--prometheus", "--repair"], 2),
  (["--prometheus=/f", "--json"], 2), (["--prometheus="], 2)])
def test_what_does_not_go_together_is_wrong_usage(capsys, arguments, status):
  with pytest.raises(SystemExit) as caught:
    entry_.main(["check"] + arguments)
  assert caught.value.code == status
  assert capsys.readouterr()[0] == ""
