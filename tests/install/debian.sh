# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# A Debian of this release with a service in it, and what install/published has built. Source it after lib.sh.
need_root
need debootstrap
unset DESTDIR LD_PRELOAD XDG_RUNTIME_DIR
# shellcheck source=/dev/null
source /etc/os-release

# What is in it beyond Debian's smallest: systemd, a service with workers, and what the tests look with.
extra=(ca-certificates dbus gunicorn procps python3 systemd systemd-sysv)
# What packages of ours depend on is there to be installed, but is not.
needed=(libdw1 libjansson4 libmicrohttpd12 libncursesw6 libprotobuf-c1 libyaml-0-2 ksmtuned)
cache=$(dirname "$("$KSM_SOURCE/third_party/build" --print-prefix)")
base=$cache/debian-$VERSION_CODENAME-$(sha256sum <<<"${extra[*]} ${needed[*]}" | head -c 12).tar
published=$KSM_TEST_WORK/published
# Nothing here has to outlive a power failure.
export DPKG_FORCE=unsafe-io

# unpack_root: $tree is a Debian of this test's own; our packages are in /debs.
unpack_root() {
	[[ -e $base ]] || skip "there is no root: see install/root"
	[[ -e $published/complete ]] || { fail "there are no packages: see install/published"; finish; }
	tree=$work/debian
	mkdir -p "$tree"
	tar -C "$tree" -xf "$base"
	mkdir "$tree/debs"
	cp "$published"/*.deb "$tree/debs/"
	rm "$tree"/debs/*-dbgsym_*
}
