# - unmodified Ganeti only   + with the plugin only
  # accept
  /usr/bin/kvm
  -name plain.ex
  -m 192
  -smp 1
  -pidfile /var/run/ganeti/kvm-hypervisor/pid/plain.ex
+ -device virtio-net-pci,mac=aa:00:00:00:00:00,id=hotnic-000041c0-pci-6,bus=pci.0,addr=0x6,netdev=hotnic-000041c0-pci-6
+ -device virtio-net-pci,mac=aa:00:00:00:00:01,id=hotnic-000041c1-pci-7,bus=pci.0,addr=0x7,netdev=hotnic-000041c1-pci-7
+ -device virtio-blk-pci,drive=hotdisk-0000d150-pci-4,id=hotdisk-0000d150-pci-4,bus=pci.0,addr=0x4
+ -device virtio-blk-pci,drive=hotdisk-0000d151-pci-5,id=hotdisk-0000d151-pci-5,bus=pci.0,addr=0x5
  -balloon virtio
  -daemonize
  -machine pc-i440fx-7.2
  -kernel /srv/guest/vmlinuz
  -initrd /srv/guest/initrd.gz
  -append 'root=/dev/vda1 ro quiet console=ttyS0,38400'
  -monitor unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.monitor,server,nowait
  -serial unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.serial,server,nowait
  -usb
  -display none
  -uuid 00000001-0000-4000-8000-000000000001
  -netdev type=tap,id=hotnic-000041c0-pci-6,fd=1001
- -device virtio-net-pci,mac=aa:00:00:00:00:00,id=hotnic-000041c0-pci-6,bus=pci.0,addr=0x6,netdev=hotnic-000041c0-pci-6
  -netdev type=tap,id=hotnic-000041c1-pci-7,fd=1002
- -device virtio-net-pci,mac=aa:00:00:00:00:01,id=hotnic-000041c1-pci-7,bus=pci.0,addr=0x7,netdev=hotnic-000041c1-pci-7
  -incoming tcp:192.0.2.1:8102
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.qmp,server,nowait
- -device virtio-blk-pci,drive=hotdisk-0000d150-pci-4,id=hotdisk-0000d150-pci-4,bus=pci.0,addr=0x4
  -drive file=/var/run/ganeti/plain.ex:0,format=raw,if=none,id=hotdisk-0000d150-pci-4,bus=0,unit=4
- -device virtio-blk-pci,drive=hotdisk-0000d151-pci-5,id=hotdisk-0000d151-pci-5,bus=pci.0,addr=0x5
  -drive file=/var/run/ganeti/plain.ex:1,format=raw,if=none,id=hotdisk-0000d151-pci-5,bus=0,unit=5

  # runtime file
  disk 0000d150-0000-4000-8000-00000000d150 pci=4
  disk 0000d151-0000-4000-8000-00000000d151 pci=5
  nic 000041c0-0000-4000-8000-0000000041c0 pci=6
  nic 000041c1-0000-4000-8000-0000000041c1 pci=7
