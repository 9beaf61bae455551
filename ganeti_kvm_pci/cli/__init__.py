"""The command.

  - L{report}, L{output}: what is told, and how
  - L{cmd_enable}, L{cmd_map}, L{settle}, L{cmd_plan}, L{cmd_upgrade}: the
    commands
  - L{entry}: their options

"""

# the name by which installed commands know it
from .entry import main # pylint: disable=unused-import
