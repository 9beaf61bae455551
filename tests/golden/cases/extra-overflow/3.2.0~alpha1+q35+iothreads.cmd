# - unmodified Ganeti only   + with the plugin only
  # start
  /usr/bin/kvm
  -name vm1.example.com,debug-threads=on
  -m 128
  -smp 1
  -pidfile /var/run/ganeti/kvm-hypervisor/pid/vm1.example.com
+ -device virtio-net-pci,id=nic-000000a0-1111-2222,bus=pci.0,addr=0x18,netdev=nic-000000a0-1111-2222,mac=aa:00:00:00:00:00
+ -device virtio-net-pci,id=nic-000000a1-1111-2222,bus=pci.0,addr=0x19,netdev=nic-000000a1-1111-2222,mac=aa:00:00:00:00:01
+ -device virtio-blk-pci,addr=0x8,bootindex=1,bus=pci.0,drive=disk-000000d0-1111-2222,id=disk-000000d0-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0x9,bus=pci.0,drive=disk-000000d1-1111-2222,id=disk-000000d1-1111-2222,write-cache=on
  -device virtio-balloon
  -daemonize
  -D /var/log/ganeti/kvm/vm1.example.com.log
  -machine pc-i440fx-7.2
  -monitor unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.monitor,server,nowait
  -serial unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.serial,server,nowait
  -usb
  -display none
  -uuid 00000001-1111-2222-3333-000000000001
  -device virtio-rng-pci
  -device virtio-rng-pci
  -device virtio-rng-pci
  -device virtio-rng-pci
  -device virtio-rng-pci
  -device virtio-rng-pci
  -device virtio-rng-pci
  -device virtio-rng-pci
  -device virtio-rng-pci
  -netdev type=tap,id=nic-000000a0-1111-2222,fd=1001
- -device virtio-net-pci,id=nic-000000a0-1111-2222,bus=pci.0,addr=0xa,netdev=nic-000000a0-1111-2222,mac=aa:00:00:00:00:00
  -netdev type=tap,id=nic-000000a1-1111-2222,fd=1002
- -device virtio-net-pci,id=nic-000000a1-1111-2222,bus=pci.0,addr=0xb,netdev=nic-000000a1-1111-2222,mac=aa:00:00:00:00:01
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.qmp,server,nowait
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.kvmd,server,nowait
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000d0-1111-2222", "bus": "pci.0", "addr": "0x8", "drive": "disk-000000d0-1111-2222", "write-cache": "on", "bootindex": 1}'
  -blockdev driver=raw,node-name=disk-000000d0-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:0,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000d1-1111-2222", "bus": "pci.0", "addr": "0x9", "drive": "disk-000000d1-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000d1-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:1,file.aio=threads,auto-read-only=off
  -S

  # migrate
  /usr/bin/kvm
  -name vm1.example.com,debug-threads=on
  -m 128
  -smp 1
  -pidfile /var/run/ganeti/kvm-hypervisor/pid/vm1.example.com
+ -device virtio-net-pci,id=nic-000000a0-1111-2222,bus=pci.0,addr=0x18,netdev=nic-000000a0-1111-2222,mac=aa:00:00:00:00:00
+ -device virtio-net-pci,id=nic-000000a1-1111-2222,bus=pci.0,addr=0x19,netdev=nic-000000a1-1111-2222,mac=aa:00:00:00:00:01
+ -device virtio-blk-pci,addr=0x8,bootindex=1,bus=pci.0,drive=disk-000000d0-1111-2222,id=disk-000000d0-1111-2222,write-cache=on
  -device virtio-balloon
  -daemonize
  -D /var/log/ganeti/kvm/vm1.example.com.log
  -machine pc-i440fx-7.2
  -monitor unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.monitor,server,nowait
  -serial unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.serial,server,nowait
  -usb
  -display none
  -uuid 00000001-1111-2222-3333-000000000001
  -device virtio-rng-pci
  -device virtio-rng-pci
  -device virtio-rng-pci
  -device virtio-rng-pci
- -device virtio-rng-pci
- -device virtio-rng-pci
- -device virtio-rng-pci
- -device virtio-rng-pci
- -device virtio-rng-pci
+ -device virtio-rng-pci,bus=pci.0,addr=0xa
+ -device virtio-rng-pci,bus=pci.0,addr=0xb
+ -device virtio-rng-pci,bus=pci.0,addr=0xc
+ -device virtio-rng-pci,bus=pci.0,addr=0xd
+ -device virtio-rng-pci,bus=pci.0,addr=0xe
  -netdev type=tap,id=nic-000000a0-1111-2222,fd=1001
- -device virtio-net-pci,id=nic-000000a0-1111-2222,bus=pci.0,addr=0xa,netdev=nic-000000a0-1111-2222,mac=aa:00:00:00:00:00
  -netdev type=tap,id=nic-000000a1-1111-2222,fd=1002
- -device virtio-net-pci,id=nic-000000a1-1111-2222,bus=pci.0,addr=0xb,netdev=nic-000000a1-1111-2222,mac=aa:00:00:00:00:01
  -incoming tcp:192.0.2.1:8102
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.qmp,server,nowait
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.kvmd,server,nowait
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000d0-1111-2222", "bus": "pci.0", "addr": "0x8", "drive": "disk-000000d0-1111-2222", "write-cache": "on", "bootindex": 1}'
  -blockdev driver=raw,node-name=disk-000000d0-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:0,file.aio=threads,auto-read-only=off

  # runtime file
  disk 000000d0-1111-2222-3333-000000000000 addr=0x8 bus=pci.0 driver=virtio-blk-pci id=disk-000000d0-1111-2222
- nic 000000a0-1111-2222-3333-000000000000 addr=0xa bus=pci.0 driver=virtio-net-pci id=nic-000000a0-1111-2222
- nic 000000a1-1111-2222-3333-000000000001 addr=0xb bus=pci.0 driver=virtio-net-pci id=nic-000000a1-1111-2222
+ nic 000000a0-1111-2222-3333-000000000000 addr=0x18 bus=pci.0 driver=virtio-net-pci id=nic-000000a0-1111-2222
+ nic 000000a1-1111-2222-3333-000000000001 addr=0x19 bus=pci.0 driver=virtio-net-pci id=nic-000000a1-1111-2222
