"""Ganeti's own QMP client, spoken to over a real socket."""

import json
import os
import socket
import threading
import time

import pytest

from ganeti import constants
from ganeti.hypervisor import hv_kvm

from ganeti_kvm_pci.bus.pools import Partition
from ganeti_kvm_pci.errors import MonitorError
from ganeti_kvm_pci.qmp import bounded_socket
from ganeti_kvm_pci.qmp import client
from ganeti_kvm_pci.qmp import queries

pytestmark = pytest.mark.skipif("stubs" in hv_kvm.__file__,
                                reason="the stub has no client")

VERSION = (constants.VERSION_MAJOR, constants.VERSION_MINOR)

GREETING = {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0},
                                "package": ""}, "capabilities": []}}
NAMES = ["qmp_capabilities", "query-commands", "query-version", "query-pci",
         "qom-list", "qom-get", "remove-fd"]
ANSWERS = {
  "query-commands": [{"name": name} for name in NAMES],
  "query-version": {"qemu": {"major": 7, "minor": 2, "micro": 0},
                    "package": ""},
  "query-pci": [{"bus": 0, "devices": [
    {"slot": 9, "function": 0, "qdev_id": "disk-1",
     "class_info": {"class": 256, "desc": "SCSI controller"}}]}],
  }


#: What is sent as it is, by command.
RAW = {}

#: The same, again and again.
ENDLESS = {}

#: What the next session begins with, before the greeting.
BEFORE = []


def commands(peer):
  """Yield what a client wants; like QEMU, without need of a line's end."""
  text = ""
  while True:
    data = peer.recv(4096)
    if not data:
      return
    text += data.decode("ascii")
    try:
      message, end = json.JSONDecoder().raw_decode(text.lstrip())
    except ValueError:
      continue
    text = text.lstrip()[end:]
    yield message["execute"]


def serve(listener, sessions, stale):
  """Be a QEMU that serves one client at a time.

  @param stale: list of bytes, answers to commands of clients that are no
      more; each session begins with one

  """
  for _ in range(sessions):
    try:
      peer = listener.accept()[0]
    except EnvironmentError:
      return # the test needs no more sessions

    def say(message):
      peer.sendall(json.dumps(message).encode("ascii") + b"\r\n")

    try:
      while BEFORE:
        say(BEFORE.pop())
      say(GREETING)
      is_first = True
      for name in commands(peer):
        if stale and is_first:
          # in a message of its own: Ganeti forgets what comes with the greeting
          peer.sendall(stale.pop(0) + b"\r\n")
        is_first = False
        say({"event": "NIC_RX_FILTER_CHANGED", "data": {},
             "timestamp": {"seconds": 1, "microseconds": 1}})
        say({"event": "STOP",
             "timestamp": {"seconds": 1, "microseconds": 2}})
        endless = ENDLESS.get(name)
        while endless: # until the client hangs up
          peer.sendall(endless)
          time.sleep(0.05)
        if name in RAW:
          peer.sendall(RAW[name] + b"\r\n")
        elif name == "qom-get":
          say({"error": {"class": "GenericError", "desc": "no such thing"}})
        else:
          say({"return": ANSWERS.get(name, {})})
    except EnvironmentError:
      pass # the client has closed the connection
    peer.close()


@pytest.fixture
def qmp(tmpdir, request):
  path = str(tmpdir.join("vm.qmp"))
  listener = socket.socket(socket.AF_UNIX)
  listener.bind(path)
  listener.listen(1)
  server = threading.Thread(target=serve, args=(
    listener, 2, list(getattr(request, "param", []))))
  server.daemon = True
  server.start()
  yield path
  # who waits for a client does not notice that the socket is closed
  listener.shutdown(socket.SHUT_RDWR)
  listener.close()
  server.join(60)
  assert not server.is_alive()


def test_an_answer_is_what_the_command_returns(qmp):
  with client.connect(qmp) as execute:
    assert [f.id for f in queries.functions(execute, Partition())] == ["disk-1"]


def test_the_next_client_is_served(qmp):
  for _ in range(2):
    with client.connect(qmp) as execute:
      assert len(queries.functions(execute, Partition())) == 1


@pytest.mark.parametrize("raw", [
  b"[]", b"3", b"null", b'"x"', b"{", b"\xff\xfe", b"[" * 100000,
  b'{"error": "x"}', b'{"error": {}}', b'{"error": {"class": 3, "desc": 4}}',
  u'{"error": {"class": "x", "desc": "\u00e9"}}'.encode("utf-8"),
  b'{"return": null}', b'{"return": [{"bus": "0"}]}', b'{"return": 1e999}'])
def test_an_invalid_reply_is_a_monitor_error(qmp, monkeypatch, raw):
  monkeypatch.setitem(RAW, "query-pci", raw)
  # what is no JSON is waited for until the client's patience ends; the second
  # name is that of 3.1 and later
  for name in ("_SOCKET_TIMEOUT", "_QMP_TIMEOUT"):
    if hasattr(hv_kvm.QmpConnection, name):
      monkeypatch.setattr(hv_kvm.QmpConnection, name, 1)
  with client.connect(qmp) as execute:
    with pytest.raises(MonitorError) as caught:
      queries.functions(execute, Partition())
  assert "query-pci" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("piece", [
  b" ", b'[', b'{"event": "STOP", "data": {}, "timestamp": {"seconds": 1,'
  b' "microseconds": 2}}\r\n'])
@pytest.mark.parametrize("is_lent", [False, True])
def test_an_answer_that_has_no_end_is_too_late(qmp, monkeypatch, piece,
                                               is_lent):
  """Who waits for it holds the instance's lock."""
  monkeypatch.setitem(ENDLESS, "query-pci", piece)
  raised = []

  def ask():
    connection = client.Connection(qmp)
    lent = connection.lend() if is_lent else None
    # what came before it may have taken longer
    monkeypatch.setattr(bounded_socket, "LIMIT", 1)
    try:
      if is_lent:
        (getattr(lent, "execute_qmp", None) or lent.Execute)("query-pci")
      else:
        queries.functions(connection.execute, Partition())
    except Exception as err: # pylint: disable=broad-except
      raised.append(str(err))
    connection.close()

  asking = threading.Thread(target=ask)
  asking.daemon = True
  asking.start()
  asking.join(60)
  assert not asking.is_alive()
  assert len(raised) == 1 and "no whole answer within 1 s" in raised[0]


def test_an_error_is_a_monitor_error(qmp):
  with client.connect(qmp) as execute:
    with pytest.raises(MonitorError) as caught:
      execute("qom-get", {"path": "/machine", "property": "x"})
  assert "no such thing" in str(caught.value)


@pytest.mark.skipif(VERSION < (2, 12), reason="this client asks for no command")
@pytest.mark.parametrize("qmp", [
  [b'{"return": {}}'], [b'{"return": [{"bus": 0, "devices": []}]}'],
  # the first half came with the greeting, and was forgotten
  [b'"devices": []}]}'],
  [b'{"error": {"class": "GenericError", "desc": "no such thing"}}'],
  ], indirect=True)
def test_a_reply_to_an_earlier_client_is_ignored(qmp):
  with client.connect(qmp) as execute:
    assert queries.held(execute, Partition()) == {9: "disk-1"}


def test_events_for_an_earlier_client_are_no_greeting(qmp):
  """Of a job, say; Ganeti's client reads past three."""
  BEFORE.extend([{"event": "JOB_STATUS_CHANGE", "data": {}, "timestamp": {
    "seconds": 1, "microseconds": 1}}] * 5)
  with client.connect(qmp) as execute:
    assert queries.held(execute, Partition()) == {9: "disk-1"}
  assert not BEFORE


def test_a_lent_connection_gives_no_late_reply(qmp, monkeypatch):
  # Ganeti goes on where remove-fd fails, and takes what comes next for the
  # answer to device_add
  monkeypatch.setitem(RAW, "remove-fd", b"{")
  for name in ("_SOCKET_TIMEOUT", "_QMP_TIMEOUT"):
    if hasattr(hv_kvm.QmpConnection, name):
      monkeypatch.setattr(hv_kvm.QmpConnection, name, 1)
  connection = client.Connection(qmp)
  lent = connection.lend()
  run = getattr(lent, "execute_qmp", None) or lent.Execute
  with pytest.raises(Exception): # noqa: B017
    run("qom-get", {"path": "/machine", "property": "x"})
  run("query-pci")
  with pytest.raises(Exception): # noqa: B017
    run("remove-fd", {"fdset-id": 1})
  with pytest.raises(MonitorError) as caught:
    run("query-pci")
  assert "does not answer remove-fd" in str(caught.value)
  # nor to what is asked beside Ganeti
  with pytest.raises(MonitorError) as caught:
    connection.execute("query-pci", None)
  assert "does not answer remove-fd" in str(caught.value)
  connection.close()


def test_a_qemu_that_is_silent_keeps_no_other_client_waiting(tmpdir,
                                                            monkeypatch):
  """Each has its own time limit, whatever client is waiting beside."""
  # a patched Ganeti has no commands of ours
  side_by_side = pytest.importorskip("ganeti_kvm_pci.cli.side_by_side")
  for name in ("_SOCKET_TIMEOUT", "_QMP_TIMEOUT"):
    if hasattr(hv_kvm.QmpConnection, name):
      monkeypatch.setattr(hv_kvm.QmpConnection, name, 1)
  paths = [str(tmpdir.join("%d.qmp" % number)) for number in range(8)]
  listeners = []
  for path in paths:
    listeners.append(socket.socket(socket.AF_UNIX))
    listeners[-1].bind(path)
    listeners[-1].listen(1)

  def look(path):
    try:
      with client.connect(path):
        return None
    except MonitorError as err:
      return str(err)

  before = time.time()
  found = list(side_by_side.in_order(look, paths))
  took = time.time() - before
  for listener in listeners:
    listener.close()
  assert all(path in said for path, said in zip(paths, found))
  assert 1 <= took < 7 # one after another: 8


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="Python 2")
def test_the_program_is_that_of_the_process_at_the_other_end(qmp):
  connection = client.Connection(qmp)
  try:
    pid, version = connection.program()
    assert pid == os.getpid()
    found = GREETING["QMP"]["version"]
    assert version == [found["qemu"][part] for part in (
      "major", "minor", "micro")] + [found["package"].strip()]
  finally:
    connection.close()


@pytest.mark.skipif(not hasattr(hv_kvm.QmpConnection,
                                "HasDynamicAutoReadOnly"),
                    reason="this Ganeti does not ask for the schema")
def test_what_is_kept_of_the_schema_is_not_asked(qmp):
  connection = client.Connection(qmp)
  kept = []

  def keep(question, ask, fits):
    kept.append((question, [fits(answer) for answer in (True, False, None,
                                                        1, "yes")]))
    return False

  try:
    lent = connection.lend(keep)
    assert lent.HasDynamicAutoReadOnly() is False
    assert kept == [("HasDynamicAutoReadOnly",
                     [True, True, False, False, False])]
  finally:
    connection.close()
  # given back, the client is as it was
  assert "HasDynamicAutoReadOnly" not in vars(lent)
