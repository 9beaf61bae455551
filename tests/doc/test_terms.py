"""Documents, code and messages call a thing by the name that the field knows.

What stands between ticks, or in a literal block, is quoted from the code or
from what a command prints, and is not looked at.

"""

import glob
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import documents # pylint: disable=wrong-import-position
from terms import TERMS # pylint: disable=wrong-import-position
from terms import offences # pylint: disable=wrong-import-position
from terms import offences_in_code # pylint: disable=wrong-import-position
from terms import offences_in_script # pylint: disable=wrong-import-position
from terms import said # pylint: disable=wrong-import-position
from terms import words_of # pylint: disable=wrong-import-position

PAGES = ["README.md", "CONTRIBUTING.md", "NEWS.md", "patches/README.md",
         "benchmarks/RESULTS.md", "tests/golden/README.md"] + (
  sorted(os.path.relpath(path, documents.TOP) for path in
         glob.glob(os.path.join(documents.TOP, "doc", "*.rst"))))

#: Where code is, beside C{setup.py}
FOLDERS = ["ganeti_kvm_pci", "tests", "lab", "demo", "benchmarks", "tools",
           "doc"]

#: The table, and the examples of what it finds
EXAMPLES = ["tests/terms.py", "tests/doc/test_terms.py"]

#: Files that others than Python read. CI's is not in the source distribution
SCRIPTS = ["Makefile", "tox.ini", "pyproject.toml"] + [
  name for name in [".ci/run"]
  if os.path.exists(os.path.join(documents.TOP, name))]


def text_of(name):
  return "\n".join(documents.lines_of(name))


def is_script(name):
  """Tell whether a file without a suffix is one that is run."""
  path = os.path.join(documents.TOP, name)
  with open(path, "rb") as stream:
    return "." not in os.path.basename(name) and stream.read(2) == b"#!"


def files():
  """List the project's code.

  @rtype: tuple of two lists of strings
  @return: names of Python files; of scripts

  """
  code, scripts = ["setup.py"], list(SCRIPTS)
  for folder, _, names in [
      found for top in FOLDERS
      for found in os.walk(os.path.join(documents.TOP, top))]:
    for name in names:
      name = os.path.relpath(os.path.join(folder, name), documents.TOP)
      if name.endswith(".py"):
        code.append(name)
      elif is_script(name):
        python = "python" in text_of(name).partition("\n")[0]
        (code if python else scripts).append(name)
  return sorted(set(code) - set(EXAMPLES)), sorted(scripts)


CODE, ALL_SCRIPTS = files()

UNFINISHED = [
  "Makefile",
  "ganeti_kvm_pci/bus/address.py",
  "ganeti_kvm_pci/bus/allocator.py",
  "ganeti_kvm_pci/bus/pools.py",
  "ganeti_kvm_pci/bus/scsi_ids.py",
  "ganeti_kvm_pci/chipset.py",
  "ganeti_kvm_pci/cleanup.py",
  "ganeti_kvm_pci/compat.py",
  "ganeti_kvm_pci/instance_lock.py",
  "ganeti_kvm_pci/process.py",
  "ganeti_kvm_pci/runtime/configuration.py",
  "ganeti_kvm_pci/runtime/consistency.py",
  "ganeti_kvm_pci/runtime/device_table.py",
  "ganeti_kvm_pci/runtime/disk_links.py",
  "ganeti_kvm_pci/runtime/downgrade.py",
  "ganeti_kvm_pci/runtime/inline_disks.py",
  "ganeti_kvm_pci/runtime/layout.py",
  "ganeti_kvm_pci/runtime/migration_check.py",
  "ganeti_kvm_pci/runtime/serialized.py",
  "ganeti_kvm_pci/runtime/slot_map.py",
  "ganeti_kvm_pci/runtime/topology_file.py",
  "ganeti_kvm_pci/runtime/upgrade.py",
  "ganeti_kvm_pci/temporary.py",
  "ganeti_kvm_pci/versions.py",
  "tests/cluster/conftest.py",
  "tests/cluster/test_activation.py",
  "tests/cluster/test_carrying.py",
  "tests/cluster/test_migration.py",
  "tests/cluster/test_partition.py",
  "tests/cluster/test_refusals.py",
  "tests/cluster/test_rollout.py",
  "tests/cluster/test_torn.py",
  "tests/contract/conftest.py",
  "tests/contract/harness.py",
  "tests/contract/test_cleanup.py",
  "tests/contract/test_ejected.py",
  "tests/contract/test_migration.py",
  "tests/contract/test_plugin.py",
  "tests/contract/test_reboot.py",
  "tests/contract/test_records.py",
  "tests/contract/test_stock.py",
  "tests/fuzz/fuzz_runtime.py",
  "tests/golden/README.md",
  "tests/golden/node.py",
  "tests/golden/test_genuine.py",
  "tests/golden/test_golden.py",
  "tests/integration/configurations.py",
  "tests/integration/conftest.py",
  "tests/integration/expectation.py",
  "tests/integration/kill_points.py",
  "tests/integration/killable.py",
  "tests/integration/manual_changes.py",
  "tests/integration/nodes.py",
  "tests/integration/old_qemu.py",
  "tests/integration/old_releases.py",
  "tests/integration/qemu_state.py",
  "tests/integration/random_run.py",
  "tests/integration/round_trip.py",
  "tests/integration/slow_guest.py",
  "tests/integration/test_adverse.py",
  "tests/integration/test_combinations.py",
  "tests/integration/test_configurations.py",
  "tests/integration/test_devices.py",
  "tests/integration/test_faults.py",
  "tests/integration/test_hotplug.py",
  "tests/integration/test_killed.py",
  "tests/integration/test_left_behind.py",
  "tests/integration/test_migration.py",
  "tests/integration/test_monitor.py",
  "tests/integration/test_multiqueue.py",
  "tests/integration/test_pending.py",
  "tests/integration/test_random.py",
  "tests/integration/test_records.py",
  "tests/integration/test_refusals.py",
  "tests/integration/test_repair.py",
  "tests/integration/test_scenario.py",
  "tests/integration/test_scsi.py",
  "tests/integration/test_start.py",
  "tests/integration/three_views.py",
  "tests/patches/test_header.py",
  "tests/patches/test_patches.py",
  "tests/patches/tree.py",
  "tests/stubs/ganeti/__init__.py",
  "tests/stubs/ganeti/hypervisor/__init__.py",
  "tests/stubs/ganeti/hypervisor/hv_kvm.py",
  "tests/unit/conftest.py",
  "tests/unit/genuine.py",
  "tests/unit/host.py",
  "tests/unit/test_allocator.py",
  "tests/unit/test_bus_model.py",
  "tests/unit/test_chipset.py",
  "tests/unit/test_cmd_check.py",
  "tests/unit/test_cmd_upgrade.py",
  "tests/unit/test_compat.py",
  "tests/unit/test_configuration.py",
  "tests/unit/test_consistency.py",
  "tests/unit/test_device_table.py",
  "tests/unit/test_disk_links.py",
  "tests/unit/test_downgrade.py",
  "tests/unit/test_fuzz.py",
  "tests/unit/test_import_hook.py",
  "tests/unit/test_instance_lock.py",
  "tests/unit/test_intent.py",
  "tests/unit/test_layout.py",
  "tests/unit/test_leftovers.py",
  "tests/unit/test_migration_check.py",
  "tests/unit/test_operation.py",
  "tests/unit/test_runtime_files.py",
  "tests/unit/test_scsi_ids.py",
  "tests/unit/test_serialized.py",
  "tests/unit/test_slot_map.py",
  "tests/unit/test_topology_file.py",
  "tests/unit/test_unplug_request.py",
  "tests/unit/test_upgrade.py",
  "tests/unit/test_watcher.py",]


def hold(name, found):
  """Complain of each term that was found in a file."""
  if name in UNFINISHED:
    pytest.skip("not finished")
  assert not found, "\n".join("%s:%d: %r: say %s" % ((name, ) + offence)
                              for offence in found)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_the_terms_of_the_field(page):
  hold(page, offences(text_of(page), page.endswith(".md")))


@pytest.mark.parametrize("name", CODE)
def test_code_has_the_terms_of_the_field(name):
  hold(name, offences_in_code(text_of(name)))


@pytest.mark.parametrize("name", ALL_SCRIPTS)
def test_a_script_has_the_terms_of_the_field(name):
  hold(name, offences_in_script(text_of(name)))


def test_all_code_is_looked_at():
  assert set(["setup.py", "ganeti_kvm_pci/hotplug.py", "lab/cluster.py",
              "tests/documents.py", "tests/doc/test_sdist.py", "demo/demo.py",
              "benchmarks/hotplug.py", "tools/run-tox"]) <= set(CODE)
  assert set(["Makefile", "lab/up", "tools/install-needs"]) <= set(ALL_SCRIPTS)


@pytest.mark.parametrize("pattern, instead, wrong, right", TERMS)
def test_a_term_is_found_and_its_like_is_not(pattern, instead, wrong, right):
  assert pattern and instead in [say for _, _, say in offences(wrong, True)]
  assert instead not in [say for _, _, say in offences(right, True)]


@pytest.mark.parametrize("text, markdown, lines", [
  ("a\non stock,\n", True, [2]),
  ("`stock`", True, []), ("``on stock,\non stock``", False, []),
  ("``a``\nstock ``b``", False, [2]), ("`stock`_", False, [1]),
  ("```\nstock\n```\nstock", True, [4]),
  ("prints::\n\n  stock\n\n  stock\n\nstock", False, [7]),
  ("- prints::\n\n    stock\n\n- stock", False, [5]),
  ("  prints::\n\n    stock\n\n  stock", False, [5]),
  (".. list-table::\n\n   * - stock", False, [3]),
  ("has\ngone", False, [1])])
def test_what_is_quoted_is_not_looked_at(text, markdown, lines):
  assert [line for line, _, _ in offences(text, markdown)] == lines


def of_code(*lines):
  return [(line, what) for line, what, _ in offences_in_code("\n".join(lines))]


@pytest.mark.parametrize("name, words", [
  ("place", "place"), ("_old_record", "old record"), ("__init__", "init"),
  ("HasRecord", "has record"), ("HTTPServer", "http server"),
  ("_CheckKVM2Kind", "check kvm2 kind"), ("KINDS", "kinds")])
def test_a_name_is_read_as_words(name, words):
  assert words_of(name) == words


def test_what_code_says_is_names_comments_and_messages():
  assert list(said('# one\n#: two\nMAX_AGE = f(\n  "to be",'
                   ' "value", "or" " not") # three\n')) == [
    (1, "one\ntwo"), (3, "max age"), (3, "f"), (4, "to be"), (4, "or not"),
    (4, "three")]


@pytest.mark.parametrize("lines, found", [
  # names
  (["the_kind = 1"], [(1, "kind")]), (["", "class StockGuest: pass"],
                                      [(2, "stock")]),
  (["kindly = restock"], []),
  # values
  (["x = 'stock'"], []), (["x = ('-', 'stock')"], []),
  (["x = 'stock '"], [(1, "stock")]), (["x = 'stock\\n'"], [(1, "stock")]),
  # comments
  (["a = 1 # on stock"], [(1, "stock")]),
  (["# the device has", "# gone"], [(1, "has gone")]),
  (["#: the device has", "#: gone"], [(1, "has gone")]),
  (["#: once", "#: on", "#: stock"], [(3, "stock")]),
  (["a = 1 # it has", "", "# gone are the days"], []),
  (["# one", "", "", "# on stock"], [(4, "stock")]),
  (["# the end: stock"], [(1, "stock")]),
  # docstrings
  (['def f():', '  """Do.', '', '  It has', '  gone.', '', '  """'],
   [(4, "has gone")]),
  (['"""On C{stock} and I{stock} L{stock} `stock`"""'], []),
  (['"""On C{a', 'stock}', '', 'on stock"""'], [(4, "stock")]),
  # messages
  (['x = "it has" " gone"'], [(1, "has gone")]),
  (['x = ("it has"', '     " gone")'], [(1, "has gone")]),
  (['x = ("it "', '     "has "', '     "gone")'], [(2, "has gone")]),
  (['x = ("it is a k"', '     "ind, or"', '     " so")'], [(1, "kind")]),
  (['x = ("on", "stock")'], []), (['x = ("it has", " gone")'], []),
  (['x = ("it has" # why', '     " gone")'], [(1, "has gone")]),
  (['x = ("%s has"', '', '     " gone" % y)'], [(1, "has gone")]),
  (['x = "on %stock"'], []), (['x = "the %s place"'], [(1, "the place")]),
  (["x = u'it\\'s stock'"], [(1, "stock")]),
  (["x = r'\\bstock \\w'"], []), (["x = b'on stock'"], [(1, "stock")]),
  (["x = 'on \\", "stock'"], [(2, "stock")])])
def test_terms_of_code(lines, found):
  assert of_code(*lines) == found


@pytest.mark.parametrize("text, found", [
  ("## one\n# it has\n# gone\nx:\n\techo a stock", [(2, "has gone"),
                                                  (5, "stock")]),
  ("#!/bin/sh\n  # it was\n  # already gone", [(2, "was already gone")]),
  ("qemu -machine pc # `stock`\ntest_records.py", []),
  ("cat debian/patches/series", []), ("<type machine='pc'>", [])])
def test_terms_of_a_script(text, found):
  assert [(line, what) for line, what, _ in offences_in_script(text)] == found
