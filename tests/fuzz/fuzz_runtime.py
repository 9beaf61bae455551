"""Feed runtime files to the reader and to all that works on what it read.

Started by C{make fuzz}, which installs atheris for it; its arguments are
libFuzzer's. An input's first byte decides what the rest is: a text, as it
stands, or choices of how to change a genuine runtime file.

"""

import copy
import json
import os
import sys

import atheris

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(os.path.dirname(HERE)),
                os.path.join(os.path.dirname(HERE), "unit")]

with atheris.instrument_imports(include=["ganeti_kvm_pci", "json"]):
  import genuine

GENUINE = [json.loads(genuine.text_of(name)) for name in genuine.NAMES]


def text_of(data):
  """Make the text of a file out of an input of the fuzzer's."""
  if data[:1] < b"\x40":
    return data[1:].decode("utf-8", "surrogateescape")
  source = atheris.FuzzedDataProvider(data[1:])
  loaded = copy.deepcopy(source.PickValueInList(GENUINE))
  for _ in range(source.ConsumeIntInRange(1, 6)):
    value = source.PickValueInList(genuine.VALUES)
    if source.ConsumeBool():
      value = source.ConsumeUnicode(20)
    genuine.mutate(loaded, source.ConsumeIntInRange(0, 3),
                   source.ConsumeIntInRange(0, 400),
                   source.ConsumeIntInRange(0, 400), copy.deepcopy(value))
  return json.dumps(loaded)


def test_one_input(data):
  genuine.exercise(text_of(data))


def seed(folder):
  """Let a corpus begin with the genuine files."""
  if not os.path.isdir(folder):
    os.makedirs(folder)
  for number, name in enumerate(genuine.NAMES):
    text = genuine.text_of(name).encode("utf-8")
    for first, content in ((b"\x00", text),
                           (b"\xff", bytes(bytearray([number] * 64)))):
      with open(os.path.join(folder, "%s-%d" % (name, ord(first))),
                "wb") as stream:
        stream.write(first + content)


def main():
  for argument in sys.argv[1:]:
    if not (argument.startswith("-") or os.path.isfile(argument)):
      seed(argument)
  atheris.Setup(sys.argv, test_one_input)
  atheris.Fuzz()


if __name__ == "__main__":
  main()
