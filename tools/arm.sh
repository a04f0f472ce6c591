#!/usr/bin/env bash
# Builds the tree for arm64 and runs its unit tests under QEMU; `./x arm` calls it.
#
# arm64's libraries are unpacked into build/arm-sysroot, by an apt with a state of its own: the
# machine's packages and architectures stay as they are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

SYSROOT=$PWD/build/arm-sysroot
APT=$PWD/build/arm-apt
PACKAGES=(libc6-dev libstdc++-12-dev libssl-dev libboost1.81-dev libboost-json1.81-dev
    libsqlite3-dev libicu-dev libcli11-dev libcurl4-openssl-dev libmongoc-dev
    libmimalloc-dev libxxhash-dev libgtest-dev librapidcheck-dev)

unpack() {
    mkdir -p "$APT"/{state/lists/partial,cache/archives/partial,etc}
    : >"$APT/status"
    cat >"$APT/apt.conf" <<CONF
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Dir::State "$APT/state";
Dir::State::status "$APT/status";
Dir::Cache "$APT/cache";
CONF
    export APT_CONFIG=$APT/apt.conf
    apt-get update -q
    apt-get install -q -y --download-only "${PACKAGES[@]}"
    rm -rf "$SYSROOT.part"
    mkdir -p "$SYSROOT.part"
    local package
    for package in "$APT"/cache/archives/*.deb; do dpkg -x "$package" "$SYSROOT.part"; done
    rm -rf "$SYSROOT" "$APT/cache"
    mv "$SYSROOT.part" "$SYSROOT"
    echo "${PACKAGES[*]}" >"$SYSROOT/.packages"
}

[ "$(cat "$SYSROOT/.packages" 2>/dev/null)" = "${PACKAGES[*]}" ] || unpack
[ -f build/arm/build.ninja ] || cmake --preset arm
cmake --build --preset arm -j"${JOBS:-$(nproc)}"
status=0
for program in build/arm/tests/unit_*; do
    [ -x "$program" ] || continue
    qemu-aarch64 -L "$SYSROOT" "$program" --gtest_brief=1 ${1:+--gtest_filter="$1"} || status=1
done
exit $status
