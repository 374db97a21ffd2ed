/* test_pack.c - dense codes bit by bit, and cuBLAS's tiles against the reshaping that its manual and torchao describe
 * (view as 4 groups of 32 rows, the groups side by side). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/pack.h>

enum { LONGEST = 70 };

static unsigned bit_of(const uint8_t *bytes, size_t at)
{
    return (unsigned)bytes[at / 8] >> (at % 8) & 1u;
}

/* Every width and length: bit j of code i is bit i * width + j of the stream; what is beyond is 0; back again. */
START_TEST(dense_bits)
{
    for (unsigned bits = 1; bits <= 8; bits++) {
        for (size_t n = 0; n <= LONGEST; n++) {
            uint8_t codes[LONGEST];
            uint8_t back[LONGEST + 1];
            uint8_t packed[LONGEST + 1];
            const size_t bytes = fpx_packed_bytes(bits, n);
            for (size_t i = 0; i < n; i++)
                codes[i] = (uint8_t)(i * 151 + n * 7 + 13);
            memset(packed, 0xee, sizeof packed);
            memset(back, 0xee, sizeof back);
            ck_assert_uint_eq(bytes, (n * bits + 7) / 8);
            ck_assert_int_eq(fpx_pack(bits, codes, n, packed), FPX_OK);
            for (size_t at = 0; at < bytes * 8; at++) {
                const unsigned want =
                    at < n * bits ? (unsigned)codes[at / bits] >> (at % bits) & 1u : 0;
                if (bit_of(packed, at) != want)
                    ck_abort_msg("%u bits, %zu codes: bit %zu", bits, n, at);
            }
            ck_assert_uint_eq(packed[bytes], 0xee);
            ck_assert_int_eq(fpx_unpack(bits, packed, n, back), FPX_OK);
            for (size_t i = 0; i < n; i++)
                ck_assert_uint_eq(back[i], codes[i] & ((1u << bits) - 1));
            ck_assert_uint_eq(back[n], 0xee);
        }
    }
}
END_TEST

START_TEST(drawn_in_the_header)
{
    const uint8_t codes[4] = { 0x21, 0x32, 0x03, 0x3f };
    uint8_t packed[3];

    ck_assert_int_eq(fpx_pack(4, codes, 3, packed),
                     FPX_OK); /* an odd number: the last nibble is 0 */
    ck_assert_uint_eq(packed[0], 0x21);
    ck_assert_uint_eq(packed[1], 0x03);
    ck_assert_int_eq(fpx_pack(6, codes, 4, packed), FPX_OK);
    ck_assert_uint_eq(packed[0], 0x21 | (0x32 & 3) << 6);
    ck_assert_uint_eq(packed[1], 0x32 >> 2 | (0x03 & 15) << 4);
    ck_assert_uint_eq(packed[2], 0x03 >> 4 | 0x3f << 2);
}
END_TEST

START_TEST(layouts_by_name)
{
    for (size_t i = 0; fpx_pack_layout_at(i) != NULL; i++) {
        const fpx_pack_layout *const l = fpx_pack_layout_at(i);
        ck_assert_ptr_eq(fpx_pack_layout_find(l->name), l);
        ck_assert(l->bits == 4 || l->bits == 6);
        ck_assert_int_le(l->packing, FPX_PACK_DENSE);
    }
    ck_assert_int_eq(fpx_pack_layout_find("torchao.fp6")->packing, FPX_PACK_NONE);
    ck_assert_int_eq(fpx_pack_layout_find("onnx.float6")->packing, FPX_PACK_DENSE);
    ck_assert_ptr_null(fpx_pack_layout_find("none"));
}
END_TEST

/* torchao's to_blocked in words: pad to (128 a, 4 b); view (a, 128, b, 4), permute (a, b, 128, 4); each 128 x 4
 * as (4, 32, 4), transpose (32, 4, 4): written as one array after the other. */
static void tiles_by_reshaping(const uint8_t *scales, size_t rows, size_t cols, uint8_t *tiles)
{
    size_t at = 0;

    for (size_t a = 0; a * 128 < rows; a++)
        for (size_t b = 0; b * 4 < cols; b++)
            for (size_t in32 = 0; in32 < 32; in32++)
                for (size_t group = 0; group < 4; group++)
                    for (size_t c = 0; c < 4; c++) {
                        const size_t row = a * 128 + group * 32 + in32;
                        const size_t col = b * 4 + c;
                        tiles[at++] = row < rows && col < cols ? scales[row * cols + col] : 0;
                    }
}

START_TEST(cublas_tiles)
{
    static const size_t shapes[][2] = { { 1, 1 },    { 128, 4 }, { 129, 5 },
                                        { 300, 11 }, { 31, 64 }, { 256, 8 } };

    for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++) {
        const size_t rows = shapes[k][0];
        const size_t cols = shapes[k][1];
        const size_t bytes = fpx_scales_cublas_bytes(rows, cols);
        uint8_t *const scales = malloc(rows * cols);
        uint8_t *const want = malloc(bytes);
        uint8_t *const got = malloc(bytes);
        uint8_t *const back = malloc(rows * cols);
        for (size_t i = 0; i < rows * cols; i++)
            scales[i] = (uint8_t)(i * 37 + 1);
        memset(got, 0xee, bytes);
        tiles_by_reshaping(scales, rows, cols, want);
        ck_assert_uint_eq(bytes, (rows + 127) / 128 * ((cols + 3) / 4) * 512);
        ck_assert_int_eq(fpx_scales_to_cublas(scales, rows, cols, got), FPX_OK);
        ck_assert_mem_eq(got, want, bytes);
        ck_assert_int_eq(fpx_scales_from_cublas(got, rows, cols, back), FPX_OK);
        ck_assert_mem_eq(back, scales, rows * cols);
        free(scales);
        free(want);
        free(got);
        free(back);
    }
}
END_TEST

START_TEST(refusals)
{
    uint8_t byte = 0xee;

    ck_assert_int_eq(fpx_pack(0, &byte, 1, &byte), FPX_EINVAL);
    ck_assert_int_eq(fpx_unpack(9, &byte, 1, &byte), FPX_EINVAL);
    ck_assert_uint_eq(fpx_packed_bytes(9, 8), 0);
    ck_assert_uint_eq(fpx_packed_bytes(4, SIZE_MAX), SIZE_MAX / 2 + 1);
    ck_assert_uint_eq(fpx_scales_cublas_bytes(SIZE_MAX, SIZE_MAX), SIZE_MAX);
    ck_assert_int_eq(fpx_scales_to_cublas(&byte, SIZE_MAX, SIZE_MAX, &byte), FPX_EINVAL);
    ck_assert_uint_eq(fpx_scales_cublas_bytes(0, 5), 0);
    ck_assert_uint_eq(byte, 0xee);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("pack");
    TCase *const t = tcase_create("pack");

    tcase_add_test(t, dense_bits);
    tcase_add_test(t, drawn_in_the_header);
    tcase_add_test(t, layouts_by_name);
    tcase_add_test(t, cublas_tiles);
    tcase_add_test(t, refusals);
    suite_add_tcase(suite, t);

    SRunner *const runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
