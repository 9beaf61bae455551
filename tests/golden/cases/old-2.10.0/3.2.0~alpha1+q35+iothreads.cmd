# - unmodified Ganeti only   + with the plugin only
  # accept
  /usr/bin/kvm
  -name plain.ex
  -m 192
  -smp 1
  -pidfile /var/run/ganeti/kvm-hypervisor/pid/plain.ex
+ -device virtio-net-pci,id=hotnic-000041c0-pci-6,bus=pci.0,addr=0x6,netdev=hotnic-000041c0-pci-6,mac=aa:00:00:00:00:00
+ -device virtio-net-pci,id=hotnic-000041c1-pci-7,bus=pci.0,addr=0x7,netdev=hotnic-000041c1-pci-7,mac=aa:00:00:00:00:01
+ -device virtio-blk-pci,addr=0x4,bus=pci.0,drive=hotdisk-0000d150-pci-4,id=hotdisk-0000d150-pci-4,write-cache=on
+ -device virtio-blk-pci,addr=0x5,bus=pci.0,drive=hotdisk-0000d151-pci-5,id=hotdisk-0000d151-pci-5,write-cache=on
  -device virtio-balloon
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
- -device virtio-net-pci,id=hotnic-000041c0-pci-6,addr=0x6,bus=pci.0,netdev=hotnic-000041c0-pci-6,mac=aa:00:00:00:00:00
  -netdev type=tap,id=hotnic-000041c1-pci-7,fd=1002
- -device virtio-net-pci,id=hotnic-000041c1-pci-7,addr=0x7,bus=pci.0,netdev=hotnic-000041c1-pci-7,mac=aa:00:00:00:00:01
  -incoming tcp:192.0.2.1:8102
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.qmp,server,nowait
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.kvmd,server,nowait
- -device '{"driver": "virtio-blk-pci", "id": "hotdisk-0000d150-pci-4", "addr": "0x4", "bus": "pci.0", "drive": "hotdisk-0000d150-pci-4", "write-cache": "on"}'
  -blockdev driver=raw,node-name=hotdisk-0000d150-pci-4,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/plain.ex:0,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "hotdisk-0000d151-pci-5", "addr": "0x5", "bus": "pci.0", "drive": "hotdisk-0000d151-pci-5", "write-cache": "on"}'
  -blockdev driver=raw,node-name=hotdisk-0000d151-pci-5,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/plain.ex:1,file.aio=threads,auto-read-only=off

  # runtime file
- disk 0000d150-0000-4000-8000-00000000d150 pci=4
- disk 0000d151-0000-4000-8000-00000000d151 pci=5
- nic 000041c0-0000-4000-8000-0000000041c0 pci=6
- nic 000041c1-0000-4000-8000-0000000041c1 pci=7
+ disk 0000d150-0000-4000-8000-00000000d150 addr=0x4 bus=pci.0 driver=virtio-blk-pci id=hotdisk-0000d150-pci-4
+ disk 0000d151-0000-4000-8000-00000000d151 addr=0x5 bus=pci.0 driver=virtio-blk-pci id=hotdisk-0000d151-pci-5
+ nic 000041c0-0000-4000-8000-0000000041c0 addr=0x6 bus=pci.0 driver=virtio-net-pci id=hotnic-000041c0-pci-6
+ nic 000041c1-0000-4000-8000-0000000041c1 addr=0x7 bus=pci.0 driver=virtio-net-pci id=hotnic-000041c1-pci-7
