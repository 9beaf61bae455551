"""Completion in bash: what the parser has, and what a real bash makes of it."""

import argparse
import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))

import documents # pylint: disable=wrong-import-position
from ganeti_kvm_pci import versions # pylint: disable=wrong-import-position
from ganeti_kvm_pci.cli import arguments # pylint: disable=wrong-import-position

FILE = os.path.join(documents.TOP, "completion", "ganeti-kvm-pci")

#: bash-completion's own file: that of the host, or of an unpacked package.
PACKAGE = os.environ.get("BASH_COMPLETION",
                         "/usr/share/bash-completion/bash_completion")

COMMON = ["--help", "--json", "-h"]

#: What an argument is, by its name in C{--help}.
SUBJECTS = {"INSTANCE|RUNTIME-FILE": ["FILE"], "INSTANCE": ["OWN", "ANY"],
         "NODE": ["NODE"], None: ["-"]}


def commands():
  """List the commands: dict of each one's name to its parser."""
  return [action for action in arguments.make()._actions
          if isinstance(action, argparse._SubParsersAction)][0].choices


def bash(script, *words, **environment):
  """Run a script after the completion was read.

  @return: list of strings, the lines that it prints

  """
  done = subprocess.run(
    ["bash", "--norc", "-c", ". %s; %s" % (FILE, script), "bash"] + list(words),
    env=dict(os.environ, LC_ALL="C.UTF-8", **environment), check=False,
    stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
  assert done.stderr == b""
  return done.stdout.decode("utf-8").splitlines()


def table():
  """Read the table: dict, command to what it is about and its options."""
  found = [line.split() for line in bash('echo "$_ganeti_kvm_pci_commands"')
           if line]
  return dict((words[0], words[1:]) for words in found)


def test_each_command_is_there_and_no_other():
  assert sorted(table()) == sorted(commands())


@pytest.mark.parametrize("name", sorted(commands()))
def test_each_option_is_there_and_no_other(name):
  command = commands()[name]
  subject, options = table()[name][0], table()[name][1:]
  strings = [string for action in command._actions
             for string in action.option_strings]
  assert sorted(options + COMMON) == sorted(strings)
  names = [action.metavar for action in command._actions
           if not action.option_strings]
  assert subject in SUBJECTS[names[0] if names else None]


@pytest.mark.parametrize("name", sorted(commands()))
def test_the_options_that_have_a_value_are_known(name):
  for action in commands()[name]._actions:
    for option in action.option_strings:
      # with "?", it has one only after a "="
      for end, expected in (("", action.nargs is None),
                            ("=", action.nargs in (None, "?"))):
        if end and option == "--prometheus" or not end:
          (status, ) = bash('_ganeti_kvm_pci_values "$@" > /dev/null; echo $?',
                            name, option + end)
          assert (status == "0") == expected, option


def test_the_versions_are_those_that_are_known():
  (said, ) = bash("_ganeti_kvm_pci_values upgrade --to")
  assert said.split() == ["%d.%d" % version for version in
                          sorted(versions.KNOWN) if version < (3, 2)]


@pytest.fixture(scope="module")
def root(tmpdir_factory):
  """Provide a node's files, as a virtual cluster has them."""
  made = tmpdir_factory.mktemp("completion")
  ganeti = made.ensure("var", "lib", "ganeti", dir=True)
  ganeti.join("ssconf_instance_list").write(
    "db1.example.com\nweb1.example.com\nweb2.example.com\n$(touch pwned)\n")
  ganeti.join("ssconf_node_list").write("node1.example.com\nnode2.example.com\n")
  conf = made.ensure("var", "run", "ganeti", "kvm-hypervisor", "conf", dir=True)
  for name in ("web1.example.com", "odd.example.com"):
    conf.join(name + ".runtime").write("")
  files = made.mkdir("files")
  files.join("my guest's file.runtime").write("")
  files.join("other.runtime").write("")
  files.mkdir("a folder").join("deep.runtime").write("")
  return made


def replies(root, *words, **more):
  """Call the function as bash would, at the last of the words."""
  script = ('COMP_WORDS=(ganeti-kvm-pci "$@"); COMP_CWORD=%s;'
            ' cd %s/files; _ganeti_kvm_pci; printf "%%s\\n" "${COMPREPLY[@]}"' %
            (more.pop("at", len(words)), root))
  return [line for line in bash(script, *words, GANETI_ROOTDIR=str(root), **more)
          if line]


WEB = ["web1.example.com", "web2.example.com"]
NODES = ["node1.example.com", "node2.example.com"]


@pytest.mark.parametrize("words, expected", [
  (["fr"], ["freeze", "frozen"]), (["-"], ["-h", "--help", "--version"]),
  (["hook"], []), (["nonsense", ""], []), (["enable", ""], []),
  (["freeze", "web"], WEB), (["thaw", "web1.example.com", "web2"], WEB[1:]),
  (["frozen", "--all", "db"], ["db1.example.com"]), (["freeze", "none"], []),
  # what runs here
  (["map", "w"], WEB[:1]), (["devices", ""], ["odd.example.com", WEB[0]]),
  (["check", "--live", "--qemu", "7.2", "o"], ["odd.example.com"]),
  (["map", "/x/w"], []),
  (["preflight", ""], NODES), (["preflight", "node1.example.com", "node2"],
                               NODES[1:]),
  (["freeze", "--node", "no"], NODES), (["freeze", "--node", "=", "node2"],
                                        NODES[1:]),
  (["freeze", "--node", "="], NODES),
  # where "=" does not divide words
  (["freeze", "--node=node2"], ["--node=node2.example.com"]),
  (["freeze", "--node", "node1.example.com", "db"], ["db1.example.com"]),
  (["freeze", "--n"], ["--node"]), (["map", "--"], ["--help", "--json",
                                                    "--live"]),
  # after it there are names alone
  (["freeze", "--", "-"], []), (["freeze", "--", "web"], WEB),
  (["freeze", "--", "--node", "web"], WEB),
  (["check", "--prometheus", "odd"], ["odd.example.com"]),
  (["plan", "--machine", ""], ["pc", "q35"]), (["upgrade", "--to", "3."],
                                               ["3.0", "3.1"]),
  (["plan", "vm", "--disk", "a"], ["add"]), (["check", "--qemu", ""], [])])
def test_what_is_offered(root, words, expected):
  assert sorted(replies(root, *words)) == sorted(expected)
  # whatever follows in the line
  assert sorted(replies(root, *(words + ["--json", "x"]), at=len(words))) == (
    sorted(expected))
  assert not root.join("files", "pwned").check()


@pytest.mark.parametrize("name", [
  "$(touch pwned)", "`touch pwned`", "a;touch pwned", "a b", "*", "-f", ""])
def test_what_a_shell_would_take_apart_is_not_offered(tmpdir, name):
  """Readline inserts a reply as it stands."""
  ganeti = tmpdir.ensure("var", "lib", "ganeti", dir=True)
  conf = tmpdir.ensure("var", "run", "ganeti", "kvm-hypervisor", "conf",
                       dir=True)
  tmpdir.mkdir("files")
  for one in (name, "web1.example.com"):
    conf.join(one + ".runtime").write("")
  for one in ("instance", "node"):
    ganeti.join("ssconf_%s_list" % one).write("%s\nweb1.example.com\n" % name)
  for words in (["freeze", ""], ["devices", ""], ["preflight", ""],
                ["map", ""]):
    assert replies(tmpdir, *words) == WEB[:1], words


def test_where_runtime_files_may_not_be_listed_all_instances_are_offered(root):
  # the tests run as root, which may
  root.join("var", "run", "ganeti").rename(root.join("var", "run", "off"))
  try:
    assert replies(root, "map", "w") == WEB
  finally:
    root.join("var", "run", "off").rename(root.join("var", "run", "ganeti"))


def test_where_is_no_cluster_nothing_is_offered_and_nothing_said(tmpdir):
  tmpdir.mkdir("files")
  for words in (["freeze", ""], ["map", ""], ["preflight", ""],
                ["freeze", "--node", ""]):
    assert replies(tmpdir, *words) == []


class Terminal(object):
  """A bash that somebody sits in front of.

  The command there prints its arguments, a line each.

  """
  def __init__(self, root, with_package):
    share = root.join("share", "bash-completion", "completions")
    if not share.check():
      share.ensure(dir=True).join("ganeti-kvm-pci").mksymlinkto(FILE)
    # the package looks for it when it is needed
    begin = PACKAGE if with_package else FILE
    root.join("bashrc").write(
      "PS1='READY> '; bind 'set bell-style none';"
      " bind 'set enable-bracketed-paste off'; . %s\n"
      "ganeti-kvm-pci() { printf 'ARG<%%s>\\n' \"$@\"; echo DONE; }\n" % begin)
    pid, self._fd = pty.fork()
    if not pid:
      os.chdir(str(root.join("files")))
      os.execvpe("bash", ["bash", "--rcfile", str(root.join("bashrc")), "-i"],
                 {"TERM": "dumb", "PATH": os.defpath, "LC_ALL": "C.UTF-8",
                  "HOME": str(root), "GANETI_ROOTDIR": str(root),
                  "XDG_DATA_DIRS": str(root.join("share"))})
    self._pid = pid
    self._until("READY> ")

  def _until(self, text):
    deadline = time.time() + 60
    found = ""
    while text not in found:
      ready = select.select([self._fd], [], [], max(0, deadline - time.time()))
      assert ready[0], (text, found)
      found += os.read(self._fd, 4096).decode("utf-8", "replace")
    return found

  def arguments(self, keys):
    """Type a line, and tell what the command was given."""
    os.write(self._fd, (keys + "\n").encode("utf-8"))
    said = self._until("\r\nDONE\r\nREADY> ")
    return re.findall(r"\nARG<(.*)>\r", said)

  def close(self):
    os.close(self._fd)
    os.waitpid(self._pid, 0)


@pytest.fixture(scope="module", params=["without", "with"])
def terminal(request, root):
  if request.param == "with" and not os.path.exists(PACKAGE):
    pytest.skip("no package bash-completion here, nor in BASH_COMPLETION")
  made = Terminal(root, request.param == "with")
  yield made
  made.close()


@pytest.mark.parametrize("keys, expected", [
  ("pref\tnode2\t", ["preflight", "node2.example.com"]),
  ("map od\t", ["map", "odd.example.com"]),
  ("freeze --no\tnode1\tdb\t", ["freeze", "--node", "node1.example.com",
                                "db1.example.com"]),
  ("freeze --node=node1\t", ["freeze", "--node=node1.example.com"]),
  ("freeze -- web2\t", ["freeze", "--", "web2.example.com"]),
  # in the midst of a line: back to its third word, and to the end of that
  ("freeze db --dry-run x\x1bb\x1bb\x1bb\x1bb\x1bf\t", [
    "freeze", "db1.example.com", "--dry-run", "x"]),
  ("map ./my\t", ["map", "./my guest's file.runtime"]),
  ("map my\t", ["map", "my guest's file.runtime"]),
  ("check 'a f\tde\t", ["check", "a folder/deep.runtime"]),
  ("check a\\ f\tde\t", ["check", "a folder/deep.runtime"]),
  ("upgrade --dry\t--to 3.0 ./oth\t", ["upgrade", "--dry-run", "--to", "3.0",
                                       "./other.runtime"]),
  ("upgrade --backup-dir a\\ f\tx", ["upgrade", "--backup-dir", "a folder/x"]),
  ("check --prometheus=oth\t", ["check", "--prometheus=other.runtime"]),
  # no file is an instance of the cluster
  ("freeze oth\t", ["freeze", "oth"])])
def test_somebody_types(terminal, keys, expected):
  assert terminal.arguments("ganeti-kvm-pci " + keys) == expected
