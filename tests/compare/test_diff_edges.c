/* test_diff_edges.c - differences planted at known places must be found there, with figures computed by hand; and
 * random patterns of them where a scan of all digests finds them. */
#include <float.h>

#include <fpx/diff.h>

#include "tiny_trace.h"

enum { STEPS = 8 };

static tiny_layout plain;

static void setup(void)
{
    tiny_setup();
    tiny_make(&plain);
}

static fpx_diff diff_of(const fpx_trace_layout *la, const tiny_run *a, const fpx_trace_layout *lb,
                        const tiny_run *b, const char *policy_text)
{
    fpx_trace *ta = tiny_trace(la, a), *tb = tiny_trace(lb, b);
    fpx_diff_policy policy;
    fpx_diff diff;
    fpx_error err;

    ck_assert_int_eq(fpx_diff_policy_parse(policy_text, &policy, &err), FPX_OK);
    if (fpx_diff_traces(ta, tb, &policy, &diff, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    fpx_trace_free(ta);
    fpx_trace_free(tb);
    return diff;
}

/* The plain run against the same with these edits. */
static fpx_diff diff_edits(const tiny_edit *edits, size_t n, const char *policy)
{
    const tiny_run a = { .steps = STEPS }, b = { .steps = STEPS, .edits = edits, .nedits = n };

    return diff_of(&plain.layout, &a, &plain.layout, &b, policy);
}

START_TEST(same)
{
    const fpx_diff d = diff_edits(NULL, 0, "exact");

    ck_assert_uint_eq(d.verdict, FPX_SAME);
    ck_assert_uint_eq(d.steps_compared, STEPS);
    ck_assert_uint_eq(d.records_compared, TINY_RECORDS);
    ck_assert_uint_eq(d.loss_bits, UINT64_MAX);
    ck_assert_uint_eq(d.healed, UINT64_MAX);
}
END_TEST

/* One code planted at the first and the last step, in every record and element. */
START_TEST(planted)
{
    static const uint64_t steps[] = { 0, 3, STEPS - 1 };

    for (size_t s = 0; s < 3; s++) {
        for (size_t r = 0; r < TINY_RECORDS; r++) {
            const fpx_tensor *t = &plain.records[r].desc;
            const size_t n = fpx_tensor_count(t);

            for (size_t k = 0; k < 2; k++) {
                const size_t i = k == 0 ? 0 : n - 1;
                const uint64_t code = tiny_code(steps[s], r, i) ^ 1;
                const tiny_edit e = { steps[s], r, i, code };
                const fpx_diff d = diff_edits(&e, 1, "exact");

                ck_assert_uint_eq(d.verdict, FPX_DIFFERENT);
                ck_assert_uint_eq(d.first.step, steps[s]);
                ck_assert_str_eq(d.first.record.tensor, plain.records[r].tensor);
                ck_assert_uint_eq(d.records_differing, 1);
                ck_assert_uint_eq(d.healed, steps[s] + 1 < STEPS ? steps[s] + 1 : UINT64_MAX);
                ck_assert_uint_eq(d.loss_bits, r == TINY_LOSS ? steps[s] : UINT64_MAX);
                ck_assert_int_eq(d.first.has_values, r != TINY_SILENT);
                if (r == TINY_SILENT)
                    continue;
                ck_assert_uint_eq(d.first.element, i);
                ck_assert_uint_eq(d.first.differing, 1);
                ck_assert_uint_eq(d.first.code_a, code ^ 1);
                ck_assert_uint_eq(d.first.code_b, code);
                ck_assert_uint_eq(tiny_double(d.first.value_b),
                                  tiny_double(fpx_format_value(&t->format, code)));
                for (size_t x = 0; x < t->ndim; x++)
                    ck_assert_uint_eq(d.first.index[x], k == 0 ? 0 : t->shape[x] - 1);
            }
        }
    }
}
END_TEST

/* Program order decides within a step, the step before it; all elements count. */
START_TEST(first_of_many)
{
    const tiny_edit e[] = { { 5, TINY_X, 0, 7 },      { 4, TINY_LOSS, 0, 7 },
                            { 4, TINY_W4, 14, 15 },   { 4, TINY_W4, 5, 15 },
                            { 4, TINY_SILENT, 1, 1 }, { 6, TINY_SILENT, 1, 1 } };
    const fpx_diff d = diff_edits(e, 6, "exact");

    ck_assert_uint_eq(d.first.step, 4);
    ck_assert_str_eq(d.first.record.tensor, "w4");
    ck_assert_uint_eq(d.first.element, 5);
    ck_assert_uint_eq(d.first.index[0], 1);
    ck_assert_uint_eq(d.first.index[1], 1);
    ck_assert_uint_eq(d.first.differing, 2);
    ck_assert_uint_eq(d.records_differing, 3);
    ck_assert_uint_eq(d.healed, 7);
}
END_TEST

START_TEST(shorter)
{
    const tiny_run all = { .steps = STEPS }, few = { .steps = 5 };
    const tiny_run later = { .first = 2, .steps = STEPS - 2 };
    const tiny_edit e = { 4, TINY_Y, 1, 0 };
    const tiny_run wrong = { .steps = 5, .edits = &e, .nedits = 1 };
    fpx_diff d = diff_of(&plain.layout, &all, &plain.layout, &few, "exact");

    ck_assert_uint_eq(d.verdict, FPX_SHORTER);
    ck_assert_uint_eq(d.steps_compared, 5);
    ck_assert_uint_eq(d.steps_a, STEPS);
    ck_assert_uint_eq(d.steps_b, 5);
    d = diff_of(&plain.layout, &later, &plain.layout, &all, "exact"); /* chains cannot be used */
    ck_assert_uint_eq(d.verdict, FPX_SHORTER);
    ck_assert_uint_eq(d.steps_compared, STEPS - 2);
    d = diff_of(&plain.layout, &later, &plain.layout, &wrong, "exact");
    ck_assert_uint_eq(d.verdict, FPX_DIFFERENT);
    ck_assert_uint_eq(d.first.step, 4);
    ck_assert_uint_eq(d.steps_compared, 3);
}
END_TEST

/* What one trace lacks is named, from whichever side; a difference of the common records goes first. */
START_TEST(other_layout)
{
    const tiny_run run = { .steps = 3 };
    const tiny_edit e = { 1, TINY_X, 2, 0 };
    const tiny_run wrong = { .steps = 3, .edits = &e, .nedits = 1 };
    tiny_layout other;
    fpx_diff d;

    tiny_make(&other);
    other.layout.nrecords = TINY_LOSS;
    for (int swap = 0; swap < 2; swap++) {
        d = swap ? diff_of(&other.layout, &run, &plain.layout, &run, "exact")
                 : diff_of(&plain.layout, &run, &other.layout, &run, "exact");
        ck_assert_uint_eq(d.verdict, FPX_OTHER_LAYOUT);
        ck_assert_str_eq(d.first.record.tensor, "loss");
        ck_assert_uint_eq(d.records_compared, TINY_RECORDS - 1);
    }
    d = diff_of(&plain.layout, &run, &other.layout, &wrong, "exact");
    ck_assert_uint_eq(d.verdict, FPX_DIFFERENT);
    ck_assert_str_eq(d.first.record.tensor, "x");

    tiny_make(&other);
    other.records[TINY_Y].desc.shape[0] = 2; /* dense, so the strides stay right */
    d = diff_of(&plain.layout, &run, &other.layout, &run, "exact");
    ck_assert_uint_eq(d.verdict, FPX_OTHER_LAYOUT);
    ck_assert_str_eq(d.first.record.tensor, "layer.0/y");
    ck_assert_uint_eq(d.first.record.desc.shape[0], 4);

    tiny_make(&other);
    other.records[TINY_Y].desc.format = fpx_fp16;
    d = diff_of(&plain.layout, &run, &other.layout, &run, "exact");
    ck_assert_uint_eq(d.verdict, FPX_OTHER_LAYOUT);
    ck_assert_str_eq(d.first.record.tensor, "layer.0/y");
}
END_TEST

/* bf16 codes of step 2, element 1 of y: 0x3f83. */
/* Another program: what pairs with nothing is counted and named, and counted before the difference. */
START_TEST(other_programs)
{
    tiny_layout b = plain;
    const tiny_edit e = { 3, TINY_SILENT, 1, 1 };
    const tiny_run run = { .steps = 4 }, edited = { .steps = 4, .edits = &e, .nedits = 1 };

    (void)snprintf(b.records[TINY_Y].tensor, sizeof b.records[TINY_Y].tensor, "layer.0/z");
    b.records[TINY_X].desc.shape[1] = 2;
    b.layout.experiment = "model: tiny\nseed: 3\n";
    b.layout.records = b.records;
    const fpx_diff d = diff_of(&plain.layout, &run, &b.layout, &edited, "exact");

    ck_assert_uint_eq(d.verdict, FPX_DIFFERENT);
    ck_assert_str_eq(d.first.record.tensor, "silent");
    ck_assert_uint_eq(d.unpaired.only_a, 1);
    ck_assert_str_eq(d.unpaired.first_a.tensor, "layer.0/y");
    ck_assert_uint_eq(d.unpaired.only_b, 1);
    ck_assert_str_eq(d.unpaired.first_b.tensor, "layer.0/z");
    ck_assert_uint_eq(d.unpaired.reshaped, 1);
    ck_assert_str_eq(d.unpaired.reshaped_a.tensor, "x");
    ck_assert_uint_eq(d.unpaired.reshaped_b.desc.shape[1], 2);
    ck_assert_uint_eq(d.unpaired_before, 4); /* x and y in A, x and z in B */
    ck_assert_int_eq(d.nothing_before, 0);
    ck_assert_uint_eq(d.nsettings, 1);
    ck_assert_str_eq(d.settings[0].key, "seed");
    ck_assert_str_eq(d.settings[0].b, "3");
}
END_TEST

/* The very first result differs: nothing can be claimed of what came before. */
START_TEST(nothing_before_the_first)
{
    const tiny_edit first = { 0, TINY_X, 0, 7 }, later = { 1, TINY_X, 0, 7 };

    ck_assert_int_eq(diff_edits(&first, 1, "exact").nothing_before, 1);
    ck_assert_int_eq(diff_edits(&later, 1, "exact").nothing_before, 0);
}
END_TEST

/* A run that has fewer steps than it was to have holds nothing, whatever its bits. */
START_TEST(incomplete)
{
    const tiny_run all = { .steps = 4 }, cut = { .steps = 4, .left_out = 3 };
    const tiny_mark good = { 0, 0, TINY_Y, { .ratio = 0.5 } };
    const tiny_run judged = { .steps = 4, .marks = &good, .nmarks = 1 },
                   judged_cut = { .steps = 4, .left_out = 3, .marks = &good, .nmarks = 1 };
    fpx_diff d = diff_of(&plain.layout, &cut, &plain.layout, &cut, "exact");
    fpx_shadow_finding f;

    ck_assert_uint_eq(d.verdict, FPX_SAME);
    ck_assert_uint_eq(d.planned_a, 4);
    ck_assert_int_eq(fpx_diff_outcome(&d), FPX_NO_VERDICT);
    d = diff_of(&plain.layout, &all, &plain.layout, &all, "exact");
    ck_assert_int_eq(fpx_diff_outcome(&d), FPX_HOLDS);
    d = diff_of(&plain.layout, &all, &plain.layout, &cut, "exact");
    ck_assert_int_eq(fpx_diff_outcome(&d), FPX_FINDING);
    for (int i = 0; i < 2; i++) {
        fpx_trace *t = tiny_trace(&plain.layout, i ? &judged_cut : &judged);

        ck_assert_int_eq(fpx_diff_shadows(t, &f, NULL), FPX_OK);
        ck_assert_int_eq(fpx_finding_outcome(&f), i ? FPX_NO_VERDICT : FPX_HOLDS);
        fpx_trace_free(t);
    }
}
END_TEST

/* The bits of NaN agree afterwards: no recovery. And an infinite bound judges nothing. */
START_TEST(no_false_recovery)
{
    const tiny_edit nan[] = { { 2, TINY_X, 0, 7 }, { 5, TINY_X, 1, 0x7fc00000 } };
    const tiny_edit both[] = { { 5, TINY_X, 1, 0x7fc00000 } };
    const tiny_run one = { .steps = STEPS, .edits = nan, .nedits = 2 },
                   two = { .steps = STEPS, .edits = both, .nedits = 1 };
    const tiny_mark unbounded = { 1, 0, TINY_Y, { .ratio = -1.0, .expected = 1.0 } };
    const tiny_run run = { .steps = 2, .marks = &unbounded, .nmarks = 1 };
    const fpx_diff d = diff_of(&plain.layout, &one, &plain.layout, &two, "exact");
    fpx_shadow_finding f;
    fpx_trace *t;

    ck_assert_uint_eq(d.verdict, FPX_DIFFERENT);
    ck_assert_uint_eq(d.first.step, 2);
    ck_assert_uint_eq(d.healed, UINT64_MAX);
    ck_assert_int_eq(d.nonfinite_a.found, 1);
    ck_assert_uint_eq(d.nonfinite_b.step, 5);
    ck_assert_str_eq(d.nonfinite_b.record.tensor, "x");
    t = tiny_trace(&plain.layout, &run);
    ck_assert_int_eq(fpx_diff_shadows(t, &f, NULL), FPX_OK);
    ck_assert_int_eq(f.found, 0);
    ck_assert_uint_eq(f.unjudged, 1);
    ck_assert_uint_eq(f.unjudged_step, 1);
    ck_assert_int_eq(fpx_finding_outcome(&f), FPX_NO_VERDICT);
    fpx_trace_free(t);
    t = tiny_trace(&plain.layout, &one);
    ck_assert_int_eq(fpx_diff_shadows(t, &f, NULL), FPX_OK);
    ck_assert_int_eq(f.found, 1);
    ck_assert_uint_eq(f.nonfinite_results, 1);
    fpx_trace_free(t);
}
END_TEST

START_TEST(ulp)
{
    static const struct {
        uint64_t code;
        const char *policy;
        int differs;
    } rows[] = { { 0x3f86, "ulp:3", 0 },  { 0x3f87, "ulp:3", 1 },     { 0x3f80, "ulp:3", 0 },
                 { 0x3f7f, "ulp:3", 1 },  { 0x3f84, "ulp:0", 1 },     { 0x7fc0, "ulp:65535", 1 },
                 { 0xbf83, "ulp:1", 1 },  { 0xbf83, "ulp:32518", 0 }, { 0xbf83, "ulp:32517", 1 },
                 { 0x7f80, "ulp:100", 1 } };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const tiny_edit e = { 2, TINY_Y, 1, rows[i].code };
        const fpx_diff d = diff_edits(&e, 1, rows[i].policy);

        ck_assert_msg(d.verdict == (rows[i].differs ? FPX_DIFFERENT : FPX_SAME), "row %zu", i);
        if (rows[i].differs)
            ck_assert_uint_eq(d.first.code_b, rows[i].code);
        else
            ck_assert_str_eq(d.first.record.tensor, "");
    }
}
END_TEST

/* A difference within the policy is passed over, to the next record and step. */
START_TEST(ulp_goes_on)
{
    const tiny_edit e[] = { { 1, TINY_Y, 0, 0x3f82 }, { 1, TINY_W4, 2, 9 }, { 3, TINY_Y, 2, 0 } };
    const fpx_diff d = diff_edits(e, 3, "ulp:12"); /* w4: 3 and -0.5 are 3 + 1 codes apart */

    ck_assert_uint_eq(d.verdict, FPX_DIFFERENT);
    ck_assert_uint_eq(d.first.step, 3);
    ck_assert_str_eq(d.first.record.tensor, "layer.0/y");
    ck_assert_uint_eq(d.first.element, 2);
}
END_TEST

/* Zeros of both signs are the same number, but not the same bits. */
START_TEST(signed_zero)
{
    const tiny_edit plus = { 2, TINY_Y, 1, 0 }, minus = { 2, TINY_Y, 1, 0x8000 };
    const tiny_run a = { .steps = STEPS, .edits = &plus, .nedits = 1 };
    const tiny_run b = { .steps = STEPS, .edits = &minus, .nedits = 1 };

    ck_assert_uint_eq(diff_of(&plain.layout, &a, &plain.layout, &b, "ulp:1").verdict, FPX_SAME);
    ck_assert_uint_eq(diff_of(&plain.layout, &a, &plain.layout, &b, "exact").verdict,
                      FPX_DIFFERENT);
}
END_TEST

START_TEST(distance)
{
    ck_assert_uint_eq(fpx_ulp_distance(&fpx_bf16, 0, 0x8000), 0);
    ck_assert_uint_eq(fpx_ulp_distance(&fpx_bf16, 1, 0x8001), 2);
    ck_assert_uint_eq(fpx_ulp_distance(&fpx_bf16, 0x7fc0, 0x7fc0), 0);
    ck_assert_uint_eq(fpx_ulp_distance(&fpx_bf16, 0x7fc0, 0x3f80), UINT64_MAX);
    ck_assert_uint_eq(fpx_ulp_distance(&fpx_bf16, 0x3f80, 0xffff), UINT64_MAX);
    ck_assert_uint_eq(fpx_ulp_distance(&fpx_e2m1, 7, 15), 14);
    ck_assert_uint_eq(fpx_ulp_distance(&fpx_fp64, UINT64_C(0x7ff) << 52, UINT64_C(0xfff) << 52),
                      UINT64_C(0xffe) << 52);
}
END_TEST

START_TEST(without_values)
{
    const tiny_edit e = { 2, TINY_SILENT, 1, 0 };
    const tiny_run run = { .steps = 4 }, wrong = { .steps = 4, .edits = &e, .nedits = 1 };
    fpx_trace *a = tiny_trace(&plain.layout, &run), *b = tiny_trace(&plain.layout, &wrong);
    const fpx_diff_policy policy = { .ulps = 1 };
    fpx_diff d = { .verdict = 77 };
    fpx_error err = { 0 };

    ck_assert_int_eq(fpx_diff_traces(a, b, &policy, &d, &err), FPX_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "silent at step 2"));
    ck_assert_uint_eq(d.verdict, 77); /* untouched */
    fpx_trace_free(a);
    fpx_trace_free(b);
}
END_TEST

/* Losses 8 5 9 9 8 5 9 9: seven changes, squares 9 16 0 1 9 16 0. */
START_TEST(loss)
{
    const tiny_edit e[] = { { 1, TINY_X, 0, 0 },
                            { 3, TINY_LOSS, 0, tiny_double(9.0 - 0x1p-40) },
                            { 4, TINY_LOSS, 0, tiny_double(10.5) }, /* 2.5 < 2.69 */
                            { 6, TINY_LOSS, 0, tiny_double(6.0) } };
    fpx_diff d = diff_edits(e, 4, "exact");
    const double noise = sqrt(51.0 / 7.0);

    ck_assert(fabs(d.loss_noise - noise) <= 2.0 * DBL_EPSILON * noise);
    ck_assert_uint_eq(d.loss_bits, 3);
    ck_assert_uint_eq(d.loss_visible, 6);
    d = diff_edits(e, 3, "exact");
    ck_assert_uint_eq(d.loss_bits, 3);
    ck_assert_uint_eq(d.loss_visible, UINT64_MAX);
    d = diff_edits(e, 1, "exact");
    ck_assert_uint_eq(d.loss_bits, UINT64_MAX);
    ck_assert_int_eq(d.loss_compared, 1);
}
END_TEST

/* The loss that another operation wrote is the loss; what one lacks, or has in another format or shape, was not
 * compared. */
START_TEST(loss_of_another_operation)
{
    const tiny_edit e[] = { { 1, TINY_X, 0, 0 }, { 3, TINY_LOSS, 0, tiny_double(9.5) } };
    const tiny_run run = { .steps = 6 }, wrong = { .steps = 6, .edits = e, .nedits = 2 };
    const uint64_t two = 2;
    tiny_layout other;
    fpx_diff d;

    for (int swap = 0; swap < 2; swap++) {
        tiny_make(&other);
        (void)snprintf(other.records[TINY_LOSS].op, FPX_TRACE_NAME, "loss/mean");
        d = swap ? diff_of(&other.layout, &wrong, &plain.layout, &run, "exact")
                 : diff_of(&plain.layout, &run, &other.layout, &wrong, "exact");
        ck_assert_uint_eq(d.records_compared, TINY_RECORDS - 1);
        ck_assert_int_eq(d.loss_compared, 1);
        ck_assert_uint_eq(d.loss_bits, 3);
        for (int lacks = 0; lacks < 3; lacks++) {
            tiny_make(&other);
            if (lacks == 0)
                (void)snprintf(other.records[TINY_LOSS].tensor, FPX_TRACE_NAME, "gain");
            else if (lacks == 1)
                other.records[TINY_LOSS].desc.format = fpx_fp32;
            else
                ck_assert_int_eq(
                    fpx_tensor_make(&fpx_fp64, 1, &two, &other.records[TINY_LOSS].desc), FPX_OK);
            d = swap ? diff_of(&other.layout, &run, &plain.layout, &wrong, "exact")
                     : diff_of(&plain.layout, &wrong, &other.layout, &run, "exact");
            ck_assert_uint_eq(d.verdict, FPX_DIFFERENT);
            ck_assert_int_eq(d.loss_compared, 0);
            ck_assert_uint_eq(d.loss_bits, UINT64_MAX);
        }
    }
}
END_TEST

/* Specials: NaN against a number shows, Inf and NaN have other bits, a NaN in the first trace does not
 * spoil what its loss usually changes. */
START_TEST(loss_special)
{
    const tiny_edit nan_there = { 2, TINY_LOSS, 0, tiny_double((double)NAN) };
    const tiny_edit inf_there = { 2, TINY_LOSS, 0, tiny_double((double)INFINITY) };
    const tiny_edit both[] = { { 1, TINY_LOSS, 0, tiny_double(5.5) }, nan_there };
    const tiny_run a = { .steps = STEPS, .edits = &inf_there, .nedits = 1 };
    const tiny_run b = { .steps = STEPS, .edits = &nan_there, .nedits = 1 };
    const tiny_run c = { .steps = STEPS, .edits = both, .nedits = 2 };
    fpx_diff d = diff_edits(&nan_there, 1, "exact");

    ck_assert_uint_eq(d.loss_bits, 2);
    ck_assert_uint_eq(d.loss_visible, 2);
    d = diff_of(&plain.layout, &a, &plain.layout, &b, "exact");
    ck_assert_uint_eq(d.loss_bits, 2);
    d = diff_of(&plain.layout, &b, &plain.layout, &c, "exact");
    ck_assert(isfinite(d.loss_noise) && d.loss_noise > 1.0);
    ck_assert_uint_eq(d.loss_bits, 1);
    ck_assert_uint_eq(d.loss_visible, UINT64_MAX);
}
END_TEST

/* ---- against a scan of every digest ---- */
typedef struct scanned {
    uint64_t step, healed;
    size_t record, count;
} scanned;

static size_t index_of(const fpx_trace *t, uint64_t step)
{
    size_t i = 0;

    while (i < fpx_trace_steps(t) && fpx_trace_step_at(t, i) != step)
        i++;
    return i;
}

static scanned scan(fpx_trace *a, fpx_trace *b)
{
    scanned s = { .step = UINT64_MAX, .healed = UINT64_MAX };

    for (size_t i = 0; i < fpx_trace_steps(a); i++) {
        const uint64_t step = fpx_trace_step_at(a, i);
        const size_t j = index_of(b, step);
        fpx_digest x[TINY_RECORDS], y[TINY_RECORDS];
        size_t count = 0, first = 0;

        if (j == fpx_trace_steps(b))
            continue;
        ck_assert_int_eq(fpx_trace_digests(a, i, x, NULL), FPX_OK);
        ck_assert_int_eq(fpx_trace_digests(b, j, y, NULL), FPX_OK);
        for (size_t r = 0; r < TINY_RECORDS; r++)
            if (!fpx_digest_equal(x[r], y[r]) && count++ == 0)
                first = r;
        if (count > 0 && s.step == UINT64_MAX)
            s = (scanned){ step, UINT64_MAX, first, count };
        else if (count > 0)
            s.healed = UINT64_MAX;
        if (count == 0 && s.step != UINT64_MAX && s.healed == UINT64_MAX)
            s.healed = step;
    }
    return s;
}

START_TEST(like_a_scan)
{
    uint64_t state = UINT64_C(0x5eed0d1ff);
    const tiny_run run = { .first = 3, .steps = STEPS };
    fpx_trace *a = tiny_trace(&plain.layout, &run);
    const fpx_diff_policy exact = { 0 };

    printf("seed 0x%" PRIx64 "\n", state);
    for (int round = 0; round < 200; round++) {
        tiny_edit edits[6];
        tiny_run other = { .first = 3, .steps = STEPS, .edits = edits };
        fpx_diff d;

        other.nedits = tiny_random(&state) % 7;
        for (size_t e = 0; e < other.nedits; e++) {
            const uint64_t step = 3 + tiny_random(&state) % STEPS;
            const size_t r = tiny_random(&state) % TINY_RECORDS;
            const size_t i = tiny_random(&state) % fpx_tensor_count(&plain.records[r].desc);

            edits[e] = (tiny_edit){ step, r, i, tiny_code(step, r, i) ^ 1 };
        }
        other.steps -= tiny_random(&state) % 3;
        other.left_out = tiny_random(&state) % 2 ? 4 + tiny_random(&state) % 5 : 0;
        fpx_trace *b = tiny_trace(&plain.layout, &other);
        const scanned s = scan(a, b);

        ck_assert_int_eq(fpx_diff_traces(a, b, &exact, &d, NULL), FPX_OK);
        if ((d.verdict == FPX_DIFFERENT) != (s.step != UINT64_MAX))
            ck_abort_msg("round %d: verdict %u, scan %" PRIu64, round, d.verdict, s.step);
        if (d.verdict == FPX_DIFFERENT &&
            (d.first.step != s.step || d.healed != s.healed || d.records_differing != s.count ||
             strcmp(d.first.record.tensor, plain.records[s.record].tensor) != 0))
            ck_abort_msg("round %d: found step %" PRIu64 " %s, scan: step %" PRIu64 " %s", round,
                         d.first.step, d.first.record.tensor, s.step,
                         plain.records[s.record].tensor);
        fpx_trace_free(b);
    }
    fpx_trace_free(a);
}
END_TEST

/* ---- one trace's own shadows ---- */
static fpx_figure figure(double ratio, double mismatches, double element)
{
    return (fpx_figure){ .ratio = ratio,
                         .mismatches = mismatches,
                         .element = element,
                         .expected_bits = (double)NAN,
                         .actual_bits = (double)NAN };
}

static fpx_shadow_finding finding_of(const tiny_mark *marks, size_t n)
{
    const tiny_run run = { .steps = 4, .marks = marks, .nmarks = n };
    fpx_trace *t = tiny_trace(&plain.layout, &run);
    fpx_shadow_finding f;

    ck_assert_int_eq(fpx_diff_shadows(t, &f, NULL), FPX_OK);
    fpx_trace_free(t);
    return f;
}

START_TEST(shadows)
{
    const double none = (double)NAN;
    const tiny_mark marks[] = {
        { 0, 0, TINY_X, figure(0.9, 0, 0) },    /* within its bound */
        { 0, 1, TINY_X, figure(none, 0, 0) },   /* equal */
        { 0, 0, TINY_Y, figure(none, 3, 1) },   /* no bound: decides nothing */
        { 2, 0, TINY_LOSS, figure(1.5, 1, 0) }, /* bounded mode, later in the program */
        { 2, 1, TINY_W4, figure(none, 2, 6) },  /* equality mode: the first */
        { 2, 1, TINY_LOSS, figure(none, 1, 0) },
        { 3, 0, TINY_X, figure(2.0, 4, 5) }, /* before it in the program, but a later step */
    };
    fpx_shadow_finding f = finding_of(marks, 3);

    ck_assert_int_eq(f.found, 0);
    ck_assert_uint_eq(f.judged, 2);
    f = finding_of(marks, 7);
    ck_assert_int_eq(f.found, 1);
    ck_assert_uint_eq(f.step, 2);
    ck_assert_uint_eq(f.mode, 1);
    ck_assert_str_eq(f.record.tensor, "w4");
    ck_assert_uint_eq(f.index[0], 1);
    ck_assert_uint_eq(f.index[1], 2);
    ck_assert_uint_eq(f.findings, 4);
    ck_assert_uint_eq(f.judged, 6);
    f = finding_of(marks + 6, 1);
    ck_assert_uint_eq(f.mode, 0);
    ck_assert_uint_eq(f.step, 3);
    ck_assert_uint_eq(f.index[0], 1);
    ck_assert_uint_eq(f.index[1], 2);
}
END_TEST

/* A figure from a foreign file may name any element. */
START_TEST(shadow_element)
{
    const double elements[] = { (double)NAN, -1.0, 1e300, 6.0, (double)INFINITY };

    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        const tiny_mark mark = { 1, 1, TINY_X, figure((double)NAN, 1, elements[i]) };
        const fpx_shadow_finding f = finding_of(&mark, 1);

        ck_assert_int_eq(f.found, 1);
        ck_assert(f.figure.element == 0.0);
        ck_assert_uint_eq(f.index[0] + f.index[1], 0);
    }
}
END_TEST

START_TEST(policy)
{
    static const char *const bad[] = { "",
                                       "Exact",
                                       "exact ",
                                       "ulp",
                                       "ulp:",
                                       "ulp:-1",
                                       "ulp: 1",
                                       "ulp:1x",
                                       "ulp:+1",
                                       "ulp:0x1",
                                       "ulp:18446744073709551615",
                                       "ulp:99999999999999999999999" };
    fpx_diff_policy p = { .ulps = 5 };
    fpx_error err;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(fpx_diff_policy_parse(bad[i], &p, &err), FPX_EINVAL);
        ck_assert_ptr_nonnull(strstr(err.text, bad[i]));
        ck_assert_uint_eq(p.ulps, 5);
    }
    ck_assert_int_eq(fpx_diff_policy_parse("ulp:18446744073709551614", &p, NULL), FPX_OK);
    ck_assert_uint_eq(p.ulps, UINT64_MAX - 1);
    ck_assert_int_eq(fpx_diff_policy_parse("exact", &p, NULL), FPX_OK);
    ck_assert_uint_eq(p.ulps, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("diff");
    TCase *c = tcase_create("diff");

    tcase_set_timeout(c, 60.0);
    tcase_add_checked_fixture(c, setup, tiny_teardown);
    tcase_add_test(c, same);
    tcase_add_test(c, planted);
    tcase_add_test(c, first_of_many);
    tcase_add_test(c, shorter);
    tcase_add_test(c, other_layout);
    tcase_add_test(c, other_programs);
    tcase_add_test(c, nothing_before_the_first);
    tcase_add_test(c, incomplete);
    tcase_add_test(c, no_false_recovery);
    tcase_add_test(c, ulp);
    tcase_add_test(c, ulp_goes_on);
    tcase_add_test(c, signed_zero);
    tcase_add_test(c, distance);
    tcase_add_test(c, without_values);
    tcase_add_test(c, loss);
    tcase_add_test(c, loss_of_another_operation);
    tcase_add_test(c, loss_special);
    tcase_add_test(c, like_a_scan);
    tcase_add_test(c, shadows);
    tcase_add_test(c, shadow_element);
    tcase_add_test(c, policy);
    suite_add_tcase(s, c);
    return tiny_main(s);
}
