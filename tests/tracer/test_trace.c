/* test_trace.c - fpx/trace.h: what was put is what is read, and every misuse is refused. */
#include <check.h>
#include <hdf5.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace_fixture.h"

static char *folder;
static char *path;

/* HDF5 numbers the identifiers of a kind in order, so those made between two probes can be asked
 * after. Kinds: data spaces, property lists, data types. */
enum { KINDS = 3 };

static hid_t probes_before[KINDS];

static void probe(hid_t *ret_probes)
{
    ret_probes[0] = H5Screate(H5S_SCALAR);
    ret_probes[1] = H5Pcreate(H5P_DATASET_CREATE);
    ret_probes[2] = H5Tcopy(H5T_C_S1);
    H5Sclose(ret_probes[0]);
    H5Pclose(ret_probes[1]);
    H5Tclose(ret_probes[2]);
}

/* An identifier that stays open keeps its memory, and its file. */
static void check_identifiers(void)
{
    hid_t now[KINDS];

    probe(now);
    for (int kind = 0; kind < KINDS; kind++) {
        for (hid_t id = probes_before[kind]; id < now[kind]; id++) {
            if (H5Iis_valid(id) > 0)
                ck_abort_msg("an identifier of kind %d was left open (of %d made)", kind,
                             (int)(now[kind] - probes_before[kind]));
        }
    }
    ck_assert_int_eq(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

static void setup(void)
{
    folder = fixture_folder();
    path = fixture_path(folder, "run.h5");
    probe(probes_before);
}

static void teardown(void)
{
    free(path);
    fixture_remove(folder);
    check_identifiers();
}

static fpx_trace_writer *create(uint64_t steps_hint)
{
    fpx_trace_writer *writer = NULL;
    fpx_error err;

    if (fpx_trace_create(path, fixture_layout(), steps_hint, &writer, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    return writer;
}

static fpx_trace_writer *append(uint64_t next_step, uint64_t steps_hint)
{
    fpx_trace_writer *writer = NULL;
    fpx_error err;

    if (fpx_trace_append(path, fixture_layout(), next_step, steps_hint, &writer, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    return writer;
}

static fpx_trace *open_trace(void)
{
    fpx_trace *trace = NULL;
    fpx_error err;

    if (fpx_trace_open(path, &trace, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    return trace;
}

static void steps(fpx_trace_writer *writer, uint64_t from, uint64_t to)
{
    fpx_error err;

    for (uint64_t step = from; step < to; step++) {
        if (fixture_step(writer, step, &err) != FPX_OK)
            ck_abort_msg("step %llu: %s", (unsigned long long)step, err.text);
    }
}

static void close_writer(fpx_trace_writer *writer)
{
    ck_assert_int_eq(fpx_trace_close(writer, NULL), FPX_OK);
}

START_TEST(what_is_put_is_read)
{
    fpx_trace_writer *writer = create(5);

    steps(writer, 0, 12); /* more than hinted: a second segment */
    const fpx_digest chain = fpx_trace_chain(writer);
    close_writer(writer);
    ck_assert_uint_eq(fixture_check(path, 0), 12);

    fpx_trace *trace = open_trace();
    fpx_digest last;
    ck_assert_uint_eq(fpx_trace_segments(trace), 2);
    ck_assert_uint_eq(fpx_trace_ops(trace), FIXTURE_OPS);
    ck_assert_int_eq(fpx_trace_chain_at(trace, 11, &last, NULL), FPX_OK);
    ck_assert(fpx_digest_equal(chain, last));
    /* Back and forth over the border of segments. */
    for (size_t i = 12; i-- > 0;) {
        fixture_check_step(trace, i);
        fixture_check_step(trace, 11 - i);
    }
    fpx_trace_free(trace);
}
END_TEST

START_TEST(layout_is_read_back)
{
    const fpx_trace_layout *expected = fixture_layout();
    close_writer(create(0));
    fpx_trace *trace = open_trace();
    const fpx_trace_layout *got = fpx_trace_layout_of(trace);

    ck_assert_uint_eq(fpx_trace_steps(trace), 0);
    ck_assert_uint_eq(fpx_trace_step_at(trace, 0), UINT64_MAX);
    ck_assert_uint_eq(got->nrecords, expected->nrecords);
    for (size_t i = 0; i < FIXTURE_RECORDS; i++) {
        if (memcmp(&expected->records[i], &got->records[i], sizeof expected->records[i]) != 0)
            ck_abort_msg("record %zu differs", i);
    }
    ck_assert_uint_eq(got->nmodes, expected->nmodes);
    for (size_t i = 0; i < FIXTURE_MODES; i++)
        ck_assert_str_eq(got->modes[i].name, expected->modes[i].name);
    ck_assert_str_eq(got->experiment, expected->experiment);
    ck_assert_str_eq(got->overrides, expected->overrides);
    ck_assert_str_eq(got->recipe, expected->recipe);
    ck_assert_str_eq(got->device, expected->device);
    ck_assert_str_eq(got->version, expected->version);
    fpx_trace_free(trace);
}
END_TEST

/* The digests of the tree, composed here from the codes alone. */
START_TEST(tree_and_chain_are_as_specified)
{
    static const size_t ops[FIXTURE_OPS + 1] = { 0, 2, 3, 4, 5, 7, 9 };
    uint8_t codes[FIXTURE_MAX_BYTES];
    fpx_digest records[FIXTURE_RECORDS];
    fpx_digest tree[FIXTURE_OPS];
    fpx_digest got[FIXTURE_OPS];
    fpx_digest chain = { { 0 } };
    fpx_trace_writer *writer = create(3);

    steps(writer, 7, 10);
    close_writer(writer);
    fpx_trace *trace = open_trace();
    for (size_t s = 0; s < 3; s++) {
        for (size_t i = 0; i < FIXTURE_RECORDS; i++) {
            fixture_codes(7 + s, i, codes);
            records[i] = fpx_digest_tensor(&fixture_layout()->records[i].desc, codes);
        }
        for (size_t op = 0; op < FIXTURE_OPS; op++)
            tree[op] = fpx_digest_list(records + ops[op], ops[op + 1] - ops[op]);
        ck_assert_int_eq(fpx_trace_op_digests(trace, s, got, NULL), FPX_OK);
        ck_assert_mem_eq(got, tree, sizeof tree);
        const fpx_digest step = fpx_digest_list(tree, FIXTURE_OPS);
        ck_assert_int_eq(fpx_trace_step_digest(trace, s, got, NULL), FPX_OK);
        ck_assert(fpx_digest_equal(got[0], step));
        chain = fpx_digest_chain(chain, step);
        ck_assert_int_eq(fpx_trace_chain_at(trace, s, got, NULL), FPX_OK);
        ck_assert(fpx_digest_equal(got[0], chain));
    }
    fpx_trace_free(trace);
}
END_TEST

static size_t file_bytes(const char *name, uint8_t **ret_bytes)
{
    FILE *file = fopen(name, "rb");
    struct stat info;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fstat(fileno(file), &info), 0);
    *ret_bytes = malloc((size_t)info.st_size + 1);
    ck_assert_ptr_nonnull(*ret_bytes);
    ck_assert_uint_eq(fread(*ret_bytes, 1, (size_t)info.st_size, file), (size_t)info.st_size);
    fclose(file);
    return (size_t)info.st_size;
}

START_TEST(equal_runs_are_equal_files)
{
    static const char *const names[] = { "run.h5", "run.h5.seg/000000.h5" };
    uint8_t *bytes[2][2];
    size_t sizes[2][2];

    for (int run = 0; run < 2; run++) {
        fpx_trace_writer *writer = create(4);
        steps(writer, 0, 4);
        close_writer(writer);
        for (int i = 0; i < 2; i++) {
            char *name = fixture_path(folder, names[i]);
            sizes[run][i] = file_bytes(name, &bytes[run][i]);
            ck_assert_int_eq(remove(name), 0);
            free(name);
        }
        sleep(run == 0); /* HDF5's time stamps count seconds */
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(sizes[0][i], sizes[1][i]);
        ck_assert_mem_eq(bytes[0][i], bytes[1][i], sizes[0][i]);
        free(bytes[0][i]);
        free(bytes[1][i]);
    }
}
END_TEST

START_TEST(existing_files_are_kept)
{
    fpx_trace_writer *writer = create(2);
    fpx_trace_writer *none = NULL;
    fpx_error err;

    steps(writer, 0, 2);
    close_writer(writer);
    ck_assert_int_eq(fpx_trace_create(path, fixture_layout(), 0, &none, &err), FPX_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "exists"));
    ck_assert_ptr_null(none);
    ck_assert_uint_eq(fixture_check(path, 0), 2);

    /* Without its master the folder still holds somebody's steps. */
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(fpx_trace_create(path, fixture_layout(), 0, &none, &err), FPX_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "run.h5.seg"));

    char *nowhere = fixture_path(folder, "no/such/run.h5");
    ck_assert_int_eq(fpx_trace_create(nowhere, fixture_layout(), 0, &none, &err), FPX_EIO);
    ck_assert_int_eq(fpx_trace_append(nowhere, fixture_layout(), 0, 0, &none, &err), FPX_EIO);
    free(nowhere);
}
END_TEST

START_TEST(interrupted_start_is_taken_over)
{
    char *seg = fixture_path(folder, "run.h5.seg");

    ck_assert_int_eq(mkdir(seg, 0700), 0); /* as a kill between folder and master leaves it */
    free(seg);
    fpx_trace_writer *writer = create(0);
    steps(writer, 0, 1);
    close_writer(writer);
    ck_assert_uint_eq(fixture_check(path, 0), 1);
}
END_TEST

START_TEST(append_continues_the_chain)
{
    fpx_trace_writer *writer = create(10);
    fpx_digest whole;

    steps(writer, 0, 10);
    whole = fpx_trace_chain(writer);
    close_writer(writer);

    char *first = path;
    path = fixture_path(folder, "parts.h5");
    close_writer(create(3));
    for (uint64_t from = 0; from < 10; from += 2) { /* each part leaves a segment partly filled */
        writer = append(from, 3);
        steps(writer, from, from + 2);
        close_writer(writer);
        close_writer(append(from + 2, 3)); /* and one that adds nothing */
    }
    writer = append(10, 3);
    ck_assert(fpx_digest_equal(fpx_trace_chain(writer), whole));
    close_writer(writer);
    ck_assert_uint_eq(fixture_check(path, 0), 10);
    free(first);
}
END_TEST

START_TEST(steps_that_come_again_are_compared)
{
    fpx_trace_writer *writer = create(4);

    steps(writer, 3, 9);
    close_writer(writer);
    writer = append(5, 0);
    steps(writer, 5, 12); /* 5 to 8 again, then new ones */
    close_writer(writer);
    ck_assert_uint_eq(fixture_check(path, 3), 9);
    writer = append(3, 0); /* all again, from the start */
    steps(writer, 3, 12);
    close_writer(writer);
    ck_assert_uint_eq(fixture_check(path, 3), 9);
}
END_TEST

START_TEST(a_step_with_other_bits_is_a_finding)
{
    uint8_t codes[FIXTURE_MAX_BYTES];
    fpx_trace_writer *writer = create(4);
    fpx_error err;

    steps(writer, 0, 4);
    close_writer(writer);
    writer = append(1, 0);
    steps(writer, 1, 2);
    ck_assert_int_eq(fpx_trace_begin(writer, 2, &err), FPX_OK);
    for (size_t i = 0; i < FIXTURE_RECORDS; i++) {
        fixture_codes(2, i, codes);
        codes[0] ^= i >= 5; /* "w4", written by "pack", and what follows */
        ck_assert_int_eq(fpx_trace_put(writer, i, codes, 1.0, &err), FPX_OK);
    }
    ck_assert_int_eq(fpx_trace_commit(writer, &err), FPX_ENUMERIC);
    ck_assert_ptr_nonnull(strstr(err.text, "step 2"));
    ck_assert_ptr_nonnull(strstr(err.text, "'w4'"));
    ck_assert_ptr_nonnull(strstr(err.text, "'pack'"));
    ck_assert_int_eq(fpx_trace_begin(writer, 3, &err), FPX_ENUMERIC);
    close_writer(writer);
    ck_assert_uint_eq(fixture_check(path, 0), 4); /* the record of it stays */
}
END_TEST

START_TEST(append_refuses_what_does_not_fit)
{
    fpx_trace_record records[FIXTURE_RECORDS];
    fpx_trace_layout other = *fixture_layout();
    fpx_trace_writer *writer = create(4);
    fpx_error err;

    steps(writer, 5, 9);
    close_writer(writer);
    writer = NULL;
    ck_assert_int_eq(fpx_trace_append(path, &other, 4, 0, &writer, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_append(path, &other, 10, 0, &writer, &err), FPX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "gap"));
    ck_assert_int_eq(fpx_trace_append(path, &other, UINT64_MAX, 0, &writer, &err), FPX_EINVAL);

    memcpy(records, other.records, sizeof records);
    other.records = records;
    records[2].desc.shape[0]++;
    ck_assert_int_eq(fpx_trace_append(path, &other, 9, 0, &writer, &err), FPX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "layer.0/y"));
    ck_assert_ptr_nonnull(strstr(err.text, ": shape '["));
    records[2].desc.shape[0]--;
    records[8].values = 0;
    ck_assert_int_eq(fpx_trace_append(path, &other, 9, 0, &writer, &err), FPX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, ": values 'not recorded' here, 'recorded' there"));
    records[8].values = 1;
    other.nmodes = 1;
    ck_assert_int_eq(fpx_trace_append(path, &other, 9, 0, &writer, &err), FPX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "shadows '"));
    other.nmodes = FIXTURE_MODES;
    ck_assert_ptr_null(writer);

    /* Texts may change: the trace keeps its own. Step 5 may not be left out when it comes again. */
    other.experiment = "model: tiny\nsteps: 16\n";
    ck_assert_int_eq(fpx_trace_append(path, &other, 5, 0, &writer, &err), FPX_OK);
    ck_assert_int_eq(fpx_trace_begin(writer, 6, &err), FPX_EINVAL);
    steps(writer, 5, 11);
    close_writer(writer);
    fpx_trace *trace = open_trace();
    ck_assert_str_eq(fpx_trace_layout_of(trace)->experiment, fixture_layout()->experiment);
    fpx_trace_free(trace);
    ck_assert_uint_eq(fixture_check(path, 5), 6);
}
END_TEST

/* The first field that differs is named, with both values. */
START_TEST(append_names_the_field)
{
    fpx_trace_record records[FIXTURE_RECORDS];
    fpx_trace_layout other = *fixture_layout();
    fpx_trace_writer *writer = create(4);
    fpx_error err;

    steps(writer, 5, 9);
    close_writer(writer);
    writer = NULL;
    other.records = records;
    static const struct {
        size_t at; /* of a text of the record; SIZE_MAX: below */
        const char *text, *says;
    } changes[] = {
        { offsetof(fpx_trace_record, tensor), "other", ": tensor 'other' here, '" },
        { offsetof(fpx_trace_record, op), "other", ": operation 'other' here, '" },
        { offsetof(fpx_trace_record, kind), "other", ": kind 'other' here, '" },
        { offsetof(fpx_trace_record, role), "other", ": role 'other' here, '" },
        { offsetof(fpx_trace_record, device), "other", ": device 'other' here, '" },
        { offsetof(fpx_trace_record, device), "cpu,engine=openblas",
          ": device 'cpu,engine=openblas' here, 'cpu' there" },
        { SIZE_MAX, NULL, ": place 'operation " },
        { SIZE_MAX, NULL, ": format 'e5m2' here, '" },
        { SIZE_MAX, NULL, ": scales 'fp32, blocks [0,0,0]' here, 'none' there" },
        { SIZE_MAX, NULL, "another one here than there" },
    };
    for (size_t k = 0; k < sizeof changes / sizeof changes[0]; k++) {
        memcpy(records, fixture_layout()->records, sizeof records);
        fpx_trace_record *r = &records[2];

        if (changes[k].at != SIZE_MAX)
            memcpy((char *)r + changes[k].at, changes[k].text, strlen(changes[k].text) + 1);
        switch (k) {
        case 6:
            r->layer += 7;
            break;
        case 7:
            r->desc.format = fpx_e5m2;
            break;
        case 8:
            r->desc.nscales = 1;
            r->desc.scale[0] = (fpx_scaling){ .format = fpx_fp32 };
            break;
        case 9:
            records[2].desc.format.bias++;
            records[3].desc.format.bias++;
            break;
        default:
            break;
        }
        const fpx_status status = fpx_trace_append(path, &other, 9, 0, &writer, &err);
        if (status != FPX_EINVAL || strstr(err.text, changes[k].says) == NULL)
            ck_abort_msg("%zu: status %d: %s", k, (int)status, err.text);
    }
}
END_TEST

/* Threads and instruction set of the built-in device enter no bit: a trace goes on with others, and keeps its own. */
START_TEST(append_with_other_threads)
{
    static const char *const devices[] = { "cpu,threads=7", "cpu,level=scalar", "cpu" };
    fpx_trace_record records[FIXTURE_RECORDS];
    fpx_trace_layout other = *fixture_layout();
    fpx_trace_writer *writer = create(4);
    fpx_error err;

    steps(writer, 5, 9);
    close_writer(writer);
    memcpy(records, other.records, sizeof records);
    other.records = records;
    for (size_t k = 0; k < sizeof devices / sizeof devices[0]; k++) {
        for (size_t i = 0; i < FIXTURE_RECORDS; i++)
            (void)snprintf(records[i].device, sizeof records[i].device, "%s", devices[k]);
        if (fpx_trace_append(path, &other, 9 + k, 0, &writer, &err) != FPX_OK)
            ck_abort_msg("%s: %s", devices[k], err.text);
        steps(writer, 9 + k, 10 + k);
        close_writer(writer);
    }
    fpx_trace *trace = open_trace();
    ck_assert_str_eq(fpx_trace_layout_of(trace)->records[0].device, "cpu");
    fpx_trace_free(trace);
    ck_assert_uint_eq(fixture_check(path, 5), 7);
}
END_TEST

static void expect_planned(uint64_t planned, int incomplete)
{
    fpx_trace *trace = open_trace();

    ck_assert_uint_eq(fpx_trace_planned(trace), planned);
    ck_assert_int_eq(fpx_trace_incomplete(trace), incomplete);
    fpx_trace_free(trace);
}

/* A run that ended early shows: fewer steps than it was to have, until it goes on to the end. */
START_TEST(planned_steps)
{
    fpx_trace_writer *writer = create(6);

    expect_planned(6, 1);
    steps(writer, 0, 2);
    close_writer(writer);
    expect_planned(6, 1);
    writer = append(2, 4);
    steps(writer, 2, 6);
    expect_planned(6, 0);
    close_writer(writer);
    writer = append(6, 3); /* longer than first planned */
    steps(writer, 6, 7);
    close_writer(writer);
    expect_planned(9, 1);
    writer = append(7, 0);
    steps(writer, 7, 8);
    close_writer(writer);
    expect_planned(0, 0);
}
END_TEST

START_TEST(one_writer_at_a_time)
{
    fpx_trace_writer *writer = create(4);
    fpx_trace_writer *second = NULL;
    fpx_error err;

    steps(writer, 0, 1);
    ck_assert_int_eq(fpx_trace_append(path, fixture_layout(), 1, 0, &second, &err), FPX_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "another process"));
    ck_assert_ptr_null(second);
    steps(writer, 1, 2);
    close_writer(writer);
    close_writer(append(2, 0));
}
END_TEST

START_TEST(a_live_trace_can_be_read)
{
    fpx_trace_writer *writer = create(3);

    for (uint64_t step = 0; step < 8; step++) {
        fpx_trace *before = open_trace();
        ck_assert_uint_eq(fpx_trace_steps(before), step);
        steps(writer, step, step + 1);
        ck_assert_uint_eq(fpx_trace_steps(before), step); /* what was there when it was opened */
        for (size_t i = 0; i < step; i++)
            fixture_check_step(before, i);
        fpx_trace_free(before);
    }
    close_writer(writer);
}
END_TEST

START_TEST(steps_follow_the_rules)
{
    uint8_t codes[FIXTURE_MAX_BYTES] = { 0 };
    fpx_trace_writer *writer = create(8);
    const fpx_figure figure = fixture_figure(0, 0, 0);
    fpx_error err;

    ck_assert_int_eq(fpx_trace_put(writer, 0, codes, 1.0, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_put_figure(writer, 0, 0, &figure, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_commit(writer, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_begin(writer, 4, &err), FPX_OK);
    ck_assert_int_eq(fpx_trace_put(writer, 1, codes, 1.0, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_put(writer, 0, codes, 1.0, &err), FPX_OK);
    ck_assert_int_eq(fpx_trace_put(writer, 0, codes, 1.0, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_put_figure(writer, FIXTURE_MODES, 0, &figure, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_put_figure(writer, 0, FIXTURE_RECORDS, &figure, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_commit(writer, &err), FPX_EINVAL);
    steps(writer, 4, 5); /* begins again: the half step is dropped, its figures too */
    ck_assert_int_eq(fpx_trace_begin(writer, 4, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_begin(writer, 3, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_put(writer, 0, codes, 1.0, &err), FPX_EINVAL);
    steps(writer, 5, 6);
    close_writer(writer);
    ck_assert_uint_eq(fixture_check(path, 4), 2);
    ck_assert_int_eq(fpx_trace_close(NULL, NULL), FPX_OK);
    fpx_trace_free(NULL);
}
END_TEST

START_TEST(readers_check_their_arguments)
{
    uint8_t codes[FIXTURE_MAX_BYTES];
    fpx_digest digests[FIXTURE_RECORDS];
    fpx_stats stats[FIXTURE_RECORDS];
    fpx_figure figures[FIXTURE_RECORDS];
    fpx_trace_writer *writer = create(2);
    fpx_error err;

    steps(writer, 0, 2);
    close_writer(writer);
    fpx_trace *trace = open_trace();
    ck_assert_int_eq(fpx_trace_digests(trace, 2, digests, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_op_digests(trace, 2, digests, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_step_digest(trace, 2, digests, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_chain_at(trace, SIZE_MAX, digests, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_stats(trace, 2, stats, NULL, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_stats(trace, 1, stats, NULL, &err), FPX_OK);
    ck_assert_int_eq(fpx_trace_figures(trace, 2, 0, figures, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_figures(trace, 0, 2, figures, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_values(trace, 2, 0, codes, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_values(trace, 0, FIXTURE_RECORDS, codes, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_trace_values(trace, 0, 3, codes, &err), FPX_EUNSUPPORTED);
    fpx_trace_free(trace);
}
END_TEST

/* One way to spoil the fixture's layout. */
static void spoil(int way, fpx_trace_layout *layout, fpx_trace_record *r)
{
    switch (way) {
    case 0:
        layout->nrecords = 0;
        break;
    case 1:
        layout->nmodes = FPX_TRACE_MODES + 1;
        break;
    case 2:
        memset(r[1].tensor, 'x', sizeof r[1].tensor); /* not terminated */
        break;
    case 3:
        r[1].op[0] = '\0';
        break;
    case 4:
        memcpy(r[6].tensor, r[5].tensor, sizeof r[6].tensor); /* twice the same */
        break;
    case 5:
        snprintf(r[1].tensor, sizeof r[1].tensor, "layer.0:x"); /* as the other's dataset */
        break;
    case 6:
        r[4].op_index = 1; /* falls */
        break;
    case 7:
        r[1].op_index = 1; /* one operation, two indices */
        break;
    case 8:
        snprintf(r[1].op, sizeof r[1].op, "else"); /* two operations, one index */
        break;
    case 9:
        r[2].desc.shape[1] = 0;
        break;
    case 10:
        r[2].desc.shape[0] = r[2].desc.shape[1] = UINT64_C(1) << 40;
        break;
    case 11:
        r[2].desc.packing = FPX_PACK_DENSE; /* of 16 bits */
        break;
    case 12:
        r[2].desc.ndim = FPX_MAX_DIMS + 1;
        break;
    case 13:
        r[2].desc.format.ebits = 20;
        break;
    case 14:
        r[7].desc.format.name[0] = 'b'; /* bp32: fine; but then see 15 */
        memcpy(r[7].desc.format.name, "bf16", 5);
        break;
    case 15:
        r[5].desc.nscales = FPX_MAX_SCALES + 1;
        break;
    case 16:
        snprintf(layout->modes[1].name, sizeof layout->modes[1].name, "local:fp64");
        break;
    case 17:
        snprintf(layout->modes[1].name, sizeof layout->modes[1].name, "a\nb");
        break;
    case 18:
        snprintf(layout->modes[0].name, sizeof layout->modes[0].name, "a/b");
        snprintf(layout->modes[1].name, sizeof layout->modes[1].name, "a:b");
        break;
    case 19:
        snprintf(r[1].tensor, sizeof r[1].tensor, ".");
        break;
    case 20:
        snprintf(r[1].tensor, sizeof r[1].tensor, "a\nb");
        break;
    case 21:
        r[1].values = 2;
        break;
    default:
        r[2].desc.shape[0] = r[2].desc.shape[1] = 1 << 16; /* counts would not fit u32 */
        r[2].desc.shape[2] = 1;
        break;
    }
}

START_TEST(bad_layouts_are_refused)
{
    fpx_trace_record records[FIXTURE_RECORDS];
    fpx_trace_layout layout = *fixture_layout();
    fpx_trace_writer *writer = NULL;
    struct stat info;
    fpx_error err = { .text = "" };

    memcpy(records, layout.records, sizeof records);
    layout.records = records;
    spoil(_i, &layout, records);
    ck_assert_int_eq(fpx_trace_create(path, &layout, 0, &writer, &err), FPX_EINVAL);
    ck_assert_ptr_null(writer);
    ck_assert_uint_gt(strlen(err.text), 10);
    ck_assert_int_ne(stat(path, &info), 0); /* nothing was made */
}
END_TEST

START_TEST(no_modes_and_empty_texts_are_fine)
{
    uint8_t codes[FIXTURE_MAX_BYTES];
    const fpx_trace_layout layout = { .records = fixture_layout()->records, .nrecords = 1 };
    fpx_trace_writer *writer = NULL;
    fpx_figure figure;
    fpx_error err;

    ck_assert_int_eq(fpx_trace_create(path, &layout, 0, &writer, &err), FPX_OK);
    for (uint64_t step = 0; step < 200; step += 2) { /* gaps between steps are allowed */
        fixture_codes(step, 0, codes);
        ck_assert_int_eq(fpx_trace_begin(writer, step, &err), FPX_OK);
        ck_assert_int_eq(fpx_trace_put(writer, 0, codes, 1.0, &err), FPX_OK);
        ck_assert_int_eq(fpx_trace_commit(writer, &err), FPX_OK);
    }
    close_writer(writer);
    fpx_trace *trace = open_trace();
    ck_assert_str_eq(fpx_trace_layout_of(trace)->experiment, "");
    ck_assert_uint_eq(fpx_trace_steps(trace), 100);
    ck_assert_uint_eq(fpx_trace_step_at(trace, 99), 198);
    ck_assert_uint_eq(fpx_trace_segments(trace), 2); /* 64, then 128 */
    ck_assert_int_eq(fpx_trace_figures(trace, 0, 0, &figure, &err), FPX_EINVAL);
    fpx_trace_free(trace);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("trace");
    TCase *tc = tcase_create("trace");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_is_put_is_read);
    tcase_add_test(tc, layout_is_read_back);
    tcase_add_test(tc, tree_and_chain_are_as_specified);
    tcase_add_test(tc, equal_runs_are_equal_files);
    tcase_add_test(tc, existing_files_are_kept);
    tcase_add_test(tc, interrupted_start_is_taken_over);
    tcase_add_test(tc, append_continues_the_chain);
    tcase_add_test(tc, steps_that_come_again_are_compared);
    tcase_add_test(tc, a_step_with_other_bits_is_a_finding);
    tcase_add_test(tc, append_refuses_what_does_not_fit);
    tcase_add_test(tc, append_names_the_field);
    tcase_add_test(tc, append_with_other_threads);
    tcase_add_test(tc, planned_steps);
    tcase_add_test(tc, one_writer_at_a_time);
    tcase_add_test(tc, a_live_trace_can_be_read);
    tcase_add_test(tc, steps_follow_the_rules);
    tcase_add_test(tc, readers_check_their_arguments);
    tcase_add_loop_test(tc, bad_layouts_are_refused, 0, 23);
    tcase_add_test(tc, no_modes_and_empty_texts_are_fine);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
