#!/bin/sh
# bits_aarch64.sh SOURCE-ROOT - libfpx's golden from another architecture: the scalar library, built for aarch64 and
# run under qemu-user, must give the same bits. Exit 77 where the cross compiler or the emulator is absent.
set -eu
root=$1
cc=aarch64-linux-gnu-gcc
command -v $cc >/dev/null && command -v qemu-aarch64 >/dev/null || {
    echo "no $cc or no qemu-aarch64: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sources=$(find "$root/libfpx" -name '*.c' ! -name '*_avx2*.c' ! -name '*_avx512*.c')
# shellcheck disable=SC2086 # a list of files
$cc -std=c17 -O2 -ffp-contract=off -fno-fast-math -frounding-math -D_POSIX_C_SOURCE=200809L -Wall -Wextra \
    -Werror -static -I"$root/include" -I"$root/libfpx" -o "$work/bits" \
    "$root/tests/libfpx/bits.c" $sources -lm -lpthread
qemu-aarch64 "$work/bits" "$root/tests/goldens/libfpx-bits.txt"
