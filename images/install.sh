# Installs the system of this stick on a disk of the machine. Asks which, says what will be lost, and wants its name typed.
# UNIBOS_SYSTEM is the system to install; UNIBOS_DISK and UNIBOS_YES answer the questions for scripts.
system=${UNIBOS_SYSTEM:?the system to install}

disks() { lsblk --nodeps --noheadings --paths --output NAME,SIZE,MODEL,TYPE | awk '$NF == "disk" || $NF == "loop"'; }

disk=${UNIBOS_DISK:-}
if [ -z "$disk" ]; then
  echo "Disks of this machine:"
  disks
  printf 'Install UNIBOS on which disk (for example /dev/nvme0n1)? '
  read -r disk
fi
if [ ! -b "$disk" ]; then
  echo "unibos-install: $disk is not a disk." >&2
  exit 64
fi
if lsblk --noheadings --output MOUNTPOINTS "$disk" | grep -q '[^[:space:]]'; then
  echo "unibos-install: $disk is in use (something on it is mounted). Nothing was changed." >&2
  exit 73
fi
if [ "${UNIBOS_YES:-}" != "$disk" ]; then
  echo "EVERYTHING on $disk will be lost."
  printf 'Type %s again to go on: ' "$disk"
  read -r again
  if [ "$again" != "$disk" ]; then
    echo "Nothing was changed."
    exit 1
  fi
fi

target=$(mktemp -d)
finish() {
  umount -R "$target" 2>/dev/null || true
  rmdir "$target" 2>/dev/null || true
}
trap finish EXIT

wipefs --all --quiet "$disk"
sgdisk --zap-all "$disk" >/dev/null
sgdisk --new 1:0:+1G --typecode 1:ef00 --change-name 1:unibos-boot --new 2:0:0 --typecode 2:8300 --change-name 2:unibos "$disk" >/dev/null
partx --update "$disk" 2>/dev/null || blockdev --rereadpt "$disk"
case "$disk" in
  *[0-9]) boot=${disk}p1 root=${disk}p2 ;;
  *) boot=${disk}1 root=${disk}2 ;;
esac
for _ in $(seq 50); do
  [ -b "$boot" ] && [ -b "$root" ] && break
  sleep 0.1
done
mkfs.vfat -F 32 -n ESP "$boot" >/dev/null
mkfs.ext4 -q -F -L UNIBOS "$root"
mount "$root" "$target"
mkdir "$target/boot"
mount -o umask=0077 "$boot" "$target/boot"
nixos-install --root "$target" --system "$system" --no-root-password --no-channel-copy
sync
echo "UNIBOS is on $disk. Take the stick out and start the machine again; its screen says how to go on."
