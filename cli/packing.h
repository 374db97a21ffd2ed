/* packing.h - codes of 4 and 6 bits without gaps: code i is bits i * width upward of a little-endian stream.
 *
 *   4 bits  byte 0 [ code 1 | code 0 ]                     the even element in the low nibble
 *   6 bits  byte 0 [ 1: 1 0 | code 0 ]  byte 1 [ 2: 3 2 1 0 | 1: 5 4 3 2 ]  byte 2 [ code 3 | 2: 5 4 ] */
#ifndef CLI_PACKING_H
#define CLI_PACKING_H

#include <stddef.h>
#include <stdint.h>

/* n codes of `bits` bits each, one a byte, to n * bits / 8 bytes, and back. n * bits is a multiple of 8. src and
 * dst must not overlap. */
void cli_pack(unsigned bits, const uint8_t *src, size_t n, uint8_t *dst);
void cli_unpack(unsigned bits, const uint8_t *src, size_t n, uint8_t *dst);

#endif /* CLI_PACKING_H */
