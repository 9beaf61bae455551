# - unmodified Ganeti only   + with the plugin only
  # accept
  /usr/bin/kvm
  -name plain.ex
  -m 192
  -smp 1
  -pidfile /var/run/ganeti/kvm-hypervisor/pid/plain.ex
  -device virtio-balloon
  -daemonize
  -machine pc-i440fx-7.2
  -drive file=/var/run/ganeti/plain.ex:0,format=raw,if=virtio
  -drive file=/var/run/ganeti/plain.ex:1,format=raw,if=virtio
  -kernel /srv/guest/vmlinuz
  -initrd /srv/guest/initrd.gz
  -append 'root=/dev/vda1 ro quiet console=ttyS0,38400'
  -monitor unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.monitor,server,nowait
  -serial unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.serial,server,nowait
  -usb
  -display none
  -netdev type=tap,id=netdev0,fd=1001
  -device virtio-net-pci,netdev=netdev0,mac=aa:00:00:00:00:00
  -netdev type=tap,id=netdev1,fd=1002
  -device virtio-net-pci,netdev=netdev1,mac=aa:00:00:00:00:01
  -incoming tcp:192.0.2.1:8102
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.qmp,server,nowait
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/plain.ex.kvmd,server,nowait

  # runtime file
- nic aa:00:00:00:00:00
- nic aa:00:00:00:00:01
+ nic 71332107-c04c-550e-981c-357a878ff0d8
+ nic 50ebe109-1fe6-5eb7-8aad-80c2438c72b9
