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


@pytest.mark.skipif(not shutil.which("sphinx-build"), reason="no Sphinx")
def test_sphinx_makes_a_manual_page_of_it(tmpdir):
  subprocess.check_call(["sphinx-build", "-q", "-b", "man", "-d",
                         str(tmpdir.join("doctrees")),
                         os.path.join(documents.TOP, "doc"), str(tmpdir)])
  text = tmpdir.join("ganeti-kvm-pci.8").read()
  assert '.TH "GANETI-KVM-PCI" "8"' in text
  assert "\nganeti-kvm-pci \\- partitioned PCI bus" in text
