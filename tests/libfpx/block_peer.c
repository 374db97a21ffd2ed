/* block_peer.c - block scaling for other programs: float32 on standard input, codes, scales and the
 * dequantized float32 on standard output. test_block_peer.py and block_torchao.py compare them.
 *
 *   block_peer PROFILE ELEMENT ROWS COLS BLOCK_ROWS BLOCK_COLS EXPONENT ERROR AMAX_BITS
 *
 * "-" for ELEMENT, BLOCK_*, EXPONENT, ERROR: the profile's. AMAX_BITS in hexadecimal; "-": of the input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/block.h>

static uint64_t number(const char *text, uint64_t otherwise, int base)
{
    return strcmp(text, "-") == 0 ? otherwise : strtoull(text, NULL, base);
}

static int blocking_from(char **argv, fpx_blocking *b)
{
    if (fpx_blocking_find(argv[1], b) != FPX_OK)
        return 0;
    if (strcmp(argv[2], "-") != 0 && fpx_format_parse(argv[2], &b->element.format, NULL) != FPX_OK)
        return 0;
    b->block[0] = number(argv[5], b->block[0], 10);
    b->block[1] = number(argv[6], b->block[1], 10);
    b->mx_exponent = (uint8_t)number(argv[7], b->mx_exponent, 10);
    b->error = (uint8_t)number(argv[8], b->error, 10);
    return 1;
}

static int run(const fpx_blocking *b, size_t rows, size_t cols, const char *amax_text)
{
    const size_t n = rows * cols;
    const size_t scale_bytes = fpx_format_size(fpx_blocking_scale_format(b));
    float *const x = malloc(n * sizeof *x);
    uint8_t *const codes = malloc(n);
    float *const back = malloc(n * sizeof *back);
    float amax = 0.0f;
    size_t down = 0;
    size_t across = 0;

    fpx_blocking_grid(b, rows, cols, &down, &across);
    void *const scales = malloc(down * across * scale_bytes);
    if (x == NULL || codes == NULL || back == NULL || scales == NULL || fread(x, 4, n, stdin) != n)
        return 2;
    int bad = fpx_blocking_amax(b, x, n, &amax) != FPX_OK;
    if (strcmp(amax_text, "-") != 0) {
        const uint32_t u = (uint32_t)number(amax_text, 0, 16);
        memcpy(&amax, &u, sizeof u);
    }
    bad |= fpx_block_quantize(b, amax, x, rows, cols, codes, scales) != FPX_OK;
    bad |= fpx_block_dequantize(b, amax, codes, scales, rows, cols, back) != FPX_OK;
    bad |= fwrite(codes, 1, n, stdout) != n;
    bad |= fwrite(scales, scale_bytes, down * across, stdout) != down * across;
    bad |= fwrite(back, 4, n, stdout) != n;
    free(x);
    free(codes);
    free(back);
    free(scales);
    return bad ? 2 : 0;
}

int main(int argc, char **argv)
{
    fpx_blocking b;

    if (argc != 10 || !blocking_from(argv, &b)) {
        (void)fprintf(stderr, "block_peer: see the top of block_peer.c\n");
        return 2;
    }
    return run(&b, strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10), argv[9]);
}
