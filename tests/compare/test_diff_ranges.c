/* test_diff_ranges.c - traces that do not cover the same steps or the same records, or differ by little: what
 * is compared all the same, what is named, and random lengths and patterns against a scan over the data. */
#include <check.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fpx/diff.h>

enum { MAX_STEPS = 12, MAX_RECORDS = 4, ELEMENTS = 6, SEED = 11 };

/* The program of the traces: four outputs of three operations. */
typedef struct column {
    const char *tensor, *op;
    const fpx_format *format;
    uint32_t op_index, count, values;
    double scale;
} column;

static const column columns[MAX_RECORDS] = { { "a/y", "a/fprop", &fpx_fp32, 0, 6, 1, 1.0 },
                                             { "a/rstd", "a/fprop", &fpx_fp32, 0, 2, 1, 1.0 },
                                             { "b/x.e4m3", "b/quantize", &fpx_e4m3, 1, 6, 1, 0.25 },
                                             { "loss", "loss/fprop", &fpx_fp32, 2, 1, 1, 1.0 } };

/* A whole trace as plain data. */
typedef struct data {
    column columns[MAX_RECORDS];
    size_t nrecords, nsteps;
    uint64_t steps[MAX_STEPS];
    uint32_t codes[MAX_STEPS][MAX_RECORDS][ELEMENTS];
} data;

static char folder[] = "/tmp/fpx-range-XXXXXX";

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t bits_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static data make_data(size_t nsteps)
{
    data d = { .nrecords = MAX_RECORDS, .nsteps = nsteps };

    memcpy(d.columns, columns, sizeof columns);
    for (size_t s = 0; s < nsteps; s++) {
        d.steps[s] = s;
        for (uint32_t r = 0; r < MAX_RECORDS; r++)
            for (uint32_t i = 0; i < ELEMENTS; i++)
                d.codes[s][r][i] = r == 2 ? (uint32_t)(8 * s + i) % 120
                                          : bits_of(1.0f + (float)s + 0.125f * (float)i);
        d.codes[s][3][0] = bits_of(4.0f - 0.25f * (float)s);
    }
    return d;
}

static void must(fpx_status status, const fpx_error *err)
{
    if (status != FPX_OK)
        ck_abort_msg("%d %s", (int)status, err->text);
}

static void fill_record(const column *c, fpx_trace_record *r)
{
    const uint64_t shape[2] = { c->count / 2, 2 };

    memset(r, 0, sizeof *r);
    snprintf(r->tensor, sizeof r->tensor, "%s", c->tensor);
    snprintf(r->op, sizeof r->op, "%s", c->op);
    snprintf(r->kind, sizeof r->kind, "add");
    snprintf(r->role, sizeof r->role, "fprop");
    snprintf(r->device, sizeof r->device, "cpu");
    r->op_index = c->op_index;
    r->values = c->values;
    if (c->count > 1)
        ck_assert_int_eq(fpx_tensor_make(c->format, 2, shape, &r->desc), FPX_OK);
    else
        ck_assert_int_eq(fpx_tensor_make(c->format, 1, (uint64_t[]){ 1 }, &r->desc), FPX_OK);
}

static void put_record(fpx_trace_writer *writer, const data *d, size_t s, size_t r)
{
    unsigned char codes[ELEMENTS * 4];
    const size_t size = fpx_format_size(d->columns[r].format);
    fpx_error err = { .text = "" };

    for (size_t i = 0; i < d->columns[r].count; i++)
        memcpy(codes + i * size, &d->codes[s][r][i], size); /* little-endian, as the house is */
    must(fpx_trace_put(writer, r, codes, d->columns[r].scale, &err), &err);
}

static fpx_trace *write_trace(const data *d)
{
    static unsigned number;
    fpx_trace_record records[MAX_RECORDS];
    fpx_trace_layout layout = { .records = records,
                                .nrecords = d->nrecords,
                                .experiment = "",
                                .device = "cpu",
                                .version = "test" };
    char path[128];
    fpx_trace_writer *writer = NULL;
    fpx_trace *trace = NULL;
    fpx_error err = { .text = "" };

    snprintf(path, sizeof path, "%s/%ld-%u.h5", folder, (long)getpid(), number++);
    for (size_t r = 0; r < d->nrecords; r++)
        fill_record(&d->columns[r], &records[r]);
    must(fpx_trace_create(path, &layout, d->nsteps, &writer, &err), &err);
    for (size_t s = 0; s < d->nsteps; s++) {
        must(fpx_trace_begin(writer, d->steps[s], &err), &err);
        for (size_t r = 0; r < d->nrecords; r++)
            put_record(writer, d, s, r);
        must(fpx_trace_commit(writer, &err), &err);
    }
    must(fpx_trace_close(writer, &err), &err);
    must(fpx_trace_open(path, &trace, &err), &err);
    return trace;
}

static fpx_diff diff_of(const data *a, const data *b, uint64_t ulps)
{
    const fpx_diff_policy policy = { .ulps = ulps };
    fpx_trace *x = write_trace(a), *y = write_trace(b);
    fpx_error err = { .text = "" };
    fpx_diff diff;

    memset(&diff, 0xab, sizeof diff);
    must(fpx_diff_traces(x, y, &policy, &diff, &err), &err);
    fpx_trace_free(x);
    fpx_trace_free(y);
    return diff;
}

/* Steps that only one side has: equal as far as both go is SHORTER, a difference stays one. */
static const struct {
    uint64_t first_a, first_b, steps_a, steps_b, gap_b; /* gap: b skips that step; 99: none */
    int differs_at;                                     /* step, -1: nowhere */
    uint32_t verdict;
    uint64_t compared;
} ranges[] = {
    { 0, 0, 8, 5, 99, -1, FPX_SHORTER, 5 },  { 0, 0, 5, 8, 99, -1, FPX_SHORTER, 5 },
    { 0, 0, 8, 5, 99, 4, FPX_DIFFERENT, 5 }, { 0, 3, 8, 8, 99, -1, FPX_SHORTER, 5 },
    { 0, 3, 8, 8, 99, 3, FPX_DIFFERENT, 5 }, { 3, 0, 5, 9, 99, 7, FPX_DIFFERENT, 5 },
    { 0, 0, 8, 7, 2, -1, FPX_SHORTER, 7 },   { 0, 0, 8, 7, 2, 1, FPX_DIFFERENT, 7 },
    { 0, 0, 8, 7, 2, 6, FPX_DIFFERENT, 7 },  { 0, 8, 8, 4, 99, -1, FPX_SHORTER, 0 },
    { 4, 4, 3, 3, 99, -1, FPX_SAME, 3 },     { 4, 4, 3, 3, 99, 6, FPX_DIFFERENT, 3 },
};

static data range_data(uint64_t first, uint64_t steps, uint64_t gap)
{
    data all = make_data(MAX_STEPS), d = all;

    d.nsteps = 0;
    for (uint64_t s = first; d.nsteps < steps; s++) {
        if (s == gap)
            continue;
        d.steps[d.nsteps] = s;
        memcpy(d.codes[d.nsteps], all.codes[s], sizeof all.codes[s]);
        d.nsteps++;
    }
    return d;
}

START_TEST(ranges_of_steps)
{
    data a = range_data(ranges[_i].first_a, ranges[_i].steps_a, 99);
    data b = range_data(ranges[_i].first_b, ranges[_i].steps_b, ranges[_i].gap_b);

    for (size_t s = 0; s < b.nsteps && ranges[_i].differs_at >= 0; s++)
        if (b.steps[s] == (uint64_t)ranges[_i].differs_at)
            b.codes[s][1][1] ^= 1;
    const fpx_diff d = diff_of(&a, &b, 0);
    ck_assert_uint_eq(d.verdict, ranges[_i].verdict);
    ck_assert_uint_eq(d.steps_compared, ranges[_i].compared);
    ck_assert_uint_eq(d.steps_a, ranges[_i].steps_a);
    ck_assert_uint_eq(d.steps_b, ranges[_i].steps_b);
    if (d.verdict == FPX_DIFFERENT) {
        ck_assert_uint_eq(d.first.step, (uint64_t)ranges[_i].differs_at);
        ck_assert_str_eq(d.first.record.tensor, "a/rstd");
    }
}
END_TEST

static void remove_column(data *d, size_t at)
{
    for (size_t r = at; r + 1 < d->nrecords; r++) {
        d->columns[r] = d->columns[r + 1];
        for (size_t s = 0; s < d->nsteps; s++)
            memcpy(d->codes[s][r], d->codes[s][r + 1], sizeof d->codes[s][r]);
    }
    d->nrecords--;
}

/* A record that only one side has, of another format or shape, or in another place, is named. */
START_TEST(other_layouts_are_named)
{
    static const char *const named[] = { "a/rstd", "b/x.e4m3", "a/y", "b/x.e4m3", "a/y", "c/new" };
    static const size_t common[] = { 3, 3, 3, 3, 4, 3 };
    data a = make_data(3), b = a;

    switch (_i) {
    case 0:
        remove_column(&b, 1);
        break;
    case 1:
        remove_column(&a, 2);
        break;
    case 2:
        b.columns[0].format = &fpx_bf16;
        break;
    case 3:
        b.columns[2].count = 4;
        break;
    case 4:
        for (size_t s = 0; s < 3; s++)
            for (size_t i = 0; i < ELEMENTS; i++) {
                b.codes[s][0][i] = a.codes[s][1][i];
                b.codes[s][1][i] = a.codes[s][0][i];
            }
        b.columns[0] = a.columns[1];
        b.columns[1] = a.columns[0];
        break;
    default:
        remove_column(&a, 3);
        b.columns[3].tensor = "c/new";
        break;
    }
    const fpx_diff d = diff_of(&a, &b, 0);
    ck_assert_uint_eq(d.verdict, FPX_OTHER_LAYOUT);
    ck_assert_str_eq(d.first.record.tensor, named[_i]);
    ck_assert_uint_eq(d.records_compared, common[_i]);
    /* What both have is compared all the same: a difference there is the finding. */
    b.codes[1][_i == 2 || _i == 4 ? 1 : 0][0] ^= 1;
    const fpx_diff e = diff_of(&a, &b, 0);
    ck_assert_uint_eq(e.verdict, FPX_DIFFERENT);
    ck_assert_uint_eq(e.first.step, 1);
}
END_TEST

/* One code apart at step 1, five at step 3, NaN at step 5. */
START_TEST(policy_in_ulps)
{
    static const struct {
        uint64_t ulps, step, differing;
        const char *tensor;
    } cases[] = { { 0, 1, 1, "a/y" },
                  { 1, 3, 2, "a/rstd" },
                  { 4, 3, 1, "a/rstd" },
                  { 5, 5, 1, "b/x.e4m3" },
                  { UINT64_MAX - 1, 5, 1, "b/x.e4m3" } };
    data a = make_data(7), b = a;

    b.codes[1][0][2] += 1;
    b.codes[3][0][2] += 1;
    b.codes[3][1][0] += 5;
    b.codes[3][1][1] += 2;
    b.codes[5][2][3] = 0x7f;
    const fpx_diff d = diff_of(&a, &b, cases[_i].ulps);
    ck_assert_uint_eq(d.verdict, FPX_DIFFERENT);
    ck_assert_uint_eq(d.first.step, cases[_i].step);
    ck_assert_str_eq(d.first.record.tensor, cases[_i].tensor);
    ck_assert_uint_eq(d.first.differing, cases[_i].differing);
    b.nsteps = a.nsteps = 5;
    const fpx_diff same = diff_of(&a, &b, 5);
    ck_assert_uint_eq(same.verdict, FPX_SAME);
    ck_assert_uint_eq(same.first.step, 0); /* nothing is left of what was looked at */
    ck_assert_str_eq(same.first.record.tensor, "");
}
END_TEST

/* ---- random patterns against a linear scan over the data itself ---- */
static int record_differs(const data *a, const data *b, size_t s, size_t r)
{
    return memcmp(a->codes[s][r], b->codes[s][r], a->columns[r].count * 4) != 0;
}

static void check_scan(const data *a, const data *b, const fpx_diff *d, uint64_t seed)
{
    size_t first = a->nsteps, last = 0, record = 0, count = 0, loss = a->nsteps;

    for (size_t s = a->nsteps; s-- > 0;)
        for (size_t r = a->nrecords; r-- > 0;) {
            if (!record_differs(a, b, s, r))
                continue;
            count = s == first ? count + 1 : 1;
            last = last == 0 ? s + 1 : last;
            first = s;
            record = r;
            loss = r == 3 ? s : loss;
        }
    if (first == a->nsteps) {
        ck_assert_uint_eq(d->verdict, FPX_SAME);
        return;
    }
    if (d->verdict != FPX_DIFFERENT || d->first.step != first ||
        strcmp(d->first.record.tensor, columns[record].tensor) != 0 ||
        d->records_differing != count || d->healed != (last < a->nsteps ? last : UINT64_MAX) ||
        d->loss_bits != (loss < a->nsteps ? loss : UINT64_MAX))
        ck_abort_msg("seed %" PRIu64 ": verdict %u, step %" PRIu64 " %s, %" PRIu64
                     " records, healed %" PRIu64 ", loss %" PRIu64
                     "; the scan has step %zu %s, %zu records, last %zu, loss %zu",
                     seed, d->verdict, d->first.step, d->first.record.tensor, d->records_differing,
                     d->healed, d->loss_bits, first, columns[record].tensor, count, last, loss);
    size_t element = 0, differing = 0;
    for (size_t i = columns[record].count; i-- > 0;)
        if (a->codes[first][record][i] != b->codes[first][record][i]) {
            element = i;
            differing++;
        }
    ck_assert_uint_eq(d->first.element, element);
    ck_assert_uint_eq(d->first.differing, differing);
    ck_assert_uint_eq(d->first.code_a, a->codes[first][record][element]);
    ck_assert_uint_eq(d->first.code_b, b->codes[first][record][element]);
}

START_TEST(bisection_is_a_linear_scan)
{
    const uint64_t seed = SEED * 1000 + (uint64_t)_i;
    uint64_t state = seed;
    const data a = make_data(2 + next_random(&state) % (MAX_STEPS - 1));
    data b = a;

    for (size_t changes = next_random(&state) % 5; changes > 0; changes--) {
        const size_t s = next_random(&state) % a.nsteps, r = next_random(&state) % MAX_RECORDS;

        b.codes[s][r][next_random(&state) % columns[r].count] ^= UINT32_C(1)
                                                                 << next_random(&state) % 6;
    }
    const fpx_diff d = diff_of(&a, &b, 0);
    check_scan(&a, &b, &d, seed);
}
END_TEST

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        printf("%s: not removed\n", folder);
}

int main(void)
{
    Suite *s = suite_create("diff-ranges");
    TCase *tc = tcase_create("ranges");
    SRunner *runner;

    if (mkdtemp(folder) == NULL)
        return EXIT_FAILURE;
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, ranges_of_steps, 0, sizeof ranges / sizeof ranges[0]);
    tcase_add_loop_test(tc, other_layouts_are_named, 0, 6);
    tcase_add_loop_test(tc, policy_in_ulps, 0, 5);
    tcase_add_loop_test(tc, bisection_is_a_linear_scan, 0, 60);
    suite_add_tcase(s, tc);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    remove_folder();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
