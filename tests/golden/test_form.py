"""The form of the golden files."""

import pytest

import form

SAME = "same as 3.0.2\n"


def test_an_option_and_its_values_are_one_line():
  assert form.command_lines(
    ["/usr/bin/kvm", "-append", "root=/dev/vda1 ro", "-S", "-net", "nic", "-m",
     "128", "--x", "{}"]) == [
       "/usr/bin/kvm", "-append 'root=/dev/vda1 ro'", "-S", "-net nic",
       "-m 128", "--x '{}'"]


def test_each_line_says_whose_it_is():
  text = form.side_by_side(["a", "b", "", "c"], ["a", "x", "", "c", "y"])
  assert text.splitlines()[1:] == ["  a", "- b", "+ x", "", "  c", "+ y"]
  assert not form.is_same(text)
  assert form.is_same(form.side_by_side(["a", "- b"], ["a", "- b"]))


@pytest.mark.parametrize("releases", [
  ["2.9.6", "2.10.0", "2.10.8", "3.0.2", "3.1.0~rc1", "3.1.0~rc2", "3.1.0",
   "3.2.0~alpha1", "3.2.0~alpha1+q35", "3.2.0~alpha1+q35+iothreads"]])
def test_releases_are_sorted_as_they_came(releases):
  assert sorted(reversed(releases), key=form.order) == releases


def test_what_two_releases_share_is_stored_once():
  files = form.update({}, "3.0.2", "one\n")
  files = form.update(files, "3.1.1", "one\n")
  assert files == {"3.0.2": "one\n", "3.1.1": SAME}
  assert form.resolve(files, "3.1.1") == "one\n"
  assert form.resolve(files, "2.10.8") is None
  # an older one leaves it where it is
  assert form.update(files, "2.10.8", "one\n") == {
    "2.10.8": SAME, "3.0.2": "one\n", "3.1.1": SAME}


def test_what_is_said_of_other_releases_stays():
  files = {"3.0.2": "one\n", "3.1.0": SAME, "3.1.1": SAME}
  assert form.update(files, "3.0.2", "two\n") == {
    "3.0.2": "two\n", "3.1.0": "one\n", "3.1.1": "same as 3.1.0\n"}
  files = {"2.10.8": "one\n", "3.0.2": "two\n"}
  assert form.update(files, "3.0.2", "one\n") == {
    "2.10.8": "one\n", "3.0.2": "same as 2.10.8\n"}
