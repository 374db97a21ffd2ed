/* fuzz_tokenizer.c - random texts are learnt from, encoded and come back; damaged tokenizer files, half of them with
 * a sha256 that is right again, are refused with a text or are tokenizers whose file is the very same. A fixed
 * number of rounds from a printed seed; built with -DFPX_LIBFUZZER it is the entry point of a fuzzer instead. */
#include <inttypes.h>

#include <fpx/file.h>
#include <fpx/tokenizer.h>

#include "../io/scratch.h"

enum { ROOM = 4096 };

/* No byte may be lost, whatever the text is. */
static void encode_and_back(const fpx_tokenizer *t, const void *text, size_t count)
{
    uint16_t tokens[2 * ROOM];
    char back[2 * ROOM];
    size_t n, bytes = 0;

    n = fpx_tokenizer_encode(t, text, count, tokens);
    if (n > count || fpx_tokenizer_decode(t, tokens, n, NULL, &bytes, NULL) != FPX_OK ||
        bytes != count || fpx_tokenizer_decode(t, tokens, n, back, &bytes, NULL) != FPX_OK ||
        memcmp(back, text, count) != 0)
        abort();
}

/* 1 where the file was taken. */
static int read_file(const char *text, size_t count)
{
    fpx_tokenizer *t = NULL;
    fpx_error err = { .status = FPX_OK };
    char *again = NULL;
    size_t n = 0;

    if (fpx_tokenizer_parse("fuzz", text, count, &t, &err) != FPX_OK) {
        if (err.status != FPX_EFORMAT || err.text[0] == '\0' || t != NULL)
            abort();
        return 0;
    }
    if (fpx_tokenizer_text(t, &again, &n, &err) != FPX_OK || n != count ||
        memcmp(again, text, count) != 0)
        abort();
    encode_and_back(t, text, count < ROOM ? count : ROOM);
    for (uint32_t i = 0; i < fpx_tokenizer_vocabulary(t); i++) {
        if (fpx_tokenizer_bytes(t, (uint16_t)i, &n) == NULL || n < 1 || n > FPX_TOKENIZER_PIECE)
            abort();
    }
    free(again);
    fpx_tokenizer_free(t);
    return 1;
}

/* The last line says what the bytes before it give. text has room for 73 more. */
static size_t sign(char *text, size_t count)
{
    size_t at = count;
    char sum[65];

    for (size_t i = 0; i + 7 <= count; i++)
        at = memcmp(text + i, "sha256 ", 7) == 0 ? i : at;
    fpx_sha256_text(text, at, sum);
    return at + (size_t)snprintf(text + at, 73, "sha256 %s\n", sum);
}

#ifdef FPX_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    char text[2 * ROOM + 80];

    if (count > 2 * ROOM)
        return 0;
    memcpy(text, bytes, count);
    (void)read_file(text, count);
    (void)read_file(text, sign(text, count));
    return 0;
}

#else

/* Bytes of a few kinds, or any: what cuts and merges hang on. */
static size_t draw_text(char *text, uint64_t *state)
{
    static const char few[] = "aab  1-\n\xc3\xa9\t.";
    const size_t count = random_next(state) % ROOM;
    const size_t kinds = random_next(state) % sizeof few;

    for (size_t i = 0; i < count; i++)
        text[i] = kinds == 0 ? (char)random_next(state) : few[random_next(state) % kinds];
    return count;
}

int main(void)
{
    const char *const seed = getenv("FPX_TEST_SEED");
    uint64_t state = seed != NULL ? strtoull(seed, NULL, 0) : 0x20260011;
    static char text[ROOM], file[4 * ROOM + 80];
    size_t taken = 0, refused = 0, learnt = 0;

    state += state == 0;
    (void)printf("FPX_TEST_SEED 0x%" PRIx64 "\n", state);
    for (size_t round = 0; round < effort(1500); round++) {
        const size_t count = draw_text(text, &state);
        const uint32_t vocabulary = 257 + (uint32_t)(random_next(&state) % 40);
        fpx_tokenizer *t = NULL;
        char *good = NULL;
        size_t n = 0;

        if (fpx_tokenizer_train(text, count, vocabulary, &t, NULL) != FPX_OK)
            continue; /* a text without any pair twice */
        if (fpx_tokenizer_vocabulary(t) > vocabulary ||
            fpx_tokenizer_text(t, &good, &n, NULL) != FPX_OK || !read_file(good, n))
            abort();
        learnt++;
        encode_and_back(t, text, count);
        encode_and_back(t, text, draw_text(text, &state));
        for (int k = 0; k < 4; k++) {
            size_t length = n;
            memcpy(file, good, n);
            for (size_t d = 1 + random_next(&state) % 2; d-- > 0;)
                damage(file, &length, &state);
            if (random_next(&state) % 2 == 0)
                length = sign(file, length);
            *(read_file(file, length) ? &taken : &refused) += 1;
        }
        free(good);
        fpx_tokenizer_free(t);
    }
    (void)printf("%zu texts learnt from; %zu damaged files taken, %zu refused\n", learnt, taken,
                 refused);
    return learnt > 0 && taken > 0 && refused > taken ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
