/* test_diff.c - the first divergence of synthetic traces whose differences are known: the bisection against a
 * plain scan, every verdict, policies, healing, the loss, and the findings of shadows. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fpx/diff.h>

enum { RECORDS = 5, STEPS = 12, LOSS = 3, ELEMENTS = 12, NONE = -1 };

static char folder[32];
static int serial;

/* One run: codes follow from step and record; `mask` says which (step, record) have one element changed
 * by `ulps` codes, `values` which records hold values. */
typedef struct run {
    unsigned char changed[STEPS][RECORDS];
    uint32_t ulps, element;
    size_t steps, records;
    unsigned values; /* bit per record */
    double loss_off; /* added to the loss where record LOSS is changed */
} run;

static const run plain = {
    .ulps = 1, .element = 7, .steps = STEPS, .records = RECORDS, .values = 31
};

static void describe(const run *r, fpx_trace_record *records)
{
    static const char *const names[RECORDS] = { "a", "b/x", "b/y", "loss", "z" };
    const uint64_t shape[2] = { 3, 4 }, one[1] = { 1 };

    memset(records, 0, RECORDS * sizeof *records);
    for (size_t i = 0; i < RECORDS; i++) {
        fpx_trace_record *t = &records[i];

        (void)snprintf(t->tensor, sizeof t->tensor, "%s", names[i]);
        (void)snprintf(t->op, sizeof t->op, "%s/fprop", i == 2 ? "b" : names[i]);
        (void)snprintf(t->kind, sizeof t->kind, "add");
        (void)snprintf(t->role, sizeof t->role, "fprop");
        (void)snprintf(t->device, sizeof t->device, "cpu");
        t->layer = -1;
        t->op_index = (uint32_t)i;
        t->values = (r->values >> i) & 1;
        ck_assert_int_eq(
            fpx_tensor_make(&fpx_fp32, i == LOSS ? 1 : 2, i == LOSS ? one : shape, &t->desc),
            FPX_OK);
    }
}

static uint32_t code_of(size_t step, size_t record, size_t element)
{
    return 0x3f800000u + (uint32_t)(step * 4096 + record * 64 + element);
}

static void put_record(fpx_trace_writer *w, const run *r, size_t step, size_t record)
{
    uint32_t codes[ELEMENTS];
    const int changed = r->changed[step][record];
    float loss = 5.0f - 0.25f * (float)step;
    fpx_error err;

    for (size_t e = 0; e < ELEMENTS; e++)
        codes[e] = code_of(step, record, e) + (changed && e == r->element ? r->ulps : 0);
    if (record == LOSS) {
        loss += changed ? (float)r->loss_off : 0.0f;
        memcpy(codes, &loss, sizeof loss);
    }
    ck_assert_int_eq(fpx_trace_put(w, record, codes, 1.0, &err), FPX_OK);
}

static fpx_trace *trace_of(const run *r, const fpx_figure *figures)
{
    fpx_trace_record records[RECORDS];
    fpx_trace_layout layout = { .records = records,
                                .nrecords = r->records,
                                .experiment = "",
                                .device = "cpu",
                                .version = "0" };
    fpx_trace_writer *w = NULL;
    fpx_trace *t = NULL;
    fpx_error err = { .text = "" };
    char path[64];

    describe(r, records);
    if (figures != NULL) {
        layout.nmodes = 2;
        (void)snprintf(layout.modes[0].name, sizeof layout.modes[0].name, "local:fp64");
        (void)snprintf(layout.modes[1].name, sizeof layout.modes[1].name, "local:cpu");
    }
    (void)snprintf(path, sizeof path, "%s/%d.h5", folder, serial++);
    if (fpx_trace_create(path, &layout, STEPS, &w, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    for (size_t s = 0; s < r->steps; s++) {
        ck_assert_int_eq(fpx_trace_begin(w, s, &err), FPX_OK);
        for (size_t i = 0; i < r->records; i++)
            put_record(w, r, s, i);
        for (size_t m = 0; figures != NULL && m < 2; m++)
            for (size_t i = 0; i < r->records; i++)
                ck_assert_int_eq(
                    fpx_trace_put_figure(w, m, i, &figures[(s * 2 + m) * RECORDS + i], &err),
                    FPX_OK);
        ck_assert_int_eq(fpx_trace_commit(w, &err), FPX_OK);
    }
    ck_assert_int_eq(fpx_trace_close(w, &err), FPX_OK);
    if (fpx_trace_open(path, &t, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    return t;
}

static fpx_diff diff_of(const run *x, const run *y, uint64_t ulps)
{
    const fpx_diff_policy policy = { .ulps = ulps };
    fpx_trace *a = trace_of(x, NULL), *b = trace_of(y, NULL);
    fpx_error err = { .text = "" };
    fpx_diff d;

    if (fpx_diff_traces(a, b, &policy, &d, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    fpx_trace_free(a);
    fpx_trace_free(b);
    return d;
}

START_TEST(equal_runs_are_the_same)
{
    const fpx_diff d = diff_of(&plain, &plain, 0);

    ck_assert_int_eq(d.verdict, FPX_SAME);
    ck_assert_uint_eq(d.steps_compared, STEPS);
    ck_assert_uint_eq(d.records_compared, RECORDS);
}
END_TEST

/* _i: step * RECORDS + record, every single place. */
START_TEST(one_difference_is_named)
{
    const size_t step = (size_t)_i / RECORDS, record = (size_t)_i % RECORDS;
    run b = plain;

    b.changed[step][record] = 1;
    b.loss_off = 0.125;
    const fpx_diff d = diff_of(&plain, &b, 0);

    ck_assert_int_eq(d.verdict, FPX_DIFFERENT);
    ck_assert_uint_eq(d.first.step, step);
    ck_assert_uint_eq(d.first.record.op_index, record);
    ck_assert_int_eq(d.first.has_values, 1);
    ck_assert_uint_eq(d.first.differing, 1);
    ck_assert_uint_eq(d.records_differing, 1);
    ck_assert_uint_eq(d.healed, step + 1 < STEPS ? step + 1 : UINT64_MAX);
    if (record == LOSS) {
        ck_assert_uint_eq(d.first.element, 0);
        ck_assert_double_eq(d.first.value_b - d.first.value_a, 0.125);
        ck_assert_uint_eq(d.loss_bits, step);
        ck_assert_uint_eq(d.loss_visible, UINT64_MAX); /* the loss moves by 0.25 in each step */
        ck_assert_double_eq_tol(d.loss_noise, 0.25, 1e-12);
    } else {
        ck_assert_uint_eq(d.first.element, 7);
        ck_assert_uint_eq(d.first.index[0], 1);
        ck_assert_uint_eq(d.first.index[1], 3);
        ck_assert_uint_eq(d.first.code_a, code_of(step, record, 7));
        ck_assert_uint_eq(d.first.code_b, code_of(step, record, 7) + 1);
        ck_assert_uint_eq(d.loss_bits, UINT64_MAX);
    }
}
END_TEST

START_TEST(a_loss_that_moves_more_than_its_noise_shows)
{
    run b = plain;

    b.changed[2][1] = b.changed[4][LOSS] = b.changed[5][LOSS] = 1;
    b.loss_off = 0.5;
    const fpx_diff d = diff_of(&plain, &b, 0);

    ck_assert_uint_eq(d.first.step, 2);
    ck_assert_uint_eq(d.loss_bits, 4);
    ck_assert_uint_eq(d.loss_visible, 4);
    ck_assert_uint_eq(d.healed, 6);
}
END_TEST

/* Random patterns of differences, healing ones among them: bisection over chains gives what a scan gives. */
START_TEST(bisection_equals_a_scan)
{
    srand(20261124);
    for (int round = 0; round < 60; round++) {
        run b = plain;
        int step = NONE, record = NONE, last = NONE;

        for (int k = rand() % 6; k > 0; k--)
            b.changed[rand() % STEPS][rand() % RECORDS] = 1;
        b.loss_off = 1.0;
        for (int s = 0; s < STEPS; s++)
            for (int r = 0; r < RECORDS; r++)
                if (b.changed[s][r]) {
                    last = s;
                    record = step == NONE ? r : record;
                    step = step == NONE ? s : step;
                }
        const fpx_diff d = diff_of(&plain, &b, 0);

        if ((step == NONE) != (d.verdict == FPX_SAME))
            ck_abort_msg("round %d: verdict %u", round, d.verdict);
        if (step == NONE)
            continue;
        if ((int)d.first.step != step || (int)d.first.record.op_index != record ||
            d.healed != (last + 1 < STEPS ? (uint64_t)last + 1 : UINT64_MAX))
            ck_abort_msg("round %d: step %d record %d last %d, but found %d %d %d", round, step,
                         record, last, (int)d.first.step, (int)d.first.record.op_index,
                         (int)d.healed);
    }
}
END_TEST

START_TEST(ulps_are_counted)
{
    run b = plain;

    b.ulps = 3;
    b.changed[5][1] = 1;
    ck_assert_int_eq(diff_of(&plain, &b, 3).verdict, FPX_SAME);
    ck_assert_uint_eq(diff_of(&plain, &b, 2).first.step, 5);
    ck_assert_uint_eq(fpx_ulp_distance(&fpx_fp32, 0x80000000u, 0), 0);
    ck_assert_uint_eq(fpx_ulp_distance(&fpx_fp32, 0x80000002u, 1), 3);
    ck_assert_uint_eq(fpx_ulp_distance(&fpx_fp32, 0x7fc00000u, 0x3f800000u), UINT64_MAX);
    ck_assert_uint_eq(fpx_ulp_distance(&fpx_fp32, 0x7fc00000u, 0x7fc00000u), 0);
    ck_assert_uint_eq(fpx_ulp_distance(&fpx_e4m3, 0x7e, 0x7c), 2);
}
END_TEST

START_TEST(without_values_only_the_tensor_is_named)
{
    const fpx_diff_policy ulps = { .ulps = 1 };
    run a = plain, b = plain;
    fpx_error err = { .text = "" };
    fpx_diff d;

    a.values = 0;
    b.changed[5][1] = 1;
    d = diff_of(&a, &b, 0);
    ck_assert_int_eq(d.verdict, FPX_DIFFERENT);
    ck_assert_uint_eq(d.first.step, 5);
    ck_assert_str_eq(d.first.record.tensor, "b/x");
    ck_assert_int_eq(d.first.has_values, 0);
    fpx_trace *x = trace_of(&a, NULL), *y = trace_of(&b, NULL);
    ck_assert_int_eq(fpx_diff_traces(x, y, &ulps, &d, &err), FPX_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "--values"));
    fpx_trace_free(x);
    fpx_trace_free(y);
}
END_TEST

START_TEST(shorter_and_other_traces_are_said_to_be_so)
{
    run shorter = plain, fewer = plain, late = plain;
    fpx_diff d;

    shorter.steps = 4;
    d = diff_of(&plain, &shorter, 0);
    ck_assert_int_eq(d.verdict, FPX_SHORTER);
    ck_assert_uint_eq(d.steps_a, STEPS);
    ck_assert_uint_eq(d.steps_b, 4);
    fewer.records = RECORDS - 1;
    d = diff_of(&plain, &fewer, 0);
    ck_assert_int_eq(d.verdict, FPX_OTHER_LAYOUT);
    ck_assert_str_eq(d.first.record.tensor, "z");
    d = diff_of(&fewer, &plain, 0);
    ck_assert_int_eq(d.verdict, FPX_OTHER_LAYOUT);
    ck_assert_str_eq(d.first.record.tensor, "z");
    late = fewer;
    late.changed[9][2] = 1;
    d = diff_of(&plain, &late, 0); /* what both have is compared all the same */
    ck_assert_int_eq(d.verdict, FPX_DIFFERENT);
    ck_assert_uint_eq(d.first.step, 9);
    ck_assert_str_eq(d.first.record.tensor, "b/y");
}
END_TEST

static fpx_figure figure(double ratio, double mismatches)
{
    return (fpx_figure){ .ratio = ratio, .mismatches = mismatches, .element = 5.0 };
}

/* The first finding is that of the earliest step, there of the earliest record, whichever shadow made it. */
START_TEST(findings_come_in_order)
{
    fpx_figure *f = calloc((size_t)STEPS * 2 * RECORDS, sizeof *f);
    fpx_shadow_finding found;
    fpx_error err;
    fpx_trace *t;

    for (size_t i = 0; i < (size_t)STEPS * 2 * RECORDS; i++)
        f[i] = figure(i / RECORDS % 2 == 0 ? 0.5 : (double)NAN, 0.0);
    t = trace_of(&plain, f);
    ck_assert_int_eq(fpx_diff_shadows(t, &found, &err), FPX_OK);
    ck_assert_int_eq(found.found, 0);
    ck_assert_uint_eq(found.judged, (uint64_t)STEPS * 2 * RECORDS);
    fpx_trace_free(t);
    f[(6 * 2 + 0) * RECORDS + 2] = figure(1.5, 1.0);         /* bound, step 6, record 2 */
    f[(6 * 2 + 1) * RECORDS + 1] = figure((double)NAN, 3.0); /* equality, step 6, record 1 */
    f[(8 * 2 + 1) * RECORDS + 0] = figure((double)NAN, 1.0);
    t = trace_of(&plain, f);
    ck_assert_int_eq(fpx_diff_shadows(t, &found, &err), FPX_OK);
    ck_assert_int_eq(found.found, 1);
    ck_assert_uint_eq(found.step, 6);
    ck_assert_uint_eq(found.record.op_index, 1);
    ck_assert_uint_eq(found.mode, 1);
    ck_assert_uint_eq(found.findings, 3);
    ck_assert_uint_eq(found.index[0], 1);
    ck_assert_uint_eq(found.index[1], 1);
    fpx_trace_free(t);
    free(f);
}
END_TEST

/* NaN and Inf are findings without any shadow, the earliest one first; where a shadow speaks of the same tensor
 * it goes first. _i: are there values? */
START_TEST(what_is_not_finite_is_found)
{
    run r = plain;
    fpx_figure *f = calloc((size_t)STEPS * 2 * RECORDS, sizeof *f);
    fpx_shadow_finding found;
    fpx_error err;
    fpx_trace *t;

    r.values = _i ? 31 : 0;
    r.element = 7;
    r.changed[5][2] = r.changed[6][0] = 1;
    r.ulps =
        0x7f800000u - code_of(5, 2, 7); /* Inf at step 5; at step 6 a NaN, a code or two below */
    t = trace_of(&r, NULL);
    ck_assert_int_eq(fpx_diff_shadows(t, &found, &err), FPX_OK);
    ck_assert_int_eq(found.found, 1);
    ck_assert_uint_eq(found.nonfinite, 1);
    ck_assert_uint_eq(found.step, 5);
    ck_assert_uint_eq(found.record.op_index, 2);
    ck_assert_int_eq(found.has_element, _i);
    ck_assert_uint_eq(found.judged, 0);
    if (_i) {
        ck_assert_double_eq(found.figure.element, 7.0);
        ck_assert_uint_eq(found.index[1], 3);
        ck_assert(isinf(found.figure.actual));
    }
    fpx_trace_free(t);
    for (size_t i = 0; i < (size_t)STEPS * 2 * RECORDS; i++)
        f[i] = figure((double)NAN, 0.0);
    f[(5 * 2 + 1) * RECORDS + 2] = figure((double)NAN, 1.0);
    t = trace_of(&r, f);
    ck_assert_int_eq(fpx_diff_shadows(t, &found, &err), FPX_OK);
    ck_assert_uint_eq(found.nonfinite, 0);
    ck_assert_uint_eq(found.mode, 1);
    ck_assert_uint_eq(found.record.op_index, 2);
    fpx_trace_free(t);
    f[(5 * 2 + 1) * RECORDS + 2] = figure((double)NAN, 0.0);
    f[(5 * 2 + 1) * RECORDS + 3] = figure((double)NAN, 1.0);
    t = trace_of(&r, f);
    ck_assert_int_eq(fpx_diff_shadows(t, &found, &err), FPX_OK);
    ck_assert_uint_eq(found.nonfinite, 1);
    ck_assert_uint_eq(found.record.op_index, 2);
    fpx_trace_free(t);
    free(f);
}
END_TEST

START_TEST(policies_are_words)
{
    static const char *const bad[] = { "",       "about", "ulp",    "ulp:",
                                       "ulp:-1", "ulp:x", "ulp:3x", "exactly" };
    fpx_diff_policy p = { .ulps = 99 };
    fpx_error err;

    ck_assert_int_eq(fpx_diff_policy_parse("exact", &p, &err), FPX_OK);
    ck_assert_uint_eq(p.ulps, 0);
    ck_assert_int_eq(fpx_diff_policy_parse("ulp:17", &p, &err), FPX_OK);
    ck_assert_uint_eq(p.ulps, 17);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(fpx_diff_policy_parse(bad[i], &p, &err), FPX_EINVAL);
    ck_assert_uint_eq(p.ulps, 17);
}
END_TEST

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/fpx-diff-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[64];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

int main(void)
{
    Suite *s = suite_create("diff");
    TCase *tc = tcase_create("diff");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, equal_runs_are_the_same);
    tcase_add_loop_test(tc, one_difference_is_named, 0, STEPS * RECORDS);
    tcase_add_test(tc, a_loss_that_moves_more_than_its_noise_shows);
    tcase_add_test(tc, bisection_equals_a_scan);
    tcase_add_test(tc, ulps_are_counted);
    tcase_add_test(tc, without_values_only_the_tensor_is_named);
    tcase_add_test(tc, shorter_and_other_traces_are_said_to_be_so);
    tcase_add_test(tc, findings_come_in_order);
    tcase_add_loop_test(tc, what_is_not_finite_is_found, 0, 2);
    tcase_add_test(tc, policies_are_words);
    suite_add_tcase(s, tc);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
