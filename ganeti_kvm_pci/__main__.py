"""C{python -m ganeti_kvm_pci}: the command, see L{cli}."""

import sys

from .cli import main

sys.exit(main())
