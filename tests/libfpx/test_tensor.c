/* test_tensor.c - shapes, strides and sizes, overflow included. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/tensor.h>

START_TEST(row_major)
{
    const uint64_t shape[3] = { 5, 7, 11 };
    fpx_tensor t;

    ck_assert_int_eq(fpx_tensor_make(&fpx_bf16, 3, shape, &t), FPX_OK);
    ck_assert_uint_eq(t.strides[0], 77);
    ck_assert_uint_eq(t.strides[1], 11);
    ck_assert_uint_eq(t.strides[2], 1);
    ck_assert_uint_eq(t.shape[3], 1);
    ck_assert_uint_eq(fpx_tensor_count(&t), 385);
    ck_assert_uint_eq(fpx_tensor_bytes(&t), 770);
    ck_assert(fpx_tensor_is_dense(&t));
    t.strides[0] = 80; /* rows with a gap */
    ck_assert(!fpx_tensor_is_dense(&t));
    ck_assert_uint_eq(fpx_tensor_bytes(&t), 2 * (4 * 80 + 77));
}
END_TEST

START_TEST(scalar_and_packed)
{
    const uint64_t shape[2] = { 3, 5 };
    fpx_tensor t;

    ck_assert_int_eq(fpx_tensor_make(&fpx_fp64, 0, NULL, &t), FPX_OK);
    ck_assert_uint_eq(fpx_tensor_count(&t), 1);
    ck_assert_uint_eq(fpx_tensor_bytes(&t), 8);
    ck_assert(fpx_tensor_is_dense(&t));
    ck_assert_int_eq(fpx_tensor_make(&fpx_e2m1, 2, shape, &t), FPX_OK);
    ck_assert_uint_eq(fpx_tensor_bytes(&t), 15);
    t.packing = FPX_PACK_DENSE;
    ck_assert_uint_eq(fpx_tensor_bytes(&t), 8); /* 15 nibbles */
}
END_TEST

START_TEST(unit_axes_have_free_strides)
{
    const uint64_t shape[3] = { 4, 1, 6 };
    fpx_tensor t;

    fpx_tensor_make(&fpx_fp32, 3, shape, &t);
    t.strides[1] = 12345;
    ck_assert(fpx_tensor_is_dense(&t));
}
END_TEST

START_TEST(scales_of_blocks)
{
    const uint64_t shape[2] = { 33, 50 };
    uint64_t grid[FPX_MAX_DIMS];
    fpx_tensor t;

    ck_assert_int_eq(fpx_tensor_make(&fpx_e4m3, 2, shape, &t), FPX_OK);
    t.nscales = 1;
    ck_assert_uint_eq(fpx_tensor_scales(&t, 0, grid), 1); /* block 0: the whole axis */
    t.scale[0].block[0] = 16;
    t.scale[0].block[1] = 7;
    ck_assert_uint_eq(fpx_tensor_scales(&t, 0, grid), 24);
    ck_assert(grid[0] == 3 && grid[1] == 8 && grid[2] == 1 && grid[3] == 1);
    t.scale[0].block[0] = UINT64_MAX;
    ck_assert_uint_eq(fpx_tensor_scales(&t, 0, grid), 8);
    t.shape[0] = t.shape[1] = UINT64_MAX; /* a foreign descriptor */
    t.scale[0].block[0] = t.scale[0].block[1] = 1;
    ck_assert_uint_eq(fpx_tensor_scales(&t, 0, grid), SIZE_MAX);
}
END_TEST

START_TEST(refusals)
{
    const uint64_t zero[2] = { 3, 0 };
    const uint64_t huge[4] = { UINT64_C(1) << 31, UINT64_C(1) << 31, 4, 1 };
    const uint64_t wraps[2] = { UINT64_C(1) << 33, UINT64_C(1) << 33 };
    fpx_tensor t;
    fpx_tensor before;
    fpx_format broken = fpx_e4m3;

    memset(&t, 0x77, sizeof t);
    before = t;
    broken.bits = 9;
    ck_assert_int_eq(fpx_tensor_make(&fpx_fp32, 2, zero, &t), FPX_EINVAL);
    ck_assert_int_eq(fpx_tensor_make(&fpx_fp32, 5, huge, &t), FPX_EINVAL);
    ck_assert_int_eq(fpx_tensor_make(&fpx_fp32, 3, huge, &t), FPX_EINVAL);
    ck_assert_int_eq(fpx_tensor_make(&fpx_e4m3, 2, wraps, &t), FPX_EINVAL);
    ck_assert_int_eq(fpx_tensor_make(&broken, 0, NULL, &t), FPX_EINVAL);
    ck_assert_mem_eq(&t, &before, sizeof t);

    /* A descriptor from elsewhere: sizes that overflow must not come out small. */
    fpx_tensor_make(&fpx_fp32, 2, (const uint64_t[]){ 2, 2 }, &t);
    t.shape[0] = UINT64_C(1) << 33;
    t.shape[1] = UINT64_C(1) << 33;
    ck_assert_uint_eq(fpx_tensor_count(&t), SIZE_MAX);
    t.shape[0] = 2;
    t.shape[1] = 2;
    t.strides[0] = UINT64_MAX;
    ck_assert_uint_eq(fpx_tensor_bytes(&t), SIZE_MAX);
    t.strides[0] = UINT64_MAX / 4;
    ck_assert_uint_eq(fpx_tensor_bytes(&t), SIZE_MAX);
}
END_TEST

START_TEST(same_kind)
{
    const uint64_t shape[2] = { 4, 32 };
    fpx_tensor a;
    fpx_tensor b;

    fpx_tensor_make(&fpx_e4m3, 2, shape, &a);
    a.nscales = 1;
    a.scale[0].format = fpx_fp32;
    a.scale[0].block[1] = 32;
    b = a;
    b.place.buffer = 9;
    b.strides[0] = 64;
    b.scale[0].place.offset = 3;
    ck_assert(fpx_tensor_same_kind(&a, &b));
    b.scale[0].block[1] = 16;
    ck_assert(!fpx_tensor_same_kind(&a, &b));
    b = a;
    b.scale[0].layout = FPX_SCALE_CUBLAS;
    ck_assert(!fpx_tensor_same_kind(&a, &b));
    b = a;
    b.shape[0] = 5;
    ck_assert(!fpx_tensor_same_kind(&a, &b));
    b = a;
    b.format = fpx_e5m2;
    ck_assert(!fpx_tensor_same_kind(&a, &b));
    b = a;
    b.packing = FPX_PACK_DENSE;
    ck_assert(!fpx_tensor_same_kind(&a, &b));
    b = a;
    b.nscales = 0;
    ck_assert(!fpx_tensor_same_kind(&a, &b));
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("tensor");
    TCase *const tc = tcase_create("tensor");

    tcase_add_test(tc, row_major);
    tcase_add_test(tc, scalar_and_packed);
    tcase_add_test(tc, unit_axes_have_free_strides);
    tcase_add_test(tc, scales_of_blocks);
    tcase_add_test(tc, refusals);
    tcase_add_test(tc, same_kind);
    suite_add_tcase(s, tc);

    SRunner *const sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
