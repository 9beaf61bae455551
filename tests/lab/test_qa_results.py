"""Two runs of Ganeti's QA suite, compared."""

import json
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                os.pardir, os.pardir, "lab"))

import qa_results  # noqa: E402


def run(**statuses):
  return [{"name": name, "status": status, "seconds": 1,
           "reason": "because" if status == "FAILED" else ""}
          for (name, status) in statuses.items()]


@pytest.mark.parametrize("before, after, worse", [
  ("passed", "passed", False),
  ("passed", "FAILED", True),
  ("passed", "skipped", True),
  ("skipped", "passed", False),
  ("skipped", "skipped", False),
  ("skipped", "FAILED", True),
  ("FAILED", "FAILED", False),
  ("FAILED", "passed", False),
  ("FAILED", "skipped", False),
])
def test_a_result_is_worse(before, after, worse):
  assert qa_results.worse(run(a=before, b="passed"),
                          run(a=after, b="passed")) == (["a"] if worse else [])


@pytest.mark.parametrize("before", ["passed", "skipped", "FAILED"])
def test_a_test_that_the_second_run_did_not_get_to_is_worse(before):
  assert qa_results.worse(run(a="passed", b=before), run(a="passed")) == ["b"]


def test_a_test_that_only_the_second_run_has():
  assert qa_results.worse(run(a="passed"), run(a="passed", b="passed")) == []
  assert qa_results.worse(run(a="passed"), run(a="passed", b="FAILED")) == ["b"]


def test_a_racy_test_does_not_count():
  name = "file: TestInstanceUserDown #2"
  (before, after) = (run(**{name: "passed"}), run(**{name: "FAILED"}))
  assert qa_results.worse(before, after) == []
  table = qa_results.table(before, after, ("unmodified", "plugin"))
  assert "does not count: ganeti-kvmd" in table[1]
  other = "file: TestInstanceUserDownOrUp"
  assert qa_results.worse(run(**{other: "passed"}),
                          run(**{other: "FAILED"})) == [other]


def test_table_keeps_the_order_and_says_a_reason_once():
  lines = qa_results.table(run(b="passed", a="FAILED", c="passed"),
                           run(b="passed", a="FAILED", c="FAILED"),
                           ("unmodified", "plugin"))
  assert [line.split() for line in lines[1:6]] == [
    ["b", "passed", "passed"], ["a", "FAILED", "FAILED"], ["because"],
    ["c", "passed", "FAILED", "<-", "worse"], ["because"]]
  assert lines[-2:] == ["unmodified: 2 passed, 0 skipped, 1 FAILED, 3 s",
                        "plugin: 1 passed, 0 skipped, 2 FAILED, 3 s"]


@pytest.fixture
def status(tmp_path, capsys):
  """What the command exits with for two runs, and what it prints."""
  def _status(*runs):
    paths = []
    for results in runs:
      paths.append(tmp_path / ("%d.json" % len(paths)))
      paths[-1].write_text("".join(json.dumps(r) + "\n" for r in results))
    return (qa_results.main([str(path) for path in paths]),
            capsys.readouterr().out)
  return _status


def test_exit_status(status):
  same = status(run(a="passed", b="passed"), run(a="passed", b="passed"))
  assert same[0] == 0 and same[1].endswith("worse with the plugin: none\n")
  worse = status(run(a="passed", b="passed"), run(a="passed", b="FAILED"))
  assert worse[0] == 1 and worse[1].endswith("worse with the plugin: b\n")


@pytest.mark.parametrize("name, before, after, named", [
  ("TestInstanceX", "FAILED", "FAILED", True),
  ("file: TestInstanceX #2", "FAILED", "FAILED", True),
  ("TestInstanceX", "passed", "FAILED", False),
  ("TestInstanceX", "FAILED", "passed", False),
  ("file: TestInstanceReinstall #2", "FAILED", "FAILED", False),
  ("file: TestInstanceUserDown", "FAILED", "FAILED", False),
  ("diskless: TestRecreateDisks #2", "FAILED", "FAILED", False),
  ("file: TestRecreateDisks", "FAILED", "FAILED", True),
])
def test_what_fails_on_both_for_no_known_reason(status, name, before, after,
                                                named):
  (code, printed) = status(run(a="passed", **{name: before}),
                           run(a="passed", **{name: after}))
  assert code == (named or (before, after) == ("passed", "FAILED"))
  assert "failed on both, why is not known: %s\n" % (
    name if named else "none") in printed


@pytest.mark.parametrize("before, after, known", [
  ("Instance 'vm2.gnt.test' not known", "Instance 'vm2.gnt.test' not known",
   True),
  ("Selection filter does not match any instances",
   "Instance 'vm2.gnt.test' not known", True),
  ("Instance 'vm2.gnt.test' not known", "Error: timed out", False),
  ("Error: timed out", "Instance 'vm2.gnt.test' not known", False),
])
def test_what_is_about_an_instance_that_was_not_made(status, before, after,
                                                     known):
  runs = [run(a="passed", **{"file: TestInstanceX": "FAILED"})
          for _ in range(2)]
  for (results, reason) in zip(runs, (before, after)):
    results[1]["reason"] = "Error: Command 'gnt-x' failed: " + reason
  (_, printed) = status(*runs)
  assert ("why is not known: none\n" in printed) == known
  assert ("    known: the instance was not made" in printed) == known


def test_one_run_alone(status):
  assert status(run(a="passed"))[0] == 0


def test_nothing_passed_is_no_comparison(status):
  assert status(run(a="FAILED"), run(a="FAILED"))[0] == 1
  assert status([], [])[0] == 1
