# - unmodified Ganeti only   + with the plugin only
  # accept
  /usr/bin/kvm
  -name hdaspice.ex
  -m 192
  -smp 1
  -pidfile /var/run/ganeti/kvm-hypervisor/pid/hdaspice.ex
- -soundhw hda
+ -audiodev spice,id=soundhw
+ -device virtio-net-pci,id=hotnic-000041c0-pci-8,bus=pci.0,addr=0x8,netdev=hotnic-000041c0-pci-8,mac=aa:00:00:00:00:00
+ -device virtio-net-pci,id=hotnic-000041c1-pci-9,bus=pci.0,addr=0x9,netdev=hotnic-000041c1-pci-9,mac=aa:00:00:00:00:01
+ -device virtio-blk-pci,addr=0x6,bus=pci.0,drive=hotdisk-0000d150-pci-6,id=hotdisk-0000d150-pci-6,write-cache=on
+ -device virtio-blk-pci,addr=0x7,bus=pci.0,drive=hotdisk-0000d151-pci-7,id=hotdisk-0000d151-pci-7,write-cache=on
+ -device intel-hda
+ -device hda-duplex,audiodev=soundhw
  -device virtio-balloon,id=balloon,bus=pci.0,addr=0x4
  -daemonize
  -machine pc-i440fx-7.2
  -kernel /srv/guest/vmlinuz
  -initrd /srv/guest/initrd.gz
  -append 'root=/dev/vda1 ro quiet console=ttyS0,38400'
  -monitor unix:/var/run/ganeti/kvm-hypervisor/ctrl/hdaspice.ex.monitor,server,nowait
  -serial unix:/var/run/ganeti/kvm-hypervisor/ctrl/hdaspice.ex.serial,server,nowait
  -usb
  -device virtio-serial-pci,id=spice,bus=pci.0,addr=0x5
  -device virtserialport,chardev=spicechannel0,name=com.redhat.spice.0
  -chardev spicevmc,id=spicechannel0,name=vdagent
  -spice addr=127.0.0.1,port=11057,disable-ticketing
  -vga qxl
  -uuid 00000001-0000-4000-8000-000000000001
  -netdev type=tap,id=hotnic-000041c0-pci-8,fd=1001
- -device virtio-net-pci,id=hotnic-000041c0-pci-8,addr=0x8,bus=pci.0,netdev=hotnic-000041c0-pci-8,mac=aa:00:00:00:00:00
  -netdev type=tap,id=hotnic-000041c1-pci-9,fd=1002
- -device virtio-net-pci,id=hotnic-000041c1-pci-9,addr=0x9,bus=pci.0,netdev=hotnic-000041c1-pci-9,mac=aa:00:00:00:00:01
  -incoming tcp:192.0.2.1:8102
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/hdaspice.ex.qmp,server,nowait
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/hdaspice.ex.kvmd,server,nowait
- -device '{"driver": "virtio-blk-pci", "id": "hotdisk-0000d150-pci-6", "addr": "0x6", "bus": "pci.0", "drive": "hotdisk-0000d150-pci-6", "write-cache": "on"}'
  -blockdev driver=raw,node-name=hotdisk-0000d150-pci-6,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/hdaspice.ex:0,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "hotdisk-0000d151-pci-7", "addr": "0x7", "bus": "pci.0", "drive": "hotdisk-0000d151-pci-7", "write-cache": "on"}'
  -blockdev driver=raw,node-name=hotdisk-0000d151-pci-7,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/hdaspice.ex:1,file.aio=threads,auto-read-only=off

  # runtime file
- disk 0000d150-0000-4000-8000-00000000d150 pci=6
- disk 0000d151-0000-4000-8000-00000000d151 pci=7
- nic 000041c0-0000-4000-8000-0000000041c0 pci=8
- nic 000041c1-0000-4000-8000-0000000041c1 pci=9
+ disk 0000d150-0000-4000-8000-00000000d150 addr=0x6 bus=pci.0 driver=virtio-blk-pci id=hotdisk-0000d150-pci-6
+ disk 0000d151-0000-4000-8000-00000000d151 addr=0x7 bus=pci.0 driver=virtio-blk-pci id=hotdisk-0000d151-pci-7
+ nic 000041c0-0000-4000-8000-0000000041c0 addr=0x8 bus=pci.0 driver=virtio-net-pci id=hotnic-000041c0-pci-8
+ nic 000041c1-0000-4000-8000-0000000041c1 addr=0x9 bus=pci.0 driver=virtio-net-pci id=hotnic-000041c1-pci-9
