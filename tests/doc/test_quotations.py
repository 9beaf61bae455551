"""What the documents quote is what is printed.

What a node of a cluster is asked (after C{#}) is compared in C{tests/cluster},
by C{documents.check}; here, that nothing is quoted that nobody compares.

"""

import argparse
import ast
import io
import os
import re
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import documents # pylint: disable=wrong-import-position

PAGES = [documents.DESIGN, os.path.join("doc", "operation.rst"), "README.md"]

#: (page, prompt, command, lines)
QUOTED = [(page, ) + quotation for page in PAGES
          for quotation in documents.quotations(page)]
RUN = [(page, command, lines) for page, prompt, command, lines in QUOTED
       if prompt == "$"]
ASKED = [(page, command) for page, prompt, command, lines in QUOTED
         if prompt == "#" and lines]


@pytest.fixture(scope="module")
def environment(tmpdir_factory):
  """Provide one in which the project's command can be run."""
  folder = str(tmpdir_factory.mktemp("bin"))
  command = os.path.join(folder, "ganeti-kvm-pci")
  with open(command, "w") as stream:
    stream.write("#!/bin/sh\nPYTHONPATH=%s exec %s -m ganeti_kvm_pci \"$@\"\n" %
                 (documents.TOP, sys.executable))
  os.chmod(command, 0o755)
  return dict(os.environ, PATH=folder + os.pathsep + os.environ["PATH"],
              LC_ALL="C.UTF-8", PYTHONDONTWRITEBYTECODE="1")


@pytest.mark.parametrize("page, command, lines", RUN,
                         ids=[command for _, command, _ in RUN])
def test_what_can_be_run_here(page, command, lines, environment):
  done = subprocess.run(command, shell=True, cwd=documents.TOP,
                        env=environment, stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT, check=False)
  printed = done.stdout.decode("utf-8")
  documents.compare(page, lines, printed)
  assert done.returncode == 0


def test_what_nodes_are_asked_is_compared_on_a_cluster():
  scenarios = os.path.join(documents.TOP, "tests", "cluster")
  compared = set()
  for name in os.listdir(scenarios):
    if name.endswith(".py"):
      with io.open(os.path.join(scenarios, name)) as stream:
        compared.update(re.findall(
          r'documents\.check\(\s*"([^"]+)",\s*"([^"]+)"', stream.read()))
  assert set(ASKED) == compared


#: (page, section): what they have an administrator type is run on a cluster
PROCEDURES = [
  ("README.md", "On a cluster"),
  (os.path.join("doc", "operation.rst"), "Installing and enabling"),
  (os.path.join("doc", "operation.rst"), "Rolling out over a cluster"),
  ]


def given_in(name):
  """List the commands that a scenario gives as they stand in a document."""
  with io.open(os.path.join(documents.TOP, "tests", "cluster", name),
               encoding="utf-8") as stream:
    tree = ast.parse(stream.read())
  return set(node.args[0].value for node in ast.walk(tree)
             if isinstance(node, ast.Call)
             and getattr(node.func, "id", "") == "given"
             and isinstance(node.args[0], ast.Constant))


def test_each_command_of_a_roll_out_is_run_on_a_cluster():
  """As it stands there, by C{given} of C{test_rollout}, and no other.

  Or by C{tools/test-upgrade}; what installs Debian's package, in C{test_deb}.

  """
  run = given_in("test_rollout.py")
  run.update(command for command in given_in("test_deb.py")
             if command.startswith("apt "))
  told = [documents.commands(*procedure) for procedure in PROCEDURES]
  assert min(len(commands) for commands in told) > 10
  with io.open(os.path.join(documents.TOP, "tools", "test-upgrade")) as stream:
    upgrade = stream.read()
  missed = set().union(*told) ^ run
  assert [command for command in missed if command in run or
          " %s\n" % command not in upgrade] == []


def test_the_readme_has_the_table_of_make_demo(capsys):
  """Which it ends with only if all was as it expects."""
  sys.path[:0] = [os.path.join(documents.TOP, "demo")]
  import demo
  walks = []
  for ganeti in ("unmodified", "plugin"):
    walks.append(argparse.Namespace(found=demo.EXPECTED[ganeti]))
  demo.compare(walks)
  assert capsys.readouterr().out.strip("\n") in "\n".join(
    documents.lines_of("README.md"))


def test_no_quotation_is_missed():
  prompts = [line for page in PAGES for line in documents.lines_of(page)
             if line.lstrip().startswith("$ ")]
  assert len(RUN) == len(prompts) > 10
  assert len(ASKED) > 1


@pytest.mark.parametrize("lines, printed, expected", [
  (["a", "b"], "a\nb\n", True), (["a", "b"], "a\nc\n", False),
  (["a", "...", "c"], "a\nb\nb\nc\n", True), (["a"], "a\nb\n", False),
  (["a.c"], "abc", False),
  (["disk-0a1b2c3d-0000-1111 x"], "disk-ffffffff-2222-3333 x\n", True)])
def test_comparison(lines, printed, expected):
  assert documents.is_printed(lines, printed) == expected


def test_each_name_that_the_design_gives_exists():
  """Tests, scripts and targets of make that it cites."""
  text = "\n".join(documents.lines_of(documents.DESIGN))
  names = set(re.findall(r"``(test_[a-z0-9_]+)``", text))
  defined = set()
  for folder, _, files in os.walk(os.path.join(documents.TOP, "tests")):
    for name in files:
      if name.endswith(".py"):
        with io.open(os.path.join(folder, name), encoding="utf-8") as stream:
          defined.update(re.findall(r"^def (test_\w+)", stream.read(), re.M))
  assert names and names <= defined
  for path in re.findall(r"(?:tests|benchmarks|tools|doc)/[\w/.-]+\w", text):
    assert os.path.exists(os.path.join(documents.TOP, path)), path
  with io.open(os.path.join(documents.TOP, "Makefile")) as stream:
    targets = set(re.findall(r"^([a-z-]+):", stream.read(), re.M))
  cited = set(re.findall(r"(?:``|::\n\n  )(?:\w+=\w+ )?make ([a-z-]+)",
                         text))
  assert cited and cited <= targets
