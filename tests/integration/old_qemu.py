"""A QEMU of today that takes the command line of an old one.

Ganeti's older versions give options that QEMU has dropped since. Each becomes
what QEMU's documentation gives as its successor, and takes a slot in the same
order: what QEMU made by itself (the SCSI controller of C{-drive if=scsi},
sound) precedes any C{-device}.

One thing is added: a second QMP socket, for the tests to look on. QEMU serves
one client at a time, and the first socket is Ganeti's.

"""

import os
import re

SOUND = {
  "ac97": ["-device", "AC97"],
  "es1370": ["-device", "ES1370"],
  "hda": ["-device", "intel-hda", "-device", "hda-duplex"],
  "sb16": ["-device", "sb16"],
  }

_PLAIN = {
  "-localtime": ["-rtc", "base=localtime"],
  "-no-hpet": ["-machine", "hpet=off"],
  "-no-kvm": ["-accel", "tcg"],
  "-disable-kvm": ["-accel", "tcg"],
  }


def _balloon(value):
  """Translate the value of C{-balloon}."""
  driver, comma, rest = value.partition(",")
  if driver == "none":
    return []
  return ["-device", "virtio-balloon-pci" + comma + rest]


def translate(arguments):
  """Translate a command line.

  @type arguments: list of string
  @param arguments: the options, without the program
  @rtype: list of string

  """
  made = []
  rest = []
  controllers = 0
  items = iter(arguments)
  for option in items:
    if option in _PLAIN:
      rest.extend(_PLAIN[option])
    elif option == "-balloon":
      rest.extend(_balloon(next(items)))
    elif option == "-soundhw":
      for card in next(items).split(","):
        made.extend(SOUND[card])
    elif option == "-drive":
      value = next(items)
      if re.search(r"(^|,)if=scsi(,|$)", value):
        # QEMU made one controller for seven drives
        number = controllers
        controllers += 1
        if number % 7 == 0:
          made[:0] = ["-device", "lsi53c895a,id=machine-scsi%d" % (number // 7)]
        value = value.replace("if=scsi", "if=none") + ",id=scsi%d" % number
        rest.extend(["-drive", value, "-device", "scsi-hd,bus=machine-scsi%d.0,"
                     "scsi-id=%d,drive=scsi%d" % (number // 7, number % 7,
                                                  number)])
      else:
        rest.extend(["-drive", value])
    else:
      rest.append(option)
  return made + rest


def watch_socket(folder, name):
  """Tell where the tests' own QMP socket is."""
  return os.path.join(folder, name + ".watch")


def main(folder, qemu, arguments):
  """Become QEMU."""
  os.environ["QEMU_AUDIO_DRV"] = "none"
  arguments = translate(arguments)
  # questions (--help, -device ?) name no guest
  if "-name" in arguments:
    name = arguments[arguments.index("-name") + 1].partition(",")[0]
    arguments += ["-qmp", "unix:%s,server,nowait" % watch_socket(folder, name)]
  os.execvp(qemu, [qemu] + arguments)


def install(path, interpreter, folder, qemu):
  """Write the program that Ganeti is given as its QEMU.

  @param path: where to
  @param interpreter: a Python
  @param folder: where the tests' sockets go
  @param qemu: the real one

  """
  with open(path, "w") as stream:
    stream.write("#!%s\nimport sys\nsys.path.insert(0, %r)\nimport old_qemu\n"
                 "old_qemu.main(%r, %r, sys.argv[1:])\n" %
                 (interpreter, os.path.dirname(os.path.abspath(__file__)),
                  folder, qemu))
  os.chmod(path, 0o755)
