"""Genuine runtime files, mutated; tests/fuzz does the same for longer."""

import copy
import json

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

import genuine
import q35_files

GENUINE = [json.loads(genuine.text_of(name)) for name in genuine.NAMES]
Q35 = [q35_files.packed(), q35_files.upstreams(),
       q35_files.packed("v3.1.1-hdaspice"), q35_files.packed("v3.0.2-scsihd")]

JSON = st.recursive(
  st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
  lambda inner: st.lists(inner, max_size=4) |
  st.dictionaries(st.text(max_size=5) | st.sampled_from(genuine.KEYS), inner,
                  max_size=4), max_leaves=8)

CHANGES = st.lists(st.tuples(
  st.integers(0, 3), st.integers(0, 400), st.integers(0, 400),
  st.sampled_from(genuine.VALUES) | JSON), min_size=1, max_size=4)

few = settings(max_examples=60)


@settings(max_examples=120)
@given(st.sampled_from(GENUINE) | st.sampled_from(Q35), CHANGES)
def test_nothing_but_our_errors_comes_of_a_mutated_file(data, changes):
  data = copy.deepcopy(data)
  for change in changes:
    genuine.mutate(data, *copy.deepcopy(change))
  genuine.exercise(json.dumps(data))


@few
@given(st.sampled_from(genuine.NAMES), st.lists(st.tuples(
  st.integers(0, 4000), st.integers(0, 8), st.text(max_size=3) |
  st.sampled_from(list(u'{}[],:"\\0-') + [u"\\ud800", u"NaN", u"1e999"])),
                                                max_size=3))
def test_nor_of_a_mutated_text(name, changes):
  text = genuine.text_of(name)
  for at, length, word in changes:
    text = text[:at] + word + text[at + length:]
  genuine.exercise(text)


@given(JSON)
def test_nor_of_any_json(data):
  genuine.exercise(json.dumps(data))


#: Where a value stands that goes into an option.
PASTED = [("id", 3), ("driver", 3), ("bus", 3), ("addr", 3), ("id", 1),
          ("driver", 1), ("bus", 1), ("addr", 1), ("uuid", 3), ("uuid", 1),
          ("mac", 1), ("romfile", 3)]


@given(st.sampled_from(PASTED), st.text() | st.builds(
  u"{}{}{}".format, st.text(max_size=3),
  st.sampled_from([u",", u"\n", u",,", u"\0", u"\x7f"]), st.text(max_size=9)))
def test_no_value_is_more_than_one_in_an_option(place, value):
  key, index = place
  data = json.loads(genuine.text_of("v3.0.2-plain"))
  entry = data[index][0][0] if index == 3 else data[index][0]
  (entry if key in ("uuid", "mac") else entry["hvinfo"])[key] = value
  accepted = genuine.exercise(json.dumps(data))
  assert not (accepted and set(value).intersection(u",\n\0\x7f\r\t"))


def test_what_is_exercised_is_worth_it():
  assert all(genuine.exercise(genuine.text_of(name))
             for name in genuine.NAMES[::9])
  assert all(genuine.exercise(json.dumps(data)) for data in Q35)
  assert not genuine.exercise("[]")
