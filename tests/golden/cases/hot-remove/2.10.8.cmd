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
+ -device virtio-blk-pci,drive=hotdisk-000000d0-pci-8,id=hotdisk-000000d0-pci-8,bus=pci.0,addr=0x8
+ -device virtio-blk-pci,drive=hotdisk-000000d1-pci-9,id=hotdisk-000000d1-pci-9,bus=pci.0,addr=0x9
+ -balloon virtio,id=balloon
  -daemonize
  -machine pc-i440fx-7.2
  -monitor unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.monitor,server,nowait
  -serial unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.serial,server,nowait
  -usb
  -display none
  -uuid 00000001-1111-2222-3333-000000000001
- -netdev type=tap,id=hotnic-000000a0-pci-6,fd=1001
- -device virtio-net-pci,mac=aa:00:00:00:00:00,id=hotnic-000000a0-pci-6,bus=pci.0,addr=0x6,netdev=hotnic-000000a0-pci-6
- -netdev type=tap,id=hotnic-000000a1-pci-7,fd=1002
- -device virtio-net-pci,mac=aa:00:00:00:00:01,id=hotnic-000000a1-pci-7,bus=pci.0,addr=0x7,netdev=hotnic-000000a1-pci-7
+ -netdev type=tap,id=hotnic-000000a0-pci-24,fd=1001
+ -netdev type=tap,id=hotnic-000000a1-pci-25,fd=1002
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.qmp,server,nowait
  -boot c
- -device virtio-blk-pci,drive=hotdisk-000000d0-pci-4,id=hotdisk-000000d0-pci-4,bus=pci.0,addr=0x4
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:0,format=raw,if=none,id=hotdisk-000000d0-pci-4,bus=0,unit=4
- -device virtio-blk-pci,drive=hotdisk-000000d1-pci-5,id=hotdisk-000000d1-pci-5,bus=pci.0,addr=0x5
- -drive file=/var/run/ganeti/instance-disks/vm1.example.com:1,format=raw,if=none,id=hotdisk-000000d1-pci-5,bus=0,unit=5
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:0,format=raw,if=none,id=hotdisk-000000d0-pci-8,bus=0,unit=8
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:1,format=raw,if=none,id=hotdisk-000000d1-pci-9,bus=0,unit=9
  -S
- refused: Device hotdisk-000000d2-pci-4 should have been added but is missing
+
+ # migrate
+ /usr/bin/kvm
+ -name vm1.example.com
+ -m 128
+ -smp 1
+ -pidfile /var/run/ganeti/kvm-hypervisor/pid/vm1.example.com
+ -device virtio-net-pci,mac=aa:00:00:00:00:01,id=hotnic-000000a1-pci-25,bus=pci.0,addr=0x19,netdev=hotnic-000000a1-pci-25
+ -device virtio-net-pci,mac=aa:00:00:00:00:02,id=hotnic-000000a2-pci-26,bus=pci.0,addr=0x1a,netdev=hotnic-000000a2-pci-26
+ -device virtio-blk-pci,drive=hotdisk-000000d1-pci-9,id=hotdisk-000000d1-pci-9,bus=pci.0,addr=0x9
+ -device virtio-blk-pci,drive=hotdisk-000000d2-pci-10,id=hotdisk-000000d2-pci-10,bus=pci.0,addr=0xa
+ -balloon virtio,id=balloon
+ -daemonize
+ -machine pc-i440fx-7.2
+ -monitor unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.monitor,server,nowait
+ -serial unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.serial,server,nowait
+ -usb
+ -display none
+ -uuid 00000001-1111-2222-3333-000000000001
+ -netdev type=tap,id=hotnic-000000a1-pci-25,fd=1001
+ -netdev type=tap,id=hotnic-000000a2-pci-26,fd=1002
+ -incoming tcp:192.0.2.1:8102
+ -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.qmp,server,nowait
+ -boot c
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:1,format=raw,if=none,id=hotdisk-000000d1-pci-9,bus=0,unit=9
+ -drive file=/var/run/ganeti/instance-disks/vm1.example.com:2,format=raw,if=none,id=hotdisk-000000d2-pci-10,bus=0,unit=10
+
+ # runtime file
+ disk 000000d1-1111-2222-3333-000000000001 pci=9
+ disk 000000d2-1111-2222-3333-000000000002 pci=10
+ nic 000000a1-1111-2222-3333-000000000001 pci=25
+ nic 000000a2-1111-2222-3333-000000000002 pci=26
