# - unmodified Ganeti only   + with the plugin only
  # start
  /usr/bin/kvm
  -name vm1.example.com
  -m 128
  -smp 1
  -pidfile /var/run/ganeti/kvm-hypervisor/pid/vm1.example.com
+ -device pcie-root-port,id=rp3,bus=pcie.0,chassis=3,port=3,addr=0x17,multifunction=on
+ -device pcie-root-port,id=rp4,bus=pcie.0,chassis=4,port=4,addr=0x17.0x1
+ -device pcie-root-port,id=rp5,bus=pcie.0,chassis=5,port=5,addr=0x17.0x2
+ -device pcie-root-port,id=rp6,bus=pcie.0,chassis=6,port=6,addr=0x17.0x3
+ -device pcie-root-port,id=rp7,bus=pcie.0,chassis=7,port=7,addr=0x17.0x4
+ -device pcie-root-port,id=rp8,bus=pcie.0,chassis=8,port=8,addr=0x17.0x5
+ -device pcie-root-port,id=rp9,bus=pcie.0,chassis=9,port=9,addr=0x17.0x6
+ -device pcie-root-port,id=rp10,bus=pcie.0,chassis=10,port=10,addr=0x17.0x7
+ -device pcie-root-port,id=rp11,bus=pcie.0,chassis=11,port=11,addr=0x18,multifunction=on
+ -device pcie-root-port,id=rp12,bus=pcie.0,chassis=12,port=12,addr=0x18.0x1
+ -device pcie-root-port,id=rp13,bus=pcie.0,chassis=13,port=13,addr=0x18.0x2
+ -device pcie-root-port,id=rp14,bus=pcie.0,chassis=14,port=14,addr=0x18.0x3
+ -device pcie-root-port,id=rp15,bus=pcie.0,chassis=15,port=15,addr=0x18.0x4
+ -device pcie-root-port,id=rp16,bus=pcie.0,chassis=16,port=16,addr=0x18.0x5
+ -device pcie-root-port,id=rp17,bus=pcie.0,chassis=17,port=17,addr=0x18.0x6
+ -device pcie-root-port,id=rp18,bus=pcie.0,chassis=18,port=18,addr=0x18.0x7
+ -device pcie-root-port,id=rp19,bus=pcie.0,chassis=19,port=19,addr=0x19,multifunction=on
+ -device pcie-root-port,id=rp20,bus=pcie.0,chassis=20,port=20,addr=0x19.0x1
+ -device pcie-root-port,id=rp21,bus=pcie.0,chassis=21,port=21,addr=0x19.0x2
+ -device pcie-root-port,id=rp22,bus=pcie.0,chassis=22,port=22,addr=0x19.0x3
+ -device pcie-root-port,id=rp23,bus=pcie.0,chassis=23,port=23,addr=0x19.0x4
+ -device pcie-root-port,id=rp24,bus=pcie.0,chassis=24,port=24,addr=0x19.0x5
+ -device pcie-root-port,id=rp25,bus=pcie.0,chassis=25,port=25,addr=0x19.0x6
+ -device pcie-root-port,id=rp26,bus=pcie.0,chassis=26,port=26,addr=0x19.0x7
  -device virtio-balloon
  -daemonize
  -D /var/log/ganeti/kvm/vm1.example.com.log
  -machine q35
  -monitor unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.monitor,server,nowait
  -serial unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.serial,server,nowait
  -usb
  -display none
  -uuid 00000001-1111-2222-3333-000000000001
  -netdev type=tap,id=nic-000000a0-1111-2222,fd=1001
- -device virtio-net-pci,bus=pci.0,id=nic-000000a0-1111-2222,addr=0xe,netdev=nic-000000a0-1111-2222,mac=aa:00:00:00:00:00
+ -device virtio-net-pci,acpi-index=1,bus=rp3,id=nic-000000a0-1111-2222,addr=0x0,netdev=nic-000000a0-1111-2222,mac=aa:00:00:00:00:00
  -netdev type=tap,id=nic-000000a1-1111-2222,fd=1002
- -device virtio-net-pci,bus=pci.0,id=nic-000000a1-1111-2222,addr=0xf,netdev=nic-000000a1-1111-2222,mac=aa:00:00:00:00:01
+ -device virtio-net-pci,acpi-index=2,bus=rp4,id=nic-000000a1-1111-2222,addr=0x0,netdev=nic-000000a1-1111-2222,mac=aa:00:00:00:00:01
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.qmp,server,nowait
  -qmp unix:/var/run/ganeti/kvm-hypervisor/ctrl/vm1.example.com.kvmd,server,nowait
  -boot c
- -device virtio-blk-pci,bus=pci.0,id=disk-000000d0-1111-2222,addr=0xc,drive=disk-000000d0-1111-2222
+ -device virtio-blk-pci,bus=rp11,id=disk-000000d0-1111-2222,addr=0x0,drive=disk-000000d0-1111-2222
  -drive file=/var/run/ganeti/instance-disks/vm1.example.com:0,format=raw,if=none,id=disk-000000d0-1111-2222
- -device virtio-blk-pci,bus=pci.0,id=disk-000000d1-1111-2222,addr=0xd,drive=disk-000000d1-1111-2222
+ -device virtio-blk-pci,bus=rp12,id=disk-000000d1-1111-2222,addr=0x0,drive=disk-000000d1-1111-2222
  -drive file=/var/run/ganeti/instance-disks/vm1.example.com:1,format=raw,if=none,id=disk-000000d1-1111-2222
  -S

  # runtime file
- disk 000000d0-1111-2222-3333-000000000000 addr=0xc bus=pci.0 driver=virtio-blk-pci id=disk-000000d0-1111-2222
- disk 000000d1-1111-2222-3333-000000000001 addr=0xd bus=pci.0 driver=virtio-blk-pci id=disk-000000d1-1111-2222
- nic 000000a0-1111-2222-3333-000000000000 addr=0xe bus=pci.0 driver=virtio-net-pci id=nic-000000a0-1111-2222
- nic 000000a1-1111-2222-3333-000000000001 addr=0xf bus=pci.0 driver=virtio-net-pci id=nic-000000a1-1111-2222
+ disk 000000d0-1111-2222-3333-000000000000 addr=0x0 bus=rp11 driver=virtio-blk-pci id=disk-000000d0-1111-2222
+ disk 000000d1-1111-2222-3333-000000000001 addr=0x0 bus=rp12 driver=virtio-blk-pci id=disk-000000d1-1111-2222
+ nic 000000a0-1111-2222-3333-000000000000 acpi-index=1 addr=0x0 bus=rp3 driver=virtio-net-pci id=nic-000000a0-1111-2222
+ nic 000000a1-1111-2222-3333-000000000001 acpi-index=2 addr=0x0 bus=rp4 driver=virtio-net-pci id=nic-000000a1-1111-2222
