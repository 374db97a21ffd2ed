/* test_arith_slow.c - every pair of codes of every 8-bit format, for every operation, rounding and overflow policy,
 * against MPFR and a bisection over the grid; all triples of the 4- and 6-bit formats; e4m3 with e5m2 into
 * wider formats; long samples of the rest. FPX_TEST_EFFORT lengthens the samples. Its report is one line a format. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "arith_hardware.h"
#include "arith_oracle.h"
#include "arith_wide.h"

#define SEED 20240718u

enum { ALL_OVERFLOWS = 7, UNSATURATED = 4 };

START_TEST(all_pairs)
{
    fpx_format f;
    oracle o;

    oracle_init(&o);
    for (size_t i = 0; oracle_small_format(i, &f); i++) {
        const fpx_format *const formats[3] = { &f, &f, &f };
        uint64_t pairs = 0;
        uint64_t triples = 0;
        for (fpx_arith_op op = 0; op < FPX_ARITH_OPS; op++) {
            if (fpx_arith_arity(op) < 3)
                pairs += oracle_sweep(&o, op, &f, formats, 0, 1, ALL_OVERFLOWS);
            else
                triples +=
                    oracle_sweep(&o, op, &f, formats, 0, f.bits <= 6 ? 1 : 31, ALL_OVERFLOWS);
        }
        printf("# %s: %llu pairs and singles, %llu triples (%s), 6 roundings, 3 overflow policies: "
               "0 differences\n",
               f.name, (unsigned long long)pairs, (unsigned long long)triples,
               f.bits <= 6 ? "all" : "every 31st");
        fflush(stdout);
    }
    oracle_clear(&o);
}
END_TEST

START_TEST(all_mixed_pairs)
{
    static const fpx_format *const to[] = { &fpx_fp16, &fpx_bf16, &fpx_fp32 };
    static const fpx_format *const from[3] = { &fpx_e4m3, &fpx_e5m2, &fpx_fp16 };
    oracle o;

    oracle_init(&o);
    for (size_t i = 0; i < sizeof to / sizeof to[0]; i++) {
        for (fpx_arith_op op = 0; op < FPX_ARITH_OPS; op++)
            oracle_sweep(&o, op, to[i], from, 0, fpx_arith_arity(op) == 3 ? 10007 : 1, UNSATURATED);
        printf("# e4m3 with e5m2 into %s: all pairs, 6 roundings: 0 differences\n", to[i]->name);
        fflush(stdout);
    }
    oracle_clear(&o);
}
END_TEST

START_TEST(long_samples)
{
    uint64_t state = SEED;
    oracle o;

    oracle_init(&o);
    for (int i = 0; i < WIDE_FORMATS; i++) {
        const fpx_format *const f = wide_formats_list[i];
        const fpx_format *const formats[3] = { f, f, f };
        for (fpx_arith_op op = 0; op < FPX_ARITH_OPS; op++)
            wide_check(&o, op, f, formats, &state, 100000 * oracle_effort());
    }
    for (uint64_t i = 0; i < 100000 * oracle_effort(); i++) {
        wide_check_to_integer(&o, &fpx_fp64, wide_random_near_integer(&state));
        wide_check_to_integer(&o, &fpx_fp32, wide_random(&fpx_fp32, &state));
        wide_check_from_integer(&o, oracle_random(&state) >> (oracle_random(&state) & 63));
    }
    for (uint64_t code = 0; code < 1u << 16; code++) {
        wide_check_to_integer(&o, &fpx_fp16, code);
        wide_check_to_integer(&o, &fpx_bf16, code);
    }
    oracle_clear(&o);
    hardware_check(&state, 1000000 * oracle_effort());
    printf("# wide formats and the processor, seed %u: 0 differences\n", SEED);
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("arith-slow");
    TCase *const tc = tcase_create("arith-slow");

    tcase_set_timeout(tc, 0); /* the caller has one */
    tcase_add_test(tc, all_pairs);
    tcase_add_test(tc, all_mixed_pairs);
    tcase_add_test(tc, long_samples);
    suite_add_tcase(s, tc);

    SRunner *const sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
