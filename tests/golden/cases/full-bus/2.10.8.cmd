# - unmodified Ganeti only   + with the plugin only
  # start
  /usr/bin/kvm
  -name vm1.example.com
  -m 128
  -smp 1
  -pidfile /var/run/ganeti/kvm-hypervisor/pid/vm1.example.com
- -balloon virtio,id=balloon,bus=pci.0,addr=0x3
+ -device virtio-net-pci,mac=aa:00:00:00:00:00,id=hotnic-000000a0-pci-24,bus=pci.0,addr=0x18,netdev=hotnic-000000a0-pci-24
+ -device virtio-net-pci,mac=aa:00:00:00:00:01,id=hotnic-000000a1-pci-25,bus=pci.0,addr=0x19,netdev=hotnic-000000a1-pci-25
+ -device virtio-net-pci,mac=aa:00:00:00:00:02,id=hotnic-000000a2-pci-26,bus=pci.0,addr=0x1a,netdev=hotnic-000000a2-pci-26
+ -device virtio-net-pci,mac=aa:00:00:00:00:03,id=hotnic-000000a3-pci-27,bus=pci.0,addr=0x1b,netdev=hotnic-000000a3-pci-27
+ -device virtio-net-pci,mac=aa:00:00:00:00:04,id=hotnic-000000a4-pci-28,bus=pci.0,addr=0x1c,netdev=hotnic-000000a4-pci-28
+ -device virtio-net-pci,mac=aa:00:00:00:00:05,id=hotnic-000000a5-pci-29,bus=pci.0,addr=0x1d,netdev=hotnic-000000a5-pci-29
+ -device virtio-net-pci,mac=aa:00:00:00:00:06,id=hotnic-000000a6-pci-30,bus=pci.0,addr=0x1e,netdev=hotnic-000000a6-pci-30
+ -device virtio-net-pci,mac=aa:00:00:00:00:07,id=hotnic-000000a7-pci-31,bus=pci.0,addr=0x1f,netdev=hotnic-000000a7-pci-31
+ -device virtio-blk-pci,drive=hotdisk-000000d0-pci-8,id=hotdisk-000000d0-pci-8,bus=pci.0,addr=0x8
+ -device virtio-blk-pci,drive=hotdisk-000000d1-pci-9,id=hotdisk-000000d1-pci-9,bus=pci.0,addr=0x9
+ -device virtio-blk-pci,drive=hotdisk-000000d2-pci-10,id=hotdisk-000000d2-pci-10,bus=pci.0,addr=0xa
+ -device virtio-blk-pci,drive=hotdisk-000000d3-pci-11,id=hotdisk-000000d3-pci-11,bus=pci.0,addr=0xb
+ -device virtio-blk-pci,drive=hotdisk-000000d4-pci-12,id=hotdisk-000000d4-pci-12,bus=pci.0,addr=0xc
+ -device virtio-blk-pci,drive=hotdisk-000000d5-pci-13,id=hotdisk-000000d5-pci-13,bus=pci.0,addr=0xd
+ -device virtio-blk-pci,drive=hotdisk-000000d6-pci-14,id=hotdisk-000000d6-pci-14,bus=pci.0,addr=0xe
+ -device virtio-blk-pci,drive=hotdisk-000000d7-pci-15,id=hotdisk-000000d7-pci-15,bus=pci.0,addr=0xf
+ -device virtio-blk-pci,drive=hotdisk-000000d8-pci-16,id=hotdisk-000000d8-pci-16,bus=pci.0,addr=0x10
+ -device virtio-blk-pci,drive=hotdisk-000000d9-pci-17,id=hotdisk-000000d9-pci-17,bus=pci.0,addr=0x11
+ -device virtio-blk-pci,drive=hotdisk-000000da-pci-18,id=hotdisk-000000da-pci-18,bus=pci.0,addr=0x12
+ -device virtio-blk-pci,drive=hotdisk-000000db-pci-19,id=hotdisk-000000db-pci-19,bus=pci.0,addr=0x13
+ -device virtio-blk-pci,drive=hotdisk-000000dc-pci-20,id=hotdisk-000000dc-pci-20,bus=pci.0,addr=0x14
+ -device virtio-blk-pci,drive=hotdisk-000000dd-pci-21,id=hotdisk-000000dd-pci-21,bus=pci.0,addr=0x15
+ -device virtio-blk-pci,drive=hotdisk-000000de-pci-22,id=hotdisk-000000de-pci-22,bus=pci.0,addr=0x16
+ -device virtio-blk-pci,drive=hotdisk-000000df-pci-23,id=hotdisk-000000df-pci-23,bus=pci.0,addr=0x17
+ -balloon virtio,id=balloon
  -daemonize
  -machine pc-i440fx-7.2
  -monitor unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.monitor,server,nowait
  -serial unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.serial,server,nowait
  -usb
  -display none
  -uuid 00000001-1111-2222-3333-000000000001
- -netdev type=tap,id=hotnic-000000a0-pci-20,fd=1001
- -device virtio-net-pci,mac=aa:00:00:00:00:00,id=hotnic-000000a0-pci-20,bus=pci.0,addr=0x14,netdev=hotnic-000000a0-pci-20
- -netdev type=tap,id=hotnic-000000a1-pci-21,fd=1002
- -device virtio-net-pci,mac=aa:00:00:00:00:01,id=hotnic-000000a1-pci-21,bus=pci.0,addr=0x15,netdev=hotnic-000000a1-pci-21
- -netdev type=tap,id=hotnic-000000a2-pci-22,fd=1003
- -device virtio-net-pci,mac=aa:00:00:00:00:02,id=hotnic-000000a2-pci-22,bus=pci.0,addr=0x16,netdev=hotnic-000000a2-pci-22
- -netdev type=tap,id=hotnic-000000a3-pci-23,fd=1004
- -device virtio-net-pci,mac=aa:00:00:00:00:03,id=hotnic-000000a3-pci-23,bus=pci.0,addr=0x17,netdev=hotnic-000000a3-pci-23
- -netdev type=tap,id=hotnic-000000a4-pci-24,fd=1005
- -device virtio-net-pci,mac=aa:00:00:00:00:04,id=hotnic-000000a4-pci-24,bus=pci.0,addr=0x18,netdev=hotnic-000000a4-pci-24
- -netdev type=tap,id=hotnic-000000a5-pci-25,fd=1006
- -device virtio-net-pci,mac=aa:00:00:00:00:05,id=hotnic-000000a5-pci-25,bus=pci.0,addr=0x19,netdev=hotnic-000000a5-pci-25
- -netdev type=tap,id=hotnic-000000a6-pci-26,fd=1007
- -device virtio-net-pci,mac=aa:00:00:00:00:06,id=hotnic-000000a6-pci-26,bus=pci.0,addr=0x1a,netdev=hotnic-000000a6-pci-26
- -netdev type=tap,id=hotnic-000000a7-pci-27,fd=1008
- -device virtio-net-pci,mac=aa:00:00:00:00:07,id=hotnic-000000a7-pci-27,bus=pci.0,addr=0x1b,netdev=hotnic-000000a7-pci-27
+ -netdev type=tap,id=hotnic-000000a0-pci-24,fd=1001
+ -netdev type=tap,id=hotnic-000000a1-pci-25,fd=1002
+ -netdev type=tap,id=hotnic-000000a2-pci-26,fd=1003
+ -netdev type=tap,id=hotnic-000000a3-pci-27,fd=1004
+ -netdev type=tap,id=hotnic-000000a4-pci-28,fd=1005
+ -netdev type=tap,id=hotnic-000000a5-pci-29,fd=1006
+ -netdev type=tap,id=hotnic-000000a6-pci-30,fd=1007
+ -netdev type=tap,id=hotnic-000000a7-pci-31,fd=1008
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.qmp,server,nowait
  -boot c
- -device virtio-blk-pci,drive=hotdisk-000000d0-pci-4,id=hotdisk-000000d0-pci-4,bus=pci.0,addr=0x4
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:0,format=raw,if=none,id=hotdisk-000000d0-pci-4,bus=0,unit=4
- -device virtio-blk-pci,drive=hotdisk-000000d1-pci-5,id=hotdisk-000000d1-pci-5,bus=pci.0,addr=0x5
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:1,format=raw,if=none,id=hotdisk-000000d1-pci-5,bus=0,unit=5
- -device virtio-blk-pci,drive=hotdisk-000000d2-pci-6,id=hotdisk-000000d2-pci-6,bus=pci.0,addr=0x6
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:2,format=raw,if=none,id=hotdisk-000000d2-pci-6,bus=0,unit=6
- -device virtio-blk-pci,drive=hotdisk-000000d3-pci-7,id=hotdisk-000000d3-pci-7,bus=pci.0,addr=0x7
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:3,format=raw,if=none,id=hotdisk-000000d3-pci-7,bus=0,unit=7
- -device virtio-blk-pci,drive=hotdisk-000000d4-pci-8,id=hotdisk-000000d4-pci-8,bus=pci.0,addr=0x8
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:4,format=raw,if=none,id=hotdisk-000000d4-pci-8,bus=0,unit=8
- -device virtio-blk-pci,drive=hotdisk-000000d5-pci-9,id=hotdisk-000000d5-pci-9,bus=pci.0,addr=0x9
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:5,format=raw,if=none,id=hotdisk-000000d5-pci-9,bus=0,unit=9
- -device virtio-blk-pci,drive=hotdisk-000000d6-pci-10,id=hotdisk-000000d6-pci-10,bus=pci.0,addr=0xa
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:6,format=raw,if=none,id=hotdisk-000000d6-pci-10,bus=0,unit=10
- -device virtio-blk-pci,drive=hotdisk-000000d7-pci-11,id=hotdisk-000000d7-pci-11,bus=pci.0,addr=0xb
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:7,format=raw,if=none,id=hotdisk-000000d7-pci-11,bus=0,unit=11
- -device virtio-blk-pci,drive=hotdisk-000000d8-pci-12,id=hotdisk-000000d8-pci-12,bus=pci.0,addr=0xc
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:8,format=raw,if=none,id=hotdisk-000000d8-pci-12,bus=0,unit=12
- -device virtio-blk-pci,drive=hotdisk-000000d9-pci-13,id=hotdisk-000000d9-pci-13,bus=pci.0,addr=0xd
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:9,format=raw,if=none,id=hotdisk-000000d9-pci-13,bus=0,unit=13
- -device virtio-blk-pci,drive=hotdisk-000000da-pci-14,id=hotdisk-000000da-pci-14,bus=pci.0,addr=0xe
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:10,format=raw,if=none,id=hotdisk-000000da-pci-14,bus=0,unit=14
- -device virtio-blk-pci,drive=hotdisk-000000db-pci-15,id=hotdisk-000000db-pci-15,bus=pci.0,addr=0xf
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:11,format=raw,if=none,id=hotdisk-000000db-pci-15,bus=0,unit=15
- -device virtio-blk-pci,drive=hotdisk-000000dc-pci-16,id=hotdisk-000000dc-pci-16,bus=pci.0,addr=0x10
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:12,format=raw,if=none,id=hotdisk-000000dc-pci-16,bus=0,unit=16
- -device virtio-blk-pci,drive=hotdisk-000000dd-pci-17,id=hotdisk-000000dd-pci-17,bus=pci.0,addr=0x11
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:13,format=raw,if=none,id=hotdisk-000000dd-pci-17,bus=0,unit=17
- -device virtio-blk-pci,drive=hotdisk-000000de-pci-18,id=hotdisk-000000de-pci-18,bus=pci.0,addr=0x12
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:14,format=raw,if=none,id=hotdisk-000000de-pci-18,bus=0,unit=18
- -device virtio-blk-pci,drive=hotdisk-000000df-pci-19,id=hotdisk-000000df-pci-19,bus=pci.0,addr=0x13
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:15,format=raw,if=none,id=hotdisk-000000df-pci-19,bus=0,unit=19
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:0,format=raw,if=none,id=hotdisk-000000d0-pci-8,bus=0,unit=8
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:1,format=raw,if=none,id=hotdisk-000000d1-pci-9,bus=0,unit=9
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:2,format=raw,if=none,id=hotdisk-000000d2-pci-10,bus=0,unit=10
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:3,format=raw,if=none,id=hotdisk-000000d3-pci-11,bus=0,unit=11
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:4,format=raw,if=none,id=hotdisk-000000d4-pci-12,bus=0,unit=12
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:5,format=raw,if=none,id=hotdisk-000000d5-pci-13,bus=0,unit=13
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:6,format=raw,if=none,id=hotdisk-000000d6-pci-14,bus=0,unit=14
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:7,format=raw,if=none,id=hotdisk-000000d7-pci-15,bus=0,unit=15
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:8,format=raw,if=none,id=hotdisk-000000d8-pci-16,bus=0,unit=16
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:9,format=raw,if=none,id=hotdisk-000000d9-pci-17,bus=0,unit=17
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:10,format=raw,if=none,id=hotdisk-000000da-pci-18,bus=0,unit=18
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:11,format=raw,if=none,id=hotdisk-000000db-pci-19,bus=0,unit=19
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:12,format=raw,if=none,id=hotdisk-000000dc-pci-20,bus=0,unit=20
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:13,format=raw,if=none,id=hotdisk-000000dd-pci-21,bus=0,unit=21
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:14,format=raw,if=none,id=hotdisk-000000de-pci-22,bus=0,unit=22
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:15,format=raw,if=none,id=hotdisk-000000df-pci-23,bus=0,unit=23
  -S

  # runtime file
- disk 000000d0-1111-2222-3333-000000000000 pci=4
- disk 000000d1-1111-2222-3333-000000000001 pci=5
- disk 000000d2-1111-2222-3333-000000000002 pci=6
- disk 000000d3-1111-2222-3333-000000000003 pci=7
- disk 000000d4-1111-2222-3333-000000000004 pci=8
- disk 000000d5-1111-2222-3333-000000000005 pci=9
- disk 000000d6-1111-2222-3333-000000000006 pci=10
- disk 000000d7-1111-2222-3333-000000000007 pci=11
- disk 000000d8-1111-2222-3333-000000000008 pci=12
- disk 000000d9-1111-2222-3333-000000000009 pci=13
- disk 000000da-1111-2222-3333-00000000000a pci=14
- disk 000000db-1111-2222-3333-00000000000b pci=15
- disk 000000dc-1111-2222-3333-00000000000c pci=16
- disk 000000dd-1111-2222-3333-00000000000d pci=17
- disk 000000de-1111-2222-3333-00000000000e pci=18
- disk 000000df-1111-2222-3333-00000000000f pci=19
- nic 000000a0-1111-2222-3333-000000000000 pci=20
- nic 000000a1-1111-2222-3333-000000000001 pci=21
- nic 000000a2-1111-2222-3333-000000000002 pci=22
- nic 000000a3-1111-2222-3333-000000000003 pci=23
- nic 000000a4-1111-2222-3333-000000000004 pci=24
- nic 000000a5-1111-2222-3333-000000000005 pci=25
- nic 000000a6-1111-2222-3333-000000000006 pci=26
- nic 000000a7-1111-2222-3333-000000000007 pci=27
+ disk 000000d0-1111-2222-3333-000000000000 pci=8
+ disk 000000d1-1111-2222-3333-000000000001 pci=9
+ disk 000000d2-1111-2222-3333-000000000002 pci=10
+ disk 000000d3-1111-2222-3333-000000000003 pci=11
+ disk 000000d4-1111-2222-3333-000000000004 pci=12
+ disk 000000d5-1111-2222-3333-000000000005 pci=13
+ disk 000000d6-1111-2222-3333-000000000006 pci=14
+ disk 000000d7-1111-2222-3333-000000000007 pci=15
+ disk 000000d8-1111-2222-3333-000000000008 pci=16
+ disk 000000d9-1111-2222-3333-000000000009 pci=17
+ disk 000000da-1111-2222-3333-00000000000a pci=18
+ disk 000000db-1111-2222-3333-00000000000b pci=19
+ disk 000000dc-1111-2222-3333-00000000000c pci=20
+ disk 000000dd-1111-2222-3333-00000000000d pci=21
+ disk 000000de-1111-2222-3333-00000000000e pci=22
+ disk 000000df-1111-2222-3333-00000000000f pci=23
+ nic 000000a0-1111-2222-3333-000000000000 pci=24
+ nic 000000a1-1111-2222-3333-000000000001 pci=25
+ nic 000000a2-1111-2222-3333-000000000002 pci=26
+ nic 000000a3-1111-2222-3333-000000000003 pci=27
+ nic 000000a4-1111-2222-3333-000000000004 pci=28
+ nic 000000a5-1111-2222-3333-000000000005 pci=29
+ nic 000000a6-1111-2222-3333-000000000006 pci=30
+ nic 000000a7-1111-2222-3333-000000000007 pci=31
