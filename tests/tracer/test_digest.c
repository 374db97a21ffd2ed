/* test_digest.c - fpx/digest.h against vectors made by another implementation of its specification
 * (digest_vectors.py: Python and its own copy of xxHash). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/digest.h>

/* The bytes that digest_vectors.py digests: the upper byte of a 32-bit congruential generator. */
static uint8_t *pattern(size_t n)
{
    uint8_t *bytes = malloc(n + 1); /* never a request for nothing */
    uint32_t x = 1;

    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(x >> 24);
    }
    return bytes;
}

static void expect(fpx_digest digest, const char *text)
{
    char got[FPX_DIGEST_TEXT];

    fpx_digest_text(digest, got);
    ck_assert_str_eq(got, text);
}

static const struct {
    size_t n;
    const char *digest;
} byte_vectors[] = {
    { 0, "99aa06d3014798d86001c324468d497f" },     { 1, "a00e68f3e47980d06849c705fe1352d4" },
    { 65535, "84e864cb02ed57cb0301337a8639ed4f" }, { 65536, "3127d1fa93336660b8f156a64f3a463c" },
    { 65537, "c4ec1874da00602002afb0dcf58fc2e8" }, { 200000, "d46e28297e793180ce9e29979e057f61" },
};

START_TEST(bytes_match_vectors)
{
    uint8_t *bytes = pattern(byte_vectors[_i].n);

    expect(fpx_digest_bytes(bytes, byte_vectors[_i].n), byte_vectors[_i].digest);
    free(bytes);
}
END_TEST

static const struct {
    const fpx_format *format;
    size_t ndim;
    uint64_t shape[FPX_MAX_DIMS];
    int packing;
    const char *digest;
} tensor_vectors[] = {
    { &fpx_e4m3, 0, { 0 }, FPX_PACK_NONE, "b8d67975a1d2074271ab7e3b52851959" },
    { &fpx_e4m3, 2, { 3, 5 }, FPX_PACK_NONE, "35ac562d0efbe3d9bb956ec3147d00f1" },
    { &fpx_bf16, 2, { 3, 5 }, FPX_PACK_NONE, "49d2bf578a8b419c89c66caf9c4b6885" },
    { &fpx_fp32, 4, { 2, 3, 4, 5 }, FPX_PACK_NONE, "6014dd1764862bf50bdc91b7fac44d63" },
    { &fpx_fp32, 2, { 300, 70 }, FPX_PACK_NONE, "89b822183072dd62f05a57d912e50f8f" },
    { &fpx_e2m1, 1, { 8 }, FPX_PACK_DENSE, "992679d06446182ea4043035aab0f105" },
};

static fpx_digest tensor_digest(int i)
{
    fpx_tensor tensor;

    ck_assert_int_eq(fpx_tensor_make(tensor_vectors[i].format, tensor_vectors[i].ndim,
                                     tensor_vectors[i].shape, &tensor),
                     FPX_OK);
    tensor.packing = (uint8_t)tensor_vectors[i].packing;
    /* Whatever lies behind the name's end does not enter. */
    memset(tensor.format.name + strlen(tensor.format.name) + 1, 'x',
           sizeof tensor.format.name - strlen(tensor.format.name) - 1);
    uint8_t *codes = pattern(fpx_tensor_bytes(&tensor));
    const fpx_digest digest = fpx_digest_tensor(&tensor, codes);
    free(codes);
    return digest;
}

START_TEST(tensors_match_vectors)
{
    expect(tensor_digest(_i), tensor_vectors[_i].digest);
}
END_TEST

START_TEST(lists_and_chains_match_vectors)
{
    const fpx_digest pair[2] = { tensor_digest(0), tensor_digest(2) };
    const fpx_digest zero = { { 0 } };

    expect(fpx_digest_list(pair, 0), "99aa06d3014798d86001c324468d497f");
    expect(fpx_digest_list(pair, 2), "439f6c7fa255b291f47007a35dc6c40c");
    expect(fpx_digest_chain(zero, fpx_digest_list(pair, 2)), "5f8d368ea8f86bb632527b1b6b85355e");
}
END_TEST

/* Any flipped bit of the codes, the shape or the format changes the digest. */
START_TEST(everything_counts)
{
    const uint64_t shape[2] = { 4, 6 };
    const uint64_t turned[2] = { 6, 4 };
    fpx_tensor tensor;
    fpx_tensor other;
    uint8_t *codes = pattern(24);

    ck_assert_int_eq(fpx_tensor_make(&fpx_e4m3, 2, shape, &tensor), FPX_OK);
    const fpx_digest digest = fpx_digest_tensor(&tensor, codes);
    for (size_t bit = 0; bit < 192; bit++) {
        codes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (fpx_digest_equal(digest, fpx_digest_tensor(&tensor, codes)))
            ck_abort_msg("bit %zu does not count", bit);
        codes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ck_assert(fpx_digest_equal(digest, fpx_digest_tensor(&tensor, codes)));
    ck_assert_int_eq(fpx_tensor_make(&fpx_e4m3, 2, turned, &other), FPX_OK);
    ck_assert(!fpx_digest_equal(digest, fpx_digest_tensor(&other, codes)));
    ck_assert_int_eq(fpx_tensor_make(&fpx_e5m2, 2, shape, &other), FPX_OK);
    ck_assert(!fpx_digest_equal(digest, fpx_digest_tensor(&other, codes)));
    free(codes);
}
END_TEST

START_TEST(text_round_trips)
{
    const char *text = "0123456789abcdef00ff10f01e2d3c4b";
    const char *wrong[] = { "",
                            "0123456789abcdef00ff10f01e2d3c4",
                            "0123456789abcdef00ff10f01e2d3c4b0",
                            "0123456789Abcdef00ff10f01e2d3c4b",
                            "0123456789abcdeg00ff10f01e2d3c4b",
                            " 123456789abcdef00ff10f01e2d3c4b" };
    fpx_digest digest;

    ck_assert_int_eq(fpx_digest_parse(text, &digest), FPX_OK);
    expect(digest, text);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const fpx_digest before = digest;

        ck_assert_int_eq(fpx_digest_parse(wrong[i], &digest), FPX_EFORMAT);
        ck_assert(fpx_digest_equal(before, digest));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("digest");
    TCase *tc = tcase_create("digest");

    tcase_add_loop_test(tc, bytes_match_vectors, 0, sizeof byte_vectors / sizeof byte_vectors[0]);
    tcase_add_loop_test(tc, tensors_match_vectors, 0,
                        sizeof tensor_vectors / sizeof tensor_vectors[0]);
    tcase_add_test(tc, lists_and_chains_match_vectors);
    tcase_add_test(tc, everything_counts);
    tcase_add_test(tc, text_round_trips);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
