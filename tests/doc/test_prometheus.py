"""The metrics of check --prometheus, as Prometheus' own tool judges them."""

import os
import subprocess
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
  os.path.abspath(__file__))))

sys.path.insert(0, TOP)
sys.path.insert(0, os.path.join(TOP, "tests", "unit"))

from ganeti_kvm_pci.cli import prometheus # pylint: disable=wrong-import-position
from ganeti_kvm_pci.cli import summary # pylint: disable=wrong-import-position
import test_monitoring # pylint: disable=wrong-import-position


@pytest.fixture(scope="module", autouse=True)
def promtool():
  """Have it fetched, if it is not there."""
  if judge("")[0] == 4:
    pytest.skip("Debian's package prometheus cannot be had")


def judge(text):
  """Return promtool's exit status and what it says."""
  process = subprocess.Popen(
    [os.path.join(TOP, "tools", "promtool"), "check", "metrics"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
  said = process.communicate(text.encode("utf-8"))[0].decode("utf-8")
  return process.returncode, said


REPORTS = [
  test_monitoring.report(),
  test_monitoring.report(error="nothing can be listed"),
  test_monitoring.report({}, test_monitoring.WARNED, test_monitoring.OLD,
                         test_monitoring.PENDING, test_monitoring.UNREAD,
                         {"instance": 'a"b\\c\nd'}, node_status=2)]


@pytest.mark.parametrize("report", REPORTS)
def test_promtool_finds_nothing_wrong(report):
  assert judge(prometheus.render(summary.Summary(report), 1700000000.5,
                                 0.25)) == (0, "")


@pytest.mark.parametrize("wrong", [
  "# HELP a_total x\n# TYPE a_total gauge\na_total 1\n", "a 1\n", 'a{b="c} 1\n'])
def test_promtool_would_say_so(wrong):
  assert judge(wrong)[0] not in (0, 4)
