"""What the plugin is on a node: files, Ganeti, and the way into it.

  - L{runtime_files}, L{installation}: the runtime files, and the Ganeti, of
    this node
  - L{startup_files}, L{intent}: what Python runs at its start; whether the
    plugin should be on
  - L{ownership}: who can write what the daemons run
  - L{watcher}: the program that Ganeti's watcher runs
  - L{reservations}: what will not start where the plugin is not
  - L{import_hook}, L{activation}: how the subclass gets into Ganeti

"""
