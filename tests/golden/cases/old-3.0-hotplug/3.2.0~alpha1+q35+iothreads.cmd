# - unmodified Ganeti only   + with the plugin only
  # accept
  /usr/bin/kvm
  -name hdaspice.ex
  -m 192
  -smp 1
  -pidfile /var/run/ganeti/kvm-hypervisor/pid/hdaspice.ex
- -soundhw hda
+ -audiodev spice,id=soundhw
+ -device virtio-net-pci,id=nic-000041c1-0000-4000,bus=pci.0,addr=0xf,netdev=nic-000041c1-0000-4000,mac=aa:00:00:00:00:01
+ -device virtio-net-pci,id=nic-000041c2-0000-4000,bus=pci.0,addr=0x11,netdev=nic-000041c2-0000-4000,mac=aa:00:00:00:00:02
+ -device virtio-blk-pci,addr=0xd,bus=pci.0,drive=disk-0000d151-0000-4000,id=disk-0000d151-0000-4000,write-cache=on
+ -device virtio-blk-pci,addr=0x10,bus=pci.0,drive=disk-0000d152-0000-4000,id=disk-0000d152-0000-4000,write-cache=on
+ -device intel-hda
+ -device hda-duplex,audiodev=soundhw
  -device virtio-balloon
  -daemonize
  -D /var/log/ganeti/kvm/hdaspice.ex.log
  -machine pc-i440fx-7.2
  -kernel /srv/guest/vmlinuz
  -initrd /srv/guest/initrd.gz
  -append 'root=/dev/vda1 ro quiet console=ttyS0,38400'
  -monitor unix:/var/run/ganeti/kvm-hypervisor/ctrl/hdaspice.ex.monitor,server,nowait
  -serial unix:/var/run/ganeti/kvm-hypervisor/ctrl/hdaspice.ex.serial,server,nowait
  -usb
  -device virtio-serial-pci,id=spice
  -device virtserialport,chardev=spicechannel0,name=com.redhat.spice.0
  -chardev spicevmc,id=spicechannel0,name=vdagent
  -spice addr=127.0.0.1,port=11057,disable-ticketing
  -vga qxl
  -uuid 00000001-0000-4000-8000-000000000001
  -netdev type=tap,id=nic-000041c1-0000-4000,fd=1001
- -device virtio-net-pci,id=nic-000041c1-0000-4000,bus=pci.0,addr=0xf,netdev=nic-000041c1-0000-4000,mac=aa:00:00:00:00:01
  -netdev type=tap,id=nic-000041c2-0000-4000,fd=1002
- -device virtio-net-pci,id=nic-000041c2-0000-4000,bus=pci.0,addr=0x11,netdev=nic-000041c2-0000-4000,mac=aa:00:00:00:00:02
  -incoming tcp:192.0.2.1:8102
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/hdaspice.ex.qmp,server,nowait
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/hdaspice.ex.kvmd,server,nowait
- -device '{"driver": "virtio-blk-pci", "id": "disk-0000d151-0000-4000", "bus": "pci.0", "addr": "0xd", "drive": "disk-0000d151-0000-4000", "write-cache": "on"}'
- -blockdev driver=raw,node-name=disk-0000d151-0000-4000,discard=default,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/hdaspice.ex:1,file.aio=threads,auto-read-only=off
- -device '{"driver": "virtio-blk-pci", "id": "disk-0000d152-0000-4000", "bus": "pci.0", "addr": "0x10", "drive": "disk-0000d152-0000-4000", "write-cache": "on"}'
- -blockdev driver=raw,node-name=disk-0000d152-0000-4000,discard=default,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/hdaspice.ex:2,file.aio=threads,auto-read-only=off
+ -blockdev driver=raw,node-name=disk-0000d151-0000-4000,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/hdaspice.ex:1,file.aio=threads,auto-read-only=off
+ -blockdev driver=raw,node-name=disk-0000d152-0000-4000,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/hdaspice.ex:2,file.aio=threads,auto-read-only=off

  # runtime file
  disk 0000d151-0000-4000-8000-00000000d151 addr=0xd bus=pci.0 driver=virtio-blk-pci id=disk-0000d151-0000-4000
  disk 0000d152-0000-4000-8000-00000000d152 addr=0x10 bus=pci.0 driver=virtio-blk-pci id=disk-0000d152-0000-4000
  nic 000041c1-0000-4000-8000-0000000041c1 addr=0xf bus=pci.0 driver=virtio-net-pci id=nic-000041c1-0000-4000
  nic 000041c2-0000-4000-8000-0000000041c2 addr=0x11 bus=pci.0 driver=virtio-net-pci id=nic-000041c2-0000-4000
