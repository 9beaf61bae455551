"""C{python -m ganeti_kvm_pci}: the command, see L{entry}."""

import sys

from .cli.entry import main

sys.exit(main())
