"""The manual page has what C{--help} has, and nothing else."""

import argparse
import os
import re
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))

import documents # pylint: disable=wrong-import-position
from ganeti_kvm_pci.cli import arguments # pylint: disable=wrong-import-position

PAGE = "doc/ganeti-kvm-pci.8.rst"

#: Options that the page has once, for all commands.
COMMON = set(["-h", "--help", "--json"])


def described():
  """Read the page.

  @return: dict of what each command has, as the page gives it, to the text
      that says what that is

  """
  found = {}
  name = None
  for line in documents.lines_of(PAGE):
    match = re.match(r"``([a-z-]+)(?: ([][A-Z.|a-z= -]+))?``$", line)
    if match:
      name = match.group(1)
      found[name] = (match.group(2) or "", [])
    elif name and line.startswith("  "):
      found[name][1].append(line)
    elif line:
      name = None
  return dict((name, (usage, "\n".join(lines)))
              for name, (usage, lines) in found.items())


def commands():
  """List the commands: dict of each one's name to its parser."""
  parser = arguments.make()
  return [action for action in parser._actions
          if isinstance(action, argparse._SubParsersAction)][0].choices


def usage(command):
  """Say what a command takes, as the page does."""
  words = []
  for action in command._actions:
    if COMMON.intersection(action.option_strings):
      continue
    if action.option_strings:
      word = action.option_strings[0]
      if action.nargs == "?":
        word += "[%s]" % action.metavar
      elif action.nargs is None:
        word += " %s" % action.metavar
      words.append("[%s]" % word)
  for action in command._actions:
    if not action.option_strings:
      words.append("%s..." % action.metavar if action.nargs == "+" else
                   "[%s...]" % action.metavar)
  return words


def test_the_page_has_each_command_and_no_other():
  assert sorted(described()) == sorted(commands())


@pytest.mark.parametrize("name", sorted(commands()))
def test_the_page_has_all_that_a_command_takes(name):
  found, text = described()[name]
  wanted = usage(commands()[name])
  assert sorted(re.sub(r"\] (?=\[)", "]\n", found).split("\n")) == (
    sorted(wanted) or [""])
  assert text
  for option in re.findall(r"--[a-z-]+", found):
    assert re.search(r"``%s\b" % option, text) or name in (
      "thaw", "frozen", "preflight", "downgrade"), option


def test_the_page_names_the_common_options():
  text = "\n".join(documents.lines_of(PAGE))
  assert all("``%s``" % option in text for option in COMMON)


def section(title):
  """Read a section of the page."""
  text = "\n".join(documents.lines_of(PAGE))
  found = re.search(r"(?ms)^%s\n=+\n(.*?)(?=^[^\n]+\n===|\Z)" % title, text)
  return found.group(1)


def sources():
  """Read the modules: list of texts."""
  found = []
  for folder, _, names in os.walk(os.path.join(documents.TOP,
                                               "ganeti_kvm_pci")):
    for name in names:
      if name.endswith(".py"):
        with open(os.path.join(folder, name)) as stream:
          found.append(stream.read())
  return found


def test_the_page_has_an_example_of_each_command():
  given = set(re.findall(r"(?m)^  .*ganeti-kvm-pci ([a-z-]+)",
                         section("Examples")))
  assert given == set(name for name in commands()
                      if not name.startswith("hook-"))


def test_each_example_is_understood():
  for words in re.findall(r"(?m)^  .*ganeti-kvm-pci (.+)$",
                          section("Examples")):
    arguments.make().parse_args(words.split())


#: What the command sets for others, and needs no saying.
SET = set(["LC_ALL"])


def variables():
  """List the variables of the environment that the code knows."""
  found = set()
  for text in sources():
    found.update(re.findall(r"(?:environ(?:ment)?|env)(?:\.get\(|\.pop\(|\[)"
                            r"[\"']([A-Z_]*[A-Z])[\"']", text))
    found.update(re.findall(r"(?m)^(?:VARIABLE|REEXEC) = \"([A-Z_]+)\"", text))
    for names in re.findall(
        r"\"GANETI_\" \+ name\) for name in \(\s*([^)]+)\)", text):
      found.update("GANETI_" + name for name in re.findall('[A-Z_]+', names))
    for names in re.findall(r"for name in \((\"PYTHON[^)]+)\)", text):
      found.update(re.findall("[A-Z]+", names))
  return found - SET


def test_the_page_has_each_variable_and_no_other():
  # Ganeti's pathutils, and the completion, read these two
  assert set(re.findall(r"(?m)``([A-Z_]+)``(?:, |$)",
                        "\n".join(line for line in
                                  section("Environment").split("\n")
                                  if line.startswith("``")))) == (
    variables() | set(["GANETI_ROOTDIR", "GANETI_HOSTNAME"]))
  assert len(variables()) > 10


#: By what Ganeti is asked for paths: what that is on most nodes, or how it
#: begins.
GANETI = {"RUN_DIR": "/var/run/ganeti/", "DATA_DIR": "/var/lib/ganeti/",
          "CLUSTER_CONF_FILE": "/var/lib/ganeti/config.data",
          "LOG_DIR": "/var/log/ganeti/", "CONF_DIR": "/etc/default/ganeti",
          "HOOKS_BASE_DIR": "/etc/ganeti/hooks/",
          # a program
          "DAEMON_UTIL": ""}


def test_the_page_has_each_file():
  text = "\n".join(sources())
  page = section("Files")
  assert set(re.findall(r"\bpathutils\.([A-Z_]+)", text)) == set(GANETI)
  for path in GANETI.values():
    assert path in page
  # /usr/sbin has programs alone
  paths = set(re.findall(r"\"(/(?:etc|var|run|root|srv|tmp)/[^\"% ]*)\"", text))
  assert paths and [path for path in paths if path not in page] == []
  names = set(re.findall(
    r"(?m)^_?(?:FOLDER|LOG|NOTE|PTH|START|PREFIX(?=,)|SUFFIX|ARRIVING|"
    r"BACKUP)(?:, _?[A-Z]+)* = (.+)$", text))
  words = set(word for name in names for word in
              re.findall(r"\"([^\"]+)\"", name))
  assert set([".lock", ".pending", "kvm-pci-tags", "ganeti-kvm-pci.enabled",
              ".arriving", ".backup", "qemu-", ".answers"]) <= words
  assert [word for word in words if word not in page] == []


def test_the_page_has_each_exit_status():
  assert re.findall(r"(?m)^(\d)$", section("Exit status")) == ["0", "1", "2"]
  assert "3 UNKNOWN" in section("Exit status")


def words_of(text):
  """Read the words of a manual page; each Sphinx has another form for them."""
  lines = [re.sub(r"\\f[BIPR]|\\", "", line) for line in text.split("\n")
           if not line.startswith((".\\\"", ".TH", "'\\\""))]
  # a heading is the argument of one
  return [word for line in lines
          for word in re.findall(r"[a-z]{2,}|[A-Z_]{4,}", line)
          if not re.match(r"\.(?!S[HS])", line)]


@pytest.mark.skipif(not shutil.which("sphinx-build"), reason="no Sphinx")
def test_sphinx_makes_a_manual_page_of_it(tmpdir):
  subprocess.check_call(["sphinx-build", "-q", "-b", "man", "-d",
                         str(tmpdir.join("doctrees")),
                         os.path.join(documents.TOP, "doc"), str(tmpdir)])
  text = tmpdir.join("ganeti-kvm-pci.8").read()
  assert '.TH "GANETI-KVM-PCI" "8"' in text
  assert words_of(text) == words_of(
    "\n".join(documents.lines_of("man/ganeti-kvm-pci.8"))), "make man"
  assert "\nganeti-kvm-pci \\- partitioned PCI bus" in text
