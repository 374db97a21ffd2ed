/* format_code.c - reading single codes out of arrays. */
#include <fpx/format.h>

uint64_t fpx_format_code(const fpx_format *format, const void *codes, size_t i)
{
    const size_t size = fpx_format_size(format);
    const unsigned char *at = (const unsigned char *)codes + i * size;
    uint64_t code = 0;

    for (size_t k = size; k-- > 0;) /* little-endian, as every file of the house */
        code = code << 8 | at[k];
    return code;
}
