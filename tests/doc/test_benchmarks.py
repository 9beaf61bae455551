"""What becomes slower is found, by its ratio, and said in words."""

import json
import os
import re
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "benchmarks"))

import check # pylint: disable=wrong-import-position
import results_file # pylint: disable=wrong-import-position
import results_report # pylint: disable=wrong-import-position

LIMIT = {"benchmark": "made-up", "group": r"\d+ files", "row": "ours",
         "limit": 2, "why": "so it was agreed"}


@pytest.fixture
def folder(tmpdir, monkeypatch):
  monkeypatch.setattr(results_file, "FOLDER", str(tmpdir))
  return tmpdir


def measured(ours, bare=(1.0, 2.0, 3.0), name="made-up", revision="abc"):
  """Make results up, and write them."""
  results = results_file.Results(name, "Made up", "- nothing", {"n": 3})
  results.head["revision"] = revision
  results.add("10 files", "bare", "s", bare)
  results.add("10 files", "ours", "s", ours, to="bare")
  results.tell("10 files", "beside", "words")
  results.aim("at most twice", "see above", ours[0] <= 2)
  results.write()
  return results_file.read_all()


def wrong(found, **other):
  return [words for _, words in check.exceeded(
    found, [check.Limit(dict(LIMIT, **other))])]


def test_what_is_within_its_limit_is_fine(folder):
  assert wrong(measured([1.5, 3.0, 6.0])) == []


def test_a_regression_is_found_and_named(folder):
  words, = wrong(measured([2.5, 5.0, 7.5]))
  assert words == (
    "made-up, 10 files: ours is 2.50 times bare, and may be 2.00 times (n = 3,"
    " medians 5 and 2 s). The limit: so it was agreed")


def test_ratios_count_and_not_times(folder):
  """All ten times as slow is another host."""
  assert wrong(measured([15.0, 30.0, 60.0], bare=(10.0, 20.0, 30.0))) == []


def test_pairs_are_compared_and_not_medians(folder):
  """One turn in which all was slow changes nothing."""
  (_, rows, _), = measured([9.0, 1.8, 0.9], bare=(10.0, 2.0, 1.0))
  assert rows[1]["ratio"] == {"to": "bare", "median": 0.9}


@pytest.mark.parametrize("other", [
  {"row": "our"}, {"group": "files"}, {"benchmark": "another"}])
def test_what_was_not_measured_is_not_fine(folder, other):
  words, = wrong(measured([1.5, 3.0, 6.0]), **other)
  assert "not measured" in words and "2.00" in words


def test_only_those_that_were_run_count(folder):
  found = measured([1.5, 3.0, 6.0])
  limits = [check.Limit(dict(LIMIT, benchmark="another"))]
  assert check.exceeded(found, limits, ["made-up"]) == []


def test_a_ratio_to_nothing_is_not_fine(folder):
  assert len(wrong(measured([1.5, 3.0, 6.0], bare=(0.0, 0.0, 0.0)))) == 1


@pytest.mark.parametrize("second,status", [([1.5, 3.0, 6.0], 0),
                                           ([2.5, 5.0, 7.5], 1)])
def test_a_ratio_that_is_too_great_is_measured_twice(folder, monkeypatch,
                                                     capsys, second, status):
  turns = [[9.0, 9.0, 9.0], second]
  monkeypatch.setattr(check, "QUICK", {"made-up": None})
  monkeypatch.setattr(check, "limits", lambda: [check.Limit(LIMIT)])
  monkeypatch.setattr(check, "run", lambda *_: measured(turns.pop(0)))
  monkeypatch.setattr(sys, "argv", ["check.py", "--run", str(folder)])
  assert check.main() == status and turns == []
  out = capsys.readouterr().out
  assert "once more" in out
  assert ("2.50 times" in out) == bool(status)


def test_the_limits_have_reasons_and_are_of_benchmarks_that_are_there():
  known = check.limits()
  assert known
  for limit in known:
    assert limit.why and limit.limit > 0
    assert os.path.exists(os.path.join(TOP, "benchmarks",
                                       limit.benchmark + ".py"))
  # each quick one is run for some limit
  assert set(check.QUICK) <= set(limit.benchmark for limit in known)


def test_the_file_tells_of_host_versions_and_revision(folder):
  measured([1.5, 3.0, 6.0])
  head = json.loads(folder.join("made-up.jsonl").readlines()[0])
  assert set(head["host"]) == set(["cpu", "cpus", "kernel", "load",
                                   "load_after"])
  assert set(head["versions"]) == set(["python", "ganeti", "qemu", "libvirt"])
  assert re.match(r"[0-9a-f]{10}(-dirty)?\Z|unknown\Z", results_file.revision())
  row = json.loads(folder.join("made-up.jsonl").readlines()[1])
  assert (row["n"], row["median"], row["quartiles"], row["values"]) == (
    3, 2.0, [1.5, 2.5], [1.0, 2.0, 3.0])


def test_what_fails_writes_nothing(folder):
  results = results_file.Results("made-up", "Made up", "", {})
  with pytest.raises(ValueError):
    results.add("10 files", "ours", "s", [1.0], to="never measured")
  assert folder.listdir() == []


def test_a_variant_has_a_file_of_its_own(folder, monkeypatch):
  monkeypatch.setenv("VARIANT", "trixie")
  measured([1.5, 3.0, 6.0])
  assert [path.basename for path in folder.listdir()] == [
    "made-up-trixie.jsonl"]


def test_the_page_is_made_of_the_files(folder):
  text = results_report.page(measured([1.5, 3.0, 6.0]))
  assert "All of revision abc." in text
  assert "| bare | 3 | 2.00 s | 1.50–2.50 |  |  |" in text
  assert "| ours | 3 | 3.00 s | 2.25–4.50 | 1.50 × bare | +1.0 s |" in text
  assert "- at most twice: see above: **met**" in text


def test_different_revisions_are_told_of(folder, capsys, monkeypatch):
  measured([1.5, 3.0, 6.0])
  found = measured([1.5, 3.0, 6.0], name="other", revision="def")
  assert "**Of different revisions**: made-up of abc; other of def." in \
    results_report.page(found)
  monkeypatch.setattr(results_report, "PAGE", str(folder.join("R.md")))
  monkeypatch.setattr(sys, "argv", ["results_report.py"])
  assert results_report.main() == 1
  assert "of 2 revisions: abc (made-up); def (other)" in capsys.readouterr().out


def test_the_page_here_is_what_the_files_say():
  found = results_file.read_all(os.path.join(TOP, "benchmarks", "results"))
  if not found:
    pytest.skip("no benchmark has written its results yet")
  with open(results_report.PAGE, encoding="utf-8") as stream:
    assert stream.read() == results_report.page(found)
