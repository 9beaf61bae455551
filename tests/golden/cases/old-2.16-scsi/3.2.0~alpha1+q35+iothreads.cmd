# - unmodified Ganeti only   + with the plugin only
  # accept
  /usr/bin/kvm
  -name scsihd.ex
  -m 192
  -smp 1
  -pidfile /var/run/ganeti/kvm-hypervisor/pid/scsihd.ex
+ -device virtio-net-pci,bus=pci.0,id=nic-000041c0-0000-4000,addr=0xc,netdev=nic-000041c0-0000-4000,mac=aa:00:00:00:00:00
+ -device virtio-net-pci,bus=pci.0,id=nic-000041c1-0000-4000,addr=0xd,netdev=nic-000041c1-0000-4000,mac=aa:00:00:00:00:01
  -device lsi,id=scsi
  -device virtio-balloon
  -daemonize
  -D /var/log/ganeti/kvm/scsihd.ex.log
  -machine pc-i440fx-7.2
  -kernel /srv/guest/vmlinuz
  -initrd /srv/guest/initrd.gz
  -append 'root=/dev/vda1 ro quiet console=ttyS0,38400'
  -monitor unix:/var/run/ganeti/kvm-hypervisor/ctrl/scsihd.ex.monitor,server,nowait
  -serial unix:/var/run/ganeti/kvm-hypervisor/ctrl/scsihd.ex.serial,server,nowait
  -usb
  -display none
  -uuid 00000001-0000-4000-8000-000000000001
  -netdev type=tap,id=nic-000041c0-0000-4000,fd=1001
- -device virtio-net-pci,bus=pci.0,id=nic-000041c0-0000-4000,addr=0xc,netdev=nic-000041c0-0000-4000,mac=aa:00:00:00:00:00
  -netdev type=tap,id=nic-000041c1-0000-4000,fd=1002
- -device virtio-net-pci,bus=pci.0,id=nic-000041c1-0000-4000,addr=0xd,netdev=nic-000041c1-0000-4000,mac=aa:00:00:00:00:01
  -incoming tcp:192.0.2.1:8102
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/scsihd.ex.qmp,server,nowait
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/scsihd.ex.kvmd,server,nowait
  -device '{"channel": 0, "scsi-id": 0, "bus": "scsi.0", "driver": "scsi-hd", "id": "disk-0000d150-0000-4000", "lun": 0, "drive": "disk-0000d150-0000-4000", "write-cache": "on"}'
- -blockdev driver=raw,node-name=disk-0000d150-0000-4000,discard=default,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/scsihd.ex:0,file.aio=threads,auto-read-only=off
+ -blockdev driver=raw,node-name=disk-0000d150-0000-4000,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/scsihd.ex:0,file.aio=threads,auto-read-only=off
  -device '{"channel": 0, "scsi-id": 1, "bus": "scsi.0", "driver": "scsi-hd", "id": "disk-0000d151-0000-4000", "lun": 0, "drive": "disk-0000d151-0000-4000", "write-cache": "on"}'
- -blockdev driver=raw,node-name=disk-0000d151-0000-4000,discard=default,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/scsihd.ex:1,file.aio=threads,auto-read-only=off
+ -blockdev driver=raw,node-name=disk-0000d151-0000-4000,discard=ignore,cache.direct=off,cache.no-flush=off,file.driver=file,file.filename=/var/run/ganeti/scsihd.ex:1,file.aio=threads,auto-read-only=off

  # runtime file
  disk 0000d150-0000-4000-8000-00000000d150 bus=scsi.0 channel=0 driver=scsi-hd id=disk-0000d150-0000-4000 lun=0 scsi-id=0
  disk 0000d151-0000-4000-8000-00000000d151 bus=scsi.0 channel=0 driver=scsi-hd id=disk-0000d151-0000-4000 lun=0 scsi-id=1
  nic 000041c0-0000-4000-8000-0000000041c0 addr=0xc bus=pci.0 driver=virtio-net-pci id=nic-000041c0-0000-4000
  nic 000041c1-0000-4000-8000-0000000041c1 addr=0xd bus=pci.0 driver=virtio-net-pci id=nic-000041c1-0000-4000
