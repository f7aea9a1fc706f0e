#!/bin/bash
# Puts a machine of tests/machines.py together. It runs in namespaces made for it, and refuses to run outside of them.
#   machine.sh disk HOST FOLDER                  in the LAN's mount namespace: FOLDER/disk, a tmpfs with an overlay over this system
#   machine.sh boot HOST FOLDER LOST NAME MAC CIDR GATEWAY ENVIRONMENT SITE PYTHON   as PID 1 of the machine's namespaces; becomes systemd
# HOST is the mount namespace of the caller, as readlink /proc/self/ns/mnt says it.
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

[ "$(readlink /proc/self/ns/mnt)" != "$2" ] || { echo "this is the caller's own mount namespace" >&2; exit 1; }

# What of this system a machine does not see: all but its programs and their configuration …
shown='usr etc bin sbin lib lib32 lib64 libx32'
# … and of these what would start something, or is this system's alone.
hidden='usr/local usr/lib/systemd/system usr/lib/systemd/system-generators usr/lib/systemd/system-environment-generators
  usr/lib/systemd/system-preset usr/lib/systemd/system-shutdown usr/lib/tmpfiles.d usr/lib/sysctl.d usr/lib/modules-load.d usr/lib/binfmt.d
  usr/lib/environment.d usr/lib/sysusers.d etc/systemd etc/init.d etc/rc0.d etc/rc1.d etc/rc2.d etc/rc3.d etc/rc4.d
  etc/rc5.d etc/rc6.d etc/rcS.d etc/fstab etc/crypttab etc/cron.d etc/cron.daily etc/cron.weekly etc/tmpfiles.d etc/sysctl.d
  etc/sysctl.conf etc/environment etc/modules etc/modules-load.d etc/ssh usr/share/dbus-1/system-services etc/shadow- etc/passwd- etc/group- etc/gshadow etc/gshadow-'

disk() {
  local disk=$1/disk name path
  mkdir -p "$disk"
  mount -t tmpfs -o size=4g,mode=755 machine "$disk"
  mkdir "$disk/upper" "$disk/work" "$disk/root"
  for name in $(ls -A /); do
    case " $shown " in *" $name "*) ;; *) mknod "$disk/upper/$name" c 0 0 ;; esac # overlayfs: "this is not there"
  done
  for path in $hidden; do
    mkdir -p "$disk/upper/$(dirname "$path")"
    [ ! -e "/$path" ] || mknod "$disk/upper/$path" c 0 0
  done
  mount -t overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" machine "$disk/root"
  cd "$disk/root"
  mkdir -p proc sys dev run tmp mnt nix/store/unibos var/lib var/log/journal var/cache var/tmp var/spool var/empty home root
  chmod 1777 var/tmp
  chmod 700 root
  ln -s /run var/run
}

devices() {
  mount -t tmpfs -o mode=755,nosuid,size=4m devices dev
  local name numbers
  while read -r name numbers; do mknod -m 666 "dev/$name" c $numbers; done <<<$'null 1 3\nzero 1 5\nfull 1 7\nrandom 1 8\nurandom 1 9\ntty 5 0'
  mkdir dev/pts dev/shm dev/mqueue
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5,nosuid,noexec devpts dev/pts
  mount -t tmpfs -o mode=1777,nosuid,nodev shm dev/shm
  mount -t mqueue -o nosuid,nodev,noexec mqueue dev/mqueue
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  ln -s fd/0 dev/stdin
  ln -s fd/1 dev/stdout
  ln -s fd/2 dev/stderr
}

read_only() { # read_only SOURCE PLACE
  mount --bind "$1" "$2"
  mount -o remount,bind,ro "$2"
}

kernel() { # The kernel is everybody's: nothing but the network's own switches can be moved.
  mount -t proc -o nosuid,nodev,noexec proc proc
  mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
  local path
  for path in sys sysrq-trigger irq bus fs; do
    [ ! -e "proc/$path" ] || read_only "proc/$path" "proc/$path"
  done
  mount --bind proc/sys/net proc/sys/net
  mount -o remount,bind,rw proc/sys/net
}

store() { # store ENVIRONMENT SITE PYTHON: Python's real prefix, and our package over the site-packages of the tests
  read_only "$1" nix/store/unibos
  local site
  site=$(echo nix/store/unibos/lib/python3.*/site-packages)
  mount -t overlay -o "ro,lowerdir=$1/site:$2" site "$site"
  [ -L nix/store/unibos/python ] || read_only "$3" nix/store/unibos/python
}

boot() {
  local folder=$1 lost=$2 name=$3 mac=$4 cidr=$5 gateway=$6
  mount --make-rprivate /
  mount --bind "$folder/disk/root" "$folder/disk/root"
  mount -o remount,bind,nodev "$folder/disk/root"
  cd "$folder/disk/root"
  devices
  mount -t tmpfs -o mode=755,nosuid,nodev run run
  mount -t tmpfs -o mode=1777,nosuid,nodev tmp tmp
  store "$7" "$8" "$9"
  read_only "$folder/seed" mnt
  touch etc/hosts
  read_only "$folder/hosts" etc/hosts
  kernel
  pivot_root . .
  umount -l . # the old root lies over the new one

  if [ ! -e /etc/machine-is-installed ]; then
    cp -a --remove-destination /mnt/. /
    ldconfig
    touch /etc/machine-is-installed
  fi
  umount /mnt
  mkdir -p /run/current-system /run/lock
  ln -s /usr /run/current-system/sw
  cat /proc/sys/kernel/random/uuid >/run/boot-id # else every boot has the kernel's, and the journal takes them for one
  read_only /run/boot-id /proc/sys/kernel/random/boot_id
  mount --make-rshared / # among the machine's own namespaces: systemd leaves it to whoever makes a container, and needs it for credentials
  hostname "$name"
  ip link set lo up
  echo waiting
  read -r _ # until the cable is plugged in
  ip link set eth1 address "$mac" up
  ip address add "$cidr" dev eth1
  ip route add default via "$gateway"
  exec env -i container=unibos PATH="$PATH" LANG=C.UTF-8 setpriv --bounding-set "$lost" --inh-caps "$lost" \
    /lib/systemd/systemd --system --unit=multi-user.target --show-status=no </dev/null >&2
}

"$1" "${@:3}"
