"""How long a guest may take to complete an unplug."""

import pytest

from ganeti_kvm_pci import time_limit

NAME = "KVM_PCI_HOTPLUG_LIMIT"


@pytest.mark.parametrize("value, limit, logged", [
  (None, 30, False), ("", 30, False), ("0.5", 0.5, False), ("5", 5, False),
  ("120", 120, False), ("121", 120, True), ("86400", 120, True),
  ("inf", 120, True), ("nan", 30, True), ("-1", 30, True),
  ("0", 30, True), ("soon", 30, True), ("30s", 30, True)])
def test_what_an_administrator_says(caplog, value, limit, logged):
  assert time_limit.seconds(value) == limit
  assert (NAME in caplog.text) == logged


@pytest.mark.parametrize("text, value", [
  ("", None), ("RAPI_ARGS=\"-b 127.0.0.1\"\n", None),
  (NAME + "=60", "60"), (NAME + "=60\n", "60"), ("  %s=60" % NAME, "60"),
  ("export %s=60\n" % NAME, "60"), (NAME + "='60'\n", "60"),
  (NAME + '="60"  # busy guests\n', "60"), (NAME + "=\n", ""),
  ("#%s=60\n" % NAME, None), ("X%s=60\n" % NAME, None),
  (NAME + " = 60\n", None), (NAME + "='60\n", None),
  (NAME + "=60\n%s=90\nexport %s\n" % (NAME, NAME), "90")])
def test_a_file_of_defaults(text, value):
  assert time_limit.said("NODED_ARGS=\n" + text) == value


@pytest.mark.parametrize("said, text, limit", [
  (None, None, 30), (None, b"NAME=60", 60), ("7", b"NAME=60", 7),
  ("7", None, 7), (None, b"NAME=\xff", 30)])
def test_the_environment_comes_first(monkeypatch, tmp_path, said, text, limit):
  path = tmp_path / "ganeti"
  if text:
    path.write_bytes(text.replace(b"NAME", NAME.encode("ascii")))
  monkeypatch.setattr(time_limit, "defaults_path", lambda: str(path))
  monkeypatch.delenv(NAME, raising=False)
  if said:
    monkeypatch.setenv(NAME, said)
  assert time_limit.unplug() == limit
