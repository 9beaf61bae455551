# - unmodified Ganeti only   + with the plugin only
  # start
  /usr/bin/kvm
  -name vm1.example.com,debug-threads=on
  -m 128
  -smp 1
  -pidfile /var/run/ganeti/kvm-hypervisor/pid/vm1.example.com
+ -device virtio-net-pci,id=nic-000000a0-1111-2222,bus=pci.0,addr=0x18,netdev=nic-000000a0-1111-2222,mac=aa:00:00:00:00:00
+ -device virtio-net-pci,id=nic-000000a1-1111-2222,bus=pci.0,addr=0x19,netdev=nic-000000a1-1111-2222,mac=aa:00:00:00:00:01
+ -device virtio-net-pci,id=nic-000000a2-1111-2222,bus=pci.0,addr=0x1a,netdev=nic-000000a2-1111-2222,mac=aa:00:00:00:00:02
+ -device virtio-net-pci,id=nic-000000a3-1111-2222,bus=pci.0,addr=0x1b,netdev=nic-000000a3-1111-2222,mac=aa:00:00:00:00:03
+ -device virtio-blk-pci,addr=0xc,bootindex=1,bus=pci.0,drive=disk-000000d0-1111-2222,id=disk-000000d0-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0xd,bus=pci.0,drive=disk-000000d1-1111-2222,id=disk-000000d1-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0xe,bus=pci.0,drive=disk-000000d2-1111-2222,id=disk-000000d2-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0xf,bus=pci.0,drive=disk-000000d3-1111-2222,id=disk-000000d3-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0x10,bus=pci.0,drive=disk-000000d4-1111-2222,id=disk-000000d4-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0x11,bus=pci.0,drive=disk-000000d5-1111-2222,id=disk-000000d5-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0x12,bus=pci.0,drive=disk-000000d6-1111-2222,id=disk-000000d6-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0x13,bus=pci.0,drive=disk-000000d7-1111-2222,id=disk-000000d7-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0x14,bus=pci.0,drive=disk-000000d8-1111-2222,id=disk-000000d8-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0x15,bus=pci.0,drive=disk-000000d9-1111-2222,id=disk-000000d9-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0x16,bus=pci.0,drive=disk-000000da-1111-2222,id=disk-000000da-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0x17,bus=pci.0,drive=disk-000000db-1111-2222,id=disk-000000db-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0x1c,bus=pci.0,drive=disk-000000dc-1111-2222,id=disk-000000dc-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0x1d,bus=pci.0,drive=disk-000000dd-1111-2222,id=disk-000000dd-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0x1e,bus=pci.0,drive=disk-000000de-1111-2222,id=disk-000000de-1111-2222,write-cache=on
+ -device virtio-blk-pci,addr=0x1f,bus=pci.0,drive=disk-000000df-1111-2222,id=disk-000000df-1111-2222,write-cache=on
  -device virtio-balloon
  -daemonize
  -D /var/log/ganeti/kvm/vm1.example.com.log
  -machine pc-i440fx-7.2
  -monitor unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.monitor,server,nowait
  -serial unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.serial,server,nowait
  -usb
  -display none
  -uuid 00000001-1111-2222-3333-000000000001
  -netdev type=tap,id=nic-000000a0-1111-2222,fd=1001
- -device virtio-net-pci,id=nic-000000a0-1111-2222,bus=pci.0,addr=0x1c,netdev=nic-000000a0-1111-2222,mac=aa:00:00:00:00:00
  -netdev type=tap,id=nic-000000a1-1111-2222,fd=1002
- -device virtio-net-pci,id=nic-000000a1-1111-2222,bus=pci.0,addr=0x1d,netdev=nic-000000a1-1111-2222,mac=aa:00:00:00:00:01
  -netdev type=tap,id=nic-000000a2-1111-2222,fd=1003
- -device virtio-net-pci,id=nic-000000a2-1111-2222,bus=pci.0,addr=0x1e,netdev=nic-000000a2-1111-2222,mac=aa:00:00:00:00:02
  -netdev type=tap,id=nic-000000a3-1111-2222,fd=1004
- -device virtio-net-pci,id=nic-000000a3-1111-2222,bus=pci.0,addr=0x1f,netdev=nic-000000a3-1111-2222,mac=aa:00:00:00:00:03
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.qmp,server,nowait
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.kvmd,server,nowait
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000d0-1111-2222", "bus": "pci.0", "addr": "0xc", "drive": "disk-000000d0-1111-2222", "write-cache": "on", "bootindex": 1}'
  -blockdev driver=raw,node-name=disk-000000d0-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:0,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000d1-1111-2222", "bus": "pci.0", "addr": "0xd", "drive": "disk-000000d1-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000d1-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:1,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000d2-1111-2222", "bus": "pci.0", "addr": "0xe", "drive": "disk-000000d2-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000d2-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:2,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000d3-1111-2222", "bus": "pci.0", "addr": "0xf", "drive": "disk-000000d3-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000d3-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:3,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000d4-1111-2222", "bus": "pci.0", "addr": "0x10", "drive": "disk-000000d4-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000d4-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:4,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000d5-1111-2222", "bus": "pci.0", "addr": "0x11", "drive": "disk-000000d5-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000d5-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:5,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000d6-1111-2222", "bus": "pci.0", "addr": "0x12", "drive": "disk-000000d6-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000d6-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:6,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000d7-1111-2222", "bus": "pci.0", "addr": "0x13", "drive": "disk-000000d7-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000d7-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:7,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000d8-1111-2222", "bus": "pci.0", "addr": "0x14", "drive": "disk-000000d8-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000d8-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:8,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000d9-1111-2222", "bus": "pci.0", "addr": "0x15", "drive": "disk-000000d9-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000d9-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:9,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000da-1111-2222", "bus": "pci.0", "addr": "0x16", "drive": "disk-000000da-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000da-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:10,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000db-1111-2222", "bus": "pci.0", "addr": "0x17", "drive": "disk-000000db-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000db-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:11,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000dc-1111-2222", "bus": "pci.0", "addr": "0x18", "drive": "disk-000000dc-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000dc-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:12,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000dd-1111-2222", "bus": "pci.0", "addr": "0x19", "drive": "disk-000000dd-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000dd-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:13,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000de-1111-2222", "bus": "pci.0", "addr": "0x1a", "drive": "disk-000000de-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000de-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:14,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-000000df-1111-2222", "bus": "pci.0", "addr": "0x1b", "drive": "disk-000000df-1111-2222", "write-cache": "on"}'
  -blockdev driver=raw,node-name=disk-000000df-1111-2222,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/instance-disks/vm1.example.com:15,file.aio=threads,auto-read-only=off
  -S

  # runtime file
  disk 000000d0-1111-2222-3333-000000000000 addr=0xc bus=pci.0 driver=virtio-blk-pci id=disk-000000d0-1111-2222
  disk 000000d1-1111-2222-3333-000000000001 addr=0xd bus=pci.0 driver=virtio-blk-pci id=disk-000000d1-1111-2222
  disk 000000d2-1111-2222-3333-000000000002 addr=0xe bus=pci.0 driver=virtio-blk-pci id=disk-000000d2-1111-2222
  disk 000000d3-1111-2222-3333-000000000003 addr=0xf bus=pci.0 driver=virtio-blk-pci id=disk-000000d3-1111-2222
  disk 000000d4-1111-2222-3333-000000000004 addr=0x10 bus=pci.0 driver=virtio-blk-pci id=disk-000000d4-1111-2222
  disk 000000d5-1111-2222-3333-000000000005 addr=0x11 bus=pci.0 driver=virtio-blk-pci id=disk-000000d5-1111-2222
  disk 000000d6-1111-2222-3333-000000000006 addr=0x12 bus=pci.0 driver=virtio-blk-pci id=disk-000000d6-1111-2222
  disk 000000d7-1111-2222-3333-000000000007 addr=0x13 bus=pci.0 driver=virtio-blk-pci id=disk-000000d7-1111-2222
  disk 000000d8-1111-2222-3333-000000000008 addr=0x14 bus=pci.0 driver=virtio-blk-pci id=disk-000000d8-1111-2222
  disk 000000d9-1111-2222-3333-000000000009 addr=0x15 bus=pci.0 driver=virtio-blk-pci id=disk-000000d9-1111-2222
  disk 000000da-1111-2222-3333-00000000000a addr=0x16 bus=pci.0 driver=virtio-blk-pci id=disk-000000da-1111-2222
  disk 000000db-1111-2222-3333-00000000000b addr=0x17 bus=pci.0 driver=virtio-blk-pci id=disk-000000db-1111-2222
- disk 000000dc-1111-2222-3333-00000000000c addr=0x18 bus=pci.0 driver=virtio-blk-pci id=disk-000000dc-1111-2222
- disk 000000dd-1111-2222-3333-00000000000d addr=0x19 bus=pci.0 driver=virtio-blk-pci id=disk-000000dd-1111-2222
- disk 000000de-1111-2222-3333-00000000000e addr=0x1a bus=pci.0 driver=virtio-blk-pci id=disk-000000de-1111-2222
- disk 000000df-1111-2222-3333-00000000000f addr=0x1b bus=pci.0 driver=virtio-blk-pci id=disk-000000df-1111-2222
- nic 000000a0-1111-2222-3333-000000000000 addr=0x1c bus=pci.0 driver=virtio-net-pci id=nic-000000a0-1111-2222
- nic 000000a1-1111-2222-3333-000000000001 addr=0x1d bus=pci.0 driver=virtio-net-pci id=nic-000000a1-1111-2222
- nic 000000a2-1111-2222-3333-000000000002 addr=0x1e bus=pci.0 driver=virtio-net-pci id=nic-000000a2-1111-2222
- nic 000000a3-1111-2222-3333-000000000003 addr=0x1f bus=pci.0 driver=virtio-net-pci id=nic-000000a3-1111-2222
+ disk 000000dc-1111-2222-3333-00000000000c addr=0x1c bus=pci.0 driver=virtio-blk-pci id=disk-000000dc-1111-2222
+ disk 000000dd-1111-2222-3333-00000000000d addr=0x1d bus=pci.0 driver=virtio-blk-pci id=disk-000000dd-1111-2222
+ disk 000000de-1111-2222-3333-00000000000e addr=0x1e bus=pci.0 driver=virtio-blk-pci id=disk-000000de-1111-2222
+ disk 000000df-1111-2222-3333-00000000000f addr=0x1f bus=pci.0 driver=virtio-blk-pci id=disk-000000df-1111-2222
+ nic 000000a0-1111-2222-3333-000000000000 addr=0x18 bus=pci.0 driver=virtio-net-pci id=nic-000000a0-1111-2222
+ nic 000000a1-1111-2222-3333-000000000001 addr=0x19 bus=pci.0 driver=virtio-net-pci id=nic-000000a1-1111-2222
+ nic 000000a2-1111-2222-3333-000000000002 addr=0x1a bus=pci.0 driver=virtio-net-pci id=nic-000000a2-1111-2222
+ nic 000000a3-1111-2222-3333-000000000003 addr=0x1b bus=pci.0 driver=virtio-net-pci id=nic-000000a3-1111-2222
