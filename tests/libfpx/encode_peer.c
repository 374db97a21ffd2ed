/* encode_peer.c - libfpx's encoder behind a pipe, for peers.py: jobs on standard input, codes on standard output.
 *   job: "PROFILE FORMAT ROUND OVERFLOW SR_BITS SR_VARIANT SOURCE N\n", then N numbers of SOURCE (f32 or f64) and, where
 *   ROUND is FPX_SR, N words of 32 random bits. PROFILE "-": none. ROUND -1: the profile's. Codes: 32 bits each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/profile.h>

static void *must_read(size_t n, size_t size)
{
    void *const at = calloc(n + 1, size);

    if (at == NULL || fread(at, size, n, stdin) != n)
        abort();
    return at;
}

static fpx_conversion conversion_of(const char *profile, const char *format, int round,
                                    int overflow)
{
    fpx_conversion c = { .overflow = (uint8_t)overflow };

    if (fpx_format_parse(format, &c.format, NULL) != FPX_OK)
        abort();
    if (strcmp(profile, "-") != 0) {
        const fpx_format f = c.format;
        if (fpx_profile_apply(fpx_profile_find(profile), &f, (fpx_overflow)overflow, &c) != FPX_OK)
            abort();
    }
    if (round >= 0)
        c.round = (uint8_t)round;
    return c;
}

int main(void)
{
    char profile[32];
    char format[32];
    char source[8];
    int round = 0;
    int overflow = 0;
    int bits = 0;
    int variant = 0;
    size_t n = 0;

    while (scanf("%31s %31s %d %d %d %d %7s %zu", profile, format, &round, &overflow, &bits,
                 &variant, source, &n) == 8 &&
           getchar() == '\n') {
        fpx_conversion c = conversion_of(profile, format, round, overflow);
        const int is_wide = strcmp(source, "f64") == 0;
        void *const x = must_read(n, is_wide ? 8 : 4);
        uint32_t *const words = c.round == FPX_SR ? must_read(n, 4) : NULL;
        void *const codes = calloc(n + 1, 8);
        uint32_t *const out = calloc(n + 1, 4);
        fpx_status status = FPX_EINVAL;
        if (words != NULL) {
            c.sr_bits = (uint8_t)bits;
            c.sr_variant = (uint8_t)variant;
            status = is_wide ? fpx_encode_f64_random(&c, 1.0, x, words, codes, n)
                             : fpx_encode_f32_random(&c, 1.0f, x, words, codes, n);
        } else {
            status = is_wide ? fpx_encode_f64(&c, 1.0, x, codes, n)
                             : fpx_encode_f32(&c, 1.0f, x, codes, n);
        }
        if (status != FPX_OK || codes == NULL || out == NULL)
            abort();
        for (size_t i = 0; i < n; i++)
            out[i] = (uint32_t)fpx_format_code(&c.format, codes, i);
        if (fwrite(out, 4, n, stdout) != n || fflush(stdout) != 0)
            abort();
        free(x);
        free(words);
        free(codes);
        free(out);
    }
    return 0;
}
