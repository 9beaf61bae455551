# - unmodified Ganeti only   + with the plugin only
  # accept
  /usr/bin/kvm
  -name plain.ex
  -m 192
  -smp 1
  -pidfile /var/run/ganeti/kvm-hypervisor/pid/plain.ex
+ -device virtio-net-pci,bus=pci.0,id=nic-000041c0-0000-4000,addr=0xe,netdev=nic-000041c0-0000-4000,mac=aa:00:00:00:00:00
+ -device virtio-net-pci,bus=pci.0,id=nic-000041c1-0000-4000,addr=0xf,netdev=nic-000041c1-0000-4000,mac=aa:00:00:00:00:01
+ -device virtio-blk-pci,addr=0xc,bus=pci.0,drive=disk-0000d150-0000-4000,id=disk-0000d150-0000-4000,write-cache=on
+ -device virtio-blk-pci,addr=0xd,bus=pci.0,drive=disk-0000d151-0000-4000,id=disk-0000d151-0000-4000,write-cache=on
  -device virtio-balloon
  -daemonize
  -D /var/log/ganeti/kvm/plain.ex.log
  -machine pc-i440fx-7.2
  -kernel /srv/guest/vmlinuz
  -initrd /srv/guest/initrd.gz
  -append 'root=/dev/vda1 ro quiet console=ttyS0,38400'
  -monitor unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.monitor,server,nowait
  -serial unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.serial,server,nowait
  -usb
  -display none
  -uuid 00000001-0000-4000-8000-000000000001
  -netdev type=tap,id=nic-000041c0-0000-4000,fd=1001
- -device virtio-net-pci,bus=pci.0,id=nic-000041c0-0000-4000,addr=0xe,netdev=nic-000041c0-0000-4000,mac=aa:00:00:00:00:00
  -netdev type=tap,id=nic-000041c1-0000-4000,fd=1002
- -device virtio-net-pci,bus=pci.0,id=nic-000041c1-0000-4000,addr=0xf,netdev=nic-000041c1-0000-4000,mac=aa:00:00:00:00:01
  -incoming tcp:192.0.2.1:8102
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.qmp,server,nowait
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.kvmd,server,nowait
- -device '{"bus": "pci.0", "driver": "virtio-blk-pci", "id": "disk-0000d150-0000-4000", "addr": "0xc", "drive": "disk-0000d150-0000-4000", "write-cache": "on"}'
- -blockdev driver=raw,node-name=disk-0000d150-0000-4000,discard=default,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/plain.ex:0,file.aio=threads,auto-read-only=off
- -device '{"bus": "pci.0", "driver": "virtio-blk-pci", "id": "disk-0000d151-0000-4000", "addr": "0xd", "drive": "disk-0000d151-0000-4000", "write-cache": "on"}'
- -blockdev driver=raw,node-name=disk-0000d151-0000-4000,discard=default,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/plain.ex:1,file.aio=threads,auto-read-only=off
+ -blockdev driver=raw,node-name=disk-0000d150-0000-4000,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/plain.ex:0,file.aio=threads,auto-read-only=off
+ -blockdev driver=raw,node-name=disk-0000d151-0000-4000,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/plain.ex:1,file.aio=threads,auto-read-only=off

  # reboot
  /usr/bin/kvm
  -name plain.ex
  -m 192
  -smp 1
  -pidfile /var/run/ganeti/kvm-hypervisor/pid/plain.ex
+ -device virtio-net-pci,id=nic-000041c0-0000-4000,bus=pci.0,addr=0x18,netdev=nic-000041c0-0000-4000,mac=aa:00:00:00:00:00
+ -device virtio-net-pci,id=nic-000041c1-0000-4000,bus=pci.0,addr=0x19,netdev=nic-000041c1-0000-4000,mac=aa:00:00:00:00:01
+ -device virtio-blk-pci,addr=0xc,bus=pci.0,drive=disk-0000d150-0000-4000,id=disk-0000d150-0000-4000,write-cache=on
+ -device virtio-blk-pci,addr=0xd,bus=pci.0,drive=disk-0000d151-0000-4000,id=disk-0000d151-0000-4000,write-cache=on
  -device virtio-balloon
  -daemonize
  -D /var/log/ganeti/kvm/plain.ex.log
  -machine pc-i440fx-7.2
  -kernel /srv/guest/vmlinuz
  -initrd /srv/guest/initrd.gz
  -append 'root=/dev/vda1 ro quiet console=ttyS0,38400'
  -monitor unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.monitor,server,nowait
  -serial unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.serial,server,nowait
  -usb
  -display none
  -uuid 00000001-0000-4000-8000-000000000001
  -netdev type=tap,id=nic-000041c0-0000-4000,fd=1001
- -device virtio-net-pci,bus=pci.0,id=nic-000041c0-0000-4000,addr=0xe,netdev=nic-000041c0-0000-4000,mac=aa:00:00:00:00:00
  -netdev type=tap,id=nic-000041c1-0000-4000,fd=1002
- -device virtio-net-pci,bus=pci.0,id=nic-000041c1-0000-4000,addr=0xf,netdev=nic-000041c1-0000-4000,mac=aa:00:00:00:00:01
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.qmp,server,nowait
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.kvmd,server,nowait
- -device '{"bus": "pci.0", "driver": "virtio-blk-pci", "id": "disk-0000d150-0000-4000", "addr": "0xc", "drive": "disk-0000d150-0000-4000", "write-cache": "on"}'
- -blockdev driver=raw,node-name=disk-0000d150-0000-4000,discard=default,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/plain.ex:0,file.aio=threads,auto-read-only=off
- -device '{"bus": "pci.0", "driver": "virtio-blk-pci", "id": "disk-0000d151-0000-4000", "addr": "0xd", "drive": "disk-0000d151-0000-4000", "write-cache": "on"}'
- -blockdev driver=raw,node-name=disk-0000d151-0000-4000,discard=default,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/plain.ex:1,file.aio=threads,auto-read-only=off
+ -blockdev driver=raw,node-name=disk-0000d150-0000-4000,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/plain.ex:0,file.aio=threads,auto-read-only=off
+ -blockdev driver=raw,node-name=disk-0000d151-0000-4000,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/plain.ex:1,file.aio=threads,auto-read-only=off
  -S

  # runtime file
  disk 0000d150-0000-4000-8000-00000000d150 addr=0xc bus=pci.0 driver=virtio-blk-pci id=disk-0000d150-0000-4000
  disk 0000d151-0000-4000-8000-00000000d151 addr=0xd bus=pci.0 driver=virtio-blk-pci id=disk-0000d151-0000-4000
- nic 000041c0-0000-4000-8000-0000000041c0 addr=0xe bus=pci.0 driver=virtio-net-pci id=nic-000041c0-0000-4000
- nic 000041c1-0000-4000-8000-0000000041c1 addr=0xf bus=pci.0 driver=virtio-net-pci id=nic-000041c1-0000-4000
+ nic 000041c0-0000-4000-8000-0000000041c0 addr=0x18 bus=pci.0 driver=virtio-net-pci id=nic-000041c0-0000-4000
+ nic 000041c1-0000-4000-8000-0000000041c1 addr=0x19 bus=pci.0 driver=virtio-net-pci id=nic-000041c1-0000-4000
